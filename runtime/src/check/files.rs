//! Part 2: who may write to the programs, to the state and to the configuration, and who may speak to the engines. Whoever
//! can is root of every container, and mostly of the host.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};

use super::host::Host;
use super::report::{Control, Group, Verdict, Words};
use crate::options::Options;
use crate::policy::tables::engines::ENGINES;
use crate::state;

/// Where programs are installed.
const FOLDERS: &[&str] =
    &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/opt/lazaret/bin"];
/// The programs.
const PROGRAMS: &[&str] = &["lazaret", "containerd-shim-lazaret-v1"];
/// Files that decide what containers get.
const CONFIGURATION: &[&str] = &[
    "/etc/lazaret",
    "/etc/lazaret/config.toml",
    "/etc/lazaret/conf.d",
    "/etc/lazaret/allowed-hooks",
    "/etc/containerd",
    "/etc/containerd/config.toml",
    "/etc/containerd/conf.d",
    "/etc/docker",
    "/etc/docker/daemon.json",
    "/etc/containers/containers.conf",
    "/etc/crio/crio.conf",
    "/etc/crio/crio.conf.d",
];
/// Directories whose files count as well.
const DROP_INS: &[&str] =
    &["/etc/lazaret/conf.d", "/etc/containerd/conf.d", "/etc/containers/containers.conf.d", "/etc/crio/crio.conf.d"];

/// Whose sockets are for root, and at most for a group. Others, such as the message bus, ask each caller who it is.
const CONTAINER_ENGINES: &[&str] = &[
    "docker",
    "dockershim",
    "cri-dockerd",
    "containerd",
    "the node resource interface",
    "CRI-O",
    "podman",
    "BuildKit",
    "the kubelet",
];

/// Bits of a mode that let others than the owner write.
const WRITE_BY_OTHERS: u32 = 0o022;
/// Bits that let others than the owner do anything.
const ANYTHING_BY_OTHERS: u32 = 0o077;
/// Bits that let everybody connect.
const USE_BY_EVERYBODY: u32 = 0o006;

/// The part.
pub(super) fn control(host: &Host, options: &Options) -> Control {
    Control::of("2", "Files and modes", vec![programs(host), states(options), configuration(host), sockets(host)])
}

/// Judges who owns `path` and who may do what of `forbidden` with it.
fn judge(group: &mut Group, desc: &str, path: &Path, found: io::Result<Option<Stat>>, (owner, forbidden): (u32, u32)) {
    let shown = path.display();
    let words = Words::new(
        &format!("Ensure that {} {desc} {shown}", promise(forbidden)),
        &format!("stat -c '%u %a' {shown}"),
        &format!("owner {owner}, no bit of {forbidden:o} in the mode"),
        &format!("chown {owner} {shown} && chmod {} {shown}", symbolic(forbidden)),
    );
    let verdict = match found {
        Ok(None) => Verdict::Info("it is not there".to_owned()),
        Err(error) => Verdict::Warn(format!("could not be looked at: {error}")),
        Ok(Some(stat)) => {
            let mode = stat.st_mode & 0o7777;
            let actual = format!("owner {}, mode {mode:o}", stat.st_uid);
            // Where the sticky bit is set, others remove and rename nothing of the owner's.
            let is_sticky = FileType::from_raw_mode(stat.st_mode) == FileType::Directory && mode & 0o1000 != 0;
            let forbidden = if is_sticky { 0 } else { forbidden };
            if stat.st_uid == owner && mode & forbidden == 0 { Verdict::Pass(actual) } else { Verdict::Fail(actual) }
        }
    };
    group.judge(words, verdict);
}

fn promise(forbidden: u32) -> &'static str {
    match forbidden {
        ANYTHING_BY_OTHERS => "only its owner can enter the",
        USE_BY_EVERYBODY => "not everybody can use the",
        _ => "only its owner can change the",
    }
}

fn symbolic(forbidden: u32) -> &'static str {
    match forbidden {
        ANYTHING_BY_OTHERS => "go=",
        USE_BY_EVERYBODY => "o-rw",
        _ => "go-w",
    }
}

fn programs(host: &Host) -> Group {
    let mut group = Group::new("2.1", "programs");
    let own = std::env::current_exe().ok().filter(|_| host.is_own());
    let places = PROGRAMS.iter().flat_map(|name| FOLDERS.iter().map(move |folder| Path::new(folder).join(name)));
    let mut found: Vec<PathBuf> = Vec::new();
    let mut seen = Vec::new();
    for path in own.into_iter().chain(places) {
        let stat = host.stat(&path);
        let identity = match &stat {
            Ok(None) => continue,
            Ok(Some(stat)) => Some((stat.st_dev, stat.st_ino)),
            Err(_) => None,
        };
        // One directory may be a link to another.
        if identity.is_some() && seen.contains(&identity) {
            continue;
        }
        seen.push(identity);
        judge(&mut group, "program", &path, stat, (0, WRITE_BY_OTHERS));
        found.push(path);
    }
    if found.is_empty() {
        let words = Words::new("Ensure that only root can change the programs", "", "", "");
        group.judge(words, Verdict::Info("lazaret is not installed where programs usually are".to_owned()));
    }
    let mut folders: Vec<&Path> = found.iter().flat_map(|path| path.ancestors().skip(1)).collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        judge(&mut group, "directory above a program", folder, host.stat(folder), (0, WRITE_BY_OTHERS));
    }
    group
}

/// The state is this machine's, wherever the node's files are looked at.
fn states(options: &Options) -> Group {
    let mut group = Group::new("2.2", "state");
    let own = rustix::process::geteuid().as_raw();
    let stat = |path: &Path| match rustix::fs::stat(path) {
        Err(rustix::io::Errno::NOENT) => Ok(None),
        found => found.map(Some).map_err(io::Error::from),
    };
    judge(&mut group, "state directory", &options.root, stat(&options.root), (own, ANYTHING_BY_OTHERS));
    match state::ids(&options.root) {
        Ok(ids) => {
            for path in ids.iter().map(|id| options.root.join(id)) {
                judge(&mut group, "state of a container", &path, stat(&path), (own, ANYTHING_BY_OTHERS));
            }
        }
        Err(error) => {
            let (all, why) = (options.root.join("*"), io::Error::other(crate::causes::chain(&error)));
            judge(&mut group, "states", &all, Err(why), (own, ANYTHING_BY_OTHERS));
        }
    }
    if own == 0 {
        let leases = Path::new(crate::idmap::LEASES);
        judge(&mut group, "directory of leased ids", leases, stat(leases), (0, WRITE_BY_OTHERS));
    }
    group
}

fn configuration(host: &Host) -> Group {
    let mut group = Group::new("2.3", "configuration");
    let mut all: Vec<PathBuf> = CONFIGURATION.iter().map(PathBuf::from).collect();
    for folder in DROP_INS.iter().map(Path::new) {
        match host.list(folder) {
            Ok(files) => all.extend(files),
            Err(error) => judge(&mut group, "files", &folder.join("*"), Err(error), (0, WRITE_BY_OTHERS)),
        }
    }
    for path in &all {
        match host.stat(path) {
            // What an engine that is not here would have is nothing to tell.
            Ok(None) if !path.as_os_str().as_bytes().starts_with(b"/etc/lazaret") => {}
            found => judge(&mut group, "file", path, found, (0, WRITE_BY_OTHERS)),
        }
    }
    group
}

fn sockets(host: &Host) -> Group {
    let mut group = Group::new("2.4", "sockets of engines");
    let places = ENGINES.iter().filter(|engine| CONTAINER_ENGINES.contains(&engine.owner));
    let places =
        places.flat_map(|engine| engine.places).filter(|place| !place.contains('*') && !place.starts_with("/var/run"));
    for place in places {
        let path = Path::new(place);
        match host.stat(path) {
            Ok(None) => {}
            found => judge(&mut group, "socket", path, found, (0, USE_BY_EVERYBODY)),
        }
    }
    if group.results.is_empty() {
        let words = Words::new("Ensure that sockets of engines are not everybody's to use", "", "", "");
        group.judge(words, Verdict::Info("no engine's socket is here".to_owned()));
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    fn verdict(uid: u32, mode: u32, want: (u32, u32)) -> Status {
        let mut stat = rustix::fs::stat("/").unwrap();
        (stat.st_uid, stat.st_mode) = (uid, mode);
        let mut group = Group::new("1.1", "x");
        judge(&mut group, "file", Path::new("/x"), Ok(Some(stat)), want);
        group.results[0].status
    }

    #[test]
    fn owner_and_mode_decide() {
        let (file, directory, socket) = (0o100_000, 0o40_000, 0o140_000);
        for (uid, mode, want, status) in [
            (0, file | 0o755, (0, WRITE_BY_OTHERS), Status::Pass),
            (0, file | 0o775, (0, WRITE_BY_OTHERS), Status::Fail),
            (0, file | 0o646, (0, WRITE_BY_OTHERS), Status::Fail),
            (1000, file | 0o755, (0, WRITE_BY_OTHERS), Status::Fail),
            (1000, directory | 0o700, (1000, ANYTHING_BY_OTHERS), Status::Pass),
            (0, directory | 0o711, (0, ANYTHING_BY_OTHERS), Status::Fail),
            (0, directory | 0o1777, (0, WRITE_BY_OTHERS), Status::Pass),
            (0, file | 0o1666, (0, WRITE_BY_OTHERS), Status::Fail),
            (0, socket | 0o660, (0, USE_BY_EVERYBODY), Status::Pass),
            (0, socket | 0o666, (0, USE_BY_EVERYBODY), Status::Fail),
        ] {
            assert_eq!(verdict(uid, mode, want), status, "{uid} {mode:o}");
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_a_warning_and_what_is_not_there_is_none() {
        let mut group = Group::new("1.1", "x");
        let denied = io::Error::from_raw_os_error(libc::EACCES);
        judge(&mut group, "file", Path::new("/x"), Err(denied), (0, WRITE_BY_OTHERS));
        judge(&mut group, "file", Path::new("/x"), Ok(None), (0, WRITE_BY_OTHERS));
        assert_eq!([group.results[0].status, group.results[1].status], [Status::Warn, Status::Info]);
    }
}
