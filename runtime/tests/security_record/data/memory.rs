//! Memory management.

use super::{INT, SET_USER_ID, USERFAULTFD};
use crate::entry::{Need, Part, call, entry};

const FORCED_WRITE: Need =
    Need::Any("a write past page rights (/proc/self/mem or ptrace)", &[Need::Write("/proc/self/mem"), call!(ptrace)]);
const DISCARD: Need = call!("madvise(MADV_DONTNEED)", madvise, 2: INT => 4);
const MAP: Need = call!(mmap);

/// The chapter.
pub(super) const PART: Part = Part {
    title: "Memory",
    entries: &[
        entry(
            "CVE-2016-5195",
            "copy on write: read-only pages of files could be written to (dirty COW)",
            &[DISCARD, FORCED_WRITE],
        ),
        entry("CVE-2018-14634", "execve: argument pages overflowed an integer (Mutagen Astronomy)", &[SET_USER_ID]),
        entry("CVE-2018-17182", "the cache of mappings was not flushed when its counter overflowed", &[MAP]),
        entry("CVE-2019-5489", "mincore: told which pages of files others use", &[call!(mincore)]),
        entry("CVE-2020-29374", "copy on write: vmsplice kept reading a page of the parent", &[call!(vmsplice)]),
        entry("CVE-2022-2590", "copy on write: read-only pages of tmpfs files could be written to", &[USERFAULTFD]),
        entry("CVE-2022-42703", "anonymous mappings: a reused structure used after free", &[MAP, call!(fork)]),
        entry("CVE-2023-3269", "growth of the stack used nodes of the map tree after free (StackRot)", &[MAP]),
    ],
};
