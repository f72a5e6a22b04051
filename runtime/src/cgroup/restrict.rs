//! Making `linux.resources.devices` effective: which of the two languages of `devices` this host and these rules take, and
//! the writes. Called by `create` alone; the rules of a running container do not change.

use crate::cgroup::devices;
use crate::cgroup::directory::Directory;
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::{Hierarchies, Version};
use crate::cgroup::member::Member;
use crate::spec::resources::DeviceRule;

const KEY: &str = "linux.resources.devices";

/// How the device rules become effective.
#[derive(Debug)]
pub(super) enum DeviceMeans {
    /// There are none.
    None,
    /// The v1 controller: half the time of a program, which the kernel has to verify and compile (0.17 against 0.38 ms).
    Lines(Vec<(devices::File, String)>),
    /// A program on the v2 directory, also for rules that v1 cannot say.
    Program,
}

impl DeviceMeans {
    pub(super) fn choose(host: &Hierarchies, rules: &[DeviceRule]) -> Result<Self, CgroupError> {
        if rules.is_empty() {
            return Ok(Self::None);
        }
        if host.with(Version::V1, "devices").is_none() {
            return Ok(Self::Program);
        }
        match devices::v1_lines(rules) {
            Ok(lines) => Ok(Self::Lines(lines)),
            Err(_too_fine) if host.has_v2() => Ok(Self::Program),
            Err(error) => Err(error),
        }
    }

    /// Makes the rules effective in the directories of a container.
    pub(super) fn apply(&self, members: &[Member], rules: &[DeviceRule]) -> Result<(), CgroupError> {
        let (version, controller) = match self {
            Self::None => return Ok(()),
            Self::Lines(_) => (Version::V1, "devices"),
            Self::Program => (Version::V2, ""),
        };
        let unavailable = CgroupError::ControllerUnavailable { key: KEY.into(), controller: "devices".into() };
        let member = members.iter().find(|member| member.has(version, controller)).ok_or(unavailable)?;
        let directory = member.directory()?;
        let Self::Lines(lines) = self else { return attach_program(&directory, rules) };
        for (file, value) in lines {
            directory.write(file.name(), value).map_err(|source| CgroupError::Limit {
                key: KEY.into(),
                path: directory.path().join(file.name()),
                value: value.clone(),
                source,
            })?;
        }
        Ok(())
    }
}

fn attach_program(directory: &Directory, rules: &[DeviceRule]) -> Result<(), CgroupError> {
    let failed = |operation| {
        move |source| CgroupError::DeviceProgram { path: directory.path().to_path_buf(), operation, source }
    };
    let program: Vec<[u8; 8]> = devices::v2_program(rules).into_iter().map(devices::Insn::encode).collect();
    let program = crate::sys::bpf::load_device_program(&program).map_err(failed("load"))?;
    crate::sys::bpf::attach_device_program(directory.fd(), program).map_err(failed("attach"))
}
