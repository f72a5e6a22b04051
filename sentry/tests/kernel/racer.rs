//! The attacker of a race: a second thread changes what a call points to while the call is judged.
//!
//! Runs in this test program once more, executed as a workload ([`crate::races`] says which race by the environment):
//! a sentry may look at what was executed in its namespace alone.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::sys::{self, Page};

/// The variable that names the call, how often it is tried at most, and after how many wins the attacker is content, as in
/// `sethostname 50000 1`.
pub(crate) const RACE: &str = "LAZARET_TEST_RACE";

/// How the line with the result begins: attempts, calls that succeeded, wins.
pub(crate) const TALLY: &str = "tally";

/// The name that may be set.
pub(crate) const HARMLESS_NAME: &[u8; sys::POINTEE] = &[b'A'; sys::POINTEE];

/// The name that must never be set.
const HARMFUL_NAME: &[u8; sys::POINTEE] = &[b'B'; sys::POINTEE];

/// Where a mount does no harm, and where nothing must ever be mounted or unmounted; made by [`crate::races`].
pub(crate) const PLACES: [&str; 2] = ["/tmp/a", "/tmp/b"];

/// What stands at a place where an answer must not be written.
const CANARY: u8 = 0xc5;

/// When a race is over.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    attempts: u64,
    enough: u64,
}

/// What came of a race.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) attempts: u64,
    /// Calls that succeeded.
    pub(crate) succeeded: u64,
    pub(crate) won: u64,
}

impl Bounds {
    fn run(self, mut attempt: impl FnMut() -> (bool, u64)) -> Tally {
        let mut tally = Tally::default();
        while tally.attempts < self.attempts && tally.won < self.enough {
            let (is_done, won) = attempt();
            tally.attempts += 1;
            tally.succeeded += u64::from(is_done);
            tally.won += won;
        }
        tally
    }
}

#[test]
#[ignore = "plays the workload of another test"]
fn racer() {
    let Ok(race) = std::env::var(RACE) else { return };
    let [call, attempts, enough] = race.split(' ').collect::<Vec<_>>().try_into().expect("a call and two numbers");
    let bounds = Bounds { attempts: attempts.parse().expect("a number"), enough: enough.parse().expect("a number") };
    let Tally { attempts, succeeded, won } = match call {
        "sysinfo" => answer(bounds),
        "mount" | "umount2" => place(call, bounds),
        name => named(name, bounds),
    };
    println!("\n{TALLY} {attempts} {succeeded} {won}");
}

/// Runs `attempt` beside a thread that goes from one value of a buffer to the other and back.
fn beside_flips(
    values: [&[u8; sys::POINTEE]; 2],
    bounds: Bounds,
    mut attempt: impl FnMut(u64) -> (bool, bool),
) -> Tally {
    let page = Page::new();
    page.write(values[0]);
    let (page, is_over) = (&page, &AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                for value in values {
                    page.write(value);
                    wait_a_little();
                }
            }
        });
        let tally = bounds.run(|| {
            let (is_done, is_win) = attempt(page.address());
            (is_done, u64::from(is_win))
        });
        is_over.store(true, Ordering::Relaxed);
        tally
    })
}

fn wait_a_little() {
    for turn in 0..200 {
        spin_loop();
        black_box(turn);
    }
}

/// A win: the kernel has any other name than the harmless one, be it a mixture.
fn named(call: &str, bounds: Bounds) -> Tally {
    let mut last = name(call);
    beside_flips([HARMLESS_NAME, HARMFUL_NAME], bounds, |address| {
        let is_done = sys::attempt(sys::number(call), &[address, sys::POINTEE as u64]).is_ok();
        let name = name(call);
        let is_new = name != last;
        last.clone_from(&name);
        (is_done, name != HARMLESS_NAME && (is_done || is_new))
    })
}

fn name(call: &str) -> Vec<u8> {
    let names = rustix::system::uname();
    let name = if call == "sethostname" { names.nodename() } else { names.domainname() };
    name.to_bytes().to_vec()
}

/// A win: something happened at the place that was never named to the judge as it was.
fn place(call: &str, bounds: Bounds) -> Tally {
    let values = PLACES.map(|place| {
        let mut value = [0; sys::POINTEE];
        value[..place.len()].copy_from_slice(place.as_bytes());
        value
    });
    let mut last = mounts()[1];
    let is_unmount = call == "umount2";
    beside_flips([&values[0], &values[1]], bounds, |address| {
        let kind = sys::address(b"tmpfs\0");
        let arguments = if is_unmount { [address, 0, 0, 0, 0] } else { [address, address, kind, 0, 0] };
        let is_done = sys::attempt(sys::number(call), &arguments).is_ok();
        let is_win = is_done && std::mem::replace(&mut last, mounts()[1]) != last;
        (is_done, is_win)
    })
}

/// Which file system stands at each place.
fn mounts() -> [u64; 2] {
    PLACES.map(|place| rustix::fs::stat(place).unwrap().st_dev)
}

/// A win: an answer stands in memory that cannot be written to. The other thread puts such memory and other memory at
/// the address by turns.
fn answer(bounds: Bounds) -> Tally {
    let page = &Page::new();
    let (is_over, wins) = (&AtomicBool::new(false), &AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                page.replace(CANARY, false);
                (0..20).for_each(|_| wait_a_little());
                wins.fetch_add(u64::from(page.first() != CANARY), Ordering::Relaxed);
                page.replace(0, true);
                (0..20).for_each(|_| wait_a_little());
            }
        });
        let tally = bounds.run(|| {
            let is_done = sys::attempt(sys::number("sysinfo"), &[page.address()]).is_ok();
            (is_done, wins.swap(0, Ordering::Relaxed))
        });
        is_over.store(true, Ordering::Relaxed);
        tally
    })
}
