//! `process.rlimits`: names to the numbers of `setrlimit(2)`.

use oci_spec::runtime::{PosixRlimit, PosixRlimitType};

use super::container::Rlimit;
use super::error::SpecError;
use super::text;
use crate::bundle::Bundle;
use crate::bundle::field::element;

const PATH: &str = "process.rlimits";

/// The limits in the order of the bundle. A name that is not one was refused when the file was read.
pub(super) fn check(bundle: &Bundle, asked: &[PosixRlimit]) -> Result<Vec<Rlimit>, SpecError> {
    let mut limits: Vec<Rlimit> = Vec::with_capacity(asked.len());
    for (index, limit) in asked.iter().enumerate() {
        let resource = number(limit.typ());
        if limits.iter().any(|earlier| earlier.resource == resource) {
            return Err(SpecError::Duplicate { field: bundle.field(&element(PATH, index)), what: "a resource limit" });
        }
        if limit.soft() > limit.hard() {
            return text::invalid(bundle, &element(PATH, index), "the soft limit is above the hard one");
        }
        limits.push(Rlimit { resource, soft: limit.soft(), hard: limit.hard() });
    }
    Ok(limits)
}

/// `include/uapi/asm-generic/resource.h`, which x86-64 and arm64 use.
fn number(name: PosixRlimitType) -> u32 {
    match name {
        PosixRlimitType::RlimitCpu => 0,
        PosixRlimitType::RlimitFsize => 1,
        PosixRlimitType::RlimitData => 2,
        PosixRlimitType::RlimitStack => 3,
        PosixRlimitType::RlimitCore => 4,
        PosixRlimitType::RlimitRss => 5,
        PosixRlimitType::RlimitNproc => 6,
        PosixRlimitType::RlimitNofile => 7,
        PosixRlimitType::RlimitMemlock => 8,
        PosixRlimitType::RlimitAs => 9,
        PosixRlimitType::RlimitLocks => 10,
        PosixRlimitType::RlimitSigpending => 11,
        PosixRlimitType::RlimitMsgqueue => 12,
        PosixRlimitType::RlimitNice => 13,
        PosixRlimitType::RlimitRtprio => 14,
        PosixRlimitType::RlimitRttime => 15,
    }
}
