//! Attacks by mounting: the old interface, the new one, remounts, unmounts, pivot_root, and a cgroup for release_agent.

use std::fs::OpenOptions;
use std::os::fd::{AsRawFd as _, OwnedFd};

use crate::raw::{address, call, own, text};
use crate::report::{Act, Outcome, Step as _, argument, without_effect};

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("mount-tmpfs", mount_tmpfs),
    ("mount-proc", mount_proc),
    ("mount-bind", mount_bind),
    ("remount-rw", remount_rw),
    ("umount", umount),
    ("new-mount", new_mount),
    ("fsopen", fsopen_alone),
    ("fspick", fspick),
    ("open-tree", open_tree),
    ("move-mount", move_mount),
    ("mount-setattr", mount_setattr),
    ("pivot-root", pivot_root),
    ("release-agent", release_agent),
];

const AT_FDCWD: u64 = libc::AT_FDCWD as u64;
const OPEN_TREE_CLONE: u64 = 1;
const FSCONFIG_CMD_CREATE: u64 = 6;
const MOVE_MOUNT_F_EMPTY_PATH: u64 = 4;

pub(crate) fn mount(source: &str, target: &str, fstype: &str, flags: u64, data: &str) -> Result<u64, i32> {
    let (source, target, fstype, data) = (text(source), text(target), text(fstype), text(data));
    let arguments = [
        address(source.as_c_str()),
        address(target.as_c_str()),
        address(fstype.as_c_str()),
        flags,
        address(data.as_c_str()),
    ];
    call(libc::SYS_mount, &arguments)
}

pub(crate) fn is_mounted(target: &str, word: &str) -> bool {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table.lines().any(|line| line.split(' ').nth(4) == Some(target) && line.contains(word))
}

fn mount_tmpfs(_: &[String]) -> Outcome {
    mount("none", "/mnt", "tmpfs", 0, "").step("mount")?;
    if is_mounted("/mnt", "tmpfs") { Ok("a tmpfs is mounted on /mnt".to_owned()) } else { without_effect("mount") }
}

fn mount_proc(_: &[String]) -> Outcome {
    mount("proc", "/mnt", "proc", 0, "").step("mount")?;
    let version = std::fs::read_to_string("/mnt/version").step("read /mnt/version")?;
    Ok(format!("a fresh proc says {version}"))
}

fn mount_bind(_: &[String]) -> Outcome {
    mount("/", "/mnt", "", libc::MS_BIND | libc::MS_REC, "").step("mount")?;
    std::fs::metadata("/mnt/attacker").step("stat /mnt/attacker")?;
    Ok("the root is bound on /mnt".to_owned())
}

/// Makes the read-only root writable again.
fn remount_rw(_: &[String]) -> Outcome {
    mount("", "/", "", libc::MS_REMOUNT | libc::MS_BIND, "").step("mount")?;
    std::fs::write("/written-by-the-attacker", "x").step("write")?;
    Ok("the read-only root took a file".to_owned())
}

/// Takes a mount away, as one would to see what lies under a mask.
fn umount(arguments: &[String]) -> Outcome {
    let target = argument(arguments, 0)?;
    let path = text(target);
    call(libc::SYS_umount2, &[address(path.as_c_str()), libc::MNT_DETACH as u64]).step("umount2")?;
    if is_mounted(target, " ") { without_effect("umount2") } else { Ok(format!("{target} is no longer mounted")) }
}

fn fsopen(fstype: &str) -> Result<OwnedFd, i32> {
    let fstype = text(fstype);
    call(libc::SYS_fsopen, &[address(fstype.as_c_str()), 0]).map(own)
}

fn fsopen_alone(_: &[String]) -> Outcome {
    let context = fsopen("tmpfs").step("fsopen")?;
    link_of(context.as_raw_fd())
}

/// What a descriptor is, from /proc: the proof that there is one.
fn link_of(fd: i32) -> Outcome {
    let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).step("readlink")?;
    Ok(format!("descriptor {fd} is {}", link.display()))
}

/// The whole chain of the new interface.
fn new_mount(_: &[String]) -> Outcome {
    let context = fsopen("tmpfs").step("fsopen")?;
    let fd = context.as_raw_fd() as u64;
    call(libc::SYS_fsconfig, &[fd, FSCONFIG_CMD_CREATE, 0, 0, 0]).step("fsconfig")?;
    let tree = own(call(libc::SYS_fsmount, &[fd, 0, 0]).step("fsmount")?);
    attach(&tree, "/mnt")?;
    if is_mounted("/mnt", "tmpfs") {
        Ok("a tmpfs is attached to /mnt".to_owned())
    } else {
        without_effect("move_mount")
    }
}

fn attach(tree: &OwnedFd, target: &str) -> Outcome {
    let (empty, target_path) = (text(""), text(target));
    let fd = tree.as_raw_fd() as u64;
    let arguments = [fd, address(empty.as_c_str()), AT_FDCWD, address(target_path.as_c_str()), MOVE_MOUNT_F_EMPTY_PATH];
    call(libc::SYS_move_mount, &arguments).step("move_mount")?;
    Ok(target.to_owned())
}

fn fspick(_: &[String]) -> Outcome {
    let root = text("/");
    let fd = call(libc::SYS_fspick, &[AT_FDCWD, address(root.as_c_str()), 0]).step("fspick")?;
    link_of(own(fd).as_raw_fd())
}

fn clone_tree(path: &str) -> Result<OwnedFd, i32> {
    let path = text(path);
    call(libc::SYS_open_tree, &[AT_FDCWD, address(path.as_c_str()), OPEN_TREE_CLONE]).map(own)
}

fn open_tree(_: &[String]) -> Outcome {
    let tree = clone_tree("/").step("open_tree")?;
    let seen = std::fs::metadata(format!("/proc/self/fd/{}/attacker", tree.as_raw_fd())).step("stat")?;
    Ok(format!("a detached copy of the root shows this program: {} bytes", seen.len()))
}

/// Moves a mount that is there already: needs no other call of the new interface.
fn move_mount(_: &[String]) -> Outcome {
    let (from, to) = (text("/dev/shm"), text("/mnt"));
    let arguments = [AT_FDCWD, address(from.as_c_str()), AT_FDCWD, address(to.as_c_str()), 0];
    call(libc::SYS_move_mount, &arguments).step("move_mount")?;
    if is_mounted("/mnt", "tmpfs") { Ok("/dev/shm moved to /mnt".to_owned()) } else { without_effect("move_mount") }
}

/// Clears the read-only attribute of the root.
fn mount_setattr(_: &[String]) -> Outcome {
    let root = text("/");
    let attributes: [u64; 4] = [0, libc::MOUNT_ATTR_RDONLY, 0, 0];
    call(libc::SYS_mount_setattr, &[AT_FDCWD, address(root.as_c_str()), 0, address(&attributes), 32])
        .step("mount_setattr")?;
    std::fs::write("/written-by-the-attacker", "x").step("write")?;
    Ok("the read-only root took a file".to_owned())
}

/// Swaps the root for a fresh tmpfs. Every step is tried, so that the last one is known to be refused by itself.
fn pivot_root(_: &[String]) -> Outcome {
    let namespace = call(libc::SYS_unshare, &[libc::CLONE_NEWNS as u64]);
    let private = mount("", "/", "", libc::MS_REC | libc::MS_PRIVATE, "");
    let tmpfs = mount("none", "/mnt", "tmpfs", 0, "");
    let (new, old) = (text("/mnt"), text("/mnt"));
    call(libc::SYS_pivot_root, &[address(new.as_c_str()), address(old.as_c_str())]).step("pivot_root")?;
    namespace.step("unshare")?;
    private.step("mount private")?;
    tmpfs.step("mount tmpfs")?;
    let root = text(".");
    call(libc::SYS_chdir, &[address(text("/").as_c_str())]).step("chdir")?;
    call(libc::SYS_umount2, &[address(root.as_c_str()), libc::MNT_DETACH as u64]).step("umount2")?;
    let seen = std::fs::read_dir("/").step("read_dir")?.count();
    if seen == 0 { Ok("the root is an empty tmpfs now".to_owned()) } else { without_effect("pivot_root") }
}

/// CVE-2022-0492's way: mount a cgroup v1 hierarchy and open its release_agent. Open only, never written.
fn release_agent(_: &[String]) -> Outcome {
    let mut refused = None;
    for controller in ["memory", "pids", "cpu", "freezer", "blkio"] {
        match mount("cgroup", "/mnt", "cgroup", 0, controller) {
            Ok(_) => {
                OpenOptions::new().write(true).open("/mnt/release_agent").step("open release_agent")?;
                return Ok(format!("release_agent of {controller} is open for writing"));
            }
            Err(errno) => refused = Some(errno),
        }
    }
    Err(refused.unwrap_or(0)).step("mount")
}
