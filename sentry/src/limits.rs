//! Every bound of the sentry, in one place: memory, queues, deadlines, lengths of what a guest may make it copy.
//!
//! Read by all other modules of the crate; holds numbers and the reason for each, and no code.

use std::time::Duration;

/// Bytes of one control packet. The largest message is an order to mount: two paths of [`GUEST_PATH`] and [`GUEST_DATA`]
/// bytes of options, of which each byte takes up to four as JSON.
pub const CONTROL_PACKET: usize = 64 * 1024;

/// Descriptors that one control packet may carry: the listener and the two memory files.
pub const CONTROL_DESCRIPTORS: usize = 3;

/// How long the monitor may take to set a host name before the caller gets `EIO`. The caller cannot be
/// paused or frozen while it waits (`SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`), so the wait is short.
pub const HOSTNAME_DEADLINE: Duration = Duration::from_secs(2);

/// Workers of the monitor at a time, for all questions of one sentry; one more question fails with `EAGAIN`.
pub const WORKERS: usize = 32;

/// Longest socket address that is copied: `sizeof(struct sockaddr_storage)`, as in connect(2).
pub const SOCKET_ADDRESS: usize = 128;

/// How long a connect may take before its caller gets ETIMEDOUT.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(30);

/// How often a connect that takes longer looks whether its caller is wanted: by a signal, or by a pause, which waits some
/// seconds for that.
pub const CONNECT_LOOK: Duration = Duration::from_millis(50);

/// Threads of all containers beside the first of each: so many calls may wait for an answer, or for a page of their caller's
/// memory, at a time. A further one that hangs on memory gets EAGAIN, or is refused as it would be anyway.
pub const PENDING: usize = 32;

/// How long a look at the memory of a caller may take, before the caller gets EFAULT. A page that is not in memory is read from
/// a disk in a hundredth of it.
pub const COPY_DEADLINE: Duration = Duration::from_secs(2);

/// How often such looks are looked after while there are any; when there are none, nobody wakes.
pub const COPY_CHECK: Duration = Duration::from_millis(500);

/// How long a tracer sleeps at a time while others judge a call for it: nothing can wake it for both a tracee and a verdict.
pub const TRACER_PAUSE: Duration = Duration::from_millis(1);

/// Bytes of a host or domain name: `__NEW_UTS_LEN` of `include/uapi/linux/utsname.h`; longer is `EINVAL`.
pub const HOSTNAME: usize = 64;

/// Bytes of a path that are copied from a guest: `PATH_MAX` of `include/uapi/linux/limits.h`, the kernel's own bound.
pub const GUEST_PATH: usize = 4096;

/// Bytes of the options of a mount that are copied: the kernel copies a page (`copy_mount_options` in fs/namespace.c).
pub const GUEST_DATA: usize = 4096;

/// Lower directories of an overlay that is mounted for a workload; each is a descriptor of the worker.
pub const LAYERS: usize = 128;

/// Mounts in the mount namespace of a container beyond which nothing more is mounted for its workload, the bundle's own
/// included. A mount is kernel memory that no limit of the container's counts, and each bind of a tree doubles it.
pub const MOUNTS: usize = 256;

/// How long a mount for a workload may take at the monitor: it may wait for another one of the same container, or
/// for a file server. Then its worker is killed.
pub const MOUNT_PATIENCE: Duration = Duration::from_secs(8);

/// How long its caller waits for it; a little longer, so that the monitor's own word arrives.
pub const MOUNT_DEADLINE: Duration = Duration::from_secs(10);

/// Bytes of a short guest string that are copied: a file system type, a module or key name.
pub const GUEST_NAME: usize = 256;

/// Characters of one guest text that stay in a record.
pub const RECORDED_TEXT: usize = 256;

/// Characters of the line that tells what was refused; it is also the key of the counts.
pub const RECORDED_WHAT: usize = 160;

/// Rules that say how much is recorded: each decision goes through them.
pub const RECORD_RULES: usize = 32;

/// Bytes of those rules as JSON: they come in a control packet.
pub const RECORD_POLICY: usize = 2048;

/// Bytes of records that may wait for the writer. A record has some 600 bytes, so a burst of 400 fits; what does not
/// fit is counted as dropped.
pub const QUEUE: usize = 256 * 1024;

/// Distinct refusals that are counted one by one; further ones share the entry "other". At 300 bytes an entry that is
/// 80 KiB.
pub const DISTINCT: usize = 256;

/// Records of one distinct decision that are written; further ones are counted as dropped, so that a flood of one
/// call can neither fill the audit file nor hide another call.
pub const RECORDS_OF_ONE_KIND: u64 = 1000;

/// Decisions about one container that may be recorded at a burst, and per second after it; the first of each kind is recorded
/// anyway. Beyond, they are counted only, and a call that is refused whatever it points to is refused without a look at that.
pub const RECORD_BURST: u64 = 1000;

/// See [`RECORD_BURST`].
pub const RECORDS_PER_SECOND: u64 = 100;

/// Readers of one sentry's records beside the audit file.
pub const SINKS: usize = 2;

/// Bytes of the audit file that records may take, whatever was there before included.
pub const AUDIT_RECORDS: u64 = 8 * 1024 * 1024;

/// Bytes of the audit file beyond [`AUDIT_RECORDS`] that are kept for the summary. Their sum is `RLIMIT_FSIZE`.
pub const AUDIT_SUMMARY: u64 = 1024 * 1024;

/// Bytes of one line that a reader of the audit file takes in: the summary is the longest.
pub const AUDIT_LINE: u64 = AUDIT_SUMMARY;

/// Distinct refusals that a reader of the audit file tells apart, whoever wrote it.
pub const SUMMARISED: usize = 1024;

/// Bytes of `/proc/PID/status` that are read; the lines wanted stand in the first 2,000.
pub const PROC_STATUS: usize = 4096;

/// Bytes of a cgroup memory file that are read: one number.
pub const MEMORY_FILE: usize = 64;

/// Listeners at a time. A pod has a few containers, and each exec adds one while it lasts; one more than this ends the
/// sentry, since what cannot be watched must not run.
pub const LISTENERS: usize = 256;

/// Stack of a listener's thread, in bytes of address space; some 12 KiB of it are touched.
pub const THREAD_STACK: usize = 128 * 1024;

/// `RLIMIT_NOFILE`: three descriptors for each listener, the seat's, and those open while a call is looked at.
pub const DESCRIPTORS: u64 = 3 * 256 + 32;

/// Limit of the memory cgroup of a container's sentries, that of its first process and those of processes that joined: in
/// bytes, kernel memory included. One uses some 200 KiB, one with all its threads at work some 4 MiB. Beyond it the kernel
/// ends a sentry, and with that the container.
pub const MEMORY: u64 = 64 * 1024 * 1024;

/// `RLIMIT_AS`: the static binary, [`LISTENERS`] stacks and one heap take 40 MiB; a runaway allocation ends the
/// sentry, and with it the container.
pub const ADDRESS_SPACE: u64 = 512 * 1024 * 1024;

/// How long the thread of a listener whose tasks are all gone may take to put down its last record.
pub const THREAD_END: Duration = Duration::from_millis(50);
