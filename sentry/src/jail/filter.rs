//! The sentry's own seccomp filter, made of `calls` by seccompiler. A call that is not in the list kills the process:
//! the kernel then answers the workload's trapped calls with ENOSYS, and the monitor kills the container.
//!
//! Called by `jail`, as its last step, before there is a second thread; threads inherit it.

use std::collections::BTreeMap;

use lazaret_profiles::syscalls;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::calls::{self, Condition, Must, Permit};

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    /// A permit names a call that the table does not have.
    #[error("no system call {0} in the table")]
    UnknownCall(&'static str),
    /// The filter cannot be made.
    #[error("cannot compile the filter")]
    Compile(#[source] BackendError),
    /// The filter cannot be installed.
    #[error("cannot install the filter")]
    Install(#[source] seccompiler::Error),
}

/// Rules by number, as seccompiler has them.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Puts every thread under the filter.
pub(super) fn install(permits: &[Permit]) -> Result<(), FilterError> {
    let unavailable = compile(
        rules(&[(calls::UNAVAILABLE, Vec::new())])?,
        SeccompAction::Allow,
        SeccompAction::Errno(rustix::io::Errno::NOSYS.raw_os_error().cast_unsigned()),
    )?;
    let allowed = compile(rules(permits)?, SeccompAction::KillProcess, SeccompAction::Allow)?;
    // The list comes last: it does not let a second filter be installed.
    for program in [unavailable, allowed] {
        seccompiler::apply_filter_all_threads(&program).map_err(FilterError::Install)?;
    }
    Ok(())
}

fn rules(permits: &[Permit]) -> Result<Rules, FilterError> {
    permits
        .iter()
        .map(|(name, alternatives)| {
            let row = syscalls::by_name(name).ok_or(FilterError::UnknownCall(name))?;
            let rules = alternatives.iter().map(|conditions| rule(conditions)).collect::<Result<_, _>>()?;
            Ok((i64::from(row.number), rules))
        })
        .collect()
}

fn rule(conditions: &[Condition]) -> Result<SeccompRule, FilterError> {
    let conditions = conditions
        .iter()
        .map(|(argument, must)| {
            let (length, operator, value) = match *must {
                Must::Equal(value) => (SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value),
                Must::EqualWord(value) => (SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, value),
                Must::HaveNone(bits) => (SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(bits), 0),
            };
            SeccompCondition::new(*argument, length, operator, value).map_err(FilterError::Compile)
        })
        .collect::<Result<_, _>>()?;
    SeccompRule::new(conditions).map_err(FilterError::Compile)
}

fn compile(rules: Rules, mismatch: SeccompAction, matched: SeccompAction) -> Result<BpfProgram, FilterError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(FilterError::Compile)?;
    SeccompFilter::new(rules, mismatch, matched, architecture)
        .and_then(BpfProgram::try_from)
        .map_err(FilterError::Compile)
}

#[cfg(test)]
mod tests {
    use lazaret_profiles::interpret::{self, SeccompData};

    use super::*;
    use crate::jail::calls::Descriptors;
    use crate::sys;

    fn descriptors() -> Descriptors {
        Descriptors { control: 10, records: vec![11, 13], proc: 12, wake: 14 }
    }

    fn program(may_trace: bool) -> Vec<lazaret_profiles::bpf::Insn> {
        let rules = rules(&calls::permits(&descriptors(), may_trace)).unwrap();
        compile(rules, SeccompAction::KillProcess, SeccompAction::Allow)
            .unwrap()
            .iter()
            .map(|insn| lazaret_profiles::bpf::Insn { code: insn.code, jt: insn.jt, jf: insn.jf, k: insn.k })
            .collect()
    }

    fn is_allowed(name: &str, args: [u64; 6]) -> bool {
        is_allowed_to(false, name, args)
    }

    fn is_allowed_to(may_trace: bool, name: &str, args: [u64; 6]) -> bool {
        let nr = syscalls::by_name(name).unwrap().number;
        let data = SeccompData { nr, arch: syscalls::AUDIT_ARCH, instruction_pointer: 0, args };
        interpret::run(&program(may_trace), &data).unwrap() == libc::SECCOMP_RET_ALLOW
    }

    #[test]
    fn tracer_seizes_answers_and_does_nothing_else() {
        let (options, [number, result]) = (sys::ptrace::OPTIONS, sys::ptrace::ANSWER_WORDS);
        let [cont, listen, info] = sys::ptrace::REQUESTS;
        let made = [
            [sys::ptrace::SEIZE, 7, 0, options, 0, 0],
            [sys::ptrace::POKE, 7, number, u64::MAX, 0, 0],
            [sys::ptrace::POKE, 7, result, 0, 0, 0],
            [cont, 7, 0, 0, 0, 0],
            [listen, 7, 0, 0, 0, 0],
            [info, 7, 88, 0, 0, 0],
        ];
        for args in made {
            assert!(is_allowed_to(true, "ptrace", args), "{args:x?}");
            assert!(!is_allowed("ptrace", args), "{args:x?}");
        }
        let instruction_pointer = 16 * 8;
        let others = [
            [sys::ptrace::SEIZE, 7, 0, 0, 0, 0],
            [sys::ptrace::SEIZE, 7, 0, options & !0x10_0000, 0, 0],
            [sys::ptrace::POKE, 7, instruction_pointer, 0, 0, 0],
            [u64::from(libc::PTRACE_PEEKDATA), 7, 0, 0, 0, 0],
            [u64::from(libc::PTRACE_POKEDATA), 7, 0, 0, 0, 0],
            [u64::from(libc::PTRACE_SETREGSET), 7, 0, 0, 0, 0],
            [u64::from(libc::PTRACE_DETACH), 7, 0, 0, 0, 0],
            [u64::from(libc::PTRACE_ATTACH), 7, 0, 0, 0, 0],
        ];
        for args in others {
            assert!(!is_allowed_to(true, "ptrace", args), "{args:x?}");
        }
        assert!(is_allowed_to(true, "wait4", [0; 6]) && !is_allowed("wait4", [0; 6]));
    }

    #[test]
    fn only_listener_requests_pass_ioctl() {
        for request in sys::LISTENER_REQUESTS {
            assert!(is_allowed("ioctl", [20, request, 0, 0, 0, 0]));
        }
        assert!(!is_allowed("ioctl", [0, 0x5412, 0, 0, 0, 0]));
    }

    #[test]
    fn files_are_opened_in_proc_for_reading_alone() {
        assert!(is_allowed("openat", [12, 0, 0o2_000_000, 0, 0, 0]));
        for (directory, flags) in [(12, 1), (12, 2), (12, 0o100), (12, 0o1000), (11, 0), (0xffff_ff9c, 0)] {
            assert!(!is_allowed("openat", [directory, 0, flags, 0, 0, 0]), "{directory} {flags:o}");
        }
        assert!(!is_allowed("readlinkat", [0xffff_ff9c, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn only_the_audit_file_and_the_eventfd_are_written_to() {
        assert!(is_allowed("write", [11, 0, 0, 0, 0, 0]));
        assert!(is_allowed("write", [14, 0, 0, 0, 0, 0]));
        assert!(!is_allowed("write", [10, 0, 0, 0, 0, 0]));
        assert!(!is_allowed("sendmsg", [11, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn threads_can_be_made_and_processes_cannot() {
        assert!(is_allowed("clone", [sys::THREAD_FLAGS, 0, 0, 0, 0, 0]));
        for flags in [0x11, sys::THREAD_FLAGS | 0x1000_0000, sys::THREAD_FLAGS & !0x1_0000] {
            assert!(!is_allowed("clone", [flags, 0, 0, 0, 0, 0]), "{flags:#x}");
        }
    }

    #[test]
    fn no_memory_becomes_code() {
        assert!(is_allowed("mmap", [0, 0, 3, 0, 0, 0]));
        assert!(!is_allowed("mmap", [0, 0, 5, 0, 0, 0]));
        assert!(!is_allowed("mprotect", [0, 0, 4, 0, 0, 0]));
    }

    #[test]
    fn everything_else_kills() {
        for may_trace in [false, true] {
            let listed: Vec<&str> = calls::permits(&descriptors(), may_trace).iter().map(|(name, _)| *name).collect();
            for row in syscalls::TABLE.iter().filter(|row| !listed.contains(&row.name)) {
                assert!(!is_allowed_to(may_trace, row.name, [0; 6]), "{}", row.name);
            }
        }
    }
}
