//! `linux.resources.blockIO`: weights and rates, for all devices and for single ones. Used by `limits` alone; the files
//! that they become are `cgroup`'s matter.

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice, LinuxWeightDevice};

use super::error::SpecError;
use super::resources::{BlockDevice, DeviceWeight, Flow, Resources, Throttle};
use super::text;
use crate::bundle::Bundle;
use crate::bundle::field::element;

const PATH: &str = "linux.resources.blockIO";
const NOT_A_WEIGHT: &str = "not within 10..=1000";

impl Flow {
    /// The key below `linux.resources.blockIO`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::ReadBytes => "throttleReadBpsDevice",
            Self::WriteBytes => "throttleWriteBpsDevice",
            Self::Reads => "throttleReadIOPSDevice",
            Self::Writes => "throttleWriteIOPSDevice",
        }
    }
}

/// Adds the checked limits to `resources`.
pub(super) fn check(bundle: &Bundle, asked: &LinuxBlockIo, resources: &mut Resources) -> Result<(), SpecError> {
    resources.io_weight = match asked.weight() {
        None | Some(0) => None,
        Some(weight @ 10..=1000) => Some(weight),
        Some(_) => return text::invalid(bundle, &format!("{PATH}.weight"), NOT_A_WEIGHT),
    };
    let weights = asked.weight_device().as_deref().unwrap_or_default();
    let checked = weights.iter().enumerate().map(|(index, asked)| device_weight(bundle, index, asked));
    resources.io_device_weights = checked.collect::<Result<_, _>>()?;
    for (flow, list) in [
        (Flow::ReadBytes, asked.throttle_read_bps_device()),
        (Flow::WriteBytes, asked.throttle_write_bps_device()),
        (Flow::Reads, asked.throttle_read_iops_device()),
        (Flow::Writes, asked.throttle_write_iops_device()),
    ] {
        for (index, asked) in list.iter().flatten().enumerate() {
            resources.io_throttles.push(throttle(bundle, flow, index, asked)?);
        }
    }
    Ok(())
}

fn device_weight(bundle: &Bundle, index: usize, asked: &LinuxWeightDevice) -> Result<DeviceWeight, SpecError> {
    let at = element(&format!("{PATH}.weightDevice"), index);
    let Some(weight @ 10..=1000) = asked.weight() else {
        return text::invalid(bundle, &format!("{at}.weight"), NOT_A_WEIGHT);
    };
    Ok(DeviceWeight { device: device(bundle, &at, asked.major(), asked.minor())?, weight })
}

fn throttle(bundle: &Bundle, flow: Flow, index: usize, asked: &LinuxThrottleDevice) -> Result<Throttle, SpecError> {
    let at = element(&format!("{PATH}.{}", flow.key()), index);
    Ok(Throttle { flow, index, device: device(bundle, &at, asked.major(), asked.minor())?, rate: asked.rate() })
}

fn device(bundle: &Bundle, at: &str, major: i64, minor: i64) -> Result<BlockDevice, SpecError> {
    let number = |key: &str, value: i64| {
        u32::try_from(value)
            .or_else(|_range| text::invalid(bundle, &format!("{at}.{key}"), "not the number of a block device"))
    };
    Ok(BlockDevice { major: number("major", major)?, minor: number("minor", minor)? })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::spec::testing;

    fn checked(block_io: Value) -> Result<Resources, String> {
        let bundle = testing::bundle(|config| config["linux"]["resources"] = json!({ "blockIO": block_io }));
        crate::spec::check_with(&bundle, false)
            .map(|container| container.resources)
            .map_err(|error| error.field().path().trim_start_matches("linux.resources.blockIO.").to_owned())
    }

    #[test]
    fn weights_and_rates_of_devices_are_read_in_order() {
        let resources = checked(json!({
            "weight": 500, "leafWeight": 0,
            "weightDevice": [{"major": 8, "minor": 0, "weight": 10, "leafWeight": 0}],
            "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 7}],
            "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1_048_576}, {"major": 9, "minor": 1, "rate": 0}],
        }))
        .unwrap();
        let device = |major, minor| BlockDevice { major, minor };
        assert_eq!(resources.io_weight, Some(500));
        assert_eq!(resources.io_device_weights, [DeviceWeight { device: device(8, 0), weight: 10 }]);
        assert_eq!(
            resources.io_throttles,
            [
                Throttle { flow: Flow::ReadBytes, index: 0, device: device(8, 0), rate: 1_048_576 },
                Throttle { flow: Flow::ReadBytes, index: 1, device: device(9, 1), rate: 0 },
                Throttle { flow: Flow::Writes, index: 0, device: device(8, 16), rate: 7 },
            ]
        );
    }

    #[test]
    fn what_names_no_device_or_weight_is_refused_by_path() {
        for (block_io, path) in [
            (json!({"weight": 9}), "weight"),
            (json!({"leafWeight": 10}), "leafWeight"),
            (json!({"weightDevice": [{"major": 8, "minor": 0}]}), "weightDevice[0].weight"),
            (json!({"weightDevice": [{"major": -1, "minor": 0, "weight": 10}]}), "weightDevice[0].major"),
            (
                json!({"weightDevice": [{"major": 8, "minor": 0, "weight": 10, "leafWeight": 5}]}),
                "weightDevice[0].leafWeight",
            ),
            (
                json!({"throttleReadIOPSDevice": [{"major": 8, "minor": -1, "rate": 1}]}),
                "throttleReadIOPSDevice[0].minor",
            ),
        ] {
            assert_eq!(checked(block_io).unwrap_err(), path);
        }
    }
}
