//! Calls whose memory is never there: a page of a file that nobody serves. What the supervisor looks at does not come, and
//! everybody else's calls are to be answered all the same.

use std::time::{Duration, Instant};

use crate::raw::{address, address_mut, call, text};
use crate::report::{Act, Failure, Outcome, Step as _, argument};
use crate::supervised::trapped;

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[("stuck-calls", stuck_calls), ("stuck-crowd", stuck_crowd)];

/// A page that whoever touches it waits for.
fn page(file: &str) -> Result<u64, Failure> {
    use std::os::fd::AsRawFd as _;
    let file = std::fs::File::open(file).step("open")?;
    let private = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    call(libc::SYS_mmap, &[0, 4096, private, libc::MAP_PRIVATE as u64, file.as_raw_fd() as u64, 0]).step("mmap")
}

/// Every call that the supervisor follows a pointer of, with the page in its place.
fn stuck_call(which: usize, page: u64) -> (&'static str, Result<u64, i32>) {
    let (target, fstype) = (text("/mnt"), text("tmpfs"));
    match which {
        0 => ("mount", call(libc::SYS_mount, &[page, address(target.as_c_str()), address(fstype.as_c_str()), 0, 0])),
        1 => ("sethostname", call(libc::SYS_sethostname, &[page, 8])),
        2 => ("sysinfo", call(libc::SYS_sysinfo, &[page])),
        _ => {
            let socket = call(libc::SYS_socket, &[libc::AF_UNIX as u64, libc::SOCK_STREAM as u64, 0]).unwrap_or(99);
            ("connect", call(libc::SYS_connect, &[socket, page, 32]))
        }
    }
}

/// The longest of some ordinary trapped calls, each right.
fn longest_of_others() -> Result<Duration, Failure> {
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let begin = Instant::now();
        let refused = trapped();
        let mut answer = [0_u64; 14];
        let described = call(libc::SYS_sysinfo, &[address_mut(&mut answer)]);
        let registers_alone = call(libc::SYS_setns, &[99, 0]);
        longest = longest.max(begin.elapsed());
        if refused != Err(libc::EPERM) || registers_alone != Err(libc::EPERM) {
            return Err(Failure { step: format!("{refused:?} {registers_alone:?}"), errno: 0 });
        }
        described.step("sysinfo")?;
    }
    Ok(longest)
}

/// One of each at a time; prints the longest call of others and what each got, in milliseconds and as an errno.
fn stuck_calls(arguments: &[String]) -> Outcome {
    let file = argument(arguments, 0)?.to_owned();
    let page = page(&file)?;
    let stuck: Vec<_> = (0..4)
        .map(|which| {
            std::thread::spawn(move || {
                let begin = Instant::now();
                let (name, result) = stuck_call(which, page);
                format!("{name} {} {}", result.err().unwrap_or(0), begin.elapsed().as_millis())
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    let longest = longest_of_others()?;
    let mut lines = vec![format!("others {}", longest.as_millis())];
    lines.extend(stuck.into_iter().map(|thread| thread.join().unwrap_or_else(|_| "panicked".to_owned())));
    Ok(lines.join("\n"))
}

/// More than the supervisor has threads for, again and again; then prints how long calls on registers alone take, and waits.
fn stuck_crowd(arguments: &[String]) -> Outcome {
    let file = argument(arguments, 0)?.to_owned();
    let page = page(&file)?;
    for thread in 0..60 {
        std::thread::spawn(move || {
            loop {
                stuck_call(thread % 3, page).1.ok();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }
    std::thread::sleep(Duration::from_secs(3));
    let mut longest = Duration::ZERO;
    for _ in 0..50 {
        let begin = Instant::now();
        if trapped() != Err(libc::EPERM) || call(libc::SYS_setns, &[99, 0]) != Err(libc::EPERM) {
            return Err(Failure { step: "a refusal in the crowd".to_owned(), errno: 0 });
        }
        longest = longest.max(begin.elapsed());
    }
    println!("crowded {}", longest.as_millis());
    loop {
        std::thread::park();
    }
}
