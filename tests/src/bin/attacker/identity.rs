//! Attacks by identity: ids at the edges, ids that are not mapped, set-user-ID programs.

use std::os::unix::process::CommandExt as _;

use crate::raw::{address, call, text};
use crate::report::{Act, Outcome, Step as _, argument, without_effect};

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("setuid", setuid),
    ("setgid", setgid),
    ("setresuid", setresuid),
    ("chown", chown),
    ("suid-exec", suid_exec),
    ("suid-self", suid_self),
    ("whoami", whoami),
    ("setgroups", setgroups),
];

fn number(arguments: &[String], index: usize) -> Result<u64, crate::report::Failure> {
    Ok(argument(arguments, index)?.parse::<i64>().unwrap_or(0) as u64)
}

/// Becomes the user in the first argument.
fn setuid(arguments: &[String]) -> Outcome {
    let id = number(arguments, 0)?;
    call(libc::SYS_setuid, &[id]).step("setuid")?;
    status("Uid:")
}

fn setgid(arguments: &[String]) -> Outcome {
    let id = number(arguments, 0)?;
    call(libc::SYS_setgid, &[id]).step("setgid")?;
    status("Gid:")
}

fn setresuid(arguments: &[String]) -> Outcome {
    let id = number(arguments, 0)?;
    call(libc::SYS_setresuid, &[id, id, id]).step("setresuid")?;
    status("Uid:")
}

fn setgroups(arguments: &[String]) -> Outcome {
    let group = number(arguments, 0)? as u32;
    call(libc::SYS_setgroups, &[1, address(&group)]).step("setgroups")?;
    status("Groups:")
}

fn status(field: &str) -> Outcome {
    let status = std::fs::read_to_string("/proc/self/status").step("read status")?;
    Ok(status.lines().find(|line| line.starts_with(field)).unwrap_or_default().to_owned())
}

/// Gives a file of its own to an id.
fn chown(arguments: &[String]) -> Outcome {
    let id = number(arguments, 0)?;
    std::fs::write("/tmp/mine", "x").step("write")?;
    let path = text("/tmp/mine");
    call(libc::SYS_chown, &[address(path.as_c_str()), id, id]).step("chown")?;
    let seen = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/tmp/mine").step("stat")?);
    if u64::from(seen) == id { Ok(format!("the file belongs to {seen}")) } else { without_effect("chown") }
}

/// Executes the program in the first argument, whose set-user-ID bit the test has set.
fn suid_exec(arguments: &[String]) -> Outcome {
    let program = argument(arguments, 0)?;
    let output = std::process::Command::new(program).arg("whoami").output().step("exec")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.contains("euid 0") { Ok(text) } else { without_effect("exec") }
}

/// Makes a set-user-ID copy of itself as root, gives up root, and executes the copy.
fn suid_self(_: &[String]) -> Outcome {
    std::fs::copy("/proc/self/exe", "/tmp/suid").step("copy")?;
    let path = text("/tmp/suid");
    call(libc::SYS_chmod, &[address(path.as_c_str()), 0o4755]).step("chmod")?;
    let output = std::process::Command::new("/tmp/suid").arg("whoami").uid(1000).gid(1000).output().step("exec")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.contains("euid 0") { Ok(text) } else { without_effect("exec") }
}

fn whoami(_: &[String]) -> Outcome {
    let uid = call(libc::SYS_getuid, &[]).step("getuid")?;
    let euid = call(libc::SYS_geteuid, &[]).step("geteuid")?;
    Ok(format!("uid {uid} euid {euid} {}", status("CapEff:")?))
}
