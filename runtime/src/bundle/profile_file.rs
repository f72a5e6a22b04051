//! A seccomp profile that came by itself, as a bundle: nothing but `linux.seccomp` means anything in it. Made for the
//! verb `syscalls`.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, LinuxSeccomp, Spec};
use serde_json::{Map, Value, json};

use super::{Bundle, BundleError, config_file};

impl Bundle {
    /// The file at `path`: a `LinuxSeccomp` object as JSON, or a whole `config.json`. Errors of `spec` name keys of the
    /// former as if they stood in `config.json`, without a line.
    ///
    /// # Errors
    /// Those of [`Bundle::load`] about the file.
    pub fn of_profile(path: &Path) -> Result<Self, BundleError> {
        let text = config_file::read(path)?;
        if config_file::parse_raw(path, &text)?.get("ociVersion").is_some() {
            return Self::read(PathBuf::from("/"), path, text);
        }
        // An object for sure: the typed form would also be read from a list, whose elements have no names to check.
        let raw: Map<String, Value> = config_file::parse_typed(path, &text)?;
        let profile: LinuxSeccomp = config_file::parse_typed(path, &text)?;
        let mut linux = Linux::default();
        linux.set_seccomp(Some(profile));
        let mut spec = Spec::default();
        spec.set_linux(Some(linux));
        let raw = json!({ "linux": { "seccomp": raw } });
        Ok(Self { directory: PathBuf::from("/"), text: String::new(), raw, spec })
    }
}
