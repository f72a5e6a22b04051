//! `syscalls`: what a mode does with every system call, and what a profile does beside it. Changes nothing and looks at
//! nothing of the machine but the profile's file.

use std::path::Path;

use lazaret_profiles::document;
use lazaret_profiles::syscalls::TABLE;
use serde::Serialize;

use crate::bundle::Bundle;
use crate::error::Error;
use crate::options::Mode;
use crate::spec;

/// One system call, in the words of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedCall {
    /// Its number on this architecture.
    pub number: u32,
    /// The kernel's name.
    pub name: &'static str,
    /// What part of the kernel it belongs to.
    pub family: &'static str,
    /// What the mode does with it.
    pub class: &'static str,
    /// The errno where it is refused whole, or nothing.
    pub answer: &'static str,
    /// What arguments pass, or the technique that a refusal is recorded as, or nothing.
    pub rule: &'static str,
    /// Why.
    pub reason: &'static str,
    /// What the profile does with it, where there is one. Of the two the stricter answer counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// Every system call by number.
///
/// # Errors
/// Those of reading and checking the profile.
pub fn syscalls(mode: Mode, profile: Option<&Path>) -> Result<Vec<ListedCall>, Error> {
    let profile = profile.map(|path| -> Result<_, Error> { Ok(spec::check_profile(&Bundle::of_profile(path)?)?) });
    let profile = profile.transpose()?.flatten();
    let column = mode.column();
    let listed = TABLE.iter().map(|row| {
        let choice = column.map(|column| row.choice(column));
        ListedCall {
            number: row.number,
            name: row.name,
            family: row.family.label(),
            class: choice.map_or("native", |choice| choice.class.label()),
            answer: choice.as_ref().map_or("", document::answer),
            rule: choice.as_ref().map_or("", document::rule),
            reason: choice.map_or("native mode leaves it to the bundle's profile", |choice| choice.reason),
            profile: profile.as_ref().map(|planned| document::outcome(&planned.plan, row.number)),
        }
    });
    Ok(listed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(calls: &[ListedCall], name: &str) -> &'static str {
        calls.iter().find(|call| call.name == name).unwrap().class
    }

    #[test]
    fn each_mode_lists_every_call_in_its_own_words() {
        let [native, sandbox, strict] =
            [Mode::Native, Mode::Sandbox, Mode::Strict].map(|mode| syscalls(mode, None).unwrap());
        for calls in [&native, &sandbox, &strict] {
            assert_eq!(calls.len(), TABLE.len());
        }
        assert_eq!((class_of(&native, "mount"), class_of(&sandbox, "mount")), ("native", "emulated"));
        assert_eq!((class_of(&sandbox, "shmget"), class_of(&strict, "shmget")), ("native", "refused and recorded"));
    }

    /// Hostile text for the reader of profiles: every outcome is a list or an error, and what is no part of the
    /// specification is named.
    #[test]
    fn profile_stands_beside_the_mode_or_is_refused_by_name() {
        let file = std::env::temp_dir().join(format!("lazaret-profile-{}.json", std::process::id()));
        let read = |text: &[u8]| {
            std::fs::write(&file, text).unwrap();
            let calls = syscalls(Mode::Strict, Some(&file));
            std::fs::remove_file(&file).unwrap();
            calls.map_err(|error| error.chain())
        };
        let profile = r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[
            {"names":["read","clone"],"action":"SCMP_ACT_ALLOW"},
            {"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#;
        let calls = read(profile.as_bytes()).unwrap();
        let of = |name: &str| calls.iter().find(|call| call.name == name).unwrap().profile.clone().unwrap();
        assert_eq!([of("read"), of("socket"), of("mmap")], ["allowed", "by argument, else EPERM", "EPERM"]);
        assert_eq!(of("bpf"), "ENOSYS", "newer than all that the profile names");
        let docker = profile.replace(
            r#""action":"SCMP_ACT_ALLOW"},"#,
            r#""action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_BPF"]}},"#,
        );
        assert!(read(docker.as_bytes()).unwrap_err().contains("includes"));
        for at in 0..profile.len() {
            for byte in [0, b'"', b'{', b'9', 0xff] {
                let mut text = profile.as_bytes().to_vec();
                text[at] = byte;
                if let Err(error) = read(&text) {
                    assert!(!error.is_empty());
                }
            }
        }
    }
}
