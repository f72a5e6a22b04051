//! Part 1: what `doctor` finds, and settings of the host that leave more of the kernel in reach than containers need.

use std::path::Path;

use super::report::{Control, Group, Verdict, Words};
use crate::doctor::{self, Finding, Need};

/// Settings, the values that are well, and why.
const SETTINGS: &[(&str, &[&str], &str)] = &[
    (
        "kernel.unprivileged_bpf_disabled",
        &["1", "2"],
        "no program of an ordinary user reaches the kernel's verifier, also outside of lazaret's sandboxes",
    ),
    (
        "kernel.kptr_restrict",
        &["1", "2"],
        "addresses of the kernel are shown to nobody who could use them in an exploit",
    ),
    ("kernel.dmesg_restrict", &["1"], "the kernel's log, with addresses in it, is shown to root alone"),
    ("fs.protected_symlinks", &["1"], "a user's link in /tmp leads no program of root's astray"),
    ("fs.protected_hardlinks", &["1"], "a user makes no hard link to a file of others"),
];

/// The part, and the release of the kernel.
pub(super) fn control() -> (Control, String) {
    let report = doctor::examine();
    let mut groups: Vec<Group> = Vec::new();
    for found in &report.features {
        if groups.last().is_none_or(|group| group.desc != found.group) {
            groups.push(Group::new(&format!("1.{}", groups.len() + 1), found.group));
        }
        if let Some(group) = groups.last_mut() {
            group.judge(words(found), verdict(found));
        }
    }
    let mut settings = Group::new(&format!("1.{}", groups.len() + 1), "settings");
    for setting in SETTINGS {
        judge_setting(&mut settings, setting);
    }
    groups.push(settings);
    (Control::of("1", "Kernel", groups), report.kernel)
}

fn words(found: &Finding) -> Words {
    let remediation = format!(
        "Without it: {}. Run a kernel that has it, or take away what forbids it; lazaret doctor tries it again",
        found.consequence
    );
    Words::new(&format!("Ensure that the kernel has: {}", found.name), "lazaret doctor", "present", &remediation)
}

fn verdict(found: &Finding) -> Verdict {
    use doctor::Status::{Absent, Present, Unknown};
    let detail = found.detail.clone();
    match (found.status, found.need) {
        (Present, _) => Verdict::Pass(detail),
        (Absent, Need::Sandbox) => Verdict::Fail(detail),
        (Absent, Need::Strict) => Verdict::Warn(detail),
        (Absent, Need::Option) => Verdict::Info(detail),
        (Unknown, _) => Verdict::Warn(format!("could not be tried: {detail}")),
    }
}

fn judge_setting(group: &mut Group, (name, good, why): &(&str, &[&str], &str)) {
    let path = Path::new("/proc/sys").join(name.replace('.', "/"));
    let expected = good.join(" or ");
    let remediation = format!("sysctl -w {name}={}, and in /etc/sysctl.d: {why}", good.first().unwrap_or(&""));
    let words = Words::new(&format!("Ensure that {name} is set"), &format!("sysctl {name}"), &expected, &remediation);
    let verdict = match std::fs::read_to_string(&path) {
        Ok(text) if good.contains(&text.trim()) => Verdict::Pass(text.trim().to_owned()),
        // A weakness of the host's own, which no sandbox rests on.
        Ok(text) => Verdict::Warn(format!("{name} = {}", text.trim())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Verdict::Info("the kernel has no such setting".to_owned())
        }
        Err(error) => Verdict::Warn(format!("could not be read: {error}")),
    };
    group.judge(words, verdict);
}
