//! Whoever watches a container, with processes of the test in the place of its first process and its sentry, and the
//! test at the sentry's end of the control socket.

#![cfg(test)]

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command};

use lazaret::sentry_link::Sentry;
use lazaret::watch::{End, Subject, Watched};
use lazaret::worker::Workers;
use lazaret_sentry::handoff::{self, FromSentry};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Two processes and what watches them.
struct Scene {
    first: Child,
    sentry: Child,
    watched: Watched,
    control: OwnedFd,
}

impl Scene {
    fn new() -> Self {
        let sleeper = || Command::new("sleep").arg("1000").spawn().unwrap();
        let (first, sentry) = (sleeper(), sleeper());
        let (ours, control) = lazaret::channel::pair().unwrap();
        let watched = Watched {
            init: pidfd(&first),
            sentry: Some(Sentry { pid: pid(&sentry), pidfd: pidfd(&sentry), control: ours, is_done: false }),
            root: PathBuf::from("/nonexistent"),
            id: "watched".to_owned(),
            subject: Subject::Container,
            nested: false,
            deaf: false,
            workers: Workers::default(),
        };
        Self { first, sentry, watched, control }
    }

    fn say(&self, message: &FromSentry) {
        handoff::send_to_monitor(self.control.as_fd(), message).unwrap();
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for child in [&mut self.first, &mut self.sentry] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn pidfd(child: &Child) -> OwnedFd {
    pidfd_open(pid(child), PidfdFlags::empty()).unwrap()
}

#[test]
fn container_that_the_sentry_wants_dead_is_killed_and_the_reason_named() {
    let mut scene = Scene::new();
    scene.say(&FromSentry::Kill { container: "watched".to_owned(), why: "reboot".to_owned() });
    let End::Killed(reason) = scene.watched.until_end(None).unwrap() else { panic!("it lives on") };
    assert!(reason.contains("reboot"), "{reason}");
    assert!(!scene.first.wait().unwrap().success());
}

#[test]
fn sentry_that_ends_without_its_last_word_takes_the_container_along() {
    let mut scene = Scene::new();
    scene.sentry.kill().unwrap();
    let End::Killed(reason) = scene.watched.until_end(None).unwrap() else { panic!("it lives on") };
    assert!(reason.contains("the sentry died"), "{reason}");
}

#[test]
fn sentry_that_says_that_it_is_done_leaves_the_container_its_own_end() {
    let mut scene = Scene::new();
    scene.say(&FromSentry::Done);
    scene.sentry.kill().unwrap();
    let first = pid(&scene.first);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            rustix::process::kill_process(first, rustix::process::Signal::TERM).unwrap();
        });
        assert_eq!(scene.watched.until_end(None).unwrap(), End::Own);
    });
}
