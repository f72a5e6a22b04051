//! `uidMappings` and `gidMappings`, of the container and of single mounts: the kernel's rules for `/proc/PID/uid_map`
//! (user_namespaces(7)), checked before anything is made.

use oci_spec::runtime::{Linux, LinuxIdMapping};

use super::container::{IdMappings, IdRange, Namespace, Namespaces};
use super::error::SpecError;
use super::{list, text};
use crate::bundle::Bundle;
use crate::bundle::field::{element, member};

/// Most lines that the kernel takes (`UID_GID_MAP_MAX_EXTENTS`).
const LINES_MAX: usize = 340;

/// The mappings of the container. They need a user namespace to apply to, new or joined.
pub(super) fn of_container(
    bundle: &Bundle,
    linux: Option<&Linux>,
    namespaces: &Namespaces,
) -> Result<IdMappings, SpecError> {
    let mappings = check(bundle, "linux", list(linux, Linux::uid_mappings), list(linux, Linux::gid_mappings))?;
    if !mappings.uids.is_empty() && namespaces.user == Namespace::Host {
        let rule = "user namespace mappings need a user namespace: add {\"type\":\"user\"} to linux.namespaces";
        return Err(SpecError::Needs { field: bundle.field("linux.uidMappings"), rule });
    }
    Ok(mappings)
}

/// The mappings below the key `parent`.
pub(super) fn check(
    bundle: &Bundle,
    parent: &str,
    uids: &[LinuxIdMapping],
    gids: &[LinuxIdMapping],
) -> Result<IdMappings, SpecError> {
    let mappings = IdMappings {
        uids: ranges(bundle, &member(parent, "uidMappings"), uids)?,
        gids: ranges(bundle, &member(parent, "gidMappings"), gids)?,
    };
    let (some, none) = match (mappings.uids.is_empty(), mappings.gids.is_empty()) {
        (false, true) => ("uidMappings", "needs gidMappings beside it"),
        (true, false) => ("gidMappings", "needs uidMappings beside it"),
        (false, false) | (true, true) => return Ok(mappings),
    };
    Err(SpecError::Needs { field: bundle.field(&member(parent, some)), rule: none })
}

fn ranges(bundle: &Bundle, path: &str, asked: &[LinuxIdMapping]) -> Result<Vec<IdRange>, SpecError> {
    if asked.len() > LINES_MAX {
        return text::invalid(bundle, path, "more than 340 ranges, the kernel's limit");
    }
    let mut ranges: Vec<IdRange> = Vec::with_capacity(asked.len());
    for (index, mapping) in asked.iter().enumerate() {
        let refuse = |rule| text::invalid(bundle, &element(path, index), rule);
        let range = IdRange { container: mapping.container_id(), host: mapping.host_id(), length: mapping.size() };
        if range.length == 0 {
            return refuse("maps no id: size is 0");
        }
        if !ends_below_no_id(range.container, range.length) || !ends_below_no_id(range.host, range.length) {
            return refuse("runs past the last id, 4294967294");
        }
        if ranges.iter().any(|earlier| overlap(earlier.container, earlier.length, range.container, range.length)) {
            return refuse("overlaps an earlier range inside the container");
        }
        if ranges.iter().any(|earlier| overlap(earlier.host, earlier.length, range.host, range.length)) {
            return refuse("overlaps an earlier range on the host");
        }
        ranges.push(range);
    }
    Ok(ranges)
}

/// Whether all ids are below 4294967295, which is no id.
fn ends_below_no_id(first: u32, length: u32) -> bool {
    u64::from(first) + u64::from(length) <= u64::from(u32::MAX)
}

fn overlap(first: u32, first_length: u32, second: u32, second_length: u32) -> bool {
    u64::from(first) < u64::from(second) + u64::from(second_length)
        && u64::from(second) < u64::from(first) + u64::from(first_length)
}

#[cfg(test)]
mod tests {
    use crate::spec::testing;
    use serde_json::json;

    fn refused_at(uids: serde_json::Value, gids: serde_json::Value) -> Option<String> {
        let bundle = testing::bundle(|config| {
            config["linux"]["namespaces"] = json!([{"type": "user"}, {"type": "uts"}]);
            config["linux"]["uidMappings"] = uids.clone();
            config["linux"]["gidMappings"] = gids.clone();
        });
        crate::spec::check_with(&bundle, false).err().map(|error| error.field().path().to_owned())
    }

    #[test]
    fn ranges_follow_the_kernels_rules() {
        let one = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        assert_eq!(refused_at(one.clone(), one.clone()), None);
        let edge = json!([{"containerID": 0, "hostID": u32::MAX - 1, "size": 1}]);
        assert_eq!(refused_at(edge, one.clone()), None);
        let at = |index: usize| Some(format!("linux.uidMappings[{index}]"));
        for (uids, expected) in [
            (json!([{"containerID": 0, "hostID": 1, "size": 0}]), at(0)),
            (json!([{"containerID": 0, "hostID": u32::MAX, "size": 1}]), at(0)),
            (json!([{"containerID": 1, "hostID": 5, "size": u32::MAX}]), at(0)),
            (json!([{"containerID": 0, "hostID": 1, "size": 9}, {"containerID": 8, "hostID": 50, "size": 1}]), at(1)),
            (json!([{"containerID": 0, "hostID": 1, "size": 9}, {"containerID": 20, "hostID": 9, "size": 1}]), at(1)),
            (json!([]), Some("linux.gidMappings".to_owned())),
        ] {
            assert_eq!(refused_at(uids, one.clone()), expected);
        }
        assert_eq!(refused_at(one, json!([])), Some("linux.uidMappings".to_owned()));
    }
}
