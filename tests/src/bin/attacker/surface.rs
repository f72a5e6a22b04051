//! Parts of the kernel that sandbox mode lets a workload use and strict mode does not: no attacks, each act does its
//! honest work and says so.

use std::os::fd::AsRawFd as _;

use crate::raw::{address, address_mut, call, own, text};
use crate::report::{Act, Outcome, Step as _};

/// The acts of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("surface-sysv-queue", sysv_queue),
    ("surface-posix-queue", posix_queue),
    ("surface-aio", aio),
    ("surface-splice", splice),
    ("surface-chroot", chroot),
    ("surface-affinity", affinity),
    ("surface-inheriting-futex", inheriting_futex),
    ("surface-merging", merging),
    ("surface-cpu-timer", cpu_timer),
    ("surface-urgent-data", urgent_data),
    ("surface-socket-filter", socket_filter),
    ("surface-odd-ioctl", odd_ioctl),
    ("surface-clock", clock),
];

fn sysv_queue(_: &[String]) -> Outcome {
    // IPC_PRIVATE, mode 0600; IPC_RMID.
    let id = call(libc::SYS_msgget, &[0, 0o600]).step("msgget")?;
    call(libc::SYS_msgctl, &[id, 0, 0]).step("msgctl")?;
    Ok("made and removed a message queue".to_owned())
}

fn posix_queue(_: &[String]) -> Outcome {
    let name = text("surface");
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC;
    let queue = own(call(libc::SYS_mq_open, &[address(name.as_c_str().to_bytes_with_nul()), flags as u64, 0o600, 0])
        .step("mq_open")?);
    call(libc::SYS_mq_unlink, &[address(name.as_c_str().to_bytes_with_nul())]).step("mq_unlink")?;
    Ok(format!("queue {}", queue.as_raw_fd()))
}

fn aio(_: &[String]) -> Outcome {
    let mut context = 0_u64;
    call(libc::SYS_io_setup, &[1, address_mut(&mut context)]).step("io_setup")?;
    call(libc::SYS_io_destroy, &[context]).step("io_destroy")?;
    Ok("made and ended a queue".to_owned())
}

fn splice(_: &[String]) -> Outcome {
    let file = std::fs::File::open("/attacker").step("open")?;
    let (_reader, writer) = std::io::pipe().step("pipe")?;
    let moved = call(libc::SYS_splice, &[file.as_raw_fd() as u64, 0, writer.as_raw_fd() as u64, 0, 64, 0]);
    Ok(format!("{} bytes", moved.step("splice")?))
}

fn chroot(_: &[String]) -> Outcome {
    call(libc::SYS_chroot, &[address(text("/tmp").as_c_str().to_bytes_with_nul())]).step("chroot")?;
    Ok("the root is /tmp".to_owned())
}

fn affinity(_: &[String]) -> Outcome {
    let mut processors = [0_u64; 128];
    call(libc::SYS_sched_getaffinity, &[0, 1024, address_mut(&mut processors)]).step("sched_getaffinity")?;
    call(libc::SYS_sched_setaffinity, &[0, 1024, address(&processors)]).step("sched_setaffinity")?;
    Ok("chose its processors".to_owned())
}

fn inheriting_futex(_: &[String]) -> Outcome {
    let mut word = 0_u32;
    let private = |operation: i32| (operation | libc::FUTEX_PRIVATE_FLAG) as u64;
    call(libc::SYS_futex, &[address_mut(&mut word), private(libc::FUTEX_LOCK_PI), 0, 0]).step("futex")?;
    call(libc::SYS_futex, &[address_mut(&mut word), private(libc::FUTEX_UNLOCK_PI), 0, 0]).step("unlock")?;
    Ok("took a lock with priority inheritance".to_owned())
}

fn merging(_: &[String]) -> Outcome {
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let page = call(libc::SYS_mmap, &[0, 4096, libc::PROT_READ as u64, flags, u64::MAX, 0]).step("mmap")?;
    call(libc::SYS_madvise, &[page, 4096, libc::MADV_MERGEABLE as u64]).step("madvise")?;
    Ok("asked for equal pages to be merged".to_owned())
}

fn cpu_timer(_: &[String]) -> Outcome {
    let mut timer = 0_u64;
    let clock = libc::CLOCK_THREAD_CPUTIME_ID as u64;
    call(libc::SYS_timer_create, &[clock, 0, address_mut(&mut timer)]).step("timer_create")?;
    Ok("made a timer on CPU time".to_owned())
}

fn urgent_data(_: &[String]) -> Outcome {
    let (sender, _receiver) = std::os::unix::net::UnixStream::pair().step("socketpair")?;
    let flags = libc::MSG_OOB as u64;
    call(libc::SYS_sendto, &[sender.as_raw_fd() as u64, address(b"x"), 1, flags, 0, 0]).step("sendto")?;
    Ok("sent urgent data".to_owned())
}

fn socket_filter(_: &[String]) -> Outcome {
    let (socket, _peer) = std::os::unix::net::UnixDatagram::pair().step("socketpair")?;
    // One instruction: accept everything.
    let program = [0xffff_ffff_0000_0006_u64];
    let header = [1_u64, address(&program)];
    let arguments =
        [socket.as_raw_fd() as u64, libc::SOL_SOCKET as u64, libc::SO_ATTACH_FILTER as u64, address(&header), 16];
    call(libc::SYS_setsockopt, &arguments).step("setsockopt")?;
    Ok("attached a filter".to_owned())
}

fn odd_ioctl(_: &[String]) -> Outcome {
    // FIOQSIZE: the size of a file, which nobody asks for this way.
    let file = std::fs::File::open("/attacker").step("open")?;
    let mut size = 0_u64;
    call(libc::SYS_ioctl, &[file.as_raw_fd() as u64, 0x5460, address_mut(&mut size)]).step("ioctl")?;
    Ok(format!("{size} bytes"))
}

fn clock(_: &[String]) -> Outcome {
    let mut state = [0_u64; 64];
    let outcome = call(libc::SYS_adjtimex, &[address_mut(&mut state)]).step("adjtimex")?;
    Ok(format!("state {outcome}"))
}
