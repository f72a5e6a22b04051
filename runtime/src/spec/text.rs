//! Strings and paths of the configuration on their way to the kernel: no NUL inside, paths absolute where they must be.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::error::SpecError;
use crate::bundle::Bundle;
use crate::bundle::field::element;

const NUL: &str = "contains a NUL byte";
const NOT_ABSOLUTE: &str = "not an absolute path";

/// `value` of the key `path` as the kernel takes strings.
pub(super) fn c_string(bundle: &Bundle, path: &str, value: &str) -> Result<CString, SpecError> {
    CString::new(value).or_else(|_nul| invalid(bundle, path, NUL))
}

/// `value` of the key `path` as an absolute path.
pub(super) fn absolute_path(bundle: &Bundle, path: &str, value: &Path) -> Result<PathBuf, SpecError> {
    if value.as_os_str().as_bytes().contains(&0) {
        return invalid(bundle, path, NUL);
    }
    if !value.is_absolute() {
        return invalid(bundle, path, NOT_ABSOLUTE);
    }
    Ok(value.to_path_buf())
}

/// `value` of the key `path`, taken relative to the bundle's directory unless it is absolute.
pub(super) fn bundle_path(bundle: &Bundle, path: &str, value: &Path) -> Result<PathBuf, SpecError> {
    absolute_path(bundle, path, &bundle.directory().join(value))
}

/// An absolute path without `.` and `..`, which are taken by name: whoever judges it and whoever goes there see
/// the same, and what the image made of a directory on the way (a link) has no say.
pub(super) fn clean_path(bundle: &Bundle, path: &str, value: &Path) -> Result<PathBuf, SpecError> {
    let mut cleaned = PathBuf::from("/");
    for component in absolute_path(bundle, path, value)?.components() {
        match component {
            Component::Normal(name) => cleaned.push(name),
            Component::ParentDir => drop(cleaned.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(cleaned)
}

/// A list of absolute paths.
pub(super) fn absolute_paths(bundle: &Bundle, path: &str, values: &[String]) -> Result<Vec<PathBuf>, SpecError> {
    let checked = |(index, value)| absolute_path(bundle, &element(path, index), Path::new::<String>(value));
    values.iter().enumerate().map(checked).collect()
}

/// `linux.readonlyPaths`: a relative one is taken from the container's root, as runc does. That protects no less than the
/// specification, which wants them absolute, as long as it names no parent.
pub(super) fn readonly_paths(bundle: &Bundle, path: &str, values: &[String]) -> Result<Vec<PathBuf>, SpecError> {
    let from_root = |value: &String| match Path::new(value).components().next() {
        Some(Component::Normal(_)) if !value.contains("..") => Path::new("/").join(value),
        _ => PathBuf::from(value),
    };
    let checked = |(index, value)| absolute_path(bundle, &element(path, index), &from_root(value));
    values.iter().enumerate().map(checked).collect()
}

/// The refusal of the key `path` by `rule`.
pub(super) fn invalid<T>(bundle: &Bundle, path: &str, rule: &'static str) -> Result<T, SpecError> {
    Err(SpecError::Invalid { field: bundle.field(path), rule })
}
