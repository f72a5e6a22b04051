//! `hooks`: programs that run at six points of a container's life (config.md, "POSIX-platform Hooks").

use std::ffi::CString;
use std::path::PathBuf;
use std::time::Duration;

use oci_spec::runtime::Hook as Asked;

use super::error::SpecError;
use super::text;
use crate::bundle::Bundle;
use crate::bundle::field::element;

/// One hook.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hook {
    /// The program: absolute, in the file system of the point's namespace.
    pub path: PathBuf,
    /// Its arguments, the program's name among them. Empty: the path alone.
    pub args: Vec<CString>,
    /// Its whole environment.
    pub env: Vec<CString>,
    /// How long it may run; `None` without end.
    pub timeout: Option<Duration>,
}

/// The hooks of a container, each list in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Beside the runtime, once the namespaces exist; before `create_runtime` (deprecated in the specification, and used).
    pub prestart: Vec<Hook>,
    /// Beside the runtime, once the namespaces and mounts exist.
    pub create_runtime: Vec<Hook>,
    /// In the container's namespaces, over the runtime's file system, right before the change of root.
    pub create_container: Vec<Hook>,
    /// In the container, right before the workload is executed.
    pub start_container: Vec<Hook>,
    /// Beside the runtime, once the workload is executed.
    pub poststart: Vec<Hook>,
    /// Beside the runtime, once the container is deleted.
    pub poststop: Vec<Hook>,
}

impl Hooks {
    /// Every list under its key of `config.json`.
    #[must_use]
    pub fn lists(&self) -> [(&'static str, &[Hook]); 6] {
        [
            ("prestart", &self.prestart),
            ("createRuntime", &self.create_runtime),
            ("createContainer", &self.create_container),
            ("startContainer", &self.start_container),
            ("poststart", &self.poststart),
            ("poststop", &self.poststop),
        ]
    }
}

/// The checked hooks.
pub(super) fn check(bundle: &Bundle) -> Result<Hooks, SpecError> {
    let Some(asked) = bundle.spec().hooks() else { return Ok(Hooks::default()) };
    let list = |point: &str, hooks: &Option<Vec<Asked>>| -> Result<Vec<Hook>, SpecError> {
        let hooks = hooks.as_deref().unwrap_or_default();
        hooks
            .iter()
            .enumerate()
            .map(|(index, hook)| one(bundle, &element(&format!("hooks.{point}"), index), hook))
            .collect()
    };
    Ok(Hooks {
        prestart: list("prestart", asked.prestart())?,
        create_runtime: list("createRuntime", asked.create_runtime())?,
        create_container: list("createContainer", asked.create_container())?,
        start_container: list("startContainer", asked.start_container())?,
        poststart: list("poststart", asked.poststart())?,
        poststop: list("poststop", asked.poststop())?,
    })
}

fn one(bundle: &Bundle, at: &str, asked: &Asked) -> Result<Hook, SpecError> {
    let strings = |key: &str, values: &Option<Vec<String>>| -> Result<Vec<CString>, SpecError> {
        let values = values.as_deref().unwrap_or_default();
        let path = format!("{at}.{key}");
        values.iter().enumerate().map(|(index, value)| text::c_string(bundle, &element(&path, index), value)).collect()
    };
    let timeout = match asked.timeout() {
        None => None,
        Some(seconds) => match u64::try_from(seconds) {
            Ok(seconds) if seconds > 0 => Some(Duration::from_secs(seconds)),
            _ => return text::invalid(bundle, &format!("{at}.timeout"), "a timeout is larger than 0 seconds"),
        },
    };
    Ok(Hook {
        path: text::absolute_path(bundle, &format!("{at}.path"), asked.path())?,
        args: strings("args", asked.args())?,
        env: strings("env", asked.env())?,
        timeout,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing;
    use serde_json::{Value, json};

    fn checked(hooks: &Value) -> Result<Hooks, String> {
        let bundle = testing::bundle(|config| config["hooks"] = hooks.clone());
        crate::spec::check_with(&bundle, false)
            .map(|container| container.hooks)
            .map_err(|error| error.field().path().to_owned())
    }

    #[test]
    fn every_point_is_read_in_order() {
        let hook = |path: &str| json!({"path": path, "args": ["a", ""], "env": ["A=b", "odd"], "timeout": 2});
        for (point, _) in Hooks::default().lists() {
            let hooks = checked(&json!({ point: [hook("/one"), {"path": "/two"}] })).unwrap();
            let (_, list) = hooks.lists().into_iter().find(|(name, _)| *name == point).unwrap();
            assert_eq!(list.iter().map(|hook| hook.path.to_str().unwrap()).collect::<Vec<_>>(), ["/one", "/two"]);
            assert_eq!(list[0].args, [c"a".to_owned(), c"".to_owned()]);
            assert_eq!(list[0].env, [c"A=b".to_owned(), c"odd".to_owned()]);
            assert_eq!((list[0].timeout, list[1].timeout), (Some(Duration::from_secs(2)), None));
            assert_eq!(hooks.lists().iter().filter(|(_, list)| !list.is_empty()).count(), 1);
        }
    }

    #[test]
    fn wrong_hooks_are_refused_by_path() {
        for (hook, key) in [
            (json!({"path": "relative"}), "path"),
            (json!({"path": "/a\u{0}"}), "path"),
            (json!({"path": "/a", "args": ["x", "\u{0}"]}), "args[1]"),
            (json!({"path": "/a", "env": ["\u{0}"]}), "env[0]"),
            (json!({"path": "/a", "timeout": 0}), "timeout"),
            (json!({"path": "/a", "timeout": -1}), "timeout"),
        ] {
            assert_eq!(checked(&json!({"poststop": [hook]})), Err(format!("hooks.poststop[0].{key}")));
        }
    }
}
