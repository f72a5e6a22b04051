//! Want of memory: containerd is told when the kernel kills a process of a task for it. The CRI makes `OOMKilled` of that,
//! if it comes before the exit.
//!
//! Used by `tasks`, one [`Memory`] a task.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use crate::container::Container;
use crate::events::Events;
use crate::happening::Happening;
use crate::launcher::OomWatch;

/// Between two looks. On cgroup v1 the alarm comes before the kernel has killed; on v2 also for what only comes near
/// the limit, in a storm.
const PAUSE: Duration = Duration::from_millis(100);

/// The watch over the memory of one task.
#[derive(Debug)]
pub(crate) struct Memory {
    count: Arc<Count>,
    alarmed: JoinHandle<()>,
}

#[derive(Debug)]
struct Count {
    id: String,
    watch: OomWatch,
    told: AtomicU64,
    events: Events,
}

impl Count {
    /// Tells of kills that nobody was told of.
    fn look(&self) {
        let Some(kills) = self.watch.kills() else { return };
        if self.told.swap(kills, Ordering::Relaxed) < kills {
            self.events.publish(Happening::OutOfMemory { id: self.id.clone() });
        }
    }
}

impl Memory {
    /// Begins to watch a task that was created, in the runtime's state directory `root`. `None` where it is in no memory
    /// cgroup, or cannot be watched, which is logged: a task runs without this.
    pub(crate) fn watch(root: &Path, container: &Arc<Container>, events: &Events) -> Option<Self> {
        let id = container.id.clone();
        let watch = OomWatch::of(root, &id).unwrap_or_else(|failure| {
            tracing::warn!(container = id, error = %failure, "a container is not watched for want of memory");
            None
        })?;
        let alarm = watch.as_fd().try_clone_to_owned().and_then(in_event_loop);
        let told = AtomicU64::new(watch.kills().unwrap_or(0));
        let count = Arc::new(Count { id, watch, told, events: events.clone() });
        let alarmed = match alarm {
            Ok(alarm) => tokio::spawn(look_when_alarmed(alarm, Arc::clone(&count), Arc::clone(container))),
            Err(error) => {
                tracing::warn!(error = %error, "want of memory is told at the end only");
                tokio::spawn(std::future::ready(()))
            }
        };
        Some(Self { count, alarmed })
    }

    /// The last look, when its first process has ended.
    pub(crate) fn end(self) {
        self.alarmed.abort();
        self.count.look();
    }
}

fn in_event_loop(alarm: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    #[expect(deprecated, reason = "it owns its descriptor for as long as it lives; the new form needs unsafe")]
    AsyncFd::with_interest(alarm, Interest::READABLE)
}

async fn look_when_alarmed(alarm: AsyncFd<OwnedFd>, count: Arc<Count>, container: Arc<Container>) {
    while let Ok(mut ready) = alarm.readable().await {
        // What it says does not matter; all of it has to go.
        while matches!(rustix::io::read(&alarm, &mut [0_u8; 4096]), Ok(length) if length > 0) {}
        ready.clear_ready();
        {
            // Not before a start that is under way is told.
            let _turn = container.init.turn.lock().await;
            count.look();
        }
        tokio::time::sleep(PAUSE).await;
        count.look();
    }
}
