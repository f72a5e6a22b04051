//! Whoever watches a nested container, asked by a sentry that has been taken over: the test speaks in its place. One test,
//! in a process that does nothing else, because the workers are forked.

#![cfg(test)]

use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lazaret::sentry_link::Sentry;
use lazaret::watch::{End, Subject, Watched};
use lazaret::worker::Workers;
use lazaret_sentry::handoff::{self, Answer, FromSentry, Received, ToSentry};
use lazaret_sentry::nested::{Order, Refusal};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A process; [`Contained::new`] makes one in a user and a mount namespace of its own, of which the host's root is the root.
struct Contained(Child);

impl Contained {
    /// A process that holds none of our streams, and ends with the value.
    fn start(words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        let command = command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn new() -> Self {
        let mut contained = Self::start(&["unshare", "--user", "--mount", "sh", "-c", "read word; exec sleep 1000"]);
        let own = std::fs::read_link("/proc/self/ns/mnt").unwrap();
        until(|| std::fs::read_link(contained.file("ns/mnt")).is_ok_and(|mount| mount != own));
        for map in ["uid_map", "gid_map"] {
            std::fs::write(contained.file(map), "0 0 1").unwrap();
        }
        // Executed as root, it has root's capabilities.
        contained.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
        until(|| std::fs::read_link(contained.file("exe")).is_ok_and(|exe| exe.ends_with("sleep")));
        contained
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.0.id().to_string()).join(name)
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn until(holds: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < limit, "it did not come to hold");
        std::thread::yield_now();
    }
}

fn pidfd(child: &Child) -> OwnedFd {
    pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap()
}

/// Says a message of the sentry's, has it obeyed, and takes the answer.
fn ask(watched: &mut Watched, control: &OwnedFd, pid: i32, order: Order) -> Answer {
    let question = FromSentry::Mount { ticket: 7, container: "c".to_owned(), pid, order };
    handoff::send_to_monitor(control.as_fd(), &question).unwrap();
    assert_eq!(watched.until_end(Some(control.as_fd())).unwrap(), End::Caller);
    let Received { message: ToSentry::Answer { ticket: 7, answer }, .. } =
        handoff::receive_from_monitor(control.as_fd()).unwrap()
    else {
        panic!("no answer")
    };
    answer
}

fn tmpfs(target: &Path, size: &str) -> Order {
    let options = [("size", size), ("nr_inodes", "100")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    Order::Make {
        filesystem: "tmpfs".to_owned(),
        source: b"taken-over".to_vec(),
        target: target.as_os_str().as_encoded_bytes().to_vec(),
        flags: 0,
        options: options.to_vec(),
        layers: None,
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_sentry_that_was_taken_over_mounts_nothing_that_its_container_could_not() {
    let (contained, sentry) = (Contained::new(), Contained::start(&["sleep", "1000"]));
    let (ours, control) = lazaret::channel::pair().unwrap();
    let root = std::env::temp_dir().join(format!("lazaret-broker-{}", std::process::id()));
    let target = root.join("target");
    std::fs::create_dir_all(root.join("c")).unwrap();
    std::fs::create_dir(&target).unwrap();
    let mut watched = Watched {
        init: pidfd(&contained.0),
        sentry: Some(Sentry {
            pid: Pid::from_child(&sentry.0),
            pidfd: pidfd(&sentry.0),
            control: ours,
            is_done: false,
        }),
        root: root.clone(),
        id: "c".to_owned(),
        subject: Subject::Container,
        nested: true,
        deaf: false,
        workers: Workers::default(),
    };
    let has = |table: &Path| std::fs::read_to_string(table).unwrap().contains(" - tmpfs taken-over ");
    let (host, inside) = (Path::new("/proc/self/mountinfo").to_owned(), contained.file("mountinfo"));

    // A process of the host's as the caller.
    for outsider in [std::process::id().cast_signed(), 1] {
        let answer = ask(&mut watched, &control, outsider, tmpfs(&target, "4096"));
        assert_eq!(answer, Answer::Refused(Refusal::Outside));
    }
    // One that is none.
    assert_eq!(ask(&mut watched, &control, i32::MAX, tmpfs(&target, "4096")), Answer::Errno(libc::ENOENT));
    // Orders that no sentry makes.
    for order in [tmpfs(&target, "1099511627776"), tmpfs(Path::new(""), "4096")] {
        assert_eq!(ask(&mut watched, &control, contained.pid(), order), Answer::Refused(Refusal::Option));
    }
    let unmount = |target: &str| Order::Unmount { target: target.into(), detach: true, follow: true };
    assert_eq!(ask(&mut watched, &control, contained.pid(), unmount("/proc")), Answer::Refused(Refusal::NotOurs));
    assert!(!has(&host) && !has(&inside));

    // A container that may not.
    watched.nested = false;
    assert_eq!(ask(&mut watched, &control, contained.pid(), tmpfs(&target, "4096")), Answer::Errno(libc::EPERM));
    assert!(!has(&inside));

    // And what it may, it does inside alone.
    watched.nested = true;
    assert_eq!(ask(&mut watched, &control, contained.pid(), tmpfs(&target, "4096")), Answer::Errno(0));
    assert!(has(&inside) && !has(&host));
    let target = target.as_os_str().to_str().unwrap();
    assert_eq!(ask(&mut watched, &control, contained.pid(), unmount(target)), Answer::Errno(0));
    assert!(!has(&inside));

    drop(watched);
    std::fs::remove_dir_all(&root).unwrap();
}
