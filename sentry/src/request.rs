//! A trapped call as owned data: what it asks for and how that reads. Nothing in here points into a guest.
//!
//! Made by `copyin`, judged by `decide`, put down by `court`. Must not hold an address that anybody follows; the
//! one address in here (`Subject::Sysinfo`) is where an answer is written to.

use lazaret_profiles::class::{Errno, Event};
use lazaret_profiles::nested::FileSystem;

use crate::limits;
use crate::mount_flag;
use crate::text;

/// One trapped call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The number that stood in the register.
    pub(crate) number: u32,
    /// The table's name of it, or `#NUMBER` where the table has none.
    pub(crate) syscall: String,
    /// What the table's class of it is called.
    pub(crate) rule: &'static str,
    /// Its arguments as text, in order.
    pub(crate) arguments: Vec<Argument>,
    /// What there is to decide.
    pub(crate) subject: Subject,
    /// Whether any of it comes from the caller's memory rather than from its registers.
    pub(crate) is_copied: bool,
}

/// One argument as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    /// Decoded and cut.
    pub(crate) text: String,
    /// Whether it tells one attempt from another.
    pub(crate) telling: bool,
}

/// What there is to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The table refuses the call or these arguments.
    Refused {
        /// The answer.
        errno: Errno,
        /// The words for the record.
        reason: Reason,
    },
    /// mount(2).
    Mount(Box<MountCall>),
    /// umount2(2).
    Unmount {
        /// Where.
        target: Text,
        /// `MNT_*` and `UMOUNT_NOFOLLOW`.
        flags: u64,
    },
    /// sethostname(2) or setdomainname(2).
    Name {
        /// The domain name rather than the host name.
        domain: bool,
        /// The bytes, or why there are none.
        name: Result<Vec<u8>, NameFault>,
    },
    /// connect(2).
    Connect {
        /// The caller's descriptor.
        fd: i32,
        /// The address as `struct sockaddr`, or why there is none.
        address: Result<Vec<u8>, AddressFault>,
    },
    /// sysinfo(2) into this address of the caller.
    Sysinfo {
        /// Where the answer goes.
        address: u64,
    },
}

/// The arguments of mount(2), copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountCall {
    /// A device, a path or any word.
    pub(crate) source: Text,
    /// A path.
    pub(crate) target: Text,
    /// A file system type.
    pub(crate) fstype: Text,
    /// `MS_*`.
    pub(crate) flags: u64,
    /// Options.
    pub(crate) data: Text,
}

impl MountCall {
    /// Whether a record may show its options: those of network file systems hold passwords.
    pub(crate) fn may_be_shown(&self) -> bool {
        match (&self.fstype, &self.data) {
            (_, Text::Null) => true,
            (Text::Bytes(name), _) => FileSystem::by_name(name).is_some(),
            (Text::Null | Text::Unreadable | Text::TooLong, _) => false,
        }
    }
}

/// A string of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// A null pointer.
    Null,
    /// Its memory cannot be read.
    Unreadable,
    /// It does not end within its bound.
    TooLong,
    /// Its bytes, without the end.
    Bytes(Vec<u8>),
}

impl Text {
    /// As a record has it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Null => NULL.to_owned(),
            Self::Unreadable => UNREADABLE.to_owned(),
            Self::TooLong => HIDDEN.to_owned(),
            Self::Bytes(bytes) => text::cut(bytes, limits::RECORDED_TEXT),
        }
    }
}

/// Why an address could not be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressFault {
    /// Longer than [`limits::SOCKET_ADDRESS`], or of negative length.
    TooLong,
    /// Its memory cannot be read.
    Unreadable,
}

/// Why a name could not be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameFault {
    /// Longer than [`limits::HOSTNAME`], or of negative length.
    TooLong,
    /// Its memory cannot be read.
    Unreadable,
}

/// Why a call is refused, in the words that the record and the user get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reason {
    /// A stable id.
    pub(crate) technique: &'static str,
    /// Why, one line.
    pub(crate) why: &'static str,
    /// What would allow it, or why nothing does.
    pub(crate) allow: &'static str,
}

impl From<Event> for Reason {
    fn from(event: Event) -> Self {
        Self { technique: event.technique(), why: event.why(), allow: event.allow() }
    }
}

impl Reason {
    /// The filter and the table disagree: refused, and worth a bug report.
    pub(crate) const UNEXPECTED: Self = Self {
        technique: "sentry.unexpected",
        why: "the filter sent a call that the table does not trap",
        allow: "nothing does; this is a bug in lazaret",
    };

    /// Refusals that are no longer told apart in the counts.
    pub(crate) const MANY: Self = Self {
        technique: "sentry.many",
        why: "more distinct calls were refused than are counted one by one",
        allow: "the audit records name them as far as they were written",
    };

    /// A handler failed: refused, whatever the rights of the caller are.
    pub(crate) const FAILED: Self = Self {
        technique: "sentry.failure",
        why: "the sentry could not carry the call out",
        allow: "the audit record names the error",
    };
}

impl Request {
    /// Whether the caller has to be known to wait still before anything is decided: its memory was read, or is going to
    /// be written, or its rights were looked up, and its number may be another process's by now. A refusal on the
    /// kernel's own copy of the registers is right in any case, and finds nobody if the caller is gone.
    pub(crate) fn must_still_wait(&self) -> bool {
        self.is_copied || !matches!(self.subject, Subject::Refused { .. })
    }

    /// The line that tells this attempt from others, such as `mount -t tmpfs none on /mnt` or `unshare CLONE_NEWUSER`.
    pub(crate) fn what(&self) -> String {
        let line = self.mount_line().unwrap_or_else(|| {
            let mut line = self.syscall.clone();
            for argument in self.arguments.iter().filter(|argument| argument.telling) {
                line.push(' ');
                line.push_str(&argument.text);
            }
            line
        });
        text::cut(line.as_bytes(), limits::RECORDED_WHAT)
    }

    /// mount(2) the way that mount(8) is typed. The flags stand in the record.
    fn mount_line(&self) -> Option<String> {
        let (Subject::Mount(call), [source, target, fstype, ..]) = (&self.subject, self.arguments.as_slice()) else {
            return None;
        };
        // A bind or a remount has no use for the type, whatever stands there.
        let by_flags = fstype.text == NULL || mount_flag::is_about_what_is_mounted(call.flags);
        let (kind, word) = if by_flags { ("-o", self.arguments.get(3)?) } else { ("-t", fstype) };
        Some(format!("{} {kind} {} {} on {}", self.syscall, word.text, source.text, target.text))
    }

    /// A telling part for errors and tests: the text of the argument with this name.
    #[cfg(test)]
    pub(crate) fn argument(&self, name: &str) -> Option<&str> {
        self.arguments.iter().find(|argument| argument.name == name).map(|argument| argument.text.as_str())
    }
}

/// The text of a null pointer where a string is expected.
pub(crate) const NULL: &str = "NULL";

/// The text of a string that is not to be shown.
pub(crate) const HIDDEN: &str = "…";

/// The text of a string that cannot be read.
pub(crate) const UNREADABLE: &str = "?";

#[cfg(test)]
mod tests {
    use super::*;

    fn argument(name: &'static str, text: &str, telling: bool) -> Argument {
        Argument { name, text: text.to_owned(), telling }
    }

    fn request(syscall: &str, subject: Subject, arguments: Vec<Argument>) -> Request {
        Request { number: 0, syscall: syscall.to_owned(), rule: "", arguments, subject, is_copied: false }
    }

    fn mount() -> Subject {
        let (source, target, fstype, data) = (Text::Null, Text::Null, Text::Null, Text::Null);
        Subject::Mount(Box::new(MountCall { source, target, fstype, flags: 0, data }))
    }

    fn refused() -> Subject {
        Subject::Refused { errno: Errno::EPERM, reason: Reason::UNEXPECTED }
    }

    #[test]
    fn mount_reads_as_it_is_typed() {
        let mut arguments = vec![
            argument("source", "none", true),
            argument("target", "/mnt", true),
            argument("fstype", "tmpfs", true),
            argument("flags", "MS_NOSUID", true),
        ];
        assert_eq!(request("mount", mount(), arguments.clone()).what(), "mount -t tmpfs none on /mnt");
        arguments[2].text = NULL.to_owned();
        arguments[3].text = "MS_BIND".to_owned();
        assert_eq!(request("mount", mount(), arguments).what(), "mount -o MS_BIND none on /mnt");
    }

    #[test]
    fn only_telling_arguments_make_the_line() {
        let arguments = vec![argument("request", "PTRACE_ATTACH", true), argument("pid", "17", false)];
        assert_eq!(request("ptrace", refused(), arguments).what(), "ptrace PTRACE_ATTACH");
        let umount = vec![argument("target", "/proc", true), argument("flags", "MNT_DETACH", false)];
        let unmount = Subject::Unmount { target: Text::Null, flags: 2 };
        assert_eq!(request("umount2", unmount, umount).what(), "umount2 /proc");
    }

    #[test]
    fn long_lines_are_cut() {
        let arguments = vec![argument("path", &"x".repeat(1000), true)];
        assert_eq!(request("swapon", refused(), arguments).what().chars().count(), limits::RECORDED_WHAT + 1);
    }
}
