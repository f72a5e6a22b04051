//! Part 4: what really holds of each container, from `/proc` and from outside. What its state and its frozen configuration
//! say is what shall hold.

use std::io;
use std::path::Path;

use super::report::{Control, Group, Verdict, Words};
use super::tasks::{self, Task};
use crate::causes;
use crate::error::Error;
use crate::idmap;
use crate::lifecycle;
use crate::options::{Intercepted, Mode, Options};
use crate::policy::tables::capabilities::CEILING;
use crate::spec::{self, capability_mask, capability_names};
use crate::state::{self, ProcessId, StateError, Status, Stored};

/// What the part is about.
pub(super) const TEXT: &str = "Running sandboxes";

/// Namespaces that a sandbox has of its own.
const NAMESPACES: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

/// What to do about a container that is not confined as it should be.
const REMEDY: &str = "End the container, find out who changed it, and make it anew";

/// The part: every container of the state directory.
///
/// # Errors
/// [`Error::State`] when the directory cannot be read.
pub(super) fn control(options: &Options) -> Result<Control, Error> {
    let mut groups = Vec::new();
    for id in state::ids(&options.root)? {
        let section = format!("4.{}", groups.len() + 1);
        match state::peek(&options.root, &id) {
            Ok(stored) => groups.push(group(&section, options, &stored)),
            // A folder of something else, or a container that is gone by now.
            Err(StateError::NotFound { .. } | StateError::Unwritten { .. }) => {}
            Err(error) => {
                let mut group = Group::new(&section, &format!("container {id}"));
                let words = Words::new("Ensure that the state can be read", "state.json", "a state", REMEDY);
                group.judge(words, Verdict::Warn(causes::chain(&error)));
                groups.push(group);
            }
        }
    }
    if groups.is_empty() {
        let mut group = Group::new("4.1", "containers");
        let audit = format!("{}", options.root.display());
        let words = Words::new("Ensure that every container is confined as its state says", &audit, "", "");
        group.judge(words, Verdict::Info("there is no container".to_owned()));
        groups.push(group);
    }
    Ok(Control::of("4", TEXT, groups))
}

/// The checks of one container.
pub(super) fn group(section: &str, options: &Options, stored: &Stored) -> Group {
    let mut group = Group::new(section, &format!("container {} ({} mode)", stored.id, stored.mode.name()));
    let status = stored.status();
    let words = Words::new(
        "Ensure that the container runs",
        "state.json, /proc",
        "created, running or paused",
        "Delete it if it has done its work",
    );
    let alive = matches!(status, Status::Created | Status::Running | Status::Paused);
    let Some(init) = stored.init.filter(|_| alive) else {
        let reason = stored.ended_by_lazaret.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        group.judge(words, Verdict::Fail(format!("{}{reason}", status.name())));
        return group;
    };
    group.judge(words, Verdict::Pass(status.name().to_owned()));
    let found = Found::gather(options, stored, init);
    namespaces(&mut group, stored, &found);
    privileges(&mut group, stored, &found);
    filters(&mut group, stored, &found);
    ids(&mut group, stored, &found);
    if stored.mode.is_confined() {
        sentry(&mut group, stored, init);
        shortfalls(&mut group, stored);
    }
    group
}

/// What is known of a container that lives.
struct Found {
    init: ProcessId,
    tasks: Result<Vec<Task>, String>,
    config: Result<spec::container::Container, String>,
}

impl Found {
    fn gather(options: &Options, stored: &Stored, init: ProcessId) -> Self {
        let pids = lifecycle::process_ids(options, &stored.id).map_err(|error| error.chain());
        let tasks = pids
            .and_then(|pids| tasks::of(&pids).map_err(|error| error.to_string()))
            .and_then(|tasks| if tasks.is_empty() { Err("no task of it is to be seen".to_owned()) } else { Ok(tasks) });
        let bundle = state::read_config(&options.root.join(&stored.id), &stored.bundle);
        let config = bundle
            .map_err(|error| causes::chain(&error))
            .and_then(|bundle| spec::check_frozen(&bundle).map_err(|error| causes::chain(&error)));
        Self { init, tasks, config }
    }

    /// Whether every task is as `wrong` wants it, which says what is not.
    fn every_task(&self, wrong: impl Fn(&Task) -> Option<String>) -> Verdict {
        let tasks = match &self.tasks {
            Ok(tasks) => tasks,
            Err(why) => return Verdict::Warn(format!("could not be looked at: {why}")),
        };
        let wrong = tasks.iter().find_map(|task| wrong(task).map(|what| format!("task {}: {what}", task.tid)));
        wrong.map_or_else(|| Verdict::Pass(format!("{} tasks", tasks.len())), Verdict::Fail)
    }
}

/// Which namespaces are the host's.
fn namespaces(group: &mut Group, stored: &Stored, found: &Found) {
    let process = format!("/proc/{}", found.init.pid);
    let words = Words::new("Ensure that no namespace is the host's", &format!("{process}/ns"), "none", REMEDY);
    let of_root = Words::new("Ensure that the root is not the host's", &format!("{process}/root"), "another", REMEDY);
    if !stored.mode.is_confined() {
        group.judge(words, Verdict::Info("native mode: as the bundle has it".to_owned()));
        return group.judge(of_root, Verdict::Info("native mode: as the bundle has it".to_owned()));
    }
    let shared = NAMESPACES.iter().filter_map(|kind| match is_shared(&process, kind) {
        Ok(false) => None,
        Ok(true) => Some(Ok(*kind)),
        Err(error) => Some(Err(format!("{kind}: {error}"))),
    });
    let verdict = match shared.collect::<Result<Vec<_>, _>>() {
        Ok(shared) if shared.is_empty() => Verdict::Pass("all are its own".to_owned()),
        Ok(shared) => Verdict::Fail(format!("shared with the host: {}", shared.join(", "))),
        Err(why) => Verdict::Warn(format!("could not be looked at: {why}")),
    };
    group.judge(words, verdict);
    let verdict = match (rustix::fs::stat(format!("{process}/root")), rustix::fs::stat("/")) {
        (Ok(inside), Ok(ours)) if (inside.st_dev, inside.st_ino) == (ours.st_dev, ours.st_ino) => {
            Verdict::Fail("its root is the host's".to_owned())
        }
        (Ok(_), Ok(_)) => Verdict::Pass("its own".to_owned()),
        (Err(error), _) | (_, Err(error)) => Verdict::Warn(format!("could not be looked at: {error}")),
    };
    group.judge(of_root, verdict);
}

/// Whether the process shares its namespace `kind` with us, who stand on the host.
fn is_shared(process: &str, kind: &str) -> io::Result<bool> {
    let link = |of: &str| std::fs::read_link(Path::new(of).join("ns").join(kind));
    Ok(link(process)? == link("/proc/self")?)
}

fn privileges(group: &mut Group, stored: &Stored, found: &Found) {
    let wants_none = match &found.config {
        Ok(config) => stored.mode.is_confined() || config.process.no_new_privileges,
        Err(_) => stored.mode.is_confined(),
    };
    let audit = "/proc/PID/task/*/status: NoNewPrivs";
    let words = Words::new("Ensure that no task can gain privileges", audit, "1", REMEDY);
    let verdict = if wants_none {
        found.every_task(|task| (!task.no_new_privileges).then(|| "NoNewPrivs 0".to_owned()))
    } else {
        Verdict::Info("native mode: the bundle does not ask for it".to_owned())
    };
    group.judge(words, verdict);
    let allowed = allowed_capabilities(stored, found);
    let expected = allowed.as_ref().map(|mask| names(*mask)).unwrap_or_default();
    let audit = "/proc/PID/task/*/status: CapBnd, CapPrm";
    let words = Words::new("Ensure that no task has more capabilities than it was given", audit, &expected, REMEDY);
    let verdict = match allowed {
        Ok(allowed) => found.every_task(|task| {
            let beyond = task.capabilities & !allowed;
            (beyond != 0).then(|| format!("beside what it was given: {}", names(beyond)))
        }),
        Err(why) => Verdict::Warn(format!("what it was given is not known: {why}")),
    };
    group.judge(words, verdict);
}

/// What the frozen configuration asks for, and of that in a sandbox what is below the ceiling.
fn allowed_capabilities(stored: &Stored, found: &Found) -> Result<u64, String> {
    let ceiling = CEILING.iter().filter_map(|name| capability_mask(name)).fold(0, |all, bit| all | bit);
    let ceiling = if stored.mode.is_confined() { ceiling } else { u64::MAX };
    match &found.config {
        Ok(config) => Ok((config.process.capabilities.bounding | config.process.capabilities.permitted) & ceiling),
        // `do` has no configuration; the ceiling holds all the same.
        Err(_) if stored.mode.is_confined() => Ok(ceiling),
        Err(why) => Err(why.clone()),
    }
}

fn names(mask: u64) -> String {
    let named: Vec<&str> = capability_names(mask).collect();
    let unnamed = mask & !named.iter().filter_map(|name| capability_mask(name)).fold(0, |all, bit| all | bit);
    let rest = (unnamed != 0).then(|| format!("{unnamed:#x}"));
    let all: Vec<String> = named.into_iter().map(str::to_owned).chain(rest).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn filters(group: &mut Group, stored: &Stored, found: &Found) {
    let has_profile = found.config.as_ref().is_ok_and(|config| config.seccomp.is_some());
    let audit = "/proc/PID/task/*/status: Seccomp";
    let words = Words::new("Ensure that every task is behind a filter", audit, "2", REMEDY);
    let verdict = if stored.mode.is_confined() || has_profile {
        found.every_task(|task| (task.seccomp != 2).then(|| format!("Seccomp {}", task.seccomp)))
    } else {
        Verdict::Info("native mode: the bundle has no profile".to_owned())
    };
    group.judge(words, verdict);
    let words =
        Words::new("Ensure that every task is traced where a tracer traps its calls", "TracerPid", "a sentry", REMEDY);
    let verdict = match stored.interceptor {
        // Not by this sentry alone: what joins by exec has one of its own.
        Some(Intercepted::Ptrace) => found.every_task(|task| (task.tracer == 0).then(|| "nobody traces it".to_owned())),
        Some(Intercepted::Notify) => Verdict::Info("calls are trapped by a listener".to_owned()),
        Some(Intercepted::None) | None => Verdict::Info("no call is trapped".to_owned()),
    };
    group.judge(words, verdict);
}

/// Whose ids the tasks have on the host.
fn ids(group: &mut Group, stored: &Stored, found: &Found) {
    let words =
        |audit: &str| Words::new("Ensure that no task is a user of the host's", audit, "ids of its own", REMEDY);
    if !stored.mode.is_confined() {
        return group.judge(
            words("/proc/PID/task/*/status: Uid"),
            Verdict::Info("native mode: as the bundle has it".to_owned()),
        );
    }
    let audit = format!("/proc/{}/uid_map, /proc/PID/task/*/status: Uid", found.init.pid);
    let verdict = match idmap::mappings_of_process(found.init.pid) {
        Err(error) => Verdict::Warn(format!("could not be looked at: {}", causes::chain(&error))),
        Ok(mappings) if mappings.uids.iter().any(|range| range.host == 0) => {
            Verdict::Fail("root of the host is mapped into it".to_owned())
        }
        Ok(mappings) => {
            let is_inside = |uid: u32| {
                mappings.uids.iter().any(|range| uid.checked_sub(range.host).is_some_and(|at| at < range.length))
            };
            found.every_task(|task| {
                let foreign = task.uids.iter().find(|uid| !is_inside(**uid));
                foreign.map(|uid| format!("user {uid} is not among the container's ids"))
            })
        }
    };
    group.judge(words(&audit), verdict);
}

/// The sentry, and who watches both.
fn sentry(group: &mut Group, stored: &Stored, init: ProcessId) {
    let remedy = "The container should be gone: lazaret kill ID KILL, then lazaret delete ID";
    let words = Words::new("Ensure that the sentry lives", "state.json, /proc", "alive", remedy);
    let lives = stored.sentry.filter(ProcessId::is_alive);
    let verdict = match (stored.interceptor, stored.sentry, lives) {
        (Some(Intercepted::None), _, _) => {
            Verdict::Warn("no call is trapped here: the filter refuses, and nothing is recorded".to_owned())
        }
        (_, None, _) => Verdict::Fail("the state names none".to_owned()),
        (_, Some(sentry), None) => Verdict::Fail(format!("process {} is gone: trapped calls fail", sentry.pid)),
        (_, Some(sentry), Some(_)) => Verdict::Pass(format!("process {}", sentry.pid)),
    };
    group.judge(words, verdict);
    let words = Words::new("Ensure that the sentry is jailed", "/proc of the sentry", "in its jail", REMEDY);
    let verdict = match lives {
        None => Verdict::Warn("there is no sentry to look at".to_owned()),
        Some(sentry) => match jail_of(sentry.pid, init.pid) {
            Ok(None) => Verdict::Pass("own filter, no new privileges, one capability, an empty root".to_owned()),
            Ok(Some(gap)) => Verdict::Fail(gap),
            Err(error) => Verdict::Warn(format!("could not be looked at: {error}")),
        },
    };
    group.judge(words, verdict);
    let words = Words::new("Ensure that somebody watches container and sentry", "state.json, /proc", "alive", remedy);
    let verdict = match (stored.monitor, stored.launcher) {
        (Some(monitor), _) if monitor.is_alive() => Verdict::Pass(format!("process {}", monitor.pid)),
        (Some(monitor), _) => Verdict::Fail(format!("the monitor, process {}, is gone", monitor.pid)),
        (None, Some(launcher)) if launcher.is_alive() => {
            Verdict::Pass(format!("its launcher, process {}", launcher.pid))
        }
        (None, _) => Verdict::Fail("the state names nobody who lives".to_owned()),
    };
    group.judge(words, verdict);
}

/// What is wrong with the jail of a sentry, if anything is.
fn jail_of(sentry: i32, init: i32) -> io::Result<Option<String>> {
    let process = format!("/proc/{sentry}");
    let status = std::fs::read_to_string(Path::new(&process).join("status"))?;
    let task = tasks::look(Path::new(&process))?;
    let effective = crate::procfs::field(&status, "CapEff:").and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let effective = effective.ok_or_else(|| io::Error::other("no line CapEff"))?;
    let entries = std::fs::read_dir(Path::new(&process).join("root/"))?.count();
    let namespace = |of: i32| std::fs::read_link(format!("/proc/{of}/ns/user"));
    Ok(if task.seccomp != 2 {
        Some("it has no filter".to_owned())
    } else if !task.no_new_privileges {
        Some("it can gain privileges".to_owned())
    } else if effective.count_ones() > 1 {
        Some(format!("its capabilities: {}", names(effective)))
    } else if entries > 0 {
        Some(format!("its root has {entries} entries"))
    } else if namespace(sentry)? != namespace(init)? {
        Some("it is not in the container's user namespace".to_owned())
    } else {
        None
    })
}

/// What the state itself says is missing, and what nobody can see from outside.
fn shortfalls(group: &mut Group, stored: &Stored) {
    let words = Words::new(
        "Ensure that every protection of the mode was put on",
        "state.json: missing",
        "none missing",
        "lazaret doctor says what this kernel lacks",
    );
    let verdict = if stored.missing.is_empty() {
        Verdict::Pass("none is missing".to_owned())
    } else {
        Verdict::Warn(stored.missing.join("; "))
    };
    group.judge(words, verdict);
    let landlock = match stored.mode {
        Mode::Native | Mode::Sandbox => "the light domain",
        Mode::Strict => "the domain of path rules",
    };
    let words = Words::new("Ensure that the Landlock domain holds", "the kernel shows it to nobody", "", "");
    let says =
        if stored.missing.iter().any(|what| what.starts_with("landlock")) { "not wholly entered" } else { "entered" };
    group.judge(words, Verdict::Info(format!("{landlock} was {says}, by the state; the kernel shows it to nobody")));
}
