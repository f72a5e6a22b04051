//! Everything that the image controls: its links, its /dev, its /proc, its program. Rows V01 and V04.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::canary::CanaryFile;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::scratch::Scratch;
use lazaret_tests::{programs, verdict};
use serde_json::json;

/// Row V01: the image's program is a link to the runtime's own. Whatever runs, it is not a way to the runtime's file.
#[test]
#[ignore = "needs root: namespaces"]
fn an_entry_point_of_proc_self_exe_gives_nothing_away() {
    let before = std::fs::read(programs::lazaret()).unwrap();
    let lazaret = Lazaret::new();
    for (name, script) in [("link", None), ("script", Some("#!/proc/self/exe\n"))] {
        let bundle = Bundle::new().args(&["/evil", "--version"]).writable();
        let evil = bundle.rootfs().join("evil");
        match script {
            None => std::os::unix::fs::symlink("/proc/self/exe", &evil).unwrap(),
            Some(text) => {
                std::fs::write(&evil, text).unwrap();
                std::fs::set_permissions(&evil, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            }
        }
        let outcome = lazaret.run(&bundle);
        assert!(
            std::fs::read(programs::lazaret()).unwrap() == before,
            "{name}: the runtime's program was changed: {outcome:?}"
        );
    }
}

/// Row V04, CVE-2025-31133: /dev/null of the image is a link to a knob; masking must not bind that.
#[test]
#[ignore = "needs root: namespaces"]
fn masking_does_not_trust_the_images_dev_null() {
    let lazaret = Lazaret::new();
    for with_dev in [true, false] {
        let bundle = Bundle::attacker(&["open-write", "/proc/kcore"])
            .edit(|config| config["linux"]["maskedPaths"] = json!(["/proc/kcore", "/proc/keys"]))
            .writable();
        let bundle = if with_dev {
            bundle
        } else {
            bundle.edit(|config| {
                let mounts = config["mounts"].as_array_mut().unwrap();
                mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
            })
        };
        std::os::unix::fs::symlink("/proc/sys/kernel/core_pattern", bundle.rootfs().join("dev/null")).unwrap();
        let outcome = lazaret.run(&bundle);
        let Some(verdict) = verdict::parse(&outcome.stdout) else {
            assert_ne!(outcome.status, 0, "neither refused nor run: {outcome:?}");
            continue;
        };
        // The mask may be a null device of lazaret's own, which takes writes; the knob it must not be.
        let bundle = Bundle::attacker(&["read", "/proc/kcore"])
            .edit(|config| config["linux"]["maskedPaths"] = json!(["/proc/kcore"]));
        std::os::unix::fs::symlink("/proc/sys/kernel/core_pattern", bundle.rootfs().join("dev/null")).unwrap();
        let read = verdict::of(&lazaret.run(&bundle));
        assert!(!read.ok, "the mask shows something: {read:?} {verdict:?}");
    }
}

/// A mount's destination is a link of the image that points out of it: the mount lands inside or is refused.
#[test]
#[ignore = "needs root: mounts"]
fn a_mount_over_a_link_lands_inside() {
    let outside = Scratch::new();
    std::fs::write(outside.join("mine"), "host").unwrap();
    let lazaret = Lazaret::new();
    for target in [outside.path().display().to_string(), format!("../../../../../../../..{}", outside.path().display())]
    {
        let bundle = Bundle::shell("touch /link/inside; true")
            .writable()
            .mount(json!({"type": "tmpfs", "source": "t", "destination": "/link", "options": ["nosuid"]}));
        std::os::unix::fs::symlink(&target, bundle.rootfs().join("link")).unwrap();
        drop(lazaret.run(&bundle));
        let seen: Vec<_> =
            std::fs::read_dir(outside.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(seen, ["mine"], "the host's directory was changed or covered");
        assert!(lazaret_tests::leftover::mounts(outside.tag()).is_empty(), "something is mounted on the host");
    }
}

/// The same with /proc itself: an image whose /proc is a link to the host's idea of one.
#[test]
#[ignore = "needs root: mounts"]
fn a_proc_that_is_a_link_does_not_move_the_mount() {
    let outside = Scratch::new();
    for name in ["proc", "sys", "dev"] {
        let bundle = Bundle::new();
        let place = bundle.rootfs().join(name);
        std::fs::remove_dir_all(&place).unwrap();
        std::os::unix::fs::symlink(outside.path(), &place).unwrap();
        drop(Lazaret::new().run(&bundle));
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0, "{name} was built outside of the root");
    }
}

/// The root itself may not be a link that is swapped for the host's root.
#[test]
#[ignore = "needs root: mounts"]
fn masked_and_read_only_paths_that_are_links_stay_inside() {
    let canary = CanaryFile::new();
    let bundle = Bundle::shell(&format!("cat {} /link 2>/dev/null; true", canary.name()))
        .edit(|config| {
            config["linux"]["maskedPaths"] = json!(["/link"]);
            config["linux"]["readonlyPaths"] = json!(["/other"]);
        })
        .writable();
    std::os::unix::fs::symlink(&canary.path, bundle.rootfs().join("link")).unwrap();
    std::os::unix::fs::symlink(canary.path.parent().unwrap(), bundle.rootfs().join("other")).unwrap();
    let outcome = Lazaret::new().run(&bundle);
    assert!(!outcome.stdout.contains(&canary.token), "{outcome:?}");
    canary.is_untouched();
    std::fs::write(canary.path.with_file_name("still-writable"), "x").unwrap();
}

/// Set-user-ID programs of the image give nothing: row C17.
#[test]
#[ignore = "needs root: namespaces, runc"]
fn set_user_id_programs_of_the_image_give_nothing() {
    let make = |lax: fn(Bundle) -> Bundle| {
        let bundle = lax(Bundle::attacker(&["suid-exec", "/suid"]))
            .edit(|config| config["process"]["user"] = json!({"uid": 1000, "gid": 1000}));
        let path = bundle.rootfs().join("suid");
        std::fs::copy(programs::attacker(), &path).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o4755)).unwrap();
        bundle
    };
    let control = verdict::of(&lazaret_tests::runc::run(&make(Bundle::lax)));
    assert!(control.ok, "the positive control failed: {control:?}");
    for lax in [std::convert::identity, Bundle::lax_but_admissible] {
        let verdict = verdict::of(&Lazaret::new().run(&make(lax)));
        assert!(!verdict.ok, "{verdict:?}");
    }
}

/// A link of the image leads a mount onto a kernel interface, which it would hide or fake. That the destination names procfs
/// on its way does not make it a mount that was meant for procfs.
#[test]
#[ignore = "needs root: namespaces"]
fn a_link_leads_no_mount_onto_procfs_whatever_way_its_path_takes() {
    let scratch = Scratch::new();
    std::fs::write(scratch.join("hostname"), "faked").unwrap();
    for destination in ["/link", "/proc/../link", "/proc/sys/../../link"] {
        let bundle = |bundle: Bundle| {
            let bundle = bundle.bind(scratch.path(), destination).writable();
            std::os::unix::fs::symlink("/proc/sys/kernel", bundle.rootfs().join("link")).unwrap();
            bundle
        };
        let refused = Lazaret::new().run(&bundle(Bundle::shell("cat /proc/sys/kernel/hostname")));
        assert!(!refused.stdout.contains("faked"), "{destination}: {refused:?}");
        assert!(refused.stderr.contains("leads to a procfs"), "{destination}: {refused:?}");
    }
    let honest = Bundle::shell("cat /kept/hostname").bind(scratch.path(), "/proc/../kept").writable();
    // Where a part of the path is missing, nothing of it is made on the way.
    assert_eq!(Lazaret::new().run(&honest).expect(0).stdout, "faked");
}
