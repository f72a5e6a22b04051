//! The parts of a scene: a user namespace, a sentry in it, workloads under the filter.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lazaret_profiles::plan::{Witness, sandbox};
use lazaret_profiles::{bpf, syscalls};
use lazaret_sentry::handoff::{self, Answer, FromSentry, Handoff, Interceptor, ToSentry};
use lazaret_sentry::record::{Distinct, Line, Record, Summary, summarise};
use lazaret_sentry::record_policy::Policy;
use lazaret_sentry::{Seat, serve};
use nix::sched::CloneFlags;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, socketpair,
};
use rustix::process::DumpableBehavior;

use crate::sys;

/// Runs a scene by either interceptor: what a workload gets and what is recorded does not depend on it.
pub(crate) fn on_both(scene: impl Fn(Interceptor)) {
    for by in [Interceptor::Notify, Interceptor::Ptrace] {
        eprintln!("by {by:?}");
        scene(by);
    }
}

/// How long anything may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The first host id of the namespace and how many there are.
const IDS: (u32, u32) = (3_000_000, 65_536);

/// A user namespace, with ids mapped, that lives as long as something is in it or this holds it.
pub(crate) fn user_namespace() -> OwnedFd {
    let (ours, theirs) = pair();
    let holder = Child(sys::fork(|| {
        nix::sched::unshare(CloneFlags::CLONE_NEWUSER).unwrap();
        rustix::net::send(&theirs, b"x", SendFlags::empty()).unwrap();
        loop {
            nix::unistd::pause();
        }
    }));
    receive_byte(&ours);
    let (first, count) = IDS;
    for map in ["uid_map", "gid_map"] {
        std::fs::write(format!("/proc/{}/{map}", holder.0), format!("0 {first} {count}")).unwrap();
    }
    File::open(format!("/proc/{}/ns/user", holder.0)).unwrap().into()
}

/// A child process; killed and reaped at the end of the test, whatever becomes of it.
#[derive(Debug)]
pub(crate) struct Child(pub(crate) Pid);

impl Child {
    /// How it ends.
    pub(crate) fn wait(self) -> WaitStatus {
        let pidfd = rustix::process::pidfd_open(pid(self.0), rustix::process::PidfdFlags::empty()).unwrap();
        assert!(is_readable(pidfd.as_fd(), PATIENCE), "process {} does not end", self.0);
        let status = waitpid(self.0, None).unwrap();
        std::mem::forget(self);
        status
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(pid(self.0), signal).unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        rustix::process::kill_process(pid(self.0), rustix::process::Signal::KILL).unwrap();
        waitpid(self.0, None).unwrap();
    }
}

fn pid(pid: Pid) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(pid.as_raw()).unwrap()
}

/// A running sentry, with the test as its monitor.
#[derive(Debug)]
pub(crate) struct Sentry {
    pub(crate) child: Child,
    pub(crate) control: OwnedFd,
    audit: AuditFile,
}

#[derive(Debug)]
pub(crate) struct AuditFile(PathBuf);

impl Drop for AuditFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

impl Sentry {
    /// Forks one into `userns` and waits until it is in its jail.
    pub(crate) fn start(userns: &OwnedFd, by: Interceptor) -> Self {
        let sentry = Self::fork(userns, empty_root(), by == Interceptor::Ptrace);
        assert_eq!(sentry.hear(), FromSentry::Jailed);
        sentry
    }

    /// Forks one with this root.
    pub(crate) fn fork(userns: &OwnedFd, empty_root: OwnedFd, may_trace: bool) -> Self {
        Self::fork_as(empty_root, may_trace, |seat| serve_in(userns, seat))
    }

    /// Forks a process that does this with the seat of a sentry.
    pub(crate) fn fork_as(empty_root: OwnedFd, may_trace: bool, role: impl FnOnce(Seat) -> i32) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lazaret-sentry-test-{}-{number}", std::process::id()));
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC;
        let audit = rustix::fs::open(&path, flags, Mode::RUSR).unwrap();
        let (ours, control) = pair();
        let seat =
            Seat { control, audit, sinks: Vec::new(), counters: None, proc: private_proc(), empty_root, may_trace };
        let child = sys::fork(move || role(seat));
        Self { child: Child(child), control: ours, audit: AuditFile(path) }
    }

    /// Its next message.
    pub(crate) fn hear(&self) -> FromSentry {
        handoff::receive_from_sentry(self.control.as_fd(), Some(PATIENCE)).unwrap()
    }

    /// The monitor goes away.
    pub(crate) fn leave(&mut self) {
        self.control = pair().0;
    }

    /// Hands a workload's listener over, or has it traced, and waits until it is watched. Nobody but the sentry has the
    /// listener then.
    pub(crate) fn watch(&self, workload: &mut Workload, handoff: Handoff, memory: &[BorrowedFd<'_>]) {
        assert_eq!(self.hand_over(workload, handoff, memory), FromSentry::Watching);
    }

    /// Hands it over and returns what the sentry says.
    pub(crate) fn hand_over(&self, workload: &mut Workload, handoff: Handoff, memory: &[BorrowedFd<'_>]) -> FromSentry {
        let interceptor = if workload.is_traced { Interceptor::Ptrace } else { Interceptor::Notify };
        let handoff = Handoff { sandbox_pid: workload.child.0.as_raw(), interceptor, ..handoff };
        let descriptors: Vec<BorrowedFd<'_>> =
            workload.trap.iter().map(AsFd::as_fd).chain(memory.iter().copied()).collect();
        handoff::send_to_sentry(self.control.as_fd(), &ToSentry::Handoff(handoff), &descriptors).unwrap();
        workload.trap = None;
        self.hear()
    }

    pub(crate) fn answer(&self, ticket: u64, errno: i32) {
        handoff::send_to_sentry(self.control.as_fd(), &ToSentry::Answer { ticket, answer: Answer::Errno(errno) }, &[])
            .unwrap();
    }

    /// Waits for its own end and returns what it wrote.
    pub(crate) fn finish(self) -> Audit {
        let id = self.child.0;
        let (status, audit) = self.end();
        assert_eq!(status, WaitStatus::Exited(id, 0));
        audit
    }

    /// Waits for its end, whatever it is, and returns it and what it wrote.
    pub(crate) fn end(self) -> (WaitStatus, Audit) {
        let Self { child, control, audit } = self;
        let status = child.wait();
        drop(control);
        (status, Audit { text: std::fs::read_to_string(&audit.0).unwrap() })
    }
}

/// What a sentry wrote.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) text: String,
}

impl Audit {
    pub(crate) fn records(&self) -> Vec<Record<'static>> {
        let lines = self.text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter_map(|line| if let Line::Decision(record) = line { Some(record) } else { None }).collect()
    }

    /// The record of the only decision on this call.
    pub(crate) fn only(&self, syscall: &str) -> Record<'static> {
        let mut found: Vec<_> = self.records().into_iter().filter(|record| record.syscall == syscall).collect();
        assert_eq!(found.len(), 1, "{syscall}: {}", self.text);
        found.remove(0)
    }

    pub(crate) fn summary(&self) -> Summary<'static> {
        let Line::Summary(summary) = serde_json::from_str(self.text.lines().last().unwrap()).unwrap() else {
            panic!("no summary: {}", self.text)
        };
        summary
    }

    pub(crate) fn distinct(&self) -> Vec<Distinct> {
        summarise(self.text.as_bytes()).unwrap()
    }
}

/// A perl script under the shipped filter, held back until it is let go.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) child: Child,
    /// Its listener or its pidfd, until it is handed over.
    trap: Option<OwnedFd>,
    is_traced: bool,
    gate: OwnedFd,
    output: File,
}

/// `c NAME, ARGUMENTS` makes the system call and prints its result and errno; `u ID` becomes that user.
const PRELUDE: &str = r#"
    $| = 1;
    sub c { my $name = shift; $! = 0; my $result = syscall($number{$name}, @_); printf "%d %d\n", $result, $!; }
    sub u { $> = $_[0]; $> == $_[0] or die "cannot become $_[0]"; }
"#;

impl Workload {
    /// A process as root of `userns` that will run `script` once it is let go.
    pub(crate) fn start(userns: &OwnedFd, by: Interceptor, script: &str) -> Self {
        let names: String = syscalls::TABLE.iter().map(|row| format!("{} => {}, ", row.name, row.number)).collect();
        let script = format!("%number = ({names});\n{PRELUDE}\n{script}");
        Self::enter(
            userns,
            by,
            || {},
            || {
                let arguments = [c"perl".to_owned(), c"-e".to_owned(), std::ffi::CString::new(script).unwrap()];
                nix::unistd::execv(c"/usr/bin/perl", &arguments).map_or(127, |never| match never {})
            },
        )
    }

    /// A process as root of `userns` that does `before` at once, and `role` under the filter once it is let go.
    pub(crate) fn enter(userns: &OwnedFd, by: Interceptor, before: impl FnOnce(), role: impl FnOnce() -> i32) -> Self {
        let (ours, theirs) = pair();
        let (output, writing) = rustix::pipe::pipe().unwrap();
        let child = sys::fork(|| {
            // Other tests run beside this one: their listeners and sockets must not live on in here.
            sys::close_all_but(&[userns, &theirs, &writing]);
            nix::sched::setns(userns, CloneFlags::CLONE_NEWUSER).unwrap();
            nix::unistd::setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0)).unwrap();
            nix::unistd::setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).unwrap();
            before();
            rustix::stdio::dup2_stdout(&writing).unwrap();
            rustix::thread::set_no_new_privs(true).unwrap();
            match by {
                Interceptor::Notify => {
                    let listener = sys::install_with_listener(&bpf::emit(&sandbox(Witness::Notify)).unwrap());
                    send_descriptor(&theirs, listener.as_fd());
                }
                Interceptor::Ptrace => {
                    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
                    sys::install(&bpf::emit(&sandbox(Witness::Trace)).unwrap());
                    rustix::net::send(&theirs, b"x", SendFlags::empty()).unwrap();
                }
            }
            receive_byte(&theirs);
            role()
        });
        let child = Child(child);
        let trap = match by {
            Interceptor::Notify => receive_descriptor(&ours),
            Interceptor::Ptrace => {
                receive_byte(&ours);
                rustix::process::pidfd_open(pid(child.0), rustix::process::PidfdFlags::empty()).unwrap()
            }
        };
        Self { child, trap: Some(trap), is_traced: by == Interceptor::Ptrace, gate: ours, output: output.into() }
    }

    /// Lets the script begin.
    pub(crate) fn go(&self) {
        rustix::net::send(&self.gate, b"x", SendFlags::empty()).unwrap();
    }

    /// Gives what it is to be supervised by to somebody else than a sentry.
    pub(crate) fn take_trap(&mut self) -> OwnedFd {
        self.trap.take().unwrap()
    }

    /// To be handed over once more.
    pub(crate) fn trap_again(&mut self) {
        let pidfd = rustix::process::pidfd_open(pid(self.child.0), rustix::process::PidfdFlags::empty()).unwrap();
        self.trap = Some(pidfd);
    }

    /// The next line of the script's output.
    pub(crate) fn line(&mut self) -> String {
        self.line_within(PATIENCE)
    }

    /// The same of one that may be busy for longer.
    pub(crate) fn line_within(&mut self, limit: Duration) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        assert!(is_readable(self.output.as_fd(), limit), "the workload says nothing");
        while self.output.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            line.extend_from_slice(&byte);
        }
        String::from_utf8(line).unwrap()
    }

    /// Whether it prints something soon.
    pub(crate) fn says_something(&self, limit: Duration) -> bool {
        is_readable(self.output.as_fd(), limit)
    }

    /// The result and errno of the next call.
    pub(crate) fn result(&mut self) -> (i64, i32) {
        let line = self.line();
        let (result, errno) = line.split_once(' ').unwrap_or_else(|| panic!("no result: {line}"));
        (result.parse().unwrap(), errno.parse().unwrap())
    }

    /// Waits for its end, which has to be without an error of perl.
    pub(crate) fn finish(self) {
        let id = self.child.0;
        assert!(self.trap.is_none(), "nobody watches it");
        assert_eq!(self.child.wait(), WaitStatus::Exited(id, 0));
    }
}

/// A handoff for a container that may do nothing special.
pub(crate) fn plain() -> Handoff {
    Handoff {
        version: handoff::VERSION,
        container: "box".to_owned(),
        may_set_hostname: false,
        may_mount: false,
        has_memory_limit: false,
        has_memory_usage: false,
        started: Duration::ZERO,
        sandbox_pid: 1,
        interceptor: Interceptor::Notify,
        records: Policy::default(),
    }
}

/// The whole run of a script beside a sentry: the results of its calls, and what was recorded.
pub(crate) fn play(by: Interceptor, script: &str) -> (Vec<(i64, i32)>, Audit) {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns, by);
    let mut workload = Workload::start(&userns, by, script);
    sentry.watch(&mut workload, plain(), &[]);
    workload.go();
    let calls = script.lines().filter(|line| line.trim_start().starts_with("c \"")).count();
    let results = (0..calls).map(|_| workload.result()).collect();
    workload.finish();
    (results, sentry.finish())
}

/// The role of a sentry in `userns`.
pub(crate) fn serve_in(userns: &OwnedFd, seat: Seat) -> i32 {
    enter_as_last_id(userns);
    i32::from(serve(seat) != ExitCode::SUCCESS)
}

/// As the runtime does it: the highest id of the namespace, with the namespace's capabilities.
fn enter_as_last_id(userns: &OwnedFd) {
    let id = IDS.1 - 1;
    nix::sched::setns(userns, CloneFlags::CLONE_NEWUSER).unwrap();
    nix::unistd::setresgid(Gid::from_raw(id), Gid::from_raw(id), Gid::from_raw(id)).unwrap();
    rustix::thread::set_keep_capabilities(true).unwrap();
    nix::unistd::setresuid(Uid::from_raw(id), Uid::from_raw(id), Uid::from_raw(id)).unwrap();
}

fn private_proc() -> OwnedFd {
    file_system("proc", &[("hidepid", "ptraceable")], MountAttrFlags::empty())
}

pub(crate) fn empty_root() -> OwnedFd {
    file_system("tmpfs", &[("mode", "555"), ("size", "4096")], MountAttrFlags::MOUNT_ATTR_RDONLY)
}

fn file_system(kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> OwnedFd {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    for (key, value) in options {
        rustix::mount::fsconfig_set_string(context.as_fd(), *key, *value).unwrap();
    }
    rustix::mount::fsconfig_create(context.as_fd()).unwrap();
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).unwrap()
}

/// In the place of a file of the memory controller.
pub(crate) fn memory_file(text: &str) -> OwnedFd {
    let file = rustix::fs::memfd_create("memory", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    assert_eq!(rustix::io::write(&file, text.as_bytes()), Ok(text.len()));
    file
}

pub(crate) fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

pub(crate) fn receive_byte(socket: &OwnedFd) {
    assert!(is_readable(socket.as_fd(), PATIENCE), "nobody gives the sign");
    let mut byte = [0];
    rustix::net::recv(socket, &mut byte, RecvFlags::empty()).unwrap();
}

fn send_descriptor(socket: &OwnedFd, descriptor: BorrowedFd<'_>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
    rustix::net::sendmsg(socket, &[IoSlice::new(b"x")], &mut ancillary, SendFlags::empty()).unwrap();
}

fn receive_descriptor(socket: &OwnedFd) -> OwnedFd {
    assert!(is_readable(socket.as_fd(), PATIENCE), "no listener");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    let mut rights = ancillary.drain().filter_map(|message| {
        if let RecvAncillaryMessage::ScmRights(mut rights) = message { rights.next() } else { None }
    });
    rights.next().expect("a listener")
}

pub(crate) fn is_readable(descriptor: BorrowedFd<'_>, limit: Duration) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    rustix::event::poll(&mut fds, Some(&Timespec::try_from(limit).unwrap())).unwrap() > 0
}
