//! Part 5: what of the policy can be changed on this node, and whether it was.

use std::path::Path;

use super::host::Host;
use super::report::{Control, Group, Verdict, Words};
use crate::policy::host::hooks::{AllowedHooks, LIST};

/// The part.
pub(super) fn control(host: &Host) -> Control {
    let mut group = Group::new("5.1", "exceptions");
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
    Control::of("5", "Policy", vec![group])
}
