//! Every field that the runtime specification's JSON schema defines is either obeyed or refused by name.
//!
//! `data/spec-fields.txt` is the schema's list of fields, `data/every-field.json` a bundle that has a value in each one
//! that lazaret obeys. A field counts as obeyed when another value of it changes what the check hands on, or is refused
//! with its name; a field of which neither is true is one that would be dropped silently, and fails here. Which fields
//! are said to be obeyed is told by the table that the check itself uses (`spec::supported::key`).

#![cfg(test)]

use std::path::{Path, PathBuf};

use lazaret::bundle::{Bundle, BundleError};
use lazaret::spec::{self, supported};
use serde_json::{Value, json};

const FIELDS: &str = include_str!("data/spec-fields.txt");
const EVERY_FIELD: &str = include_str!("data/every-field.json");

/// Another value for the fields of which a longer text, the next number or the opposite would not be one of theirs.
fn other_values() -> Vec<(&'static str, Value)> {
    vec![
        ("ociVersion", json!("1.0.2")),
        ("root.path", json!("other")),
        ("process.env[]", json!("PATH=/sbin")),
        ("process.cwd", json!("/tmp")),
        ("process.capabilities.bounding[]", json!("CAP_SYS_TIME")),
        ("process.capabilities.effective[]", json!("CAP_KILL")),
        ("process.capabilities.inheritable[]", json!("CAP_KILL")),
        ("process.capabilities.permitted[]", json!("CAP_KILL")),
        ("process.capabilities.ambient[]", json!("CAP_KILL")),
        ("process.rlimits[].type", json!("RLIMIT_CORE")),
        ("process.ioPriority.class", json!("IOPRIO_CLASS_IDLE")),
        ("process.scheduler.policy", json!("SCHED_OTHER")),
        ("process.scheduler.flags[]", json!("SCHED_FLAG_KEEP_POLICY")),
        ("process.scheduler.priority", json!(1)),
        ("process.scheduler.runtime", json!(1)),
        ("process.scheduler.deadline", json!(1)),
        ("process.scheduler.period", json!(1)),
        ("process.execCPUAffinity.initial", json!("1")),
        ("process.execCPUAffinity.final", json!("1")),
        ("linux.personality.domain", json!("LINUX")),
        ("linux.personality.flags[]", json!("x")),
        ("linux.memoryPolicy.mode", json!("MPOL_INTERLEAVE")),
        ("linux.memoryPolicy.nodes", json!("1")),
        ("linux.memoryPolicy.flags[]", json!("MPOL_F_RELATIVE_NODES")),
        ("mounts[].options[]", json!("nosuid")),
        ("mounts[].type", json!("tmpfs")),
        ("linux.namespaces[].type", json!("cgroup")),
        ("linux.namespaces[].path", json!("/proc/1/ns/net")),
        ("linux.devices[].type", json!("b")),
        ("linux.rootfsPropagation", json!("private")),
        ("linux.resources.devices[].type", json!("b")),
        ("linux.resources.devices[].access", json!("r")),
        ("linux.resources.cpu.cpus", json!("0-1")),
        ("linux.resources.cpu.mems", json!("0-1")),
        ("linux.resources.hugepageLimits[].pageSize", json!("1GB")),
        ("linux.seccomp.defaultAction", json!("SCMP_ACT_LOG")),
        ("linux.seccomp.architectures[]", json!("SCMP_ARCH_X86")),
        ("linux.seccomp.flags[]", json!("SECCOMP_FILTER_FLAG_SPEC_ALLOW")),
        ("linux.seccomp.syscalls[].names[]", json!("read")),
        ("linux.seccomp.syscalls[].action", json!("SCMP_ACT_KILL_PROCESS")),
        ("linux.seccomp.syscalls[].args[].op", json!("SCMP_CMP_EQ")),
        ("linux.seccomp.syscalls[].args[].valueTwo", json!(0)),
    ]
}

/// A field of the schema: its path as the list has it, and an example of its type.
struct Field {
    path: &'static str,
    example: Value,
}

fn fields() -> Vec<Field> {
    let lines = FIELDS.lines().filter(|line| !line.starts_with('#'));
    let field = |line: &'static str| {
        let (path, kind) = line.split_once('\t').expect("a path and a type");
        let example = match kind {
            "string" => json!("x"),
            "integer" => json!(7),
            "boolean" => json!(true),
            "object" => json!({"k": "x"}),
            other => panic!("{path}: a type that this test does not know: {other}"),
        };
        Field { path, example }
    };
    lines.map(field).collect()
}

impl Field {
    /// The keys on the way to it: a list's elements and a map's keys are not named.
    fn keys(&self) -> Vec<&'static str> {
        self.path.split('.').map(|step| step.trim_end_matches("[]")).filter(|step| *step != "{}").collect()
    }

    /// The value in `config`; what is missing on the way is made, as the first element of a list or the key `k` of a map.
    fn place<'a>(&self, config: &'a mut Value) -> &'a mut Value {
        let mut place = config;
        for step in self.path.split('.') {
            let name = step.trim_end_matches("[]");
            if name == "{}" {
                let map = object(place);
                let key = map.keys().next().cloned().unwrap_or_else(|| "k".to_owned());
                place = map.entry(key).or_insert(Value::Null);
            } else {
                place = object(place).entry(name).or_insert(Value::Null);
            }
            if step.ends_with("[]") {
                if place.is_null() {
                    *place = json!([null]);
                }
                place = place.get_mut(0).expect("a list with an element");
            }
        }
        place
    }

    /// The path as an error has it.
    fn in_an_error(&self) -> String {
        self.path.replace("[]", "[0]")
    }
}

fn object(value: &mut Value) -> &mut serde_json::Map<String, Value> {
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut().expect("an object")
}

/// The path of a field that is refused.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// By its type, before anything looks at what it means: no sign that somebody reads it.
    Type(String),
    /// By the check.
    Check(String),
}

impl Refusal {
    /// Whether it speaks of the field at `path`, or of what holds it.
    fn names(&self, path: &str) -> bool {
        let (Self::Type(named) | Self::Check(named)) = self;
        path.strip_prefix(named.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

/// A bundle directory with the two roots that the configurations name.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lazaret-spec-fields-{name}-{}", std::process::id()));
        for root in ["rootfs", "other"] {
            std::fs::create_dir_all(path.join(root)).expect("a directory");
        }
        Self(path)
    }

    /// What the check hands on, in words.
    fn check(&self, config: &Value) -> Result<String, Refusal> {
        let bundle = Bundle::parse(self.0.clone(), config.to_string()).map_err(|error| {
            let BundleError::WrongType { key, .. } = error else { panic!("{error}") };
            Refusal::Type(key)
        })?;
        match spec::check(&bundle) {
            Ok(container) => Ok(format!("{container:?}")),
            Err(error) => Err(Refusal::Check(error.field().path().to_owned())),
        }
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(self.path()) {
            assert!(std::thread::panicking(), "{error}");
        }
    }
}

fn every_field() -> Value {
    serde_json::from_str(EVERY_FIELD).expect("JSON")
}

/// Another value than `present`.
fn another(path: &str, present: &Value) -> Value {
    if let Some((_, value)) = other_values().into_iter().find(|(known, _)| *known == path) {
        return value;
    }
    match present {
        Value::Bool(set) => json!(!set),
        Value::Number(number) => json!(number.as_i64().expect("a number") + 1),
        Value::String(text) => json!(format!("{text}x")),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            panic!("{path}: data/every-field.json has no value for an obeyed field: {present}")
        }
    }
}

#[test]
fn every_field_of_the_schema_is_obeyed_or_refused_by_name() {
    let directory = Directory::new("all");
    let whole = every_field();
    let accepted = directory.check(&whole).expect("the bundle with every obeyed field is accepted");
    let mut silent = Vec::new();
    let (mut obeyed, mut refused) = (0, 0);
    for field in fields() {
        let mut config = whole.clone();
        let place = field.place(&mut config);
        let known = supported::key(&field.keys());
        *place = if known { another(field.path, place) } else { field.example.clone() };
        match directory.check(&config) {
            Ok(container) if known && container != accepted => obeyed += 1,
            Err(Refusal::Check(_)) if known => obeyed += 1,
            Err(refusal) if !known && refusal.names(&field.in_an_error()) => refused += 1,
            result => silent.push(format!("{}: obeyed by the table: {known}, the check says {result:?}", field.path)),
        }
    }
    assert!(silent.is_empty(), "{} fields are dropped silently:\n{}", silent.len(), silent.join("\n"));
    assert!(obeyed > 100 && refused > 40, "{obeyed} obeyed, {refused} refused");
}

#[test]
fn sections_of_other_systems_are_refused_by_name() {
    let directory = Directory::new("systems");
    for system in ["solaris", "windows", "vm", "zos", "freebsd"] {
        let mut config = every_field();
        config[system] = json!({"anything": "x", "layerFolders": ["x"], "kernel": {"path": "/x"}});
        assert_eq!(directory.check(&config), Err(Refusal::Check(system.to_owned())));
    }
}

#[test]
fn the_test_sees_a_field_that_nobody_reads() {
    let directory = Directory::new("control");
    let mut config = every_field();
    let accepted = directory.check(&config);
    config["linux"]["somethingNew"] = json!(1);
    assert_eq!(directory.check(&config), accepted);
}
