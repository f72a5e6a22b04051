//! Filters and their listeners.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::mpsc;

use lazaret_sentry::probe::{self, Ability};

use super::trap::{self, ALLOW, VALUE};
use crate::doctor::answer::{Answer, Step as _, Want, effect};
use crate::sys;

/// A filter refuses a call.
pub(in super::super) fn filter(_is_root: bool) -> Answer {
    trap::without_new_privileges()?;
    let program = trap::program(libc::SECCOMP_RET_ERRNO | libc::EDOM.unsigned_abs())?;
    sys::seccomp::install(&program, 0).asked("seccomp(SECCOMP_SET_MODE_FILTER)")?;
    // The C library knows of no failure of getppid(2), and hands on -EDOM as it is.
    effect(trap::spring() < 0, "a filter was taken and refused nothing")?;
    Ok("refuses a call".to_owned())
}

/// The action by which foreign architectures and x32 end.
pub(in super::super) fn kill(_is_root: bool) -> Answer {
    sys::seccomp::has_action(libc::SECCOMP_RET_KILL_PROCESS).asked("SECCOMP_RET_KILL_PROCESS")?;
    Ok("kills the process".to_owned())
}

/// The flag without which a signal could run a handler of the sentry twice. An outer supervisor's listener (EBUSY) is told
/// apart: the kernel looks at the flags first.
pub(in super::super) fn killable_wait(_is_root: bool) -> Answer {
    trap::without_new_privileges()?;
    match sys::seccomp::install_with_listener(&[ALLOW]) {
        Ok(_listener) => Ok("a listener with SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV".to_owned()),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
            Ok("the kernel knows SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV".to_owned())
        }
        Err(error) => Err(error).asked("seccomp(NEW_LISTENER | WAIT_KILLABLE_RECV)"),
    }
}

/// A listener, and an answer through it.
pub(in super::super) fn notify(_is_root: bool) -> Answer {
    let value = supervise(Ability::Answer)?;
    effect(value == VALUE, "the trapped call did not return what it was answered with")?;
    Ok("a trapped call was answered".to_owned())
}

/// A descriptor in place of an answer.
pub(in super::super) fn inject(_is_root: bool) -> Answer {
    let descriptor = supervise(Ability::Inject)?;
    effect(u32::try_from(descriptor).is_ok_and(|number| number > 0), "the trapped call returned no descriptor")?;
    Ok("a descriptor was put into the caller".to_owned())
}

/// Waiter and waker on one processor.
pub(in super::super) fn synchronous_wake_up(_is_root: bool) -> Answer {
    let value = supervise(Ability::SynchronousWakeUp)?;
    effect(value == VALUE, "the trapped call did not return what it was answered with")?;
    Ok("SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP".to_owned())
}

/// Supervises a thread's call and returns what the thread got. The filter is the thread's alone, so this one stays free.
fn supervise(ability: Ability) -> Result<i32, Want> {
    trap::without_new_privileges()?;
    let program = trap::program(libc::SECCOMP_RET_USER_NOTIF)?;
    let (tell, told) = mpsc::channel::<std::io::Result<OwnedFd>>();
    let trapped = std::thread::Builder::new()
        .spawn(move || {
            let listener = sys::seccomp::install_with_listener(&program);
            let is_supervised = listener.is_ok();
            // Whoever does not listen any more has given up, and the process with it.
            let is_heard = tell.send(listener).is_ok();
            if is_supervised && is_heard { trap::spring() } else { 0 }
        })
        .prepared("a thread")?;
    let gone = || Want::Unknown("the supervised thread ended".to_owned());
    let listener = told.recv().map_err(|_gone| gone())?.asked("seccomp(NEW_LISTENER)")?;
    probe::converse(listener.as_fd(), ability, i64::from(VALUE)).asked(match ability {
        Ability::Answer => "answering a notification",
        Ability::Inject => "SECCOMP_IOCTL_NOTIF_ADDFD",
        Ability::SynchronousWakeUp => "SECCOMP_IOCTL_NOTIF_SET_FLAGS",
    })?;
    trapped.join().map_err(|_panic| gone())
}
