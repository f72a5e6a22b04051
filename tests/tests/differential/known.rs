//! The differences that are known, each with who differs from the others and why that is so.

use crate::engine::Engine;

/// One known difference.
#[derive(Debug)]
pub(crate) struct Known {
    /// The bundle's name; `*` for every one.
    pub(crate) bundle: &'static str,
    /// The property, or its beginning with a `*` behind it.
    pub(crate) property: &'static str,
    /// The engine that differs.
    pub(crate) who: Engine,
    /// What its value then has in it.
    shows: &'static str,
    /// Why.
    pub(crate) reason: &'static str,
}

const fn known(bundle: &'static str, property: &'static str, who: Engine, reason: &'static str) -> Known {
    Known { bundle, property, who, shows: "", reason }
}

impl Known {
    const fn showing(self, shows: &'static str) -> Self {
        Self { shows, ..self }
    }

    /// Whether it explains that `who` has `value`.
    fn explains(&self, bundle: &str, property: &str, who: Engine, value: Option<&str>) -> bool {
        let matches = |pattern: &str, text: &str| {
            pattern.strip_suffix('*').map_or(pattern == text, |beginning| text.starts_with(beginning))
        };
        self.who == who
            && matches(self.bundle, bundle)
            && matches(self.property, property)
            && value.unwrap_or_default().contains(self.shows)
    }
}

const NULL: &str = "null noexec,nosuid,relatime,rw [] devtmpfs";
const EMPTY: &str = " nodev,noexec,nosuid,relatime,ro [] tmpfs ";
const MASK: &str =
    "masks are read-only, noexec, nosuid and nodev, and a masked file is the host's verified null device";
const NO_HOME: &str = "a user whom the image does not know gets no HOME";
const REMOUNT: &str = "a read-only path gets flags that its mount does not have";

/// Every known difference.
pub(crate) const ENTRIES: &[Known] = &[
    known(
        "*",
        "cgroup of *",
        Engine::Lazaret,
        "on cgroup v1 only the hierarchies are entered in which something is limited, counted or frozen: each costs time",
    )
    .showing("/"),
    known(
        "*",
        "cgroup of systemd",
        Engine::Runc,
        "it makes a cgroup in systemd's named hierarchy also without systemd",
    ),
    known("*", "cgroup of unified", Engine::Libcontainer, "on a hybrid host it leaves cgroup v2 alone"),
    known(
        "*",
        "mount /sys/fs/cgroup/*",
        Engine::Lazaret,
        "the hierarchies that the container is in are shown, v2 among them",
    ),
    known(
        "*",
        "mount /sys/fs/cgroup/*",
        Engine::Libcontainer,
        "v1 hierarchies do not get all the flags of the bundle, ro among them",
    ),
    known("*", "mount /sys/fs/cgroup", Engine::Lazaret, "ro as the bundle says; the others leave the tmpfs writable"),
    known(
        "*",
        "cgroup value devices.list",
        Engine::Lazaret,
        "no tun and tap by default (runc gave that up in 1.2), but /dev/console, which the specification lists",
    )
    .showing("c 136:* rwm\nc 1:3 rwm\nc 1:5 rwm\nc 1:7 rwm\nc 1:8 rwm\nc 1:9 rwm\nc 5:0 rwm\nc 5:1 rwm\nc 5:2 rwm"),
    known(
        "*",
        "mount /dev/*",
        Engine::Lazaret,
        "a bound device is noexec and nosuid; /dev/null always is the host's, verified",
    )
    .showing(" noexec,nosuid,relatime,rw [] devtmpfs"),
    known("*", "mount /proc/*", Engine::Lazaret, MASK).showing(NULL),
    known("*", "mount /proc/*", Engine::Lazaret, MASK).showing(EMPTY),
    known("*", "mount /sys/firmware", Engine::Lazaret, MASK).showing(EMPTY),
    known("other-masks", "mount /etc/passwd", Engine::Lazaret, MASK).showing(NULL),
    known("other-masks", "mount /home", Engine::Lazaret, MASK).showing(EMPTY),
    known("*", "mount /proc/*", Engine::Libcontainer, REMOUNT),
    known("other-masks", "mount /tmp", Engine::Libcontainer, REMOUNT),
    known("*", "mount /sys", Engine::Runc, "ro goes to the file system beside the mount, of which there is no other"),
    known(
        "*",
        "file /dev/mqueue",
        Engine::Lazaret,
        "the IPC namespace is made by the clone, before its first process is root in the user namespace; 1777 serves all",
    ),
    known("*", "SigIgn", Engine::Libcontainer, "it hands on that Rust ignores SIGPIPE"),
    known(
        "seccomp",
        "Seccomp",
        Engine::Libcontainer,
        "compiled without libseccomp it warns and goes on without the profile",
    ),
    known(
        "no-capability-section",
        "Cap*",
        Engine::Libcontainer,
        "without a section it keeps every capability of its caller",
    ),
    known("devices", "file /dev/deep", Engine::Libcontainer, "directories above a device are made with mode 0777"),
    known("groups", "environment", Engine::Libcontainer, NO_HOME),
    known("other-masks", "environment", Engine::Libcontainer, NO_HOME),
    known("bind-relative", "run", Engine::Libcontainer, "a relative source is not looked for in the bundle"),
    known("cwd-to-be-made", "run", Engine::Libcontainer, "a working directory that is missing is not made"),
    known("tmpcopyup", "run", Engine::Libcontainer, "tmpcopyup is handed to the kernel, which knows no such option"),
];

/// The index of the entry for a difference.
pub(crate) fn find(bundle: &str, property: &str, who: Engine, value: Option<&str>) -> Option<usize> {
    ENTRIES.iter().position(|entry| entry.explains(bundle, property, who, value))
}
