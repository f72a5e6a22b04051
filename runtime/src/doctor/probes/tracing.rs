//! Tracing, and reading another process's memory.

use std::os::fd::OwnedFd;

use lazaret_sentry::probe;

use super::child;
use super::trap::{self, VALUE};
use crate::doctor::answer::{Answer, Step as _, Want, effect};
use crate::doctor::settings;
use crate::sys;
use crate::sys::clone;

/// A call of a child answered by its tracer.
pub(in super::super) fn tracer(_is_root: bool) -> Answer {
    let program = trap::program(libc::SECCOMP_RET_TRACE)?;
    let (wait, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).prepared("a pipe")?;
    let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).prepared("a pipe")?;
    let pid = clone::fork_plainly(|| {
        child::bound_to_parent();
        let is_trapped = trap::without_new_privileges().is_ok() && sys::seccomp::install(&program, 0).is_ok();
        let is_traced = rustix::io::read(&wait, &mut [0_u8; 1]) == Ok(1);
        let answer: &[u8] = if is_trapped && is_traced && trap::spring() == VALUE { b"+" } else { b"-" };
        u8::from(rustix::io::write(&tell, answer).is_err())
    });
    let pid = pid.prepared("fork")?;
    drop(tell);
    let number = pid.as_raw_nonzero().get();
    let traced =
        probe::trace(number, i64::from(VALUE), || rustix::io::write(&go, b"+").map(|_one| ()).map_err(Into::into));
    if traced.is_err() {
        child::end(pid);
    }
    match (traced.asked("ptrace(PTRACE_SEIZE)"), settings::yama()) {
        (Ok(()), _) => {}
        (Err(Want::Gap(why)), Some(scope)) => return Err(Want::Gap(format!("{why} ({scope})"))),
        (Err(want), _) => return Err(want),
    }
    effect(heard(&told) == Some(b'+'), "a traced call did not return what it was answered with")?;
    Ok(settings::yama().unwrap_or_else(|| "a traced call was answered".to_owned()))
}

/// Memory of a child read, as arguments of a trapped call are.
pub(in super::super) fn memory(_is_root: bool) -> Answer {
    let text = *b"lazaret";
    let pid = child::idle()?;
    let mut copy = [0; 7];
    let address = u64::try_from(text.as_ptr().addr()).map_err(|_wide| Want::Unknown("an address".to_owned()))?;
    let read = probe::read_memory(pid.as_raw_nonzero().get(), address, &mut copy);
    child::end(pid);
    read.asked("process_vm_readv")?;
    effect(copy == text, "another process's memory reads otherwise than it is")?;
    Ok("process_vm_readv".to_owned())
}

fn heard(pipe: &OwnedFd) -> Option<u8> {
    let mut byte = [0; 1];
    (rustix::io::read(pipe, &mut byte) == Ok(1)).then_some(byte).map(|[byte]| byte)
}
