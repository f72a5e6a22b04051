//! Where a container will live, made before anything runs in it: its namespaces, its ids, its cgroup, its sentry. Called by
//! `launch`; everything made is put into [`Undo`] at once.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::cgroup::{Cgroup, CgroupError, Driver, Hierarchies};
use crate::error::Error;
use crate::idmap::{self, Lease};
use crate::lifecycle::undo::Undo;
use crate::lifecycle::{CreateRequest, LifecycleError, orders, without_root};
use crate::namespaces::{self, UserNamespace};
use crate::network;
use crate::options::Options;
use crate::policy::{self, Admitted};
use crate::record_sink;
use crate::rootless;
use crate::sentry_link::{Sentry, Sight};
use crate::spec::container::{Container, IdMappings};
use crate::spec::resources::Resources;
use crate::state;

/// Where the container will live: made before anything runs in it.
pub(super) struct Places {
    /// Its namespaces.
    pub(super) plan: namespaces::Plan,
    /// Its user namespace.
    pub(super) userns: Option<OwnedFd>,
    /// Its id mapping, where that is known.
    pub(super) mappings: IdMappings,
    /// The host's cgroup hierarchies.
    pub(super) hierarchies: Hierarchies,
    /// Its cgroup.
    pub(super) cgroup: Cgroup,
    /// The cgroup of its sentry, if it has a sentry, or why there is none.
    pub(super) sentry_cgroup: Result<Option<Cgroup>, CgroupError>,
    /// Its state directory, when we are an ordinary user.
    pub(super) rootless: Option<PathBuf>,
}

/// Makes them, the sentry included.
pub(super) fn make(
    options: &Options,
    container: &mut Container,
    admitted: Option<&Admitted>,
    hierarchies: Hierarchies,
    (request, directory): (&CreateRequest, &Path),
    undo: &mut Undo,
) -> Result<Places, Error> {
    let id = request.id.as_str();
    let sandbox = options.mode.is_confined();
    if let Some(admitted) = admitted {
        container.process.capabilities = admitted.capabilities;
    }
    container.process.no_new_privileges |= sandbox;
    let judged = admitted.map(|admitted| admitted.joins.as_slice());
    let has_mappings = !container.id_mappings.uids.is_empty();
    let plan = namespaces::Plan::new(&container.namespaces, judged, has_mappings, options.mode)?;
    let rootless = rootless::is_active();
    let (userns, mappings) = if rootless {
        without_root::user_namespace(&plan.user, container)?
    } else {
        user_namespace(&plan.user, container, directory, undo)?
    };
    if sandbox && !rootless && matches!(plan.user, UserNamespace::Join(_)) {
        policy::sandbox::refuse_joined_host_ids(&mappings)?;
    }
    let path = container.cgroups_path.as_deref();
    let writable = rootless.then(|| hierarchies.writable());
    let usable = writable.as_ref().unwrap_or(&hierarchies);
    let sentry_cgroup = match &userns {
        Some(userns) if sandbox => {
            // An ordinary user's containers stand where it may make cgroups, whatever their bundles say.
            let path = path.filter(|_| !rootless);
            let cgroup = sentry_cgroup(options, usable, (path, id), directory, undo);
            let audit = directory.join(state::AUDIT_FILE);
            let (sight, may_trace) = (Sight::of(rootless), options.interceptor.may_trace());
            let place = (userns.as_fd(), cgroup.as_ref().ok());
            let sinks = record_sink::open(request.record_sink.as_ref(), options.record_socket.as_deref())?;
            undo.sentry = Some(Sentry::fork(place, (&audit, sinks), sight, may_trace)?);
            cgroup.map(Some)
        }
        Some(_) | None => Ok(None),
    };
    if let Some(joined) = plan.joined_network()
        && userns.is_some()
    {
        network::set_up(joined, &container.sysctl)?;
    }
    let pids = sandbox.then_some(options.rules.pids);
    complete_resources(&mut container.resources, usable, pids);
    let (cgroup, guard) = match options.cgroup_driver {
        _ if rootless => Cgroup::create_without_root(&hierarchies, id, &container.resources)?,
        Driver::Cgroupfs => Cgroup::create(&hierarchies, path, id, &container.resources)?,
        Driver::Systemd => Cgroup::create_scope(&hierarchies, path, id, &container.resources)?,
    };
    undo.cgroup = Some(guard);
    cgroup.mark(directory)?;
    if userns.is_some() && plan.new_cgroup && orders::shows_writable_cgroups(container) {
        cgroup.delegate(orders::root_id(&mappings.uids), orders::root_id(&mappings.gids))?;
    }
    let rootless = rootless.then(|| directory.to_owned());
    Ok(Places { plan, userns, mappings, hierarchies, cgroup, sentry_cgroup, rootless })
}

/// Makes the cgroup of the container's sentry. Where there can be none, the sentry's own bounds hold alone, and the state
/// says so.
fn sentry_cgroup(
    options: &Options,
    host: &Hierarchies,
    (path, id): (Option<&str>, &str),
    directory: &Path,
    undo: &mut Undo,
) -> Result<Cgroup, CgroupError> {
    let (cgroup, guard) = Cgroup::create_for_sentry(options.cgroup_driver, host, path, id)?;
    undo.sentry_cgroup = Some(guard);
    cgroup.mark_for_sentry(directory)?;
    Ok(cgroup)
}

/// A sandbox without a limit of its own gets the node's, `pids`, so that a fork bomb stays in it.
fn complete_resources(resources: &mut Resources, hierarchies: &Hierarchies, pids: Option<i64>) {
    resources.allow_default_devices();
    if resources.pids_limit.is_none() && hierarchies.has_controller("pids") {
        resources.pids_limit = pids;
    }
}

/// The container's user namespace and its mapping, where that is ours to choose.
fn user_namespace(
    user: &UserNamespace,
    container: &Container,
    directory: &Path,
    undo: &mut Undo,
) -> Result<(Option<OwnedFd>, IdMappings), Error> {
    match user {
        UserNamespace::Host => Ok((None, IdMappings::default())),
        UserNamespace::Join(fd) => {
            let fd = fd.try_clone().map_err(LifecycleError::Wait)?;
            let mappings = idmap::mappings_of(fd.as_fd())?;
            Ok((Some(fd), mappings))
        }
        UserNamespace::New => {
            let mappings = if container.id_mappings.uids.is_empty() {
                undo.lease.insert(Lease::acquire(directory)?).mappings()
            } else {
                container.id_mappings.clone()
            };
            Ok((Some(idmap::new_user_namespace(&mappings)?), mappings))
        }
    }
}

/// Where cgroups of the container, and of its sentry, may be left, should we be killed while we make them.
pub(super) fn cgroups(
    options: &Options,
    host: &Hierarchies,
    container: &Container,
    id: &str,
) -> Result<Vec<PathBuf>, CgroupError> {
    let (driver, path) = (options.cgroup_driver, container.cgroups_path.as_deref());
    let mut places = Cgroup::places(driver, host, path, id)?;
    if options.mode.is_confined() {
        places.extend(Cgroup::places_of_sentry(driver, host, path, id)?);
    }
    Ok(places)
}
