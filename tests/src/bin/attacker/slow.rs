//! Honest calls that take long: what waits for them must not be held up, and they must not notice who could not wait.

use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::Ordering;

use crate::raw::{self, call, own};
use crate::report::{Act, Outcome, Step as _, argument, without_effect};

/// The acts of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[("connect-slowly", connect_slowly)];

/// Waits for a unix socket, whose queue may be full, connects to it, tells with what errno that ended, and reads one
/// byte. SIGUSR1 is handled, with the flags of sigaction(2) that are given.
fn connect_slowly(arguments: &[String]) -> Outcome {
    let (path, flags) = (argument(arguments, 0)?, argument(arguments, 1)?);
    raw::count_signals(libc::SIGUSR1, flags.parse().unwrap_or(0)).step("sigaction")?;
    let socket = own(call(libc::SYS_socket, &[libc::AF_UNIX as u64, libc::SOCK_STREAM as u64, 0]).step("socket")?);
    let mut address = libc::AF_UNIX.to_ne_bytes()[..2].to_vec();
    address.extend_from_slice(std::path::Path::new(path).as_os_str().as_bytes());
    address.push(0);
    println!("ready");
    while !std::path::Path::new(path).exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let arguments = [socket.as_raw_fd() as u64, address.as_ptr() as u64, address.len() as u64];
    let errno = call(libc::SYS_connect, &arguments).err().unwrap_or(0);
    println!("connected {errno} after {} signals", raw::SIGNALS.load(Ordering::SeqCst));
    let mut byte = [0_u8];
    let read = call(libc::SYS_read, &[socket.as_raw_fd() as u64, raw::address_mut(&mut byte), 1]).step("read")?;
    if (read, byte) == (1, *b"x") { Ok("heard".to_owned()) } else { without_effect("read") }
}
