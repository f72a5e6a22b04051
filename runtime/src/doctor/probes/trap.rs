//! A filter that traps one harmless call, getppid(2), and lets every other pass.

use lazaret_profiles::bpf::{Insn, code};
use lazaret_profiles::syscalls;

use crate::doctor::answer::{Step as _, Want};

/// What the trapped call is made to return: no process has this parent.
pub(super) const VALUE: i32 = 0x1a2a_3e70;

/// Lets every call pass.
pub(super) const ALLOW: Insn = Insn { code: code::RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };

/// The filter that answers getppid(2) with `action`, one of `SECCOMP_RET_*`.
pub(super) fn program(action: u32) -> Result<[Insn; 4], Want> {
    let row = syscalls::by_name("getppid");
    let number = row.map(|row| row.number).ok_or_else(|| Want::Unknown("no number of getppid".to_owned()))?;
    Ok([
        Insn { code: code::LOAD_WORD, jt: 0, jf: 0, k: 0 },
        Insn { code: code::JUMP_EQUAL, jt: 0, jf: 1, k: number },
        Insn { code: code::RETURN, jt: 0, jf: 0, k: action },
        ALLOW,
    ])
}

/// Without it only CAP_SYS_ADMIN may install filters.
pub(super) fn without_new_privileges() -> Result<(), Want> {
    rustix::thread::set_no_new_privs(true).asked("no_new_privs")
}

/// Makes the trapped call.
pub(super) fn spring() -> i32 {
    nix::unistd::getppid().as_raw()
}
