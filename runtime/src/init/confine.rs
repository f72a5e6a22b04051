//! The layers around the workload that the kernel enforces: no_new_privs, AppArmor, seccomp. Landlock is in `domain`.

use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use super::error::InitError;
use super::inside;
use super::orders::{Confinement, Filter};
use crate::channel::{self, FromInit};
use crate::spec::container::Seccomp;
use crate::sys;

/// Sets no_new_privs: no set-user-id program and no file capability gives rights from here on.
pub(super) fn no_new_privileges() -> Result<(), InitError> {
    rustix::thread::set_no_new_privs(true).map_err(|error| InitError::Identity {
        what: "no_new_privs",
        field: "process.noNewPrivileges",
        source: error.into(),
    })
}

/// Asks for an AppArmor profile at the next exec. What is written to must be procfs itself: an image may have put a
/// file of its own there, and the request would vanish in it (CVE-2019-16884).
pub(super) fn apparmor_on_exec(profile: &CStr) -> Result<(), InitError> {
    let path = "/proc/thread-self/attr/apparmor/exec";
    let written = || -> io::Result<()> {
        let file = rustix::fs::open(
            path,
            OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        inside::require_procfs(&file)?;
        let request = [b"exec ", profile.to_bytes()].concat();
        rustix::io::write(&file, &request)?;
        Ok(())
    };
    written().map_err(|source| InitError::Identity {
        what: "AppArmor profile",
        field: "process.apparmorProfile",
        source,
    })
}

/// Installs the mode's filter and returns its listener, for the sentry. Without one, `await_tracer` says whether the
/// sentry traces this process; if it does not, the filter refuses by itself.
pub(super) fn filter(
    filter: &Filter,
    await_tracer: impl FnOnce() -> Result<bool, InitError>,
) -> Result<Option<OwnedFd>, InitError> {
    let failed = |source| InitError::Seccomp { which: "sandbox", source };
    let busy = || failed(io::Error::from_raw_os_error(libc::EBUSY));
    match filter.listened.as_deref().map(sys::seccomp::install_with_listener) {
        Some(Ok(listener)) => return Ok(Some(listener)),
        Some(Err(error)) if error.raw_os_error() != Some(libc::EBUSY) => return Err(failed(error)),
        Some(Err(_)) | None => {}
    }
    let traced = filter.traced.as_deref().ok_or_else(busy)?;
    let program = if await_tracer()? { traced } else { filter.unwitnessed.as_deref().ok_or_else(busy)? };
    sys::seccomp::install(program, 0).map_err(failed)?;
    Ok(None)
}

/// Installs the bundle's own profile. On top of the mode's filter it can only tighten: the kernel takes the stricter
/// answer of all filters. The listener of one with an agent goes to the launcher over `channel`.
pub(super) fn oci_profile(profile: &Seccomp, channel: &OwnedFd) -> Result<(), InitError> {
    let failed = |source| InitError::Seccomp { which: "bundle's (linux.seccomp)", source };
    if profile.agent.is_none() {
        return sys::seccomp::install(&profile.program, profile.flags).map_err(failed);
    }
    let messenger = Messenger::new(channel).map_err(InitError::Agent)?;
    let listener = sys::seccomp::install_for_agent(&profile.program, profile.flags).map_err(failed)?;
    messenger.hand_over(listener);
    Ok(())
}

/// How often the messenger looks whether there is a listener.
const STEP: Duration = Duration::from_micros(100);

/// A thread that hands a listener over, because the filter that it belongs to may hold up every call of the thread that
/// has installed it until the agent answers, which does not have the listener yet. It stands outside the filter, and
/// learns of the listener without a system call of the other thread.
struct Messenger {
    slot: Arc<OnceLock<OwnedFd>>,
}

impl Messenger {
    fn new(channel: &OwnedFd) -> io::Result<Self> {
        let (slot, channel) = (Arc::new(OnceLock::new()), channel.try_clone()?);
        let theirs = Arc::clone(&slot);
        std::thread::Builder::new().spawn(move || {
            // Ours alone means that no listener will come.
            while Arc::strong_count(&theirs) > 1 || theirs.get().is_some() {
                if let Some(listener) = theirs.get() {
                    // A launcher that is gone needs none; the calls then get ENOSYS, as the last copy is closed here.
                    let told = channel::send(&channel, &FromInit::Listening, Some(listener));
                    return told.is_ok();
                }
                std::thread::sleep(STEP);
            }
            false
        })?;
        Ok(Self { slot })
    }

    fn hand_over(self, listener: OwnedFd) {
        // It is empty: this is the only one who fills it.
        if let Err(second) = self.slot.set(listener) {
            drop(second);
        }
    }
}

/// What every process of the container has: its execution domain and where its memory comes from. Before any filter,
/// which may refuse these calls.
pub(super) fn kernel_view(confinement: &Confinement) -> Result<(), InitError> {
    if let Some(personality) = confinement.personality {
        sys::task::set_personality(personality.number()).map_err(|source| InitError::Identity {
            what: "execution domain",
            field: "linux.personality",
            source,
        })?;
    }
    if let Some(policy) = &confinement.memory_policy {
        sys::task::set_memory_policy(policy.mode, &policy.nodes).map_err(|source| InitError::Identity {
            what: "memory policy",
            field: "linux.memoryPolicy",
            source,
        })?;
    }
    Ok(())
}
