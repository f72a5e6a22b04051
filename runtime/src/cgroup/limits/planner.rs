//! What the files of the single controllers plan with: a limit and its files on both versions, and the choice between
//! them by what this host has. Pure.

use std::borrow::Cow;

use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::{Hierarchies, Version};

/// One write: the first of its files that the kernel offers gets the value beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cgroup) struct Setting {
    /// The field of `config.json`.
    pub(in crate::cgroup) key: Cow<'static, str>,
    pub(in crate::cgroup) version: Version,
    /// The kernel's name of the controller; empty for the core files of v2.
    pub(in crate::cgroup) controller: Cow<'static, str>,
    pub(in crate::cgroup) choices: Vec<(Cow<'static, str>, String)>,
    /// Whether the absence of every file loses nothing: the value asks for what such a kernel does anyway.
    pub(in crate::cgroup) optional: bool,
}

/// A controller by its names on both versions; `None` where that version has none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Controller {
    pub(super) v1: &'static str,
    pub(super) v2: Option<&'static str>,
}

/// One row of a controller's table: a field, and the file that takes it on each version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// The field of `config.json`.
    pub(super) key: &'static str,
    pub(super) controller: Controller,
    pub(super) v1: &'static str,
    /// `None`: cgroup v2 has no such limit.
    pub(super) v2: Option<&'static str>,
}

/// A value in the scales of both versions.
#[derive(Debug, Clone)]
pub(super) struct Scaled {
    pub(super) v1: String,
    pub(super) v2: String,
}

impl Scaled {
    /// The same text for both.
    pub(super) fn same(value: impl ToString) -> Self {
        let text = value.to_string();
        Self { v1: text.clone(), v2: text }
    }
}

/// Gathers the writes of one container.
#[derive(Debug)]
pub(super) struct Planner<'a> {
    host: &'a Hierarchies,
    settings: Vec<Setting>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(host: &'a Hierarchies) -> Self {
        Self { host, settings: Vec::new() }
    }

    pub(super) fn into_settings(self) -> Vec<Setting> {
        self.settings
    }

    /// The version that serves the controller on this host.
    pub(super) fn version(&self, key: &str, controller: Controller) -> Result<Version, CgroupError> {
        if self.host.with(Version::V1, controller.v1).is_some() {
            return Ok(Version::V1);
        }
        match controller.v2 {
            Some(name) if self.host.with(Version::V2, name).is_some() => Ok(Version::V2),
            Some(_) => {
                Err(CgroupError::ControllerUnavailable { key: key.to_owned().into(), controller: controller.v1.into() })
            }
            None => Err(CgroupError::OnlyV1 { key: key.to_owned().into(), controller: controller.v1 }),
        }
    }

    /// Adds a limit of one row, under its own key.
    pub(super) fn set(&mut self, limit: &Limit, value: Scaled) -> Result<&mut Setting, CgroupError> {
        self.set_as(limit.key.into(), limit, value)
    }

    /// Adds a limit of one row under a key that says more, such as the place in a list.
    pub(super) fn set_as(
        &mut self,
        key: Cow<'static, str>,
        limit: &Limit,
        value: Scaled,
    ) -> Result<&mut Setting, CgroupError> {
        let (version, file, value) = match (self.version(&key, limit.controller)?, limit.v2) {
            (Version::V1, _) => (Version::V1, limit.v1, value.v1),
            (Version::V2, Some(file)) => (Version::V2, file, value.v2),
            (Version::V2, None) => return Err(CgroupError::OnlyV1 { key, controller: limit.controller.v1 }),
        };
        Ok(self.push(key, version, limit.controller, vec![(file.into(), value)]))
    }

    /// Adds a limit whose files are not those of a row.
    pub(super) fn push(
        &mut self,
        key: Cow<'static, str>,
        version: Version,
        controller: Controller,
        choices: Vec<(Cow<'static, str>, String)>,
    ) -> &mut Setting {
        let name = match version {
            Version::V1 => controller.v1,
            Version::V2 => controller.v2.unwrap_or_default(),
        };
        self.add(Setting { key, version, controller: name.into(), choices, optional: false })
    }

    pub(super) fn add(&mut self, setting: Setting) -> &mut Setting {
        self.settings.push_mut(setting)
    }

    /// Whether v2 has the controller; the empty name stands for its core files.
    pub(super) fn has_v2(&self, controller: &str) -> bool {
        if controller.is_empty() { self.host.has_v2() } else { self.host.with(Version::V2, controller).is_some() }
    }
}
