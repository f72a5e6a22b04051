//! From `linux.resources` to the files of this host's controllers: which file gets which value. Pure: `apply` in
//! `member` writes. A limit that this host cannot enforce is refused by the name of its field, never left out.
//!
//! One file for each controller, with a table of its fields and their files on both versions. As in runc, 0 means "not
//! asked" where it is no value of its own (`pids.limit` 0 means none), and -1 means unlimited.

mod cpu;
mod cpuset;
mod hugetlb;
mod io;
mod memory;
mod pids;
mod planner;
mod rdma;
mod traffic;
mod unified;

use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Hierarchies;
use crate::spec::resources::Resources;

pub(super) use planner::Setting;

/// The limits of `resources` in the order in which they are written, without the device rules.
pub(super) fn plan(resources: &Resources, host: &Hierarchies) -> Result<Vec<Setting>, CgroupError> {
    let mut planner = planner::Planner::new(host);
    cpuset::plan(resources, &mut planner)?;
    cpu::plan(resources, &mut planner)?;
    memory::plan(resources, &mut planner)?;
    pids::plan(resources, &mut planner)?;
    io::plan(resources, &mut planner)?;
    hugetlb::plan(resources, &mut planner)?;
    rdma::plan(resources, &mut planner)?;
    traffic::plan(resources, &mut planner)?;
    unified::plan(resources, &mut planner)?;
    Ok(planner.into_settings())
}

#[cfg(test)]
mod tests;
