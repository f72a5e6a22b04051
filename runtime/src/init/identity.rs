//! Who the process is: user, groups, capabilities, session, keyring.

use std::io;
use std::os::fd::OwnedFd;

use caps::{CapSet, Capability};
use nix::unistd::{Gid, Uid};

use super::error::InitError;
use crate::spec::container::{Capabilities, Process};
use crate::sys;

/// Becomes uid 0 and gid 0 of the user namespace just joined, so that files made during set-up have a mapped owner.
/// The full capabilities that joining gave stay: the new ids are the namespace's root.
pub(super) fn become_root_inside() -> Result<(), InitError> {
    let root = Gid::from_raw(0);
    nix::unistd::setresgid(root, root, root).map_err(enter)?;
    let root = Uid::from_raw(0);
    nix::unistd::setresuid(root, root, root).map_err(enter)
}

fn enter(error: nix::Error) -> InitError {
    InitError::EnterUserns(error.into())
}

/// A session and a session keyring of its own: nothing of the caller's terminal or keys is reachable.
pub(super) fn new_session() -> Result<(), InitError> {
    // EPERM means that we lead a session already, which is as good.
    match nix::unistd::setsid() {
        Ok(_) | Err(nix::Error::EPERM) => {}
        Err(error) => return Err(failed("session", "process", error)),
    }
    match sys::process::join_new_session_keyring() {
        Ok(()) => Ok(()),
        // A kernel without keyrings has none that could leak.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        Err(source) => Err(InitError::Identity { what: "session keyring", field: "process", source }),
    }
}

/// Puts the workload's streams into their places.
pub(super) fn take_streams(streams: &[Option<OwnedFd>; 3]) -> Result<(), InitError> {
    let [stdin, stdout, stderr] = streams;
    let placed = || -> rustix::io::Result<()> {
        stdin.as_ref().map_or(Ok(()), rustix::stdio::dup2_stdin)?;
        stdout.as_ref().map_or(Ok(()), rustix::stdio::dup2_stdout)?;
        stderr.as_ref().map_or(Ok(()), rustix::stdio::dup2_stderr)
    };
    placed().map_err(|error| InitError::Identity { what: "standard streams", field: "process", source: error.into() })
}

/// Takes on `process`'s ids and exactly its capabilities; with `filter_later`, CAP_SYS_ADMIN stays permitted (but not
/// effective) until [`settle`], for [`raise_for_filter`].
pub(super) fn assume(process: &Process, filter_later: bool) -> Result<(), InitError> {
    if let Some(umask) = process.umask {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
    }
    drop_bounding(process.capabilities.bounding)?;
    // Without this, leaving uid 0 would clear the permitted set before it can be reduced to what is asked for.
    rustix::thread::set_keep_capabilities(true).map_err(|error| kept(error.into()))?;
    set_ids(process)?;
    rustix::thread::set_keep_capabilities(false).map_err(|error| kept(error.into()))?;
    set_capabilities(&process.capabilities, if filter_later { filter_bit() } else { 0 })
}

/// What installs a filter without no_new_privs.
fn filter_bit() -> u64 {
    Capability::CAP_SYS_ADMIN.bitmask()
}

/// Makes what [`assume`] kept effective.
pub(super) fn raise_for_filter(sets: &Capabilities) -> Result<(), InitError> {
    set(CapSet::Effective, (sets.effective & sets.permitted) | filter_bit())
}

/// Drops what [`assume`] kept. Runs behind the bundle's filter.
pub(super) fn settle(sets: &Capabilities) -> Result<(), InitError> {
    set(CapSet::Effective, sets.effective & sets.permitted)?;
    set(CapSet::Permitted, sets.permitted)
}

fn kept(source: io::Error) -> InitError {
    InitError::Identity { what: "capabilities across the change of user", field: "process.capabilities", source }
}

fn set_ids(process: &Process) -> Result<(), InitError> {
    let groups: Vec<Gid> = process.additional_gids.iter().copied().map(Gid::from_raw).collect();
    match nix::unistd::setgroups(&groups) {
        // Where the namespace denies it (user_namespaces(7)), the launcher has refused groups by name.
        Err(nix::Error::EPERM) if groups.is_empty() && is_setgroups_denied() => Ok(()),
        set => set.map_err(|error| failed("groups", "process.user.additionalGids", error)),
    }?;
    let gid = Gid::from_raw(process.gid);
    nix::unistd::setresgid(gid, gid, gid).map_err(|error| failed("group", "process.user.gid", error))?;
    let uid = Uid::from_raw(process.uid);
    nix::unistd::setresuid(uid, uid, uid).map_err(|error| failed("user", "process.user.uid", error))
}

/// By the container's own procfs; without one it is not denied, and the error counts.
fn is_setgroups_denied() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|word| word.trim() == "deny")
}

/// Drops what the bounding set shall not have. Asking for a capability that this kernel does not know is an error, and
/// then there is nothing to drop.
fn drop_bounding(bounding: u64) -> Result<(), InitError> {
    for capability in caps::all() {
        let unwanted = bounding & capability.bitmask() == 0;
        if unwanted && caps::has_cap(None, CapSet::Bounding, capability).is_ok_and(|held| held) {
            caps::drop(None, CapSet::Bounding, capability).map_err(InitError::Capabilities)?;
        }
    }
    Ok(())
}

/// Ambient last: a capability can be ambient only while it is permitted and inheritable.
fn set_capabilities(sets: &Capabilities, kept: u64) -> Result<(), InitError> {
    // Inheritable before permitted: adding to it needs the capability to be permitted (or CAP_SETPCAP, effective still).
    set(CapSet::Inheritable, sets.inheritable)?;
    set(CapSet::Effective, sets.effective & sets.permitted)?;
    set(CapSet::Permitted, sets.permitted | kept)?;
    set(CapSet::Ambient, sets.ambient & sets.permitted & sets.inheritable)
}

fn set(kind: CapSet, bits: u64) -> Result<(), InitError> {
    caps::set(None, kind, &hash_set(bits)).map_err(InitError::Capabilities)
}

fn hash_set(bits: u64) -> caps::CapsHashSet {
    caps::all().into_iter().filter(|capability| bits & capability.bitmask() != 0).collect()
}

fn failed(what: &'static str, field: &'static str, error: nix::Error) -> InitError {
    InitError::Identity { what, field, source: error.into() }
}
