//! A place of the container shown in another one: always with the mounts below it, since without them it would show what
//! they cover.

use super::Denied;
use super::attach::attach;
use super::caller::{self, Caller, mount_of};
use super::inside::Inside;
use super::ledger::Ledger;
use super::table;
use crate::detached;
use crate::policy::mountinfo::MountTable;
use crate::sys::mount::{MountAttr, mount_setattr};

/// Binds. The clones keep the flags of what they show, nodev where that has it: the devices that a container has are binds
/// themselves, and no other can be made in it.
pub(super) fn bind(
    (source, target): (&[u8], &[u8]),
    inside: &Inside,
    caller: &Caller,
    table: &MountTable,
    ledger: &mut Ledger,
) -> Result<(), Denied> {
    let (source, target) =
        caller.as_caller(inside, || Ok((caller::open(source, true)?, caller::open(target, true)?)))?;
    table::judge_source(table, mount_of(&source)?.0)?;
    let tree = detached::clone_tree(std::os::fd::AsFd::as_fd(&source), std::path::Path::new(""), true)?;
    let nosuid = MountAttr { set: libc::MOUNT_ATTR_NOSUID, ..MountAttr::default() };
    mount_setattr(&tree, &nosuid, true)?;
    attach(&tree, &target, inside, table, ledger)
}
