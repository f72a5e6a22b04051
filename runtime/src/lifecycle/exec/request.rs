//! Which process `exec` is to execute: an OCI `Process` in JSON, or the container's own process with changes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::error::Error;

/// What to execute.
#[derive(Debug)]
pub enum Process {
    /// The text of a `Process` object (`config.md`), and what to call it in errors.
    Json {
        /// Where it comes from.
        source: PathBuf,
        /// The object.
        text: String,
    },
    /// A command line.
    Command(Box<Command>),
}

/// The container's first process with another command. `None` and empty lists leave what `config.json` says.
#[derive(Debug, Default)]
pub struct Command {
    /// The command and its arguments.
    pub args: Vec<String>,
    /// `KEY=value` to add to the environment; a later one of the same name counts.
    pub env: Vec<String>,
    /// Working directory inside.
    pub cwd: Option<String>,
    /// User and group.
    pub user: Option<(u32, Option<u32>)>,
    /// Further groups, added to those of `config.json`.
    pub additional_gids: Vec<u32>,
    /// Capabilities to add, as `CAP_NAME`.
    pub capabilities: Vec<String>,
    /// AppArmor profile.
    pub apparmor: Option<String>,
    /// SELinux label.
    pub process_label: Option<String>,
    /// Set no_new_privs.
    pub no_new_privileges: bool,
    /// With a terminal.
    pub terminal: bool,
}

impl Process {
    /// Reads a `Process` object from a file.
    ///
    /// # Errors
    /// As `Bundle::load`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Ok(Self::Json { source: path.to_owned(), text: Bundle::read_process(path)? })
    }

    /// `bundle` with this process in the place of its own.
    pub(super) fn put_into(&self, bundle: &Bundle) -> Result<Bundle, Error> {
        match self {
            Self::Json { source, text } => Ok(bundle.with_process(source, text)?),
            Self::Command(command) => {
                let process = command.change(bundle.raw().get("process").cloned().unwrap_or_else(|| json!({})));
                Ok(bundle.with_process(Path::new("the command line"), &process.to_string())?)
            }
        }
    }
}

impl Command {
    fn change(&self, mut process: Value) -> Value {
        let Some(keys) = process.as_object_mut() else { return process };
        keys.insert("args".to_owned(), json!(self.args));
        keys.insert("terminal".to_owned(), json!(self.terminal));
        let texts = [("cwd", &self.cwd), ("apparmorProfile", &self.apparmor), ("selinuxLabel", &self.process_label)];
        for (key, text) in texts {
            if let Some(text) = text {
                keys.insert(key.to_owned(), json!(text));
            }
        }
        if self.no_new_privileges {
            keys.insert("noNewPrivileges".to_owned(), json!(true));
        }
        extend(keys.entry("env").or_insert_with(|| json!([])), &self.env);
        let user = keys.entry("user").or_insert_with(|| json!({"uid": 0, "gid": 0}));
        if let (Some(user), Some((uid, gid))) = (user.as_object_mut(), self.user) {
            user.insert("uid".to_owned(), json!(uid));
            if let Some(gid) = gid {
                user.insert("gid".to_owned(), json!(gid));
            }
        }
        if let (Some(user), false) = (user.as_object_mut(), self.additional_gids.is_empty()) {
            extend(user.entry("additionalGids").or_insert_with(|| json!([])), &self.additional_gids);
        }
        if !self.capabilities.is_empty() {
            let sets = keys.entry("capabilities").or_insert_with(|| json!({}));
            // Ambient too, or a user other than root would not have them; inheritable because ambient needs it.
            for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
                if let Some(sets) = sets.as_object_mut() {
                    extend(sets.entry(set).or_insert_with(|| json!([])), &self.capabilities);
                }
            }
        }
        process
    }
}

/// Adds what is not in the list yet. `null` counts as an empty list.
fn extend<T: serde::Serialize>(list: &mut Value, more: &[T]) {
    if list.is_null() {
        *list = json!([]);
    }
    if let Some(list) = list.as_array_mut() {
        for value in more.iter().map(|value| json!(value)) {
            if !list.contains(&value) {
                list.push(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_changes_what_it_names_and_nothing_else() {
        let base = json!({
            "args": ["sleep"], "cwd": "/", "env": ["PATH=/bin"], "terminal": true,
            "user": {"uid": 5, "gid": 6, "additionalGids": [7]},
            "capabilities": {"bounding": ["CAP_KILL"]}, "oomScoreAdj": 3
        });
        let plain = Command { args: vec!["id".to_owned()], ..Command::default() }.change(base.clone());
        let mut expected = base.clone();
        expected["args"] = json!(["id"]);
        expected["terminal"] = json!(false);
        assert_eq!(plain, expected);
        let changed = Command {
            args: vec!["id".to_owned()],
            env: vec!["A=1".to_owned()],
            cwd: Some("/tmp".to_owned()),
            user: Some((8, None)),
            additional_gids: vec![7, 9],
            capabilities: vec!["CAP_KILL".to_owned(), "CAP_CHOWN".to_owned()],
            no_new_privileges: true,
            terminal: true,
            ..Command::default()
        }
        .change(base);
        assert_eq!(changed["env"], json!(["PATH=/bin", "A=1"]));
        assert_eq!(changed["user"], json!({"uid": 8, "gid": 6, "additionalGids": [7, 9]}));
        assert_eq!(changed["capabilities"]["bounding"], json!(["CAP_KILL", "CAP_CHOWN"]));
        assert_eq!(changed["capabilities"]["ambient"], json!(["CAP_KILL", "CAP_CHOWN"]));
        assert_eq!((&changed["cwd"], &changed["noNewPrivileges"]), (&json!("/tmp"), &json!(true)));
    }
}
