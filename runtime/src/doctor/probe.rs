//! Running a probe in a child of its own: whatever it does to itself (a filter, a namespace, an end by signal) ends there.

use std::time::Duration;

use rustix::process::{Signal, WaitStatus};

use super::answer::{Answer, Want, decode, encode};
use crate::asked_child;

/// How long a probe may take; the slowest take milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer read, in bytes.
const LONGEST: usize = 4096;

/// What `probe` answers in a child. Ends by SIGSYS are an answer: a filter outside of ours kills whoever asks.
pub(super) fn ask(probe: impl FnOnce() -> Answer) -> Answer {
    let asked = asked_child::ask(PATIENCE, LONGEST, || {
        // A probe that hangs must not outlive who asks.
        let bound = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        let answer = bound.map_err(|error| Want::Unknown(format!("prctl: {error}"))).and_then(|()| probe());
        Some(encode(&answer))
    });
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => return Err(Want::Unknown(format!("no child process could be asked: {error}"))),
    };
    match asked.answer.as_deref().map(decode) {
        Some(Some(answer)) => answer,
        Some(None) => Err(without_answer(asked.status)),
        None => Err(Want::Unknown(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

fn without_answer(status: Option<WaitStatus>) -> Want {
    match status.and_then(WaitStatus::terminating_signal) {
        Some(libc::SIGSYS) => Want::Gap("the probe was killed by SIGSYS: a filter outside forbids the call".to_owned()),
        Some(signal) => Want::Unknown(format!("the probe was killed by signal {signal}")),
        None => Want::Unknown("the probe ended without an answer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clone;

    #[test]
    fn an_end_without_an_answer_is_no_answer() {
        assert_eq!(ask(|| Ok("here".to_owned())), Ok("here".to_owned()));
        assert_eq!(ask(|| Err(Want::Gap("x".to_owned()))), Err(Want::Gap("x".to_owned())));
        assert!(matches!(ask(|| clone::exit_now(0)), Err(Want::Unknown(_))));
        let ended_by = |signal| {
            ask(|| {
                let own = rustix::process::getpid();
                rustix::process::kill_process(own, signal).map_err(|error| Want::Unknown(error.to_string()))?;
                Ok(String::new())
            })
        };
        assert_eq!(ended_by(Signal::KILL), Err(Want::Unknown("the probe was killed by signal 9".to_owned())));
        assert!(matches!(ended_by(Signal::SYS), Err(Want::Gap(_))));
    }
}
