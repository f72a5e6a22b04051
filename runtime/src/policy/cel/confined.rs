//! A child that evaluates, with limits of time and memory. CEL ends always, and nested loops over a long list of a pod's
//! author end too late; the library neither counts its steps nor its memory, and its parser's stack is as deep as an
//! expression is. All of that ends the child, and nothing else.

use std::time::Duration;

use rustix::process::{Signal, WaitStatus};

use super::document::Policy;
use super::evaluate::{self, Outcome};
use super::input::Input;
use crate::asked_child;
use crate::sys::process;

/// Most time on the processor, in seconds: the unit of `RLIMIT_CPU`. Honest policies take less than a millisecond.
const CPU_SECONDS: u64 = 1;
/// Most time at all, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most memory beyond what this process has, in bytes.
const MEMORY: u64 = 256 << 20;
/// Longest answer, in bytes.
const LONGEST: usize = 1 << 20;

/// What `policies` come to, or why the child has no answer.
pub(super) fn evaluate(policies: &[Policy], input: &Input) -> Result<Vec<Outcome>, String> {
    let work = || {
        limit().ok()?;
        serde_json::to_vec(&evaluate::all(policies, input)).ok()
    };
    let asked = asked_child::ask(PATIENCE, LONGEST, work).map_err(|error| format!("no child: {error}"))?;
    let answer = asked.answer.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    answer.ok_or_else(|| why(asked.status))
}

fn limit() -> std::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let size = size.and_then(|size| size.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let memory = size.ok_or(std::io::ErrorKind::InvalidData)?.saturating_mul(1024).saturating_add(MEMORY);
    process::set_own_rlimit(libc::RLIMIT_AS, memory, memory)?;
    process::set_own_rlimit(libc::RLIMIT_CORE, 0, 0)?;
    process::set_own_rlimit(libc::RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS)
}

fn why(status: Option<WaitStatus>) -> String {
    let signal = status.and_then(WaitStatus::terminating_signal);
    let is = |known: Signal| signal == Some(known.as_raw());
    if is(Signal::XCPU) || is(Signal::KILL) {
        return format!("it takes more than {CPU_SECONDS} s of processor time");
    }
    if is(Signal::ABORT) || is(Signal::SEGV) || is(Signal::BUS) {
        return format!("it takes more memory than {} MiB, or is nested too deeply", MEMORY >> 20);
    }
    "the child that evaluates it ended without an answer".to_owned()
}
