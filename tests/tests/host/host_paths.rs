//! The node's rules on paths of the host, by what a container can do with them. The paths are canaries of the test in a place
//! that sandbox mode refuses (`/tmp/.*`).

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::outcome::Outcome;
use lazaret_tests::scratch::{self, Scratch};

/// A canary directory in a sensitive tree, a secret beside it, and a configuration.
struct Place {
    base: PathBuf,
    scratch: Scratch,
}

impl Place {
    fn new() -> Self {
        let base = PathBuf::from(format!("/tmp/.{}", scratch::tag()));
        for directory in ["open", "closed"] {
            std::fs::create_dir_all(base.join(directory)).unwrap();
        }
        std::fs::write(base.join("open/hello"), "honest\n").unwrap();
        std::fs::write(base.join("open/tool"), "#!/bin/sh\necho executed\n").unwrap();
        std::fs::set_permissions(base.join("open/tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(base.join("closed/secret"), "canary\n").unwrap();
        Self { base, scratch: Scratch::new() }
    }

    fn lazaret(&self, rules: &str, options: &[&str]) -> Lazaret {
        let file = self.scratch.join("config.toml");
        std::fs::write(&file, rules.replace("BASE", &self.base.display().to_string())).unwrap();
        Lazaret::with_options(&[&["--config", &file.display().to_string()], options].concat())
    }

    fn run(&self, rules: &str, options: &[&str], source: &Path) -> Outcome {
        self.lazaret(rules, options).run(&Bundle::shell(USE).bind(source, "/mnt"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.base).unwrap();
    }
}

/// What a container tries.
const USE: &str =
    "cat /mnt/hello /mnt/secret; echo x >/mnt/new && echo written; /mnt/tool; grep ' /mnt ' /proc/self/mountinfo";

#[test]
#[ignore = "needs root: mounts"]
fn a_rule_admits_what_is_refused_and_forces_its_mount() {
    let place = Place::new();
    let open = place.base.join("open");
    let refused = place.run("", &[], &open);
    assert_eq!(refused.status, 125);
    refused.explains(&["error[lazaret-1308]", "mounts[8].source", "[host_paths.", "hint:"]);
    for mode in ["sandbox", "strict"] {
        let outcome = place.run("[host_paths.\"BASE/open\"]\n", &["--mode", mode], &open);
        assert!(outcome.stdout.contains("honest"), "{mode}: {outcome:?}");
        for absent in ["written", "executed"] {
            assert!(!outcome.stdout.contains(absent), "{mode}: {outcome:?}");
        }
        for option in ["ro", "nosuid", "nodev", "noexec"] {
            let line = outcome.stdout.lines().find(|line| line.contains(" /mnt ")).unwrap();
            assert!(line.split([' ', ',']).any(|word| word == option), "{mode}: {option}: {line}");
        }
    }
    assert!(!open.join("new").exists());
    // The control: what is taken away above is there when the rule says so.
    let rules = "[host_paths.\"BASE/open\"]\naccess = \"rw\"\nexec = true\n";
    let outcome = place.run(rules, &[], &open);
    assert!(outcome.stdout.contains("written") && outcome.stdout.contains("executed"), "{outcome:?}");
    assert!(outcome.stdout.contains("nosuid,nodev"), "{outcome:?}");
    assert!(open.join("new").exists());
}

/// Options of the bundle take nothing back that a rule forces.
#[test]
#[ignore = "needs root: mounts"]
fn what_a_rule_forces_is_not_taken_back_by_the_bundle() {
    let place = Place::new();
    let lazaret = place.lazaret("[host_paths.\"BASE/open\"]\n", &[]);
    for options in [["rbind", "rw", "exec"], ["rbind", "rrw", "rexec"], ["bind", "dev", "suid"]] {
        let bundle = Bundle::shell(USE).mount(serde_json::json!({
            "destination": "/mnt", "source": place.base.join("open"), "type": "bind", "options": options
        }));
        let outcome = lazaret.run(&bundle);
        assert!(outcome.stdout.contains("honest"), "{options:?}: {outcome:?}");
        assert!(
            !outcome.stdout.contains("written") && !outcome.stdout.contains("executed"),
            "{options:?}: {outcome:?}"
        );
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn no_detour_leads_out_of_a_rule() {
    let place = Place::new();
    let open = place.base.join("open");
    symlink(place.base.join("closed"), open.join("link")).unwrap();
    symlink("/etc", open.join("etc")).unwrap();
    let rules = "[host_paths.\"BASE/open\"]\n[host_paths.\"BASE/closed\"]\naccess = \"none\"\n";
    let detours =
        [open.join("link"), open.join("../closed"), open.join("etc"), open.join("etc/ssh"), place.base.clone()];
    for source in detours {
        let lazaret = place.lazaret(rules, &[]);
        let bundle = Bundle::shell(USE).bind(&source, "/mnt");
        let refused = lazaret.create(&bundle);
        assert_eq!(refused.status, 125, "{source:?}");
        refused.explains(&["mounts[8].source = ", "hostPath /", "hint:"]);
        lazaret.nothing_left(bundle.id());
    }
    // The control: without the rules' own refusal the link is followed.
    let both = "[host_paths.\"BASE/open\"]\n[host_paths.\"BASE/closed\"]\n";
    assert!(place.run(both, &[], &open.join("link")).stdout.contains("canary"));
}

#[test]
#[ignore = "needs root: mounts"]
fn only_what_is_listed_may_be_bound_where_the_node_says_so() {
    let place = Place::new();
    let plain = Scratch::new();
    std::fs::write(plain.join("hello"), "plain\n").unwrap();
    assert!(place.run("", &[], plain.path()).stdout.contains("plain"));
    let refused = place.run("host_path_default = \"deny\"\n", &[], plain.path());
    assert_eq!(refused.status, 125);
    refused.explains(&[
        "error[lazaret-1325]: mounts[8].source = ",
        "is not among the paths that the node's configuration allows (host_paths)",
        &format!("list it in the node's configuration: [host_paths.{:?}]", plain.path()),
    ]);
    let rules = format!("host_path_default = \"deny\"\n[host_paths.{:?}]\n", plain.path());
    assert!(place.run(&rules, &[], plain.path()).stdout.contains("plain"));
}

/// What an allowed path leads to is swapped all the time: the container gets what was judged, or nothing.
#[test]
#[ignore = "needs root: mounts"]
fn a_path_that_is_swapped_gives_nothing_away() {
    let place = Place::new();
    let open = place.base.join("open");
    let (source, link) = (open.join("source"), open.join("link"));
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("hello"), "honest\n").unwrap();
    symlink(place.base.join("closed"), &link).unwrap();
    let rules = "[host_paths.\"BASE/open\"]\n[host_paths.\"BASE/closed\"]\naccess = \"none\"\n";
    let swapper = crate::swaps::Swapper::start(source.clone(), link);
    let (mut honest, mut refused) = (0, 0);
    let bundle = Bundle::shell("cat /mnt/secret /mnt/hello; echo x >/mnt/new && echo written").bind(&source, "/mnt");
    let lazaret = place.lazaret(rules, &[]);
    crate::swaps::race_by(&lazaret, &bundle, |outcome| {
        assert!(!outcome.stdout.contains("canary") && !outcome.stdout.contains("written"), "{outcome:?}");
        honest += u32::from(outcome.stdout.contains("honest"));
        refused += u32::from(outcome.status == 125);
    });
    drop(swapper);
    assert!(honest > 0 && refused > 0, "both sides of the race were met: {honest} honest, {refused} refused");
}
