//! Rights: capabilities under the ceiling, devices, id ranges, and the warnings about what is not as asked. Pure.

use crate::bundle::field::Field;
use crate::idmap;
use crate::policy::profile::Profile;
use crate::policy::rules::Privileged;
use crate::policy::tables::capabilities::CEILING;
use crate::policy::tables::devices;
use crate::policy::{PolicyError, Warning};
use crate::spec::container::{Capabilities, Container, Device, DeviceKind, IdMappings, IdRange};
use crate::spec::resources::DeviceRule;
use crate::spec::{capability_mask, capability_names};

/// Below it stand the ids of the host's own users and services (`SYS_UID_MAX` of login.defs(5)).
const FIRST_ORDINARY_ID: u32 = 1000;

/// Read and write of `DeviceRule::access`.
const READ_OR_WRITE: u8 = 6;

/// How many capabilities beyond the ceiling make a container look privileged: all that there are, or all but a few that
/// an old engine does not know.
const PRIVILEGED_CLIPPED: usize = 20;

/// Refuses mappings onto the host's system users, of the container and of single mounts.
pub(super) fn refuse_host_ids(container: &Container) -> Result<(), PolicyError> {
    let own = [("linux".to_owned(), &container.id_mappings)];
    let mounts = container.mounts.iter().map(|mount| (format!("mounts[{}]", mount.index), &mount.id_mappings));
    for (parent, mappings) in own.into_iter().chain(mounts) {
        refuse_ranges(&format!("{parent}.uidMappings"), &mappings.uids, is_of_others)?;
        refuse_ranges(&format!("{parent}.gidMappings"), &mappings.gids, is_of_others)?;
    }
    Ok(())
}

/// Refuses a user namespace to be joined whose ids are the host's own, whoever made it.
///
/// # Errors
/// [`PolicyError::HostIds`].
pub(crate) fn refuse_joined_host_ids(mappings: &IdMappings) -> Result<(), PolicyError> {
    refuse_ranges("linux.namespaces: joined uid_map", &mappings.uids, is_of_the_system)?;
    refuse_ranges("linux.namespaces: joined gid_map", &mappings.gids, is_of_the_system)
}

/// Ids of the system's users.
fn is_of_the_system(range: &IdRange) -> bool {
    range.host < FIRST_ORDINARY_ID
}

/// The same, or ids that lazaret leases to other containers.
fn is_of_others(range: &IdRange) -> bool {
    let leased = idmap::leased_ids();
    let end = u64::from(range.host) + u64::from(range.length);
    is_of_the_system(range) || (u64::from(range.host) < leased.end && end > leased.start)
}

fn refuse_ranges(path: &str, ranges: &[IdRange], foreign: fn(&IdRange) -> bool) -> Result<(), PolicyError> {
    let Some((index, range)) = ranges.iter().enumerate().find(|(_, range)| foreign(range)) else {
        return Ok(());
    };
    let last = range.host.saturating_add(range.length.saturating_sub(1));
    let field = Field::new(&format!("{path}[{index}].hostID"), Some(&range.host.into()));
    Err(PolicyError::HostIds { field, first: range.host, last })
}

/// Refuses device nodes beside the harmless ones. A named pipe is made inside and reaches nobody.
pub(super) fn refuse_devices(container: &Container) -> Result<(), PolicyError> {
    for (index, device) in container.devices.iter().enumerate() {
        let numbers = match device.kind {
            DeviceKind::Fifo => continue,
            DeviceKind::Character(major, minor) if devices::safe(major, minor).is_some() => continue,
            DeviceKind::Character(major, minor) => format!("c {major}:{minor}"),
            DeviceKind::Block(major, minor) => format!("b {major}:{minor}"),
        };
        return Err(PolicyError::Device { field: device_field(index, device), numbers });
    }
    Ok(())
}

fn device_field(index: usize, device: &Device) -> Field {
    Field::text(&format!("linux.devices[{index}].path"), &device.path.to_string_lossy())
}

/// The capabilities under the ceiling, and the names of those above it.
pub(super) fn clip(asked: Capabilities, profile: Option<&Profile>) -> (Capabilities, Vec<&'static str>) {
    let by_profile =
        |name: &&&str| profile.and_then(|profile| profile.ceiling.as_ref()).is_none_or(|own| own.contains(**name));
    let ceiling =
        CEILING.iter().filter(by_profile).filter_map(|name| capability_mask(name)).fold(0, |mask, bit| mask | bit);
    let all = asked.bounding | asked.effective | asked.inheritable | asked.permitted | asked.ambient;
    let kept = Capabilities {
        bounding: asked.bounding & ceiling,
        effective: asked.effective & ceiling,
        inheritable: asked.inheritable & ceiling,
        permitted: asked.permitted & ceiling,
        ambient: asked.ambient & ceiling,
    };
    (kept, capability_names(all & !ceiling).collect())
}

/// Whether the container is privileged, as engines make it: it asks for every capability.
pub(super) fn is_privileged(container: &Container) -> bool {
    clip(container.process.capabilities, None).1.len() >= PRIVILEGED_CLIPPED
}

/// Refuses a privileged container where the node does.
pub(super) fn refuse_privileged(container: &Container, privileged: Privileged) -> Result<(), PolicyError> {
    let (_, clipped) = clip(container.process.capabilities, None);
    match clipped.first() {
        Some(first) if privileged == Privileged::Refuse && is_privileged(container) => {
            let field = Field::text("process.capabilities", &format!("{first} and {} others", clipped.len() - 1));
            Err(PolicyError::Privileged { field, reasons: privileged_reasons(container, clipped.len()) })
        }
        Some(_) | None => Ok(()),
    }
}

/// Takes the devices of the host out of a privileged container: engines list all that there are.
pub(super) fn remove_devices(container: &mut Container) -> Option<Warning> {
    let is_harmless = |device: &Device| match device.kind {
        DeviceKind::Fifo => true,
        DeviceKind::Character(major, minor) => devices::safe(major, minor).is_some(),
        DeviceKind::Block(..) => false,
    };
    let (kept, removed): (Vec<_>, Vec<_>) = std::mem::take(&mut container.devices).into_iter().partition(is_harmless);
    container.devices = kept;
    let first = removed.first()?;
    let text = format!("{} of the host left out, {:?} first", removed.len(), first.path);
    Some(Warning { path: "linux.devices", text })
}

/// What the caller should know. A privileged container gets one warning with every reason, not one each.
pub(super) fn warnings(container: &Container, clipped: &[&'static str]) -> Vec<Warning> {
    if clipped.len() >= PRIVILEGED_CLIPPED {
        return vec![privileged(container, clipped.len())];
    }
    let mut warnings = Vec::new();
    warnings.extend(clipped_warning(clipped));
    if opens_foreign_devices_at_all(container) {
        let text = "ignored in sandbox mode: the sandbox's own device list holds".to_owned();
        warnings.push(Warning { path: "linux.resources.devices", text });
    }
    warnings
}

/// What to say of capabilities that are not granted.
pub(super) fn clipped_warning(clipped: &[&'static str]) -> Option<Warning> {
    let text = format!("not granted in sandbox mode: {}", clipped.join(", "));
    (!clipped.is_empty()).then_some(Warning { path: "process.capabilities", text })
}

fn privileged(container: &Container, clipped: usize) -> Warning {
    let reasons = privileged_reasons(container, clipped);
    let text = format!("asks for {reasons}: it runs contained, with the sandbox's own rights alone");
    Warning { path: "privileged", text }
}

fn privileged_reasons(container: &Container, clipped: usize) -> String {
    let mut reasons = vec![format!("{clipped} capabilities that a sandbox does not grant")];
    if opens_foreign_devices_at_all(container) {
        reasons.push("access to every device".to_owned());
    }
    if container.masked_paths.is_empty() && container.readonly_paths.is_empty() {
        reasons.push("nothing of /proc masked".to_owned());
    }
    if container.seccomp.is_none() {
        reasons.push("no seccomp profile".to_owned());
    }
    reasons.join(", ")
}

fn opens_foreign_devices_at_all(container: &Container) -> bool {
    container.resources.devices.iter().any(opens_foreign_devices)
}

/// Whether a rule opens devices that the sandbox does not have. Rules about making nodes alone are in every bundle.
fn opens_foreign_devices(rule: &DeviceRule) -> bool {
    let own = rule.kind == 'c'
        && match (rule.major, rule.minor) {
            // The system console: engines list it, the container's /dev/console is a terminal of its own.
            (Some(5), Some(1)) => true,
            (Some(major), Some(minor)) => devices::safe(major, minor).is_some(),
            (Some(major), None) => {
                devices::SAFE_DEVICES.iter().any(|device| device.major == major && device.minor.is_none())
            }
            (None, _) => false,
        };
    rule.allow && rule.access & READ_OR_WRITE != 0 && !own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing;
    use serde_json::{Value, json};

    fn container(change: impl Fn(&mut Value)) -> Container {
        crate::spec::check_without_machine(&testing::bundle(change)).unwrap()
    }

    fn with_capabilities(names: &[&str]) -> Container {
        container(|config| {
            for set in ["bounding", "effective", "permitted"] {
                config["process"]["capabilities"][set] = json!(names);
            }
        })
    }

    #[test]
    fn capabilities_above_the_ceiling_are_clipped_by_name() {
        let container = with_capabilities(&["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_BPF"]);
        let (kept, clipped) = clip(container.process.capabilities, None);
        assert_eq!(capability_names(kept.bounding).collect::<Vec<_>>(), ["CAP_CHOWN"]);
        assert_eq!((kept.effective, kept.permitted), (kept.bounding, kept.bounding));
        assert_eq!(clipped, ["CAP_SYS_ADMIN", "CAP_BPF"]);
        let warnings = warnings(&container, &clipped);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].to_string().contains("CAP_SYS_ADMIN, CAP_BPF"), "{}", warnings[0]);
    }

    #[test]
    fn every_name_of_the_ceiling_is_known_and_none_is_dangerous() {
        assert!(CEILING.iter().all(|name| capability_mask(name).is_some()));
        for name in [
            "SYS_ADMIN",
            "SYS_PTRACE",
            "SYS_MODULE",
            "SYS_RAWIO",
            "DAC_READ_SEARCH",
            "NET_ADMIN",
            "BPF",
            "PERFMON",
            "SYS_BOOT",
            "SYS_TIME",
            "SYSLOG",
            "MAC_ADMIN",
            "MAC_OVERRIDE",
        ] {
            assert!(!CEILING.contains(&format!("CAP_{name}").as_str()), "{name}");
        }
    }

    #[test]
    fn a_privileged_container_gets_one_warning_with_every_reason() {
        let names: Vec<_> = capability_names(u64::MAX).collect();
        let mut container = with_capabilities(&names);
        container.masked_paths.clear();
        container.readonly_paths.clear();
        container.resources.devices = vec![DeviceRule { allow: true, kind: 'a', major: None, minor: None, access: 7 }];
        let (_, clipped) = clip(container.process.capabilities, None);
        let warnings = warnings(&container, &clipped);
        assert_eq!(warnings.len(), 1);
        let text = warnings[0].to_string();
        for reason in ["27 capabilities", "every device", "nothing of /proc masked", "no seccomp profile"] {
            assert!(text.contains(reason), "{text}");
        }
    }

    #[test]
    fn host_ids_below_1000_are_refused() {
        let mapped = |host: u32, length: u32| {
            refuse_host_ids(&container(|config| {
                let ids = json!([{"containerID": 0, "hostID": host, "size": length}]);
                config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
                config["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": 100_000, "size": 1}]);
                config["linux"]["gidMappings"] = ids;
            }))
        };
        for (host, length) in [(0, 1), (0, u32::MAX), (999, 1), (500, 5000)] {
            let error = mapped(host, length).unwrap_err();
            assert_eq!(error.field().unwrap().path(), "linux.gidMappings[0].hostID", "{error}");
        }
        assert!(mapped(1000, 1).is_ok() && mapped(100_000, 65536).is_ok());
    }

    #[test]
    fn devices_beside_the_harmless_ones_are_refused_by_path() {
        let listed = |device: Value| refuse_devices(&container(|config| config["linux"]["devices"] = json!([device])));
        for (kind, major, minor) in [
            ("c", 1, 1),
            ("c", 1, 11),
            ("b", 8, 0),
            ("b", 1, 3),
            ("c", 10, 232),
            ("c", 10, 229),
            ("c", 10, 200),
            ("c", 5, 1),
        ] {
            let error = listed(json!({"path": "/dev/null", "type": kind, "major": major, "minor": minor})).unwrap_err();
            assert!(error.to_string().contains(&format!("the device {kind} {major}:{minor} ")), "{error}");
        }
        for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)] {
            assert!(listed(json!({"path": "/dev/x", "type": "c", "major": major, "minor": minor})).is_ok());
        }
        assert!(listed(json!({"path": "/dev/pipe", "type": "p"})).is_ok());
    }

    #[test]
    fn device_rules_of_engines_make_no_warning_and_wide_ones_do() {
        let warned = |rules: Value| {
            warnings(&container(|config| config["linux"]["resources"]["devices"] = rules.clone()), &[]).len()
        };
        assert_eq!(
            warned(json!([
                {"allow": false, "access": "rwm"},
                {"allow": true, "type": "c", "access": "m"},
                {"allow": true, "type": "b", "access": "m"},
                {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
                {"allow": true, "type": "c", "major": 136, "access": "rwm"},
                {"allow": true, "type": "c", "major": 5, "minor": 1, "access": "rwm"}
            ])),
            0
        );
        assert_eq!(warned(json!([{"allow": true, "access": "rwm"}])), 1);
        assert_eq!(warned(json!([{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rwm"}])), 1);
    }
}
