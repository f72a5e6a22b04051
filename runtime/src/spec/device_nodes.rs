//! `linux.devices`: kinds, numbers and permission bits of device nodes.

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};

use super::container::{Device, DeviceKind};
use super::error::SpecError;
use super::text;
use crate::bundle::Bundle;
use crate::bundle::field::element;

const PATH: &str = "linux.devices";
/// runc's default when the bundle gives no mode.
const DEFAULT_MODE: u32 = 0o666;
/// `S_IFMT` of inode(7): some engines leave the file type in `fileMode`.
const TYPE_BITS: u32 = 0o170_000;
/// Widths of `dev_t` inside the kernel (`MINORBITS` is 20).
const MAJOR_MAX: i64 = 0xfff;
const MINOR_MAX: i64 = 0xf_ffff;

/// The devices in the order of the bundle.
pub(super) fn check(bundle: &Bundle, asked: &[LinuxDevice]) -> Result<Vec<Device>, SpecError> {
    let mut devices: Vec<Device> = Vec::with_capacity(asked.len());
    for (index, device) in asked.iter().enumerate() {
        let at = element(PATH, index);
        let path = text::absolute_path(bundle, &format!("{at}.path"), device.path())?;
        if devices.iter().any(|earlier| earlier.path == path) {
            return Err(SpecError::Duplicate { field: bundle.field(&at), what: "the path of a device" });
        }
        devices.push(Device {
            path,
            kind: kind(bundle, &at, device)?,
            mode: mode(bundle, &at, device)?,
            uid: owner(bundle, &format!("{at}.uid"), device.uid())?,
            gid: owner(bundle, &format!("{at}.gid"), device.gid())?,
        });
    }
    Ok(devices)
}

fn kind(bundle: &Bundle, at: &str, device: &LinuxDevice) -> Result<DeviceKind, SpecError> {
    let number = |key: &str, value: i64, most: i64| match u32::try_from(value) {
        Ok(number) if value <= most => Ok(number),
        _ => text::invalid(bundle, &format!("{at}.{key}"), "not a device number"),
    };
    let numbers = || Ok((number("major", device.major(), MAJOR_MAX)?, number("minor", device.minor(), MINOR_MAX)?));
    match device.typ() {
        LinuxDeviceType::C | LinuxDeviceType::U => numbers().map(|(major, minor)| DeviceKind::Character(major, minor)),
        LinuxDeviceType::B => numbers().map(|(major, minor)| DeviceKind::Block(major, minor)),
        LinuxDeviceType::P => Ok(DeviceKind::Fifo),
        LinuxDeviceType::A => text::invalid(bundle, &format!("{at}.type"), "a device is c, u, b or p"),
    }
}

fn mode(bundle: &Bundle, at: &str, device: &LinuxDevice) -> Result<u32, SpecError> {
    let mode = device.file_mode().unwrap_or(DEFAULT_MODE);
    let of_kind = match device.typ() {
        LinuxDeviceType::B => 0o060_000,
        LinuxDeviceType::P => 0o010_000,
        LinuxDeviceType::A | LinuxDeviceType::C | LinuxDeviceType::U => 0o020_000,
    };
    let kind_bits = mode & TYPE_BITS;
    if mode > TYPE_BITS | 0o7777 || (kind_bits != 0 && kind_bits != of_kind) {
        return text::invalid(bundle, &format!("{at}.fileMode"), "not permission bits (decimal in JSON: 438 is 0666)");
    }
    Ok(mode & 0o7777)
}

fn owner(bundle: &Bundle, path: &str, id: Option<u32>) -> Result<u32, SpecError> {
    match id {
        Some(u32::MAX) => text::invalid(bundle, path, "4294967295 is no id"),
        Some(id) => Ok(id),
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing;
    use serde_json::{Value, json};

    fn checked(devices: &Value) -> Result<Vec<Device>, String> {
        let bundle = testing::bundle(|config| config["linux"]["devices"] = devices.clone());
        crate::spec::check_with(&bundle, false)
            .map(|container| container.devices)
            .map_err(|error| error.field().path().to_owned())
    }

    #[test]
    fn kinds_numbers_and_modes_are_read() {
        let devices = checked(&json!([
            {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o20_666, "uid": 1, "gid": 2},
            {"path": "/dev/sda", "type": "b", "major": 8, "minor": 0},
            {"path": "/dev/p", "type": "p"}
        ]))
        .unwrap();
        assert_eq!(devices[0].kind, DeviceKind::Character(10, 229));
        assert_eq!((devices[0].mode, devices[0].uid, devices[0].gid), (0o666, 1, 2));
        assert_eq!((devices[1].kind, devices[1].mode), (DeviceKind::Block(8, 0), 0o666));
        assert_eq!(devices[2].kind, DeviceKind::Fifo);
    }

    #[test]
    fn wrong_devices_are_refused_by_path() {
        for (device, key) in [
            (json!({"path": "dev/x", "type": "c", "major": 1, "minor": 3}), ".path"),
            (json!({"path": "/dev/x", "type": "a", "major": 1, "minor": 3}), ".type"),
            (json!({"path": "/dev/x", "type": "c", "major": -1, "minor": 3}), ".major"),
            (json!({"path": "/dev/x", "type": "c", "major": 1, "minor": 1 << 20}), ".minor"),
            (json!({"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 0o60_666}), ".fileMode"),
            (json!({"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "gid": u32::MAX}), ".gid"),
        ] {
            assert_eq!(checked(&json!([device])), Err(format!("linux.devices[0]{key}")));
        }
        let twice = json!({"path": "/dev/x", "type": "p"});
        assert_eq!(checked(&json!([twice, twice])), Err("linux.devices[1]".to_owned()));
    }
}
