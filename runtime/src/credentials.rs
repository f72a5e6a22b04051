//! Acting on a file system as another user without giving up our rights.

use std::io;

use caps::CapSet;
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

/// Runs `work` with the file system ids `uid` and `gid` and all our capabilities; afterwards they are root's again.
///
/// Files that an overlay makes are made by whoever mounted it. On id-mapped layers that must be an id which the mapping
/// holds, or the kernel refuses (EOVERFLOW) and the overlay comes up read-only.
///
/// # Errors
/// Those of `work`, or `EPERM` when the capabilities cannot be had back.
pub(crate) fn as_owner<T>(uid: u32, gid: u32, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let _back = Ids::change(uid, gid)?;
    work()
}

/// Makes exactly these capabilities (bits by number) effective, as far as they are permitted.
///
/// # Errors
/// As `capset(2)`.
pub(crate) fn set_effective(bits: u64) -> io::Result<()> {
    let permitted = caps::read(None, CapSet::Permitted).map_err(io::Error::other)?;
    let wanted = permitted.into_iter().filter(|capability| bits & capability.bitmask() != 0).collect();
    caps::set(None, CapSet::Effective, &wanted).map_err(io::Error::other)
}

/// The changed ids; dropping it changes them back.
struct Ids {
    uid: Uid,
    gid: Gid,
}

impl Ids {
    fn change(uid: u32, gid: u32) -> io::Result<Self> {
        let before = Self { gid: setfsgid(Gid::from_raw(gid)), uid: setfsuid(Uid::from_raw(uid)) };
        // Leaving fsuid 0 takes the file capabilities out of the effective set (capabilities(7)); they are still permitted.
        let permitted = caps::read(None, CapSet::Permitted).map_err(io::Error::other)?;
        caps::set(None, CapSet::Effective, &permitted).map_err(io::Error::other)?;
        Ok(before)
    }
}

impl Drop for Ids {
    fn drop(&mut self) {
        setfsuid(self.uid);
        setfsgid(self.gid);
    }
}
