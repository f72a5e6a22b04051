//! `do`: a command over the host's root file system, without image, bundle or configuration.
//!
//! The root is the host's, read-only under an overlay whose writes are thrown away. What stands in it that a command
//! under test has no business with (password hashes, keys, engines' data) is masked; what is mounted below it is not
//! there at all.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::lifecycle::launch::{Launch, Opening};
use crate::lifecycle::{CreateRequest, LifecycleError, terminal};
use crate::rootfs::Rootfs;
use crate::spec::container::{Capabilities, Container, IdMappings, Namespace, Namespaces, Process};
use crate::spec::environment;
use crate::spec::hooks::Hooks;
use crate::spec::mounts::{Mount, MountKind};
use crate::spec::resources::Resources;

/// Variables of the caller that the command sees; everything else may hold secrets and is left behind.
const ENVIRONMENT: [&str; 12] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE", "LC_ALL", "TZ"];

/// Files and folders of the host that are masked.
const SECRETS: [&str; 17] = [
    "/var/backups",
    "/var/lib/private",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/kubernetes",
    "/etc/rancher",
    "/var/lib/kubelet",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/containers",
    "/var/lib/etcd",
];

/// The same, in each home directory.
const HOME_SECRETS: [&str; 13] = [
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".config/gcloud",
    ".netrc",
    ".git-credentials",
    ".npmrc",
    ".password-store",
    ".pgpass",
    ".vault-token",
];

/// A command to run over the host's root.
#[derive(Debug)]
pub struct HostRoot {
    process: Process,
}

impl HostRoot {
    /// The command with its arguments; `extra_env` holds `KEY=value`, or `KEY` to pass the caller's value on.
    ///
    /// # Errors
    /// [`LifecycleError::NoCommand`].
    pub fn new(command: Vec<OsString>, extra_env: &[OsString]) -> Result<Self, Error> {
        let args: Vec<CString> =
            command.into_iter().map(|arg| CString::new(arg.into_encoded_bytes()).unwrap_or_default()).collect();
        if args.first().is_none_or(|program| program.is_empty()) {
            return Err(LifecycleError::NoCommand.into());
        }
        let cwd = std::env::current_dir().unwrap_or_else(|_gone| PathBuf::from("/"));
        let all = lazaret_capabilities();
        Ok(Self {
            process: Process {
                args,
                env: environment(extra_env),
                cwd,
                uid: 0,
                gid: 0,
                additional_gids: Vec::new(),
                umask: None,
                capabilities: Capabilities {
                    bounding: all,
                    effective: all,
                    inheritable: 0,
                    permitted: all,
                    ambient: 0,
                },
                no_new_privileges: true,
                rlimits: Vec::new(),
                terminal: terminal::is_interactive(),
                console_size: None,
                oom_score_adj: None,
                io_priority: None,
                scheduler: None,
                exec_cpu_affinity: None,
                apparmor_profile: None,
            },
        })
    }

    /// The launch, under an id made from our process id.
    pub(super) fn into_launch(self) -> Launch {
        let id = format!("do-{}", std::process::id());
        Launch {
            bundle: PathBuf::from("/"),
            config: None,
            container: container(self.process),
            admitted: None,
            findings: Vec::new(),
            request: CreateRequest { id, rootfs: Rootfs::ThrowAway { lower: "/".into() }, ..CreateRequest::default() },
            opening: Opening::Now,
            stream: None,
        }
    }
}

/// The capabilities of the command inside its user namespace: what a usual root program needs.
fn lazaret_capabilities() -> u64 {
    use caps::Capability::{
        CAP_AUDIT_WRITE, CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_NET_BIND_SERVICE,
        CAP_SETFCAP, CAP_SETGID, CAP_SETPCAP, CAP_SETUID, CAP_SYS_CHROOT,
    };
    [
        CAP_AUDIT_WRITE,
        CAP_CHOWN,
        CAP_DAC_OVERRIDE,
        CAP_FOWNER,
        CAP_FSETID,
        CAP_KILL,
        CAP_NET_BIND_SERVICE,
        CAP_SETFCAP,
        CAP_SETGID,
        CAP_SETPCAP,
        CAP_SETUID,
        CAP_SYS_CHROOT,
    ]
    .iter()
    .fold(0, |mask, capability| mask | capability.bitmask())
}

fn environment(extra: &[OsString]) -> Vec<CString> {
    let own = ENVIRONMENT.iter().map(OsString::from).filter_map(pair);
    let extra = extra.iter().filter_map(|entry| match entry.as_bytes().contains(&b'=') {
        true => Some(entry.clone()),
        false => pair(entry.clone()),
    });
    let mut all = Vec::new();
    for entry in own.chain(extra).filter_map(|entry| CString::new(entry.into_encoded_bytes()).ok()) {
        environment::set(&mut all, entry);
    }
    all
}

fn pair(key: OsString) -> Option<OsString> {
    let value = std::env::var_os(&key)?;
    let mut pair = key;
    pair.push("=");
    pair.push(value);
    Some(pair)
}

fn container(process: Process) -> Container {
    Container {
        oci_version: "1.3.0".to_owned(),
        rootfs: PathBuf::from("/"),
        rootfs_readonly: false,
        rootfs_propagation: None,
        hostname: Some(c"lazaret".to_owned()),
        domainname: None,
        process,
        mounts: mounts(),
        namespaces: Namespaces {
            user: Namespace::New,
            mount: Namespace::New,
            pid: Namespace::New,
            network: Namespace::New,
            ipc: Namespace::New,
            uts: Namespace::New,
            cgroup: Namespace::New,
            time: Namespace::Host,
        },
        id_mappings: IdMappings::default(),
        devices: Vec::new(),
        cgroups_path: None,
        resources: Resources::default(),
        sysctl: BTreeMap::new(),
        masked_paths: SECRETS.iter().map(PathBuf::from).chain(home_secrets()).collect(),
        readonly_paths: Vec::new(),
        seccomp: None,
        hooks: Hooks::default(),
        personality: None,
        memory_policy: None,
        time_offsets: None,
        net_devices: Vec::new(),
        annotations: BTreeMap::new(),
    }
}

/// Secrets in every home that the host has.
fn home_secrets() -> impl Iterator<Item = PathBuf> {
    let homes = std::fs::read_dir("/home").into_iter().flatten().flatten().map(|entry| entry.path());
    let homes = homes.chain([PathBuf::from("/root")]).chain(std::env::home_dir());
    let homes: std::collections::BTreeSet<PathBuf> = homes.collect();
    homes.into_iter().flat_map(|home| HOME_SECRETS.iter().map(move |secret| home.join(secret)))
}

fn mounts() -> Vec<Mount> {
    let nodev = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    let strict = nodev | libc::MOUNT_ATTR_NOEXEC;
    [
        ("/proc", "proc", strict, &[][..]),
        ("/sys", "sysfs", strict | libc::MOUNT_ATTR_RDONLY, &[]),
        ("/dev", "tmpfs", libc::MOUNT_ATTR_NOSUID, &[("mode", "755"), ("size", "64k")]),
        (
            "/dev/pts",
            "devpts",
            libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC,
            &[("ptmxmode", "0666"), ("mode", "0620")],
        ),
        ("/dev/shm", "tmpfs", strict, &[("mode", "1777"), ("size", "64m")]),
        ("/dev/mqueue", "mqueue", strict, &[]),
        ("/run", "tmpfs", nodev, &[("mode", "755"), ("size", "64m")]),
    ]
    .into_iter()
    .enumerate()
    .map(|(index, (destination, fstype, attr_set, data))| Mount {
        index,
        destination: Path::new(destination).to_owned(),
        kind: MountKind::Filesystem {
            fstype: fstype.to_owned(),
            source: fstype.to_owned(),
            data: data.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect(),
            copy_up: false,
        },
        attr_set,
        attr_clear: 0,
        recursive_attr_set: 0,
        recursive_attr_clear: 0,
        propagation: None,
        idmap: None,
        id_mappings: IdMappings::default(),
    })
    .collect()
}
