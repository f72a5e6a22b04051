//! Huge pages by their size. Pure; used by `plan` alone.

use std::borrow::Cow;

use crate::cgroup::convert;
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Version;
use crate::cgroup::limits::planner::{Controller, Planner};
use crate::cgroup::limits::unified::is_file_name;
use crate::spec::resources::Resources;

const HUGETLB: Controller = Controller { v1: "hugetlb", v2: Some("hugetlb") };

pub(super) fn plan(resources: &Resources, planner: &mut Planner<'_>) -> Result<(), CgroupError> {
    for (size, &limit) in &resources.hugetlb {
        let key: Cow<'static, str> = format!("linux.resources.hugepageLimits[{size}]").into();
        if !is_file_name(size) {
            let why = "it is no page size";
            return Err(CgroupError::Value { key, value: size.clone(), why });
        }
        let version = planner.version(&key, HUGETLB)?;
        let (suffix, value) = match version {
            Version::V1 => ("limit_in_bytes", limit.max(-1).to_string()),
            Version::V2 => ("max", convert::bytes_or_max(limit)),
        };
        let file = format!("hugetlb.{size}.{suffix}").into();
        planner.push(key.clone(), version, HUGETLB, vec![(file, value.clone())]);
        // Reservations are counted apart since Linux 5.7; where they are not, usage alone is limited, as ever.
        let reserved = format!("hugetlb.{size}.rsvd.{suffix}").into();
        planner.push(key, version, HUGETLB, vec![(reserved, value)]).optional = true;
    }
    Ok(())
}
