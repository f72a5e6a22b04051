//! `process.scheduler`, `process.ioPriority` and `process.execCPUAffinity`.

use oci_spec::runtime::{IOPriorityClass, LinuxSchedulerPolicy, Process};
use serde_json::Value;

use super::error::SpecError;
use super::{number_list, text};
use crate::bundle::Bundle;
use crate::bundle::field::element;

/// Processors that the kernel can have at most on x86-64 (`NR_CPUS` of MAXSMP).
const CPUS: u32 = 8192;
/// `IOPRIO_NR_LEVELS` of linux/ioprio.h.
const IO_LEVELS: i64 = 8;

/// What `sched_setattr(2)` is to set; the names are those of sched(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduler {
    /// The policy.
    pub policy: SchedulerPolicy,
    /// `SCHED_FLAG_*` bits of linux/sched.h.
    pub flags: u64,
    /// -20 to 19; of the policies other and batch.
    pub nice: i32,
    /// 1 to 99; of the real-time policies.
    pub priority: u32,
    /// Nanoseconds in each period; of the deadline policy, as the next two.
    pub runtime: u64,
    /// Nanoseconds.
    pub deadline: u64,
    /// Nanoseconds.
    pub period: u64,
}

/// A scheduling policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedulerPolicy {
    /// `SCHED_OTHER`
    Other,
    /// `SCHED_FIFO`
    Fifo,
    /// `SCHED_RR`
    RoundRobin,
    /// `SCHED_BATCH`
    Batch,
    /// `SCHED_IDLE`
    Idle,
    /// `SCHED_DEADLINE`
    Deadline,
}

impl SchedulerPolicy {
    /// The number of `sched_setattr(2)`.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Other => 0,
            Self::Fifo => 1,
            Self::RoundRobin => 2,
            Self::Batch => 3,
            Self::Idle => 5,
            Self::Deadline => 6,
        }
    }
}

/// What `ioprio_set(2)` is to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IoPriority {
    /// The class.
    pub class: IoClass,
    /// 0, the highest, to 7.
    pub level: u16,
}

/// An I/O class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoClass {
    /// `IOPRIO_CLASS_RT`
    RealTime,
    /// `IOPRIO_CLASS_BE`
    BestEffort,
    /// `IOPRIO_CLASS_IDLE`
    Idle,
}

impl IoClass {
    /// The number of `ioprio_set(2)`.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::RealTime => 1,
            Self::BestEffort => 2,
            Self::Idle => 3,
        }
    }
}

/// `process.execCPUAffinity`: numbers of processors. Only `exec` obeys it, as the specification says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecCpuAffinity {
    /// Where the process runs until it is in the container's cgroup.
    pub initial: Option<Vec<u32>>,
    /// Where it runs from then on.
    pub last: Option<Vec<u32>>,
}

/// The flags by name (config.md, "scheduler") and bit (linux/sched.h). From the raw JSON: `oci_spec` spells two of them
/// in other ways than the specification.
const FLAGS: [(&str, u64); 7] = [
    ("SCHED_FLAG_RESET_ON_FORK", 0x01),
    ("SCHED_FLAG_RECLAIM", 0x02),
    ("SCHED_FLAG_DL_OVERRUN", 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];

/// Beside which policies a key means something.
const REAL_TIME: &[SchedulerPolicy] = &[SchedulerPolicy::Fifo, SchedulerPolicy::RoundRobin];
const ORDINARY: &[SchedulerPolicy] = &[SchedulerPolicy::Other, SchedulerPolicy::Batch];

/// The checked `process.scheduler`.
pub(super) fn scheduler(bundle: &Bundle, process: &Process) -> Result<Option<Scheduler>, SpecError> {
    const KEY: &str = "process.scheduler";
    let Some(asked) = process.scheduler() else { return Ok(None) };
    let policy = match asked.policy() {
        LinuxSchedulerPolicy::SchedOther => SchedulerPolicy::Other,
        LinuxSchedulerPolicy::SchedFifo => SchedulerPolicy::Fifo,
        LinuxSchedulerPolicy::SchedRr => SchedulerPolicy::RoundRobin,
        LinuxSchedulerPolicy::SchedBatch => SchedulerPolicy::Batch,
        LinuxSchedulerPolicy::SchedIdle => SchedulerPolicy::Idle,
        LinuxSchedulerPolicy::SchedDeadline => SchedulerPolicy::Deadline,
        LinuxSchedulerPolicy::SchedIso => {
            let why = "Linux reserves the number of SCHED_ISO and has no such policy";
            return Err(SpecError::Unsupported { field: bundle.field("process.scheduler.policy"), why });
        }
    };
    let nice = asked.nice().unwrap_or(0);
    if !(-20..=19).contains(&nice) || (nice != 0 && !ORDINARY.contains(&policy)) {
        return text::invalid(
            bundle,
            "process.scheduler.nice",
            "from -20 to 19, with SCHED_OTHER and SCHED_BATCH alone",
        );
    }
    let lowest = if REAL_TIME.contains(&policy) { 1 } else { 0 };
    let highest = if REAL_TIME.contains(&policy) { 99 } else { 0 };
    let priority = match u32::try_from(asked.priority().unwrap_or(0)) {
        Ok(priority) if (lowest..=highest).contains(&priority) => priority,
        _ => {
            let rule = "from 1 to 99 with SCHED_FIFO and SCHED_RR, and 0 with every other policy";
            return text::invalid(bundle, "process.scheduler.priority", rule);
        }
    };
    let times = [("runtime", asked.runtime()), ("deadline", asked.deadline()), ("period", asked.period())];
    for (key, value) in times {
        if value.is_some_and(|value| value != 0) && policy != SchedulerPolicy::Deadline {
            return text::invalid(bundle, &format!("{KEY}.{key}"), "belongs to SCHED_DEADLINE alone");
        }
    }
    let [runtime, deadline, period] = times.map(|(_, value)| value.unwrap_or(0));
    Ok(Some(Scheduler { policy, flags: flags(bundle)?, nice, priority, runtime, deadline, period }))
}

fn flags(bundle: &Bundle) -> Result<u64, SpecError> {
    let listed = bundle.raw().pointer("/process/scheduler/flags").and_then(Value::as_array);
    let mut bits = 0;
    for (index, name) in listed.into_iter().flatten().enumerate() {
        match FLAGS.iter().find(|(known, _)| name == known) {
            Some((_, bit)) => bits |= bit,
            None => {
                let path = element("process.scheduler.flags", index);
                return text::invalid(
                    bundle,
                    &path,
                    "not a flag of sched_setattr(2), such as SCHED_FLAG_RESET_ON_FORK",
                );
            }
        }
    }
    Ok(bits)
}

/// The checked `process.ioPriority`.
pub(super) fn io_priority(bundle: &Bundle, process: &Process) -> Result<Option<IoPriority>, SpecError> {
    let Some(asked) = process.io_priority() else { return Ok(None) };
    let class = match asked.class() {
        IOPriorityClass::IoprioClassRt => IoClass::RealTime,
        IOPriorityClass::IoprioClassBe => IoClass::BestEffort,
        IOPriorityClass::IoprioClassIdle => IoClass::Idle,
    };
    match u16::try_from(asked.priority()) {
        Ok(level) if asked.priority() < IO_LEVELS => Ok(Some(IoPriority { class, level })),
        _ => text::invalid(bundle, "process.ioPriority.priority", "from 0, the highest, to 7"),
    }
}

/// The checked `process.execCPUAffinity`.
pub(super) fn exec_cpu_affinity(bundle: &Bundle) -> Result<Option<ExecCpuAffinity>, SpecError> {
    let Some(asked) = bundle.raw().pointer("/process/execCPUAffinity").filter(|asked| !asked.is_null()) else {
        return Ok(None);
    };
    let list = |key: &str| match asked.get(key).and_then(Value::as_str) {
        None | Some("") => Ok(None),
        Some(text) => match number_list::parse(text, CPUS) {
            Some(numbers) => Ok(Some(numbers)),
            None => {
                text::invalid(bundle, &format!("process.execCPUAffinity.{key}"), "not a list of processors (0-3,7)")
            }
        },
    };
    Ok(Some(ExecCpuAffinity { initial: list("initial")?, last: list("final")? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::container::Process;
    use crate::spec::testing;
    use serde_json::json;

    fn checked(key: &str, value: &Value) -> Result<Process, String> {
        let bundle = testing::bundle(|config| config["process"][key] = value.clone());
        crate::spec::check_with(&bundle, false)
            .map(|container| container.process)
            .map_err(|error| error.field().path().to_owned())
    }

    #[test]
    fn every_policy_and_flag_is_read() {
        for (policy, more, number) in [
            ("SCHED_OTHER", json!({"nice": -20}), SchedulerPolicy::Other),
            ("SCHED_BATCH", json!({"nice": 19}), SchedulerPolicy::Batch),
            ("SCHED_IDLE", json!({}), SchedulerPolicy::Idle),
            ("SCHED_FIFO", json!({"priority": 99}), SchedulerPolicy::Fifo),
            ("SCHED_RR", json!({"priority": 1}), SchedulerPolicy::RoundRobin),
            ("SCHED_DEADLINE", json!({"runtime": 1, "deadline": 2, "period": 3}), SchedulerPolicy::Deadline),
        ] {
            let mut value = more;
            value["policy"] = json!(policy);
            let scheduler = checked("scheduler", &value).unwrap().scheduler.unwrap();
            assert_eq!(scheduler.policy, number);
        }
        for (name, bit) in FLAGS {
            let value = json!({"policy": "SCHED_OTHER", "flags": [name]});
            assert_eq!(checked("scheduler", &value).unwrap().scheduler.unwrap().flags, bit, "{name}");
        }
    }

    #[test]
    fn what_a_policy_does_not_have_is_refused_by_path() {
        for (value, key) in [
            (json!({"policy": "SCHED_OTHER", "nice": 20}), "nice"),
            (json!({"policy": "SCHED_FIFO", "priority": 1, "nice": 1}), "nice"),
            (json!({"policy": "SCHED_FIFO"}), "priority"),
            (json!({"policy": "SCHED_RR", "priority": 100}), "priority"),
            (json!({"policy": "SCHED_OTHER", "priority": 1}), "priority"),
            (json!({"policy": "SCHED_OTHER", "runtime": 1}), "runtime"),
            (json!({"policy": "SCHED_ISO"}), "policy"),
            (json!({"policy": "SCHED_OTHER", "flags": ["SCHED_RESET_ON_FORK"]}), "flags[0]"),
        ] {
            assert_eq!(checked("scheduler", &value).map(|_| ()), Err(format!("process.scheduler.{key}")), "{value}");
        }
    }

    #[test]
    fn io_classes_and_affinities_are_read() {
        let io = checked("ioPriority", &json!({"class": "IOPRIO_CLASS_IDLE", "priority": 7})).unwrap().io_priority;
        assert_eq!(io, Some(IoPriority { class: IoClass::Idle, level: 7 }));
        let wrong = checked("ioPriority", &json!({"class": "IOPRIO_CLASS_BE", "priority": 8}));
        assert_eq!(wrong.map(|_| ()), Err("process.ioPriority.priority".to_owned()));
        let affinity =
            checked("execCPUAffinity", &json!({"initial": "0", "final": "0-1,3"})).unwrap().exec_cpu_affinity;
        assert_eq!(affinity, Some(ExecCpuAffinity { initial: Some(vec![0]), last: Some(vec![0, 1, 3]) }));
        let wrong = checked("execCPUAffinity", &json!({"final": "9-1"}));
        assert_eq!(wrong.map(|_| ()), Err("process.execCPUAffinity.final".to_owned()));
    }
}
