//! System calls and processes: each work makes many, and tells the time of one.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

/// Calls of a sample: some milliseconds of the shortest call.
const MANY: u32 = 20_000;
/// Of what takes some microseconds.
const SOME: u32 = 2_000;
/// Of what takes half a millisecond.
const FEW: u32 = 40;

fn time<E: ToString>(count: u32, mut act: impl FnMut() -> Result<(), E>) -> Result<Duration, String> {
    let start = Instant::now();
    for _ in 0..count {
        act().map_err(|error| error.to_string())?;
    }
    Ok(start.elapsed() / count)
}

pub(super) fn getppid() -> Result<Duration, String> {
    time(MANY, || {
        std::hint::black_box(rustix::process::getppid());
        Ok::<(), String>(())
    })
}

pub(super) fn read() -> Result<Duration, String> {
    let mut zero = File::open("/dev/zero").map_err(|error| error.to_string())?;
    let mut byte = [0];
    time(MANY, || zero.read_exact(&mut byte))
}

pub(super) fn write() -> Result<Duration, String> {
    let mut null = File::options().write(true).open("/dev/null").map_err(|error| error.to_string())?;
    time(MANY, || null.write_all(&[0]))
}

pub(super) fn stat() -> Result<Duration, String> {
    time(MANY, || rustix::fs::stat("/etc/passwd").map(|_status| ()))
}

pub(super) fn open_close() -> Result<Duration, String> {
    time(MANY, || File::open("/etc/passwd").map(drop))
}

/// A mapping of the size from which malloc(3) always asks the kernel (above `DEFAULT_MMAP_THRESHOLD_MAX`, mallopt(3)), of
/// which sixteen pages are touched.
pub(super) fn mmap() -> Result<Duration, String> {
    const LENGTH: usize = 64 << 20;
    time(SOME, || {
        let mut pages = vec![0_u8; LENGTH];
        pages.iter_mut().step_by(4096).take(16).for_each(|byte| *byte = 1);
        std::hint::black_box(&pages);
        Ok::<(), String>(())
    })
}

pub(super) fn futex() -> Result<Duration, String> {
    let word = std::sync::atomic::AtomicU32::new(0);
    time(MANY, || rustix::thread::futex::wake(&word, rustix::thread::futex::Flags::PRIVATE, 1).map(|_woken| ()))
}

/// Two threads and two pipes, a byte there and back.
pub(super) fn pipe() -> Result<Duration, String> {
    let said = |error: std::io::Error| error.to_string();
    let (mut from_us, mut to_them) = std::io::pipe().map_err(said)?;
    let (mut from_them, mut to_us) = std::io::pipe().map_err(said)?;
    let echo = std::thread::spawn(move || {
        let mut byte = [0];
        // The end of our pipe ends it.
        while from_us.read_exact(&mut byte).is_ok() && to_us.write_all(&byte).is_ok() {}
    });
    let mut byte = [0];
    let result = time(SOME, || to_them.write_all(&[1]).and_then(|()| from_them.read_exact(&mut byte)));
    drop(to_them);
    echo.join().map_err(|_panic| "the echoing thread ended early".to_owned())?;
    result
}

/// A connection over the loopback, taken and dropped.
pub(super) fn connect() -> Result<Duration, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    time(SOME, || {
        let near = TcpStream::connect(address)?;
        let (far, _) = listener.accept()?;
        drop((near, far));
        Ok::<(), std::io::Error>(())
    })
}

pub(super) fn thread() -> Result<Duration, String> {
    time(SOME / 4, || std::thread::spawn(|| ()).join().map_err(|_panic| "a thread ended early"))
}

/// A group id in the command makes the standard library use fork(2): with vfork(2) it could not be set.
pub(super) fn fork_exec() -> Result<Duration, String> {
    let group = rustix::process::getgid().as_raw();
    time(FEW, || spawned(Command::new("/bin/true").gid(group)))
}

pub(super) fn vfork_exec() -> Result<Duration, String> {
    time(FEW, || spawned(&mut Command::new("/bin/true")))
}

fn spawned(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("/bin/true: {status}")) }
}
