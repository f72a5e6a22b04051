//! The runtime options of a create: what stands under `options` of a runtime in containerd's configuration.
//!
//! Used by `service`. containerd knows runc's options by their type. Those of any other runtime come as
//! `runtimeoptions.v1.Options`: the TOML itself, or the path of a file with it (containerd,
//! `api/types/runtimeoptions/v1/api.proto`).

use std::path::PathBuf;

use containerd_shim::api::Options as RuncOptions;
use containerd_shim::bootstrap::any_is;
use containerd_shim::protos::protobuf::{self, CodedInputStream, Message, well_known_types::any::Any};

use crate::error::ShimError;

/// The name of the message for runtimes that containerd does not know.
const GENERIC: &str = "runtimeoptions.v1.Options";
/// The tags of its fields, all length-delimited: number * 8 + 2. The first one, `type_url`, says nothing.
const CONFIG_PATH: u32 = 18;
const CONFIG_BODY: u32 = 26;

/// Options of runc that change nothing that lazaret promises.
const HARMLESS: [&str; 8] =
    ["BinaryName", "TypeUrl", "ConfigPath", "NoPivotRoot", "NoNewKeyring", "IoUid", "IoGid", "CriuPath"];

/// Whether the runtime options ask for cgroups placed by systemd (`SystemdCgroup`, which the kubelet compares with its own
/// driver). Refuses what lazaret does not obey. Options of runc are accepted as far as they ask for what lazaret does
/// anyway, because people copy runc's configuration.
///
/// # Errors
/// [`ShimError::Invalid`] by name, or [`ShimError::Undecodable`].
pub(crate) fn check_options(options: Option<&Any>) -> Result<bool, ShimError> {
    let Some(options) = options.filter(|options| !options.type_url.is_empty()) else { return Ok(false) };
    let invalid = |field, value: &str, why| Err(ShimError::Invalid { field, value: value.to_owned(), why });
    if options.type_url.rsplit('/').next() == Some(GENERIC) {
        return of_table(&table_of(&options.value)?);
    }
    if !any_is::<RuncOptions>(options) {
        return invalid("options", &options.type_url, "runtime options of a type that lazaret does not know");
    }
    let options = RuncOptions::parse_from_bytes(&options.value)
        .map_err(|source| ShimError::Undecodable { field: "options", source })?;
    for (field, value) in [
        ("options.ShimCgroup", &options.shim_cgroup),
        ("options.Root", &options.root),
        ("options.CriuImagePath", &options.criu_image_path),
        ("options.TaskApiAddress", &options.task_api_address),
    ] {
        if !value.is_empty() {
            return invalid(field, value, "lazaret does not have this option of runc");
        }
    }
    Ok(options.systemd_cgroup)
}

/// The TOML of a `runtimeoptions.v1.Options`.
fn table_of(message: &[u8]) -> Result<toml::Table, ShimError> {
    let (path, mut text) = fields(message).map_err(|source| ShimError::Undecodable { field: "options", source })?;
    if !path.as_os_str().is_empty() {
        text =
            std::fs::read_to_string(&path).map_err(|source| ShimError::Configuration { path: path.clone(), source })?;
    }
    text.parse().map_err(|error| ShimError::Configuration { path, source: std::io::Error::other(error) })
}

/// Its `config_path` and `config_body`.
fn fields(message: &[u8]) -> protobuf::Result<(PathBuf, String)> {
    let mut stream = CodedInputStream::from_bytes(message);
    let (mut path, mut body) = (PathBuf::new(), String::new());
    while let Some(tag) = stream.read_raw_tag_or_eof()? {
        match tag {
            CONFIG_PATH => path = stream.read_string()?.into(),
            CONFIG_BODY => body = stream.read_string()?,
            other => protobuf::rt::skip_field_for_tag(other, &mut stream)?,
        }
    }
    Ok((path, body))
}

/// As [`check_options`], for options by name.
fn of_table(table: &toml::Table) -> Result<bool, ShimError> {
    let mut by_systemd = false;
    for (name, value) in table {
        if let (toml::Value::Boolean(value), "SystemdCgroup") = (value, name.as_str()) {
            by_systemd = *value;
        } else if !HARMLESS.contains(&name.as_str()) {
            let why = "not an option of lazaret's, or not of that type";
            return Err(ShimError::Invalid { field: "options", value: name.clone(), why });
        }
    }
    Ok(by_systemd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::typeurl::any;

    fn generic(path: &str, body: &str) -> Any {
        let mut value = Vec::new();
        for (tag, text) in [(10, "anything"), (CONFIG_PATH, path), (CONFIG_BODY, body)] {
            value.push(u8::try_from(tag).unwrap());
            value.push(u8::try_from(text.len()).unwrap());
            value.extend_from_slice(text.as_bytes());
        }
        Any { type_url: GENERIC.to_owned(), value, ..Any::default() }
    }

    fn check(options: &Any) -> Result<bool, String> {
        check_options(Some(options)).map_err(|error| lazaret::causes::chain(&error))
    }

    #[test]
    fn options_of_a_runtime_that_containerd_does_not_know_are_read() {
        assert!(check(&generic("", "SystemdCgroup = true\nBinaryName = \"x\"\n")).unwrap());
        assert!(!check(&generic("", "")).unwrap());
        for (body, named) in [("Root = \"/x\"", "Root"), ("SystemdCgroup = 1", "SystemdCgroup"), ("=", "configuration")]
        {
            assert!(check(&generic("", body)).unwrap_err().contains(named), "{body}");
        }
        let cut = Any { value: vec![CONFIG_BODY.to_le_bytes()[0], 9], ..generic("", "") };
        assert!(check(&cut).unwrap_err().contains("options"));
    }

    #[test]
    fn they_may_stand_in_a_file() {
        let file = std::env::temp_dir().join(format!("lazaret-shim-options-{}", std::process::id()));
        std::fs::write(&file, "SystemdCgroup = true\n").unwrap();
        assert!(check(&generic(file.to_str().unwrap(), "")).unwrap());
        std::fs::remove_file(&file).unwrap();
        assert!(check(&generic("/no/such/file", "")).unwrap_err().contains("/no/such/file"));
    }

    #[test]
    fn options_that_are_not_obeyed_are_refused_by_name() {
        assert!(!check_options(None).unwrap());
        let obeyed = |options: RuncOptions| check_options(Some(&any(&options).unwrap())).unwrap();
        assert!(!obeyed(RuncOptions { binary_name: "runc".into(), ..RuncOptions::default() }));
        assert!(obeyed(RuncOptions { systemd_cgroup: true, ..RuncOptions::default() }));
        let refused = |options: RuncOptions| check_options(Some(&any(&options).unwrap())).unwrap_err().to_string();
        assert!(refused(RuncOptions { root: "/x".into(), ..RuncOptions::default() }).contains("Root"));
        let unknown = Any { type_url: "io.containerd.runsc.v1.options".into(), ..Any::default() };
        assert!(check_options(Some(&unknown)).unwrap_err().to_string().contains("runsc"));
    }
}
