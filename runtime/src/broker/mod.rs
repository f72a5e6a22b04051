//! Mounts for a workload that may have them: the life of one worker, from the order to the answer.
//!
//! `watch` forks the worker; nothing here runs in the monitor itself. The worker enters the container and does there what the
//! order says, with the rights that the caller has over its files and the one right to mount, over the container's own
//! namespaces. It follows paths as the caller does, once, and works on what it has opened. One worker of a container is
//! at work at a time (`ledger`), so that nothing is mounted or unmounted between a look at the mount table and an act.
//! The order is alleged, and so is the caller: both are checked here again.

mod attach;
mod bind;
mod caller;
mod inside;
mod ledger;
mod make;
mod restrict;
mod table;
mod unmount;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use lazaret_sentry::handoff::Answer;
use lazaret_sentry::nested::{Order, Refusal};
use rustix::process::DumpableBehavior;

use crate::worker;
use caller::Caller;
use inside::Inside;
use ledger::Ledger;

/// Why an order is not carried out.
#[derive(Debug)]
enum Denied {
    /// The kernel, or what stands for it, said so.
    Errno(i32),
    /// We did.
    Refused(Refusal),
}

impl From<io::Error> for Denied {
    fn from(error: io::Error) -> Self {
        Self::Errno(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl From<rustix::io::Errno> for Denied {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Errno(error.raw_os_error())
    }
}

impl From<nix::Error> for Denied {
    fn from(error: nix::Error) -> Self {
        io::Error::from(error).into()
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Carries an order out for the thread `pid` in the container of the process behind `init`, whose state stands in
/// `directory`. To be called in a process of its own, with the host's rights, which it gives up.
pub(crate) fn carry_out(init: BorrowedFd<'_>, directory: &Path, pid: i32, order: &Order) -> Answer {
    match steps(init, directory, pid, order) {
        Ok(()) => Answer::Errno(0),
        Err(Denied::Errno(errno)) => Answer::Errno(errno),
        Err(Denied::Refused(refusal)) => Answer::Refused(refusal),
    }
}

fn steps(init: BorrowedFd<'_>, directory: &Path, pid: i32, order: &Order) -> Result<(), Denied> {
    if !order.is_admissible() {
        return Err(Refusal::Option.into());
    }
    let (us, own_proc) = (rustix::process::getppid(), Inside::own_proc()?);
    // The container's root may not look into this process, which has a copy of the monitor's memory.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let ledger = Ledger::open(directory)?;
    let namespaces = inside::Namespaces::of(init)?;
    let caller = Caller::open(pid, &namespaces)?;
    let made = make::before_entering(order, &namespaces)?;
    // A process that was made for it and has not ended would hold the lock too.
    let mut ledger = ledger.lock()?;
    let inside = Inside::enter(&namespaces, own_proc, made.is_some())?;
    // Changes of credentials have taken it back.
    if let Some(us) = us {
        worker::die_with(us)?;
    }
    caller.may_mount()?;
    let table = inside.table()?;
    ledger.forget_all_but(&table)?;
    match order {
        Order::Make { .. } => make::make(order, made, &inside, &caller, &table, &mut ledger),
        Order::Bind { source, target } => bind::bind((source, target), &inside, &caller, &table, &mut ledger),
        Order::Restrict { target, flags, unchanged } => {
            restrict::restrict(target, *flags, unchanged, (&inside, &caller, &table))
        }
        Order::Separate { target, slave, recursive } => {
            restrict::separate(target, *slave, *recursive, (&inside, &caller))
        }
        Order::Unmount { target, detach, follow } => {
            unmount::unmount((target, *follow), *detach, &inside, &caller, &table, &mut ledger)
        }
    }
}
