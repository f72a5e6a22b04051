//! What a container is, as the host's /proc and cgroup file system show it: one property a line, in words that do not
//! depend on which runtime made it.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::{outcome, programs};

use crate::engine::{Container, Engine};

/// Properties by name.
pub(crate) type View = BTreeMap<String, String>;

/// The property that says whether the bundle was run at all.
pub(crate) const RUN: &str = "run";

/// Lines of /proc/PID/status that a runtime decides on.
const STATUS: &[&str] = &[
    "Uid",
    "Gid",
    "Groups",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "Umask",
    "Threads",
];
/// Files of /proc/PID that a runtime decides on, as they are.
const FILES: &[&str] =
    &["oom_score_adj", "uid_map", "gid_map", "setgroups", "timens_offsets", "personality", "coredump_filter"];
/// Values of a cgroup that a bundle can set, under cgroup v1 and v2.
const LIMITS: &[&str] = &[
    "memory.limit_in_bytes",
    "memory.soft_limit_in_bytes",
    "memory.memsw.limit_in_bytes",
    "pids.max",
    "cpu.shares",
    "cpu.cfs_quota_us",
    "cpu.cfs_period_us",
    "cpuset.cpus",
    "cpuset.mems",
    "blkio.weight",
    "devices.list",
    "hugetlb.2MB.limit_in_bytes",
    "memory.max",
    "memory.high",
    "memory.low",
    "cpu.max",
    "cpu.weight",
];

/// Runs the bundle under `engine` and looks at it.
pub(crate) fn of(engine: Engine, bundle: &Bundle) -> View {
    let container = match Container::run(engine, bundle) {
        Ok(container) => container,
        Err(said) => return [(RUN.to_owned(), format!("no: {}", said.lines().next().unwrap_or_default()))].into(),
    };
    let process = PathBuf::from(format!("/proc/{}", container.pid));
    let mut view = View::from([(RUN.to_owned(), "yes".to_owned())]);
    let mut add = |name: String, value: String| {
        let value = value.replace(&bundle.path().display().to_string(), "BUNDLE");
        view.insert(name, value.replace(bundle.id(), "ID"));
    };
    status(&process, &mut add);
    for file in FILES {
        add((*file).to_owned(), read(&process.join(file)));
    }
    for line in read(&process.join("limits")).lines().skip(1) {
        let (name, value) = line.split_at(26);
        add(format!("limit {}", name.trim()), value.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let environment = read(&process.join("environ"));
    let mut entries: Vec<&str> = environment.split_terminator('\0').collect();
    // libcontainer's order is another at each run.
    entries.sort_unstable();
    add("environment".to_owned(), entries.join("\n"));
    for link in ["cwd", "exe"] {
        add(link.to_owned(), target(&process.join(link)));
    }
    descriptors(&process, &mut add);
    session(container.pid, &mut add);
    namespaces(&process, &mut add);
    mounts(&process, &mut add);
    names(container.pid, bundle, &mut add);
    cgroups(&process, &mut add);
    for directory in ["dev", "data"] {
        files(&process.join("root"), Path::new(directory), &mut add);
    }
    view
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| error.kind().to_string())
}

fn target(path: &Path) -> String {
    std::fs::read_link(path).map_or_else(|error| error.kind().to_string(), |path| path.display().to_string())
}

fn status(process: &Path, add: &mut impl FnMut(String, String)) {
    let text = read(&process.join("status"));
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
        if name == "SigIgn" {
            // Signals 32 and 33 are glibc's own: as the caller has them, whatever a runtime would like.
            let ignored = u64::from_str_radix(value.trim(), 16).unwrap() & !(0b11 << 31);
            add(name.to_owned(), format!("{ignored:x}"));
        } else if STATUS.contains(&name) {
            add(name.to_owned(), value.trim().to_owned());
        }
    }
    let ids = text.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let inner = ids.split_whitespace().nth(1).unwrap_or("the host's");
    add("pid inside".to_owned(), inner.to_owned());
}

fn descriptors(process: &Path, add: &mut impl FnMut(String, String)) {
    for entry in std::fs::read_dir(process.join("fd")).unwrap().flatten() {
        let number = entry.file_name().to_string_lossy().into_owned();
        let shown = target(&entry.path());
        // Standard error is the runtime's own, in a file of its own.
        let shown = if number == "2" && shown.ends_with("/said") { "said".to_owned() } else { shown };
        add(format!("descriptor {number}"), shown);
    }
}

/// Session, process group and scheduling: fields 5 to 7, 18 and 19, 40 and 41 of proc_pid_stat(5).
fn session(pid: i32, add: &mut impl FnMut(String, String)) {
    let text = read(Path::new(&format!("/proc/{pid}/stat")));
    let fields: Vec<&str> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
    let own = |field: &str| if field == pid.to_string() { "its own" } else { "another's" }.to_owned();
    add("process group".to_owned(), own(fields[2]));
    add("session".to_owned(), own(fields[3]));
    add("terminal".to_owned(), fields[4].to_owned());
    add("nice".to_owned(), fields[16].to_owned());
    add("real-time priority".to_owned(), fields[37].to_owned());
    add("scheduling policy".to_owned(), fields[38].to_owned());
}

fn namespaces(process: &Path, add: &mut impl FnMut(String, String)) {
    for name in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] {
        let inside = target(&process.join("ns").join(name));
        let own = target(&Path::new("/proc/self/ns").join(name));
        add(format!("namespace {name}"), if inside == own { "the host's" } else { "another" }.to_owned());
    }
}

/// The last mount on each place: its root, options, propagation, type and the file system's own options.
fn mounts(process: &Path, add: &mut impl FnMut(String, String)) {
    for line in read(&process.join("mountinfo")).lines() {
        let (own, superblock) = line.split_once(" - ").unwrap();
        let own: Vec<&str> = own.split(' ').collect();
        let superblock: Vec<&str> = superblock.split(' ').collect();
        let tags: Vec<&str> = own[6..].iter().map(|tag| tag.split(':').next().unwrap()).collect();
        // The mount's root on its file system is the bundle's own path, or a device, or the whole.
        let root = own[3].rsplit('/').next().unwrap();
        let options = |text: &str| {
            let mut options: Vec<&str> = text.split(',').collect();
            options.sort_unstable();
            options.join(",")
        };
        let value = format!(
            "{root} {} [{}] {} {}",
            options(own[5]),
            tags.join(" "),
            superblock[0],
            options(superblock.get(2).unwrap_or(&""))
        );
        add(format!("mount {}", own[4]), value);
    }
}

/// What the namespaces of the process show of names and sysctls.
fn names(pid: i32, bundle: &Bundle, add: &mut impl FnMut(String, String)) {
    let asked = bundle.config["linux"]["sysctl"].as_object().into_iter().flat_map(|keys| keys.keys().cloned());
    let keys = ["kernel.hostname", "kernel.domainname"].map(str::to_owned).into_iter().chain(asked);
    for key in keys {
        let mut command = Command::new(programs::installed("nsenter"));
        command.args(["--target", &pid.to_string(), "--uts", "--ipc", "--net", "--", "cat"]);
        let value = outcome::run(command.arg(format!("/proc/sys/{}", key.replace('.', "/"))));
        add(format!("sysctl {key}"), value.stdout.trim().to_owned());
    }
}

/// The cgroup of each hierarchy, and the values in it.
fn cgroups(process: &Path, add: &mut impl FnMut(String, String)) {
    for line in read(&process.join("cgroup")).lines() {
        let fields: Vec<&str> = line.splitn(3, ':').collect();
        let (controllers, path) = (fields[1], fields[2]);
        let folder = if controllers.is_empty() { "unified" } else { controllers.trim_start_matches("name=") };
        add(format!("cgroup of {folder}"), path.to_owned());
        let hierarchies = [Path::new("/sys/fs/cgroup").join(folder), PathBuf::from("/sys/fs/cgroup")];
        let Some(directory) = hierarchies.iter().map(|at| at.join(path.trim_start_matches('/'))).find(|at| at.is_dir())
        else {
            continue;
        };
        for file in LIMITS {
            let value = directory.join(file);
            if value.is_file() {
                let mut lines: Vec<String> = read(&value).lines().map(str::to_owned).collect();
                lines.sort_unstable();
                add(format!("cgroup value {file}"), lines.join("\n"));
            }
        }
    }
}

/// What is in a directory of the container: kind, mode, owner, device number or target.
fn files(root: &Path, path: &Path, add: &mut impl FnMut(String, String)) {
    let Ok(entries) = std::fs::read_dir(root.join(path)) else { return };
    for entry in entries.flatten() {
        let path = path.join(entry.file_name());
        let data = entry.path().symlink_metadata().unwrap();
        let kind = data.file_type();
        let what = if kind.is_symlink() {
            format!("link to {}", target(&entry.path()))
        } else if kind.is_char_device() || kind.is_block_device() {
            format!("device {}:{}", rustix::fs::major(data.rdev()), rustix::fs::minor(data.rdev()))
        } else if kind.is_dir() {
            "directory".to_owned()
        } else {
            format!("file of {} bytes", data.len())
        };
        let name = format!("file /{}", path.display());
        add(name, format!("{what} {:o} {}:{}", data.mode() & 0o7777, data.uid(), data.gid()));
        if kind.is_dir() && !path.starts_with("dev/pts") {
            files(root, &path, add);
        }
    }
}
