//! The one table: every system call of the architecture, what is done with it, and why.
//!
//! The planner, the sentry's dispatch, audit records, profile loading and `lazaret syscalls` read it. A name or
//! number of a system call stands nowhere else. What the architecture alone decides (numbers, AUDIT_ARCH) is in
//! `x86_64`; classes and reasons are in `policy`, by name; a second architecture is a second file of numbers. The
//! two are joined when the crate is compiled: a name that is missing on either side does not build.

mod elsewhere;
mod policy;
mod x86_64;

use std::sync::LazyLock;

use crate::check::Arguments;
use crate::class::{Class, Errno, Event, Refusal};
use crate::rules::{self, Answer};
use policy::{POLICY, Policy};
use x86_64 as architecture;

/// What part of the kernel a call belongs to: the chapter of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Bytes through an open file: read, write, poll, pipes, events.
    Io,
    /// Files by path and their metadata.
    File,
    /// Address space.
    Memory,
    /// Life of processes and threads.
    Process,
    /// CPU time and priority.
    Schedule,
    /// Signals.
    Signal,
    /// User, group, capabilities.
    Identity,
    /// Futexes and thread bookkeeping.
    Sync,
    /// Clocks and timers.
    Time,
    /// Sockets.
    Network,
    /// System V and POSIX message queues, semaphores, shared memory.
    Ipc,
    /// Asynchronous I/O and io_uring.
    Async,
    /// Limiting oneself: seccomp, Landlock, keys, security modules.
    Security,
    /// Namespaces.
    Namespace,
    /// Mounts and roots.
    Mount,
    /// Looking into other processes.
    Inspect,
    /// Facts on the system.
    Info,
    /// Administering the machine.
    Admin,
    /// Calls that the kernel no longer has, or never had.
    Dead,
}

impl Family {
    /// The chapter's heading in lists and documentation.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Io => "open files",
            Self::File => "files by path",
            Self::Memory => "memory",
            Self::Process => "processes",
            Self::Schedule => "scheduling",
            Self::Signal => "signals",
            Self::Identity => "identity",
            Self::Sync => "synchronisation",
            Self::Time => "time",
            Self::Network => "network",
            Self::Ipc => "ipc",
            Self::Async => "asynchronous i/o",
            Self::Security => "security",
            Self::Namespace => "namespaces",
            Self::Mount => "mounts",
            Self::Inspect => "other processes",
            Self::Info => "system information",
            Self::Admin => "administration",
            Self::Dead => "gone",
        }
    }
}

/// A column of the table: what holds in one mode. In native mode the table holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// Sandbox mode.
    Sandbox,
    /// Strict mode.
    Strict,
}

impl Column {
    /// Every column, the looser first.
    pub const ALL: &[Self] = &[Self::Sandbox, Self::Strict];
}

/// What one mode does with a call, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// What is done with it.
    pub class: Class,
    /// The answer where the call as a whole is refused.
    pub errno: Errno,
    /// Why, in one line that can be argued with.
    pub reason: &'static str,
}

impl Choice {
    /// The technique and the answer, where a call with these arguments is refused and recorded.
    #[must_use]
    pub fn refusal(&self, args: &Arguments) -> Option<Refusal> {
        match self.class {
            Class::DenyNotify(event) => Some(Refusal { event, errno: self.errno }),
            Class::Arg(rule) => match rules::cases(rule).answer(args) {
                Answer::Recorded(refusal) => Some(refusal),
                Answer::Allowed | Answer::Quiet(_) => None,
            },
            Class::Native | Class::Emulate(_) | Class::Deny(_) => None,
        }
    }
}

/// One system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The number on this architecture.
    pub number: u32,
    /// The kernel's name.
    pub name: &'static str,
    /// The chapter.
    pub family: Family,
    /// What is done with it in sandbox mode.
    pub class: Class,
    /// The answer where the call as a whole is refused in sandbox mode. A refused argument has its own: [`Row::refusal`].
    pub errno: Errno,
    /// Why, in one line that can be argued with.
    pub reason: &'static str,
    /// What strict mode does instead; `None` where it does the same.
    pub strict: Option<Choice>,
    /// What either mode does instead for a container that was given a directory of the host; `None` where that changes
    /// nothing.
    pub guarded: Option<Choice>,
}

impl Row {
    /// What a mode does with the call.
    #[must_use]
    pub fn choice(&self, column: Column) -> Choice {
        let sandbox = Choice { class: self.class, errno: self.errno, reason: self.reason };
        match column {
            Column::Sandbox => sandbox,
            Column::Strict => self.strict.unwrap_or(sandbox),
        }
    }

    /// The choice that a trapped call with these arguments was refused by: strict mode's where the sandbox's refuses nothing.
    #[must_use]
    pub fn decided_by(&self, args: &Arguments) -> Choice {
        if let Some(guarded) = self.guarded {
            // Neither mode traps it otherwise.
            return guarded;
        }
        let column = match (self.class, self.choice(Column::Sandbox).refusal(args)) {
            (Class::Native | Class::Arg(_), None) => Column::Strict,
            _ => Column::Sandbox,
        };
        self.choice(column)
    }

    /// The technique and the answer, where a call with these arguments is refused and recorded in either mode; `None`
    /// where it is allowed, emulated, or refused without a record.
    ///
    /// BPF has decided by the same cases before the sentry is asked; this names what it decided. The mode needs no
    /// telling: what the sandbox lets through comes to the sentry in strict mode alone.
    #[must_use]
    pub fn refusal(&self, args: &Arguments) -> Option<Refusal> {
        let by = |column| self.choice(column).refusal(args);
        by(Column::Sandbox).or_else(|| by(Column::Strict))
    }

    /// The technique that an emulated call is recorded as when the handler refuses it; `None` for other classes and
    /// for calls whose refusal is no technique.
    #[must_use]
    pub const fn refused_emulation(&self) -> Option<Event> {
        match self.class {
            Class::Emulate(handler) => handler.refused_as(),
            Class::Native | Class::Arg(_) | Class::DenyNotify(_) | Class::Deny(_) => None,
        }
    }
}

/// Every call, sorted by number.
pub const TABLE: &[Row] = &JOINED;

/// The value of `seccomp_data.arch` that the numbers belong to.
pub const AUDIT_ARCH: u32 = architecture::AUDIT_ARCH;

/// Numbers from this one on belong to x32, which shares the architecture mark of x86-64 (`__X32_SYSCALL_BIT`).
pub const X32_BIT: u32 = architecture::X32_BIT;

/// What a SCMP_ARCH_* name is to this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// The one that the table is for.
    Own,
    /// The processor runs its programs too; its calls come with this mark in `seccomp_data.arch`.
    Relative(u32),
    /// x32: our own mark, numbers from [`X32_BIT`] on.
    X32,
    /// Its programs do not run here.
    Unrelated,
}

/// What a libseccomp architecture name is to this machine; `None` for a name that the specification does not have.
#[must_use]
pub fn architecture(name: &str) -> Option<Architecture> {
    let known = architecture::ARCHITECTURES.iter().find(|(known, _)| *known == name);
    known.map(|(_, what)| *what).or_else(|| elsewhere::ARCHITECTURES.contains(&name).then_some(Architecture::Unrelated))
}

/// Whether another architecture has a call of this name, which our own lacks.
#[must_use]
pub fn exists_elsewhere(name: &str) -> bool {
    elsewhere::NAMES.contains(&name)
}

const COUNT: usize = architecture::NUMBERS.len();
const _: () = assert!(POLICY.len() == COUNT, "the policy has rows that this architecture has no number for");
static JOINED: [Row; COUNT] = join();

/// The row of a number; `None` for a number that no call of the table has.
#[must_use]
pub fn by_number(nr: u32) -> Option<&'static Row> {
    TABLE.binary_search_by_key(&nr, |row| row.number).ok().and_then(|at| TABLE.get(at))
}

/// The row of a name; `None` for a name that this architecture does not have.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Row> {
    let at = BY_NAME.binary_search_by_key(&name, |row| row.name).ok()?;
    BY_NAME.get(at).copied()
}

/// A profile names hundreds of calls: found by search, not by a walk over the table for each.
static BY_NAME: LazyLock<Vec<&'static Row>> = LazyLock::new(|| {
    let mut rows: Vec<&'static Row> = TABLE.iter().collect();
    rows.sort_unstable_by_key(|row| row.name);
    rows
});

const fn join() -> [Row; COUNT] {
    let mut rows = [Row {
        number: 0,
        name: "",
        family: Family::Dead,
        class: Class::Deny(Errno::ENOSYS),
        errno: Errno::ENOSYS,
        reason: "",
        strict: None,
        guarded: None,
    }; COUNT];
    let mut at = 0;
    while at < COUNT {
        let (number, name) = architecture::NUMBERS[at];
        let policy = policy_of(name);
        rows[at] = Row {
            number,
            name,
            family: policy.family,
            class: policy.class,
            errno: policy.errno,
            reason: policy.reason,
            strict: policy.strict,
            guarded: policy.guarded,
        };
        at += 1;
    }
    rows
}

/// The compiler evaluates this; a name without a policy ends as an index past the end, which does not build.
const fn policy_of(name: &str) -> &'static Policy {
    let mut at = 0;
    while !same(POLICY[at].name, name) {
        at += 1;
    }
    &POLICY[at]
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}
