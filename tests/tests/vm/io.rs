//! Limits of a block device, measured on the disk that the VM's root is on.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use lazaret_tests::bundle::Bundle;
use serde_json::json;

use crate::cgroup::{Cgroup, MODES, lazaret};

const RATE: u64 = 1 << 20;
const WINDOW: Duration = Duration::from_secs(4);
const LONGEST: Duration = Duration::from_secs(40);

/// A bundle that reads a file from its disk again and again, and the disk's number as the kernel writes it.
fn reader() -> (Bundle, u64, u64) {
    let bundle = Bundle::shell("echo ready; while true; do dd if=/data of=/dev/null bs=64k 2>/dev/null; done");
    let path = bundle.rootfs().join("data");
    let mut file = std::fs::File::create(&path).unwrap();
    for _ in 0..64 {
        file.write_all(&[0x5a; 1 << 20]).unwrap();
    }
    file.sync_all().unwrap();
    let device = file.metadata().unwrap().dev();
    (bundle, u64::from(rustix::fs::major(device)), u64::from(rustix::fs::minor(device)))
}

/// The VM's own pages, so that reads go to the disk.
fn drop_pages() {
    std::fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
}

/// Bytes that the cgroup has read from any disk.
fn read_bytes(cgroup: &Cgroup) -> f64 {
    let text = cgroup.read("io.stat");
    let numbers = text.split_ascii_whitespace().filter_map(|word| word.strip_prefix("rbytes="));
    numbers.map(|number| number.parse::<f64>().unwrap()).sum()
}

/// Bytes a second from now on, over a time that grows until the rate is the limit's: a throttled request is let through
/// whole, and the next ones wait for it.
fn rate(cgroup: &Cgroup, limit: f64) -> f64 {
    let (before, begin) = (read_bytes(cgroup), Instant::now());
    loop {
        std::thread::sleep(WINDOW);
        let rate = (read_bytes(cgroup) - before) / begin.elapsed().as_secs_f64();
        if (rate / limit - 1.0).abs() < 0.1 || begin.elapsed() > LONGEST {
            return rate;
        }
    }
}

#[test]
#[ignore = "needs the VM"]
fn a_reader_is_throttled_to_its_rate() {
    let limit = 1_048_576.0;
    for mode in MODES {
        let (bundle, major, minor) = reader();
        let bundle = bundle.edit(|config| {
            config["linux"]["resources"]["blockIO"] =
                json!({"throttleReadBpsDevice": [{"major": major, "minor": minor, "rate": RATE}]});
        });
        drop_pages();
        let lazaret = lazaret(mode);
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let cgroup = Cgroup::of(&running);
        let measured = rate(&cgroup, limit);
        assert!((measured / limit - 1.0).abs() < 0.1, "{mode}: {measured:.0} bytes a second of a limit of {limit}");
        running.delete();
    }
}

#[test]
#[ignore = "needs the VM"]
fn a_reader_without_a_limit_reads_faster() {
    let (bundle, ..) = reader();
    drop_pages();
    let lazaret = lazaret("native");
    let running = lazaret.launch(&bundle);
    running.says("ready");
    let cgroup = Cgroup::of(&running);
    let begin = Instant::now();
    lazaret_tests::deadline::until("the file to be read", || read_bytes(&cgroup) > 32e6);
    assert!(begin.elapsed() < Duration::from_secs(16), "the control is slower than twice the limit");
    running.delete();
}
