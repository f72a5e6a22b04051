//! One hook as a process: the container's state on its standard input, its end awaited until its deadline.
//!
//! Called by `hooks` beside the runtime, and by `init` inside the container. It knows no container: what it runs and in
//! which namespaces is the caller's matter. Callers are single-threaded, so a plain fork may run any code.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{MemfdFlags, OFlags, SealFlags};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus};

use crate::spec::hooks::Hook;
use crate::sys;

/// How much of a hook's output an error shows: its end.
const SHOWN_BYTES: usize = 1024;
/// Exit status of a child that could not execute the hook; its output says why.
const NOT_EXECUTED: u8 = 127;

/// The state of `runtime.md`, as hooks and seccomp agents get it.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HookState {
    /// `ociVersion`.
    pub oci_version: String,
    /// The container's id.
    pub id: String,
    /// `creating`, `created`, `running` or `stopped`.
    pub status: &'static str,
    /// The first process, as whoever reads this counts; 0 once it has ended.
    pub pid: i32,
    /// The bundle's directory.
    pub bundle: PathBuf,
    /// Annotations of the bundle.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A hook that failed. The words before the number are runc's, which callers show.
#[derive(Debug, thiserror::Error)]
#[error("error running {point} hook #{index} ({path})")]
pub struct HookError {
    /// Its key of `config.json`: `createRuntime` …
    pub point: &'static str,
    /// Its place in the list.
    pub index: usize,
    /// Its program.
    pub path: PathBuf,
    /// How.
    #[source]
    pub source: HookFailure,
}

/// How a hook failed.
#[derive(Debug, thiserror::Error)]
pub enum HookFailure {
    /// The process could not be made.
    #[error("could not start it")]
    Start(#[source] io::Error),
    /// It could not be waited for.
    #[error("could not wait for it")]
    Wait(#[source] io::Error),
    /// It ended in another way than with status 0.
    #[error("{how}{}", shown(output))]
    Status {
        /// Its exit status or signal, in words.
        how: String,
        /// The end of what it has said.
        output: String,
    },
    /// It was not done in time, and was killed.
    #[error("it was not done within {} seconds and was killed{}", limit.as_secs(), shown(output))]
    Late {
        /// `timeout`.
        limit: Duration,
        /// The end of what it has said.
        output: String,
    },
}

impl HookError {
    /// Stable number of this error.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self.source {
            HookFailure::Start(_) => 1490,
            HookFailure::Wait(_) => 1491,
            HookFailure::Status { .. } => 1492,
            HookFailure::Late { .. } => 1493,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let key = format!("hooks.{}[{}]", self.point, self.index);
        Some(match self.source {
            HookFailure::Late { .. } => format!("raise {key}.timeout, or see why the program hangs"),
            HookFailure::Start(_) | HookFailure::Wait(_) | HookFailure::Status { .. } => {
                format!("{key} comes from the engine or from its configuration, not from the image")
            }
        })
    }
}

fn shown(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!(": {output:?}") }
}

/// Runs the hooks of one point in order, until one fails.
///
/// # Errors
/// [`HookError`] of the first that fails; those after it are not run.
pub fn run_all(point: &'static str, hooks: &[Hook], state: &HookState) -> Result<(), HookError> {
    if hooks.is_empty() {
        return Ok(());
    }
    let input = input_of(state);
    for (index, hook) in hooks.iter().enumerate() {
        let failed = |source| HookError { point, index, path: hook.path.clone(), source };
        let input = input.as_ref().map_err(|error| failed(HookFailure::Start(copy_of(error))))?;
        run(hook, input).map_err(failed)?;
    }
    Ok(())
}

/// Runs the hooks of one point in order, all of them; a failure is logged.
pub fn run_each(point: &'static str, hooks: &[Hook], state: &HookState) {
    for (index, hook) in hooks.iter().enumerate() {
        let done = input_of(state).map_err(HookFailure::Start).and_then(|input| run(hook, &input));
        if let Err(source) = done {
            let error = HookError { point, index, path: hook.path.clone(), source };
            tracing::warn!("{}", crate::causes::chain(&error));
        }
    }
}

fn copy_of(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::from(error.kind()), io::Error::from_raw_os_error)
}

/// The state as a sealed file: a hook that does not read it blocks nobody, and none can change what the next one reads.
pub fn input_of(state: &HookState) -> io::Result<OwnedFd> {
    let text = serde_json::to_vec(state)?;
    let file = rustix::fs::memfd_create("state", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut rest = text.as_slice();
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// Runs one hook with `input` (of [`input_of`]) as its standard input.
///
/// # Errors
/// See [`HookFailure`]; the process and its group are gone then.
pub fn run(hook: &Hook, input: &OwnedFd) -> Result<(), HookFailure> {
    rustix::fs::seek(input, rustix::fs::SeekFrom::Start(0)).map_err(|error| HookFailure::Start(error.into()))?;
    let mut child = Child::start(hook, input).map_err(HookFailure::Start)?;
    let deadline = hook.timeout.map(|limit| Instant::now() + limit);
    let in_time = child.attend(deadline).map_err(HookFailure::Wait)?;
    if !in_time {
        child.kill();
    }
    let status = child.reap().map_err(HookFailure::Wait)?;
    let output = String::from_utf8_lossy(&child.said).trim().to_owned();
    match (in_time, hook.timeout) {
        (false, Some(limit)) => Err(HookFailure::Late { limit, output }),
        _ => judge(status, output),
    }
}

fn judge(status: WaitStatus, output: String) -> Result<(), HookFailure> {
    let how = match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => return Ok(()),
        (Some(status), _) => format!("exit status {status}"),
        (None, Some(signal)) => format!("it was killed by signal {signal}"),
        (None, None) => "it ended in an unknown way".to_owned(),
    };
    Err(HookFailure::Status { how, output })
}

/// A hook that runs.
struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    /// What it says; `None` once nobody holds the other end.
    output: Option<OwnedFd>,
    said: Vec<u8>,
}

impl Child {
    fn start(hook: &Hook, input: &OwnedFd) -> io::Result<Self> {
        let (output, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::fs::fcntl_setfl(&output, OFlags::NONBLOCK)?;
        let pid = sys::clone::fork_plainly(|| become_hook(hook, input, &theirs))?;
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { pid, pidfd, output: Some(output), said: Vec::new() })
    }

    /// Waits until it ends, and reads what it says; `false` when the deadline came first.
    fn attend(&mut self, deadline: Option<Instant>) -> io::Result<bool> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = vec![PollFd::new(&self.pidfd, PollFlags::IN)];
            fds.extend(self.output.as_ref().map(|output| PollFd::new(output, PollFlags::IN)));
            let ready = match rustix::event::poll(&mut fds, left.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                ready => ready?,
            };
            let has_ended = fds.first().is_some_and(|fd| !fd.revents().is_empty());
            drop(fds);
            // What a child of its own says later is nobody's business any more.
            self.listen();
            if has_ended || ready == 0 {
                return Ok(has_ended);
            }
        }
    }

    /// Takes what it has said since, and keeps the end of it.
    fn listen(&mut self) {
        let mut bytes = [0_u8; SHOWN_BYTES];
        while let Some(output) = &self.output {
            match rustix::io::read(output, &mut bytes) {
                Ok(0) => self.output = None,
                Ok(count) => {
                    self.said.extend(bytes.iter().take(count));
                    let spare = self.said.len().saturating_sub(SHOWN_BYTES);
                    self.said.drain(..spare);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_nothing_more) => return,
            }
        }
    }

    /// Kills it with its process group, which is its own.
    fn kill(&self) {
        let group = rustix::process::kill_process_group(self.pid, Signal::KILL);
        // Before it has made the group there is none; then it is alone.
        if let Err(error) = group.or_else(|_none| rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL)) {
            tracing::warn!(%error, "could not kill a hook");
        }
    }

    fn reap(&self) -> io::Result<WaitStatus> {
        loop {
            match rustix::process::waitpid(Some(self.pid), WaitOptions::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(status) => return status.map(|(_, status)| status).ok_or_else(|| io::ErrorKind::NotFound.into()),
            }
        }
    }
}

/// The child's part: from the fork to the hook. Returns only on failure.
fn become_hook(hook: &Hook, input: &OwnedFd, output: &OwnedFd) -> u8 {
    let Err(error) = execute(hook, input, output);
    let why = format!("could not execute {}: {error}", hook.path.display());
    // To whoever reads the output; the status says the rest.
    rustix::io::write(output, why.as_bytes()).map_or(NOT_EXECUTED, |_count| NOT_EXECUTED)
}

fn execute(hook: &Hook, input: &OwnedFd, output: &OwnedFd) -> io::Result<std::convert::Infallible> {
    rustix::process::setpgid(None, None)?;
    sys::process::reset_signals()?;
    // Before the streams are placed: what is to stay open lies below 3 by then.
    sys::clone::cloexec_from(3)?;
    rustix::stdio::dup2_stdin(input.as_fd())?;
    rustix::stdio::dup2_stdout(output.as_fd())?;
    rustix::stdio::dup2_stderr(output.as_fd())?;
    let path = CString::new(hook.path.as_os_str().as_bytes())?;
    let alone = [path.clone()];
    let args: &[CString] = if hook.args.is_empty() { &alone } else { &hook.args };
    Ok(nix::unistd::execve(&path, args, &hook.env)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str) -> Hook {
        let args = ["sh", "-c", line].map(|word| CString::new(word).unwrap());
        Hook { path: "/bin/sh".into(), args: args.to_vec(), env: vec![c"A=b c".to_owned()], timeout: None }
    }

    #[test]
    fn status_and_output_make_the_words() {
        let error = HookError {
            point: "createRuntime",
            index: 1,
            path: "/x".into(),
            source: HookFailure::Status { how: "exit status 3".to_owned(), output: "no".to_owned() },
        };
        assert_eq!(crate::causes::chain(&error), "error running createRuntime hook #1 (/x): exit status 3: \"no\"");
        assert_eq!(error.code(), 1492);
    }

    #[test]
    #[ignore = "forks: run with a single test thread"]
    fn a_hook_gets_state_arguments_and_environment_and_nothing_else() {
        let state = HookState {
            oci_version: "1.2.0".to_owned(),
            id: "box".to_owned(),
            status: "creating",
            pid: 7,
            bundle: "/b".into(),
            annotations: BTreeMap::new(),
        };
        let input = input_of(&state).unwrap();
        let error = run(&shell("cat; env -i env; echo \"$A\" >&2; exit 9"), &input).unwrap_err().to_string();
        assert!(error.starts_with("exit status 9: ") && error.contains("b c"), "{error}");
        let wanted = r#"{\"ociVersion\":\"1.2.0\",\"id\":\"box\",\"status\":\"creating\",\"pid\":7,\"bundle\":\"/b\"}"#;
        assert!(error.contains(wanted), "{error}");
        // Once more: the next hook reads from the start.
        assert!(run(&shell("grep -q creating"), &input).is_ok());
        let absent = Hook { path: "/nonexistent".into(), ..shell("") };
        let error = run(&absent, &input).unwrap_err().to_string();
        assert!(error.contains("exit status 127") && error.contains("could not execute /nonexistent"), "{error}");
    }
}
