//! What `create` refuses in sandbox mode: sockets of engines, directories of the host, host namespaces, capabilities of
//! the machine. The error names the field of `config.json`, the value, the rule, and what would allow it. Positive
//! controls reach a canary under runc; honest neighbours are binds of a directory that is nobody's.

use std::path::Path;

use lazaret_tests::bundle::{Bundle, MACHINE_CAPABILITIES};
use lazaret_tests::canary::{Bystander, CanaryFile, Server};
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::scratch::Scratch;
use lazaret_tests::{runc, verdict};
use serde_json::json;

/// `create` refuses the bundle and says all of `words`, why, and what would allow it; nothing is left.
#[track_caller]
fn refused(bundle: &Bundle, words: &[&str]) {
    let lazaret = Lazaret::new();
    let outcome = lazaret.create(bundle);
    assert_ne!(outcome.status, 0, "the bundle was admitted; it should say {words:?}");
    outcome.explains(&["error[lazaret-"]).explains(words).explains(&["hint:"]);
    assert!(outcome.stderr.contains("sandbox"), "it names the rule's mode: {}", outcome.stderr);
    lazaret.nothing_left(bundle.id());
    assert!(lazaret.states().is_empty());
}

/// A bind of `source` is refused, naming the field and the value.
#[track_caller]
fn bind_refused(source: &Path) {
    refused(&Bundle::new().bind(source, "/mnt"), &["mounts[8].source", &source.display().to_string()]);
}

macro_rules! refused_binds {
    ($($name:ident: $source:literal;)*) => {
        $(
            #[test]
            #[ignore = "needs root: mounts"]
            fn $name() {
                bind_refused(Path::new($source));
            }
        )*
    };
}

refused_binds! {
    bind_of_the_root_is_refused: "/";
    bind_of_proc_is_refused: "/proc";
    bind_of_proc_sys_is_refused: "/proc/sys";
    bind_of_proc_1_is_refused: "/proc/1";
    bind_of_sys_is_refused: "/sys";
    bind_of_the_cgroups_is_refused: "/sys/fs/cgroup";
    bind_of_debugfs_is_refused: "/sys/kernel/debug";
    bind_of_dev_is_refused: "/dev";
    bind_of_dev_shm_is_refused: "/dev/shm";
    bind_of_dev_kmsg_is_refused: "/dev/kmsg";
    bind_of_etc_is_refused: "/etc";
    bind_of_etc_shadow_is_refused: "/etc/shadow";
    bind_of_etc_cron_is_refused: "/etc/cron.d";
    bind_of_roots_home_is_refused: "/root";
    bind_of_boot_is_refused: "/boot";
    bind_of_run_is_refused: "/run";
    bind_of_var_run_is_refused: "/var/run";
    bind_of_var_is_refused: "/var";
    bind_of_var_lib_is_refused: "/var/lib";
    bind_of_usr_is_refused: "/usr";
    bind_by_a_detour_is_refused: "/tmp/../etc";
    bind_with_extra_slashes_is_refused: "//proc//sys/";
}

/// Places that need not exist on the machine of the test: by path alone they are refused as well.
#[test]
#[ignore = "needs root: mounts"]
fn binds_of_places_of_other_engines_are_refused() {
    for source in [
        "/var/lib/kubelet",
        "/var/lib/kubelet/pods",
        "/var/lib/containerd",
        "/var/lib/docker",
        "/var/lib/containers",
        "/var/lib/crio",
        "/var/lib/etcd",
        "/etc/kubernetes",
        "/run/containerd",
        "/run/crio",
        "/run/podman",
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run/crio/crio.sock",
        "/run/podman/podman.sock",
        "/root/.ssh",
    ] {
        let bundle =
            Bundle::new().mount(json!({"type": "bind", "source": source, "destination": "/mnt", "options": ["bind"]}));
        refused(&bundle, &["mounts[8].source", source]);
    }
}

/// A fake engine on a socket of `name`, the way to bind it, and the attack on it.
struct Engine {
    directory: Scratch,
    server: Server,
    name: &'static str,
}

impl Engine {
    fn new(name: &'static str) -> Self {
        let directory = Scratch::new();
        let server = Server::on_path(&directory.join(name));
        Self { directory, server, name }
    }

    fn bundle(&self, source: &Path, inside: &str) -> Bundle {
        Bundle::attacker(&["connect-path", inside, &self.server.token]).lax().bind(source, "/mnt/x")
    }

    /// Reached under runc, refused by lazaret.
    #[track_caller]
    fn prove(&self, source: &Path, inside: &str) {
        let control = verdict::of(&runc::run(&self.bundle(source, inside)));
        assert!(control.ok, "the positive control failed: {control:?}");
        let bundle = Bundle::attacker(&["connect-path", inside, &self.server.token]).bind(source, "/mnt/x").writable();
        refused(&bundle, &["mounts[8].source", &source.display().to_string(), self.name]);
    }
}

#[test]
#[ignore = "needs root: mounts, runc"]
fn the_socket_of_docker_is_refused() {
    let engine = Engine::new("docker.sock");
    engine.prove(&engine.directory.join("docker.sock"), "/mnt/x");
}

#[test]
#[ignore = "needs root: mounts, runc"]
fn the_sockets_of_other_engines_are_refused() {
    for name in ["containerd.sock", "crio.sock", "podman.sock"] {
        let engine = Engine::new(name);
        engine.prove(&engine.directory.join(name), "/mnt/x");
    }
}

#[test]
#[ignore = "needs root: mounts, runc"]
fn the_directory_of_an_engines_socket_is_refused() {
    let engine = Engine::new("docker.sock");
    engine.prove(engine.directory.path(), "/mnt/x/docker.sock");
}

#[test]
#[ignore = "needs root: mounts, runc"]
fn a_symbolic_link_to_an_engines_socket_is_refused() {
    let engine = Engine::new("docker.sock");
    let elsewhere = Scratch::new();
    let link = elsewhere.join("innocent");
    std::os::unix::fs::symlink(engine.directory.join("docker.sock"), &link).unwrap();
    engine.prove(&link, "/mnt/x");
}

#[test]
#[ignore = "needs root: mounts, runc"]
fn a_symbolic_link_to_the_directory_of_an_engines_socket_is_refused() {
    let engine = Engine::new("containerd.sock");
    let elsewhere = Scratch::new();
    let link = elsewhere.join("innocent");
    std::os::unix::fs::symlink(engine.directory.path(), &link).unwrap();
    engine.prove(&link, "/mnt/x/containerd.sock");
}

/// The same socket under another name: a bind mount of it on an innocent file.
#[test]
#[ignore = "needs root: mounts, runc"]
fn another_name_of_an_engines_socket_is_refused() {
    let engine = Engine::new("docker.sock");
    let elsewhere = Scratch::new();
    let alias = elsewhere.join("innocent");
    std::fs::write(&alias, "").unwrap();
    let _bound = Bound::new(&engine.directory.join("docker.sock"), &alias);
    let control = verdict::of(&runc::run(&engine.bundle(&alias, "/mnt/x")));
    assert!(control.ok, "the positive control failed: {control:?}");
    let bundle = Bundle::attacker(&["connect-path", "/mnt/x", &engine.server.token]).bind(&alias, "/mnt/x").writable();
    refused(&bundle, &["mounts[8].source", "innocent"]);
}

/// The same socket under another name: a hard link, so that no path says what it is.
#[test]
#[ignore = "needs root: mounts, runc"]
fn a_socket_under_any_name_is_no_way_to_the_host() {
    let engine = Engine::new("docker.sock");
    let link = engine.directory.join("innocent");
    std::fs::hard_link(engine.directory.join("docker.sock"), &link).unwrap();
    let control = verdict::of(&runc::run(&engine.bundle(&link, "/mnt/x")));
    assert!(control.ok, "the positive control failed: {control:?}");
    let bundle = Bundle::attacker(&["connect-path", "/mnt/x", &engine.server.token]).bind(&link, "/mnt/x").writable();
    refused(&bundle, &["mounts[8].source", "innocent"]);
}

/// A bind mount that is taken away at the end.
struct Bound(std::path::PathBuf);

impl Bound {
    fn new(source: &Path, target: &Path) -> Self {
        rustix::mount::mount_bind(source, target).unwrap();
        Self(target.to_owned())
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
}

/// A symbolic link and a bind alias of forbidden directories: what counts is where a path leads.
#[test]
#[ignore = "needs root: mounts"]
fn other_names_of_forbidden_directories_are_refused() {
    let scratch = Scratch::new();
    let link = scratch.join("link");
    std::os::unix::fs::symlink("/etc", &link).unwrap();
    bind_refused(&link);
    let far = scratch.join("far");
    std::os::unix::fs::symlink("link", &far).unwrap();
    bind_refused(&far);
    let alias = scratch.join("alias");
    std::fs::create_dir(&alias).unwrap();
    let _bound = Bound::new(Path::new("/etc"), &alias);
    bind_refused(&alias);
}

/// A parent of something forbidden hands it over as well.
#[test]
#[ignore = "needs root: mounts"]
fn a_tree_with_a_forbidden_mount_in_it_is_refused() {
    let scratch = Scratch::new();
    let below = scratch.join("deep/below");
    std::fs::create_dir_all(&below).unwrap();
    let _bound = Bound::new(Path::new("/etc"), &below);
    bind_refused(scratch.path());
}

/// Row C02: what the bind would have given away.
#[test]
#[ignore = "needs root: mounts, runc"]
fn the_hosts_root_by_bind_reads_any_file() {
    let canary = CanaryFile::new();
    let attack = ["read-token", &format!("/mnt{}", canary.name()), &canary.token];
    let bundle = || Bundle::attacker(&attack).bind(Path::new("/"), "/mnt");
    assert!(verdict::of(&runc::run(&bundle().lax())).ok, "the positive control failed");
    refused(&bundle(), &["mounts[8].source", "\"/\""]);
}

/// Row C04, opened and never written.
#[test]
#[ignore = "needs root: mounts, runc"]
fn the_hosts_proc_by_bind_opens_core_pattern() {
    let bundle = || Bundle::attacker(&["open-write", "/mnt/sys/kernel/core_pattern"]).bind(Path::new("/proc"), "/mnt");
    assert!(verdict::of(&runc::run(&bundle().lax())).ok, "the positive control failed");
    refused(&bundle(), &["mounts[8].source", "/proc"]);
}

/// Row C05, opened and never written.
#[test]
#[ignore = "needs root: mounts, cgroup v1, runc"]
fn the_hosts_cgroups_by_bind_open_release_agent() {
    let path = ["memory", "pids", "cpu"].map(|name| format!("/sys/fs/cgroup/{name}/release_agent"));
    let path = path.iter().find(|path| Path::new(path).exists()).expect("a cgroup v1 hierarchy is mounted");
    let inside = path.replace("/sys/fs/cgroup", "/mnt");
    let bundle = || Bundle::attacker(&["open-write", &inside]).bind(Path::new("/sys/fs/cgroup"), "/mnt");
    assert!(verdict::of(&runc::run(&bundle().lax())).ok, "the positive control failed");
    refused(&bundle(), &["mounts[8].source", "/sys/fs/cgroup"]);
}

#[test]
#[ignore = "needs root: mounts, id-mapped mounts"]
fn a_directory_of_ones_own_is_admitted() {
    let data = Scratch::new();
    std::fs::write(data.join("hello"), "honest\n").unwrap();
    let outcome = Lazaret::new().run(&Bundle::shell("cat /mnt/hello").bind(data.path(), "/mnt")).expect(0);
    assert_eq!(outcome.stdout, "honest\n");
}

#[test]
#[ignore = "needs root: mounts, id-mapped mounts"]
fn a_file_of_ones_own_is_admitted() {
    let canary = CanaryFile::new();
    let outcome = Lazaret::new().run(&Bundle::shell("cat /etc/hostname").bind(&canary.path, "/etc/hostname")).expect(0);
    assert_eq!(outcome.stdout, canary.token);
}

/// Containerd and kubelet bind files that they made for the pod from below their state directories.
#[test]
#[ignore = "needs root: namespaces"]
fn each_host_namespace_is_refused() {
    for kind in ["pid", "network", "ipc", "uts", "mount"] {
        let bundle = Bundle::new().edit(|config| drop(config.as_object_mut().unwrap().remove("hostname")));
        refused(&bundle.without_namespace(kind), &["linux.namespaces", kind]);
    }
}

/// A path to a host namespace is the host namespace.
#[test]
#[ignore = "needs root: namespaces"]
fn each_host_namespace_by_path_is_refused() {
    for (kind, file) in [
        ("pid", "pid"),
        ("network", "net"),
        ("ipc", "ipc"),
        ("uts", "uts"),
        ("mount", "mnt"),
        ("user", "user"),
        ("cgroup", "cgroup"),
    ] {
        let path = format!("/proc/{}/ns/{file}", std::process::id());
        let bundle = Bundle::new().without_namespace(kind).edit(|config| {
            config.as_object_mut().unwrap().remove("hostname");
            config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": kind, "path": path}))
        });
        refused(&bundle, &["linux.namespaces", kind, &path]);
    }
}

/// Row C09: what hostPID gives away.
#[test]
#[ignore = "needs root: namespaces, runc"]
fn the_hosts_processes_show_their_environment() {
    let directory = Scratch::new();
    let bystander = Bystander::new(&directory);
    let bundle = || Bundle::attacker(&["proc-environ", &bystander.token]);
    let control = verdict::of(&runc::run(&bundle().lax().without_namespace("pid")));
    assert!(control.ok, "the positive control failed: {control:?}");
    refused(&bundle().without_namespace("pid"), &["linux.namespaces", "pid"]);
    let verdict = verdict::of(&Lazaret::new().run(&bundle().lax_but_admissible()));
    assert!(!verdict.ok, "{verdict:?}");
}

/// Row C10: what hostNetwork gives away.
#[test]
#[ignore = "needs root: namespaces, runc"]
fn the_hosts_network_reaches_its_servers() {
    let (server, address) = Server::on_loopback();
    let bundle = || Bundle::attacker(&["connect-tcp", &address, &server.token]);
    let control = verdict::of(&runc::run(&bundle().lax().without_namespace("network")));
    assert!(control.ok, "the positive control failed: {control:?}");
    refused(&bundle().without_namespace("network"), &["linux.namespaces", "network"]);
    let verdict = verdict::of(&Lazaret::new().run(&bundle()));
    assert!(!verdict.ok, "{verdict:?}");
    assert!(verdict::of(&Lazaret::new().run(&Bundle::attacker(&["honest-tcp"]))).ok);
}

/// Row C12: a capability that means the machine is refused by name, or left out with a warning that names it.
#[test]
#[ignore = "needs root: namespaces"]
fn capabilities_of_the_machine_are_not_granted() {
    for capability in MACHINE_CAPABILITIES {
        let bundle = Bundle::shell("grep -E 'Cap(Eff|Prm|Bnd)' /proc/self/status").edit(|config| {
            for set in ["bounding", "effective", "permitted"] {
                config["process"]["capabilities"][set] = json!(["CAP_CHOWN", capability]);
            }
        });
        let outcome = Lazaret::new().run(&bundle);
        outcome.explains(&[capability]);
        let sets = outcome.stdout.lines().filter_map(|line| line.split_whitespace().nth(1));
        assert!(sets.clone().all(|set| set == "0000000000000001"), "{capability} was granted: {outcome:?}");
        assert!(outcome.status == 125 || sets.count() == 3, "neither refused nor run: {outcome:?}");
    }
}

/// Row C08: devices beyond the six that everybody has.
#[test]
#[ignore = "needs root: devices"]
fn devices_of_the_host_are_refused_by_name() {
    for (path, kind, major, minor) in [
        ("/dev/mem", "c", 1, 1),
        ("/dev/kmsg", "c", 1, 11),
        ("/dev/vda", "b", 254, 0),
        ("/dev/kvm", "c", 10, 232),
        ("/dev/fuse", "c", 10, 229),
        ("/dev/net/tun", "c", 10, 200),
    ] {
        let device =
            json!({"path": path, "type": kind, "major": major, "minor": minor, "fileMode": 0o666, "uid": 0, "gid": 0});
        let bundle = Bundle::new().edit(|config| config["linux"]["devices"] = json!([device]));
        refused(&bundle, &["linux.devices[0]", path]);
    }
}

#[test]
#[ignore = "needs root: devices"]
fn the_standard_devices_may_be_listed() {
    let device =
        json!({"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666, "uid": 0, "gid": 0});
    let bundle =
        Bundle::shell("echo x > /dev/null && echo fine").edit(|config| config["linux"]["devices"] = json!([device]));
    assert_eq!(Lazaret::new().run(&bundle).expect(0).stdout, "fine\n");
}

/// A sysctl outside of the container's own namespaces is the host's.
#[test]
#[ignore = "needs root: namespaces"]
fn sysctls_of_the_host_are_refused() {
    let bundle = Bundle::new().edit(|config| config["linux"]["sysctl"] = json!({"kernel.core_pattern": "|/x"}));
    refused_or_unsupported(&bundle, &["linux.sysctl", "kernel.core_pattern"]);
}

/// As `refused`, for what is wrong in every mode.
#[track_caller]
fn refused_or_unsupported(bundle: &Bundle, words: &[&str]) {
    let lazaret = Lazaret::new();
    let outcome = lazaret.create(bundle);
    assert_ne!(outcome.status, 0);
    outcome.explains(&["error[lazaret-"]).explains(words);
    lazaret.nothing_left(bundle.id());
}

#[test]
#[ignore = "needs root: namespaces"]
fn sysctls_of_its_own_namespaces_are_set() {
    let bundle = Bundle::shell("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced")
        .edit(|config| config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1"}));
    assert_eq!(Lazaret::new().run(&bundle).expect(0).stdout, "1\n1\n");
}

/// Hooks run on the host as root: a bundle of sandbox mode has none.
#[test]
#[ignore = "needs root: namespaces"]
fn hooks_that_would_run_on_the_host_are_refused_or_run_by_their_name() {
    let marker = Scratch::new();
    let touched = marker.join("touched").display().to_string();
    let bundle = Bundle::new()
        .edit(|config| config["hooks"] = json!({"prestart": [{"path": "/usr/bin/touch", "args": ["touch", touched]}]}));
    let lazaret = Lazaret::new();
    let outcome = lazaret.create(&bundle);
    assert_ne!(outcome.status, 0, "hooks are not ignored in silence");
    outcome.explains(&["error[lazaret-", "hooks"]);
    assert!(!Path::new(&touched).exists());
    lazaret.nothing_left(bundle.id());
}
