//! Which namespaces a container joins and which are made for it, decided before anything is cloned.
//!
//! In sandbox mode a user namespace and a cgroup namespace are made even when the bundle does not list them. A
//! container that joins namespaces of another sandbox (a pod's) enters the user namespace that owns those, because no
//! right over them could be had from any other.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::options::Mode as RunMode;
use crate::policy::NamespaceKind;
use crate::spec::container::{Namespace, Namespaces};
use crate::sys;

/// Why the namespaces could not be had.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// A path of `linux.namespaces` does not name a namespace.
    #[error("could not open the {kind} namespace {path} (linux.namespaces)")]
    Open {
        /// `network`, `ipc` …
        kind: &'static str,
        /// The path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The joined namespaces belong to different user namespaces.
    #[error("the namespaces that linux.namespaces joins belong to different user namespaces")]
    MixedOwners,
    /// A path of `linux.namespaces` names a namespace of another kind.
    #[error("{path} is not a {kind} namespace, but one of another kind (linux.namespaces)")]
    OtherKind {
        /// The kind that it is listed as.
        kind: &'static str,
        /// The path.
        path: PathBuf,
    },
}

impl NamespaceError {
    /// Stable number of this error, 1460-1469.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Open { .. } => 1460,
            Self::MixedOwners => 1461,
            Self::OtherKind { .. } => 1462,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open { .. } => Some("is the container whose namespace this is still running?".to_owned()),
            Self::MixedOwners => Some("join the namespaces of one pod only".to_owned()),
            Self::OtherKind { .. } => Some("type and path of an entry must speak of the same kind".to_owned()),
        }
    }
}

/// The user namespace of a container.
#[derive(Debug)]
pub enum UserNamespace {
    /// The runtime's own: native mode without mappings.
    Host,
    /// A new one is to be made.
    New,
    /// An existing one.
    Join(OwnedFd),
}

/// What stage 1 is to do.
#[derive(Debug)]
pub struct Plan {
    /// Where the user namespace comes from.
    pub user: UserNamespace,
    /// The other namespaces to join.
    pub join: Vec<OwnedFd>,
    /// The time namespace to join, which the launcher itself has to: the kernel lets no process join one that shares its
    /// memory, as stage 1 does (EUSERS).
    pub time: Option<OwnedFd>,
    /// `CLONE_NEW*` flags of those to make at the clone.
    pub new: i32,
    /// Whether the container has no mount namespace of its own and mounts where lazaret itself runs.
    pub host_mounts: bool,
    /// Whether stage 2 makes a cgroup namespace, once it is in its cgroup.
    pub new_cgroup: bool,
    /// Whether the network namespace is new (its loopback is then set up) or the joined one.
    pub network: Network,
}

/// Where the network namespace comes from.
#[derive(Debug)]
pub enum Network {
    /// The host's.
    Host,
    /// A new one.
    New,
    /// The index in [`Plan::join`] of the joined one.
    Joined(usize),
}

impl Plan {
    /// Takes what policy opened (`judged`; in native mode the paths are opened here) and lists what is made.
    ///
    /// # Errors
    /// See [`NamespaceError`].
    pub fn new(
        namespaces: &Namespaces,
        judged: Option<&[(NamespaceKind, OwnedFd)]>,
        has_mappings: bool,
        mode: RunMode,
    ) -> Result<Self, NamespaceError> {
        let open = Opener { judged };
        let mut plan = Self {
            user: UserNamespace::Host,
            join: Vec::new(),
            time: None,
            new: 0,
            host_mounts: namespaces.mount == Namespace::Host,
            new_cgroup: match namespaces.cgroup {
                Namespace::New => true,
                Namespace::Host => mode != RunMode::Native,
                Namespace::Join(_) => false,
            },
            network: Network::Host,
        };
        for (kind, namespace) in [
            (NamespaceKind::Mount, &namespaces.mount),
            (NamespaceKind::Network, &namespaces.network),
            (NamespaceKind::Pid, &namespaces.pid),
            (NamespaceKind::Ipc, &namespaces.ipc),
            (NamespaceKind::Uts, &namespaces.uts),
            (NamespaceKind::Time, &namespaces.time),
        ] {
            plan.add(&open, kind, namespace)?;
        }
        if let Namespace::Join(path) = &namespaces.cgroup {
            plan.join.push(open.namespace(NamespaceKind::Cgroup, path)?);
        }
        plan.user = plan.choose_user(&open, &namespaces.user, has_mappings, mode)?;
        Ok(plan)
    }

    fn add(&mut self, open: &Opener<'_>, kind: NamespaceKind, namespace: &Namespace) -> Result<(), NamespaceError> {
        match namespace {
            Namespace::Host => {}
            Namespace::New => {
                self.new |= kind.clone_flag();
                if kind == NamespaceKind::Network {
                    self.network = Network::New;
                }
            }
            Namespace::Join(path) => {
                if kind == NamespaceKind::Network {
                    self.network = Network::Joined(self.join.len());
                }
                let joined = open.namespace(kind, path)?;
                if kind == NamespaceKind::Time {
                    self.time = Some(joined);
                } else {
                    self.join.push(joined);
                }
            }
        }
        Ok(())
    }

    fn choose_user(
        &self,
        open: &Opener<'_>,
        user: &Namespace,
        has_mappings: bool,
        mode: RunMode,
    ) -> Result<UserNamespace, NamespaceError> {
        if let Namespace::Join(path) = user {
            return Ok(UserNamespace::Join(open.namespace(NamespaceKind::User, path)?));
        }
        if let Some(owner) = self.pod_owner()? {
            return Ok(UserNamespace::Join(owner));
        }
        let wanted = has_mappings || *user == Namespace::New || mode != RunMode::Native;
        Ok(if wanted { UserNamespace::New } else { UserNamespace::Host })
    }

    /// The user namespace that owns the joined namespaces, unless that is our own.
    fn pod_owner(&self) -> Result<Option<OwnedFd>, NamespaceError> {
        let own = identity("/proc/self/ns/user")?;
        let mut found: Option<(OwnedFd, (u64, u64))> = None;
        for namespace in self.join.iter().chain(&self.time) {
            let Ok(owner) = sys::namespace::owner(namespace) else { continue };
            let Ok(stat) = rustix::fs::fstat(&owner) else { continue };
            let owner_identity = (stat.st_dev, stat.st_ino);
            if owner_identity == own {
                continue;
            }
            match &found {
                Some((_, known)) if *known != owner_identity => return Err(NamespaceError::MixedOwners),
                Some(_) => {}
                None => found = Some((owner, owner_identity)),
            }
        }
        Ok(found.map(|(owner, _)| owner))
    }

    /// The joined network namespace.
    #[must_use]
    pub fn joined_network(&self) -> Option<BorrowedFd<'_>> {
        match self.network {
            Network::Joined(index) => self.join.get(index).map(AsFd::as_fd),
            Network::Host | Network::New => None,
        }
    }
}

/// Runs `work` in the time namespace `time`, if there is one; we are single-threaded, and back again afterwards.
///
/// # Errors
/// Those of `work`; [`NamespaceError::Open`] when it cannot be joined or left.
pub fn within_time<T, E: From<NamespaceError>>(
    time: Option<&OwnedFd>,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let Some(time) = time else { return work() };
    let failed = |source: io::Error| NamespaceError::Open { kind: "time", path: "/proc/self/ns/time".into(), source };
    let enter = |fd: &OwnedFd| {
        nix::sched::setns(fd, nix::sched::CloneFlags::from_bits_retain(libc::CLONE_NEWTIME))
            .map_err(|error| failed(error.into()))
    };
    let own = rustix::fs::open("/proc/self/ns/time", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| failed(error.into()))?;
    enter(time)?;
    let result = work();
    enter(&own)?;
    result
}

/// The namespaces of a running process that are not our own, for a newcomer to join by its pidfd (`setns(2)`).
#[derive(Debug, Clone, Copy)]
pub struct Shared {
    kinds: i32,
}

impl Shared {
    /// Those that the process `pid` has and we do not. A kind that this kernel does not know is in neither.
    ///
    /// # Errors
    /// [`NamespaceError::Open`] when the process has ended.
    pub fn with(pid: i32) -> Result<Self, NamespaceError> {
        let mut kinds = 0;
        for kind in NamespaceKind::ALL {
            let name = kind.proc_name();
            let own = format!("/proc/self/ns/{name}");
            if kind == NamespaceKind::Time && !Path::new(&own).exists() {
                continue;
            }
            if identity(&own)? != identity(&format!("/proc/{pid}/ns/{name}"))? {
                kinds |= kind.clone_flag();
            }
        }
        Ok(Self { kinds })
    }

    /// Whether a user namespace is among them.
    #[must_use]
    pub fn has_user(self) -> bool {
        self.kinds & libc::CLONE_NEWUSER != 0
    }

    /// `CLONE_NEW*` flags of those that stage 1 joins, all at once.
    #[must_use]
    pub fn by_stage1(self) -> i32 {
        self.kinds & !LATE
    }

    /// `CLONE_NEW*` flags of those that only the newcomer itself can join.
    #[must_use]
    pub fn by_itself(self) -> i32 {
        self.kinds & LATE
    }
}

/// A process that is born into a cgroup must see that from its cgroup namespace (`cgroup_attach_permissions` in
/// kernel/cgroup/cgroup.c), and stage 1, which shares its memory with the launcher, may not change its clocks
/// (`timens_install` in kernel/time/namespace.c).
const LATE: i32 = libc::CLONE_NEWCGROUP | libc::CLONE_NEWTIME;

/// Where the descriptors of joined namespaces come from: what policy judged is what is joined, not its path once more.
struct Opener<'a> {
    judged: Option<&'a [(NamespaceKind, OwnedFd)]>,
}

impl Opener<'_> {
    fn namespace(&self, kind: NamespaceKind, path: &Path) -> Result<OwnedFd, NamespaceError> {
        let refuse = |source| NamespaceError::Open { kind: kind.oci_name(), path: path.to_owned(), source };
        let namespace = match self.judged {
            None => open(kind.oci_name(), path)?,
            Some(judged) => {
                let found = judged.iter().find(|(judged, _)| *judged == kind).map(|(_, fd)| fd);
                found.ok_or_else(|| refuse(io::ErrorKind::NotFound.into()))?.try_clone().map_err(refuse)?
            }
        };
        // setns(2) would join whatever it is: the host's network, listed as an ipc namespace.
        if sys::namespace::kind(&namespace).map_err(refuse)? != kind.clone_flag() {
            return Err(NamespaceError::OtherKind { kind: kind.oci_name(), path: path.to_owned() });
        }
        Ok(namespace)
    }
}

fn open(kind: &'static str, path: &Path) -> Result<OwnedFd, NamespaceError> {
    let refuse = |source| NamespaceError::Open { kind, path: path.to_owned(), source };
    let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
        .map_err(|error| refuse(error.into()))?;
    let is_nsfs = rustix::fs::fstatfs(&fd).is_ok_and(|stat| stat.f_type == NSFS_MAGIC);
    if is_nsfs { Ok(fd) } else { Err(refuse(io::Error::from_raw_os_error(libc::EINVAL))) }
}

/// `NSFS_MAGIC` of `linux/magic.h`.
const NSFS_MAGIC: i64 = 0x6e73_6673;

fn identity(path: &str) -> Result<(u64, u64), NamespaceError> {
    let stat = rustix::fs::stat(path).map_err(|error| NamespaceError::Open {
        kind: "user",
        path: path.into(),
        source: error.into(),
    })?;
    Ok((stat.st_dev, stat.st_ino))
}
