//! Fields that would reach beyond the sandbox: hooks that run on the host, the seccomp listener, network devices of the
//! host, and the real-time classes, which starve every other process of the machine. Pure, given the allowed hooks.

use crate::bundle::field::Field;
use crate::policy::PolicyError;
use crate::policy::host::hooks::AllowedHooks;
use crate::policy::profile::Profile;
use crate::spec::container::{Container, Process};
use crate::spec::scheduling::{IoClass, SchedulerPolicy};

/// Refuses what reaches beyond the sandbox.
pub(super) fn refuse(container: &Container, allowed: &AllowedHooks) -> Result<(), PolicyError> {
    refuse_hooks(container, allowed)?;
    refuse_scheduling(&container.process)?;
    if let Some(agent) = container.seccomp.as_ref().and_then(|profile| profile.agent.as_ref()) {
        return Err(PolicyError::Reach {
            field: Field::text("linux.seccomp.listenerPath", &agent.path.to_string_lossy()),
            rule: "SCMP_ACT_NOTIFY is not allowed in sandbox mode: the kernel grants one listener, and it is the sentry's",
            instead: "use SCMP_ACT_ERRNO",
        });
    }
    if let Some(device) = container.net_devices.first() {
        return Err(PolicyError::Reach {
            field: Field::text("linux.netDevices", &device.host_name),
            rule: "a network device of the host is not allowed in sandbox mode: the host would lose it",
            instead: "connect the container's network namespace by a plugin (CNI)",
        });
    }
    Ok(())
}

/// `startContainer` runs in the container, behind its walls and with the rights of its process: like the process itself.
/// Every other hook runs on the host or over its file system, mostly as root.
fn refuse_hooks(container: &Container, allowed: &AllowedHooks) -> Result<(), PolicyError> {
    let lists = container.hooks.lists();
    for (point, hooks) in lists.into_iter().filter(|(point, _)| *point != "startContainer") {
        if let Some((index, hook)) = hooks.iter().enumerate().find(|(_, hook)| !allowed.allow(hook)) {
            return Err(PolicyError::Hook {
                field: Field::text(&format!("hooks.{point}[{index}].path"), &hook.path.to_string_lossy()),
                list: allowed.file().to_owned(),
            });
        }
    }
    Ok(())
}

/// Refuses scheduling that goes before other processes of the host; also of a process that joins a container.
///
/// # Errors
/// [`PolicyError::Reach`].
pub(crate) fn refuse_scheduling(process: &Process) -> Result<(), PolicyError> {
    let scheduler = process.scheduler;
    let policies = [SchedulerPolicy::Fifo, SchedulerPolicy::RoundRobin, SchedulerPolicy::Deadline];
    if let Some(asked) = scheduler.filter(|asked| policies.contains(&asked.policy)) {
        return Err(PolicyError::Reach {
            field: Field::text("process.scheduler.policy", &format!("{:?}", asked.policy)),
            rule: "a real-time policy is not allowed in sandbox mode: it goes before everything on the host",
            instead: "use SCHED_OTHER, SCHED_BATCH or SCHED_IDLE, and cpu.shares",
        });
    }
    if let Some(asked) = scheduler.filter(|asked| asked.nice < 0) {
        return Err(PolicyError::Reach {
            field: Field::text("process.scheduler.nice", &asked.nice.to_string()),
            rule: "a negative nice value is not allowed in sandbox mode: it goes before other processes of the host",
            instead: "use 0 to 19, and cpu.shares",
        });
    }
    if process.io_priority.is_some_and(|asked| asked.class == IoClass::RealTime) {
        return Err(PolicyError::Reach {
            field: Field::text("process.ioPriority.class", "IOPRIO_CLASS_RT"),
            rule: "the real-time I/O class is not allowed in sandbox mode: it goes before everything on the host",
            instead: "use IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE",
        });
    }
    Ok(())
}

/// Refuses kernel parameters that the profile does not list.
pub(super) fn refuse_sysctls(container: &Container, profile: &Profile) -> Result<(), PolicyError> {
    let Some((name, value)) = container.sysctl.iter().find(|(name, _)| !profile.allows_sysctl(name)) else {
        return Ok(());
    };
    let field = Field::text(&format!("linux.sysctl[{name:?}]"), value);
    Err(PolicyError::Sysctl { field, profile: profile.name.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::codes;
    use crate::spec::testing;
    use serde_json::{Value, json};

    fn refused(allowed: &AllowedHooks, change: impl Fn(&mut Value)) -> Option<(u32, String)> {
        let container = crate::spec::check_without_machine(&testing::bundle(change)).unwrap();
        let error = refuse(&container, allowed).err()?;
        assert!(error.hint().is_some());
        Some((error.code(), error.field().unwrap().path().to_owned()))
    }

    #[test]
    fn hooks_on_the_host_are_refused_unless_the_node_lists_them() {
        let none = AllowedHooks::parse("/x/list".into(), "");
        let listed = AllowedHooks::parse("/x/list".into(), "# a comment\n/usr/bin/hook\n");
        for point in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
            let change = |config: &mut Value| config["hooks"] = json!({ point: [{"path": "/usr/bin/hook"}] });
            let refusal = Some((codes::POLICY_HOOK, format!("hooks.{point}[0].path")));
            assert_eq!(refused(&none, change), refusal);
            assert_eq!(refused(&listed, change), None);
            for other in ["/usr/bin/../bin/hook", "/usr/bin/hook2", "/usr/bin/hook/", "/bin/sh"] {
                let change = |config: &mut Value| config["hooks"] = json!({ point: [{"path": other}] });
                assert_eq!(refused(&listed, change), refusal, "{other}");
            }
        }
        let inside = |config: &mut Value| config["hooks"] = json!({"startContainer": [{"path": "/bin/sh"}]});
        assert_eq!(refused(&none, inside), None);
    }

    #[test]
    fn what_starves_the_host_or_takes_from_it_is_refused_and_its_neighbour_is_not() {
        let none = AllowedHooks::parse("/x/list".into(), "");
        let at = |change: &dyn Fn(&mut Value)| refused(&none, change).map(|(_, path)| path);
        let process =
            |key: &'static str, value: Value| move |config: &mut Value| config["process"][key] = value.clone();
        for (change, path) in [
            (process("scheduler", json!({"policy": "SCHED_FIFO", "priority": 1})), "process.scheduler.policy"),
            (process("scheduler", json!({"policy": "SCHED_DEADLINE", "runtime": 1})), "process.scheduler.policy"),
            (process("scheduler", json!({"policy": "SCHED_OTHER", "nice": -1})), "process.scheduler.nice"),
            (process("ioPriority", json!({"class": "IOPRIO_CLASS_RT", "priority": 7})), "process.ioPriority.class"),
        ] {
            assert_eq!(at(&change), Some(path.to_owned()));
        }
        assert_eq!(at(&process("scheduler", json!({"policy": "SCHED_IDLE"}))), None);
        assert_eq!(at(&process("ioPriority", json!({"class": "IOPRIO_CLASS_BE", "priority": 0}))), None);
        let moved = |config: &mut Value| config["linux"]["netDevices"] = json!({"eth0": {}});
        assert_eq!(at(&moved), Some("linux.netDevices".to_owned()));
        let notified = |config: &mut Value| {
            config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s",
                "syscalls": [{"names": ["getcwd"], "action": "SCMP_ACT_NOTIFY"}]});
        };
        assert_eq!(at(&notified), Some("linux.seccomp.listenerPath".to_owned()));
    }
}
