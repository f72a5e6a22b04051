//! The keys that describe the container as a whole: `root`, `hostname`, `domainname`, `annotations`,
//! `linux.cgroupsPath` and `linux.rootfsPropagation`.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io::ErrorKind;
use std::path::PathBuf;

use oci_spec::runtime::Linux;

use super::container::{Namespace, Namespaces, Propagation};
use super::error::SpecError;
use super::text;
use crate::bundle::Bundle;
use crate::bundle::field::member;

/// Longest host name, in bytes: `__NEW_UTS_LEN` of `sethostname(2)`.
const HOST_NAME_MAX: usize = 64;

/// `root.path`, absolute.
pub(super) fn path(bundle: &Bundle) -> Result<PathBuf, SpecError> {
    let why = "the directory with the container's root file system";
    let Some(root) = bundle.spec().root() else {
        return Err(SpecError::Missing { field: bundle.field("root"), why });
    };
    if root.path().as_os_str().is_empty() {
        return Err(SpecError::Missing { field: bundle.field("root.path"), why });
    }
    text::bundle_path(bundle, "root.path", root.path())
}

/// Refuses a bundle whose root file system does not exist.
pub(super) fn refuse_missing(bundle: &Bundle) -> Result<(), SpecError> {
    let path = path(bundle)?;
    let field = bundle.field("root.path");
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(SpecError::RootfsNotDirectory { field, path }),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(SpecError::RootfsMissing { field, path }),
        Err(source) => Err(SpecError::RootfsUnreadable { field, path, source }),
    }
}

/// `hostname` or `domainname`; empty is absent. Without a UTS namespace it would rename the host.
pub(super) fn host_name(
    bundle: &Bundle,
    key: &'static str,
    value: Option<&str>,
    namespaces: &Namespaces,
) -> Result<Option<CString>, SpecError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    if value.len() > HOST_NAME_MAX {
        return text::invalid(bundle, key, "longer than 64 bytes");
    }
    if namespaces.uts == Namespace::Host {
        let rule = "unable to set it without a private UTS namespace: add {\"type\":\"uts\"} to linux.namespaces";
        return Err(SpecError::Needs { field: bundle.field(key), rule });
    }
    text::c_string(bundle, key, value).map(Some)
}

/// `annotations`. The specification forbids empty keys.
pub(super) fn annotations(bundle: &Bundle) -> Result<BTreeMap<String, String>, SpecError> {
    let annotations: BTreeMap<String, String> =
        bundle.spec().annotations().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
    if annotations.contains_key("") {
        return text::invalid(bundle, &member("annotations", ""), "an annotation needs a name");
    }
    Ok(annotations)
}

/// `linux.cgroupsPath` as written; empty is absent. A path that climbs would leave the runtime's own part of the tree.
pub(super) fn cgroups_path(bundle: &Bundle, linux: Option<&Linux>) -> Result<Option<String>, SpecError> {
    const KEY: &str = "linux.cgroupsPath";
    let Some(path) = linux.and_then(|linux| linux.cgroups_path().as_deref()) else {
        return Ok(None);
    };
    let Some(text) = path.to_str() else {
        return text::invalid(bundle, KEY, "not UTF-8");
    };
    if text.contains('\0') {
        return text::invalid(bundle, KEY, "contains a NUL byte");
    }
    if text.split('/').any(|component| component == "..") {
        return text::invalid(bundle, KEY, "a component .. climbs out of the cgroup tree");
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// `linux.rootfsPropagation`. The container's root is one mount when it is set, so the recursive forms mean the same.
pub(super) fn propagation(bundle: &Bundle, linux: Option<&Linux>) -> Result<Option<Propagation>, SpecError> {
    match linux.and_then(|linux| linux.rootfs_propagation().as_deref()) {
        None | Some("") => Ok(None),
        Some("private" | "rprivate") => Ok(Some(Propagation::Private)),
        Some("shared" | "rshared") => Ok(Some(Propagation::Shared)),
        Some("slave" | "rslave") => Ok(Some(Propagation::Slave)),
        Some("unbindable" | "runbindable") => Ok(Some(Propagation::Unbindable)),
        Some(_) => {
            text::invalid(bundle, "linux.rootfsPropagation", "not one of private, shared, slave, unbindable (or r…)")
        }
    }
}
