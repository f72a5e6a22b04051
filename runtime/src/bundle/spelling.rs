//! Names that `oci_spec` spells in another way than the runtime specification. The typed form is read from text in the
//! library's spelling; the raw form and the text that errors quote stay as written, and `spec` reads these names there.

use std::borrow::Cow;

use serde_json::Value;

/// Flags of `process.scheduler`: the specification's name and the library's (0.10.0).
const SCHEDULER_FLAGS: [(&str, &str); 2] = [
    ("\"SCHED_FLAG_RESET_ON_FORK\"", "\"SCHED_RESET_ON_FORK\""),
    ("\"SCHED_FLAG_DL_OVERRUN\"", "\"SCHED_FLAG_D_L_OVERRUN\""),
];

/// `text` as the library reads it. Only a configuration that has scheduler flags is touched at all.
pub(super) fn of_the_library<'a>(text: &'a str, raw: &Value) -> Cow<'a, str> {
    if raw.pointer("/process/scheduler/flags").is_none() {
        return Cow::Borrowed(text);
    }
    let renamed = SCHEDULER_FLAGS.iter().fold(text.to_owned(), |text, (name, librarys)| text.replace(name, librarys));
    Cow::Owned(renamed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Bundle;

    #[test]
    fn the_specifications_names_are_read() {
        let text = |flags: &str| {
            format!(
                r#"{{"ociVersion":"1.2.0","process":{{"user":{{"uid":0,"gid":0}},"cwd":"/",
                "scheduler":{{"policy":"SCHED_OTHER","flags":[{flags}]}}}}}}"#
            )
        };
        for (name, _) in SCHEDULER_FLAGS {
            let bundle = Bundle::parse("/b".into(), text(name)).unwrap();
            assert!(bundle.text().contains(name));
        }
        assert!(Bundle::parse("/b".into(), text("\"NONSENSE\"")).is_err());
    }
}
