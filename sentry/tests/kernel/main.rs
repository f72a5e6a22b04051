//! The sentry against the real kernel: a workload under the shipped filter in a user namespace of its own, a sentry
//! forked as the runtime forks it, and the test in the place of the monitor.
//!
//! Needs root, user namespaces, seccomp listeners and perl (which plays the workload). Run with `--ignored`.

#[cfg(test)]
mod answers;
#[cfg(test)]
#[cfg(feature = "jail-hook")]
mod attempts;
#[cfg(test)]
#[cfg(feature = "jail-hook")]
mod canary;
#[cfg(test)]
mod confinement;
#[cfg(test)]
mod endings;
#[cfg(test)]
#[cfg(feature = "jail-hook")]
mod jail;
#[cfg(test)]
mod racer;
#[cfg(test)]
mod races;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod storm;
#[cfg(test)]
#[expect(unsafe_code, reason = "fork(2) and seccomp(2) with a listener, which no library wraps")]
mod sys;
#[cfg(test)]
#[expect(unsafe_code, reason = "seccomp notifications and ptrace(2) without the sentry's own code for them")]
mod trap;
#[cfg(test)]
mod unsound;
