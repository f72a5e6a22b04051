//! Part 5: what the node's configuration makes of the policy, and the exceptions that it grants.

use std::path::Path;

use lazaret_sentry::record;

use super::Request;
use super::host::Host;
use super::report::{Control, Group, Verdict, Words};
use crate::causes;
use crate::config::{self, ConfigError, Configuration, Freedom, Loaded, Sources};
use crate::options::Mode;
use crate::policy::host::hooks::{AllowedHooks, LIST};
use crate::policy::host_paths::{Access, HostPaths};
use crate::policy::pod_security::{Level, Standard};

/// The part.
pub(super) fn control(host: &Host, request: &Request) -> Control {
    Control::of("5", "Policy", vec![configuration(request), exceptions(host)])
}

/// The configuration that every caller finds, and what it decides. Without a file lazaret's own values hold.
fn configuration(request: &Request) -> Group {
    let mut group = Group::new("5.1", "configuration");
    let own = || request.host.join(config::DEFAULT_FILE.trim_start_matches('/'));
    let file = request.configuration.clone().unwrap_or_else(own);
    let words = Words::new(
        "Ensure that the configuration can be read",
        "lazaret config check",
        "valid",
        "Correct the file at the line named: until then no container is made",
    );
    let loaded = match config::load(&Sources { file: Some(file), body: None }) {
        Ok(loaded) => {
            let files: Vec<String> = loaded.files.iter().map(|file| file.display().to_string()).collect();
            group.judge(words, Verdict::Pass(files.join(", ")));
            loaded
        }
        Err(ConfigError::Missing { .. }) if request.configuration.is_none() => {
            group.judge(words, Verdict::Info("there is none: lazaret's own values hold".to_owned()));
            Loaded::default()
        }
        Err(error) => {
            group.judge(words, Verdict::Fail(causes::chain(&error)));
            return group;
        }
    };
    for (words, verdict) in judgements(&loaded.configuration) {
        group.judge(words, verdict);
    }
    group
}

/// A key, and what it shall be: what is ensured, the key, the value, what to do.
const KEYS: [[&str; 4]; 7] = [
    [
        "Ensure that containers are confined unless a caller says otherwise",
        "mode",
        "sandbox or strict",
        "Set mode = \"sandbox\", and give the pods that need native mode a handler of their own",
    ],
    [
        "Ensure that callers may only tighten",
        "command_line",
        "tighten",
        "Set command_line = \"tighten\" where engines are the only callers",
    ],
    [
        "Ensure that no annotation may loosen",
        "annotations.allow",
        "none",
        "Take annotations out of annotations.allow: whoever writes a pod writes them",
    ],
    [
        "Ensure that containers mount nothing inside",
        "nested",
        "false",
        "Set nested = false, and ask for it where a container is made",
    ],
    [
        "Ensure that refused calls are on record",
        "records",
        "Metadata or more",
        "Set records to a level, or to rules that name refusals",
    ],
    [
        "Ensure that no path of the host is opened for writing",
        "host_paths",
        "none",
        "Take access = \"rw\" away where reading will do: what is written there is the host's",
    ],
    [
        "Ensure that a Pod Security level is enforced for namespaces without one of their own",
        "pod_security.enforce",
        "baseline or restricted",
        "Set pod_security.enforce = \"baseline\", and what needs more in pod_security.namespaces",
    ],
];

/// What has to hold of the values.
fn judgements(configuration: &Configuration) -> impl Iterator<Item = (Words, Verdict)> {
    let Configuration { mode, nested, records, command_line, rules, pod_security, .. } = configuration;
    let mode = match mode {
        Mode::Native => Verdict::Fail(mode.name().to_owned()),
        Mode::Sandbox | Mode::Strict => Verdict::Pass(mode.name().to_owned()),
    };
    let command_line = match command_line {
        Freedom::Tighten => Verdict::Pass("tighten".to_owned()),
        Freedom::Set => Verdict::Info("set: whoever calls as root chooses".to_owned()),
    };
    let annotations = match rules.annotations.as_slice() {
        [] => Verdict::Pass("none".to_owned()),
        some => Verdict::Warn(some.join(", ")),
    };
    let nested = if *nested { Verdict::Warn("true".to_owned()) } else { Verdict::Pass("false".to_owned()) };
    let records = match records.single() {
        Some(record::Level::None) => Verdict::Fail("None".to_owned()),
        Some(level) => Verdict::Pass(level.name().to_owned()),
        None => Verdict::Pass(format!("{} rules", records.count())),
    };
    let words = |[desc, key, expected, help]: [&str; 4]| {
        Words::new(desc, &format!("lazaret config show: {key}"), expected, help)
    };
    let (paths, level) = (host_paths(&rules.host_paths), enforced(pod_security.general.enforce.as_ref()));
    KEYS.into_iter().map(words).zip([mode, command_line, annotations, nested, records, paths, level])
}

fn host_paths(paths: &HostPaths) -> Verdict {
    let written = paths.list.iter().filter(|rule| rule.access == Access::ReadWrite);
    let written: Vec<String> = written.map(|rule| rule.path.display().to_string()).collect();
    if written.is_empty() { Verdict::Pass("none".to_owned()) } else { Verdict::Warn(written.join(", ")) }
}

/// The sandbox holds whatever level a pod has, so none is no failure.
fn enforced(standard: Option<&Standard>) -> Verdict {
    match standard {
        None => Verdict::Info("none is".to_owned()),
        Some(standard) if standard.level == Level::Privileged => Verdict::Info(standard.to_string()),
        Some(standard) => Verdict::Pass(standard.to_string()),
    }
}

fn exceptions(host: &Host) -> Group {
    let mut group = Group::new("5.2", "exceptions");
    let words = Words::new(
        "Ensure that few programs may run as hooks on the host for a sandbox",
        LIST,
        "no program, or programs that were looked at",
        &format!("Take out of {LIST} what is no longer needed: what it names runs as root outside of every sandbox"),
    );
    let verdict = match host.read(Path::new(LIST)) {
        Ok(None) => Verdict::Pass("no list, and so no program".to_owned()),
        Ok(Some(text)) => {
            let programs = AllowedHooks::parse(LIST.into(), &text);
            match programs.programs() {
                [] => Verdict::Pass("an empty list".to_owned()),
                some => {
                    Verdict::Warn(some.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))
                }
            }
        }
        Err(error) => Verdict::Warn(format!("could not be read: {error}")),
    };
    group.judge(words, verdict);
    group
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    #[test]
    fn values_that_loosen_are_told() {
        let statuses = |text: &str| {
            let loaded = config::parse(Path::new("/c.toml"), text).unwrap();
            let mut group = Group::new("5.1", "x");
            for (words, verdict) in judgements(&loaded.configuration) {
                group.judge(words, verdict);
            }
            group.results.iter().map(|item| item.status).collect::<Vec<_>>()
        };
        use Status::{Fail, Info, Pass, Warn};
        for (text, wanted) in [
            ("", [Pass, Info, Pass, Pass, Pass, Pass, Info]),
            ("mode = \"native\"\n", [Fail, Info, Pass, Pass, Pass, Pass, Info]),
            ("mode = \"strict\"\ncommand_line = \"tighten\"\n", [Pass, Pass, Pass, Pass, Pass, Pass, Info]),
            ("nested = true\n[annotations]\nallow = [\"mode\"]\n", [Pass, Info, Warn, Warn, Pass, Pass, Info]),
            ("records = \"None\"\n", [Pass, Info, Pass, Pass, Fail, Pass, Info]),
            ("[host_paths.\"/srv/x\"]\naccess = \"rw\"\n", [Pass, Info, Pass, Pass, Pass, Warn, Info]),
            ("[pod_security]\nenforce = \"baseline\"\n", [Pass, Info, Pass, Pass, Pass, Pass, Pass]),
        ] {
            assert_eq!(statuses(text), wanted, "{text}");
        }
    }
}
