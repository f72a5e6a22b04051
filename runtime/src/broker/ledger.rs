//! What has been mounted for a container's workload: the ids of the mounts that an order made, those that came along with a
//! bind not counted. A file in the state directory, because several processes watch a container and its joiners.
//!
//! Whoever holds it is the only one who mounts or unmounts in the container. A mount id is used again after its mount is
//! gone (the host may take one away by removing the directory that it is on): what the mount table does not have is forgotten
//! before anything new is mounted.

use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags};

use super::Denied;
use crate::policy::mountinfo::MountTable;

/// File name in a container's state directory.
const FILE: &str = "mounts.json";

/// The file of the list; only the host's root can open it.
#[derive(Debug)]
pub(super) struct Opened(std::fs::File);

impl Opened {
    /// Waits for its turn. The wait ends with the worker's deadline.
    pub(super) fn lock(self) -> Result<Ledger, Denied> {
        let (mut file, mut text) = (self.0, Vec::new());
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        file.read_to_end(&mut text)?;
        let ids =
            if text.is_empty() { Vec::new() } else { serde_json::from_slice(&text).map_err(std::io::Error::from)? };
        Ok(Ledger { file, ids })
    }
}

/// The list, locked until it is dropped.
#[derive(Debug)]
pub(super) struct Ledger {
    file: std::fs::File,
    ids: Vec<u64>,
}

impl Ledger {
    /// Opens the list of the container whose state stands in `directory`.
    pub(super) fn open(directory: &Path) -> Result<Opened, Denied> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::open(directory.join(FILE), flags, Mode::from_raw_mode(0o600))?;
        Ok(Opened(std::fs::File::from(file)))
    }

    /// Whether an order made this mount.
    pub(super) fn has(&self, id: u64) -> bool {
        self.ids.contains(&id)
    }

    /// An order has made it.
    pub(super) fn add(&mut self, id: u64) -> Result<(), Denied> {
        self.ids.push(id);
        self.write()
    }

    /// It is gone.
    pub(super) fn remove(&mut self, id: u64) -> Result<(), Denied> {
        self.ids.retain(|known| *known != id);
        self.write()
    }

    /// Forgets those that are gone.
    pub(super) fn forget_all_but(&mut self, table: &MountTable) -> Result<(), Denied> {
        let before = self.ids.len();
        self.ids.retain(|id| table.entry(*id).is_some());
        if self.ids.len() == before { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<(), Denied> {
        let text = serde_json::to_vec(&self.ids).map_err(std::io::Error::from)?;
        self.file.rewind()?;
        self.file.write_all(&text)?;
        Ok(self.file.set_len(u64::try_from(text.len()).unwrap_or_default())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_there_for_the_next_and_what_is_gone_is_forgotten() {
        let directory = std::env::temp_dir().join(format!("lazaret-ledger-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let mut ledger = Ledger::open(&directory).unwrap().lock().unwrap();
        for id in [22, 27, 1_000_000] {
            ledger.add(id).unwrap();
        }
        drop(ledger);
        let mut ledger = Ledger::open(&directory).unwrap().lock().unwrap();
        assert!(ledger.has(22) && ledger.has(1_000_000) && !ledger.has(2));
        let table = MountTable::parse(b"22 27 0:21 / /proc rw - proc proc rw\n27 1 0:5 / / rw - ext4 a rw\n").unwrap();
        ledger.forget_all_but(&table).unwrap();
        ledger.remove(27).unwrap();
        drop(ledger);
        let ledger = Ledger::open(&directory).unwrap().lock().unwrap();
        assert!(ledger.has(22) && !ledger.has(27) && !ledger.has(1_000_000));
        drop(ledger);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
