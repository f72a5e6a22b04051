//! A state directory on a disk that is full, or cannot be written: the answer is a clear error, nothing half made stays,
//! what runs goes on and can be deleted.

use std::io::Write as _;
use std::path::Path;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{leftover, outcome};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};

/// Bytes of the disk: 32 pages.
const SIZE: &str = "size=128k";
const PAGE: u64 = 4096;

/// A small disk of lazaret's own below its state directory.
struct Disk<'a> {
    lazaret: &'a Lazaret,
}

impl<'a> Disk<'a> {
    fn new(lazaret: &'a Lazaret) -> Self {
        std::fs::create_dir(lazaret.root()).unwrap();
        mount("disk", lazaret.root(), "tmpfs", MountFlags::empty(), Some(&*std::ffi::CString::new(SIZE).unwrap()))
            .unwrap();
        Self { lazaret }
    }

    /// Fills it, but for some pages.
    fn fill(&self, free: u64) {
        let path = self.lazaret.root().join(".fill");
        let mut file = std::fs::File::create(&path).unwrap();
        while file.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(free * PAGE)).unwrap();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.lazaret.root().join(".fill")).unwrap();
    }

    /// Shows it read-only, until the value is dropped.
    fn read_only(&self) -> ReadOnly<'_> {
        let root = self.lazaret.root();
        mount_bind(&root, &root).unwrap();
        mount_remount(&root, MountFlags::BIND | MountFlags::RDONLY, "").unwrap();
        ReadOnly { disk: self }
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        std::fs::remove_file(self.lazaret.root().join(".fill")).ok();
        for id in self.lazaret.states() {
            drop(outcome::clean_up(&mut self.lazaret.command(&["delete", "--force", &id])));
        }
        unmount_from(&self.lazaret.root());
    }
}

struct ReadOnly<'a> {
    disk: &'a Disk<'a>,
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        unmount_from(&self.disk.lazaret.root());
    }
}

fn unmount_from(path: &Path) {
    unmount(path, UnmountFlags::DETACH).unwrap();
}

/// No process, cgroup or lease of the container is left, and no state.
fn nothing_left(lazaret: &Lazaret, bundle: &Bundle) {
    assert!(!lazaret.states().contains(&bundle.id().to_owned()), "the state stays");
    leftover::none(bundle.id());
    assert!(leftover::leases(&lazaret.root()).is_empty(), "a lease stays");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_create_on_a_full_disk_fails_as_a_whole() {
    for mode in ["sandbox", "native"] {
        let lazaret = Lazaret::with_options(&["--mode", mode]);
        let disk = Disk::new(&lazaret);
        let (mut failed, mut created) = (0, 0);
        // With each page more the disk is full one step later.
        for free in 0..8 {
            disk.fill(free);
            let bundle = Bundle::shell("exec sleep 1000");
            let outcome = lazaret.create(&bundle);
            if outcome.status == 0 {
                created += 1;
                lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
            } else {
                failed += 1;
                outcome.explains(&["error[lazaret-", "No space left on device", "hint: make room"]);
            }
            nothing_left(&lazaret, &bundle);
        }
        assert!(failed > 1 && created > 0, "{mode}: {failed} failed, {created} were created");
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn what_runs_when_the_disk_fills_up_goes_on() {
    for mode in ["sandbox", "native"] {
        let lazaret = Lazaret::with_options(&["--mode", mode]);
        let disk = Disk::new(&lazaret);
        let bundle = Bundle::shell("exec sleep 1000");
        lazaret.create(&bundle).succeeds();
        disk.fill(0);
        let refused = lazaret.verb(&["start", bundle.id()]);
        assert_ne!(refused.status, 0, "{refused:?}");
        refused.explains(&["error[lazaret-1003]", "No space left on device", "hint: make room"]);
        assert_eq!(lazaret.state(bundle.id())["status"], "created", "nothing was started");
        disk.make_room();
        lazaret.verb(&["start", bundle.id()]).succeeds();
        disk.fill(0);
        assert_eq!(lazaret.state(bundle.id())["status"], "running");
        lazaret.verb(&["exec", bundle.id(), "true"]).succeeds();
        lazaret.verb(&["kill", bundle.id(), "KILL"]).succeeds();
        lazaret_tests::deadline::until("stopped", || lazaret.state(bundle.id())["status"] == "stopped");
        lazaret.verb(&["delete", bundle.id()]).succeeds();
        nothing_left(&lazaret, &bundle);
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_read_only_state_directory_loses_nothing() {
    for mode in ["sandbox", "native"] {
        let lazaret = Lazaret::with_options(&["--mode", mode]);
        let disk = Disk::new(&lazaret);
        let (bundle, late) = (Bundle::shell("exec sleep 1000"), Bundle::shell("exec sleep 1000"));
        lazaret.create(&bundle).succeeds();
        let read_only = disk.read_only();
        let create = lazaret.create(&late);
        nothing_left_but(&lazaret, &bundle, &late);
        let start = lazaret.verb(&["start", bundle.id()]);
        assert_eq!(lazaret.state(bundle.id())["status"], "created");
        // The container ends; only its directory stays, for another time.
        let delete = lazaret.verb(&["delete", "--force", bundle.id()]);
        for refused in [create, start, delete] {
            assert_ne!(refused.status, 0, "{refused:?}");
            refused.explains(&["error[lazaret-1003]", "Read-only file system", "hint: the state directory"]);
        }
        leftover::none(bundle.id());
        assert_eq!(lazaret.state(bundle.id())["status"], "stopped");
        drop(read_only);
        lazaret.verb(&["delete", bundle.id()]).succeeds();
        nothing_left(&lazaret, &bundle);
    }
}

fn nothing_left_but(lazaret: &Lazaret, bundle: &Bundle, late: &Bundle) {
    assert_eq!(lazaret.states(), [bundle.id()]);
    leftover::none(late.id());
}
