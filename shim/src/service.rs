//! The Task service: from containerd's messages to [`Tasks`] and back. It translates and decides nothing.
//!
//! The same service answers under both names that containerd uses, `containerd.task.v2.Task` and
//! `containerd.task.v3.Task`: their messages are identical.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use containerd_shim::protos::api;
use containerd_shim::protos::protobuf::MessageField;
use containerd_shim::protos::protobuf::well_known_types::any::Any;
use containerd_shim::protos::shim_async::{Task, create_task};
use containerd_shim::protos::ttrpc::Result as TtrpcResult;
use containerd_shim::protos::ttrpc::r#async::{Service as Methods, TtrpcContext};
use containerd_shim::protos::types::task::{ProcessInfo, Status};

use crate::container::Container;
use crate::error::ShimError;
use crate::io::Stdio;
use crate::options;
use crate::process::{Phase, Process};
use crate::reaper::Exit;
use crate::rootfs;
use crate::tasks::{NewTask, Tasks};

/// The name under which containerd 1.x, and 2.x after a plain address, calls the service.
const V2: &str = "containerd.task.v2.Task";
/// The name under which the generated code registers it.
const V3: &str = "containerd.task.v3.Task";

/// The service.
#[derive(Debug)]
pub(crate) struct Service {
    tasks: Arc<Tasks>,
}

impl Service {
    /// The service over `tasks`.
    pub(crate) fn new(tasks: Arc<Tasks>) -> Self {
        Self { tasks }
    }

    fn process(&self, id: &str, exec: &str) -> TtrpcResult<(Arc<Container>, Arc<Process>)> {
        let container = self.tasks.find(id).map_err(ShimError::into_status)?;
        let process = container.process(exec).map_err(ShimError::into_status)?;
        Ok((container, process))
    }

    /// Its methods under both names.
    pub(crate) fn methods(self) -> HashMap<String, Methods> {
        let service: Arc<dyn Task + Send + Sync> = Arc::new(self);
        let mut methods = create_task(Arc::clone(&service));
        if let Some(same) = create_task(service).remove(V3) {
            methods.insert(V2.to_owned(), same);
        }
        methods
    }
}

fn unimplemented<T>(what: &str) -> TtrpcResult<T> {
    Err(ShimError::Unimplemented(what.to_owned()).into_status())
}

fn exited_at(exit: Exit) -> MessageField<containerd_shim::protos::protobuf::well_known_types::timestamp::Timestamp> {
    Some(exit.at.into()).into()
}

#[async_trait]
impl Task for Service {
    async fn state(&self, _: &TtrpcContext, request: api::StateRequest) -> TtrpcResult<api::StateResponse> {
        let (container, process) = self.process(&request.id, &request.exec_id)?;
        let (status, exit) = match process.phase() {
            Phase::Stopped(exit) => (Status::STOPPED, Some(exit)),
            Phase::Created => (Status::CREATED, None),
            Phase::Running if self.tasks.is_paused(&request.id) => (Status::PAUSED, None),
            Phase::Running => (Status::RUNNING, None),
        };
        let stdio = process.stdio.clone();
        Ok(api::StateResponse {
            id: container.id.clone(),
            exec_id: request.exec_id,
            bundle: container.bundle.display().to_string(),
            pid: process.pid(),
            status: status.into(),
            stdin: stdio.stdin,
            stdout: stdio.stdout,
            stderr: stdio.stderr,
            terminal: stdio.terminal,
            exit_status: exit.map_or(0, |exit| exit.status),
            exited_at: exit.map(exited_at).unwrap_or_default(),
            ..api::StateResponse::default()
        })
    }

    async fn create(&self, _: &TtrpcContext, request: api::CreateTaskRequest) -> TtrpcResult<api::CreateTaskResponse> {
        if !request.checkpoint.is_empty() {
            return unimplemented("restoring a checkpoint");
        }
        let options = options::check_options(request.options.as_ref()).map_err(ShimError::into_status)?;
        let new = NewTask {
            options,
            id: request.id,
            bundle: PathBuf::from(request.bundle),
            rootfs: rootfs::from_mounts(&request.rootfs).map_err(ShimError::into_status)?,
            mounts: request.rootfs,
            stdio: Stdio {
                stdin: request.stdin,
                stdout: request.stdout,
                stderr: request.stderr,
                terminal: request.terminal,
            },
        };
        let pid = self.tasks.create(new).await.map_err(ShimError::into_status)?;
        Ok(api::CreateTaskResponse { pid, ..api::CreateTaskResponse::default() })
    }

    async fn start(&self, _: &TtrpcContext, request: api::StartRequest) -> TtrpcResult<api::StartResponse> {
        let pid = self.tasks.start(&request.id, &request.exec_id).await.map_err(ShimError::into_status)?;
        Ok(api::StartResponse { pid, ..api::StartResponse::default() })
    }

    async fn delete(&self, _: &TtrpcContext, request: api::DeleteRequest) -> TtrpcResult<api::DeleteResponse> {
        let (pid, exit) = self.tasks.delete(&request.id, &request.exec_id).await.map_err(ShimError::into_status)?;
        Ok(api::DeleteResponse {
            pid,
            exit_status: exit.status,
            exited_at: exited_at(exit),
            ..api::DeleteResponse::default()
        })
    }

    async fn pids(&self, _: &TtrpcContext, request: api::PidsRequest) -> TtrpcResult<api::PidsResponse> {
        let pids = self.tasks.pids(&request.id).map_err(ShimError::into_status)?;
        let processes = pids.into_iter().map(|(pid, exec)| ProcessInfo {
            pid,
            info: exec.map(|exec| details(&exec)).into(),
            ..ProcessInfo::default()
        });
        let processes = processes.collect();
        Ok(api::PidsResponse { processes, ..api::PidsResponse::default() })
    }

    async fn kill(&self, _: &TtrpcContext, request: api::KillRequest) -> TtrpcResult<api::Empty> {
        self.tasks
            .kill(&request.id, &request.exec_id, request.signal, request.all)
            .await
            .map_err(ShimError::into_status)?;
        Ok(api::Empty::new())
    }

    async fn close_io(&self, _: &TtrpcContext, request: api::CloseIORequest) -> TtrpcResult<api::Empty> {
        let (_, process) = self.process(&request.id, &request.exec_id)?;
        if request.stdin
            && let Some(alive) = process.alive()
        {
            alive.streams.close_input();
        }
        Ok(api::Empty::new())
    }

    async fn wait(&self, _: &TtrpcContext, request: api::WaitRequest) -> TtrpcResult<api::WaitResponse> {
        let (_, process) = self.process(&request.id, &request.exec_id)?;
        let exit = process.stop().await;
        Ok(api::WaitResponse { exit_status: exit.status, exited_at: exited_at(exit), ..api::WaitResponse::default() })
    }

    async fn stats(&self, _: &TtrpcContext, request: api::StatsRequest) -> TtrpcResult<api::StatsResponse> {
        let stats = self.tasks.stats(&request.id).map_err(ShimError::into_status)?;
        Ok(api::StatsResponse { stats: Some(stats).into(), ..api::StatsResponse::default() })
    }

    async fn connect(&self, _: &TtrpcContext, request: api::ConnectRequest) -> TtrpcResult<api::ConnectResponse> {
        let container = self.tasks.find(&request.id).map_err(ShimError::into_status)?;
        Ok(api::ConnectResponse {
            shim_pid: std::process::id(),
            task_pid: container.init.pid(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..api::ConnectResponse::default()
        })
    }

    async fn shutdown(&self, _: &TtrpcContext, _: api::ShutdownRequest) -> TtrpcResult<api::Empty> {
        self.tasks.shut_down();
        Ok(api::Empty::new())
    }

    async fn pause(&self, _: &TtrpcContext, request: api::PauseRequest) -> TtrpcResult<api::Empty> {
        self.tasks.pause(&request.id).await.map_err(ShimError::into_status)?;
        Ok(api::Empty::new())
    }

    async fn resume(&self, _: &TtrpcContext, request: api::ResumeRequest) -> TtrpcResult<api::Empty> {
        self.tasks.resume(&request.id).await.map_err(ShimError::into_status)?;
        Ok(api::Empty::new())
    }

    async fn checkpoint(&self, _: &TtrpcContext, _: api::CheckpointTaskRequest) -> TtrpcResult<api::Empty> {
        unimplemented("checkpoint")
    }

    async fn exec(&self, _: &TtrpcContext, request: api::ExecProcessRequest) -> TtrpcResult<api::Empty> {
        let spec = json("spec", request.spec.as_ref()).map_err(ShimError::into_status)?;
        let stdio =
            Stdio { stdin: request.stdin, stdout: request.stdout, stderr: request.stderr, terminal: request.terminal };
        self.tasks.add(&request.id, &request.exec_id, spec, stdio).map_err(ShimError::into_status)?;
        Ok(api::Empty::new())
    }

    async fn resize_pty(&self, _: &TtrpcContext, request: api::ResizePtyRequest) -> TtrpcResult<api::Empty> {
        let size = (request.width, request.height);
        self.tasks.resize(&request.id, &request.exec_id, size).map_err(ShimError::into_status)?;
        Ok(api::Empty::new())
    }

    async fn update(&self, _: &TtrpcContext, request: api::UpdateTaskRequest) -> TtrpcResult<api::Empty> {
        let resources = json("resources", request.resources.as_ref()).map_err(ShimError::into_status)?;
        self.tasks.update(&request.id, resources).await.map_err(ShimError::into_status)?;
        Ok(api::Empty::new())
    }
}

/// The text of an `Any` that holds JSON: containerd's typeurl encodes the types of the runtime specification so.
fn json(field: &'static str, any: Option<&Any>) -> Result<String, ShimError> {
    let invalid = |value: &str, why| ShimError::Invalid { field, value: value.to_owned(), why };
    let any = any.ok_or_else(|| invalid("", "is missing"))?;
    String::from_utf8(any.value.clone()).map_err(|_not_text| invalid(&any.type_url, "is not JSON"))
}

/// `containerd.runc.v1.ProcessDetails`, by which clients tell added processes: one string, its field 1.
fn details(exec: &str) -> Any {
    let mut value = vec![0x0a];
    let mut length = exec.len();
    while length > 0x7f {
        value.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    value.push(u8::try_from(length).unwrap_or_default());
    value.extend_from_slice(exec.as_bytes());
    Any { type_url: "containerd.runc.v1.ProcessDetails".to_owned(), value, ..Any::default() }
}
