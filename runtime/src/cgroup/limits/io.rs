//! Block devices: weights, and bytes and operations in a second. Pure; used by `plan` alone.
//!
//! Weights need a scheduler that knows them: BFQ for a device (its files have the scale of OCI), or the kernel's cost
//! model (`io.weight` of v2). Rates need the throttle layer alone, which is always there.

use std::borrow::Cow;

use crate::cgroup::convert;
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Version;
use crate::cgroup::limits::planner::{Controller, Limit, Planner, Scaled};
use crate::spec::resources::{Flow, Resources};

const IO: Controller = Controller { v1: "blkio", v2: Some("io") };

const WEIGHT: &str = "linux.resources.blockIO.weight";
const WEIGHT_FILES: Files = Files { v1: ["blkio.weight", "blkio.bfq.weight"], v2: ["io.bfq.weight", "io.weight"] };
const DEVICE_WEIGHT: &str = "linux.resources.blockIO.weightDevice";
const DEVICE_WEIGHT_FILES: Files =
    Files { v1: ["blkio.weight_device", "blkio.bfq.weight_device"], v2: ["io.bfq.weight", "io.weight"] };

/// The files of which this kernel may have one, the preferred one first.
struct Files {
    v1: [&'static str; 2],
    v2: [&'static str; 2],
}

/// The file of v1, and the word in `io.max`.
fn throttle(flow: Flow) -> (Limit, &'static str) {
    let limit = |key, v1| Limit { key, controller: IO, v1, v2: Some("io.max") };
    match flow {
        Flow::ReadBytes => {
            (limit("linux.resources.blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device"), "rbps")
        }
        Flow::WriteBytes => {
            (limit("linux.resources.blockIO.throttleWriteBpsDevice", "blkio.throttle.write_bps_device"), "wbps")
        }
        Flow::Reads => {
            (limit("linux.resources.blockIO.throttleReadIOPSDevice", "blkio.throttle.read_iops_device"), "riops")
        }
        Flow::Writes => {
            (limit("linux.resources.blockIO.throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"), "wiops")
        }
    }
}

pub(super) fn plan(resources: &Resources, planner: &mut Planner<'_>) -> Result<(), CgroupError> {
    if let Some(weight) = resources.io_weight.filter(|&weight| weight != 0) {
        weigh(WEIGHT.into(), &WEIGHT_FILES, "", weight, planner)?;
    }
    for (index, entry) in resources.io_device_weights.iter().enumerate() {
        let key = format!("{DEVICE_WEIGHT}[{index}]").into();
        weigh(key, &DEVICE_WEIGHT_FILES, &format!("{} ", entry.device), entry.weight, planner)?;
    }
    for entry in &resources.io_throttles {
        let (limit, word) = throttle(entry.flow);
        let key = format!("{}[{}]", limit.key, entry.index).into();
        // v1 takes a bound away with 0, v2 refuses 0 and has a word for it.
        let rate = if entry.rate == 0 { "max".into() } else { entry.rate.to_string() };
        let v1 = format!("{} {}", entry.device, entry.rate);
        planner.set_as(key, &limit, Scaled { v1, v2: format!("{} {word}={rate}", entry.device) })?;
    }
    Ok(())
}

/// `device` is empty, or a device's numbers and a space.
fn weigh(
    key: Cow<'static, str>,
    files: &Files,
    device: &str,
    weight: u16,
    planner: &mut Planner<'_>,
) -> Result<(), CgroupError> {
    let version = planner.version(&key, IO)?;
    let raw = format!("{device}{weight}");
    let values = match version {
        Version::V1 => files.v1.map(|file| (file.into(), raw.clone())),
        Version::V2 => {
            let [bfq, cost] = files.v2;
            [(bfq.into(), raw), (cost.into(), format!("{device}{}", convert::io_weight(weight)))]
        }
    };
    planner.push(key, version, IO, values.into());
    Ok(())
}
