//! What a verdict may be founded on, and what it may be.
//!
//! A trapped call comes as [`Registers`]: the kernel's own copy, which nobody can change any more. Whoever wants to see
//! what they point to gives them up for [`Pointers`] ([`Registers::follow`]), and what is read through those the
//! workload may change again before the kernel looks. [`Continue`] can be made of `Registers` alone. So a handler that
//! has copied anything in cannot let the call through; it has nothing left to make that verdict of:
//!
//! ```compile_fail,E0382
//! use lazaret_sentry::verdict::{Continue, Registers, Verdict};
//!
//! fn handler(registers: Registers) -> Verdict {
//!     let pointers = registers.follow();
//!     let mut path = [0; 64];
//!     let looks_harmless = pointers.read(pointers.arguments()[0], &mut path).is_ok();
//!     assert!(looks_harmless);
//!     Verdict::Continue(Continue::on(registers, "it looked harmless"))
//! }
//! ```
//!
//! Nor can it be made by its field, or from a second set of registers:
//!
//! ```compile_fail,E0451
//! # use lazaret_sentry::verdict::{Continue, Verdict};
//! let verdict = Verdict::Continue(Continue { reason: "it looked harmless" });
//! ```
//!
//! ```compile_fail,E0624
//! # use lazaret_sentry::verdict::Registers;
//! let registers = Registers::trapped(1, 0, 0, [0; 6]);
//! ```
//!
//! A decision on the registers alone compiles:
//!
//! ```
//! use lazaret_sentry::verdict::{Continue, Registers, Verdict};
//!
//! fn handler(registers: Registers) -> Verdict {
//!     Verdict::Continue(Continue::on(registers, "the kernel decides this one by its number"))
//! }
//! ```
//!
//! Called by the interceptors, which make `Registers`, `copyin`, which follows them, and the handlers. Decides nothing.

use std::os::fd::OwnedFd;

use lazaret_profiles::class::Errno;
use rustix::io::Errno as IoErrno;

use crate::sys;

/// One trapped call as the kernel reports it. Neither copied nor cloned: see the module.
#[derive(Debug, PartialEq, Eq)]
pub struct Registers {
    pid: i32,
    outline: Outline,
}

/// What the registers say, to route and to name a call by. No verdict can be made of it, and nothing read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The number of the system call.
    pub(crate) number: u32,
    /// `AUDIT_ARCH_*` of the call.
    pub(crate) architecture: u32,
    /// The argument registers.
    pub(crate) arguments: [u64; 6],
}

impl Outline {
    /// For a request about whose memory nothing is known.
    pub(crate) fn blind(self) -> Pointers {
        Pointers { pid: None, outline: self }
    }
}

impl Registers {
    /// Of a call that thread `pid` makes. For the interceptors: what they got from the kernel.
    pub(crate) fn trapped(pid: i32, number: u32, architecture: u32, arguments: [u64; 6]) -> Self {
        Self { pid, outline: Outline { number, architecture, arguments } }
    }

    /// The number of the system call.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.outline.number
    }

    /// `AUDIT_ARCH_*` of the call.
    #[must_use]
    pub fn architecture(&self) -> u32 {
        self.outline.architecture
    }

    /// The argument registers.
    #[must_use]
    pub fn arguments(&self) -> &[u64; 6] {
        &self.outline.arguments
    }

    /// Gives the registers up for the right to read what they point to.
    #[must_use]
    pub fn follow(self) -> Pointers {
        Pointers { pid: Some(self.pid), outline: self.outline }
    }

    /// What they say.
    pub(crate) fn outline(&self) -> Outline {
        self.outline
    }
}

/// The registers of a call whose memory is being looked at. The only way to guest memory.
#[derive(Debug)]
pub struct Pointers {
    /// `None` for a look at nothing.
    pid: Option<i32>,
    outline: Outline,
}

impl Pointers {
    /// The number of the system call.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.outline.number
    }

    /// The argument registers.
    #[must_use]
    pub fn arguments(&self) -> &[u64; 6] {
        &self.outline.arguments
    }

    /// Whether nothing can be read through them.
    pub(crate) fn is_blind(&self) -> bool {
        self.pid.is_none()
    }

    /// Copies from `address` of the caller and returns how many bytes came; fewer when a page is missing.
    ///
    /// # Errors
    /// As process_vm_readv(2).
    pub fn read(&self, address: u64, into: &mut [u8]) -> Result<usize, IoErrno> {
        self.pid.map_or(Err(IoErrno::FAULT), |pid| sys::read_memory(pid, address, into))
    }
}

/// The answer to one call.
#[derive(Debug)]
pub enum Verdict {
    /// The call fails.
    Errno(Errno),
    /// The call returns this; its effect, if any, has been brought about by the sentry or the monitor.
    Value(i64),
    /// The call returns a new descriptor of the caller, for this file of ours.
    AddFd(Injection),
    /// The call fails, and the container is killed for it.
    Kill,
    /// The kernel runs the call as it stands.
    Continue(Continue),
}

/// `EIO`: whoever did the call answered with something that is no errno.
const EIO: Errno = Errno(5);

/// The largest errno of the kernel (`MAX_ERRNO` of `include/linux/err.h`).
const LAST_ERRNO: u16 = 4095;

impl Verdict {
    /// Of a call that was done for the caller with this outcome: 0, or an errno.
    pub(crate) fn done(errno: i32) -> Self {
        match u16::try_from(errno) {
            Ok(0) => Self::Value(0),
            Ok(errno) if errno <= LAST_ERRNO => Self::Errno(Errno(errno)),
            Ok(_) | Err(_) => Self::Errno(EIO),
        }
    }
}

/// A file that the caller is to have.
#[derive(Debug)]
pub struct Injection {
    /// Ours; closed once the caller has its own. Never one with `O_PATH`, which the kernel refuses (`EBADF`).
    pub file: OwnedFd,
    /// Whether the caller's is close-on-exec.
    pub is_close_on_exec: bool,
}

/// That a call may run, decided on registers alone.
#[derive(Debug, PartialEq, Eq)]
pub struct Continue {
    reason: &'static str,
}

impl Continue {
    /// Uses the registers up, so that the decision is made while nothing else has been looked at.
    #[must_use]
    pub fn on(_decided: Registers, reason: &'static str) -> Self {
        Self { reason }
    }

    /// Why, for the record.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_is_success() {
        assert!(matches!(Verdict::done(0), Verdict::Value(0)));
        assert!(matches!(Verdict::done(1), Verdict::Errno(Errno::EPERM)));
        for nonsense in [-1, i32::MIN, 4096, i32::MAX] {
            assert!(matches!(Verdict::done(nonsense), Verdict::Errno(EIO)));
        }
    }
}
