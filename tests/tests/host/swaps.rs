//! Races on the host side: what create looks at is swapped under its hands, and create itself is killed half-way.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::scratch::Scratch;
use lazaret_tests::{deadline, leftover};
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// A thread that exchanges two names as fast as it can, until dropped.
pub(crate) struct Swapper {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Swapper {
    pub(crate) fn start(left: PathBuf, right: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut count = 0;
            while !seen.load(Ordering::Relaxed) {
                renameat_with(CWD, &left, CWD, &right, RenameFlags::EXCHANGE).unwrap();
                count += 1;
            }
            count
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let count = thread.join().unwrap_or(0);
            assert!(std::thread::panicking() || count > 100, "the names were swapped {count} times: no race was run");
        }
    }
}

/// Runs a bundle as often as it takes to meet the swap at every step, and looks at each outcome.
fn race(bundle: &Bundle, look: impl FnMut(&lazaret_tests::outcome::Outcome)) {
    race_by(&Lazaret::new(), bundle, look);
}

/// The same, by this lazaret.
pub(crate) fn race_by(lazaret: &Lazaret, bundle: &Bundle, mut look: impl FnMut(&lazaret_tests::outcome::Outcome)) {
    bundle.write();
    for _ in 0..60 {
        look(&lazaret.verb(&["run", "--bundle", &bundle.path().display().to_string(), bundle.id()]));
    }
    lazaret.nothing_left(bundle.id());
}

/// The destination of a mount is a directory of the root, then a link out of it, then a directory again.
#[test]
#[ignore = "needs root: mounts"]
fn a_destination_that_is_swapped_for_a_link_stays_inside() {
    let outside = Scratch::new();
    std::fs::write(outside.join("mine"), "host").unwrap();
    let bundle = Bundle::shell("echo x > /place/inside").writable().mount(serde_json::json!(
        {"type": "tmpfs", "source": "t", "destination": "/place", "options": ["nosuid"]}
    ));
    let (place, link) = (bundle.rootfs().join("place"), bundle.rootfs().join("other"));
    std::fs::create_dir(&place).unwrap();
    std::os::unix::fs::symlink(outside.path(), &link).unwrap();
    let swapper = Swapper::start(place, link);
    race(&bundle, |_| {
        assert!(!outside.join("inside").exists(), "the container wrote to the host's directory");
        assert!(leftover::mounts(outside.tag()).is_empty(), "something is mounted on the host's directory");
    });
    drop(swapper);
}

/// The source of a bind is a directory of one's own, then a link to a forbidden one: what was judged is what is bound.
#[test]
#[ignore = "needs root: mounts"]
fn a_source_that_is_swapped_after_it_was_judged_gives_nothing_away() {
    let scratch = Scratch::new();
    let (source, link) = (scratch.join("source"), scratch.join("link"));
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("hello"), "honest").unwrap();
    std::os::unix::fs::symlink("/etc", &link).unwrap();
    let bundle = Bundle::shell("test -e /mnt/passwd && echo the host; cat /mnt/hello").bind(&source, "/mnt");
    let swapper = Swapper::start(source, link);
    let (mut honest, mut refused) = (0, 0);
    race(&bundle, |outcome| {
        assert!(!outcome.stdout.contains("the host"), "the forbidden directory was bound: {outcome:?}");
        honest += u32::from(outcome.stdout.contains("honest"));
        refused += u32::from(outcome.status == 125);
    });
    drop(swapper);
    assert!(honest > 0 && refused > 0, "both sides of the race were met: {honest} honest, {refused} refused");
}

/// The root file system itself is swapped for a link to the host's root.
#[test]
#[ignore = "needs root: mounts"]
fn a_root_that_is_swapped_for_the_hosts_root_gives_nothing_away() {
    let canary = lazaret_tests::canary::CanaryFile::new();
    let bundle = Bundle::shell(&format!("cat {} 2>/dev/null; echo end", canary.name())).writable();
    let link = bundle.path().join("link");
    std::os::unix::fs::symlink("/", &link).unwrap();
    let swapper = Swapper::start(bundle.rootfs(), link);
    race(&bundle, |outcome| assert!(!outcome.stdout.contains(&canary.token), "{outcome:?}"));
    drop(swapper);
    canary.is_untouched();
}

/// create is killed at every point of its short life; delete by force works from what is on disk alone.
#[test]
#[ignore = "needs root: namespaces, mounts, cgroups"]
fn create_killed_half_way_can_be_deleted() {
    let lazaret = Lazaret::new();
    for round in 0..40_u32 {
        let bundle = Bundle::shell("sleep 1000");
        bundle.write();
        let path = bundle.path().display().to_string();
        let mut command = lazaret.command(&["create", "--bundle", &path, bundle.id()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // Not a wait for something, but the spread of the moments at which it is killed.
        std::thread::sleep(Duration::from_micros(u64::from(round) * 300));
        child.kill().unwrap();
        child.wait().unwrap();
        lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
        lazaret.nothing_left(bundle.id());
        assert!(!Path::new(&lazaret.root().join(bundle.id())).exists());
    }
}

/// The caller of run is killed: its container goes with it or can be deleted.
#[test]
#[ignore = "needs root: namespaces, mounts, cgroups"]
fn run_killed_leaves_what_delete_can_remove() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("echo up > /tmp/x; exec sleep 1000");
    bundle.write();
    let path = bundle.path().display().to_string();
    let mut command = lazaret.command(&["run", "--bundle", &path, bundle.id()]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    deadline::until("the container to run", || {
        let state = lazaret.verb(&["state", bundle.id()]);
        state.status == 0 && state.stdout.contains("\"running\"")
    });
    child.kill().unwrap();
    child.wait().unwrap();
    lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
    lazaret.nothing_left(bundle.id());
}
