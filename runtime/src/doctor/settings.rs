//! Settings of the host that forbid a feature, named beside the gap that they explain. They are never the answer.

use std::path::Path;

/// Settings that forbid user namespaces, with the values at which they do.
const USER_NAMESPACES: &[(&str, &str)] = &[
    ("user/max_user_namespaces", "0"),
    ("kernel/unprivileged_userns_clone", "0"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1"),
];

/// The settings that may be why there are no user namespaces, in words; empty when none is set so.
pub(super) fn against_user_namespaces() -> String {
    against(USER_NAMESPACES, Path::new("/proc/sys"))
}

fn against(settings: &[(&str, &str)], root: &Path) -> String {
    let is_set = |(name, value): &&(&str, &str)| {
        std::fs::read_to_string(root.join(name)).is_ok_and(|text| text.trim() == *value)
    };
    let set: Vec<String> = settings
        .iter()
        .filter(is_set)
        .map(|(name, value)| format!("sysctl {} = {value}", name.replace('/', ".")))
        .collect();
    set.join(", ")
}

/// `kernel.yama.ptrace_scope`, where that module is built in.
pub(super) fn yama() -> Option<String> {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok()?;
    Some(format!("kernel.yama.ptrace_scope = {}", scope.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_forbid_are_named() {
        let root = std::env::temp_dir().join(format!("lazaret-settings-{}", std::process::id()));
        std::fs::create_dir_all(root.join("user")).unwrap();
        std::fs::create_dir_all(root.join("kernel")).unwrap();
        std::fs::write(root.join("user/max_user_namespaces"), "0\n").unwrap();
        std::fs::write(root.join("kernel/unprivileged_userns_clone"), "1\n").unwrap();
        assert_eq!(against(USER_NAMESPACES, &root), "sysctl user.max_user_namespaces = 0");
        std::fs::write(root.join("user/max_user_namespaces"), "1000\n").unwrap();
        assert_eq!(against(USER_NAMESPACES, &root), "");
        std::fs::remove_dir_all(root).unwrap();
    }
}
