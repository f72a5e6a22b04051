//! What the kernel shows a container of itself, and where it gives it memory: `linux.personality`, `linux.timeOffsets`
//! and `linux.memoryPolicy`.

use oci_spec::runtime::{Linux, LinuxPersonalityDomain, LinuxTimeOffset, MemoryPolicyFlagType, MemoryPolicyModeType};

use super::container::{Namespace, Namespaces};
use super::error::SpecError;
use super::{number_list, text};
use crate::bundle::Bundle;
use crate::bundle::field::member;

/// Memory nodes that the kernel can have at most (`MAX_NUMNODES` with the largest `NODES_SHIFT`).
const NODES: u32 = 1024;
/// Nanoseconds of a second.
const SECOND: u32 = 1_000_000_000;

/// An execution domain (linux/personality.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personality {
    /// `PER_LINUX`
    Linux,
    /// `PER_LINUX32`: uname(2) names a 32-bit machine.
    Linux32,
}

impl Personality {
    /// The number of `personality(2)`.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Linux => 0x0000,
            Self::Linux32 => 0x0008,
        }
    }
}

/// What the clocks of a time namespace are ahead of the host's (time_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeOffsets {
    /// `CLOCK_MONOTONIC`: seconds and nanoseconds.
    pub monotonic: Option<(i64, u32)>,
    /// `CLOCK_BOOTTIME`.
    pub boottime: Option<(i64, u32)>,
}

/// As `/proc/PID/timens_offsets` takes them.
impl std::fmt::Display for TimeOffsets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (clock, offset) in [("monotonic", self.monotonic), ("boottime", self.boottime)] {
            if let Some((seconds, nanoseconds)) = offset {
                writeln!(formatter, "{clock} {seconds} {nanoseconds}")?;
            }
        }
        Ok(())
    }
}

/// What `set_mempolicy(2)` is to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// `MPOL_*` with the `MPOL_F_*` bits.
    pub mode: u32,
    /// The nodes, in order.
    pub nodes: Vec<u32>,
}

/// The checked `linux.personality`.
pub(super) fn personality(bundle: &Bundle, linux: Option<&Linux>) -> Result<Option<Personality>, SpecError> {
    let Some(asked) = linux.and_then(|linux| linux.personality().as_ref()) else { return Ok(None) };
    if asked.flags().iter().flatten().next().is_some() {
        let why = "the specification defines no flag of a personality";
        return Err(SpecError::Unsupported { field: bundle.field("linux.personality.flags"), why });
    }
    Ok(Some(match asked.domain() {
        LinuxPersonalityDomain::PerLinux => Personality::Linux,
        LinuxPersonalityDomain::PerLinux32 => Personality::Linux32,
    }))
}

/// The checked `linux.timeOffsets`.
pub(super) fn time_offsets(
    bundle: &Bundle,
    linux: Option<&Linux>,
    namespaces: &Namespaces,
) -> Result<Option<TimeOffsets>, SpecError> {
    const KEY: &str = "linux.timeOffsets";
    let asked = linux.and_then(|linux| linux.time_offsets().as_ref()).filter(|offsets| !offsets.is_empty());
    let Some(asked) = asked else { return Ok(None) };
    if namespaces.time != Namespace::New {
        let rule = "needs a new time namespace in linux.namespaces (type time, without a path)";
        return Err(SpecError::Needs { field: bundle.field(KEY), rule });
    }
    let mut offsets = TimeOffsets::default();
    // In the order of the names, so that the same one of two mistakes is always named.
    for (clock, offset) in asked.iter().collect::<std::collections::BTreeMap<_, _>>() {
        let checked = offset_of(bundle, &member(KEY, clock), offset)?;
        match clock.as_str() {
            "monotonic" => offsets.monotonic = Some(checked),
            "boottime" => offsets.boottime = Some(checked),
            _ => {
                return text::invalid(
                    bundle,
                    &member(KEY, clock),
                    "a time namespace has the clocks monotonic and boottime",
                );
            }
        }
    }
    Ok(Some(offsets))
}

fn offset_of(bundle: &Bundle, at: &str, asked: &LinuxTimeOffset) -> Result<(i64, u32), SpecError> {
    let nanoseconds = asked.nanosecs().unwrap_or(0);
    if nanoseconds >= SECOND {
        return text::invalid(bundle, &format!("{at}.nanosecs"), "less than a second (1000000000)");
    }
    Ok((asked.secs().unwrap_or(0), nanoseconds))
}

/// The checked `linux.memoryPolicy`.
pub(super) fn memory_policy(bundle: &Bundle, linux: Option<&Linux>) -> Result<Option<MemoryPolicy>, SpecError> {
    const KEY: &str = "linux.memoryPolicy";
    let Some(asked) = linux.and_then(|linux| linux.memory_policy().as_ref()) else { return Ok(None) };
    // Numbers of linux/mempolicy.h, and whether the mode takes nodes: never, perhaps, always.
    let (mode, least, most) = match asked.mode() {
        MemoryPolicyModeType::MpolDefault => (0, 0, 0),
        MemoryPolicyModeType::MpolPreferred => (1, 0, 1),
        MemoryPolicyModeType::MpolBind => (2, 1, usize::MAX),
        MemoryPolicyModeType::MpolInterleave => (3, 1, usize::MAX),
        MemoryPolicyModeType::MpolLocal => (4, 0, 0),
        MemoryPolicyModeType::MpolPreferredMany => (5, 1, usize::MAX),
        MemoryPolicyModeType::MpolWeightedInterleave => (6, 1, usize::MAX),
    };
    let nodes = match asked.nodes().as_deref() {
        None | Some("") => Vec::new(),
        Some(list) => match number_list::parse(list, NODES) {
            Some(nodes) => nodes,
            None => return text::invalid(bundle, &format!("{KEY}.nodes"), "not a list of memory nodes (0-1,3)"),
        },
    };
    if nodes.len() < least || nodes.len() > most {
        let rule = "MPOL_DEFAULT and MPOL_LOCAL have none, MPOL_PREFERRED at most one, every other mode at least one";
        return text::invalid(bundle, &format!("{KEY}.nodes"), rule);
    }
    let flags = asked.flags().iter().flatten().fold(0, |bits, flag| {
        bits | match flag {
            MemoryPolicyFlagType::MpolFStaticNodes => 1 << 15,
            MemoryPolicyFlagType::MpolFRelativeNodes => 1 << 14,
            MemoryPolicyFlagType::MpolFNumaBalancing => 1 << 13,
        }
    });
    Ok(Some(MemoryPolicy { mode: mode | flags, nodes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::container::Container;
    use crate::spec::testing;
    use serde_json::{Value, json};

    fn checked(key: &str, value: &Value) -> Result<Container, String> {
        let bundle = testing::bundle(|config| {
            config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "time"}));
            config["linux"][key] = value.clone();
        });
        crate::spec::check_with(&bundle, false).map_err(|error| error.field().path().to_owned())
    }

    #[test]
    fn personalities_are_read_and_flags_refused() {
        let of = |value: Value| checked("personality", &value).map(|container| container.personality);
        assert_eq!(of(json!({"domain": "LINUX32"})), Ok(Some(Personality::Linux32)));
        assert_eq!(of(json!({"domain": "LINUX", "flags": []})), Ok(Some(Personality::Linux)));
        assert_eq!(of(json!({"domain": "LINUX", "flags": ["x"]})), Err("linux.personality.flags".to_owned()));
    }

    #[test]
    fn offsets_need_known_clocks_and_a_new_namespace() {
        let of = |value: Value| checked("timeOffsets", &value).map(|container| container.time_offsets);
        let both = of(json!({"monotonic": {"secs": -5, "nanosecs": 1}, "boottime": {"secs": 7}}));
        assert_eq!(both, Ok(Some(TimeOffsets { monotonic: Some((-5, 1)), boottime: Some((7, 0)) })));
        assert_eq!(of(json!({"realtime": {"secs": 1}})), Err("linux.timeOffsets.realtime".to_owned()));
        let large = of(json!({"boottime": {"nanosecs": 1_000_000_000}}));
        assert_eq!(large, Err("linux.timeOffsets.boottime.nanosecs".to_owned()));
        let bundle = testing::bundle(|config| config["linux"]["timeOffsets"] = json!({"boottime": {"secs": 1}}));
        let error = crate::spec::check_with(&bundle, false).unwrap_err();
        assert_eq!(error.field().path(), "linux.timeOffsets");
    }

    #[test]
    fn memory_policies_take_the_nodes_that_their_mode_has() {
        let of = |value: Value| checked("memoryPolicy", &value).map(|container| container.memory_policy.unwrap());
        let bind = of(json!({"mode": "MPOL_BIND", "nodes": "0-1", "flags": ["MPOL_F_STATIC_NODES"]}));
        assert_eq!(bind, Ok(MemoryPolicy { mode: 2 | 1 << 15, nodes: vec![0, 1] }));
        assert_eq!(of(json!({"mode": "MPOL_LOCAL"})), Ok(MemoryPolicy { mode: 4, nodes: Vec::new() }));
        for value in [
            json!({"mode": "MPOL_BIND"}),
            json!({"mode": "MPOL_LOCAL", "nodes": "0"}),
            json!({"mode": "MPOL_PREFERRED", "nodes": "0-1"}),
            json!({"mode": "MPOL_INTERLEAVE", "nodes": "x"}),
        ] {
            assert_eq!(of(value.clone()), Err("linux.memoryPolicy.nodes".to_owned()), "{value}");
        }
    }
}
