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
use containerd_shim::protos::shim_async::{Task, create_task};
use containerd_shim::protos::ttrpc::Result as TtrpcResult;
use containerd_shim::protos::ttrpc::r#async::{Service as Methods, TtrpcContext};
use containerd_shim::protos::types::task::{ProcessInfo, Status};

use crate::bootstrap;
use crate::container::Phase;
use crate::error::ShimError;
use crate::io::Stdio;
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

/// A request to a task's first process; exec processes do not exist yet.
fn init_only(task: &str, process: &str) -> Result<(), ShimError> {
    if process.is_empty() {
        return Ok(());
    }
    Err(ShimError::NoProcess { task: task.to_owned(), process: process.to_owned() })
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
        init_only(&request.id, &request.exec_id).map_err(ShimError::into_status)?;
        let container = self.tasks.find(&request.id).map_err(ShimError::into_status)?;
        let (status, exit) = match container.phase() {
            Phase::Created => (Status::CREATED, None),
            Phase::Running => (Status::RUNNING, None),
            Phase::Stopped(exit) => (Status::STOPPED, Some(exit)),
        };
        let stdio = container.stdio.clone();
        Ok(api::StateResponse {
            id: container.id.clone(),
            bundle: container.bundle.display().to_string(),
            pid: container.pid(),
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
        let by_systemd = bootstrap::check_options(request.options.as_ref()).map_err(ShimError::into_status)?;
        let new = NewTask {
            by_systemd,
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
        init_only(&request.id, &request.exec_id).map_err(ShimError::into_status)?;
        let pid = self.tasks.start(&request.id).await.map_err(ShimError::into_status)?;
        Ok(api::StartResponse { pid, ..api::StartResponse::default() })
    }

    async fn delete(&self, _: &TtrpcContext, request: api::DeleteRequest) -> TtrpcResult<api::DeleteResponse> {
        init_only(&request.id, &request.exec_id).map_err(ShimError::into_status)?;
        let (pid, exit) = self.tasks.delete(&request.id).await.map_err(ShimError::into_status)?;
        Ok(api::DeleteResponse {
            pid,
            exit_status: exit.status,
            exited_at: exited_at(exit),
            ..api::DeleteResponse::default()
        })
    }

    async fn pids(&self, _: &TtrpcContext, request: api::PidsRequest) -> TtrpcResult<api::PidsResponse> {
        let pids = self.tasks.pids(&request.id).map_err(ShimError::into_status)?;
        let processes = pids.into_iter().map(|pid| ProcessInfo { pid, ..ProcessInfo::default() }).collect();
        Ok(api::PidsResponse { processes, ..api::PidsResponse::default() })
    }

    async fn kill(&self, _: &TtrpcContext, request: api::KillRequest) -> TtrpcResult<api::Empty> {
        init_only(&request.id, &request.exec_id).map_err(ShimError::into_status)?;
        self.tasks.kill(&request.id, request.signal, request.all).await.map_err(ShimError::into_status)?;
        Ok(api::Empty::new())
    }

    async fn close_io(&self, _: &TtrpcContext, request: api::CloseIORequest) -> TtrpcResult<api::Empty> {
        init_only(&request.id, &request.exec_id).map_err(ShimError::into_status)?;
        let container = self.tasks.find(&request.id).map_err(ShimError::into_status)?;
        if request.stdin {
            container.streams.close_input();
        }
        Ok(api::Empty::new())
    }

    async fn wait(&self, _: &TtrpcContext, request: api::WaitRequest) -> TtrpcResult<api::WaitResponse> {
        init_only(&request.id, &request.exec_id).map_err(ShimError::into_status)?;
        let container = self.tasks.find(&request.id).map_err(ShimError::into_status)?;
        let exit = container.stop().await;
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
            task_pid: container.pid(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..api::ConnectResponse::default()
        })
    }

    async fn shutdown(&self, _: &TtrpcContext, _: api::ShutdownRequest) -> TtrpcResult<api::Empty> {
        self.tasks.shut_down();
        Ok(api::Empty::new())
    }

    async fn pause(&self, _: &TtrpcContext, _: api::PauseRequest) -> TtrpcResult<api::Empty> {
        unimplemented("pause")
    }

    async fn resume(&self, _: &TtrpcContext, _: api::ResumeRequest) -> TtrpcResult<api::Empty> {
        unimplemented("resume")
    }

    async fn checkpoint(&self, _: &TtrpcContext, _: api::CheckpointTaskRequest) -> TtrpcResult<api::Empty> {
        unimplemented("checkpoint")
    }

    async fn exec(&self, _: &TtrpcContext, _: api::ExecProcessRequest) -> TtrpcResult<api::Empty> {
        unimplemented("exec")
    }

    async fn resize_pty(&self, _: &TtrpcContext, _: api::ResizePtyRequest) -> TtrpcResult<api::Empty> {
        unimplemented("resizing a terminal")
    }

    async fn update(&self, _: &TtrpcContext, _: api::UpdateTaskRequest) -> TtrpcResult<api::Empty> {
        unimplemented("update")
    }
}
