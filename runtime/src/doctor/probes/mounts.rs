//! The mount calls by descriptor, id-mapped mounts and overlays.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use nix::sched::CloneFlags;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{MountPropagationFlags, MoveMountFlags};

use super::namespaces::{become_root, mappings};
use crate::detached::{clone_tree, tmpfs};
use crate::doctor::answer::{Answer, Step as _, Want, effect};
use crate::idmap;
use crate::overlay::{Overlay, OverlayError, Writable};
use crate::sys::mount::{MountAttr, mount_setattr};

/// A mount namespace of this child alone, where what is mounted is seen by nobody else.
fn own_namespace(is_root: bool) -> Result<(), Want> {
    become_root(is_root)?;
    nix::sched::unshare(CloneFlags::CLONE_NEWNS).prepared("unshare: mount namespace")?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).prepared("a private mount tree")
}

/// A directory to mount on, in the own namespace.
fn desk() -> PathBuf {
    let temporary = std::env::temp_dir();
    if temporary.is_dir() { temporary } else { PathBuf::from("/") }
}

/// A tmpfs on the desk.
fn attached_tmpfs() -> Result<PathBuf, Want> {
    let tree = tmpfs(&[("mode", "755")]).asked("a tmpfs by fsopen and fsmount")?;
    let desk = desk();
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(tree.as_fd(), "", CWD, &desk, flags).asked("move_mount")?;
    Ok(desk)
}

/// A file system made, attached and cloned by descriptor.
pub(in super::super) fn by_descriptor(is_root: bool) -> Answer {
    own_namespace(is_root)?;
    let desk = attached_tmpfs()?;
    std::fs::write(desk.join("probe"), "here").prepared("a file on the tmpfs")?;
    let clone = clone_tree(CWD, &desk, false).asked("open_tree and mount_setattr")?;
    let found = rustix::fs::accessat(&clone, "probe", rustix::fs::Access::EXISTS, rustix::fs::AtFlags::empty());
    effect(found.is_ok(), "the clone of a mount shows something else")?;
    Ok("fsopen, fsmount, move_mount, open_tree".to_owned())
}

/// Attributes of a mount.
pub(in super::super) fn attributes(is_root: bool) -> Answer {
    own_namespace(is_root)?;
    let tree = tmpfs(&[]).prepared("a tmpfs by fsopen and fsmount")?;
    let readonly = MountAttr { set: libc::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    mount_setattr(&tree, &readonly, true).asked("mount_setattr")?;
    let made = rustix::fs::mkdirat(&tree, "probe", Mode::RWXU);
    effect(made == Err(rustix::io::Errno::ROFS), "a mount that was made read-only takes a directory")?;
    Ok("mount_setattr".to_owned())
}

/// Paths that stay below a root.
pub(in super::super) fn openat2(_is_root: bool) -> Answer {
    let root = rustix::fs::open("/proc/self", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let root = root.prepared("/proc/self")?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(&root, "../../status", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
        .asked("openat2(RESOLVE_IN_ROOT)")?;
    let left = rustix::fs::openat2(&root, "exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve);
    effect(left.is_err(), "openat2 follows a magic link that it was told not to")?;
    Ok("RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS".to_owned())
}

fn user_namespace() -> Result<OwnedFd, Want> {
    idmap::new_user_namespace(&mappings()).map_err(|error| Want::Unknown(crate::causes::chain(&error)))
}

/// Shows a mount with the owners that a container sees.
fn id_mapped(tree: &OwnedFd, what: &str) -> Result<(), Want> {
    let userns = user_namespace()?;
    let attr = MountAttr { idmap: Some(userns.as_fd()), ..MountAttr::default() };
    mount_setattr(tree, &attr, false).asked(&format!("an id-mapped mount of {what}"))?;
    let owner = rustix::fs::fstat(tree).prepared("the mapped root")?.st_uid;
    let wanted = idmap::to_host(&mappings().uids, 0);
    effect(Some(owner) == wanted, "the mapped mount shows other owners than it was told to")
}

/// The host's root file system, id-mapped.
pub(in super::super) fn id_mapped_root(is_root: bool) -> Answer {
    own_namespace(is_root)?;
    let tree = clone_tree(CWD, "/".as_ref(), false).prepared("a clone of /")?;
    id_mapped(&tree, "/")?;
    Ok("the file system of /".to_owned())
}

/// A tmpfs, id-mapped.
pub(in super::super) fn id_mapped_tmpfs(is_root: bool) -> Answer {
    own_namespace(is_root)?;
    let tree = tmpfs(&[("mode", "755")]).prepared("a tmpfs by fsopen and fsmount")?;
    id_mapped(&tree, "tmpfs")?;
    Ok("tmpfs".to_owned())
}

/// A tmpfs whose pages are never swapped.
pub(in super::super) fn tmpfs_noswap(is_root: bool) -> Answer {
    own_namespace(is_root)?;
    let context = rustix::mount::fsopen("tmpfs", rustix::mount::FsOpenFlags::FSOPEN_CLOEXEC).prepared("fsopen")?;
    rustix::mount::fsconfig_set_flag(context.as_fd(), "noswap").asked("the tmpfs option noswap")?;
    rustix::mount::fsconfig_create(context.as_fd()).asked("a tmpfs with noswap")?;
    Ok("noswap".to_owned())
}

/// An overlay of two directories, written to.
pub(in super::super) fn overlay(is_root: bool) -> Answer {
    own_namespace(is_root)?;
    let lower = layers()?;
    write_through(&lower, is_root)?;
    Ok("writes go to the upper layer".to_owned())
}

/// An overlay whose lower layer is id-mapped.
pub(in super::super) fn overlay_of_id_mapped(is_root: bool) -> Answer {
    own_namespace(is_root)?;
    let lower = layers()?;
    let userns = user_namespace()?;
    let attr = MountAttr { idmap: Some(userns.as_fd()), ..MountAttr::default() };
    mount_setattr(&lower, &attr, false).prepared("an id-mapped mount of tmpfs")?;
    write_through(&lower, is_root)?;
    Ok("an id-mapped lower layer".to_owned())
}

/// An overlay that root of a user namespace mounts.
pub(in super::super) fn overlay_inside(_is_root: bool) -> Answer {
    own_namespace(false)?;
    let lower = layers()?;
    write_through(&lower, false)?;
    Ok("mounted by root of a user namespace".to_owned())
}

/// A lower layer with a file; the directories of the upper ones stand beside it on the desk.
fn layers() -> Result<OwnedFd, Want> {
    let desk = attached_tmpfs().map_err(|want| match want {
        Want::Gap(why) | Want::Unknown(why) => Want::Unknown(why),
    })?;
    for name in ["lower", "upper", "work"] {
        std::fs::create_dir(desk.join(name)).prepared(name)?;
    }
    std::fs::write(desk.join("lower/probe"), "below").prepared("a file of the lower layer")?;
    clone_tree(CWD, &desk.join("lower"), false).prepared("a clone of the lower layer")
}

fn write_through(lower: &OwnedFd, is_root: bool) -> Result<(), Want> {
    let mount = clone_tree(CWD, &desk(), false).prepared("a clone of the upper layer's mount")?;
    let writable = Writable { mount, upper: "upper".into(), work: "work".into() };
    // As `host_view` has it: marks in trusted.* need a right of the host.
    let options = if is_root { Vec::new() } else { vec!["userxattr".to_owned()] };
    let lower = [lower.try_clone().prepared("a descriptor")?];
    let overlay = Overlay { lower: &lower, writable: Some(&writable), options: &options, owner: (0, 0) };
    let refused = |error: OverlayError| Err::<OwnedFd, _>(error.source).asked(&format!("overlay ({})", error.option));
    let merged = overlay.mount().or_else(refused)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    rustix::fs::openat(&merged, "new", flags, Mode::RUSR | Mode::WUSR).asked("a new file in the overlay")?;
    let seen = |place: &str| desk().join(place).exists();
    effect(seen("upper/new") && !seen("lower/new"), "what is written to an overlay is not in its upper layer")
}
