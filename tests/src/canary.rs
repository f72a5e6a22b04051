//! What attacks try to reach: files and servers on the host that hold a random token. Each is the test's own.

use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::outcome;
use crate::programs;
use crate::scratch::Scratch;

/// A word that cannot be guessed: 128 random bits in hexadecimal.
#[must_use]
pub fn token() -> String {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    format!("token-{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// A file on the host that only root reads, with a token in it.
#[derive(Debug)]
pub struct CanaryFile {
    _directory: Scratch,
    /// Where it is on the host.
    pub path: PathBuf,
    /// What it holds.
    pub token: String,
}

impl CanaryFile {
    /// In a directory of its own.
    #[must_use]
    pub fn new() -> Self {
        let directory = Scratch::new();
        let (path, token) = (directory.join("canary"), token());
        std::fs::write(&path, &token).unwrap();
        Self { _directory: directory, path, token }
    }

    /// The path as text.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Asserts that nobody has written to it.
    #[track_caller]
    pub fn is_untouched(&self) {
        assert_eq!(std::fs::read_to_string(&self.path).unwrap(), self.token, "the canary was changed");
    }
}

impl Default for CanaryFile {
    fn default() -> Self {
        Self::new()
    }
}

/// A server that answers every connection with its token. It ends when dropped.
#[derive(Debug)]
pub struct Server {
    /// What it says.
    pub token: String,
    stop: Arc<AtomicBool>,
    wake: Wake,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Wake {
    Unix(SocketAddr),
    Tcp(std::net::SocketAddr),
}

fn serve<S: std::io::Write>(
    token: String,
    stop: Arc<AtomicBool>,
    mut accept: impl FnMut() -> std::io::Result<S> + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        while let Ok(mut stream) = accept() {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            // A client that has gone away is no concern of a canary.
            stream.write_all(token.as_bytes()).ok();
        }
    })
}

impl Server {
    fn unix(listener: UnixListener) -> Self {
        let (token, stop) = (token(), Arc::new(AtomicBool::new(false)));
        let wake = Wake::Unix(listener.local_addr().unwrap());
        let thread = serve(token.clone(), Arc::clone(&stop), move || listener.accept().map(|(stream, _)| stream));
        Self { token, stop, wake, thread: Some(thread) }
    }

    /// On a path, such as a fake `docker.sock`.
    #[must_use]
    pub fn on_path(path: &Path) -> Self {
        Self::unix(UnixListener::bind(path).unwrap())
    }

    /// On a name in the abstract namespace.
    #[must_use]
    pub fn on_abstract_name(name: &str) -> Self {
        Self::unix(UnixListener::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap())
    }

    /// On a TCP port of loopback; the address is returned beside it.
    #[must_use]
    pub fn on_loopback() -> (Self, String) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (token, stop) = (token(), Arc::new(AtomicBool::new(false)));
        let thread = serve(token.clone(), Arc::clone(&stop), move || listener.accept().map(|(stream, _)| stream));
        (Self { token, stop, wake: Wake::Tcp(address), thread: Some(thread) }, address.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let woken = match &self.wake {
            Wake::Unix(address) => std::os::unix::net::UnixStream::connect_addr(address).is_ok(),
            Wake::Tcp(address) => std::net::TcpStream::connect(address).is_ok(),
        };
        if woken && let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// A disk of the test: a file with a token at its start, attached to a loop device. Detached when dropped.
#[derive(Debug)]
pub struct Disk {
    /// The device's major and minor number.
    pub device: (u32, u32),
    /// What its first block holds.
    pub token: String,
    node: String,
    _directory: Scratch,
}

impl Disk {
    /// Attaches a new one.
    ///
    /// # Panics
    /// When no loop device is free.
    #[must_use]
    pub fn new() -> Self {
        let (directory, token) = (Scratch::new(), token());
        let image = directory.join("disk");
        let mut content = token.clone().into_bytes();
        content.resize(1 << 20, 0);
        std::fs::File::create(&image).unwrap().write_all(&content).unwrap();
        let mut command = std::process::Command::new(programs::installed("losetup"));
        let node = outcome::run(command.args(["--find", "--show"]).arg(&image)).expect(0).stdout.trim().to_owned();
        let device = std::os::unix::fs::MetadataExt::rdev(&std::fs::metadata(&node).unwrap());
        let device = (rustix::fs::major(device), rustix::fs::minor(device));
        Self { device, token, node, _directory: directory }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mut command = std::process::Command::new(programs::installed("losetup"));
        let outcome = outcome::clean_up(command.args(["--detach", &self.node]));
        if !std::thread::panicking() {
            outcome.succeeds();
        }
    }
}

/// A process on the host with a token in its environment; killed when dropped.
#[derive(Debug)]
pub struct Bystander {
    child: std::process::Child,
    /// What is in its environment.
    pub token: String,
}

impl Bystander {
    /// Starts a copy of a harmless program that stands in `directory` under the name `victim`.
    #[must_use]
    pub fn new(directory: &Scratch) -> Self {
        let program = directory.join("victim");
        std::fs::copy(programs::attacker(), &program).unwrap();
        let token = token();
        let mut command = std::process::Command::new(&program);
        let child = command.arg("sleep").env_clear().env("SECRET", &token).spawn().unwrap();
        Self { child, token }
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still running.
    #[must_use]
    pub fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
