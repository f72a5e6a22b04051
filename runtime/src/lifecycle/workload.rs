//! The part of the orders that a container's first process and every later one (`exec`) have in common: what to execute,
//! as whom, behind which walls, and the way to the caller's terminal.

use std::borrow::Cow;
use std::os::fd::OwnedFd;
use std::path::Path;

use lazaret_profiles::plan::Witness;
use lazaret_profiles::{bpf, programs};

use crate::channel;
use crate::error::Error;
use crate::idmap;
use crate::init::orders::{Confinement, Filter, LandlockScopes};
use crate::lifecycle::{LifecycleError, terminal};
use crate::options::{Interceptor, Mode};
use crate::policy::profile::Profile;
use crate::spec::container::{Container, IdMappings, IdRange, Namespace, Process};

/// The process, if its ids are mapped and it has a terminal exactly when there is a place to send it (`connected`).
pub(super) fn process(process: &Process, mappings: &IdMappings, connected: bool) -> Result<Process, Error> {
    for (field, ranges, id) in
        [("process.user.uid", &mappings.uids, process.uid), ("process.user.gid", &mappings.gids, process.gid)]
    {
        if !ranges.is_empty() && idmap::to_host(ranges, id).is_none() {
            let source = std::io::Error::from_raw_os_error(libc::EINVAL);
            return Err(LifecycleError::Property { field, value: id.to_string(), source }.into());
        }
    }
    match (process.terminal, connected) {
        (true, false) => {
            Err(LifecycleError::Terminal("process.terminal is set, but there is no --console-socket").into())
        }
        (false, true) => {
            Err(LifecycleError::Terminal("--console-socket is given, but process.terminal is not set").into())
        }
        _ => Ok(process.clone()),
    }
}

/// The host ids of the workload's user.
pub(super) fn owner(process: &Process, mappings: &IdMappings) -> (u32, u32) {
    let host = |ranges: &[IdRange], id| if ranges.is_empty() { id } else { idmap::to_host(ranges, id).unwrap_or(id) };
    (host(&mappings.uids, process.uid), host(&mappings.gids, process.gid))
}

/// A filter: written down, or made for a profile.
type Program = Cow<'static, [bpf::Insn]>;

/// The layers around a workload of `container`.
/// With `guarded`, its connects are looked at: it was given a directory of the host.
pub(super) fn confinement(
    container: &Container,
    (mode, profile): (Mode, Option<&Profile>),
    interceptor: Interceptor,
    guarded: bool,
) -> Result<Confinement, LifecycleError> {
    let oci = container.seccomp.clone();
    let (personality, memory_policy) = (container.personality, container.memory_policy.clone());
    let Some(column) = mode.column() else {
        return Ok(Confinement { landlock: None, paths: None, filter: None, oci, personality, memory_policy });
    };
    let paths = profile
        .map_or(mode == Mode::Strict, |profile| profile.path_rules)
        .then(|| container.mounts.iter().map(|mount| mount.destination.clone()).collect());
    let changes = profile.map(Profile::changes).transpose().map_err(LifecycleError::Calls)?.unwrap_or_default();
    let program = |witness| -> Result<Program, LifecycleError> {
        if changes.is_empty() {
            let written = if guarded { programs::guarded } else { programs::of };
            return Ok(Cow::Borrowed(written(column, witness)));
        }
        let plan = changes.plan(column, guarded, witness);
        Ok(Cow::Owned(bpf::emit(&plan).map_err(LifecycleError::Emit)?))
    };
    let program_if = |wanted: bool, witness| wanted.then(|| program(witness)).transpose();
    let filter = Filter {
        listened: program_if(interceptor != Interceptor::Ptrace, Witness::Notify)?,
        traced: program_if(interceptor.may_trace(), Witness::Trace)?,
        unwitnessed: program_if(interceptor == Interceptor::Auto && interceptor.may_trace(), Witness::None)?,
    };
    let scopes = LandlockScopes {
        signal: container.namespaces.pid == Namespace::Host,
        abstract_unix: container.namespaces.network == Namespace::Host,
    };
    Ok(Confinement { landlock: Some(scopes), paths, filter: Some(filter), oci, personality, memory_policy })
}

/// A connection for a terminal that is asked for and is `ours`, to relay because the process is waited for or to give
/// back, since no socket is named for it: our end, and that of the process.
pub(super) fn own_console(process: &Process, ours: bool) -> Result<Option<(OwnedFd, OwnedFd)>, LifecycleError> {
    (process.terminal && ours).then(terminal::connection).transpose().map_err(LifecycleError::Relay)
}

/// A connection over which the terminal's master goes: to the socket at `path`, or our own end of one.
pub(super) fn console(path: Option<&Path>, ours: Option<&OwnedFd>) -> Result<Option<OwnedFd>, LifecycleError> {
    let Some(path) = path else {
        return ours.map(OwnedFd::try_clone).transpose().map_err(LifecycleError::Relay);
    };
    channel::connect(path).map(Some).map_err(|source| LifecycleError::ConsoleSocket { path: path.to_owned(), source })
}
