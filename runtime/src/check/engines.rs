//! Part 3: what the engines of this node are told about lazaret. Each engine's file reads that engine's configuration into
//! [`Handler`]s; what has to hold of those is judged here, once.

mod containerd;
mod crio;
mod docker;
mod podman;
mod table;

use std::path::{Path, PathBuf};

use super::host::Host;
use super::report::{Control, Group, Verdict, Words};

/// The name by which containerd finds the shim.
const SHIM: &str = "io.containerd.lazaret.v1";
/// File names of the programs.
const PROGRAMS: [&str; 2] = ["lazaret", "containerd-shim-lazaret-v1"];
/// Annotations that are lazaret's to obey.
const OWN_ANNOTATIONS: [&str; 2] = ["lazaret.dev/", "dev.lazaret."];

/// One entry of an engine's configuration that leads to lazaret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Handler {
    /// Its name, which a RuntimeClass or `--runtime` gives.
    name: String,
    /// The program, where the engine is told a path.
    program: Option<PathBuf>,
    /// The file that lazaret is told to take its configuration from.
    configuration: Option<PathBuf>,
    /// Patterns of annotations that the engine passes on.
    annotations: Vec<String>,
    /// Whether a privileged container gets the host's devices; `None` where the engine has no such key.
    gives_devices: Option<bool>,
}

/// An engine's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Found {
    /// The files that were read.
    files: Vec<PathBuf>,
    /// Entries that lead to lazaret.
    handlers: Vec<Handler>,
    /// Files that the engine does not read, and which name lazaret.
    unread: Vec<PathBuf>,
}

/// Why a configuration could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// The engine cannot read it either.
    Malformed(String),
    /// We may not, or could not.
    Unreadable(String),
}

impl Trouble {
    /// What is wrong with the text of `path`, in one line.
    fn in_text(path: &Path, error: &dyn std::fmt::Display) -> Self {
        let text = error.to_string();
        let line = text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "|").collect::<Vec<_>>();
        Self::Malformed(format!("{}: {}", path.display(), line.join(": ")))
    }

    /// Why `path` could not be read.
    fn of_file(path: &Path, error: &std::io::Error) -> Self {
        Self::Unreadable(format!("{}: {error}", path.display()))
    }
}

/// One engine.
struct Engine {
    name: &'static str,
    read: fn(&Host) -> Result<Found, Trouble>,
    /// How its configuration is told about lazaret.
    help: &'static str,
}

const ENGINES: &[Engine] = &[
    Engine {
        name: "containerd",
        read: containerd::read,
        help: "add [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.lazaret] with runtime_type = \
               \"io.containerd.lazaret.v1\" (\"io.containerd.cri.v1.runtime\" from version 3 on)",
    },
    Engine {
        name: "docker",
        read: docker::read,
        help: "add \"runtimes\": {\"lazaret\": {\"path\": \"/usr/local/bin/lazaret\"}} to /etc/docker/daemon.json",
    },
    Engine {
        name: "podman",
        read: podman::read,
        help: "add [engine.runtimes] lazaret = [\"/usr/local/bin/lazaret\"] in /etc/containers/containers.conf.d/lazaret.conf",
    },
    Engine {
        name: "CRI-O",
        read: crio::read,
        help: "add [crio.runtime.runtimes.lazaret] with runtime_path in /etc/crio/crio.conf.d/99-lazaret.conf",
    },
];

/// The part.
pub(super) fn control(host: &Host) -> Control {
    let groups = ENGINES.iter().enumerate().map(|(index, engine)| group(&format!("3.{}", index + 1), engine, host));
    Control::of("3", "Engines", groups.collect())
}

fn group(section: &str, engine: &Engine, host: &Host) -> Group {
    let mut group = Group::new(section, engine.name);
    let words = |desc: &str, expected: &str, help: &str| {
        Words::new(
            &format!("{}: ensure that {desc}", engine.name),
            &format!("{}'s configuration", engine.name),
            expected,
            help,
        )
    };
    let readable = words("its configuration can be read", "valid", "correct the file at the place named");
    let found = match (engine.read)(host) {
        Err(Trouble::Malformed(why)) => {
            group.judge(readable, Verdict::Fail(why));
            return group;
        }
        Err(Trouble::Unreadable(why)) => {
            group.judge(readable, Verdict::Warn(format!("could not be read: {why}")));
            return group;
        }
        Ok(found) => found,
    };
    if found.files.is_empty() {
        group.judge(readable, Verdict::Info("there is none".to_owned()));
        return group;
    }
    group.judge(readable, Verdict::Pass(shown(&found.files)));
    let unread = words("it reads the files that name lazaret", "none left out", "add the directory to imports");
    if !found.unread.is_empty() {
        group.judge(unread, Verdict::Warn(format!("not imported: {}", shown(&found.unread))));
    }
    let named = words("a handler leads to lazaret", "at least one", engine.help);
    if found.handlers.is_empty() {
        group.judge(named, Verdict::Info("no handler does".to_owned()));
        return group;
    }
    let names: Vec<&str> = found.handlers.iter().map(|handler| handler.name.as_str()).collect();
    group.judge(named, Verdict::Pass(names.join(", ")));
    for handler in &found.handlers {
        judge(&mut group, host, handler, &words);
    }
    group
}

/// What has to hold of a handler, whosever it is.
fn judge(group: &mut Group, host: &Host, handler: &Handler, words: &dyn Fn(&str, &str, &str) -> Words) {
    let name = &handler.name;
    if let Some(program) = &handler.program {
        let help = "install lazaret there with mode 755, or correct the path";
        let words = words(&format!("{name} names a program of root's"), "root's, executable", help);
        group.judge(words, trusted(host, program, true));
    }
    if let Some(file) = &handler.configuration {
        let help = "write the file, owned by root with mode 644, or take the key away";
        let words = words(&format!("{name} names a configuration of root's"), "root's", help);
        group.judge(words, trusted(host, file, false));
    }
    if let Some(gives) = handler.gives_devices {
        let help = "set privileged_without_host_devices = true: a sandbox with the host's devices is refused";
        let words = words(&format!("{name} gives privileged pods no devices of the host"), "true", help);
        let found = format!("privileged_without_host_devices = {}", !gives);
        group.judge(words, if gives { Verdict::Fail(found) } else { Verdict::Pass(found) });
    }
    let help = "list annotations of lazaret's alone, such as lazaret.dev/*";
    let words = words(&format!("{name} passes on no annotations but lazaret's"), "none, or lazaret.dev/*", help);
    let is_own = |pattern: &&String| OWN_ANNOTATIONS.iter().any(|own| pattern.starts_with(own));
    let foreign: Vec<&str> =
        handler.annotations.iter().filter(|pattern| !is_own(pattern)).map(String::as_str).collect();
    let verdict = match (foreign.is_empty(), foreign.iter().any(|pattern| pattern.starts_with('*'))) {
        (true, _) => Verdict::Pass(if handler.annotations.is_empty() { "none" } else { "lazaret's" }.to_owned()),
        (false, true) => Verdict::Fail(foreign.join(", ")),
        (false, false) => Verdict::Warn(foreign.join(", ")),
    };
    group.judge(words, verdict);
}

/// Whether root alone decides what stands at `path`.
fn trusted(host: &Host, path: &Path, is_executable: bool) -> Verdict {
    let shown = path.display();
    match host.stat(path) {
        Err(error) => Verdict::Warn(format!("{shown} could not be looked at: {error}")),
        Ok(None) => Verdict::Fail(format!("{shown} is not there")),
        Ok(Some(stat)) if stat.st_uid != 0 || stat.st_mode & 0o022 != 0 => {
            Verdict::Fail(format!("{shown}: owner {}, mode {:o}", stat.st_uid, stat.st_mode & 0o7777))
        }
        Ok(Some(stat)) if is_executable && stat.st_mode & 0o111 == 0 => {
            Verdict::Fail(format!("{shown} is not executable"))
        }
        Ok(Some(_)) => Verdict::Pass(shown.to_string()),
    }
}

/// Whether a program's path is lazaret's.
fn is_ours(program: &Path) -> bool {
    program.file_name().is_some_and(|name| PROGRAMS.iter().any(|ours| name == *ours))
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
