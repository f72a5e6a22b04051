//! Events to containerd, in the order in which they happened.
//!
//! Used by `tasks`. One queue, one sender: an event that cannot be delivered, because containerd restarts, is tried
//! again until it is, and those behind it wait. (The publisher of containerd-shim puts a failed event at the end of
//! its queue, which breaks the order create, start, exit, delete that containerd requires.)

use std::time::{Duration, SystemTime};

use containerd_shim::protos::events::task::{
    TaskCreate, TaskDelete, TaskExecAdded, TaskExecStarted, TaskExit, TaskIO, TaskOOM, TaskPaused, TaskResumed,
    TaskStart,
};
use containerd_shim::protos::protobuf::{Error, well_known_types::any::Any};
use containerd_shim::protos::shim::event::Envelope;
use containerd_shim::protos::shim::events::ForwardRequest;
use containerd_shim::protos::shim_async::{Client, EventsClient};
use containerd_shim::protos::types::mount::Mount;
use containerd_shim::protos::{topics, ttrpc};
use tokio::sync::mpsc;

use crate::happening::Happening;
use crate::io::Stdio;
use crate::reaper::Exit;
use crate::typeurl::any;

/// Events that may wait while containerd is away: a pod makes some ten in its life.
const QUEUE: usize = 4096;
/// How long containerd may take to take one event.
const PATIENCE: Duration = Duration::from_secs(5);
/// First pause before an event is tried again; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Where events go in. When it is dropped the sender ends after the last event.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    queue: mpsc::Sender<Envelope>,
    namespace: String,
}

impl Events {
    /// Starts the sender to `address`, containerd's ttrpc socket. Its task ends when every handle is dropped and the
    /// queue is empty.
    pub(crate) fn new(address: &str, namespace: &str) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let address = if address.contains("://") { address.to_owned() } else { format!("unix://{address}") };
        let sender = tokio::spawn(send_all(address, receiver));
        (Self { queue, namespace: namespace.to_owned() }, sender)
    }

    /// containerd's namespace that they happen in.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Puts an event into the queue. Never blocks; an event too many is dropped and logged.
    pub(crate) fn publish(&self, happening: Happening) {
        let envelope = envelope(happening, &self.namespace);
        let topic = envelope.as_ref().map(|envelope| envelope.topic.clone()).unwrap_or_default();
        match envelope.map(|envelope| self.queue.try_send(envelope)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(error = %error, topic, "an event is lost: the queue is full"),
            Err(error) => tracing::error!(error = %error, "an event is lost: it cannot be encoded"),
        }
    }
}

async fn send_all(address: String, mut receiver: mpsc::Receiver<Envelope>) {
    let mut connection = None;
    while let Some(envelope) = receiver.recv().await {
        let mut request = ForwardRequest::new();
        request.envelope = Some(envelope).into();
        let mut pause = FIRST_PAUSE;
        while !send_one(&address, &mut connection, &request).await {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Tries once; `true` when the event is done with.
async fn send_one(address: &str, connection: &mut Option<EventsClient>, request: &ForwardRequest) -> bool {
    if connection.is_none() {
        match Client::connect(address).await {
            Ok(client) => *connection = Some(EventsClient::new(client)),
            Err(error) => tracing::warn!(error = %error, "cannot reach containerd to publish an event"),
        }
    }
    let Some(client) = connection else { return false };
    match client.forward(ttrpc::context::with_duration(PATIENCE), request).await {
        Ok(_empty) => true,
        Err(ttrpc::Error::RpcStatus(status)) if status.code() != ttrpc::Code::DEADLINE_EXCEEDED => {
            tracing::error!(status = status.message(), topic = request.envelope.topic, "containerd refuses an event");
            true
        }
        Err(error) => {
            tracing::warn!(error = %error, topic = request.envelope.topic, "an event is to be sent again");
            *connection = None;
            false
        }
    }
}

fn envelope(happening: Happening, namespace: &str) -> Result<Envelope, Error> {
    let (topic, event) = event(happening)?;
    Ok(Envelope {
        timestamp: Some(SystemTime::now().into()).into(),
        namespace: namespace.to_owned(),
        topic: topic.to_owned(),
        event: Some(event).into(),
        ..Envelope::default()
    })
}

/// The topic and the message of a happening.
fn event(happening: Happening) -> Result<(&'static str, Any), Error> {
    match happening {
        Happening::Created { id, bundle, mounts, stdio, pid } => created((id, bundle), mounts, stdio, pid),
        Happening::Started { id, pid } => {
            let event = TaskStart { container_id: id, pid, ..TaskStart::default() };
            Ok((topics::TASK_START_EVENT_TOPIC, any(&event)?))
        }
        Happening::ExecAdded { id, exec } => {
            let event = TaskExecAdded { container_id: id, exec_id: exec, ..TaskExecAdded::default() };
            Ok((topics::TASK_EXEC_ADDED_EVENT_TOPIC, any(&event)?))
        }
        Happening::ExecStarted { id, exec, pid } => {
            let event = TaskExecStarted { container_id: id, exec_id: exec, pid, ..TaskExecStarted::default() };
            Ok((topics::TASK_EXEC_STARTED_EVENT_TOPIC, any(&event)?))
        }
        Happening::OutOfMemory { id } => {
            let event = TaskOOM { container_id: id, ..TaskOOM::default() };
            Ok((topics::TASK_OOM_EVENT_TOPIC, any(&event)?))
        }
        Happening::Paused { id } => {
            let event = TaskPaused { container_id: id, ..TaskPaused::default() };
            Ok((topics::TASK_PAUSED_EVENT_TOPIC, any(&event)?))
        }
        Happening::Resumed { id } => {
            let event = TaskResumed { container_id: id, ..TaskResumed::default() };
            Ok((topics::TASK_RESUMED_EVENT_TOPIC, any(&event)?))
        }
        Happening::Exited { id, process, pid, exit } => exited((id, process), pid, exit),
        Happening::Deleted { id, pid, exit } => deleted(id, pid, exit),
    }
}

fn created(
    (id, bundle): (String, String),
    mounts: Vec<Mount>,
    stdio: Stdio,
    pid: u32,
) -> Result<(&'static str, Any), Error> {
    let Stdio { stdin, stdout, stderr, terminal } = stdio;
    let io = TaskIO { stdin, stdout, stderr, terminal, ..TaskIO::default() };
    let event =
        TaskCreate { container_id: id, bundle, rootfs: mounts, io: Some(io).into(), pid, ..TaskCreate::default() };
    Ok((topics::TASK_CREATE_EVENT_TOPIC, any(&event)?))
}

fn exited((task, process): (String, String), pid: u32, exit: Exit) -> Result<(&'static str, Any), Error> {
    let event = TaskExit {
        container_id: task,
        id: process,
        pid,
        exit_status: exit.status,
        exited_at: Some(exit.at.into()).into(),
        ..TaskExit::default()
    };
    Ok((topics::TASK_EXIT_EVENT_TOPIC, any(&event)?))
}

fn deleted(id: String, pid: u32, exit: Exit) -> Result<(&'static str, Any), Error> {
    let event = TaskDelete {
        container_id: id,
        pid,
        exit_status: exit.status,
        exited_at: Some(exit.at.into()).into(),
        ..TaskDelete::default()
    };
    Ok((topics::TASK_DELETE_EVENT_TOPIC, any(&event)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::sync::{Arc, Mutex};

    use containerd_shim::protos::api::Empty;
    use containerd_shim::protos::shim_async::create_events;
    use containerd_shim::protos::ttrpc::r#async::{Server, TtrpcContext};

    use super::*;

    struct Containerd(Arc<Mutex<Vec<String>>>);

    #[async_trait::async_trait]
    impl containerd_shim::protos::shim_async::Events for Containerd {
        async fn forward(&self, _context: &TtrpcContext, request: ForwardRequest) -> ttrpc::Result<Empty> {
            self.0.lock().unwrap().push(format!("{} {}", request.envelope.namespace, request.envelope.topic));
            Ok(Empty::new())
        }
    }

    #[test]
    fn events_wait_for_containerd_and_keep_their_order() {
        let directory = std::env::temp_dir().join(format!("lazaret-shim-events-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let socket = directory.join("ttrpc.sock");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (events, sender) = Events::new(socket.to_str().unwrap(), "ns");
            let exit = Exit { status: 0, at: SystemTime::UNIX_EPOCH };
            events.publish(Happening::Started { id: "a".into(), pid: 1 });
            events.publish(Happening::Exited { id: "a".into(), process: "a".into(), pid: 1, exit });
            tokio::task::yield_now().await;
            events.publish(Happening::Deleted { id: "a".into(), pid: 1, exit });
            drop(events);
            let listener = UnixListener::bind(&socket).unwrap();
            listener.set_nonblocking(true).unwrap();
            let mut server = Server::new()
                .add_listener(listener.try_into().unwrap())
                .register_service(create_events(Arc::new(Containerd(Arc::clone(&seen)))));
            server.start().await.unwrap();
            sender.await.unwrap();
        });
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(*seen.lock().unwrap(), ["ns /tasks/start", "ns /tasks/exit", "ns /tasks/delete"]);
    }

    #[test]
    fn type_urls_are_bare_names() {
        let happening = Happening::Started { id: "a".into(), pid: 1 };
        assert_eq!(envelope(happening, "ns").unwrap().event.type_url, "containerd.events.TaskStart");
    }
}
