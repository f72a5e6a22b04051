//! How containerd starts a shim: flags, environment and what stands on standard input, made one [`StartParams`].
//!
//! Two protocols. Up to containerd 2.2 standard input holds the runtime options as a protobuf `Any`, or nothing, and
//! the reply is an address. From 2.3 on it holds `BootstrapParams`, and the reply is a `BootstrapResult`. They are
//! told apart by content: what decodes as `BootstrapParams` and names this very id and namespace is the new one.

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use containerd_shim::Flags;
use containerd_shim::bootstrap::{BootstrapParams, BootstrapResult, LogLevel};
use containerd_shim::protos::protobuf::well_known_types::any::Any;
use containerd_shim::protos::protobuf::{self, Message};

use crate::options::{self, RuntimeOptions};

/// Most that is read from standard input; containerd's own limit.
const LIMIT: u64 = 10 << 20;
/// Version of the Task service that a 2.3 reply announces.
const TASK_VERSION: i32 = 3;

/// Which reply the caller understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// The plain address.
    Address,
    /// A `BootstrapResult`.
    Bootstrap,
}

/// What `start` is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StartParams {
    /// Which reply the caller understands.
    pub(crate) protocol: Protocol,
    /// Id of the container.
    pub(crate) id: String,
    /// containerd's namespace.
    pub(crate) namespace: String,
    /// containerd's main socket: part of what names our own.
    pub(crate) address: String,
    /// containerd's ttrpc socket, which takes events.
    pub(crate) ttrpc_address: String,
    /// Directory for our socket, when containerd wants another than the usual.
    pub(crate) socket_dir: Option<PathBuf>,
    /// Log more.
    pub(crate) debug: bool,
}

/// Reads standard input to its end. A terminal, that is a human, has nothing to say there.
///
/// # Errors
/// As `read(2)`; `InvalidData` beyond the limit.
pub(crate) fn read_stdin() -> io::Result<Vec<u8>> {
    let stdin = io::stdin();
    let mut input = Vec::new();
    if !stdin.is_terminal() {
        stdin.lock().take(LIMIT + 1).read_to_end(&mut input)?;
    }
    match u64::try_from(input.len()) {
        Ok(length) if length <= LIMIT => Ok(input),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "more than 10 MiB on standard input")),
    }
}

/// The runtime options in `input`, where the older protocol has them. Others come with the create alone.
pub(crate) fn runtime_options(input: &[u8]) -> RuntimeOptions {
    let options = Any::parse_from_bytes(input).ok().filter(|options| !options.type_url.is_empty());
    options::check_options(options.as_ref()).unwrap_or_default()
}

/// Puts flags, `input` and the environment (`TTRPC_ADDRESS`, `GRPC_ADDRESS`, looked up by `env`) together.
pub(crate) fn start_params(flags: &Flags, input: &[u8], env: impl Fn(&str) -> Option<String>) -> StartParams {
    let params = BootstrapParams::parse_from_bytes(input)
        .ok()
        .filter(|params| params.instance_id == flags.id && params.namespace == flags.namespace);
    let protocol = if params.is_some() { Protocol::Bootstrap } else { Protocol::Address };
    let params = params.unwrap_or_default();
    let first = |choices: [Option<String>; 3]| choices.into_iter().flatten().find(|choice| !choice.is_empty());
    let address = first([Some(flags.address.clone()), Some(params.containerd_grpc_address), env("GRPC_ADDRESS")]);
    let address = address.unwrap_or_default();
    // containerd's default for the one is the other with this ending.
    let usual = format!("{address}.ttrpc");
    let ttrpc_address = first([Some(params.containerd_ttrpc_address), env("TTRPC_ADDRESS"), Some(usual)]);
    StartParams {
        protocol,
        id: flags.id.clone(),
        namespace: flags.namespace.clone(),
        address,
        ttrpc_address: ttrpc_address.unwrap_or_default(),
        socket_dir: params.socket_dir.filter(|directory| !directory.is_empty()).map(PathBuf::from),
        debug: flags.debug || params.log_level.value() <= LogLevel::LOG_LEVEL_DEBUG as i32,
    }
}

/// The reply to `start`.
///
/// # Errors
/// When the message cannot be encoded.
pub(crate) fn reply(protocol: Protocol, address: &str) -> protobuf::Result<Vec<u8>> {
    match protocol {
        Protocol::Address => Ok(address.as_bytes().to_vec()),
        Protocol::Bootstrap => BootstrapResult {
            version: TASK_VERSION,
            address: address.to_owned(),
            protocol: "ttrpc".to_owned(),
            ..BootstrapResult::default()
        }
        .write_to_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use containerd_shim::api::Options as RuncOptions;
    use containerd_shim::protos::protobuf::EnumOrUnknown;

    use super::*;
    use crate::typeurl::any;

    fn flags() -> Flags {
        let arguments =
            ["-namespace", "k8s.io", "--address=/run/c.sock", "-publish-binary", "/bin/c", "-id", "abc", "start"];
        containerd_shim::parse(&arguments).unwrap()
    }

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn params() -> BootstrapParams {
        BootstrapParams {
            instance_id: "abc".into(),
            namespace: "k8s.io".into(),
            log_level: EnumOrUnknown::new(LogLevel::LOG_LEVEL_TRACE),
            containerd_ttrpc_address: "/run/t.sock".into(),
            socket_dir: Some("/run/s".into()),
            ..BootstrapParams::default()
        }
    }

    #[test]
    fn go_style_flags() {
        let flags = flags();
        assert_eq!(
            (flags.namespace.as_str(), flags.address.as_str(), flags.id.as_str(), flags.action.as_str()),
            ("k8s.io", "/run/c.sock", "abc", "start")
        );
        assert!(containerd_shim::parse(&["-debug", "-v"]).unwrap().version);
        assert!(containerd_shim::parse(&["--info"]).unwrap().info);
    }

    #[test]
    fn an_old_containerd_without_options() {
        let params = start_params(&flags(), &[], |name| (name == "TTRPC_ADDRESS").then(|| "/run/e.sock".to_owned()));
        assert_eq!(params.protocol, Protocol::Address);
        assert_eq!(params.ttrpc_address, "/run/e.sock");
        assert_eq!(start_params(&flags(), &[], nothing).ttrpc_address, "/run/c.sock.ttrpc");
    }

    #[test]
    fn an_old_containerd_with_options_is_not_taken_for_a_new_one() {
        let options = any(&RuncOptions { binary_name: "runc".into(), ..RuncOptions::default() }).unwrap();
        let input = options.write_to_bytes().unwrap();
        assert_eq!(start_params(&flags(), &input, nothing).protocol, Protocol::Address);
        assert_eq!(start_params(&flags(), &[0xff, 0xfe], nothing).protocol, Protocol::Address);
    }

    #[test]
    fn a_new_containerd() {
        let input = params().write_to_bytes().unwrap();
        let start = start_params(&flags(), &input, |_| Some("/run/of-the-environment".to_owned()));
        assert_eq!(start.protocol, Protocol::Bootstrap);
        assert_eq!(start.ttrpc_address, "/run/t.sock");
        assert_eq!(start.socket_dir.as_deref(), Some(std::path::Path::new("/run/s")));
        assert!(start.debug);
        let result = BootstrapResult::parse_from_bytes(&reply(start.protocol, "unix:///s").unwrap()).unwrap();
        assert_eq!((result.version, result.address.as_str(), result.protocol.as_str()), (3, "unix:///s", "ttrpc"));
    }

    #[test]
    fn parameters_of_another_container_are_not_ours() {
        for other in [
            BootstrapParams { instance_id: "other".into(), ..params() },
            BootstrapParams { namespace: "other".into(), ..params() },
        ] {
            let start = start_params(&flags(), &other.write_to_bytes().unwrap(), nothing);
            assert_eq!(start.protocol, Protocol::Address);
            assert_eq!(start.socket_dir, None);
        }
    }

    #[test]
    fn an_old_containerd_gets_the_plain_address() {
        assert_eq!(reply(Protocol::Address, "unix:///run/s/1").unwrap(), b"unix:///run/s/1");
    }
}
