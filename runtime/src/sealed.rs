//! Keeping our own executable out of the container's reach (CVE-2019-5736).
//!
//! Until the workload is executed, `/proc/self/exe` inside the container is this program, and an image can make the
//! kernel execute it (`#!/proc/self/exe`) or hold it open and write to it later. So the program runs from a detached,
//! read-only clone of the mount that it lies on: through it, nobody can ever write. A sandbox needs that only where the
//! executable is not root's alone.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, StatVfsMountFlags};

use crate::detached::clone_tree;
use crate::sys;
use crate::sys::mount::{MountAttr, mount_setattr};

/// Executes this program again from a read-only mount of its own, unless it already runs from a read-only one.
/// Returns only in that case, or on failure.
///
/// Must come first: everything that the process has done until then is lost, and descriptors that it opened with it.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN; then the program is whatever the caller decides it to be worth.
pub fn execute_read_only() -> io::Result<()> {
    let exe = rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    if is_read_only(&exe)? {
        return Ok(());
    }
    let sealed = match clone_tree(exe.as_fd(), Path::new(""), false) {
        // It was executed in another mount namespace than ours is by now: without root we have just made one.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            clone_tree(open_in_own_namespace(&exe)?.as_fd(), Path::new(""), false)?
        }
        cloned => cloned?,
    };
    let set = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    mount_setattr(&sealed, &MountAttr { set, ..MountAttr::default() }, false)?;
    // Without this check a kernel that ignored the attribute would make us execute ourselves for ever.
    if !is_read_only(&sealed)? {
        return Err(io::Error::other("the clone of the program's mount is not read-only"));
    }
    let args = std::env::args_os().map(|arg| CString::new(arg.into_encoded_bytes())).collect::<Result<Vec<_>, _>>()?;
    let env = std::env::vars_os().map(|(key, value)| {
        let mut entry = key.into_encoded_bytes();
        entry.push(b'=');
        entry.extend(value.into_encoded_bytes());
        CString::new(entry)
    });
    let env = env.collect::<Result<Vec<_>, _>>()?;
    Err(sys::process::execute_fd(&sealed, &args, &env))
}

/// The same file by its path, if that is where it still is.
fn open_in_own_namespace(exe: &OwnedFd) -> io::Result<OwnedFd> {
    let path = std::fs::read_link("/proc/self/exe")?;
    let found = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let (here, there) = (rustix::fs::fstat(&found)?, rustix::fs::fstat(exe)?);
    let is_same = (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino);
    if is_same { Ok(found) } else { Err(io::Error::other("the program is no longer at its path")) }
}

/// Whether nobody but the host's root can write to the executable, by owner and permissions. No id of a sandbox is the
/// host's root, so there nothing more is needed, and one `execve(2)` is saved.
///
/// # Errors
/// When it cannot be looked at.
pub fn belongs_to_root_alone() -> io::Result<bool> {
    let stat = rustix::fs::stat("/proc/self/exe")?;
    Ok(stat.st_uid == 0 && stat.st_mode & 0o022 == 0)
}

/// Whether this program runs from a mount through which nobody can write.
///
/// # Errors
/// When it cannot be looked at.
pub fn is_sealed() -> io::Result<bool> {
    is_read_only(&rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

fn is_read_only(file: &OwnedFd) -> io::Result<bool> {
    Ok(rustix::fs::fstatvfs(file)?.f_flag.contains(StatVfsMountFlags::RDONLY))
}
