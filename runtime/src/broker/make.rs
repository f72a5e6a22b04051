//! New instances of file systems: tmpfs, devpts, overlay, and a procfs of the container's processes.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use lazaret_profiles::nested::{FileSystem, Takes};
use lazaret_sentry::nested::{Layers, Order};
use nix::sched::CloneFlags;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use rustix::process::Signal;

use super::Denied;
use super::attach::{attach, dress};
use super::caller::{self, Caller, mount_of};
use super::inside::{Inside, Namespaces};
use super::ledger::Ledger;
use super::table;
use crate::policy::mountinfo::MountTable;
use crate::{channel, sys};

/// How long the child that makes a procfs may take: well within a worker's deadline, so that this process lives to end it,
/// and within the time that a pause of the container waits for.
const CHILD_PATIENCE: Duration = Duration::from_secs(3);

/// Makes what cannot be made in the container: a procfs. The kernel gives one to a user namespace only while one is mounted
/// that nothing covers (`mount_too_revealing` in fs/namespace.c), and the container's own is covered by its masks. So it is
/// made where the container's first one was, in a copy of the host's mount namespace that belongs to the container's user
/// namespace; what the masks cover is not in it, because it has processes alone. Afterwards this process is in the
/// container's user namespace.
pub(super) fn before_entering(order: &Order, namespaces: &Namespaces) -> Result<Option<OwnedFd>, Denied> {
    let Order::Make { filesystem, source, options, .. } = order else { return Ok(None) };
    if filesystem != FileSystem::Proc.name() {
        return Ok(None);
    }
    namespaces.enter_user()?;
    namespaces.enter_pid()?;
    nix::sched::unshare(CloneFlags::CLONE_NEWNS)?;
    let (answers, theirs) = channel::pair().map_err(std::io::Error::other)?;
    // An instance shows the processes among which it was made, and only a child is one of them.
    let (pid, pidfd) = sys::clone::fork(|| {
        let made = rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(Denied::from)
            .and_then(|()| instance(FileSystem::Proc, source, options));
        let sent = match &made {
            Ok(made) => channel::send(&theirs, &0, Some(made)),
            Err(Denied::Errno(errno)) => channel::send(&theirs, errno, None),
            Err(Denied::Refused(_)) => channel::send(&theirs, &libc::EPERM, None),
        };
        u8::from(sent.is_err())
    })?;
    drop(theirs);
    let patience = Timespec::try_from(CHILD_PATIENCE).map_err(std::io::Error::other)?;
    let has_answered = rustix::event::poll(&mut [PollFd::new(&answers, PollFlags::IN)], Some(&patience))? > 0;
    let answer = has_answered.then(|| channel::receive::<i32>(&answers));
    // The container's root can stop it, also before it would die with us; it cannot see us.
    if let Err(error) = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL)
        && error != Errno::SRCH
    {
        return Err(error.into());
    }
    sys::clone::reap(pid);
    match answer {
        None => Err(Denied::Errno(libc::ETIMEDOUT)),
        Some(Ok((0, Some(made)))) => Ok(Some(made)),
        Some(Ok((errno, _))) if errno > 0 => Err(Denied::Errno(errno)),
        Some(Ok(_) | Err(_)) => Err(Denied::Errno(libc::EIO)),
    }
}

/// Makes the instance, unless it is `made` already, and puts it in its place.
pub(super) fn make(
    order: &Order,
    made: Option<OwnedFd>,
    inside: &Inside,
    caller: &Caller,
    table: &MountTable,
    ledger: &mut Ledger,
) -> Result<(), Denied> {
    let Order::Make { filesystem, source, target, flags, options, layers } = order else { return Ok(()) };
    let filesystem = FileSystem::by_name(filesystem.as_bytes()).ok_or(Denied::Errno(libc::ENODEV))?;
    let (target, layers) =
        caller.as_caller(inside, || Ok((caller::open(target, true)?, layers.as_ref().map(Opened::of).transpose()?)))?;
    let tree = match (made, layers) {
        (Some(made), _) => made,
        (None, Some(layers)) => layers.overlay(inside, table, options)?,
        (None, None) => instance(filesystem, source, options)?,
    };
    dress(&tree, *flags, filesystem)?;
    attach(&tree, &target, inside, table, ledger)
}

/// An instance, as a detached mount.
fn instance(filesystem: FileSystem, source: &[u8], options: &[(String, String)]) -> Result<OwnedFd, Denied> {
    let context = rustix::mount::fsopen(filesystem.name(), FsOpenFlags::FSOPEN_CLOEXEC)?;
    if !source.is_empty() {
        rustix::mount::fsconfig_set_string(context.as_fd(), "source", OsStr::from_bytes(source))?;
    }
    created(context, filesystem, options)
}

fn created(context: OwnedFd, filesystem: FileSystem, options: &[(String, String)]) -> Result<OwnedFd, Denied> {
    for (name, text) in options {
        let takes = filesystem.options().iter().find(|option| option.name == name).map(|option| option.takes);
        if takes == Some(Takes::Nothing) {
            rustix::mount::fsconfig_set_flag(context.as_fd(), name.as_str())?;
        } else {
            rustix::mount::fsconfig_set_string(context.as_fd(), name.as_str(), text.as_str())?;
        }
    }
    rustix::mount::fsconfig_create(context.as_fd())?;
    Ok(rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}

/// The opened directories of an overlay.
struct Opened {
    lower: Vec<OwnedFd>,
    upper: Option<(OwnedFd, OwnedFd)>,
}

impl Opened {
    fn of(layers: &Layers) -> Result<Self, Denied> {
        let lower = layers.lower.iter().map(|path| caller::open(path, true)).collect::<Result<_, _>>()?;
        let upper = layers
            .upper
            .as_ref()
            .map(|(upper, work)| Ok::<_, Denied>((caller::open(upper, true)?, caller::open(work, true)?)));
        Ok(Self { lower, upper: upper.transpose()? })
    }

    fn overlay(&self, inside: &Inside, table: &MountTable, options: &[(String, String)]) -> Result<OwnedFd, Denied> {
        for layer in self.lower.iter().chain(self.upper.iter().flat_map(|(upper, work)| [upper, work])) {
            table::judge_layer(table, mount_of(layer)?.0, &inside.path_of(layer)?)?;
        }
        match self.by_descriptor(options) {
            // Linux before 6.5 takes no descriptors (EOPNOTSUPP), before 6.13 none here, before 6.15 none that are paths alone.
            Err(Denied::Errno(libc::EOPNOTSUPP | libc::EINVAL | libc::EBADF)) => self.by_number(inside, options),
            made => made,
        }
    }

    fn by_descriptor(&self, options: &[(String, String)]) -> Result<OwnedFd, Denied> {
        let context = context()?;
        let set = |key: &str, layer: &OwnedFd| rustix::mount::fsconfig_set_fd(context.as_fd(), key, layer);
        self.lower.iter().try_for_each(|layer| set("lowerdir+", layer))?;
        if let Some((upper, work)) = &self.upper {
            set("upperdir", upper)?;
            set("workdir", work)?;
        }
        created(context, FileSystem::Overlay, options)
    }

    /// By the numbers of the descriptors, which are paths in their directory.
    fn by_number(&self, inside: &Inside, options: &[(String, String)]) -> Result<OwnedFd, Denied> {
        inside.go_to_descriptors()?;
        let context = context()?;
        let number = |layer: &OwnedFd| layer.as_raw_fd().to_string();
        let lower = self.lower.iter().map(number).collect::<Vec<_>>().join(":");
        rustix::mount::fsconfig_set_string(context.as_fd(), "lowerdir", lower.as_str())?;
        if let Some((upper, work)) = &self.upper {
            rustix::mount::fsconfig_set_string(context.as_fd(), "upperdir", number(upper).as_str())?;
            rustix::mount::fsconfig_set_string(context.as_fd(), "workdir", number(work).as_str())?;
        }
        let made = created(context, FileSystem::Overlay, options);
        inside.return_to_root()?;
        made
    }
}

fn context() -> Result<OwnedFd, Denied> {
    let context = rustix::mount::fsopen(FileSystem::Overlay.name(), FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(context.as_fd(), "source", FileSystem::Overlay.name())?;
    Ok(context)
}
