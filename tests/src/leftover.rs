//! What a runtime may leave behind on the host: mounts, cgroups, processes, state. Each is found by the tag of the test.

use std::path::{Path, PathBuf};

use crate::deadline;

/// Mount points of this mount namespace whose line carries the tag.
#[must_use]
pub fn mounts(tag: &str) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let has_tag =
        |line: &&str| line.split(|byte: char| !(byte.is_alphanumeric() || byte == '-')).any(|word| word == tag);
    table.lines().filter(has_tag).map(str::to_owned).collect()
}

/// Cgroup directories of any hierarchy whose name carries the tag.
#[must_use]
pub fn cgroups(tag: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect_cgroups(Path::new("/sys/fs/cgroup"), tag, 6, &mut found);
    found
}

/// Whether a cgroup is that of a container's sentries.
#[must_use]
pub fn is_of_sentries(cgroup: &Path) -> bool {
    cgroup.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sentry-"))
}

fn collect_cgroups(directory: &Path, tag: &str, depth: u32, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name().to_string_lossy().ends_with(tag) {
            found.push(entry.path());
        } else if depth > 0 {
            collect_cgroups(&entry.path(), tag, depth - 1, found);
        }
    }
}

/// Processes that carry `NAME=tag` in their environment, or the tag in their command line; never this one.
#[must_use]
pub fn processes(tag: &str) -> Vec<(i32, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if u32::try_from(pid) == Ok(std::process::id()) {
            continue;
        }
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let marked = environment.split(|byte| *byte == 0).any(|variable| is_marker(variable, tag));
        let named = command.split(|byte| *byte == 0).any(|word| contains_word(&String::from_utf8_lossy(word), tag));
        if marked || named {
            found.push((pid, String::from_utf8_lossy(&command).replace('\0', " ")));
        }
    }
    found
}

fn is_marker(variable: &[u8], tag: &str) -> bool {
    String::from_utf8_lossy(variable).split_once('=').is_some_and(|(_, value)| contains_word(value, tag))
}

fn contains_word(text: &str, tag: &str) -> bool {
    text.split(|byte: char| !(byte.is_alphanumeric() || byte == '-')).any(|word| word == tag)
}

/// Leases of ranges of ids whose owner's state directory is `below`, or is below it.
#[must_use]
pub fn leases(below: &Path) -> Vec<PathBuf> {
    let links = std::fs::read_dir("/run/lazaret-ids").into_iter().flatten().flatten();
    let owners = links.filter_map(|link| std::fs::read_link(link.path()).ok());
    owners.filter(|owner| owner.starts_with(below)).collect()
}

/// Asserts that nothing with this tag is mounted, running or in a cgroup any more. Processes get a moment to end.
///
/// # Panics
/// When something stays.
#[track_caller]
pub fn none(tag: &str) {
    let gone = deadline::within(deadline::PATIENCE, || processes(tag).is_empty() && cgroups(tag).is_empty());
    let mounted = mounts(tag);
    assert!(
        gone && mounted.is_empty(),
        "{tag} left behind: processes {:?}, cgroups {:?}, mounts {mounted:?}",
        processes(tag),
        cgroups(tag)
    );
}
