//! connect(2) that takes long, in a sandbox whose connects are looked at: it holds up neither a pause of the container nor
//! its end, and its caller does not notice that anybody was in a hurry.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret, Running};
use lazaret_tests::scratch::Scratch;
use lazaret_tests::{deadline, leftover};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{Pid, Signal, kill_process};

/// A socket of the host on which nobody more can be queued, so that a connect to it waits.
struct FullQueue {
    listener: UnixListener,
    queued: Vec<std::os::fd::OwnedFd>,
}

impl FullQueue {
    /// It has its name only when nothing fits into its queue any more.
    fn on_path(name: &Path) -> Self {
        let path = &name.with_extension("made");
        let listener = UnixListener::bind(path).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let address = SocketAddrUnix::new(path).unwrap();
        let mut queued = Vec::new();
        loop {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
            match rustix::net::connect(&socket, &address) {
                Ok(()) => queued.push(socket),
                Err(Errno::AGAIN) => break,
                Err(error) => panic!("{error}"),
            }
        }
        std::fs::rename(path, name).unwrap();
        Self { listener, queued }
    }

    /// Takes those that are queued from the queue.
    fn make_room(&mut self) {
        for _ in self.queued.drain(..) {
            self.listener.accept().unwrap();
        }
    }

    fn accept(&self) -> UnixStream {
        self.listener.set_nonblocking(true).unwrap();
        let mut stream = None;
        deadline::until("a connection", || {
            stream = self.listener.accept().ok().map(|(stream, _address)| stream);
            stream.is_some()
        });
        stream.unwrap()
    }

    /// Takes the next one and speaks to it.
    fn serve(&self) -> UnixStream {
        let mut stream = self.accept();
        stream.write_all(b"x").unwrap();
        stream
    }
}

/// The processes of `lazaret` that wait for their place in a queue: agents.
fn queueing(lazaret: &Lazaret) -> Vec<i32> {
    let all = leftover::processes(lazaret.tag());
    let waits_at = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    all.into_iter().map(|(pid, _)| pid).filter(|pid| waits_at(*pid) == "unix_wait_for_peer").collect()
}

/// A container with a connect under way.
fn with_a_slow_connect(interceptor: &str, flags: i32, play: impl Fn(&Lazaret, &Running<'_>, FullQueue)) {
    let directory = Scratch::new();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let lazaret = Lazaret::by(interceptor);
    let bundle =
        Bundle::attacker(&["connect-slowly", "/host/full.sock", &flags.to_string()]).bind(directory.path(), "/host");
    let running = lazaret.launch(&bundle);
    running.says("ready");
    let queue = FullQueue::on_path(&directory.join("full.sock"));
    deadline::until("the connect to wait", || queueing(&lazaret).len() == 1);
    play(&lazaret, &running, queue);
    running.delete();
}

#[track_caller]
fn pause(lazaret: &Lazaret, running: &Running<'_>) {
    lazaret.verb(&["pause", running.id()]).succeeds();
    assert_eq!(lazaret.state(running.id())["status"], "paused");
}

#[track_caller]
fn connects_in_the_end(running: &Running<'_>, queue: &FullQueue, signals: usize) {
    let stream = queue.serve();
    running.wait();
    let output = running.output();
    let done = format!("connected 0 after {signals} signals");
    assert!(output.contains(&done) && output.contains("\"ok\":true"), "{output}");
    drop(stream);
}

/// More than once: each resume starts the connect anew, and each pause calls it back.
#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn a_container_is_paused_and_resumed_with_a_connect_under_way() {
    for interceptor in INTERCEPTORS {
        with_a_slow_connect(interceptor, 0, |lazaret, running, mut queue| {
            for _ in 0..3 {
                pause(lazaret, running);
                lazaret.verb(&["resume", running.id()]).succeeds();
                deadline::until("the connect to wait again", || queueing(lazaret).len() == 1);
            }
            queue.make_room();
            connects_in_the_end(running, &queue, 0);
        });
    }
}

/// Its sentry is another one, and so is whoever has the connect made.
#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn a_container_is_paused_with_a_connect_under_way_of_a_process_that_joined() {
    for interceptor in INTERCEPTORS {
        let directory = Scratch::new();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let lazaret = Lazaret::by(interceptor);
        let bundle = Bundle::attacker(&[]).args(&["/bin/sleep", "1000"]).bind(directory.path(), "/host");
        let running = lazaret.launch(&bundle);
        let mut queue = FullQueue::on_path(&directory.join("full.sock"));
        let said = directory.join("said");
        let words = ["exec", running.id(), "/attacker", "connect-slowly", "/host/full.sock", "0"];
        let mut joined = lazaret.command(&words).stdout(std::fs::File::create(&said).unwrap()).spawn().unwrap();
        deadline::until("the connect to wait", || queueing(&lazaret).len() == 1);
        pause(&lazaret, &running);
        lazaret.verb(&["resume", running.id()]).succeeds();
        deadline::until("the connect to wait again", || queueing(&lazaret).len() == 1);
        queue.make_room();
        let stream = queue.serve();
        assert!(joined.wait().unwrap().success());
        let said = std::fs::read_to_string(said).unwrap();
        assert!(said.contains("connected 0 after 0 signals"), "{interceptor}: {said}");
        drop(stream);
        running.delete();
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn a_connect_that_could_go_on_during_a_pause_does_so_after_it() {
    for interceptor in INTERCEPTORS {
        with_a_slow_connect(interceptor, 0, |lazaret, running, mut queue| {
            pause(lazaret, running);
            queue.make_room();
            assert!(!running.output().contains("connected"), "{interceptor}: {}", running.output());
            lazaret.verb(&["resume", running.id()]).succeeds();
            connects_in_the_end(running, &queue, 0);
        });
    }
}

/// No worker, agent, sentry or cgroup is left, which `delete` asserts.
#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn a_container_is_deleted_with_a_connect_under_way() {
    for interceptor in INTERCEPTORS {
        with_a_slow_connect(interceptor, 0, |lazaret, running, _queue| {
            let begin = Instant::now();
            lazaret.verb(&["delete", "--force", running.id()]).succeeds();
            assert!(begin.elapsed() < Duration::from_secs(9), "{interceptor}: took {:?}", begin.elapsed());
            assert_eq!(queueing(lazaret), [0; 0], "{interceptor}: an agent is left");
        });
    }
}

/// As without a sentry: a connect is started anew or fails with `EINTR`, as the handler wants. A tracer cannot do that,
/// and the signal waits there.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_signal_interrupts_a_connect_under_way() {
    let signal = |running: &Running<'_>| {
        kill_process(Pid::from_raw(running.pid()).unwrap(), Signal::USR1).unwrap();
    };
    with_a_slow_connect("notify", 0, |_lazaret, running, _queue| {
        signal(running);
        running.says(&format!("connected {} after 1 signals", libc::EINTR));
    });
    with_a_slow_connect("notify", libc::SA_RESTART, |lazaret, running, mut queue| {
        let before = queueing(lazaret);
        signal(running);
        deadline::until("another agent", || !queueing(lazaret).iter().any(|agent| before.contains(agent)));
        deadline::until("the connect to wait again", || queueing(lazaret).len() == 1);
        queue.make_room();
        connects_in_the_end(running, &queue, 1);
    });
}

/// However short the intervals, each attempt gets as far as the kernel's own connect(2).
#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn a_storm_of_signals_lets_a_connect_through() {
    for interceptor in INTERCEPTORS {
        with_a_slow_connect(interceptor, libc::SA_RESTART, |_lazaret, running, mut queue| {
            let (pid, is_over) = (Pid::from_raw(running.pid()).unwrap(), AtomicBool::new(false));
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !is_over.load(Ordering::SeqCst) {
                        kill_process(pid, Signal::USR1).ok();
                        std::thread::sleep(Duration::from_micros(200));
                    }
                });
                queue.make_room();
                let has_connected = deadline::within(deadline::PATIENCE, || running.output().contains("connected"));
                is_over.store(true, Ordering::SeqCst);
                assert!(has_connected, "{interceptor}: {}", running.output());
            });
            let stream = queue.serve();
            running.wait();
            let output = running.output();
            assert!(output.contains("connected 0 after") && output.contains("\"ok\":true"), "{interceptor}: {output}");
            drop(stream);
        });
    }
}
