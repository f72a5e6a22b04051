//! Any `config.json`, limits, seccomp profile or process is accepted, or one error with a number and a bounded text; any
//! recording policy that is accepted is written and read once more unchanged.

use std::path::{Path, PathBuf};

use lazaret::bundle::Bundle;
use lazaret::spec;
use lazaret_sentry::limits;
use lazaret_sentry::record_policy::Policy;

/// Words of a configuration.
pub const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "null",
    "true",
    "-1",
    "0",
    "1e400",
    "18446744073709551615",
    "\"\\u0000\"",
    "\"process\":",
    "\"args\":",
    "\"env\":",
    "\"cwd\":",
    "\"root\":",
    "\"mounts\":",
    "\"options\":",
    "\"linux\":",
    "\"namespaces\":",
    "\"path\":",
    "\"type\":",
    "\"resources\":",
    "\"seccomp\":",
    "\"syscalls\":",
    "\"names\":",
    "\"SCMP_ACT_NOTIFY\"",
    "\"SCMP_CMP_MASKED_EQ\"",
    "\"hooks\":",
    "\"annotations\":",
    "\"uidMappings\":",
    "\"hostID\":",
    "\"size\":",
    "\"memory\":",
    "\"limit\":",
    "\"devices\":",
    "\"sysctl\":",
    "\"capabilities\":",
    "\"CAP_SYS_ADMIN\"",
    "\"rlimits\":",
    "\"ociVersion\":",
    "\"1.2.0\"",
    "../",
    "\u{202e}",
    "\"level\":",
    "\"Metadata\"",
    "\"syscalls\":",
    "\"verdicts\":",
    "\"techniques\":",
    "\"classes\":",
];

/// Bytes of an error's text and hint at most.
const ERROR: usize = 16 * 1024;

/// Runs it: the first byte says as what the rest is read.
pub fn run(input: &[u8]) {
    let Some((kind, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let path = Path::new("/bundle/config.json");
    if kind % 5 == 4 {
        return policy(text);
    }
    let read = match kind % 5 {
        0 | 1 => Bundle::parse(PathBuf::from("/bundle"), text.to_owned()),
        2 => Bundle::of_resources(path, text),
        _ => Bundle::parse(PathBuf::from("/bundle"), MINIMAL.to_owned())
            .and_then(|bundle| bundle.with_process(path, text)),
    };
    let bundle = match read {
        Ok(bundle) => bundle,
        Err(error) => return assert_told(error.code(), &error, error.hint()),
    };
    let checked = match kind % 5 {
        1 => spec::check_profile(&bundle).map(drop),
        2 => spec::check_resources(&bundle).map(drop),
        _ => spec::check_frozen(&bundle).map(drop),
    };
    if let Err(error) = checked {
        assert_told(error.code(), &error, error.hint());
    }
}

fn policy(text: &str) {
    let Ok(policy) = serde_json::from_str::<Policy>(text) else { return };
    if let Err(error) = policy.check() {
        return assert_told(1000, &error, None);
    }
    assert!((1..=limits::RECORD_RULES).contains(&policy.count()));
    let written = serde_json::to_string(&policy).expect("a policy can be written");
    assert_eq!(serde_json::from_str::<Policy>(&written).expect("what was written"), policy);
}

const MINIMAL: &str =
    r#"{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"user":{"uid":0,"gid":0},"args":["sh"],"cwd":"/"}}"#;

fn assert_told(code: u32, error: &dyn std::error::Error, hint: Option<String>) {
    let text = error.to_string();
    assert!(code >= 1000 && !text.is_empty(), "{code} {text}");
    let long = text.len() + hint.map_or(0, |hint| hint.len());
    assert!(long <= ERROR, "an error of {long} bytes");
}
