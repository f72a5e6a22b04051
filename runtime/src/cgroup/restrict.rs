//! Making `linux.resources.devices` effective: which of the two languages of `devices` this host and these rules take, and
//! the writes. Called by `create` and `update`: a running container has its old rules or its new ones, never none.

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

    /// The same for a container that runs: it keeps the language that its rules were written in, as long as that can say
    /// the new ones.
    pub(super) fn choose_again(
        host: &Hierarchies,
        members: &[Member],
        rules: &[DeviceRule],
    ) -> Result<Self, CgroupError> {
        let has_lines = members.iter().any(|member| member.has(Version::V1, "devices"));
        if !rules.is_empty() && !has_lines && host.has_v2() {
            return Ok(Self::Program);
        }
        Self::choose(host, rules)
    }

    /// Makes the rules effective in place of earlier ones. `in_frost` runs its argument while no process of the
    /// container does: the lines of v1 are written one by one, the first of which denies everything.
    pub(super) fn apply_running(
        &self,
        members: &[Member],
        rules: &[DeviceRule],
        in_frost: impl FnOnce(&mut dyn FnMut() -> Result<(), CgroupError>) -> Result<(), CgroupError>,
    ) -> Result<(), CgroupError> {
        match self {
            Self::None => Ok(()),
            Self::Lines(_) => in_frost(&mut || self.apply(members, rules)),
            Self::Program => {
                self.apply(members, rules)?;
                // The program holds already, so nothing is opened by taking the lines back, which deny what it allows.
                match members.iter().find(|member| member.has(Version::V1, "devices")) {
                    Some(member) => write_lines(&member.directory()?, &[(devices::File::Allow, "a".into())]),
                    None => Ok(()),
                }
            }
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
        match self {
            Self::Lines(lines) => write_lines(&directory, lines),
            Self::None | Self::Program => attach_program(&directory, rules),
        }
    }
}

fn write_lines(directory: &Directory, lines: &[(devices::File, String)]) -> Result<(), CgroupError> {
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

fn attach_program(directory: &Directory, rules: &[DeviceRule]) -> Result<(), CgroupError> {
    let failed = |operation| {
        move |source| CgroupError::DeviceProgram { path: directory.path().to_path_buf(), operation, source }
    };
    let program: Vec<[u8; 8]> = devices::v2_program(rules).into_iter().map(devices::Insn::encode).collect();
    let program = crate::sys::bpf::load_device_program(&program).map_err(failed("load"))?;
    crate::sys::bpf::attach_device_program(directory.fd(), program).map_err(failed("attach"))
}
