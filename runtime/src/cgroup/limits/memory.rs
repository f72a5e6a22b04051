//! Memory and swap, and what only v1 has: swappiness, TCP buffers, the switch of the OOM killer. Pure; used by `plan`
//! alone.

use crate::cgroup::convert::{self, SwapError};
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Version;
use crate::cgroup::limits::planner::{Controller, Limit, Planner, Scaled};
use crate::spec::resources::Resources;

const MEMORY: Controller = Controller { v1: "memory", v2: Some("memory") };

const LIMIT: Limit = Limit {
    key: "linux.resources.memory.limit",
    controller: MEMORY,
    v1: "memory.limit_in_bytes",
    v2: Some("memory.max"),
};
const RESERVATION: Limit = Limit {
    key: "linux.resources.memory.reservation",
    controller: MEMORY,
    v1: "memory.soft_limit_in_bytes",
    v2: Some("memory.low"),
};
/// Memory plus swap on v1, swap alone on v2.
const SWAP: Limit = Limit {
    key: "linux.resources.memory.swap",
    controller: MEMORY,
    v1: "memory.memsw.limit_in_bytes",
    v2: Some("memory.swap.max"),
};
const KERNEL_TCP: Limit = Limit {
    key: "linux.resources.memory.kernelTCP",
    controller: MEMORY,
    v1: "memory.kmem.tcp.limit_in_bytes",
    v2: None,
};
const SWAPPINESS: Limit =
    Limit { key: "linux.resources.memory.swappiness", controller: MEMORY, v1: "memory.swappiness", v2: None };
const OOM_KILLER_OFF: Limit =
    Limit { key: "linux.resources.memory.disableOOMKiller", controller: MEMORY, v1: "memory.oom_control", v2: None };
/// v2 knows nothing else.
const USE_HIERARCHY: Limit =
    Limit { key: "linux.resources.memory.useHierarchy", controller: MEMORY, v1: "memory.use_hierarchy", v2: None };

pub(super) fn plan(resources: &Resources, planner: &mut Planner<'_>) -> Result<(), CgroupError> {
    if resources.memory_use_hierarchy && planner.version(USE_HIERARCHY.key, MEMORY)? == Version::V1 {
        // Since Linux 5.11 v1 knows nothing else either.
        planner.set(&USE_HIERARCHY, Scaled::same(1))?.optional = true;
    }
    let limit = resources.memory_limit.filter(|&limit| limit != 0);
    if let Some(limit) = limit {
        planner.set(&LIMIT, bytes(limit))?;
    }
    if let Some(reservation) = resources.memory_reservation.filter(|&reservation| reservation != 0) {
        planner.set(&RESERVATION, bytes(reservation))?;
    }
    swap(resources.memory_swap, limit, planner)?;
    if let Some(limit) = resources.memory_kernel_tcp.filter(|&limit| limit != 0) {
        planner.set(&KERNEL_TCP, bytes(limit))?;
    }
    if let Some(swappiness) = resources.memory_swappiness {
        planner.set(&SWAPPINESS, Scaled::same(swappiness))?;
    }
    if resources.memory_oom_killer_off {
        planner.set(&OOM_KILLER_OFF, Scaled::same(1))?;
    }
    Ok(())
}

fn bytes(value: i64) -> Scaled {
    Scaled { v1: value.max(-1).to_string(), v2: convert::bytes_or_max(value) }
}

fn swap(swap: Option<i64>, limit: Option<i64>, planner: &mut Planner<'_>) -> Result<(), CgroupError> {
    let alone = convert::swap_alone(swap, limit).map_err(|error| CgroupError::Value {
        key: SWAP.key.into(),
        value: swap.unwrap_or_default().to_string(),
        why: match error {
            SwapError::WithoutMemory => "it counts memory and swap together and needs a memory.limit",
            SwapError::BelowMemory => "it counts memory and swap together and may not be less than memory.limit",
        },
    });
    match planner.version(SWAP.key, MEMORY) {
        Err(_unavailable) if swap.unwrap_or(0) == 0 => Ok(()),
        Err(unavailable) => Err(unavailable),
        Ok(Version::V1) => {
            // v1 counts as OCI does, and its kernel checks the order of the two; a sum without a limit is legal.
            let value = match alone {
                Ok(None) => return Ok(()),
                Err(error) if limit.is_some() => return Err(error),
                _ if swap.unwrap_or(0) == 0 => -1,
                _ => swap.unwrap_or(-1).max(-1),
            };
            planner.set(&SWAP, bytes(value))?.optional = value == -1;
            Ok(())
        }
        Ok(Version::V2) => {
            let Some(alone) = alone? else { return Ok(()) };
            // A kernel without swap accounting has no file; it neither limits swap nor, without swap, needs to.
            planner.set(&SWAP, bytes(alone))?.optional = alone <= 0;
            Ok(())
        }
    }
}
