//! The node's configuration, by what containers get from it: its values hold, the command line stands over it as far as it
//! allows, and a file that cannot be used is an error that leaves nothing and keeps nobody from looking after a container.

use std::os::unix::fs::PermissionsExt as _;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::outcome::Outcome;
use lazaret_tests::scratch::Scratch;
use serde_json::json;

/// A configuration of the test's own.
struct Node {
    scratch: Scratch,
}

impl Node {
    fn new(text: &str) -> Self {
        let node = Self { scratch: Scratch::new() };
        node.write(text);
        node
    }

    fn write(&self, text: &str) {
        std::fs::write(self.file(), text).unwrap();
    }

    fn file(&self) -> String {
        self.scratch.join("config.toml").display().to_string()
    }

    fn lazaret(&self, options: &[&str]) -> Lazaret {
        Lazaret::with_options(&[&["--config", &self.file()], options].concat())
    }

    fn run(&self, options: &[&str], bundle: &Bundle) -> Outcome {
        self.lazaret(options).run(bundle)
    }
}

/// As an engine makes it.
fn privileged(line: &str) -> Bundle {
    Bundle::shell(line).lax().edit(|config| {
        config["linux"]["devices"] = json!([
            {"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11},
            {"path": "/dev/loop0", "type": "b", "major": 7, "minor": 0},
            {"path": "/dev/null", "type": "c", "major": 1, "minor": 3}
        ]);
    })
}

#[test]
#[ignore = "needs root: namespaces"]
fn the_mode_is_that_of_the_last_file_and_the_command_line_stands_over_it() {
    let node = Node::new("mode = \"native\"\n");
    // In native mode there is no user namespace: container root is root.
    let own_ids = |options: &[&str]| {
        let outcome = node.run(options, &Bundle::shell("cat /proc/self/uid_map"));
        outcome.succeeds();
        !outcome.stdout.contains("4294967295")
    };
    assert!(!own_ids(&[]) && own_ids(&["--mode", "sandbox"]));
    let drop_ins = node.scratch.join("conf.d");
    std::fs::create_dir(&drop_ins).unwrap();
    std::fs::write(drop_ins.join("10-mode.toml"), "mode = \"sandbox\"\n").unwrap();
    assert!(own_ids(&[]) && !own_ids(&["--mode", "native"]));
    std::fs::write(drop_ins.join("20-line.toml"), "command_line = \"tighten\"\n").unwrap();
    let refused = node.lazaret(&["--mode", "native"]).create(&Bundle::new());
    refused.explains(&["error[lazaret-1758]", "--mode native", "10-mode.toml:1", "hint:"]);
    assert!(own_ids(&["--mode", "strict"]));
}

#[test]
#[ignore = "needs root: cgroups"]
fn the_limit_of_processes_is_the_nodes_where_the_bundle_has_none() {
    let node = Node::new("limits.pids = 9\n");
    let storm = Bundle::shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; wait");
    let outcome = node.run(&[], &storm);
    assert!(outcome.stderr.contains("fork"), "{outcome:?}");
    let few = Bundle::shell("for i in 1 2 3 4; do true & done; wait");
    node.run(&[], &few).succeeds();
    let own = Bundle::shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 0 & done; wait")
        .edit(|config| config["linux"]["resources"]["pids"] = json!({"limit": 64}));
    node.run(&[], &own).succeeds();
}

#[test]
#[ignore = "needs root: mounts"]
fn mounting_inside_is_allowed_by_the_node_and_taken_back_by_the_command_line() {
    let node = Node::new("nested = true\n");
    let bundle = || Bundle::shell("mount -t tmpfs none /mnt && echo mounted").lax_but_admissible();
    assert!(node.run(&[], &bundle()).stdout.contains("mounted"));
    assert!(!node.run(&["--nested=false"], &bundle()).stdout.contains("mounted"));
}

#[test]
#[ignore = "needs root: namespaces"]
fn a_privileged_container_is_contained_or_refused() {
    let node = Node::new("privileged = \"contain\"\n");
    // The control: in native mode it has what it asks for.
    let seen = "ls /dev /host; grep CapEff /proc/self/status";
    let shown = node.run(&["--mode", "native"], &privileged(seen).bind("/etc".as_ref(), "/host"));
    shown.succeeds();
    assert!(shown.stdout.contains("kmsg") && shown.stdout.contains("passwd"), "{}", shown.stdout);
    let shown =
        node.run(&[], &privileged("ls /dev; ls /host; grep CapEff /proc/self/status").bind("/etc".as_ref(), "/host"));
    for absent in ["kmsg", "loop0", "passwd", "ffffffff"] {
        assert!(!shown.stdout.contains(absent), "{absent}: {}", shown.stdout);
    }
    shown.explains(&[
        "2 of the host left out",
        "/dev/kmsg",
        "left out: mounts[8].source = \"/etc\"",
        "it runs contained",
    ]);
    node.write("privileged = \"refuse\"\n");
    let lazaret = node.lazaret(&[]);
    let bundle = privileged("true");
    let refused = lazaret.create(&bundle);
    assert_ne!(refused.status, 0);
    refused.explains(&[
        "error[lazaret-1323]: process.capabilities = ",
        "a privileged container is refused on this node",
        "hint: list the capabilities that it needs",
        "privileged = \"contain\"",
    ]);
    lazaret.nothing_left(bundle.id());
    node.run(&[], &Bundle::shell("true")).succeeds();
}

#[test]
#[ignore = "needs root: namespaces"]
fn a_file_that_cannot_be_used_makes_nothing_and_stands_in_nobodys_way() {
    let node = Node::new("");
    let lazaret = node.lazaret(&[]);
    let sleeper = Bundle::shell("sleep 1000");
    let running = lazaret.launch(&sleeper);
    node.write("mode = \"sandbox\"\nneested = true\n");
    let bundle = Bundle::new();
    let refused = lazaret.create(&bundle);
    assert_ne!(refused.status, 0);
    refused.explains(&[
        "error[lazaret-1755]",
        &format!("{}:2:1: unknown key \"neested\"; did you mean \"nested\"?", node.file()),
        "known here: mode, profile, interceptor",
        "2 | neested = true",
    ]);
    lazaret.nothing_left(bundle.id());
    lazaret.verb(&["exec", running.id(), "true"]).succeeds();
    lazaret.verb(&["kill", running.id(), "KILL"]).succeeds();
    running.wait();
    running.delete();
}

/// Whoever may write the file, or its directory, may turn every wall off.
#[test]
#[ignore = "needs root: chmod"]
fn a_file_that_others_may_write_is_not_used() {
    let node = Node::new("mode = \"native\"\n");
    let chmod = |path: &str, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    node.run(&[], &Bundle::shell("true")).succeeds();
    chmod(&node.file(), 0o666);
    let bundle = Bundle::new();
    let lazaret = node.lazaret(&[]);
    lazaret.create(&bundle).explains(&["error[lazaret-1752]", "may be written by others (mode 0666)", "chmod go-w"]);
    lazaret.nothing_left(bundle.id());
    chmod(&node.file(), 0o644);
    std::os::unix::fs::chown(node.file(), Some(4321), None).unwrap();
    lazaret.create(&bundle).explains(&["error[lazaret-1752]", "belongs to the user 4321", "hint: chown root"]);
}

#[test]
#[ignore = "needs root: the harness"]
fn the_verbs_check_and_show_say_what_holds_and_why_not() {
    let node = Node::new("mode = \"strict\"\n");
    let lazaret = node.lazaret(&[]);
    let shown = lazaret.verb(&["config", "show", "--origin"]);
    shown.succeeds();
    assert!(shown.stdout.contains(&format!("{}:1\tmode = \"strict\"\n", node.file())), "{}", shown.stdout);
    assert!(shown.stdout.contains("default\tlimits.pids = 4096\n"), "{}", shown.stdout);
    assert_eq!(lazaret.verb(&["config", "check"]).stdout, format!("{}: ok\n", node.file()));
    node.write("mode = \"stric\"\n");
    let checked = lazaret.verb(&["config", "check"]);
    assert_eq!(checked.status, 125);
    checked.explains(&["did you mean \"strict\"?", "1 | mode = \"stric\""]);
    let schema = lazaret.verb(&["schema", "config"]);
    let schema: serde_json::Value = serde_json::from_str(&schema.stdout).unwrap();
    assert_eq!(schema["properties"]["privileged"]["default"], "contain");
}

#[test]
#[ignore = "needs root: namespaces"]
fn a_pod_is_held_to_the_level_of_its_namespace() {
    let node = Node::new(
        "[pod_security]\nenforce = \"restricted\"\n[pod_security.namespaces.kube-system]\nenforce = \"privileged\"\n",
    );
    let of = |namespace: &str| {
        Bundle::shell("true").edit(|config| {
            config["annotations"] = json!({"io.kubernetes.cri.sandbox-namespace": namespace});
        })
    };
    let lazaret = node.lazaret(&[]);
    let bundle = of("default");
    let refused = lazaret.create(&bundle);
    assert_ne!(refused.status, 0);
    refused.explains(&["PodSecurity \"restricted:latest\""]);
    lazaret.nothing_left(bundle.id());
    lazaret.run(&of("kube-system")).succeeds();
    let raised = of("kube-system").edit(|config| config["annotations"]["lazaret.dev/level"] = json!("restricted"));
    lazaret.create(&raised).explains(&["PodSecurity \"restricted:latest\""]);
}
