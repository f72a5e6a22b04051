//! Workers, in a test process that does nothing else: a forked child inherits the locks that other threads hold.

#![cfg(test)]

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use lazaret::sys;
use lazaret::worker::{Done, Workers};
use lazaret_sentry::handoff::Answer;
use lazaret_sentry::limits;
use rustix::event::{PollFd, PollFlags, Timespec};

/// Waits as `watch` does, for at most a minute.
fn next(workers: &mut Workers) -> Vec<Done> {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let patience = workers.patience().and_then(|left| Timespec::try_from(left).ok());
        let mut polled: Vec<PollFd<'_>> =
            workers.answers().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        rustix::event::poll(&mut polled, patience.as_ref()).unwrap();
        let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        let done = workers.take(&ready);
        if !done.is_empty() || Instant::now() > limit {
            return done;
        }
    }
}

const LONG: Duration = Duration::from_secs(60);

fn answers_come_with_their_tickets_in_any_order() {
    let mut workers = Workers::default();
    let (gate, opener) = rustix::pipe::pipe().unwrap();
    let wait = |gate: &OwnedFd| rustix::io::read(gate, &mut [0]).map_or(1, |_| 7);
    workers.start(1, LONG, &[gate.as_fd()], || Answer::Errno(wait(&gate))).unwrap();
    workers.start(2, LONG, &[], || Answer::Errno(0)).unwrap();
    assert_eq!(next(&mut workers), [(2, Answer::Errno(0))]);
    drop(opener);
    assert_eq!(next(&mut workers), [(1, Answer::Errno(7))]);
}

fn late_one_is_killed_and_one_that_dies_is_an_error() {
    let mut workers = Workers::default();
    workers
        .start(1, Duration::from_millis(1), &[], || {
            loop {
                std::thread::park()
            }
        })
        .unwrap();
    assert_eq!(next(&mut workers), [(1, Answer::Errno(libc::ETIMEDOUT))]);
    workers.start(2, LONG, &[], || sys::clone::exit_now(1)).unwrap();
    assert_eq!(next(&mut workers), [(2, Answer::Errno(libc::EIO))]);
}

fn there_is_a_bound_and_it_counts_those_that_run() {
    let mut workers = Workers::default();
    for ticket in 0..limits::WORKERS {
        workers
            .start(u64::try_from(ticket).unwrap(), LONG, &[], || {
                loop {
                    std::thread::park()
                }
            })
            .unwrap();
    }
    let refused = workers.start(99, LONG, &[], || Answer::Errno(0)).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EAGAIN));
}

fn worker_has_no_descriptors_but_its_own() {
    let mut workers = Workers::default();
    let (mine, theirs) = rustix::pipe::pipe().unwrap();
    let is_open = |fd: &OwnedFd| i32::from(rustix::io::fcntl_getfd(fd).is_ok());
    workers.start(1, LONG, &[theirs.as_fd()], || Answer::Errno(is_open(&mine) * 2 + is_open(&theirs))).unwrap();
    assert_eq!(next(&mut workers), [(1, Answer::Errno(1))]);
}

#[test]
fn workers() {
    answers_come_with_their_tickets_in_any_order();
    late_one_is_killed_and_one_that_dies_is_an_error();
    there_is_a_bound_and_it_counts_those_that_run();
    worker_has_no_descriptors_but_its_own();
}
