//! Attacks on the supervisor itself: knocking while it dies, hiding calls from it, flooding it.

use std::time::{Duration, Instant};

use crate::raw::{address, call, text};
use crate::report::{Act, Outcome, Step as _, argument, without_effect};

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] =
    &[("knock", knock), ("hidden-calls", hidden_calls), ("latency", latency), ("flood", flood)];

/// One trapped call: a mount that is always refused.
pub(crate) fn trapped() -> Result<u64, i32> {
    let (source, target, fstype) = (text("none"), text("/mnt"), text("tmpfs"));
    call(libc::SYS_mount, &[address(source.as_c_str()), address(target.as_c_str()), address(fstype.as_c_str()), 0, 0])
}

/// Knocks until killed, and says so if a call ever gets through.
fn knock(arguments: &[String]) -> Outcome {
    let canary = argument(arguments, 0)?;
    println!("knocking");
    loop {
        if trapped().is_ok() || std::fs::write(canary, "through").is_ok() {
            println!("through");
            return Ok("a trapped call was carried out".to_owned());
        }
    }
}

/// Installs a filter of its own that answers close, exit and exit_group with an errno, then makes trapped calls from
/// many threads' worth of openings, and waits to be killed.
fn hidden_calls(_: &[String]) -> Outcome {
    println!("quiet");
    std::thread::sleep(Duration::from_millis(300));
    // ld nr; jeq close, exit, exit_group -> errno EPERM; else allow.
    let load = 0x0000_0000_0000_0020_u64;
    let jump = |number: u64, to: u64| 0x0015 | (to << 16) | (number << 32);
    let program: [u64; 6] = [load, jump(3, 3), jump(60, 2), jump(231, 1), 0x7fff_0000_0000_0006, 0x0005_0001_0000_0006];
    let header = [6_u64, address(&program)];
    call(libc::SYS_prctl, &[libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0, 0, 0]).step("prctl")?;
    call(libc::SYS_seccomp, &[1, 0, address(&header)]).step("seccomp")?;
    let mut got_through = false;
    for _ in 0..500 {
        got_through |= trapped().is_ok();
        std::mem::forget(std::fs::File::open("/etc/hostname"));
    }
    println!("hidden");
    let outcome = if got_through { Ok("a call got through".to_owned()) } else { without_effect("hidden") };
    println!("{}", crate::report::line("hidden-calls", &outcome));
    loop {
        std::thread::park();
    }
}

/// The 99th percentile of 300 trapped calls, in nanoseconds, as the evidence.
fn latency(_: &[String]) -> Outcome {
    let mut times: Vec<u128> = (0..300)
        .map(|_| {
            let begin = Instant::now();
            trapped().ok();
            begin.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    times.get(297).map(ToString::to_string).map_or_else(|| without_effect("latency"), Ok)
}

/// Trapped calls without a pause for six seconds, then quiet until killed.
fn flood(_: &[String]) -> Outcome {
    println!("flooding");
    let end = Instant::now() + Duration::from_secs(6);
    while Instant::now() < end {
        trapped().ok();
    }
    println!("flooded");
    loop {
        std::thread::park();
    }
}
