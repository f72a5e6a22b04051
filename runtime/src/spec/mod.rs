//! Turns the bundle's `config.json` into checked types: [`check`] is the border at which `oci_spec` types end.
//!
//! Called by `lifecycle::create` after `bundle` has read the file; the result goes to `policy` and the launcher. What
//! lazaret does not implement is refused by name (`schema`), what it implements is checked for the rules of the
//! runtime specification and the kernel. Whether a container may have what it asks for is `policy`'s matter, not ours.

mod block_io;
mod capability;
pub mod container;
mod device_nodes;
pub(crate) mod environment;
mod error;
pub mod hooks;
mod id_ranges;
pub mod kernel_view;
mod limits;
mod mount_check;
mod mount_option;
pub mod mounts;
mod namespaces;
pub mod net_devices;
mod number_list;
mod process;
mod rdma;
pub mod resources;
mod rlimit;
mod root;
pub mod scheduling;
mod schema;
mod seccomp;
pub mod supported;
pub mod sysctl;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod traffic;
mod version;

use oci_spec::runtime::Linux;

pub(crate) use capability::mask_of as capability_mask;
pub use capability::names as capability_names;
pub use error::SpecError;
pub use version::{NEWEST as NEWEST_VERSION, OLDEST as OLDEST_VERSION};

use crate::bundle::Bundle;
use container::{Container, Namespace};

/// Checks the configuration of `bundle`.
///
/// Beside the bundle it looks at two things of the machine: whether the root file system exists, and whether AppArmor
/// does when a profile is asked for.
///
/// # Errors
/// [`SpecError`] names the first key that is not supported, not allowed or missing.
pub fn check(bundle: &Bundle) -> Result<Container, SpecError> {
    root::refuse_missing(bundle)?;
    check_with(bundle, process::apparmor_exists())
}

/// Checks the configuration of a container that exists already, as it was frozen when it was created: its root file system
/// and the rest of its bundle may be gone since.
///
/// # Errors
/// As [`check`].
pub fn check_frozen(bundle: &Bundle) -> Result<Container, SpecError> {
    check_with(bundle, process::apparmor_exists())
}

/// Checks limits that came by themselves ([`Bundle::of_resources`]), for `update`.
///
/// # Errors
/// As [`check`].
pub fn check_resources(bundle: &Bundle) -> Result<resources::Resources, SpecError> {
    schema::refuse_unsupported(bundle)?;
    limits::check(bundle, bundle.spec().linux().as_ref())
}

/// Checks a seccomp profile that came by itself ([`Bundle::of_profile`]), for `syscalls`; `None` where there is none.
///
/// # Errors
/// As [`check`].
pub fn check_profile(bundle: &Bundle) -> Result<Option<lazaret_profiles::oci::Planned>, SpecError> {
    schema::refuse_unsupported(bundle)?;
    seccomp::refuse_template(bundle)?;
    seccomp::plan(bundle, bundle.spec().linux().as_ref())
}

/// [`check`] for tests: the root file system need not exist.
#[cfg(test)]
pub(crate) fn check_without_machine(bundle: &Bundle) -> Result<Container, SpecError> {
    check_with(bundle, false)
}

/// [`check`] without a look at the machine.
fn check_with(bundle: &Bundle, apparmor_exists: bool) -> Result<Container, SpecError> {
    schema::refuse_unsupported(bundle)?;
    version::check(bundle)?;
    let spec = bundle.spec();
    let linux = spec.linux().as_ref();
    let rootfs = root::path(bundle)?;
    let process = process::check(bundle, apparmor_exists)?;
    let namespaces = namespaces::check(bundle, list(linux, Linux::namespaces))?;
    let id_mappings = id_ranges::of_container(bundle, linux, &namespaces)?;
    Ok(Container {
        oci_version: spec.version().clone(),
        rootfs,
        rootfs_readonly: spec.root().as_ref().and_then(oci_spec::runtime::Root::readonly).unwrap_or(false),
        rootfs_propagation: root::propagation(bundle, linux)?,
        hostname: root::host_name(bundle, "hostname", spec.hostname().as_deref(), &namespaces)?,
        domainname: root::host_name(bundle, "domainname", spec.domainname().as_deref(), &namespaces)?,
        process,
        mounts: mount_check::check(bundle, namespaces.user != Namespace::Host)?,
        devices: device_nodes::check(bundle, list(linux, Linux::devices))?,
        cgroups_path: root::cgroups_path(bundle, linux)?,
        resources: limits::check(bundle, linux)?,
        sysctl: sysctl::check(bundle, linux, &namespaces)?,
        masked_paths: text::absolute_paths(bundle, "linux.maskedPaths", list(linux, Linux::masked_paths))?,
        readonly_paths: text::readonly_paths(bundle, "linux.readonlyPaths", list(linux, Linux::readonly_paths))?,
        seccomp: seccomp::check(bundle, linux)?,
        hooks: hooks::check(bundle)?,
        personality: kernel_view::personality(bundle, linux)?,
        memory_policy: kernel_view::memory_policy(bundle, linux)?,
        time_offsets: kernel_view::time_offsets(bundle, linux, &namespaces)?,
        net_devices: net_devices::check(bundle, linux, &namespaces)?,
        annotations: root::annotations(bundle)?,
        namespaces,
        id_mappings,
    })
}

/// A list of the `linux` section; absent is empty.
fn list<T>(linux: Option<&Linux>, read: impl Fn(&Linux) -> &Option<Vec<T>>) -> &[T] {
    linux.and_then(|linux| read(linux).as_deref()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    type Change = fn(&mut Value);

    fn refusal(change: impl Fn(&mut Value)) -> SpecError {
        match check_with(&testing::bundle(change), false) {
            Ok(container) => panic!("accepted: {container:?}"),
            Err(error) => error,
        }
    }

    #[test]
    fn the_configuration_that_engines_write_is_accepted() {
        let container = check_with(&testing::bundle(|_| {}), false).unwrap();
        assert_eq!(container.rootfs, std::path::Path::new("/bundle/rootfs"));
        assert_eq!(container.namespaces.pid, Namespace::New);
        assert_eq!(container.namespaces.user, Namespace::Host);
        assert_eq!(container.mounts.len(), 7);
        assert_eq!(container.process.args, [c"sh".to_owned()]);
        assert_eq!(container.hostname.as_deref(), Some(c"box"));
        assert!(container.seccomp.is_none());
    }

    #[test]
    fn every_rule_refuses_its_example_by_path() {
        let cases: &[(&str, Change)] = &[
            ("ociVersion", |c| c["ociVersion"] = json!("2.0.0")),
            ("ociVersion", |c| c["ociVersion"] = json!("")),
            ("root", |c| c["root"] = Value::Null),
            ("root.path", |c| c["root"]["path"] = json!("")),
            ("root.path", |c| c["root"]["path"] = json!("a\u{0}b")),
            ("process", |c| c["process"] = Value::Null),
            ("process.args", |c| c["process"]["args"] = json!([])),
            ("process.args", |c| c["process"]["args"] = Value::Null),
            ("process.args[1]", |c| c["process"]["args"] = json!(["a", "b\u{0}"])),
            ("process.env[0]", |c| c["process"]["env"] = json!(["PATH"])),
            ("process.env[0]", |c| c["process"]["env"] = json!(["=x"])),
            ("process.env[1]", |c| c["process"]["env"] = json!(["A=", "B=\u{0}"])),
            ("process.cwd", |c| c["process"]["cwd"] = json!("tmp")),
            ("process.user.uid", |c| c["process"]["user"]["uid"] = json!(u32::MAX)),
            ("process.user.gid", |c| c["process"]["user"]["gid"] = json!(u32::MAX)),
            ("process.user.additionalGids[1]", |c| c["process"]["user"]["additionalGids"] = json!([1, u32::MAX])),
            ("process.user.umask", |c| c["process"]["user"]["umask"] = json!(0o1000)),
            ("process.oomScoreAdj", |c| c["process"]["oomScoreAdj"] = json!(-1001)),
            ("process.consoleSize.height", |c| {
                c["process"]["terminal"] = json!(true);
                c["process"]["consoleSize"] = json!({"height": 70000, "width": 80});
            }),
            ("process.apparmorProfile", |c| c["process"]["apparmorProfile"] = json!("docker-default")),
            ("process.selinuxLabel", |c| c["process"]["selinuxLabel"] = json!("container_t")),
            ("process.capabilities.bounding[0]", |c| c["process"]["capabilities"]["bounding"] = json!(["sys_admin"])),
            ("process.capabilities.effective", |c| c["process"]["capabilities"]["effective"] = json!(["CAP_BPF"])),
            ("process.rlimits[1]", |c| {
                c["process"]["rlimits"] =
                    json!([{"type":"RLIMIT_CORE","soft":0,"hard":0},{"type":"RLIMIT_CORE","soft":1,"hard":1}]);
            }),
            ("process.rlimits[0]", |c| {
                c["process"]["rlimits"] = json!([{"type":"RLIMIT_CORE","soft":2,"hard":1}]);
            }),
            ("hostname", |c| c["hostname"] = json!("x".repeat(65))),
            ("hostname", |c| c["linux"]["namespaces"] = json!([{"type":"pid"}])),
            ("domainname", |c| c["domainname"] = json!("a\u{0}")),
            ("linux.namespaces[1]", |c| c["linux"]["namespaces"] = json!([{"type":"uts"},{"type":"uts"}])),
            ("linux.namespaces[0].path", |c| c["linux"]["namespaces"] = json!([{"type":"uts","path":"ns"}])),
            ("linux.uidMappings", |c| c["linux"]["uidMappings"] = json!([{"containerID":0,"hostID":1,"size":1}])),
            ("linux.rootfsPropagation", |c| c["linux"]["rootfsPropagation"] = json!("sharded")),
            ("linux.cgroupsPath", |c| c["linux"]["cgroupsPath"] = json!("/a/../../b")),
            ("linux.maskedPaths[0]", |c| c["linux"]["maskedPaths"] = json!(["proc/kcore"])),
            ("linux.readonlyPaths[0]", |c| c["linux"]["readonlyPaths"] = json!(["/a\u{0}"])),
            ("linux.readonlyPaths[1]", |c| c["linux"]["readonlyPaths"] = json!(["etc", "etc/../../x"])),
            ("linux.readonlyPaths[0]", |c| c["linux"]["readonlyPaths"] = json!([""])),
            ("annotations[\"\"]", |c| c["annotations"] = json!({"": "x"})),
            ("hooks.poststop[0].path", |c| c["hooks"] = json!({"prestart": [], "poststop": [{"path": "true"}]})),
            ("linux.intelRdt", |c| c["linux"]["intelRdt"] = json!({"closID": "a"})),
            ("windows", |c| c["windows"] = json!({"layerFolders": ["c"]})),
        ];
        for (path, change) in cases {
            let error = refusal(change);
            assert_eq!(error.field().path(), *path, "{error}");
            assert!(!error.to_string().ends_with('.'), "{error}");
        }
    }

    #[test]
    fn a_relative_readonly_path_is_taken_from_the_root_and_a_doubled_variable_once() {
        let bundle = testing::bundle(|c| {
            c["linux"]["readonlyPaths"] = json!(["etc", "/usr"]);
            c["process"]["env"] = json!(["A=1", "AB=2", "A=3", "B=="]);
        });
        let container = check_with(&bundle, false).unwrap();
        assert_eq!(container.readonly_paths, [std::path::Path::new("/etc"), std::path::Path::new("/usr")]);
        assert_eq!(container.process.env, [c"A=3", c"AB=2", c"B=="].map(ToOwned::to_owned));
    }

    #[test]
    fn unconfined_is_no_apparmor_profile_and_a_real_one_needs_apparmor() {
        let bundle = testing::bundle(|c| c["process"]["apparmorProfile"] = json!("unconfined"));
        assert_eq!(check_with(&bundle, true).unwrap().process.apparmor_profile, None);
        let bundle = testing::bundle(|c| c["process"]["apparmorProfile"] = json!("docker-default"));
        let container = check_with(&bundle, true).unwrap();
        assert_eq!(container.process.apparmor_profile.as_deref(), Some(c"docker-default"));
    }

    #[test]
    fn a_missing_rootfs_says_what_runc_says_and_names_the_key() {
        let error = check(&testing::bundle(|_| {})).unwrap_err();
        assert_eq!(error.code(), crate::bundle::codes::SPEC_ROOTFS_MISSING);
        let text = error.to_string();
        assert!(text.starts_with("invalid rootfs: stat /bundle/rootfs: no such file or directory"), "{text}");
        assert!(text.contains("root.path = \"rootfs\" (config.json:"), "{text}");
    }
}
