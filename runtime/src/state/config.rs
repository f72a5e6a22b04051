//! The configuration of a container as it was at its creation: `<root>/<id>/config.json`.
//!
//! `create` writes it before it makes anything else; verbs that need more than the state holds (`exec`, `delete` for the
//! hooks, `update`) read it, and never the bundle again: the file there may have been edited, or be gone (runtime.md:
//! later changes of config.json must have no effect on the container). A container of `lazaret do` has none.

use std::path::{Path, PathBuf};

use super::{Directory, StateError, Stored};
use crate::bundle::{Bundle, BundleError, CONFIG_NAME};

impl Directory {
    /// Freezes the configuration of `bundle`, byte by byte.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn write_config(&self, bundle: &Bundle) -> Result<(), StateError> {
        let path = config_path(self.path());
        std::fs::write(&path, bundle.text()).map_err(|source| StateError::Io { operation: "write", path, source })
    }

    /// The bundle as it was when `state`'s container was created, to be checked again by
    /// [`spec::check_frozen`](crate::spec::check_frozen).
    ///
    /// # Errors
    /// [`BundleError::ConfigMissing`] when there is none; as [`Bundle::load`] when the file is damaged.
    pub fn read_config(&self, state: &Stored) -> Result<Bundle, BundleError> {
        read_config(self.path(), &state.bundle)
    }
}

/// The same for a caller that holds no lock: the frozen configuration in the state directory `directory` of a container
/// whose bundle was `bundle`.
///
/// # Errors
/// As [`Directory::read_config`].
pub fn read_config(directory: &Path, bundle: &Path) -> Result<Bundle, BundleError> {
    Bundle::restore(&config_path(directory), bundle)
}

fn config_path(directory: &Path) -> PathBuf {
    directory.join(CONFIG_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing;

    #[test]
    fn what_is_frozen_is_read_again_without_the_bundle() {
        let root = std::env::temp_dir().join(format!("lazaret-frozen-{}", std::process::id()));
        let directory = Directory::create(&root, "one").unwrap();
        let bundle = testing::bundle(|config| config["hostname"] = "frozen".into());
        assert!(matches!(
            read_config(directory.path(), bundle.directory()),
            Err(BundleError::ConfigMissing { path }) if path == root.join("one/config.json")
        ));
        directory.write_config(&bundle).unwrap();
        let again = read_config(directory.path(), bundle.directory()).unwrap();
        assert_eq!((again.directory(), again.raw()), (bundle.directory(), bundle.raw()));
        let container = crate::spec::check_frozen(&again).unwrap();
        assert_eq!(container.hostname.as_deref(), Some(c"frozen"));
        assert_eq!(container.rootfs, Path::new("/bundle/rootfs"), "relative paths stay the bundle's");
        std::fs::remove_dir_all(root).unwrap();
    }
}
