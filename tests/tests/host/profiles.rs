//! Profiles by what a container gets: calls, capabilities, Landlock, the root, kernel parameters, mounts from inside; the same
//! for a process that is added later.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret};
use lazaret_tests::scratch::Scratch;
use serde_json::json;

/// A profile of the test's own.
struct Own {
    scratch: Scratch,
}

impl Own {
    fn new(text: &str) -> Self {
        let own = Self { scratch: Scratch::new() };
        std::fs::write(own.file(), text).unwrap();
        own
    }

    fn file(&self) -> String {
        self.scratch.join("own.toml").display().to_string()
    }

    fn lazaret(&self, options: &[&str]) -> Lazaret {
        Lazaret::with_options(&[&["--profile", &self.file()], options].concat())
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_call_that_a_profile_refuses_is_refused_also_for_added_processes() {
    // mkdirat(2) is what mkdir uses on no machine, mkdir(2) on all of x86-64.
    let own = Own::new("extends = \"sandbox\"\n[calls]\nrefuse = [\"mkdir\", \"mkdirat\"]\n");
    let attempt = "mkdir /tmp/x && echo made";
    assert!(Lazaret::new().run(&Bundle::shell(attempt).writable()).stdout.contains("made"));
    for interceptor in INTERCEPTORS {
        let lazaret = own.lazaret(&["--interceptor", interceptor]);
        let outcome = lazaret.run(&Bundle::shell(attempt).writable());
        assert!(!outcome.stdout.contains("made") && outcome.stderr.contains("not permitted"), "{outcome:?}");
        let sleeper = Bundle::shell("sleep 1000").writable();
        let running = lazaret.launch(&sleeper);
        let added = lazaret.verb(&["exec", running.id(), "sh", "-c", attempt]);
        assert!(!added.stdout.contains("made") && added.stderr.contains("not permitted"), "{added:?}");
        lazaret.verb(&["kill", running.id(), "KILL"]).succeeds();
        running.wait();
        running.delete();
    }
}

#[test]
#[ignore = "needs root: namespaces, Landlock"]
fn capabilities_root_parameters_and_mounts_are_the_profiles() {
    let own = Own::new(
        "extends = \"sandbox\"\n[capabilities]\nceiling = [\"CAP_CHOWN\"]\n[mounts]\nread_only_root = true\nnested = \"refuse\"\n\
         [sysctls]\nallow = [\"net.ipv4.tcp_*\"]\n",
    );
    let lazaret = own.lazaret(&[]);
    let seen = "grep CapBnd /proc/self/status; echo x >/made && echo written";
    let plain = Lazaret::new().run(&Bundle::shell(seen).lax_but_admissible());
    assert!(plain.stdout.contains("written") && !plain.stdout.contains("0000000000000001"), "{plain:?}");
    let outcome = lazaret.run(&Bundle::shell(seen).lax_but_admissible());
    assert!(outcome.stdout.contains("0000000000000001") && !outcome.stdout.contains("written"), "{outcome:?}");
    let with = |name: &str| Bundle::shell("true").edit(|config| config["linux"]["sysctl"] = json!({name: "1"}));
    lazaret.run(&with("net.ipv4.tcp_syncookies")).succeeds();
    let bundle = with("net.ipv4.ip_forward");
    let refused = lazaret.create(&bundle);
    refused.explains(&["error[lazaret-1326]", "net.ipv4.ip_forward", "does not list this kernel parameter", "hint:"]);
    lazaret.nothing_left(bundle.id());
    own.lazaret(&["--nested"]).create(&Bundle::new()).explains(&["error[lazaret-1763]", "mounts.nested"]);
}

#[test]
#[ignore = "needs root: namespaces, Landlock"]
fn landlock_has_a_rule_for_every_path_where_the_profile_says_so() {
    let own = Own::new("extends = \"sandbox\"\n[landlock]\nrules = \"paths\"\n");
    let attempt = || Bundle::shell("echo x >/made && echo made").writable();
    assert!(Lazaret::new().run(&attempt()).stdout.contains("made"));
    assert!(!own.lazaret(&[]).run(&attempt()).stdout.contains("made"));
}

/// What a profile gives back is warned of and stands in the state; it is there, and nothing else is.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn what_a_profile_loosens_is_said() {
    let own = Own::new("extends = \"strict\"\n[calls]\nallow = [\"chroot\"]\n");
    let attempt = "chroot / /bin/true && echo chrooted";
    let strict = Lazaret::with_options(&["--profile", "strict"]);
    assert!(!strict.run(&Bundle::shell(attempt).lax_but_admissible()).stdout.contains("chrooted"));
    let lazaret = own.lazaret(&[]);
    let outcome = lazaret.run(&Bundle::shell(attempt).lax_but_admissible());
    assert!(outcome.stdout.contains("chrooted"), "{outcome:?}");
    outcome.explains(&["is looser than the one it extends: calls.allow: [\"chroot\"] instead of []"]);
    let bundle = Bundle::new();
    lazaret.create(&bundle).succeeds();
    let state = lazaret.verb(&["state", bundle.id()]).stdout;
    assert!(state.contains("dev.lazaret.loosened") && state.contains("calls.allow"), "{state}");
    lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
}

#[test]
#[ignore = "needs root: namespaces"]
fn the_shipped_levels_hold_their_pods_to_them() {
    let hardened = Lazaret::with_options(&["--profile", "hardened"]);
    hardened.create(&Bundle::new()).explains(&["PodSecurity \"hardened:latest\""]);
    Lazaret::with_options(&["--profile", "privileged"]).run(&Bundle::new()).succeeds();
    let by_annotation =
        Bundle::new().edit(|config| config["annotations"] = json!({"lazaret.dev/profile": "restricted"}));
    Lazaret::new().create(&by_annotation).explains(&["PodSecurity \"restricted:latest\""]);
    let looser = Bundle::new().edit(|config| config["annotations"] = json!({"lazaret.dev/profile": "sandbox"}));
    let refused = Lazaret::with_options(&["--profile", "strict"]).create(&looser);
    refused.explains(&[
        "error[lazaret-1762]",
        "annotations[\"lazaret.dev/profile\"] = \"sandbox\"",
        "mode: sandbox instead of strict",
    ]);
}

#[test]
#[ignore = "needs root: the harness"]
fn the_verbs_explain_a_profile() {
    let own = Own::new("extends = \"hardened\"\n[mounts]\nread_only_root = false\n");
    let lazaret = Lazaret::new();
    let verb = |words: &[&str]| lazaret.verb(&[&["profile"], words].concat());
    let checked = verb(&["check", &own.file()]);
    assert!(
        checked.stdout.contains(": ok\n") && checked.stdout.contains("mounts.read_only_root: false instead of true"),
        "{checked:?}"
    );
    assert!(verb(&["show"]).stdout.contains("restricted"));
    assert!(verb(&["show", "hardened"]).stdout.contains("capabilities.ceiling = []"));
    let diff = verb(&["diff", "hardened", "sandbox"]).stdout;
    assert!(diff.contains("pod_security") && diff.contains("looser"), "{diff}");
    assert_eq!(verb(&["check", "nonsense"]).status, 125);
    assert!(lazaret.verb(&["schema", "profile"]).stdout.contains("\"landlock\""));
}
