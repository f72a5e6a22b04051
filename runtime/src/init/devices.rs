//! Device nodes and the links of `/dev`.
//!
//! In a user namespace no node can be made that opens, so the host's own are bound one by one, each verified by the
//! launcher. Without one they are made with `mknod(2)`, with the mode and owner of the bundle.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode};

use super::error::InitError;
use super::orders::{DeviceOrder, Orders};
use super::{inside, mounts};
use crate::spec::container::{Device, DeviceKind};

/// Links that programs expect in `/dev` (runtime-spec, "Default Devices", and runc's own).
const LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// Makes the nodes and links. Returns the attached null device, which masking clones.
pub(super) fn make(orders: &Orders) -> Result<OwnedFd, InitError> {
    for order in &orders.devices {
        make_one(orders, order).map_err(|source| InitError::Device { path: order.device.path.clone(), source })?;
    }
    for (path, target) in LINKS {
        link(orders, Path::new(path), target).map_err(|source| InitError::Device { path: path.into(), source })?;
    }
    orders.null.try_clone().map_err(|source| InitError::Device { path: "/dev/null".into(), source })
}

fn make_one(orders: &Orders, order: &DeviceOrder) -> io::Result<()> {
    let root = &orders.root.tree;
    match &order.tree {
        Some(tree) => mounts::move_to(tree, inside::make_file(root, &order.device.path)?),
        None => make_node(root, &order.device),
    }
}

fn make_node(root: &OwnedFd, device: &Device) -> io::Result<()> {
    let (parent, name) = inside::parent_of(root, &device.path)?;
    let (kind, number) = match device.kind {
        DeviceKind::Character(major, minor) => (FileType::CharacterDevice, rustix::fs::makedev(major, minor)),
        DeviceKind::Block(major, minor) => (FileType::BlockDevice, rustix::fs::makedev(major, minor)),
        DeviceKind::Fifo => (FileType::Fifo, 0),
    };
    match rustix::fs::mknodat(&parent, name, kind, Mode::from_raw_mode(device.mode), number) {
        Err(rustix::io::Errno::EXIST) => {
            rustix::fs::unlinkat(&parent, name, AtFlags::empty())?;
            rustix::fs::mknodat(&parent, name, kind, Mode::from_raw_mode(device.mode), number)?;
        }
        made => made?,
    }
    let (uid, gid) = (rustix::process::Uid::from_raw(device.uid), rustix::process::Gid::from_raw(device.gid));
    rustix::fs::chownat(&parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    // Not only by mknod: the umask took bits from that mode. Safe by name, since nothing else runs in here yet.
    rustix::fs::chmodat(&parent, name, Mode::from_raw_mode(device.mode), AtFlags::empty())?;
    Ok(())
}

/// Makes a link unless something of that name is there: an image's own is left as it is.
fn link(orders: &Orders, path: &Path, target: &str) -> io::Result<()> {
    let (parent, name) = inside::parent_of(&orders.root.tree, path)?;
    match rustix::fs::symlinkat(target, &parent, name) {
        Ok(()) | Err(rustix::io::Errno::EXIST | rustix::io::Errno::ROFS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
