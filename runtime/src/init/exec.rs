//! The last steps: identity, confinement, the hand-over of the listener, the wait for `start`, and `execve(2)`.

use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Access, AtFlags, FileType};
use rustix::net::SocketFlags;
use rustix::process::DumpableBehavior;

use super::domain::{self, PathRule};
use super::error::InitError;
use super::orders::Workload;
use super::{confine, container_hooks, environment, identity, reaper};
use crate::channel::{self, ChannelError, FromInit, ToInit};
use crate::spec::container::Seccomp;
use crate::sys;

/// From set-up to the workload.
pub(super) fn enter(workload: &mut Workload) -> Result<Infallible, InitError> {
    drop_descriptors(workload)?;
    let env = std::mem::take(&mut workload.process.env);
    workload.process.env = environment::complete(env, workload.process.uid);
    let paths = workload.confinement.paths.as_deref().map(domain::path_rules).transpose()?;
    let process = &workload.process;
    let early = rustix::process::chdir(&process.cwd);
    confine::kernel_view(&workload.confinement)?;
    identity::assume(process, filters_by_capability(workload))?;
    working_directory(&process.cwd, early)?;
    if process.no_new_privileges {
        confine::no_new_privileges()?;
    }
    if let Some(profile) = &process.apparmor_profile {
        confine::apparmor_on_exec(profile)?;
    }
    let program = find_program(process.args.first().map(CString::as_c_str), &process.env)?;
    sys::process::reset_signals().map_err(InitError::Gate)?;
    sys::clone::cloexec_from(3_u32.saturating_add(workload.preserve_fds)).map_err(InitError::Gate)?;
    confine_and_report(workload, paths)?;
    channel::receive_go(&workload.channel)?;
    match workload.gate.take() {
        None if workload.as_child => reaper::run_as_child(|| execute_as_child(workload, &program)),
        None => execute(workload, &program),
        Some(gate) => through_gate(workload, &gate, &program),
    }
}

/// Closes everything but the way to the launcher. Paths of the bundle and the image are resolved from here on, also by
/// `execve(2)` itself (`#!`, ELF interpreter) before it closes anything: through `/proc/self/fd` they must find nothing
/// of the host (the class of CVE-2024-21626).
fn drop_descriptors(workload: &Workload) -> Result<(), InitError> {
    let kept: Vec<BorrowedFd<'_>> =
        [Some(&workload.channel), workload.gate.as_ref()].into_iter().flatten().map(AsFd::as_fd).collect();
    sys::clone::close_all_but_from(3_u32.saturating_add(workload.preserve_fds), &kept).map_err(InitError::Gate)
}

fn confine_and_report(workload: &Workload, paths: Option<Vec<PathRule>>) -> Result<(), InitError> {
    let missing = match (workload.confinement.landlock, paths) {
        (None, _) => Vec::new(),
        (Some(scopes), None) => domain::enter_light(scopes)?,
        (Some(scopes), Some(paths)) => domain::enter_strict(scopes, paths)?,
    };
    let filter = workload.confinement.filter.as_ref();
    if let Some(profile) = workload.confinement.oci.as_ref().filter(|profile| profile.agent.is_some()) {
        // Not as late as others: its agent is to have the listener when the container is created.
        install_profile(workload, profile)?;
    }
    let await_tracer = || await_tracer(&workload.channel);
    let listener = filter.map(|filter| confine::filter(filter, await_tracer)).transpose()?.flatten();
    channel::send(&workload.channel, &FromInit::Confined { missing }, listener.as_ref())?;
    Ok(())
}

/// Asks for a tracer and says whether there is one.
///
/// Our memory is still that of the launcher's program and belongs to its user namespace, over which the sentry has no
/// right; so it must be open to tracers for as long. Nobody of the container runs behind these walls yet, and other
/// containers are in Landlock domains that let them trace nobody else.
fn await_tracer(channel: &OwnedFd) -> Result<bool, InitError> {
    let failed = |error: rustix::io::Errno| InitError::Gate(error.into());
    let before = rustix::process::dumpable_behavior().map_err(failed)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(failed)?;
    channel::send(channel, &FromInit::Traceable, None)?;
    let (answer, _) = channel::receive::<ToInit>(channel)?;
    if before != DumpableBehavior::Dumpable {
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed)?;
    }
    match answer {
        ToInit::Traced => Ok(true),
        ToInit::Untraced => Ok(false),
        ToInit::Go => Err(ChannelError::OutOfTurn.into()),
    }
}

/// Waits for one `start` that says go, and executes; a failure is told to that caller.
fn through_gate(workload: &Workload, gate: &OwnedFd, program: &CStr) -> Result<Infallible, InitError> {
    // The launcher's end is done; a caller of `create` waits for its end of file.
    let starter = accept(gate)?;
    let Err(error) = execute(workload, program);
    channel::send(&starter, &FromInit::Failed((&error).into()), None)?;
    Err(error)
}

/// The child's part of [`reaper::run_as_child`]: its own word of a failure, since the first process only waits.
fn execute_as_child(workload: &Workload, program: &CStr) -> u8 {
    let executed = reaper::take_foreground(workload.process.terminal)
        .and_then(|()| sys::process::reset_signals().map_err(InitError::Gate))
        .and_then(|()| execute(workload, program));
    let Err(error) = executed;
    let told = channel::send(&workload.channel, &FromInit::Failed((&error).into()), None);
    told.map_or(super::FAILED, |()| super::FAILED)
}

fn accept(gate: &OwnedFd) -> Result<OwnedFd, InitError> {
    loop {
        let connection = match rustix::net::accept_with(gate, SocketFlags::CLOEXEC) {
            Ok(connection) => connection,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => continue,
            Err(error) => return Err(InitError::Gate(error.into())),
        };
        match channel::receive_go(&connection) {
            Ok(()) => return Ok(connection),
            // A caller that went away without its word is not a start.
            Err(ChannelError::Closed | ChannelError::Malformed(_) | ChannelError::OutOfTurn) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn execute(workload: &Workload, program: &CStr) -> Result<Infallible, InitError> {
    container_hooks::before_workload(workload)?;
    let process = &workload.process;
    for rlimit in &process.rlimits {
        sys::process::set_own_rlimit(rlimit.resource, rlimit.soft, rlimit.hard)
            .map_err(|source| InitError::Identity { what: "resource limits", field: "process.rlimits", source })?;
    }
    if let Some(profile) = workload.confinement.oci.as_ref().filter(|profile| profile.agent.is_none()) {
        install_profile(workload, profile)?;
    }
    nix::unistd::execve(program, &process.args, &process.env).map_err(|error| {
        let program = program.to_string_lossy().into_owned();
        if error == nix::Error::EACCES {
            InitError::NotExecutable { program }
        } else {
            InitError::Exec { program, source: error.into() }
        }
    })
}

/// Whether the bundle's profile needs CAP_SYS_ADMIN to be installed (seccomp(2)).
fn filters_by_capability(workload: &Workload) -> bool {
    workload.confinement.oci.is_some() && !workload.process.no_new_privileges
}

/// Installs the bundle's profile last of all, since it need not allow what we do until here: a profile of before 2020 has
/// no faccessat2, and finding the program needs that.
fn install_profile(workload: &Workload, profile: &Seccomp) -> Result<(), InitError> {
    if !filters_by_capability(workload) {
        return confine::oci_profile(profile, &workload.channel);
    }
    let sets = &workload.process.capabilities;
    identity::raise_for_filter(sets)?;
    confine::oci_profile(profile, &workload.channel)?;
    identity::settle(sets)
}

/// Checks that the working directory was entered and lies inside (CVE-2024-21626: a cwd that is a leaked descriptor of
/// the host's tree shows as unreachable).
fn working_directory(path: &Path, early: Result<(), rustix::io::Errno>) -> Result<(), InitError> {
    if early.is_err() {
        // Root may lack a right that the user has (a squashed network file system): once more as the user.
        rustix::process::chdir(path).map_err(|error| InitError::Cwd { path: path.to_owned(), source: error.into() })?;
    }
    let current = rustix::process::getcwd(Vec::new())
        .map_err(|error| InitError::Cwd { path: path.to_owned(), source: error.into() })?;
    if current.as_bytes().starts_with(b"/") { Ok(()) } else { Err(InitError::CwdOutside { path: path.to_owned() }) }
}

/// The file that `name` means to the process: itself if it holds a slash, else the first match in PATH.
fn find_program(name: Option<&CStr>, env: &[CString]) -> Result<CString, InitError> {
    let name = name.unwrap_or_default();
    let shown = || name.to_string_lossy().into_owned();
    if name.to_bytes().contains(&b'/') {
        return match executable(rustix::fs::CWD, name) {
            Ok(()) => Ok(name.to_owned()),
            Err(io::ErrorKind::NotFound) => Err(InitError::Missing { program: shown() }),
            Err(_denied) => Err(InitError::NotExecutable { program: shown() }),
        };
    }
    let path = env.iter().find_map(|entry| entry.to_bytes().strip_prefix(b"PATH=")).unwrap_or(DEFAULT_PATH);
    let mut denied = false;
    for folder in path.split(|byte| *byte == b':') {
        let candidate =
            Path::new(std::ffi::OsStr::from_bytes(folder)).join(std::ffi::OsStr::from_bytes(name.to_bytes()));
        let Ok(candidate) = CString::new(candidate.into_os_string().into_encoded_bytes()) else { continue };
        match executable(rustix::fs::CWD, &candidate) {
            Ok(()) => return Ok(candidate),
            Err(kind) => denied |= kind == io::ErrorKind::PermissionDenied,
        }
    }
    Err(if denied { InitError::NotExecutable { program: shown() } } else { InitError::NotInPath { program: shown() } })
}

/// Where a program is looked up when the bundle sets no PATH: the shells' own default.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn executable(at: BorrowedFd<'_>, path: &CStr) -> Result<(), io::ErrorKind> {
    let kind = |error: rustix::io::Errno| io::Error::from(error).kind();
    let stat = rustix::fs::statat(at.as_fd(), path, AtFlags::empty()).map_err(kind)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::PermissionDenied);
    }
    rustix::fs::accessat(at, path, Access::EXEC_OK, AtFlags::EACCESS).map_err(kind)
}
