//! `ps`: the processes of a container, as the host counts them.
//!
//! Which they are is the cgroup's answer; what they are stands in `/proc`, where they may end between two reads.

use std::fs;

use crate::error::Error;
use crate::options::Options;
use crate::state::{self, ProcessId};
use crate::users;

/// Clock ticks of a second in the files of `/proc`: `USER_HZ`, 100 on every architecture of ours (time(7)).
const TICKS: u64 = 100;
/// Longest command line shown, in characters; the workload chooses it.
const COMMAND_WIDTH: usize = 4096;

/// One process, as `ps` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Name of the user on the host, or `#UID`.
    pub user: String,
    /// Process id.
    pub pid: i32,
    /// Process id of its parent.
    pub parent: i32,
    /// State letter of proc_pid_stat(5): `R`, `S`, `D`, `T`, `Z`…
    pub state: char,
    /// Its terminal, such as `pts/0`; `?` when it has none.
    pub terminal: String,
    /// Processor time used, user and system, in seconds.
    pub seconds: u64,
    /// Its command line, or its name in brackets when it shows none.
    pub command: String,
}

/// The process ids of a container; none once it has stopped.
///
/// # Errors
/// `StateError::NotFound`, `CgroupError::Read`.
pub fn process_ids(options: &Options, id: &str) -> Result<Vec<i32>, Error> {
    let state = state::peek(&options.root, id)?;
    let mut pids = match &state.cgroup {
        // Without root there may be none; then only the first process is known.
        Some(cgroup) if cgroup.is_nowhere() => {
            state.init.filter(ProcessId::is_alive).map(|init| init.pid).into_iter().collect()
        }
        Some(cgroup) => cgroup.pids()?,
        None => Vec::new(),
    };
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// The processes of a container, without those that end meanwhile.
///
/// # Errors
/// As [`process_ids`].
pub fn processes(options: &Options, id: &str) -> Result<Vec<Process>, Error> {
    Ok(process_ids(options, id)?.into_iter().filter_map(look).collect())
}

fn look(pid: i32) -> Option<Process> {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).ok();
    let (stat, status, command) = (read("stat")?, read("status")?, read("cmdline")?);
    parse(pid, &String::from_utf8_lossy(&stat), &String::from_utf8_lossy(&status), &String::from_utf8_lossy(&command))
}

fn parse(pid: i32, stat: &str, status: &str, command: &str) -> Option<Process> {
    // The name may hold anything, also brackets: it ends at the last one.
    let (before, rest) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let terminal = fields.nth(2)?.parse().ok()?;
    let (user, system): (u64, u64) = (fields.nth(6)?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Process {
        user: users::name(effective_user(status)?),
        pid,
        parent,
        state,
        terminal: terminal_name(terminal),
        seconds: (user + system) / TICKS,
        command: shown(command, name),
    })
}

/// The second number of the line `Uid:` of proc_pid_status(5).
fn effective_user(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Field 7 of proc_pid_stat(5): the minor number in bits 31 to 20 and 7 to 0, the major one in bits 15 to 8. Majors 136
/// to 143 are pseudo terminals, 4 the consoles (devices.txt of the kernel).
fn terminal_name(device: i32) -> String {
    let device = device.cast_unsigned();
    let (major, minor) = ((device >> 8) & 0xff, (device & 0xff) | ((device >> 12) & 0xf_ff00));
    match major {
        0 => "?".to_owned(),
        4 => format!("tty{minor}"),
        136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
        _ => format!("{major}:{minor}"),
    }
}

/// A command line fit for a terminal: the workload wrote it, so control characters are escaped.
fn shown(command: &str, name: &str) -> String {
    let words = command.trim_end_matches('\0');
    let text = if words.is_empty() { format!("[{name}]") } else { words.replace('\0', " ") };
    let mut shown = String::with_capacity(text.len());
    for character in text.chars().take(COMMAND_WIDTH) {
        if character.is_control() { shown.extend(character.escape_default()) } else { shown.push(character) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "7 (a) b (c) S 3 7 7 34817 7 4194304 1 0 0 0 1234 66 0 0 20 0 1 0 100 1 1 1";
    const STATUS: &str = "Name:\tx\nUid:\t1\t0\t1\t1\n";

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let process = parse(7, STAT, STATUS, "sh\0-c\0a\u{1b}[2J\0").unwrap();
        assert_eq!((process.pid, process.parent, process.state), (7, 3, 'S'));
        assert_eq!((process.terminal.as_str(), process.seconds), ("pts/1", 13));
        assert_eq!(process.command, "sh -c a\\u{1b}[2J");
        assert_eq!(parse(7, STAT, STATUS, "").unwrap().command, "[a) b (c]");
        assert_eq!(parse(7, "7 (a", STATUS, ""), None);
    }

    #[test]
    fn terminals_have_their_names() {
        for (device, name) in [(0, "?"), (0x0401, "tty1"), (0x8800, "pts/0"), (0x10_8805, "pts/261"), (0x0501, "5:1")] {
            assert_eq!(terminal_name(device), name);
        }
    }
}
