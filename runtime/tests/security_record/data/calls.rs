//! Single system calls and what they open: io_uring, BPF, counters, keys, timers, tracing.

use super::{INT, PTRACE, SET_USER_ID, USERFAULTFD};
use crate::entry::{Need, Part, call, entry};

const BPF: &[Need] = &[call!(bpf)];
const RING: &[Need] = &[call!(io_uring_setup)];
const PERF: &[Need] = &[call!(perf_event_open)];
const KEYS: Need = Need::Any("keyctl or add_key", &[call!(keyctl), call!(add_key)]);

/// O_NOTIFICATION_PIPE is O_EXCL.
const NOTIFICATION_PIPE: Need = call!("pipe2(O_NOTIFICATION_PIPE)", pipe2, 1: 0x80 => 0x80);
const WATCH_FILTER: Need = call!("ioctl(IOC_WATCH_QUEUE_SET_FILTER)", ioctl, 1: INT => 0x5761);

/// The command of a futex without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME.
const FUTEX: u64 = INT & !(128 | 256);
const FUTEX_REQUEUE: Need = call!("futex(FUTEX_CMP_REQUEUE)", futex, 1: FUTEX => 4);
const FUTEX_REQUEUE_PI: Need = call!("futex(FUTEX_CMP_REQUEUE_PI)", futex, 1: FUTEX => 12);
const FUTEX_LOCK_PI: Need = call!("futex(FUTEX_LOCK_PI)", futex, 1: FUTEX => 6);

/// A clock of another process is a negative number: MAKE_PROCESS_CPUCLOCK of linux/posix-timers.h. Both calls take the
/// timer off again while its owner may be ending.
const PROCESSOR_TIMER: Need = Need::Any(
    "a timer on another task's CPU time (timer_create or clock_nanosleep)",
    &[
        call!("timer_create(CPU clock of a process)", timer_create, 0: 0x8000_0000 => 0x8000_0000),
        call!("clock_nanosleep(CPU clock of a process)", clock_nanosleep, 0: 0x8000_0000 => 0x8000_0000),
    ],
);
/// TFD_TIMER_ABSTIME and TFD_TIMER_CANCEL_ON_SET.
const CANCELLED_TIMER: Need = call!("timerfd_settime(TFD_TIMER_CANCEL_ON_SET)", timerfd_settime, 1: INT => 3);

/// The chapter.
pub(super) const PART: Part = Part {
    title: "System calls",
    entries: &[
        entry("CVE-2013-2094", "perf_event_open: an event number as a negative index", PERF),
        entry(
            "CVE-2014-3153",
            "futex: requeueing to the same priority-inheritance lock (towelroot)",
            &[FUTEX_REQUEUE_PI],
        ),
        entry("CVE-2014-4699", "ptrace: a return to an address that is none", &[PTRACE]),
        entry("CVE-2016-0728", "keyrings: a reference count overflowed", &[KEYS]),
        entry("CVE-2016-4557", "bpf: a descriptor put twice", BPF),
        entry("CVE-2017-5123", "waitid: an unchecked pointer wrote to kernel memory", &[call!(waitid)]),
        entry("CVE-2017-7472", "keyrings: thread keyrings leaked", &[call!(keyctl)]),
        entry(
            "CVE-2017-7533",
            "inotify: a race with rename wrote past the heap",
            &[call!(inotify_add_watch), call!(rename)],
        ),
        entry("CVE-2017-10661", "timerfd: a race on cancellation used freed memory", &[CANCELLED_TIMER]),
        entry("CVE-2017-11176", "mq_notify: a socket freed twice", &[call!(mq_notify)]),
        entry("CVE-2017-16995", "bpf: the verifier got sign extension wrong", BPF),
        entry("CVE-2017-17053", "modify_ldt: a table freed twice after a failed fork", &[call!(modify_ldt)]),
        entry("CVE-2018-6927", "futex: a negative count when requeueing", &[FUTEX_REQUEUE]),
        entry(
            "CVE-2019-10125",
            "asynchronous I/O: a poll request used after free",
            &[call!(io_setup), call!(io_submit)],
        ),
        entry("CVE-2019-13272", "ptrace: PTRACE_TRACEME kept the rights of a dying parent", &[PTRACE, SET_USER_ID]),
        entry("CVE-2020-8835", "bpf: the verifier got bounds of 32-bit jumps wrong", BPF),
        entry("CVE-2020-14351", "perf_event_open: a buffer used after free", PERF),
        entry("CVE-2020-27194", "bpf: the verifier got bounds of a 32-bit or wrong", BPF),
        entry("CVE-2021-1048", "epoll: a file used after free in the check for loops", &[call!(epoll_ctl)]),
        entry("CVE-2021-3347", "futex: the state of a priority-inheritance lock after a fault", &[FUTEX_LOCK_PI]),
        entry("CVE-2021-3489", "bpf: the size of a ring buffer was not checked", BPF),
        entry("CVE-2021-3490", "bpf: the verifier got bounds of 32-bit and, or, xor wrong", BPF),
        entry("CVE-2021-31440", "bpf: the verifier got 32-bit bounds from 64-bit ones wrong", BPF),
        entry("CVE-2021-41073", "io_uring: a pointer of provided buffers freed as another type", RING),
        entry("CVE-2022-0995", "watch_queue: filters written out of bounds", &[NOTIFICATION_PIPE, WATCH_FILTER]),
        entry("CVE-2022-1729", "perf_event_open: a race between opening and moving events", PERF),
        entry("CVE-2022-1786", "io_uring: another task's identity used after free", RING),
        entry("CVE-2022-1998", "fanotify: a file used after a failed copy to the reader", &[call!(fanotify_init)]),
        entry("CVE-2022-2602", "io_uring: registered files freed by unix garbage collection", RING),
        entry("CVE-2022-23222", "bpf: the verifier allowed arithmetic on pointers that may be null", BPF),
        entry("CVE-2022-29582", "io_uring: a race between linked timeouts", RING),
        entry("CVE-2023-2163", "bpf: the verifier pruned paths that were not safe", BPF),
        entry("CVE-2023-2235", "perf_event_open: an event of a removed group used after free", PERF),
        entry("CVE-2023-2598", "io_uring: fixed buffers past the end of a folio", RING),
        entry("CVE-2023-5717", "perf_event_open: a group's counters written past the heap", PERF),
        entry("CVE-2023-6931", "perf_event_open: the size of a group's read overflowed", PERF),
        entry("CVE-2024-0582", "io_uring: a buffer ring's pages stayed mapped after they were freed", RING),
        entry("CVE-2025-38352", "POSIX timers on CPU time: a race with the end of a task", &[PROCESSOR_TIMER]),
        entry("CVE-2018-18397", "userfaultfd: pages of tmpfs files without a check of rights", &[USERFAULTFD]),
    ],
};
