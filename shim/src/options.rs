//! The runtime options of a create: what stands under `options` of a runtime in containerd's configuration.
//!
//! Used by `service`. containerd knows runc's options by their type. Those of any other runtime come as
//! `runtimeoptions.v1.Options`: the TOML itself, or the path of a file with it (containerd,
//! `api/types/runtimeoptions/v1/api.proto`). Both are lazaret's configuration, which the launcher reads: nothing of it is
//! read here.

use std::path::PathBuf;

use containerd_shim::api::Options as RuncOptions;
use containerd_shim::bootstrap::any_is;
use containerd_shim::protos::protobuf::{self, CodedInputStream, Message, well_known_types::any::Any};
use serde::{Deserialize, Serialize};

use crate::error::ShimError;

/// Where the configuration of a container is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuntimeOptions {
    /// The file, in place of the node's.
    pub(crate) file: Option<PathBuf>,
    /// What stands over the file.
    pub(crate) body: Option<String>,
}

/// The name of the message for runtimes that containerd does not know.
const GENERIC: &str = "runtimeoptions.v1.Options";
/// The tags of its fields, all length-delimited: number * 8 + 2. The first one, `type_url`, says nothing.
const CONFIG_PATH: u32 = 18;
const CONFIG_BODY: u32 = 26;

/// Where the configuration is that the options name. Refuses what lazaret does not obey. Options of runc are accepted as
/// far as they ask for what lazaret does anyway, because people copy runc's configuration; its `SystemdCgroup`, which the
/// kubelet compares with its own driver, is a key of the configuration too.
///
/// # Errors
/// [`ShimError::Invalid`] by name, or [`ShimError::Undecodable`].
pub(crate) fn check_options(options: Option<&Any>) -> Result<RuntimeOptions, ShimError> {
    let Some(options) = options.filter(|options| !options.type_url.is_empty()) else {
        return Ok(RuntimeOptions::default());
    };
    let invalid = |field, value: &str, why| Err(ShimError::Invalid { field, value: value.to_owned(), why });
    let undecodable = |source| ShimError::Undecodable { field: "options", source };
    if options.type_url.rsplit('/').next() == Some(GENERIC) {
        return generic(&options.value).map_err(undecodable);
    }
    if !any_is::<RuncOptions>(options) {
        return invalid("options", &options.type_url, "runtime options of a type that lazaret does not know");
    }
    let options = RuncOptions::parse_from_bytes(&options.value).map_err(undecodable)?;
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
    let body = options.systemd_cgroup.then(|| "SystemdCgroup = true".to_owned());
    Ok(RuntimeOptions { file: None, body })
}

/// Its `config_path` and `config_body`, as far as they are there.
fn generic(message: &[u8]) -> protobuf::Result<RuntimeOptions> {
    let (path, body) = fields(message)?;
    let file = Some(path).filter(|path| !path.as_os_str().is_empty());
    Ok(RuntimeOptions { file, body: Some(body).filter(|body| !body.is_empty()) })
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

    #[test]
    fn options_of_a_runtime_that_containerd_does_not_know_are_read() {
        let check = |options: &Any| check_options(Some(options));
        let body = "mode = \"strict\"\n";
        let expected = RuntimeOptions { file: None, body: Some(body.to_owned()) };
        assert_eq!(check(&generic("", body)).unwrap(), expected);
        let expected = RuntimeOptions { file: Some("/etc/x.toml".into()), body: None };
        assert_eq!(check(&generic("/etc/x.toml", "")).unwrap(), expected);
        assert_eq!(check(&generic("", "")).unwrap(), RuntimeOptions::default());
        let cut = Any { value: vec![CONFIG_BODY.to_le_bytes()[0], 9], ..generic("", "") };
        assert!(check(&cut).unwrap_err().to_string().contains("options"));
    }

    #[test]
    fn options_that_are_not_obeyed_are_refused_by_name() {
        assert_eq!(check_options(None).unwrap(), RuntimeOptions::default());
        let obeyed = |options: RuncOptions| check_options(Some(&any(&options).unwrap())).unwrap().body;
        assert_eq!(obeyed(RuncOptions { binary_name: "runc".into(), ..RuncOptions::default() }), None);
        let by_systemd = obeyed(RuncOptions { systemd_cgroup: true, ..RuncOptions::default() });
        assert_eq!(by_systemd.as_deref(), Some("SystemdCgroup = true"));
        let refused = |options: RuncOptions| check_options(Some(&any(&options).unwrap())).unwrap_err().to_string();
        assert!(refused(RuncOptions { root: "/x".into(), ..RuncOptions::default() }).contains("Root"));
        let unknown = Any { type_url: "io.containerd.runsc.v1.options".into(), ..Any::default() };
        assert!(check_options(Some(&unknown)).unwrap_err().to_string().contains("runsc"));
    }
}
