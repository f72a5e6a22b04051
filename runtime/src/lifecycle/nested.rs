//! Whether a container may have `--nested`: what the walls around it must be for mounts from inside to uncover nothing.

use std::path::{Path, PathBuf};

use crate::init::inside::climbs;
use crate::options::{Mode, Options};
use crate::rootless;
use crate::spec::container::Container;
use crate::spec::mounts::{Mount, MountKind};

/// Why a container may not have its root mount inside.
#[derive(Debug, thiserror::Error)]
pub enum NestedError {
    /// Another mode than the sandbox.
    #[error("--nested is for --mode sandbox, not for {0}")]
    Mode(&'static str),
    /// The profile refuses it.
    #[error("--nested is refused by the profile {0:?} (mounts.nested)")]
    Profile(String),
    /// Without root.
    #[error("--nested needs root: the sentry of an ordinary user cannot tell who calls")]
    Rootless,
    /// A command over the host's root.
    #[error("--nested is for containers: a command over the host's root gets no mounts of its own")]
    HostRoot,
    /// A path that the workload could move away from under what covers it.
    #[error("--nested cannot keep {field} {path}: only paths below /proc and /sys stay covered, and no part of a bind")]
    Uncovered {
        /// Field of config.json.
        field: &'static str,
        /// The path.
        path: PathBuf,
    },
}

impl NestedError {
    /// Stable number of this error, 1040-1043 and 1763.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Mode(_) => 1040,
            Self::Rootless => 1041,
            Self::HostRoot => 1042,
            Self::Uncovered { .. } => 1043,
            Self::Profile(_) => 1763,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Mode("native") => "in native mode the capabilities of the bundle decide who mounts",
            Self::Mode(_) => "strict mode gives no mounts to anybody",
            Self::Profile(_) => "leave --nested out, or choose a profile with mounts.nested = \"allow\"",
            Self::Rootless => "run it as root: the container's root is an ordinary user of the host all the same",
            Self::HostRoot => "leave --nested out, or give a bundle to lazaret run",
            Self::Uncovered { .. } => {
                "leave out what it covers: the workload may rename the directories above it, and show them elsewhere"
            }
        };
        Some(hint.to_owned())
    }
}

/// Refuses `--nested` where it would not be safe.
///
/// # Errors
/// See [`NestedError`].
pub(super) fn admit(options: &Options, container: &Container) -> Result<(), NestedError> {
    if !options.nested {
        return Ok(());
    }
    if let Some(profile) = options.rules.profile.as_ref().filter(|profile| !profile.nested) {
        return Err(NestedError::Profile(profile.name.clone()));
    }
    if options.mode != Mode::Sandbox {
        return Err(NestedError::Mode(options.mode.name()));
    }
    if rootless::is_active() || rootless::is_needed() {
        return Err(NestedError::Rootless);
    }
    let of_kernel = |path: &Path| !climbs(path) && (path.starts_with("/proc") || path.starts_with("/sys"));
    let lists = [("linux.maskedPaths", &container.masked_paths), ("linux.readonlyPaths", &container.readonly_paths)];
    for (field, paths) in lists {
        if let Some(path) = paths.iter().find(|path| !of_kernel(path)) {
            return Err(NestedError::Uncovered { field, path: path.clone() });
        }
    }
    match covering_mount(&container.mounts) {
        Some(path) => Err(NestedError::Uncovered { field: "mounts", path: path.to_owned() }),
        None => Ok(()),
    }
}

/// A mount that covers a part of a directory of the host's.
fn covering_mount(mounts: &[Mount]) -> Option<&Path> {
    let trees = || mounts.iter().filter(|mount| matches!(mount.kind, MountKind::Bind { .. }));
    let is_below = |inner: &Mount| {
        trees().next().is_some() && climbs(&inner.destination)
            || trees().any(|outer| {
                inner.destination != outer.destination && inner.destination.starts_with(&outer.destination)
            })
    };
    mounts.iter().find(|mount| is_below(mount)).map(|mount| mount.destination.as_path())
}

/// The same for a command over the host's root, whose secrets are masked in that very root.
///
/// # Errors
/// [`NestedError::HostRoot`].
pub(super) fn refuse_on_host_root(options: &Options) -> Result<(), NestedError> {
    if options.nested { Err(NestedError::HostRoot) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::spec::testing;

    fn admitted(change: impl Fn(&mut Value)) -> Result<(), NestedError> {
        let options = Options { nested: true, ..Options::default() };
        admit(&options, &crate::spec::check_without_machine(&testing::bundle(change)).unwrap())
    }

    #[test]
    fn only_the_sandbox_is_nested() {
        let container = crate::spec::check_without_machine(&testing::bundle(|_| ())).unwrap();
        for mode in [Mode::Native, Mode::Strict] {
            let options = Options { nested: true, mode, ..Options::default() };
            assert!(matches!(admit(&options, &container), Err(NestedError::Mode(name)) if name == mode.name()));
            assert!(admit(&Options { nested: false, ..options }, &container).is_ok());
        }
    }

    #[test]
    fn what_the_workload_could_uncover_is_refused_by_name() {
        let of =
            |field: &'static str, path: &'static str| admitted(move |config| config["linux"][field] = json!([path]));
        for path in ["/proc/kcore", "/sys/firmware"] {
            assert!(of("maskedPaths", path).is_ok() && of("readonlyPaths", path).is_ok());
        }
        for path in ["/etc/secret", "/process", "/proc/../etc/secret"] {
            assert!(of("maskedPaths", path).unwrap_err().to_string().contains("linux.maskedPaths"));
            assert!(of("readonlyPaths", path).unwrap_err().to_string().contains(path));
        }
    }

    #[test]
    fn no_mount_covers_a_part_of_a_bind() {
        let with = |inner: &'static str| {
            admitted(move |config| {
                let mounts = config["mounts"].as_array_mut().unwrap();
                for destination in ["/data", inner] {
                    mounts.push(
                        json!({"destination": destination, "type": "bind", "source": "/srv", "options": ["bind"]}),
                    );
                }
            })
        };
        assert!(with("/data/a/conf").unwrap_err().to_string().contains("/data/a/conf"));
        assert!(with("/other/../data/a").unwrap_err().to_string().contains("/data/a"));
        assert!(with("/data2").is_ok() && with("/other").is_ok());
    }
}
