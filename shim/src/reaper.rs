//! Exits: the daemon is a child subreaper, so the first process of every container becomes its child, and so does
//! every process that outlives its parent where a container has no PID namespace of its own.
//!
//! One place reaps, on SIGCHLD, and hands each exit to whoever watches that process. A container may end before its
//! create is answered, when nobody watches yet: while a create is under way the exits of unknown processes are kept.
//! Nothing else in the daemon may wait for children.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustix::process::{WaitOptions, WaitStatus};
use tokio::signal::unix::Signal;
use tokio::sync::watch;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Its exit status, or 128 + N after signal N.
    pub(crate) status: u32,
    /// When it was reaped.
    pub(crate) at: SystemTime,
}

/// The exit of one process, once there is one.
pub(crate) type Watch = watch::Receiver<Option<Exit>>;

/// Reaps the children of this process.
#[derive(Debug, Default)]
pub(crate) struct Reaper(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    watched: HashMap<i32, watch::Sender<Option<Exit>>>,
    early: HashMap<i32, Exit>,
    expecting: usize,
}

impl Reaper {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces a process whose id is not known yet: until the guard is dropped, exits of unknown processes are kept.
    pub(crate) fn expect(self: &Arc<Self>) -> Expecting {
        self.table().expecting += 1;
        Expecting(Arc::clone(self))
    }

    /// Reaps until told otherwise.
    pub(crate) async fn run(self: Arc<Self>, mut children: Signal) {
        self.sweep();
        while children.recv().await.is_some() {
            self.sweep();
        }
    }

    fn sweep(&self) {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.ended(pid.as_raw_nonzero().get(), exit_of(status)),
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn ended(&self, pid: i32, exit: Exit) {
        let mut table = self.table();
        if let Some(watcher) = table.watched.remove(&pid) {
            watcher.send_replace(Some(exit));
        } else if table.expecting > 0 {
            table.early.insert(pid, exit);
        } else {
            tracing::debug!(pid, status = exit.status, "an orphan has ended");
        }
    }
}

/// A create under way. Dropping it forgets the exits that nobody claimed, unless another create is under way.
#[derive(Debug)]
pub(crate) struct Expecting(Arc<Reaper>);

impl Expecting {
    /// The exit of `pid`, a child of this process that was made since the guard was.
    pub(crate) fn claim(&self, pid: i32) -> Watch {
        let mut table = self.0.table();
        let early = table.early.remove(&pid);
        let (sender, receiver) = watch::channel(early);
        if early.is_none() {
            table.watched.insert(pid, sender);
        }
        receiver
    }
}

impl Drop for Expecting {
    fn drop(&mut self) {
        let mut table = self.0.table();
        table.expecting = table.expecting.saturating_sub(1);
        if table.expecting == 0 {
            table.early.clear();
        }
    }
}

/// Waits for the exit behind `watch`.
pub(crate) async fn exit_of_watch(mut watch: Watch) -> Exit {
    match watch.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(exit)) => *exit,
        // The sender is dropped only after it has sent; if ever not, a killed process is the safe thing to say.
        Ok(None) | Err(_) => Exit { status: 128 + 9, at: SystemTime::now() },
    }
}

fn exit_of(status: WaitStatus) -> Exit {
    let number = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    Exit { status: number.and_then(|number| u32::try_from(number).ok()).unwrap_or(255), at: SystemTime::now() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(status: u32) -> Exit {
        Exit { status, at: SystemTime::UNIX_EPOCH }
    }

    #[test]
    fn an_exit_before_the_create_is_answered_is_not_lost() {
        let reaper = Arc::new(Reaper::default());
        let expecting = reaper.expect();
        reaper.ended(7, exit(3));
        assert_eq!(*expecting.claim(7).borrow(), Some(exit(3)));
    }

    #[test]
    fn an_exit_after_it_reaches_the_watcher() {
        let reaper = Arc::new(Reaper::default());
        let watch = reaper.expect().claim(7);
        assert_eq!(*watch.borrow(), None);
        reaper.ended(8, exit(1));
        assert_eq!(*watch.borrow(), None);
        reaper.ended(7, exit(137));
        assert_eq!(*watch.borrow(), Some(exit(137)));
    }

    #[test]
    fn orphans_are_forgotten_when_no_create_is_under_way() {
        let reaper = Arc::new(Reaper::default());
        let (first, second) = (reaper.expect(), reaper.expect());
        reaper.ended(7, exit(0));
        drop(first);
        assert_eq!(reaper.table().early.len(), 1);
        drop(second);
        assert!(reaper.table().early.is_empty());
        reaper.ended(9, exit(0));
        assert!(reaper.table().early.is_empty());
    }

    #[test]
    fn a_watch_whose_exit_came_before_the_wait_answers_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let reaper = Arc::new(Reaper::default());
        let watch = reaper.expect().claim(7);
        reaper.ended(7, exit(2));
        assert_eq!(runtime.block_on(exit_of_watch(watch)), exit(2));
    }
}
