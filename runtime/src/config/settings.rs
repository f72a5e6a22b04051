//! What the settings mean: from values by key to the types of the runtime, in one place.

use std::path::{Component, Path, PathBuf};

use lazaret_profiles::schema::{Value, dotted};
use lazaret_sentry::record::Level;
use lazaret_sentry::record_policy::Policy;

use super::{ConfigError, Layers, Set, file, levels, profile};
use crate::cgroup::Driver;
use crate::options::{Interceptor, Mode, Privileged, Rules, SANDBOX_PIDS};
use crate::policy::host_paths::{Access, HostPath, HostPaths};
use crate::policy::pod_security::Enforcements;
use crate::policy::profile::Profile;
use crate::record_policy;

/// What a node's configuration says.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// `mode`.
    pub mode: Mode,
    /// `interceptor`.
    pub interceptor: Interceptor,
    /// `cgroup_driver`.
    pub cgroup_driver: Driver,
    /// `nested`.
    pub nested: bool,
    /// `records`.
    pub records: Policy,
    /// `record_socket`.
    pub record_socket: Option<PathBuf>,
    /// `pod_security`.
    pub pod_security: Enforcements,
    /// `command_line`.
    pub command_line: Freedom,
    /// What holds for every container, and has no option of its own.
    pub rules: Rules,
}

/// What a caller may do to a value of the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freedom {
    /// Anything.
    #[default]
    Set,
    /// Make it stricter.
    Tighten,
}

impl Configuration {
    /// The profile that holds without any choice of a caller's: of the mode alone where none is configured.
    pub(super) fn held_profile(&self) -> Profile {
        let mode = self.rules.profile.as_ref().map_or(self.mode, |profile| profile.mode.stricter(self.mode));
        let own = self.rules.profile.clone();
        Profile { mode, ..own.unwrap_or_else(|| Profile::of_mode(mode.name(), mode)) }
    }

    /// What `layers` mean.
    ///
    /// # Errors
    /// [`ConfigError::Value`] and [`ConfigError::Records`].
    pub(super) fn of(layers: &Layers) -> Result<Self, ConfigError> {
        let look = Look { layers };
        let default = Self::default();
        let by_systemd = look.bool(&["SystemdCgroup"])?.map(|is| if is { Driver::Systemd } else { Driver::Cgroupfs });
        Ok(Self {
            mode: look.word(&["mode"], |word| find(Mode::ALL, Mode::name, word))?.unwrap_or(default.mode),
            interceptor: look
                .word(&["interceptor"], |word| find(Interceptor::ALL, Interceptor::name, word))?
                .unwrap_or(default.interceptor),
            cgroup_driver: look
                .word(&["cgroup_driver"], |word| find(Driver::ALL, Driver::name, word))?
                .or(by_systemd)
                .unwrap_or(default.cgroup_driver),
            nested: look.bool(&["nested"])?.unwrap_or(default.nested),
            records: look.records()?.unwrap_or(default.records),
            record_socket: look.path(&["record_socket"])?,
            pod_security: levels::of(&look)?,
            command_line: look
                .word(&["command_line"], |word| match word {
                    "set" => Some(Freedom::Set),
                    "tighten" => Some(Freedom::Tighten),
                    _ => None,
                })?
                .unwrap_or_default(),
            rules: Rules {
                profile: look.text(&["profile"])?.map(|name| profile::profile(&name)).transpose()?,
                privileged: look
                    .word(&["privileged"], |word| find(Privileged::ALL, Privileged::name, word))?
                    .unwrap_or_default(),
                annotations: look.texts(&["annotations", "allow"])?.unwrap_or_default(),
                host_paths: look.host_paths()?,
                pids: look.count(&["limits", "pids"])?.unwrap_or(SANDBOX_PIDS),
            },
        })
    }
}

/// The one of `all` that has this name.
fn find<T: Copy>(all: &[T], name: fn(T) -> &'static str, word: &str) -> Option<T> {
    all.iter().copied().find(|one| name(*one) == word)
}

/// Typed access. The reader has checked types and words by the table; a table that says something else than this file is
/// an error too, and no default.
pub(super) struct Look<'l> {
    pub(super) layers: &'l Layers,
}

impl Look<'_> {
    fn set(&self, path: &[&str]) -> Option<&Set> {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        self.layers.get(&path)
    }

    fn bool(&self, path: &[&str]) -> Result<Option<bool>, ConfigError> {
        match self.set(path) {
            None => Ok(None),
            Some(Set { value: Value::Bool(value), .. }) => Ok(Some(*value)),
            Some(set) => Err(refused(path, set, "true or false is wanted")),
        }
    }

    fn count(&self, path: &[&str]) -> Result<Option<i64>, ConfigError> {
        match self.set(path) {
            None => Ok(None),
            Some(Set { value: Value::Count(value), .. }) => Ok(Some(*value)),
            Some(set) => Err(refused(path, set, "a number is wanted")),
        }
    }

    fn text(&self, path: &[&str]) -> Result<Option<String>, ConfigError> {
        self.word(path, |word| Some(word.to_owned()))
    }

    fn texts(&self, path: &[&str]) -> Result<Option<Vec<String>>, ConfigError> {
        match self.set(path) {
            None => Ok(None),
            Some(Set { value: Value::Texts(values), .. }) => Ok(Some(values.clone())),
            Some(set) => Err(refused(path, set, "a list is wanted")),
        }
    }

    pub(super) fn word<T>(&self, path: &[&str], of: impl Fn(&str) -> Option<T>) -> Result<Option<T>, ConfigError> {
        let Some(set) = self.set(path) else { return Ok(None) };
        let found = if let Value::Text(word) = &set.value { of(word) } else { None };
        found.map(Some).ok_or_else(|| refused(path, set, "nothing that lazaret knows"))
    }

    /// An absolute path.
    fn path(&self, path: &[&str]) -> Result<Option<PathBuf>, ConfigError> {
        let Some(set) = self.set(path) else { return Ok(None) };
        let text = if let Value::Text(text) = &set.value { Some(text) } else { None };
        match text.filter(|text| text.starts_with('/')) {
            Some(text) => Ok(Some(PathBuf::from(text))),
            None => Err(refused(path, set, "an absolute path is wanted")),
        }
    }

    fn host_paths(&self) -> Result<HostPaths, ConfigError> {
        let only_listed = self.word(&["host_path_default"], |word| match word {
            "allow" => Some(false),
            "deny" => Some(true),
            _ => None,
        })?;
        let mut list = Vec::new();
        for (path, set) in self.layers {
            let [table, name] = path.as_slice() else { continue };
            if table == "host_paths" {
                list.push(self.host_path(name, set)?);
            }
        }
        Ok(HostPaths { only_listed: only_listed.unwrap_or(false), list })
    }

    fn host_path(&self, name: &str, set: &Set) -> Result<HostPath, ConfigError> {
        let path = PathBuf::from(name);
        let is_plain = name.starts_with('/')
            && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
            && !name.split('/').any(|part| part == ".");
        let under = ["host_paths", name];
        if !is_plain || path == Path::new("/") {
            let why = "an absolute path without . and .. is wanted, and not the whole host";
            return Err(refused(&under, set, why));
        }
        let access = self.word(&["host_paths", name, "access"], |word| find(Access::ALL, Access::name, word))?;
        let exec = self.bool(&["host_paths", name, "exec"])?;
        // Without a trailing slash or doubled ones, as the kernel names it.
        let path = path.components().collect();
        Ok(HostPath { path, access: access.unwrap_or(Access::ReadOnly), exec: exec.unwrap_or(false) })
    }

    /// A level, or a file of rules.
    fn records(&self) -> Result<Option<Policy>, ConfigError> {
        let path = ["records"];
        let Some(set) = self.set(&path) else { return Ok(None) };
        let Value::Text(text) = &set.value else { return Err(refused(&path, set, "a text is wanted")) };
        if let Some(level) = find(Level::ALL, Level::name, text) {
            return Ok(Some(Policy::of(level)));
        }
        let path = PathBuf::from(text);
        file::refuse_untrusted(&path)?;
        match record_policy::read(&path) {
            Ok(policy) => Ok(Some(policy)),
            Err(source) => {
                Err(ConfigError::Records { origin: Box::new(set.origin.clone()), path, source: Box::new(source) })
            }
        }
    }
}

fn refused(path: &[&str], set: &Set, why: &str) -> ConfigError {
    let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
    let (origin, value) = (Box::new(set.origin.clone()), set.value.to_string());
    ConfigError::Value { origin, key: dotted(&path), value, why: why.to_owned() }
}
