//! What a sentry that was taken over would like to reach: a file, two sockets and a process of the host, all made for
//! one attempt.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::stage::Child;
use crate::sys;

const SECRET: &[u8] = b"of the host";

/// Stands in the memory of every process of the test, at one address.
static WORD: AtomicU64 = AtomicU64::new(ORIGINAL);
const ORIGINAL: u64 = 0x6361_6e61_7279;

/// In the status of a process that sleeps.
const ASLEEP: &str = "\nState:\tS";

#[derive(Debug)]
pub(crate) struct Canary {
    pub(crate) directory: PathBuf,
    /// A file that all may read.
    pub(crate) secret: PathBuf,
    pub(crate) socket: PathBuf,
    /// The name of an abstract socket.
    pub(crate) name: String,
    /// A process that holds `held` and has `word` in its memory.
    pub(crate) victim: i32,
    pub(crate) held: i32,
    pub(crate) word: u64,
    /// For open_by_handle_at(2).
    pub(crate) handle: [u32; 34],
    process: Child,
    listeners: [UnixListener; 2],
    _held: File,
}

impl Canary {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("lazaret-canary-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        // A tmpfs: it has file handles.
        let directory = PathBuf::from("/dev/shm").join(&name);
        fs::create_dir(&directory).unwrap();
        let (secret, socket) = (directory.join("secret"), directory.join("socket"));
        fs::write(&secret, SECRET).unwrap();
        let listeners = [
            UnixListener::bind(&socket).unwrap(),
            UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap(),
        ];
        for listener in &listeners {
            listener.set_nonblocking(true).unwrap();
        }
        fs::set_permissions(&socket, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let held = File::open(&secret).unwrap();
        let process = Child(sys::fork(|| {
            loop {
                nix::unistd::pause();
            }
        }));
        // It sleeps before anything is tried, so that one that does not sleep afterwards was touched.
        let asleep = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            fs::read_to_string(format!("/proc/{}/status", process.0)).unwrap().contains(ASLEEP)
        });
        assert!(asleep, "the victim does not come to rest");
        Self {
            victim: process.0.as_raw(),
            held: held.as_raw_fd(),
            word: u64::try_from((&raw const WORD).addr()).unwrap(),
            handle: sys::file_handle(&secret),
            directory,
            secret,
            socket,
            name,
            process,
            listeners,
            _held: held,
        }
    }

    /// Fails the test if anything of it was touched.
    pub(crate) fn assert_untouched(&self, attempt: &str) {
        assert_eq!(fs::read(&self.secret).unwrap(), SECRET, "{attempt}: the file");
        let mut names: Vec<_> =
            fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["secret", "socket"], "{attempt}: the directory");
        for listener in &self.listeners {
            assert!(listener.accept().is_err(), "{attempt}: a connection");
        }
        let mounts = fs::read("/proc/self/mountinfo").unwrap();
        let directory = self.directory.as_os_str().as_bytes();
        assert!(!mounts.windows(directory.len()).any(|part| part == directory), "{attempt}: a mount");
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.0)).unwrap();
        assert!(status.contains(ASLEEP), "{attempt}: the process lives and sleeps: {status}");
        assert!(status.contains("\nTracerPid:\t0\n"), "{attempt}: nobody traces it");
        let mut word = [0; 8];
        assert_eq!(sys::read_memory(self.victim, self.word, &mut word), 8);
        assert_eq!(u64::from_ne_bytes(word), ORIGINAL, "{attempt}: its memory");
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).unwrap();
    }
}
