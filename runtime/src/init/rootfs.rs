//! The root file system: attached over the host's tree, then made the root by `pivot_root(2)`, and the host's dropped.

use std::io;
use std::path::Path;

use rustix::mount::{MountPropagationFlags, MoveMountFlags, UnmountFlags};

use super::error::InitError;
use super::orders::RootOrder;
use crate::spec::container::Propagation;
use crate::sys::mount::{MountAttr, mount_setattr};

/// Keeps mount events of the container from travelling to the host. Slave rather than private, so that unmounts on the
/// host still reach our copy of its tree until it is dropped.
pub(super) fn leave_host_propagation() -> Result<(), InitError> {
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", flags).map_err(|error| failed("detach the host's mounts from", error))
}

/// Attaches the root file system. In a mount namespace of its own it covers the current root, which needs no path on the host that the container's
/// (unprivileged) root could not walk; everything that follows works on the descriptor.
///
/// Hooks that run before the change of root look for it at `path`, its place on the host, so with hooks it is attached
/// there, unless our (perhaps unprivileged) root cannot walk to it.
pub(super) fn attach(root: &RootOrder, path: Option<&Path>) -> Result<(), InitError> {
    if let Some(place) = &root.on_host {
        return super::mounts::move_to(&root.tree, place)
            .map_err(|source| InitError::Root { operation: "attach", source });
    }
    let at = |path: &Path| {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        rustix::mount::move_mount(&root.tree, "", rustix::fs::CWD, path, flags)
    };
    match path.map(at) {
        Some(Ok(())) => Ok(()),
        None | Some(Err(_)) => at(Path::new("/")).map_err(|error| failed("attach", error)),
    }
}

/// Makes the attached tree the root of this mount namespace and drops the host's; in the host's mount namespace, which
/// is to stay as it is, the root of this process alone.
pub(super) fn enter(root: &RootOrder) -> Result<(), InitError> {
    if root.readonly {
        let readonly = MountAttr { set: libc::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
        mount_setattr(&root.tree, &readonly, false)
            .map_err(|source| InitError::Root { operation: "make read-only", source })?;
    }
    rustix::process::fchdir(&root.tree).map_err(|error| failed("enter", error))?;
    if root.on_host.is_some() {
        rustix::process::chroot(".").map_err(|error| failed("change to", error))?;
    } else {
        // pivot_root(2), "pivot_root(".", ".")": the old root is stacked under the new one and can be unmounted at ".".
        rustix::process::pivot_root(".", ".").map_err(|error| failed("pivot to", error))?;
        rustix::mount::unmount(".", UnmountFlags::DETACH)
            .map_err(|error| failed("drop the host's tree from under", error))?;
    }
    rustix::process::chdir("/").map_err(|error| failed("enter", error))?;
    if let Some(propagation) = root.propagation {
        set_propagation(root, propagation)?;
    }
    Ok(())
}

fn set_propagation(root: &RootOrder, propagation: Propagation) -> Result<(), InitError> {
    let attr = MountAttr { propagation: propagation_flag(propagation), ..MountAttr::default() };
    mount_setattr(&root.tree, &attr, true)
        .map_err(|source| InitError::Root { operation: "set the propagation (linux.rootfsPropagation) of", source })
}

/// The `MS_*` bit of a propagation type, as `mount_setattr(2)` takes it.
pub(super) fn propagation_flag(propagation: Propagation) -> u64 {
    match propagation {
        Propagation::Private => libc::MS_PRIVATE,
        Propagation::Shared => libc::MS_SHARED,
        Propagation::Slave => libc::MS_SLAVE,
        Propagation::Unbindable => libc::MS_UNBINDABLE,
    }
}

fn failed(operation: &'static str, error: rustix::io::Errno) -> InitError {
    InitError::Root { operation, source: io::Error::from(error) }
}
