//! Mounts from inside (`--nested`): what they are good for, and every way in which they could be turned against the walls.

use std::path::Path;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret};
use lazaret_tests::scratch::Scratch;
use lazaret_tests::verdict::{self, Verdict};
use lazaret_tests::{leftover, programs, runc};
use libc::{ENOENT, ENOSPC, ENOSYS, EPERM};
use serde_json::{Value, json};

/// A file of procfs that every bundle here masks; unmasked it says something.
const MASKED: &str = "/proc/uptime";

fn nested(interceptor: &str) -> Lazaret {
    Lazaret::with_options(&["--nested", "--interceptor", interceptor])
}

fn masked(bundle: Bundle) -> Bundle {
    bundle.edit(|config| config["linux"]["maskedPaths"] = json!([MASKED]))
}

/// Every right that there is, and one mask.
fn bundle(arguments: &[&str]) -> Bundle {
    masked(Bundle::attacker(arguments).lax_but_admissible())
}

/// The attack reaches its goal under runc, and fails in a nested sandbox in one of these ways, with a record of the
/// call that was refused if it was one (`witnessed`).
#[track_caller]
fn fails(arguments: &[&str], errnos: &[i32], change: impl Fn(Bundle) -> Bundle) -> Vec<Verdict> {
    let control = change(masked(Bundle::attacker(arguments).lax().without_namespace("cgroup")));
    let control = verdict::of(&runc::run(&control));
    assert!(control.ok, "the positive control failed, so the test proves nothing: {control:?}");
    let attack = |interceptor: &&str| {
        let verdict = verdict::of(&nested(interceptor).run(&change(bundle(arguments))));
        assert!(!verdict.ok, "the attack succeeded with {interceptor}: {verdict:?}");
        assert!(errnos.contains(&verdict.errno), "it failed with {interceptor}, but in another way: {verdict:?}");
        verdict
    };
    INTERCEPTORS.iter().map(attack).collect()
}

fn as_it_is(bundle: Bundle) -> Bundle {
    bundle
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn honest_mounts_work() {
    for interceptor in INTERCEPTORS {
        let verdict = verdict::of(&nested(interceptor).run(&bundle(&["mounts-as-told"])));
        assert!(verdict.ok, "{interceptor}: {verdict:?}");
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn without_the_option_nothing_is_mounted() {
    for interceptor in INTERCEPTORS {
        let verdict = verdict::of(&Lazaret::by(interceptor).run(&bundle(&["mounts-as-told"])));
        assert!(!verdict.ok && verdict.errno == EPERM, "{interceptor}: {verdict:?}");
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp, runc"]
fn masked_files_stay_covered_whatever_is_bound_unmounted_moved_or_made_anew() {
    fails(&["uncover", "unmount", MASKED], &[EPERM], as_it_is);
    fails(&["uncover", "unmount-clone", MASKED], &[EPERM], as_it_is);
    fails(&["uncover", "move", MASKED], &[EPERM], as_it_is);
    // The bind itself is done, with what covers the file.
    fails(&["uncover", "bind", MASKED], &[0], as_it_is);
    fails(&["uncover", "fresh-proc", MASKED], &[ENOENT], as_it_is);
}

/// Overlays show what lies below the mounts on their layers: a file of the image that the bundle covers by another.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp, runc"]
fn files_that_the_bundle_covers_stay_covered_below_an_overlay() {
    let scratch = Scratch::new();
    let empty = scratch.join("empty");
    std::fs::write(&empty, "").unwrap();
    let covered = |bundle: Bundle| bundle.bind(&empty, "/etc/hostname");
    fails(&["uncover", "overlay", "/etc/hostname"], &[EPERM], covered);
    fails(&["uncover", "overlay-by-link", "/etc/hostname"], &[EPERM], covered);
    fails(&["uncover", "bind", "/etc/hostname"], &[0], covered);
    fails(&["uncover", "bind-root", "/etc/hostname"], &[0], covered);
    fails(&["uncover", "unmount-clone", "/etc/hostname"], &[EPERM], covered);
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp, runc"]
fn what_others_rely_on_is_not_covered() {
    for target in ["/proc", "/proc/sys", "/sys", "/"] {
        fails(&["cover", target], &[EPERM], as_it_is);
    }
    // Which process "self" is depends on who looks, and that is none of the container's.
    fails(&["cover", "/proc/self"], &[ENOENT], as_it_is);
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp, runc"]
fn fresh_proc_has_processes_alone() {
    fails(&["mount-proc"], &[ENOENT], as_it_is);
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp, runc"]
fn remount_gives_nothing_back() {
    let read_only = |bundle: Bundle| bundle.edit(|config| config["root"]["readonly"] = true.into());
    fails(&["remount-rw"], &[EPERM], read_only);
    let scratch = Scratch::new();
    let volume = |bundle: Bundle| {
        let options = json!(["rbind", "ro"]);
        bundle.mount(json!({"type": "bind", "source": scratch.path(), "destination": "/data", "options": options}))
    };
    fails(&["give-back", "/data"], &[EPERM], volume);
    assert!(!scratch.join("written").exists() || std::fs::remove_file(scratch.join("written")).is_ok());
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp, runc"]
fn file_systems_beyond_the_list_are_refused() {
    fails(&["release-agent"], &[EPERM], as_it_is);
    for attack in ["new-mount", "fspick", "open-tree", "move-mount"] {
        fails(&[attack], &[ENOSYS], as_it_is);
    }
    for interceptor in INTERCEPTORS {
        let bundle = masked(Bundle::shell("for t in sysfs cgroup cgroup2 mqueue ext4 debugfs bpf tracefs securityfs; do mount -t $t x /mnt && echo \"$t is mounted\"; done; true").lax_but_admissible());
        let outcome = nested(interceptor).run(&bundle).expect(0);
        assert!(!outcome.stdout.contains("is mounted"), "{interceptor}: {}", outcome.stdout);
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp, runc"]
fn a_flipped_link_wins_no_race() {
    fails(&["race-mount"], &[0], as_it_is);
    fails(&["race-unmount", MASKED], &[0], as_it_is);
}

/// Some rounds in each run; LAZARET_TEST_ROUNDS asks for more.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp, runc"]
fn arguments_that_change_while_they_are_judged_win_no_race() {
    let rounds = std::env::var("LAZARET_TEST_ROUNDS").unwrap_or_else(|_| "500".to_owned());
    for verdict in fails(&["race-words", &rounds], &[0], as_it_is) {
        // Both sides of the flip were seen.
        let made = verdict.step.split(' ').next().and_then(|made| made.parse::<u64>().ok());
        assert!(made.is_some_and(|made| made > 0 && made < rounds.parse().unwrap()), "{verdict:?}");
    }
}

/// The one process of lazaret's that the container sees makes a procfs. No control: runc has none.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_helper_that_the_container_stops_does_not_stay() {
    for interceptor in INTERCEPTORS {
        let verdict = verdict::of(&nested(interceptor).run(&bundle(&["stop-helpers"])));
        assert!(!verdict.ok && verdict.errno == 0, "{interceptor}: {verdict:?}");
    }
}

/// A mount that waits for a stopped helper ends before a pause gives up.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_helper_that_the_container_stops_keeps_no_pause_off() {
    for interceptor in INTERCEPTORS {
        let lazaret = nested(interceptor);
        let bundle = bundle(&["stop-helpers-for-ever"]);
        let running = lazaret.launch(&bundle);
        running.says("stopping");
        for _ in 0..2 {
            lazaret.verb(&["pause", running.id()]).succeeds();
            assert_eq!(lazaret.state(running.id())["status"], "paused");
            lazaret.verb(&["resume", running.id()]).succeeds();
        }
        running.delete();
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp, runc"]
fn mounts_are_bounded() {
    for verdict in fails(&["many-mounts"], &[ENOSPC], as_it_is) {
        let count = verdict.step.split(' ').nth(2).and_then(|count| count.parse::<usize>().ok());
        assert!(count.is_some_and(|count| count <= 256), "{verdict:?}");
    }
}

/// Whether the host sees a mount whose table line has this word.
fn host_sees(word: &str) -> bool {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().any(|line| line.contains(word))
}

/// A directory of the host that is a mount of its own, in a peer group.
struct SharedMount(Scratch);

impl SharedMount {
    fn new() -> Self {
        let scratch = Scratch::new();
        let shared = Self(scratch);
        shared.run("mount", &["-t", "tmpfs", "shared", "--make-shared"]);
        shared
    }

    fn run(&self, program: &str, words: &[&str]) {
        let status = std::process::Command::new(program).args(words).arg(self.0.path()).status().unwrap();
        assert!(status.success(), "{program} {words:?}");
    }
}

impl Drop for SharedMount {
    fn drop(&mut self) {
        self.run("umount", &["-R"]);
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp, runc"]
fn nothing_that_is_mounted_inside_appears_on_the_host() {
    let shared = SharedMount::new();
    let below = shared.0.join("inside").display().to_string();
    let volume = |propagation: &'static str| {
        let source = shared.0.path().to_owned();
        move |bundle: Bundle| {
            let options = json!(["rbind", propagation]);
            let bundle = bundle.edit(|config| config["linux"]["rootfsPropagation"] = propagation.into());
            bundle.mount(json!({"type": "bind", "source": source, "destination": "/data", "options": options}))
        }
    };
    let control = volume("rshared")(Bundle::attacker(&["mount-at", "/data/inside"]).lax().without_namespace("cgroup"));
    let control = verdict::of(&runc::run(&control));
    assert!(control.ok && host_sees(&below), "the positive control failed: {control:?}");
    assert!(std::process::Command::new("umount").arg(&below).status().unwrap().success());
    // The other ones, bundles are refused for.
    for propagation in ["rprivate", "rslave", "rshared"] {
        for interceptor in INTERCEPTORS {
            let bundle = volume(propagation)(bundle(&["mount-at", "/data/inside"]));
            let outcome = nested(interceptor).run(&bundle);
            let verdict = verdict::parse(&outcome.stdout);
            assert!(!host_sees(&below), "{propagation} {interceptor}: {verdict:?}");
            let is_mounted = verdict.as_ref().is_some_and(|verdict| verdict.ok);
            assert_eq!(is_mounted, propagation == "rprivate", "{propagation} {interceptor}: {outcome:?}");
        }
    }
}

/// mount(8) of busybox and of util-linux, as users type it.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn both_mount_programs_work() {
    const LINE: &str = "set -e
        MOUNT -t tmpfs tmpfs /mnt; echo one > /mnt/file; grep -q ' /mnt .*nosuid,nodev' /proc/self/mountinfo
        mkdir /mnt/l /mnt/u /mnt/w /mnt/m /mnt/b; echo low > /mnt/l/f
        MOUNT -t overlay overlay -o lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w /mnt/m; cat /mnt/m/f
        MOUNT --bind /etc /mnt/b; cat /mnt/b/hostname
        MOUNT -o remount,ro /mnt; if echo two > /mnt/file; then exit 3; fi
        if MOUNT -o remount,rw /mnt; then exit 4; fi
        UMOUNT /mnt/b; UMOUNT /mnt/m; UMOUNT /mnt
        if grep ' /mnt' /proc/self/mountinfo; then exit 5; fi; echo all of it";
    for interceptor in INTERCEPTORS {
        for [mount, umount] in [["mount", "umount"], ["/sbin/mount", "/sbin/umount"]] {
            let line = LINE.replace("UMOUNT", umount).replace("MOUNT", mount);
            let bundle = masked(Bundle::shell(&line).lax_but_admissible());
            if mount.starts_with('/') {
                add_util_linux(&bundle.rootfs());
            }
            let outcome = nested(interceptor).run(&bundle);
            assert!(outcome.stdout.ends_with("low\nimage\nall of it\n"), "{mount} {interceptor}: {outcome:?}");
        }
    }
}

/// The host's mount and umount, with the libraries that they load.
fn add_util_linux(rootfs: &Path) {
    let mut files = Vec::new();
    for name in ["mount", "umount"] {
        let program = programs::installed(name);
        let listed = std::process::Command::new("ldd").arg(&program).output().unwrap();
        let text = String::from_utf8(listed.stdout).unwrap();
        files.extend(text.split_ascii_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned));
        std::fs::create_dir_all(rootfs.join("sbin")).unwrap();
        std::fs::copy(&program, rootfs.join("sbin").join(name)).unwrap();
    }
    for file in files {
        let place = rootfs.join(file.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::copy(&file, &place).unwrap();
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn only_root_with_its_rights_over_files_mounts() {
    for interceptor in INTERCEPTORS {
        let of = |change: fn(&mut Value)| {
            let bundle = bundle(&["mount-tmpfs"]).edit(change);
            let lazaret = nested(interceptor);
            let running = lazaret.launch(&bundle);
            running.wait();
            let verdict = verdict::parse(&running.output()).expect("a verdict");
            let why = lazaret.audit(running.id()).iter().find(|record| record["syscall"] == "mount").cloned();
            running.delete();
            (verdict, why.expect("a record"))
        };
        let (verdict, record) = of(|_| ());
        assert!(verdict.ok, "{verdict:?}");
        assert_eq!((&record["verdict"], &record["errno"]), (&json!("answered"), &Value::Null), "{record}");
        assert_eq!(record["what"], "mount -t tmpfs none on /mnt");
        let user: fn(&mut Value) = |config| config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        let without: fn(&mut Value) = |config| {
            for set in ["bounding", "effective", "permitted", "inheritable"] {
                let names = config["process"]["capabilities"][set].as_array_mut().unwrap();
                names.retain(|name| name != "CAP_SYS_CHROOT");
            }
        };
        for change in [user, without] {
            let (verdict, record) = of(change);
            assert!(!verdict.ok && verdict.errno == EPERM, "{verdict:?}");
            assert_eq!(record["technique"], "escape.mount", "{record}");
            assert!(record["why"].as_str().unwrap().contains("only root"), "{record}");
        }
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn processes_that_join_mount_and_unmount_for_each_other() {
    for interceptor in INTERCEPTORS {
        let lazaret = nested(interceptor);
        let bundle = bundle(&[]).args(&["/bin/sh", "-c", "mount -t tmpfs first /mnt && echo mounted; exec sleep 1000"]);
        let running = lazaret.launch(&bundle);
        running.says("mounted");
        let join = |line: &str| lazaret.verb(&["exec", running.id(), "/bin/sh", "-c", line]);
        join("umount /mnt && mkdir -p /tmp/second && mount -t tmpfs second /tmp/second").succeeds();
        let seen = join("cat /proc/self/mountinfo").expect(0).stdout;
        assert!(seen.contains("tmpfs second") && !seen.contains("tmpfs first"), "{seen}");
        // A new root that the joiner would see is not to be had.
        drop(join("mount -t tmpfs root /").expect(1));
        assert_eq!(lazaret.state(running.id())["annotations"]["dev.lazaret.nested"], "true");
        running.delete();
        leftover::none(lazaret.tag());
    }
}

#[test]
#[ignore = "needs root: namespaces"]
fn it_is_for_sandboxed_containers_and_for_masks_that_hold() {
    let bundle = Bundle::shell("true");
    bundle.write();
    let path = bundle.path().display().to_string();
    for (options, code) in [(["--mode", "strict"], "1040"), (["--mode", "native"], "1040")] {
        let lazaret = Lazaret::with_options(&[&options[..], &["--nested"]].concat());
        let refused = lazaret.verb(&["run", "--bundle", &path, bundle.id()]).expect(125);
        assert!(refused.stderr.contains(&format!("error[lazaret-{code}]")), "{}", refused.stderr);
        lazaret.nothing_left(bundle.id());
    }
    let lazaret = Lazaret::with_options(&["--nested"]);
    let refused = lazaret.run_command(&["true"]).expect(125);
    assert!(refused.stderr.contains("error[lazaret-1042]"), "{}", refused.stderr);
    let bundle = Bundle::shell("true").edit(|config| config["linux"]["maskedPaths"] = json!(["/etc/hostname"]));
    let refused = lazaret.run(&bundle).expect(125);
    assert!(refused.stderr.contains("error[lazaret-1043]") && refused.stderr.contains("/etc/hostname"));
}

/// A path that climbs is not where its first component says: it is masked where it leads, and keeps no mounts out there.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp, runc"]
fn what_a_climbing_path_masks_is_masked_and_refused_as_what_it_is() {
    let bundle = |bundle: Bundle| {
        let directory = bundle.rootfs().join("etc/deep");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("secret"), "the secret").unwrap();
        bundle.edit(|config| config["linux"]["maskedPaths"] = json!(["/proc/../etc/deep/secret"]))
    };
    let read = "cat /etc/deep/secret";
    let uncover = "mkdir /x && mount --bind /x /mnt && mv /etc/deep /x/deep && cat /mnt/deep/secret";
    let under_runc = |script: &str| runc::run(&bundle(Bundle::shell(script).lax().without_namespace("cgroup")));
    assert!(!under_runc(read).stdout.contains("the secret"), "runc does not mask it");
    assert!(under_runc(uncover).stdout.contains("the secret"), "the positive control failed");
    for interceptor in INTERCEPTORS {
        let plain = Lazaret::by(interceptor).run(&bundle(Bundle::shell(read).lax_but_admissible()));
        assert!(!plain.stdout.contains("the secret"), "{interceptor}: it is not masked: {plain:?}");
        let refused = nested(interceptor).run(&bundle(Bundle::shell(uncover).lax_but_admissible()));
        assert!(!refused.stdout.contains("the secret"), "{interceptor}: {refused:?}");
        assert!(refused.stderr.contains("error[lazaret-1043]"), "{interceptor}: {refused:?}");
    }
}
