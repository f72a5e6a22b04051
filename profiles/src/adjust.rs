//! A profile's changes to the table's plans: rows that become stricter, and rows that strict mode may have back.
//!
//! The table stays the one source of what a call gets. A profile can refuse any call that a program can start without,
//! and can loosen a row of the strict column to the sandbox's choice where that is the kernel's own work, and to nothing looser: what the sandbox refuses was
//! judged an escape's means, and no line of a profile makes it anything else.

use crate::class::{Class, Errno};
use crate::plan::{self, Plan, Witness};
use crate::syscalls::{self, Choice, Column, Row};

/// Calls that no profile can refuse: without them the container's first process does not come as far as its program, nor
/// says why.
const NEEDED: &[&str] = &[
    "brk",
    "close",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "fcntl",
    "futex",
    "mmap",
    "mprotect",
    "munmap",
    "read",
    "recvmsg",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sendmsg",
    "sigaltstack",
    "write",
];

/// Changes to a column of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    refuse: Vec<u32>,
    loosen: Vec<u32>,
}

/// Why a call cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The table has no such call.
    #[error("{name:?} is no system call{}", nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default())]
    Unknown {
        /// The name.
        name: String,
        /// The nearest of the table.
        nearest: Option<&'static str>,
    },
    /// It cannot be refused.
    #[error("{0:?} cannot be refused: no container starts without it")]
    Needed(String),
    /// It cannot be loosened.
    #[error("{name:?} cannot be allowed: {reason}")]
    Refused {
        /// The name.
        name: String,
        /// The table's reason.
        reason: &'static str,
    },
}

/// Checks one call that a profile refuses.
///
/// # Errors
/// [`ChangeError::Unknown`] and [`ChangeError::Needed`].
pub fn check_refused(name: &str) -> Result<&'static Row, ChangeError> {
    if NEEDED.contains(&name) { Err(ChangeError::Needed(name.to_owned())) } else { row(name) }
}

/// Checks one call that a profile allows: strict mode has another choice for it than the sandbox, which is looser.
///
/// # Errors
/// [`ChangeError::Unknown`] and [`ChangeError::Refused`].
pub fn check_allowed(name: &str) -> Result<&'static Row, ChangeError> {
    let row = row(name)?;
    if row.strict.is_none() || !matches!(row.class, Class::Native | Class::Arg(_)) {
        return Err(ChangeError::Refused { name: name.to_owned(), reason: row.reason });
    }
    Ok(row)
}

fn row(name: &str) -> Result<&'static Row, ChangeError> {
    let known = || syscalls::TABLE.iter().map(|row| row.name).collect::<Vec<_>>();
    let unknown = || ChangeError::Unknown { name: name.to_owned(), nearest: crate::schema::nearest(name, &known()) };
    syscalls::TABLE.iter().find(|row| row.name == name).ok_or_else(unknown)
}

impl Changes {
    /// The changes that these names ask for.
    ///
    /// # Errors
    /// The first [`ChangeError`].
    pub fn new<'n>(
        refuse: impl IntoIterator<Item = &'n str>,
        allow: impl IntoIterator<Item = &'n str>,
    ) -> Result<Self, ChangeError> {
        let refuse = refuse.into_iter().map(|name| Ok(check_refused(name)?.number)).collect::<Result<_, _>>()?;
        let loosen = allow.into_iter().map(|name| Ok(check_allowed(name)?.number)).collect::<Result<_, _>>()?;
        Ok(Self { refuse, loosen })
    }

    /// Whether nothing is changed: then the programs that are written down hold.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.refuse.is_empty() && self.loosen.is_empty()
    }

    /// What `column` does with a call then. A call that is refused and allowed is refused.
    #[must_use]
    pub fn choice(&self, row: &Row, column: Column) -> Choice {
        let column = if self.loosen.contains(&row.number) { Column::Sandbox } else { column };
        let choice = row.choice(column);
        let is_refused = matches!(choice.class, Class::DenyNotify(_) | Class::Deny(_));
        if self.refuse.contains(&row.number) && !is_refused {
            let (class, errno) = (Class::Deny(Errno::EPERM), Errno::EPERM);
            return Choice { class, errno, reason: "the profile refuses it" };
        }
        choice
    }

    /// The plan of `column` with these changes; with `guarded`, for a container that was given a directory of the host.
    #[must_use]
    pub fn plan(&self, column: Column, guarded: bool, witness: Witness) -> Plan {
        let choice = |row: &Row| match row.guarded {
            Some(looked_at) if guarded && witness != Witness::None && !self.refuse.contains(&row.number) => looked_at,
            Some(_) | None => self.choice(row, column),
        };
        plan::of_choices(choice, witness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Action;

    fn number(name: &str) -> u32 {
        row(name).unwrap().number
    }

    #[test]
    fn without_changes_a_plan_is_the_columns_own() {
        for (column, witness) in Column::ALL.iter().flat_map(|column| Witness::ALL.iter().map(move |one| (column, one)))
        {
            assert_eq!(Changes::default().plan(*column, false, *witness), plan::of_column(*column, *witness));
            assert_eq!(Changes::default().plan(*column, true, *witness), plan::guarded(*column, *witness));
        }
    }

    #[test]
    fn a_call_is_refused_and_one_of_strict_mode_given_back() {
        let changes = Changes::new(["getpid", "connect", "mount"], ["shmget", "splice"]).unwrap();
        for guarded in [false, true] {
            let plan = changes.plan(Column::Strict, guarded, Witness::Notify);
            let decide = |name: &str| plan.decide(number(name), &[0; 6]);
            assert_eq!(decide("getpid"), Action::Errno(1));
            assert_eq!(decide("connect"), Action::Errno(1));
            assert_eq!(decide("mount"), Action::Notify, "what is refused already is still witnessed");
            assert_eq!((decide("shmget"), decide("splice")), (Action::Allow, Action::Allow));
            assert_ne!(decide("semget"), Action::Allow);
        }
    }

    #[test]
    fn what_cannot_be_changed_is_named() {
        let refused = |name| Changes::new([name], []).unwrap_err().to_string();
        let allowed = |name| Changes::new([], [name]).unwrap_err().to_string();
        assert_eq!(refused("execve"), "\"execve\" cannot be refused: no container starts without it");
        assert_eq!(refused("getpidd"), "\"getpidd\" is no system call; did you mean \"getpid\"?");
        for name in ["mount", "bpf", "io_uring_setup", "ptrace", "getpid"] {
            assert!(allowed(name).starts_with(&format!("\"{name}\" cannot be allowed: ")), "{name}");
        }
    }

    /// What a profile gives back in strict mode, the sandbox gives anyway.
    #[test]
    fn nothing_becomes_looser_than_the_sandbox() {
        for row in syscalls::TABLE.iter().filter(|row| check_allowed(row.name).is_ok()) {
            let changes = Changes::new([], [row.name]).unwrap();
            assert_eq!(changes.choice(row, Column::Strict), row.choice(Column::Sandbox), "{}", row.name);
        }
    }
}
