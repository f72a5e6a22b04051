//! What a caller chooses over the configuration, on the command line.

use std::path::PathBuf;

use lazaret_sentry::record_policy::Policy;

use super::{ConfigError, Freedom, Loaded, Origin};
use crate::cgroup::Driver;
use crate::options::{Interceptor, Mode, Options};
use crate::policy::pod_security::{Enforcement, Enforcements, Level, Standard};
use crate::policy::profile::Profile;

/// The options of a command line, as far as they are given.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--mode`.
    pub mode: Option<Mode>,
    /// `--profile`: a name, or a file.
    pub profile: Option<String>,
    /// `--interceptor`.
    pub interceptor: Option<Interceptor>,
    /// `--systemd-cgroup`.
    pub cgroup_driver: Option<Driver>,
    /// `--nested`.
    pub nested: Option<bool>,
    /// `--record-level` or `--record-policy`.
    pub records: Option<Policy>,
    /// `--pod-security`.
    pub pod_security: Enforcement,
    /// `--record-socket`.
    pub record_socket: Option<PathBuf>,
    /// `--policy`: beside those of the configuration.
    pub policies: Vec<PathBuf>,
}

impl Overrides {
    /// What holds: the configuration, and over it what the caller chose.
    ///
    /// # Errors
    /// [`ConfigError::Loosens`] where the configuration lets the command line tighten alone.
    pub fn over(self, loaded: Loaded, root: PathBuf) -> Result<Options, ConfigError> {
        let asked = self.profile.as_deref().map(super::profile).transpose()?;
        if loaded.configuration.command_line == Freedom::Tighten {
            self.refuse_looser(&loaded, asked.as_ref())?;
        }
        let is_mode_set = loaded.layers.contains_key(&["mode".to_owned()][..]);
        let mut configuration = loaded.configuration;
        // A profile of the command line stands over the mode of the file, one of the file beside it.
        let by_file = if is_mode_set { Some(configuration.mode) } else { None };
        let chosen = if asked.is_some() { self.mode } else { self.mode.or(by_file) };
        let profile = asked.or(configuration.rules.profile.take());
        let mode = [chosen, profile.as_ref().map(|profile| profile.mode)].into_iter().flatten();
        let mode = mode.reduce(Mode::stricter).unwrap_or(configuration.mode);
        configuration.rules.profile = profile;
        Ok(Options {
            root,
            mode,
            interceptor: self.interceptor.unwrap_or(configuration.interceptor),
            cgroup_driver: self.cgroup_driver.unwrap_or(configuration.cgroup_driver),
            records: self.records.unwrap_or(configuration.records),
            record_socket: self.record_socket.or(configuration.record_socket),
            nested: self.nested.unwrap_or(configuration.nested),
            rules: configuration.rules,
            pod_security: over_levels(configuration.pod_security, self.pod_security),
            policies: self.policies,
        })
    }

    fn refuse_looser(&self, loaded: &Loaded, profile: Option<&Profile>) -> Result<(), ConfigError> {
        let configured = &loaded.configuration;
        let refused = |option, key: &'static str, asked: String, configured: String| {
            let set = loaded.layers.get(&[key.to_owned()][..]);
            let origin = Box::new(set.map_or(Origin::Default, |set| set.origin.clone()));
            Err(ConfigError::Loosens { option, asked, key, configured, origin })
        };
        if let Some(mode) = self.mode.filter(|mode| mode.is_looser_than(configured.mode)) {
            return refused("--mode", "mode", mode.name().to_owned(), format!("{:?}", configured.mode.name()));
        }
        if let Some(profile) = profile {
            let held = configured.held_profile();
            if let Some(looser) = held.loosened_by(profile).first() {
                return refused(
                    "--profile",
                    "profile",
                    format!("{} ({looser})", profile.name),
                    format!("{:?}", held.name),
                );
            }
        }
        if self.nested == Some(true) && !configured.nested {
            return refused("--nested", "nested", "true".to_owned(), "false".to_owned());
        }
        if let Some(records) = &self.records
            && !records.covers(&configured.records)
        {
            return refused("--record-level", "records", records.said(), configured.records.said());
        }
        if let (Some(asked), Some(socket)) = (&self.record_socket, &configured.record_socket)
            && asked != socket
        {
            let said = |path: &PathBuf| path.display().to_string();
            return refused("--record-socket", "record_socket", said(asked), said(socket));
        }
        let level = |standard: Option<Standard>| standard.map_or(Level::Privileged, |standard| standard.level);
        let held = configured.pod_security.namespaces.values().chain([&configured.pod_security.general]);
        let held = held.map(|enforcement| level(enforcement.enforce)).max().unwrap_or(Level::Privileged);
        if self.pod_security.enforce.is_some() && level(self.pod_security.enforce) < held {
            let asked = level(self.pod_security.enforce).name().to_owned();
            return refused("--pod-security enforce", "pod_security", asked, format!("{:?}", held.name()));
        }
        Ok(())
    }
}

/// What the command line asks of every namespace, mode by mode, over what is configured for each.
fn over_levels(configured: Enforcements, asked: Enforcement) -> Enforcements {
    let over = |held: Enforcement| Enforcement {
        enforce: asked.enforce.or(held.enforce),
        warn: asked.warn.or(held.warn),
        audit: asked.audit.or(held.audit),
    };
    let namespaces = configured.namespaces.into_iter().map(|(name, held)| (name, over(held))).collect();
    Enforcements { general: over(configured.general), namespaces }
}
