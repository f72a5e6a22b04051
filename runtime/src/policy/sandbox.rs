//! The judgement of sandbox mode on a whole container: a list of refusals in the order in which a reader of
//! `config.json` would meet them, then what is left of the rights.
//!
//! [`admit`] opens what the bundle names (once; the launcher goes on with these descriptors); every decision below it is
//! made on facts alone and is tested without a machine.

mod mounts;
mod namespaces;
mod reach;
mod rights;
mod sources;

use std::collections::BTreeMap;
use std::path::Path;

use super::host::Host;
use super::object::{self, Object};
use super::{Admitted, PolicyError, Source, SourceKind, Warning};
use crate::bundle::field::Field;
use crate::policy::host_paths::{Access, Forced, HostPaths};
use crate::policy::profile::Profile;
use crate::policy::rules::Rules;
use crate::spec::container::{Capabilities, Container};
use crate::spec::mounts::{Mount, MountKind, attr};
use sources::{Purpose, Question, Verdict};

pub(crate) use reach::refuse_scheduling;
pub(crate) use rights::refuse_joined_host_ids;

/// Judges `container` on the machine that `host` describes, by the node's `rules`. A privileged one that the rules contain
/// loses what no sandbox may have: devices of the host, and binds that would be refused; the warnings name each.
///
/// # Errors
/// The first thing that no sandbox may have, with the key that asks for it; or that a path cannot be opened.
pub fn admit(container: &mut Container, host: &Host, rules: &Rules) -> Result<Admitted, PolicyError> {
    rights::refuse_privileged(container, rules.privileged)?;
    let is_privileged = rights::is_privileged(container);
    let mut removed: Vec<_> = is_privileged.then(|| rights::remove_devices(container)).flatten().into_iter().collect();
    if is_privileged {
        removed.extend(remove_mounts(container, host, &rules.host_paths));
    }
    if let Some(profile) = &rules.profile {
        reach::refuse_sysctls(container, profile)?;
        container.rootfs_readonly |= profile.read_only_root;
    }
    namespaces::refuse_missing(container)?;
    rights::refuse_host_ids(container)?;
    rights::refuse_devices(container)?;
    reach::refuse(container, &host.hooks)?;
    mounts::refuse_shared_root(container)?;
    for mount in &container.mounts {
        mounts::refuse_kind(mount)?;
        mounts::refuse_destination(mount)?;
        mounts::refuse_sharing(mount)?;
    }
    let rootfs = open_rootfs(container, host)?;
    let (binds, has_host_directory) = open_binds(container, host, &rules.host_paths)?;
    let joins = namespaces::open(container, host)?;
    let (capabilities, clipped) = rights::clip(container.process.capabilities, rules.profile.as_ref());
    let mut warnings = rights::warnings(container, &clipped);
    warnings.append(&mut removed);
    Ok(Admitted { rootfs, has_host_directory, binds, joins, capabilities, clipped, warnings })
}

/// Takes the binds out of a privileged container that no sandbox may have, each with a warning that says why.
fn remove_mounts(container: &mut Container, host: &Host, rules: &HostPaths) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for mount in std::mem::take(&mut container.mounts) {
        let refused = if let MountKind::Bind { source, recursive } = &mount.kind {
            open_bind(&container.annotations, &mount, (source, *recursive), host, rules).err()
        } else {
            None
        };
        match refused {
            // What is missing is the caller's mistake, and not a right that is not given.
            Some(error) if !matches!(error, PolicyError::Open { .. }) => {
                warnings.push(Warning { path: "mounts", text: format!("left out: {error}") });
            }
            Some(_) | None => container.mounts.push(mount),
        }
    }
    warnings
}

/// The capabilities that a further process of an admitted container may have, and a warning about those it may not.
#[must_use]
pub fn admit_process(asked: Capabilities, profile: Option<&Profile>) -> (Capabilities, Option<Warning>) {
    let (left, clipped) = rights::clip(asked, profile);
    (left, rights::clipped_warning(&clipped))
}

fn open_rootfs(container: &Container, host: &Host) -> Result<Source, PolicyError> {
    let question = Question {
        field: Field::text("root.path", &container.rootfs.to_string_lossy()),
        purpose: Purpose::Rootfs,
        recursive: true,
        read_only: container.rootfs_readonly,
        rules: &HostPaths::default(),
        annotations: &container.annotations,
    };
    let object = open(&container.rootfs, &question, host)?;
    let verdict = sources::judge(&object.facts, &question, host)?;
    Ok(Source { fd: object.fd, kind: verdict.kind })
}

/// The sources of the bind mounts, and whether one of them is a directory that is the host's own. What the node's rules force
/// on a mount is among its attributes then.
fn open_binds(
    container: &mut Container,
    host: &Host,
    rules: &HostPaths,
) -> Result<(BTreeMap<usize, Source>, bool), PolicyError> {
    let (mut binds, mut has_host_directory) = (BTreeMap::new(), false);
    for mount in &mut container.mounts {
        if let MountKind::Bind { source, recursive } = &mount.kind {
            let (source, verdict) = open_bind(&container.annotations, mount, (source, *recursive), host, rules)?;
            has_host_directory |= source.kind == SourceKind::Directory && !verdict.opened;
            binds.insert(mount.index, source);
            if let Some(forced) = verdict.forced {
                force(mount, forced);
            }
        }
    }
    Ok((binds, has_host_directory))
}

fn open_bind(
    annotations: &BTreeMap<String, String>,
    mount: &Mount,
    (source, recursive): (&Path, bool),
    host: &Host,
    rules: &HostPaths,
) -> Result<(Source, Verdict), PolicyError> {
    let question = Question {
        field: Field::text(&format!("mounts[{}].source", mount.index), &source.to_string_lossy()),
        purpose: Purpose::Bind,
        recursive,
        read_only: mounts::is_read_only(mount, recursive),
        rules,
        annotations,
    };
    let object = open(source, &question, host)?;
    let verdict = sources::judge(&object.facts, &question, host)?;
    // What an engine made for this container is not searched: it may be large, and is not the user's choice.
    if !verdict.opened {
        sources::refuse_socket_below(&object, question.field)?;
    }
    Ok((Source { fd: object.fd, kind: verdict.kind }, verdict))
}

/// Sets what the node's rules force on a mount, with everything that is mounted below, and lets nothing take it back.
fn force(mount: &mut Mount, forced: Forced) {
    let read_only = if forced.access == Access::ReadWrite { 0 } else { attr::RDONLY };
    let no_execution = if forced.exec { 0 } else { attr::NOEXEC };
    let bits = attr::NOSUID | attr::NODEV | read_only | no_execution;
    mount.attr_set |= bits;
    mount.attr_clear &= !bits;
    mount.recursive_attr_set |= bits;
    mount.recursive_attr_clear &= !bits;
}

fn open(path: &Path, question: &Question<'_>, host: &Host) -> Result<Object, PolicyError> {
    Object::open(path).or_else(|source| {
        sources::judge_names(&object::likely_names(path), question, host)?;
        Err(PolicyError::Open { field: question.field.clone(), source })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::codes;
    use crate::spec::testing;
    use serde_json::{Value, json};

    /// Judges the bundle after `change` on this machine, with a root file system of its own.
    fn judged(name: &str, change: impl Fn(&mut Value, &str)) -> Result<Admitted, PolicyError> {
        let base = std::env::temp_dir().join(format!("lazaret-admit-{}-{name}", std::process::id()));
        for directory in ["rootfs", "data"] {
            std::fs::create_dir_all(base.join(directory)).unwrap();
        }
        let bundle = testing::bundle(|config| {
            config["root"]["path"] = json!(base.join("rootfs"));
            change(config, base.to_str().unwrap());
        });
        let mut container = crate::spec::check_without_machine(&bundle).unwrap();
        let result = Host::gather(&container).and_then(|host| admit(&mut container, &host, &Rules::default()));
        for mounted in ["alias", "data/below"] {
            if base.join(mounted).exists() {
                nix::mount::umount2(&base.join(mounted), nix::mount::MntFlags::MNT_DETACH).unwrap();
                // Fails on a mount point: the removal below must never walk into the host.
                std::fs::remove_dir(base.join(mounted)).unwrap();
            }
        }
        std::fs::remove_dir_all(base).unwrap();
        result
    }

    fn bind(config: &mut Value, source: &str) {
        config["mounts"].as_array_mut().unwrap().push(json!({
            "destination": "/x", "source": source, "type": "bind", "options": ["rbind"]
        }));
    }

    #[test]
    fn a_container_with_a_data_directory_is_admitted_and_its_objects_are_held() {
        let admitted = judged("data", |config, base| bind(config, &format!("{base}/data"))).unwrap();
        assert_eq!(admitted.rootfs.kind, super::super::SourceKind::Directory);
        assert_eq!(admitted.binds.keys().collect::<Vec<_>>(), [&7]);
        assert!(admitted.clipped.is_empty() && admitted.warnings.is_empty(), "{admitted:?}");
    }

    #[test]
    fn hostpaths_of_this_machine_are_refused_by_field_and_value() {
        for source in
            ["/", "/proc", "/sys", "/dev", "/etc", "/root", "/boot", "/run", "/var/run", "/etc/../etc", "/proc/1/root"]
        {
            if !Path::new(source).exists() {
                continue;
            }
            let error = judged("hostpath", |config, _| bind(config, source)).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with(&format!("mounts[7].source = {source:?}: hostPath /")), "{text}");
            assert!(text.contains("is not allowed in sandbox mode: "), "{text}");
            assert!(error.hint().is_some(), "{text}");
        }
    }

    #[test]
    fn a_root_file_system_that_is_the_host_is_refused() {
        for root in ["/", "/etc", "/usr"] {
            let error = judged("root", |config, _| config["root"]["path"] = json!(root)).unwrap_err();
            assert_eq!(error.code(), codes::POLICY_SENSITIVE, "{error}");
            assert_eq!(error.field().unwrap().path(), "root.path");
        }
    }

    #[test]
    fn a_directory_in_which_something_listens_is_refused_also_through_a_link() {
        let error = judged("listen", |config, base| {
            std::os::unix::fs::symlink("data", format!("{base}/link")).unwrap();
            std::mem::forget(std::os::unix::net::UnixListener::bind(format!("{base}/data/own.sock")).unwrap());
            bind(config, &format!("{base}/link"));
        })
        .unwrap_err();
        assert_eq!(error.code(), codes::POLICY_SOCKET_BELOW, "{error}");
        let error = judged("engine", |config, base| {
            drop(std::os::unix::net::UnixListener::bind(format!("{base}/data/docker.sock")).unwrap());
            bind(config, &format!("{base}/data"));
        })
        .unwrap_err();
        assert_eq!(error.code(), codes::POLICY_ENGINE_SOCKET, "{error}");
        let error = judged("socket", |config, base| {
            drop(std::os::unix::net::UnixListener::bind(format!("{base}/data/x")).unwrap());
            bind(config, &format!("{base}/data/x"));
        })
        .unwrap_err();
        assert_eq!(error.code(), codes::POLICY_SOCKET, "{error}");
    }

    #[test]
    fn joining_the_hosts_namespace_or_no_namespace_is_refused() {
        for (path, code) in [
            ("/proc/self/ns/net", codes::POLICY_HOST_NAMESPACE_JOINED),
            ("/proc/self/status", codes::POLICY_NOT_NAMESPACE),
            ("/nonexistent", codes::POLICY_OPEN),
        ] {
            let error = judged("join", |config, _| config["linux"]["namespaces"][1]["path"] = json!(path)).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert_eq!(error.field().unwrap().path(), "linux.namespaces (network).path");
        }
    }

    #[test]
    fn a_missing_source_is_named() {
        let error = judged("missing", |config, base| bind(config, &format!("{base}/none"))).unwrap_err();
        assert_eq!(error.code(), codes::POLICY_OPEN);
    }

    #[test]
    fn what_no_sandbox_may_have_is_refused_as_such_also_where_it_does_not_exist() {
        for (source, code) in [
            ("/var/run/docker.sock", codes::POLICY_ENGINE_SOCKET),
            ("/run/../run/crio/crio.sock", codes::POLICY_ENGINE_SOCKET),
            ("/var/lib/kubelet/none", codes::POLICY_SENSITIVE),
            ("/proc/1/none", codes::POLICY_SENSITIVE),
            ("/etc/none", codes::POLICY_SENSITIVE),
        ] {
            let error = judged("absent", |config, _| bind(config, source)).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
        }
    }

    /// In a mount namespace of this thread's own: nothing stays behind on the machine.
    #[test]
    #[ignore = "needs root: mounts"]
    fn a_bind_mount_of_a_sensitive_tree_elsewhere_is_refused_and_its_honest_neighbour_is_not() {
        use nix::mount::{MsFlags, mount};
        let none = None::<&str>;
        let work = move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS | nix::sched::CloneFlags::CLONE_FS).unwrap();
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
            for (source, code) in [
                ("/etc", Some(codes::POLICY_SENSITIVE)),
                ("/", Some(codes::POLICY_SENSITIVE)),
                ("/sys", Some(codes::POLICY_SENSITIVE)),
                ("/var/lib/dpkg", Some(codes::POLICY_SENSITIVE)),
                ("/usr/share", Some(codes::POLICY_SENSITIVE)),
                ("data", None),
            ] {
                for at in ["alias", "data/below"] {
                    let result = judged("alias", |config, base| {
                        let (source, at) = (Path::new(base).join(source), format!("{base}/{at}"));
                        std::fs::create_dir_all(&at).unwrap();
                        // The second one comes along with the directory that is bound.
                        let bound = if at.ends_with("below") { format!("{base}/data") } else { at.clone() };
                        mount(Some(&source), at.as_str(), none, MsFlags::MS_BIND, none).unwrap();
                        bind(config, &bound);
                    });
                    assert_eq!(result.as_ref().err().map(PolicyError::code), code, "{source} at {at}: {result:?}");
                }
            }
        };
        std::thread::spawn(work).join().unwrap();
    }
}
