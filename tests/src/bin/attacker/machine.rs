//! Attacks by calls that administer the machine. None of them can do harm: each is made so that a permitted caller gets
//! an answer from beyond the permission check (a bad magic, a path that does not exist) and changes nothing.

use crate::kernel::reaches;
use crate::raw::{address, address_mut, call, text};
use crate::report::{Act, Outcome, Step as _, without_effect};

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("adjtimex", adjtimex),
    ("clock-settime", clock_settime),
    ("settimeofday", settimeofday),
    ("syslog", syslog),
    ("reboot", reboot),
    ("swapon", swapon),
    ("swapoff", swapoff),
    ("quotactl", quotactl),
    ("acct", acct),
    ("iopl", iopl),
    ("ioperm", ioperm),
    ("vhangup", vhangup),
    ("fork-bomb", fork_bomb),
    ("memory-bomb", memory_bomb),
    ("sleep", sleep),
    ("inotify-pool", inotify_pool),
    ("honest-inotify", honest_inotify),
];

/// Takes every inotify instance that it can get, and holds them. Ends only when it is killed.
fn inotify_pool(_: &[String]) -> Outcome {
    let mut taken = 0;
    while taken < 100_000 && call(libc::SYS_inotify_init1, &[0]).is_ok() {
        taken += 1;
    }
    println!("exhausted after {taken}");
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1000));
    }
}

/// One inotify instance.
fn honest_inotify(_: &[String]) -> Outcome {
    call(libc::SYS_inotify_init1, &[0]).map(|_instance| "an instance".to_owned()).step("inotify_init1")
}

/// ADJ_SETOFFSET by an impossible amount: EINVAL comes after the check of CAP_SYS_TIME.
fn adjtimex(_: &[String]) -> Outcome {
    let mut request = [0_u64; 26];
    request[0] = 0x0100;
    request[10] = u64::MAX;
    reaches(call(libc::SYS_adjtimex, &[address_mut(&mut request)]), "adjtimex", &[libc::EINVAL])
}

/// A negative time is refused, after the permission check of the clock that can be set.
fn clock_settime(_: &[String]) -> Outcome {
    let time: [i64; 2] = [-1, -1];
    reaches(call(libc::SYS_clock_settime, &[0, address(&time)]), "clock_settime", &[libc::EINVAL])
}

fn settimeofday(_: &[String]) -> Outcome {
    let time: [i64; 2] = [-1, -1];
    reaches(call(libc::SYS_settimeofday, &[address(&time), 0]), "settimeofday", &[libc::EINVAL])
}

/// Reads the kernel's log, which names the host's kernel and hardware.
fn syslog(_: &[String]) -> Outcome {
    let mut log = vec![0_u8; 1 << 20];
    let length = call(libc::SYS_syslog, &[3, address_mut(log.as_mut_slice()), 1 << 20]).step("syslog")?;
    if length > 0 { Ok(format!("{length} bytes of the kernel's log")) } else { without_effect("syslog") }
}

/// Bad magic: a permitted caller gets EINVAL.
fn reboot(_: &[String]) -> Outcome {
    reaches(call(libc::SYS_reboot, &[1, 2, 3, 0]), "reboot", &[libc::EINVAL])
}

fn swapon(_: &[String]) -> Outcome {
    let path = text("/no/such/swap");
    reaches(call(libc::SYS_swapon, &[address(path.as_c_str()), 0]), "swapon", &[libc::ENOENT])
}

fn swapoff(_: &[String]) -> Outcome {
    let path = text("/no/such/swap");
    reaches(call(libc::SYS_swapoff, &[address(path.as_c_str())]), "swapoff", &[libc::ENOENT])
}

fn quotactl(_: &[String]) -> Outcome {
    let path = text("/no/such/device");
    let quota_sync = 0x80_0001_u64 << 8;
    let beyond = [libc::ENOENT, libc::ENOTBLK, libc::ENODEV, libc::EINVAL];
    reaches(call(libc::SYS_quotactl, &[quota_sync, address(path.as_c_str()), 0, 0]), "quotactl", &beyond)
}

/// A file that does not exist: accounting stays as it is.
fn acct(_: &[String]) -> Outcome {
    let path = text("/no/such/accounting/file");
    reaches(call(libc::SYS_acct, &[address(path.as_c_str())]), "acct", &[libc::ENOENT])
}

fn iopl(_: &[String]) -> Outcome {
    call(libc::SYS_iopl, &[3]).step("iopl")?;
    Ok("I/O privilege level 3".to_owned())
}

fn ioperm(_: &[String]) -> Outcome {
    call(libc::SYS_ioperm, &[0x80, 1, 1]).step("ioperm")?;
    Ok("port 0x80 is open".to_owned())
}

/// Without a controlling terminal the call has nothing to hang up; that it was carried out is the proof.
fn vhangup(_: &[String]) -> Outcome {
    call(libc::SYS_setsid, &[]).ok();
    reaches(call(libc::SYS_vhangup, &[]), "vhangup", &[])
}

/// Forks children that only wait until fork is refused, at most 6000, and says how many there were.
fn fork_bomb(_: &[String]) -> Outcome {
    let mut count = 0;
    while count < 6_000 {
        let forked = crate::raw::fork(|| {
            loop {
                std::thread::park();
            }
        });
        if let Err(errno) = forked {
            return Err(errno).step(&count.to_string());
        }
        count += 1;
    }
    Ok(format!("{count} processes"))
}

/// Touches memory in a child, page by page, up to 512 MiB, and says how the child ended.
fn memory_bomb(_: &[String]) -> Outcome {
    let child = crate::raw::fork(|| {
        let mut hoard = Vec::new();
        for _ in 0..128 {
            hoard.push(vec![1_u8; 4 << 20]);
        }
        i32::from(hoard.len() != 128)
    });
    let status = crate::raw::wait(child.step("fork")?);
    if status == 0 { Ok("512 MiB were touched".to_owned()) } else { Err(status).step("the child's wait status") }
}

/// Sleeps until killed: a workload to look at from outside.
fn sleep(_: &[String]) -> Outcome {
    loop {
        std::thread::park();
    }
}
