//! Every bound of the sentry, in one place: memory, queues, deadlines, lengths of what a guest may make it copy.
//!
//! Read by all other modules of the crate; holds numbers and the reason for each, and no code.

use std::time::Duration;

/// Bytes of one control packet. The largest message is a handoff: a container id of at most 1024 bytes and numbers.
pub const CONTROL_PACKET: usize = 4096;

/// Descriptors that one control packet may carry: the listener and the two memory files.
pub const CONTROL_DESCRIPTORS: usize = 3;

/// How long the monitor may take to set a host name before the caller gets `EIO`. The caller cannot be
/// paused or frozen while it waits (`SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`), so the wait is short.
pub const HOSTNAME_DEADLINE: Duration = Duration::from_secs(2);

/// Bytes of a host or domain name: `__NEW_UTS_LEN` of `include/uapi/linux/utsname.h`; longer is `EINVAL`.
pub const HOSTNAME: usize = 64;
