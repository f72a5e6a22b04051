//! From files to what holds, and every message by its words.

use std::fs;

use super::*;
use crate::cgroup::Driver;
use crate::options::{Interceptor, Mode, Options, Privileged};
use lazaret_sentry::record::Level;

fn of(text: &str) -> Result<Loaded, ConfigError> {
    parse(Path::new("/etc/lazaret/config.toml"), text)
}

#[test]
fn nothing_is_the_defaults_and_every_key_changes_what_it_says() {
    let loaded = of("").unwrap().configuration;
    let Configuration { mode, interceptor, cgroup_driver, nested, records, record_socket, .. } = loaded.clone();
    let Configuration { command_line, rules, pod_security, .. } = loaded;
    let options = Options::default();
    assert_eq!((mode, interceptor, nested), (options.mode, options.interceptor, options.nested));
    assert_eq!((cgroup_driver, records, rules), (options.cgroup_driver, options.records, options.rules));
    assert_eq!((record_socket, command_line, pod_security), (None, Freedom::Set, options.pod_security));
    let text = "mode = \"strict\"\ninterceptor = \"ptrace\"\ncgroup_driver = \"systemd\"\nnested = true\nrecords = \"None\"\n\
                privileged = \"refuse\"\ncommand_line = \"tighten\"\nlimits.pids = 7\nannotations.allow = [\"mode\"]\n";
    let all = of(text).unwrap().configuration;
    assert_eq!((all.mode, all.interceptor, all.nested), (Mode::Strict, Interceptor::Ptrace, true));
    assert_eq!((all.cgroup_driver, all.records.single()), (Driver::Systemd, Some(Level::None)));
    assert_eq!((all.rules.privileged, all.rules.pids), (Privileged::Refuse, 7));
    assert_eq!((all.command_line, all.rules.annotations), (Freedom::Tighten, vec!["mode".to_owned()]));
    let paths = of(
        "host_path_default = \"deny\"\n[host_paths.\"/srv//a/\"]\n[host_paths.\"/b\"]\naccess = \"rw\"\nexec = true\n",
    );
    let paths = paths.unwrap().configuration.rules.host_paths;
    let shown: Vec<_> =
        paths.list.iter().map(|rule| (rule.path.to_str().unwrap(), rule.access.name(), rule.exec)).collect();
    assert_eq!((paths.only_listed, shown), (true, vec![("/b", "rw", true), ("/srv/a", "ro", false)]));
    for path in ["/", "//", "relative", "/a/../b", "/a/./b"] {
        let error = of(&format!("[host_paths.\"{path}\"]")).unwrap_err();
        assert!(error.to_string().contains("an absolute path without . and .. is wanted"), "{error}");
    }
    assert_eq!(of("SystemdCgroup = true").unwrap().configuration.cgroup_driver, Driver::Systemd);
}

#[test]
fn what_is_wrong_is_named_with_file_line_column_and_help() {
    for (text, said, hinted) in [
        (
            "mode = \"sandbox\"\npriviledged = \"refuse\"\n",
            "/etc/lazaret/config.toml:2:1: unknown key \"priviledged\"; did you mean \"privileged\"?",
            "known here: mode, profile, interceptor",
        ),
        (
            "mode = \"strikt\"",
            "/etc/lazaret/config.toml:1:8: mode = \"strikt\": \"native\" or \"sandbox\" or \"strict\" is wanted; \
             did you mean \"strict\"?",
            "1 | mode = \"strikt\"\n  |        ^",
        ),
        (
            "[limits]\npids = \"many\"",
            "/etc/lazaret/config.toml:2:8: limits.pids = \"many\": a number from 1 to 4194304 is wanted",
            "2 | pids = \"many\"",
        ),
        ("mode", "/etc/lazaret/config.toml:1:5: this is no TOML: ", "1 | mode"),
        (
            "records = \"/no/such/rules.json\"",
            "/etc/lazaret/config.toml:1: records = \"/no/such/rules.json\"",
            "docs/audit.md",
        ),
    ] {
        let error = of(text).unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
        assert!(error.hint().unwrap().contains(hinted), "{:?}", error.hint());
    }
}

#[test]
fn later_files_win_key_by_key_and_every_value_knows_where_it_was_set() {
    let base = std::env::temp_dir().join(format!("lazaret-config-{}", std::process::id()));
    fs::create_dir_all(base.join("conf.d")).unwrap();
    let main = base.join("config.toml");
    fs::write(&main, "mode = \"strict\"\nnested = true\n").unwrap();
    fs::write(base.join("conf.d/20-z.toml"), "\nmode = \"sandbox\"\n").unwrap();
    fs::write(base.join("conf.d/10-a.toml"), "mode = \"native\"\nlimits.pids = 9\n").unwrap();
    let loaded = load(&Sources { file: Some(main.clone()), body: Some("\n\nlimits.pids = 8".into()) }).unwrap();
    let missing = load(&Sources { file: Some(base.join("none.toml")), body: None }).unwrap_err();
    fs::remove_dir_all(&base).unwrap();
    assert_eq!(missing.code(), 1750);
    assert_eq!((loaded.configuration.mode, loaded.configuration.nested), (Mode::Sandbox, true));
    let shown: Vec<_> =
        effective(&loaded).iter().map(|one| format!("{} = {} {}", one.key, one.value, one.origin)).collect();
    for expected in [
        format!("mode = \"sandbox\" {}/conf.d/20-z.toml:2", base.display()),
        format!("nested = true {}:2", main.display()),
        "limits.pids = 8 runtime options:3".to_owned(),
        "privileged = \"contain\" default".to_owned(),
    ] {
        assert!(shown.contains(&expected), "{expected}: {shown:#?}");
    }
}

#[test]
fn the_document_has_every_key_and_its_examples_can_be_used() {
    let document = include_str!("../../../docs/configuration.md");
    for value in effective(&Loaded::default()) {
        let row = format!("| `{}` | `{}` | ", value.key, value.value);
        assert!(document.contains(&row), "docs/configuration.md lacks {row}");
    }
    for key in KEYS {
        assert!(document.contains(&format!("`{}", key.name)) || document.contains(key.name), "{}", key.name);
        assert!(key.default.is_empty() || document.contains(key.about), "{}: {}", key.name, key.about);
    }
    for example in document.split("```toml\n").skip(1) {
        let example = example.split("```").next().unwrap();
        assert!(example.starts_with("[plugins") || of(example).is_ok(), "{example}");
    }
}

#[test]
fn levels_of_a_namespace_stand_over_the_general_ones_key_by_key() {
    let text = "[pod_security]\nenforce = \"baseline\"\nwarn = \"hardened\"\nwarn_version = \"v1.30\"\n\
                [pod_security.namespaces.kube-system]\nenforce = \"privileged\"\n[pod_security.namespaces.prod]\nenforce_version = \"v1.25\"\n";
    let levels = of(text).unwrap().configuration.pod_security;
    let shown = |name: Option<&str>| {
        let held = levels.of(name);
        [held.enforce, held.warn, held.audit].map(|held| held.map_or_else(String::new, |held| held.to_string()))
    };
    assert_eq!(shown(None), ["baseline:latest", "hardened:v1.30", ""]);
    assert_eq!(shown(Some("kube-system")), ["privileged:latest", "hardened:v1.30", ""]);
    assert_eq!(shown(Some("prod")), ["baseline:v1.25", "hardened:v1.30", ""]);
    let error = of("[pod_security]\nenforce = \"baseline\"\nenforce_version = \"1.30\"").unwrap_err();
    assert!(
        error.to_string().starts_with("/etc/lazaret/config.toml:3: pod_security.enforce_version = \"1.30\": "),
        "{error}"
    );
    let error = of("[pod_security]\nenforce_version = \"v1.30\"").unwrap_err();
    assert!(error.to_string().contains("a version without a level"), "{error}");
}

#[test]
fn two_configurations_share_no_drop_ins() {
    assert_eq!(drop_in_directory(Path::new("/etc/lazaret/config.toml")), Path::new("/etc/lazaret/conf.d"));
    assert_eq!(drop_in_directory(Path::new("/etc/lazaret/hostile.toml")), Path::new("/etc/lazaret/hostile.d"));
}

#[test]
fn the_command_line_sets_and_where_it_may_only_tighten_says_what_is_looser() {
    let over = |text: &str, overrides: Overrides| overrides.over(of(text).unwrap(), "/r".into());
    let asked = |mode| Overrides { mode: Some(mode), ..Overrides::default() };
    assert_eq!(over("mode = \"strict\"", Overrides::default()).unwrap().mode, Mode::Strict);
    assert_eq!(over("mode = \"strict\"", asked(Mode::Native)).unwrap().mode, Mode::Native);
    let tighten = "mode = \"sandbox\"\ncommand_line = \"tighten\"";
    assert_eq!(over(tighten, asked(Mode::Strict)).unwrap().mode, Mode::Strict);
    assert_eq!(over(tighten, asked(Mode::Sandbox)).unwrap().mode, Mode::Sandbox);
    let error = over(tighten, asked(Mode::Native)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--mode native is looser than mode = \"sandbox\" (/etc/lazaret/config.toml:1), and the command line may only tighten"
    );
    assert!(error.hint().is_some());
    let nested = Overrides { nested: Some(true), ..Overrides::default() };
    assert!(over(tighten, nested.clone()).unwrap_err().to_string().contains("nested = false (default)"));
    assert!(over("nested = true\ncommand_line = \"tighten\"", nested).unwrap().nested);
    let records =
        |level| Overrides { records: Some(lazaret_sentry::record_policy::Policy::of(level)), ..Overrides::default() };
    assert!(over(tighten, records(Level::Metadata)).is_err());
    assert!(over(tighten, records(Level::RequestResponse)).is_ok());
}
