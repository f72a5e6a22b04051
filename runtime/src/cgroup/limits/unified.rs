//! `unified`: files of cgroup v2 and their values, as they are. Pure; used by `plan` alone.

use std::borrow::Cow;

use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Version;
use crate::cgroup::limits::planner::{Planner, Setting};
use crate::spec::resources::Resources;

pub(super) fn plan(resources: &Resources, planner: &mut Planner<'_>) -> Result<(), CgroupError> {
    for (file, value) in &resources.unified {
        let key: Cow<'static, str> = format!("linux.resources.unified.{file}").into();
        let Some((controller, _)) = file.split_once('.').filter(|_| is_file_name(file)) else {
            let why = "a file of a cgroup is named CONTROLLER.NAME";
            return Err(CgroupError::Value { key, value: value.clone(), why });
        };
        let controller = match controller {
            "cgroup" if is_harmless_core_file(file) => "",
            "cgroup" => {
                let why = "this file moves, freezes or kills processes, or changes the kind of the cgroup";
                return Err(CgroupError::Value { key, value: value.clone(), why });
            }
            name => name,
        };
        if !planner.has_v2(controller) {
            let name = if controller.is_empty() { "cgroup v2".into() } else { format!("cgroup v2 {controller}") };
            return Err(CgroupError::ControllerUnavailable { key, controller: name.into() });
        }
        planner.add(Setting {
            key,
            version: Version::V2,
            controller: controller.to_owned().into(),
            choices: vec![(file.clone().into(), value.clone())],
            optional: false,
        });
    }
    Ok(())
}

/// Core files that only limit. The others would let a bundle move a process of the host into its cgroup
/// (`cgroup.procs`) and have it killed with the container.
fn is_harmless_core_file(file: &str) -> bool {
    matches!(file, "cgroup.max.depth" | "cgroup.max.descendants")
}

/// Whether this is one component of a path, as the names of all cgroup files are.
pub(super) fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 200
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
