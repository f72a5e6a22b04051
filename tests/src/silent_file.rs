//! A directory with a file whose pages are never there: whoever touches one sleeps until the directory is taken away. Served
//! by FUSE, spoken directly (`include/uapi/linux/fuse.h`), since a library would answer the one request that matters.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags};

use crate::scratch::Scratch;

/// The file's name in the directory.
pub const NAME: &str = "silent";

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const STATFS: u32 = 17;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const READDIR: u32 = 28;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

const ROOT: u64 = 1;
const FILE: u64 = 2;
/// Bytes of `struct fuse_in_header`.
const HEADER: usize = 40;
/// Bytes of the file.
const SIZE: u64 = 64 * 1024;

/// The directory, mounted as long as this lives.
#[derive(Debug)]
pub struct SilentDirectory {
    mounted: PathBuf,
    _scratch: Scratch,
}

impl SilentDirectory {
    /// Mounts it.
    ///
    /// # Panics
    /// When FUSE cannot be mounted.
    #[must_use]
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let mounted = scratch.join("silent");
        std::fs::create_dir(&mounted).expect("a directory");
        let device = File::options().read(true).write(true).open("/dev/fuse").expect("/dev/fuse");
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions",
            device.as_fd().as_raw_fd()
        );
        let options = CString::new(options).expect("no zero byte");
        rustix::mount::mount("silent", &mounted, "fuse", MountFlags::NOSUID | MountFlags::NODEV, options.as_c_str())
            .expect("FUSE is mounted");
        std::thread::spawn(move || serve(device));
        Self { mounted, _scratch: scratch }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mounted
    }
}

impl Default for SilentDirectory {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for SilentDirectory {
    fn drop(&mut self) {
        // By force: every request that waits for an answer fails, and whoever made it wakes.
        match rustix::mount::unmount(&self.mounted, UnmountFlags::FORCE | UnmountFlags::DETACH) {
            Ok(()) => {}
            Err(error) => assert!(std::thread::panicking(), "the silent directory stays mounted: {error}"),
        }
    }
}

/// Answers everything but reads, until the directory is unmounted (`ENODEV`).
fn serve(mut device: File) {
    let mut request = vec![0_u8; 1 << 17];
    while let Ok(length) = device.read(&mut request) {
        let Some(request) = request.get(..length).filter(|request| request.len() >= HEADER) else { return };
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().expect("four bytes"));
        let long = |at: usize| u64::from_ne_bytes(request[at..at + 8].try_into().expect("eight bytes"));
        let (opcode, unique, node) = (word(4), long(8), long(16));
        let answer = match opcode {
            FORGET | BATCH_FORGET | INTERRUPT | READ => continue,
            INIT => Ok(init()),
            LOOKUP if request[HEADER..].starts_with(NAME.as_bytes()) => Ok(entry()),
            LOOKUP => Err(libc::ENOENT),
            GETATTR => Ok([vec![0; 16], attributes(node)].concat()),
            OPEN | OPENDIR => Ok(vec![0; 16]),
            READDIR => Ok(Vec::new()),
            STATFS => Ok(vec![0; 80]),
            _ => Err(libc::ENOSYS),
        };
        let (error, body) = answer.map_or_else(|errno| (-errno, Vec::new()), |body| (0, body));
        let length = u32::try_from(16 + body.len()).expect("a short answer");
        let head = [length.to_ne_bytes().to_vec(), error.to_ne_bytes().to_vec(), unique.to_ne_bytes().to_vec()];
        // Whoever asked may be gone (ENOENT).
        drop(device.write(&[head.concat(), body].concat()));
    }
}

/// `struct fuse_init_out`: version 7.41 that may be id-mapped (`FUSE_INIT_EXT`, `FUSE_ALLOW_IDMAP`; Linux 6.12), with reads that the
/// kernel waits for as for those of a disk (`FUSE_ASYNC_READ`, as every server has it): a deadly signal ends such a wait.
fn init() -> Vec<u8> {
    let mut words = [0_u32; 16];
    (words[0], words[1], words[2], words[3]) = (7, 41, 1 << 16, 1 << 30 | 1);
    (words[5], words[6], words[8]) = (4096, 1, 1 << (40 - 32));
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// `struct fuse_entry_out` of the file.
fn entry() -> Vec<u8> {
    [FILE.to_ne_bytes().to_vec(), vec![0; 32], attributes(FILE)].concat()
}

/// `struct fuse_attr`.
fn attributes(node: u64) -> Vec<u8> {
    let (mode, size) = if node == ROOT { (0o040_755_u32, 0) } else { (0o100_644, SIZE) };
    let longs = [node, size, 0, 0, 0, 0].map(u64::to_ne_bytes).concat();
    let words = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0].map(u32::to_ne_bytes).concat();
    [longs, words].concat()
}
