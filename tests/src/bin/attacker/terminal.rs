//! Attacks by terminals: typing into one from inside (TIOCSTI), and the console's selection calls (TIOCLINUX).

use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};

use crate::raw::{address, address_mut, call, fork, own, text, wait};
use crate::report::{Act, Outcome, Step as _, argument};

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("tiocsti", tiocsti),
    ("tiocsti-high-bits", tiocsti_high_bits),
    ("tioclinux", tioclinux),
    ("tioclinux-high-bits", tioclinux_high_bits),
    ("ioctl-number", ioctl_number),
];

/// The higher half of an ioctl's command, which the kernel drops (CVE-2019-10063).
const HIGH: u64 = 0x0000_0005_0000_0000;

fn ioctl(fd: i32, command: u64, argument: u64) -> Result<u64, i32> {
    call(libc::SYS_ioctl, &[fd as u64, command, argument])
}

/// A new pseudo terminal: both ends.
fn pair() -> Result<(OwnedFd, OwnedFd), crate::report::Failure> {
    let multiplexer: OwnedFd = File::options().read(true).write(true).open("/dev/ptmx").step("open ptmx")?.into();
    let unlocked = 0_i32;
    ioctl(multiplexer.as_raw_fd(), libc::TIOCSPTLCK, address(&unlocked)).step("unlock")?;
    let mut number = 0_u32;
    ioctl(multiplexer.as_raw_fd(), libc::TIOCGPTN, address_mut(&mut number)).step("number")?;
    let path = text(&format!("/dev/pts/{number}"));
    let flags = (libc::O_RDWR | libc::O_NOCTTY) as u64;
    let terminal =
        own(call(libc::SYS_openat, &[libc::AT_FDCWD as u64, address(path.as_c_str()), flags, 0]).step("open pts")?);
    Ok((multiplexer, terminal))
}

/// Types one character into the controlling terminal; a reader of that terminal would take it for the user's.
fn type_into(high: u64) -> Outcome {
    let (_multiplexer, terminal) = pair()?;
    let fd = terminal.as_raw_fd();
    let (mut reader, mut writer) = std::io::pipe().step("pipe")?;
    let child = fork(|| {
        let typed = call(libc::SYS_setsid, &[])
            .and_then(|_| ioctl(fd, libc::TIOCSCTTY, 0))
            .and_then(|_| ioctl(fd, libc::TIOCSTI | high, address(b"!")))
            .and_then(|_| ioctl(fd, libc::TIOCSTI | high, address(b"\n")));
        let errno = typed.map_or_else(|errno| errno, |_| 0);
        i32::from(std::io::Write::write_all(&mut writer, &errno.to_ne_bytes()).is_err())
    });
    wait(child.step("fork")?);
    let mut errno = [0_u8; 4];
    std::io::Read::read_exact(&mut reader, &mut errno).step("read")?;
    match i32::from_ne_bytes(errno) {
        0 => Ok("a line was typed into the terminal".to_owned()),
        errno => Err(errno).step("ioctl"),
    }
}

fn tiocsti(_: &[String]) -> Outcome {
    type_into(0)
}

fn tiocsti_high_bits(_: &[String]) -> Outcome {
    type_into(HIGH)
}

/// Subcode 6 (shift state) of TIOCLINUX on the terminal that the first argument names: harmless, and proof enough.
fn linux(arguments: &[String], high: u64) -> Outcome {
    let console = File::open(argument(arguments, 0)?).step("open console")?;
    let mut subcode = [6_u8; 8];
    let state = ioctl(console.as_raw_fd(), 0x541c | high, address_mut(&mut subcode)).step("ioctl")?;
    Ok(format!("the console answered {state}"))
}

fn tioclinux(arguments: &[String]) -> Outcome {
    linux(arguments, 0)
}

fn tioclinux_high_bits(arguments: &[String]) -> Outcome {
    linux(arguments, HIGH)
}

/// An ioctl by number (hexadecimal) on a pipe or on the file in the second argument. Whether a refusal is the filter's
/// or the kernel's, its record says.
fn ioctl_number(arguments: &[String]) -> Outcome {
    let number = u64::from_str_radix(argument(arguments, 0)?, 16).unwrap_or(0);
    let (reader, _writer) = std::io::pipe().step("pipe")?;
    let file: OwnedFd = match arguments.get(1) {
        Some(path) => File::open(path).step("open")?.into(),
        None => reader.into(),
    };
    let value = ioctl(file.as_raw_fd(), number, address(&[0x40_u64; 4])).step("ioctl")?;
    Ok(format!("answered {value}"))
}
