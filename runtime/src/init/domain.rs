//! The Landlock domain around the workload: light in sandbox mode, with a rule for every path in strict mode.
//!
//! Called by `exec`. The strict rules are made as the container's root and before the workload's identity is assumed,
//! since its user may not be able to open what it may reach; the domain is entered last. What is opened here lies inside
//! the container and nowhere else.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AddRuleError, AddRulesError, BitFlags, CompatLevel, Compatible as _, PathBeneath,
    Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
    make_bitflags,
};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

use super::error::InitError;
use super::inside;
use super::orders::LandlockScopes;

/// Enters the light Landlock domain: no device nodes; and, as in every domain that handles files, no mount, umount or
/// pivot_root even for root of the user namespace, and no ptrace out of it. Costs 0.14 us an open.
///
/// `REFER` is handled and granted below `/`, because a domain that does not mention it forbids every rename between
/// directories. Returns what this kernel could not enforce.
pub(super) fn enter_light(scopes: LandlockScopes) -> Result<Vec<String>, InitError> {
    let nodes = AccessFs::MakeChar | AccessFs::MakeBlock;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(nodes | AccessFs::Refer)
        .map_err(InitError::Landlock)?;
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| InitError::Root { operation: "open", source: error.into() })?;
    let ruleset = scoped(ruleset, scopes)?
        .create()
        .and_then(|ruleset| ruleset.add_rule(PathBeneath::new(root, AccessFs::Refer)))
        .map_err(InitError::Landlock)?;
    enter(ruleset)
}

/// Enters the strict domain: nothing but what the rules name, and of that only what they grant. What lies outside of the
/// container is named by none, so a descriptor or a working directory that came in by mistake opens nothing
/// (CVE-2024-21626), and no write reaches procfs or sysfs, whatever is mounted over what (CVE-2025-31133). Costs 1.1 us
/// an open.
///
/// # Errors
/// [`InitError::PathRules`] where the kernel cannot enforce all file rights up to truncation (Linux 6.2).
pub(super) fn enter_strict(scopes: LandlockScopes, rules: Vec<PathRule>) -> Result<Vec<String>, InitError> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V3))
        .map_err(InitError::PathRules)?
        // Device control is the filter's too, so a kernel before 6.10 will do.
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::IoctlDev)
        .map_err(InitError::PathRules)?;
    let mut ruleset = scoped(ruleset, scopes)?.create().map_err(InitError::PathRules)?;
    for PathRule { beneath, access } in rules {
        (&mut ruleset).add_rule(PathBeneath::new(beneath, access)).map_err(InitError::Landlock)?;
    }
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    for stream in streams {
        add_stream(&mut ruleset, stream)?;
    }
    enter(ruleset)
}

fn scoped(mut ruleset: Ruleset, scopes: LandlockScopes) -> Result<Ruleset, InitError> {
    for (wanted, scope) in [(scopes.signal, Scope::Signal), (scopes.abstract_unix, Scope::AbstractUnixSocket)] {
        if wanted {
            ruleset = ruleset.scope(scope).map_err(InitError::Landlock)?;
        }
    }
    Ok(ruleset)
}

fn enter(ruleset: RulesetCreated) -> Result<Vec<String>, InitError> {
    let status = ruleset.restrict_self().map_err(InitError::Landlock)?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Vec::new(),
        RulesetStatus::PartiallyEnforced => vec!["landlock: parts of the domain need a newer kernel".to_owned()],
        RulesetStatus::NotEnforced => vec!["landlock: not enabled in this kernel".to_owned()],
    })
}

/// What the workload may do with one file, or below one directory.
#[derive(Debug)]
pub(super) struct PathRule {
    beneath: OwnedFd,
    access: BitFlags<AccessFs>,
}

const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});

/// Everything that changes files, but for the making of device nodes, which nobody gets.
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    WriteFile | Truncate | RemoveDir | RemoveFile | MakeDir | MakeReg | MakeSock | MakeFifo | MakeSym | Refer
});

/// The rules of strict mode: one for each entry of the root directory, and one for each place of `mounts`.
///
/// Landlock adds up the rights that a path has on the way to the root, so a rule of `/` itself would hold everywhere: it
/// grants reading alone. That is why in strict mode nothing new can be made directly in `/`. A mount that lies deeper
/// has at least the rights of the entry of `/` that it lies in; what narrows it are its own mount flags.
pub(super) fn path_rules(mounts: &[PathBuf]) -> Result<Vec<PathRule>, InitError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| InitError::PathRule { path, source }
    };
    let root_path = Path::new("/");
    let root = rustix::fs::open(root_path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| failed(root_path)(error.into()))?;
    let mut rules = Vec::new();
    for entry in Dir::read_from(&root).map_err(|error| failed(root_path)(error.into()))? {
        let entry = entry.map_err(|error| failed(root_path)(error.into()))?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let path = root_path.join(name.to_string_lossy().as_ref());
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened =
            rustix::fs::openat(&root, name, flags, Mode::empty()).map_err(|error| failed(&path)(error.into()))?;
        // A link is the image's: what it leads to has, or has not, a rule of its own.
        if kind(opened.as_fd()).map_err(failed(&path))? != FileType::Symlink {
            rules.push(rule(opened, &path).map_err(failed(&path))?);
        }
    }
    for path in mounts {
        match inside::find(&root, path) {
            Ok(found) => rules.push(rule(found, path).map_err(failed(path))?),
            // A later mount on a folder above hides it from the workload too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(path)(error)),
        }
    }
    rules.push(PathRule { beneath: root, access: READ });
    Ok(rules)
}

fn rule(beneath: OwnedFd, path: &Path) -> io::Result<PathRule> {
    let access = access(&rustix::fs::fstatfs(&beneath)?, kind(beneath.as_fd())?, path);
    Ok(PathRule { beneath, access })
}

fn kind(file: BorrowedFd<'_>) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::statat(file, "", AtFlags::EMPTY_PATH)?.st_mode))
}

/// Flags of statfs(2), as the mount has them.
const ST_RDONLY: u64 = 0x1;
const ST_NOEXEC: u64 = 0x8;
/// Magic of sysfs (linux/magic.h).
const SYSFS: u64 = 0x6265_6572;

/// The rights that a mount's own flags leave, less what no workload needs: to write to procfs and sysfs, to execute
/// what is not on a disk, and to control devices outside of `/dev`.
fn access(mount: &rustix::fs::StatFs, kind: FileType, path: &Path) -> BitFlags<AccessFs> {
    let flags = u64::try_from(mount.f_flags).unwrap_or(ST_RDONLY | ST_NOEXEC);
    let of_kernel = mount.f_type == rustix::fs::PROC_SUPER_MAGIC || u64::try_from(mount.f_type) == Ok(SYSFS);
    let of_devices = path.starts_with("/dev");
    let mut access = READ;
    if flags & ST_RDONLY == 0 && !of_kernel {
        access |= WRITE;
    }
    if flags & ST_NOEXEC == 0 && !of_kernel && !of_devices {
        access |= AccessFs::Execute;
    }
    if of_devices {
        access |= AccessFs::IoctlDev;
    }
    if kind == FileType::Directory { access } else { access & AccessFs::from_file(ABI::V5) }
}

/// A standard stream may be a file outside of the container, which images open again as `/dev/stdout`: it stays
/// what it is, with the rights that it was opened with.
fn add_stream(ruleset: &mut RulesetCreated, stream: BorrowedFd<'_>) -> Result<(), InitError> {
    let failed = |source: io::Error| InitError::PathRule { path: "/dev/stdin, stdout or stderr".into(), source };
    let kind = FileType::from_raw_mode(rustix::fs::fstat(stream).map_err(|error| failed(error.into()))?.st_mode);
    let mode = rustix::fs::fcntl_getfl(stream).map_err(|error| failed(error.into()))? & OFlags::ACCMODE;
    let mut access = BitFlags::<AccessFs>::empty();
    if mode != OFlags::WRONLY {
        access |= AccessFs::ReadFile;
    }
    if mode != OFlags::RDONLY {
        access |= AccessFs::WriteFile | AccessFs::Truncate;
    }
    if kind == FileType::CharacterDevice {
        access |= AccessFs::IoctlDev;
    }
    match ruleset.add_rule(PathBeneath::new(stream, access)) {
        Ok(_) => Ok(()),
        // Pipes and sockets have no path, and Landlock no say in them.
        Err(RulesetError::AddRules(AddRulesError::Fs(AddRuleError::AddRuleCall { source, .. })))
            if source.raw_os_error() == Some(libc::EBADFD) =>
        {
            Ok(())
        }
        Err(error) => Err(InitError::Landlock(error)),
    }
}
