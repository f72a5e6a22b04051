//! The seccomp agent of a container (`linux.seccomp.listenerPath`): who answers the calls that the bundle's profile
//! marks with `SCMP_ACT_NOTIFY`. Native mode alone has one; in a sandbox the listener is the sentry's.

use std::io;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use crate::channel::{self, ChannelError, FromInit};
use crate::error::Error;
use crate::hook_process::HookState;
use crate::lifecycle::LifecycleError;
use crate::spec::container::Seccomp;

/// A connection to an agent that has got nothing yet.
pub(super) struct Agent {
    path: PathBuf,
    socket: OwnedFd,
    message: Vec<u8>,
}

/// "Container Process State" of config-linux.md.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessState<'a> {
    oci_version: &'a str,
    /// What the descriptors are, in their order.
    fds: [&'static str; 1],
    pid: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    metadata: &'a str,
    state: &'a HookState,
}

impl Agent {
    /// Connects to the agent of `profile`, if it has one. `state` is the container's, `pid` the process whose calls the
    /// agent will answer.
    pub(super) fn connect(
        profile: Option<&Seccomp>,
        pid: i32,
        state: &HookState,
    ) -> Result<Option<Self>, LifecycleError> {
        let Some(asked) = profile.and_then(|profile| profile.agent.as_ref()) else { return Ok(None) };
        let failed = |source| LifecycleError::Agent { path: asked.path.clone(), source };
        let (oci_version, metadata) = (state.oci_version.as_str(), asked.metadata.as_str());
        let message = ProcessState { oci_version, fds: ["seccompFd"], pid, metadata, state };
        let message = serde_json::to_vec(&message).map_err(|error| failed(error.into()))?;
        let socket = channel::connect(&asked.path).map_err(failed)?;
        Ok(Some(Self { path: asked.path.clone(), socket, message }))
    }

    /// Hands the listener over, in the one message of the one connection that there is; then both are closed here.
    pub(super) fn give(self, listener: OwnedFd) -> Result<(), LifecycleError> {
        let failed = |source| LifecycleError::Agent { path: self.path.clone(), source };
        let fds = [listener.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(failed(io::ErrorKind::InvalidInput.into()));
        }
        let sent =
            rustix::net::sendmsg(&self.socket, &[IoSlice::new(&self.message)], &mut ancillary, SendFlags::NOSIGNAL);
        match sent {
            Ok(count) if count == self.message.len() => Ok(()),
            Ok(_cut) => Err(failed(io::ErrorKind::WriteZero.into())),
            Err(error) => Err(failed(error.into())),
        }
    }
}

/// The next message of a process that sets itself up; listeners that come before it go to `agent`, which may have to
/// answer calls before there is another message.
pub(super) fn receive(channel: &OwnedFd, agent: &mut Option<Agent>) -> Result<(FromInit, Option<OwnedFd>), Error> {
    loop {
        match channel::receive::<FromInit>(channel)? {
            (FromInit::Listening, Some(listener)) => match agent.take() {
                Some(agent) => agent.give(listener)?,
                None => return Err(ChannelError::OutOfTurn.into()),
            },
            other => return Ok(other),
        }
    }
}

/// Waits for the listener, if `agent` has not got it yet.
pub(super) fn settle(channel: &OwnedFd, agent: Option<Agent>) -> Result<(), Error> {
    let Some(agent) = agent else { return Ok(()) };
    match channel::receive::<FromInit>(channel)? {
        (FromInit::Listening, Some(listener)) => Ok(agent.give(listener)?),
        (FromInit::Failed(failure), _) => Err(failure.into()),
        _ => Err(ChannelError::OutOfTurn.into()),
    }
}
