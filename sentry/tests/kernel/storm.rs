//! A storm: four threads of a workload make random trapped calls with random arguments, pointers into memory that is
//! there, that is not, and that ends in the middle, while they send signals to each other. None is carried out, the sentry
//! lives, and its counts are exact.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lazaret_profiles::class::{Class, Handler};
use lazaret_profiles::syscalls::{Column, Row, TABLE};
use nix::sched::CloneFlags;

use crate::stage::{Sentry, Workload, on_both, plain, user_namespace};
use crate::sys::{self, Page};

/// The variable that names the seed.
const STORM: &str = "LAZARET_TEST_STORM";

/// How long it blows.
const TIME: Duration = Duration::from_secs(5);

const THREADS: u64 = 4;

/// How the line with the result begins: calls, and those that were carried out.
const TALLY: &str = "storm";

struct Random(u64);

impl Random {
    /// Marsaglia's xorshift64.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }

    fn argument(&mut self, page: &Page) -> u64 {
        let next = self.next();
        match next % 8 {
            0 => 0,
            1 => next >> 8 & 0xff,
            2 => u64::MAX - (next >> 8 & 0xff),
            3 => next << 8,
            // The page may be the last before memory that is none.
            4 => page.address() + 4096 - (next >> 8 & 0xff),
            _ => page.address() + (next >> 8 & 0xfff),
        }
    }
}

/// The calls that nobody gets, whatever the arguments.
fn refused() -> Vec<&'static Row> {
    let is_refused = |row: &&Row| {
        matches!(
            row.choice(Column::Sandbox).class,
            Class::DenyNotify(_)
                | Class::Emulate(Handler::Mount | Handler::Umount2 | Handler::Sethostname | Handler::Setdomainname)
        )
    };
    TABLE.iter().filter(is_refused).collect()
}

#[test]
#[ignore = "plays the workload of another test"]
fn stormer() {
    let Ok(seed) = std::env::var(STORM) else { return };
    let seed: u64 = seed.parse().expect("a number");
    let (rows, calls, done) = (&refused(), &AtomicU64::new(0), &AtomicU64::new(0));
    let end = Instant::now() + TIME;
    sys::ignore_by_a_handler();
    std::thread::scope(|scope| {
        for thread in 1..=THREADS {
            scope.spawn(move || {
                let (mut random, page) = (Random((seed + thread).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1), Page::new());
                while Instant::now() < end {
                    page.write(&std::array::from_fn(|_| random.next().to_le_bytes()[0]));
                    let row = rows[usize::try_from(random.next()).unwrap() % rows.len()];
                    let arguments: [u64; 6] = std::array::from_fn(|_| random.argument(&page));
                    let result = sys::attempt(i64::from(row.number), &arguments);
                    calls.fetch_add(1, Ordering::Relaxed);
                    done.fetch_add(u64::from(result.is_ok()), Ordering::Relaxed);
                    if random.next() % 4 == 0 {
                        sys::signal_own_process();
                    }
                }
            });
        }
    });
    println!("\n{TALLY} {} {}", calls.load(Ordering::Relaxed), done.load(Ordering::Relaxed));
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn random_calls_of_many_threads_are_refused_and_counted_to_the_last() {
    on_both(|by| {
        let seed = std::env::var("LAZARET_FUZZ_SEED").unwrap_or_else(|_unset| "1".to_owned());
        let userns = user_namespace();
        let sentry = Sentry::start(&userns, by);
        let before = || nix::sched::unshare(CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWNS).unwrap();
        let mut workload = Workload::enter(&userns, by, before, || {
            let arguments = ["stormer", "storm::stormer", "--exact", "--ignored", "--nocapture", "--test-threads=1"];
            sys::execute_self(&arguments, (STORM, &seed));
            127
        });
        sentry.watch(&mut workload, plain(), &[]);
        workload.go();
        let line = loop {
            let line = workload.line_within(Duration::from_secs(120));
            if line.starts_with(TALLY) {
                break line;
            }
        };
        workload.finish();
        let audit = sentry.finish();
        let [calls, done] = line.split(' ').skip(1).map(|word| word.parse().unwrap()).collect::<Vec<u64>>()[..] else {
            panic!("{line}")
        };
        let counted: u64 = audit.summary().entries.iter().map(|entry| entry.count).sum();
        println!("by {by:?}, seed {seed}: {calls} calls, {done} carried out, {counted} counted");
        assert!(calls > 1000 && done == 0 && counted == calls);
        assert!(!audit.distinct().is_empty());
    });
}
