//! Launching as an ordinary user: what takes the place of leased ids, and what a sandbox lacks then.

use std::os::fd::{AsFd, OwnedFd};

use crate::error::Error;
use crate::idmap;
use crate::lifecycle::LifecycleError;
use crate::lifecycle::places::Places;
use crate::namespaces::UserNamespace;
use crate::rootless::{self, RootlessError};
use crate::spec::container::{Container, IdMappings};

/// The container's user namespace: always one of its own, below that in which we are root. Without a mapping in the
/// bundle it has the same ids.
pub(super) fn user_namespace(
    user: &UserNamespace,
    container: &Container,
) -> Result<(Option<OwnedFd>, IdMappings), Error> {
    if let UserNamespace::Join(fd) = user {
        let fd = fd.try_clone().map_err(LifecycleError::Wait)?;
        let mappings = idmap::mappings_of(fd.as_fd())?;
        return Ok((Some(fd), mappings));
    }
    if !container.process.additional_gids.is_empty() && !rootless::may_set_groups() {
        return Err(RootlessError::Groups.into());
    }
    let mappings = if container.id_mappings.uids.is_empty() {
        rootless::identity().map_err(|source| RootlessError::Map { file: "uid_map", source })?
    } else {
        rootless::translate(&container.id_mappings)?
    };
    Ok((Some(idmap::new_user_namespace(&mappings)?), mappings))
}

/// What the sandbox of an ordinary user has not, in words for its state.
pub(super) fn missing(places: &Places) -> Vec<String> {
    let is_single = places.mappings.uids.iter().map(|range| range.length).sum::<u32>() == 1;
    let lacks = [
        (is_single, "ids: the container's root is the caller's own user, and so is the sentry"),
        (
            !rootless::may_set_groups(),
            "groups: the caller's supplementary groups stay, since the kernel denies setgroups(2) here",
        ),
        (places.cgroup.is_nowhere(), "cgroup: the caller may make none, so processes and memory are not limited"),
        (
            !places.cgroup.is_nowhere(),
            "cgroup: its limits are the caller's to change, and so the container's root's where cgroups are mounted writable",
        ),
        (true, "sentry: it has no procfs, so records name no program and changes of host names are refused"),
    ];
    lacks.into_iter().filter(|(lacks, _)| *lacks).map(|(_, what)| what.to_owned()).collect()
}
