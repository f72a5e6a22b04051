//! The daemon's side of the launcher's socket: requests go out with a ticket, answers come back to who asked.
//!
//! Used by `tasks`. A request whose asker has gone away is still carried out; its answer is dropped.

use std::collections::HashMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::sync::oneshot;

use super::{Call, Failure, FromLauncher, Outcome, Request, packet};
use crate::error::ShimError;

type Answer = (Result<Outcome, Failure>, Vec<OwnedFd>);

/// A handle on the launcher.
#[derive(Debug)]
pub(crate) struct Launcher {
    socket: Arc<UnixDatagram>,
    waiting: Arc<Waiting>,
    tickets: AtomicU64,
}

/// Who waits for an answer; `None` once the launcher is gone.
#[derive(Debug)]
struct Waiting(Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Answer>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Launcher {
    /// Takes the daemon's end of the socket and reads it in the background.
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking or registered.
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        // A packet socket is near enough to a datagram socket for the event loop; only the descriptor is used.
        let socket = std::os::unix::net::UnixDatagram::from(socket);
        socket.set_nonblocking(true)?;
        let socket = Arc::new(UnixDatagram::from_std(socket)?);
        let waiting = Arc::new(Waiting(Mutex::new(Some(HashMap::new()))));
        tokio::spawn(read(Arc::clone(&socket), Arc::clone(&waiting)));
        Ok(Self { socket, waiting, tickets: AtomicU64::new(0) })
    }

    /// The launcher process has ended: everybody who waits gets an error, now and from now on. Its socket alone does
    /// not tell, because the monitors that it forked hold copies of its end.
    pub(crate) fn has_ended(&self) {
        *self.waiting.lock() = None;
    }

    /// Asks for `call` and waits for what comes of it.
    ///
    /// # Errors
    /// What the runtime says, or [`ShimError::Launcher`].
    pub(crate) async fn call(
        &self,
        call: Call,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Outcome, Vec<OwnedFd>), ShimError> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        match &mut *self.waiting.lock() {
            Some(waiting) => waiting.insert(ticket, sender),
            None => return Err(ShimError::Launcher(io::ErrorKind::BrokenPipe.into())),
        };
        let request = Request { ticket, call };
        let sent =
            self.socket.async_io(Interest::WRITABLE, || packet::send(&*self.socket, &request, descriptors)).await;
        if let Err(error) = sent {
            self.waiting.lock().as_mut().and_then(|waiting| waiting.remove(&ticket));
            return Err(ShimError::Launcher(error));
        }
        let gone = |_closed| ShimError::Launcher(io::ErrorKind::BrokenPipe.into());
        let (result, descriptors) = receiver.await.map_err(gone)?;
        Ok((result?, descriptors))
    }
}

async fn read(socket: Arc<UnixDatagram>, waiting: Arc<Waiting>) {
    loop {
        let received = socket.async_io(Interest::READABLE, || packet::receive(&*socket)).await;
        match received {
            Ok((FromLauncher::Answer { ticket, result }, descriptors)) => {
                let asker = waiting.lock().as_mut().and_then(|waiting| waiting.remove(&ticket));
                if asker.is_none_or(|asker| asker.send((result, descriptors)).is_err()) {
                    tracing::warn!(ticket, "nobody waits for an answer of the launcher");
                }
            }
            Err(error) => {
                tracing::error!(error = %error, "the launcher's socket has failed; nothing can be created, started or deleted");
                // Dropping the senders answers everybody who waits.
                *waiting.lock() = None;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::launcher::FailureKind;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn answers_reach_who_asked_in_whatever_order_they_come() {
        runtime().block_on(async {
            let (ours, theirs) = packet::pair().unwrap();
            let launcher = Launcher::new(ours).unwrap();
            let other_side = std::thread::spawn(move || {
                let requests: [Request; 2] = std::array::from_fn(|_| packet::receive(&theirs).unwrap().0);
                for request in requests.into_iter().rev() {
                    let (pipe, _) = rustix::pipe::pipe().unwrap();
                    let failure = |id: String| Failure {
                        kind: FailureKind::Other,
                        code: 7,
                        exit_status: 125,
                        message: id,
                        hint: None,
                    };
                    let Call::Start { id } = request.call else { panic!("not asked for") };
                    let (result, along) = if id == "a" {
                        (Ok(Outcome::Born { pid: 4 }), Some(pipe.as_fd()))
                    } else {
                        (Err(failure(id)), None)
                    };
                    let answer = FromLauncher::Answer { ticket: request.ticket, result };
                    packet::send(&theirs, &answer, along.as_slice()).unwrap();
                }
            });
            let (first, second) = tokio::join!(
                launcher.call(Call::Start { id: "a".into() }, &[]),
                launcher.call(Call::Start { id: "b".into() }, &[]),
            );
            let (outcome, descriptors) = first.unwrap();
            assert!(matches!(outcome, Outcome::Born { pid: 4 }));
            assert_eq!(descriptors.len(), 1);
            assert!(matches!(second, Err(ShimError::Runtime(failure)) if failure.message == "b"));
            other_side.join().unwrap();
        });
    }

    #[test]
    fn a_launcher_that_dies_answers_everybody() {
        runtime().block_on(async {
            let (ours, theirs) = packet::pair().unwrap();
            let launcher = Launcher::new(ours).unwrap();
            let other_side = std::thread::spawn(move || drop(packet::receive::<Request>(&theirs).unwrap()));
            assert!(matches!(launcher.call(Call::Start { id: "a".into() }, &[]).await, Err(ShimError::Launcher(_))));
            other_side.join().unwrap();
            assert!(matches!(launcher.call(Call::Start { id: "a".into() }, &[]).await, Err(ShimError::Launcher(_))));
        });
    }
}
