//! The numbers of both versions against directories that look like a container's.

use std::path::{Path, PathBuf};

use super::*;

/// A directory with the files of one controller; removed at the end.
struct Fake(PathBuf);

impl Fake {
    fn new(label: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("lazaret-stats-{}-{label}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        for (name, text) in files {
            std::fs::write(path.join(name), text).unwrap();
        }
        Self(path)
    }

    fn files<'a>(&'a self, names: &'a [String]) -> Files<'a> {
        let all: [(Version, &[String], &Path); 1] = [(Version::V1, names, &self.0)];
        Files::of(&all, Version::V1, "").unwrap()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn memory_and_swap_of_v2_are_added_up_as_v1_counts() {
    let fake = Fake::new(
        "memory2",
        &[
            ("memory.current", "1000\n"),
            ("memory.max", "4000\n"),
            ("memory.peak", "2000\n"),
            ("memory.swap.current", "10\n"),
            ("memory.swap.max", "max\n"),
            ("memory.stat", "anon 600\nfile 300\nkernel 100\n"),
            ("memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\n"),
        ],
    );
    let memory = memory_v2(&fake.files(&[])).unwrap();
    assert_eq!(memory.usage, Some(MemoryEntry { limit: 4000, usage: 1000, max: 2000, failcnt: 7 }));
    assert_eq!(memory.swap, Some(MemoryEntry { limit: UNLIMITED, usage: 1010, max: 2000, failcnt: 0 }));
    assert_eq!((memory.cache, memory.kernel.map(|kernel| kernel.usage), memory.raw.len()), (Some(300), Some(100), 3));
}

#[test]
fn memory_of_v1_is_taken_as_it_is() {
    let fake = Fake::new(
        "memory1",
        &[
            ("memory.usage_in_bytes", "1000\n"),
            ("memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory.max_usage_in_bytes", "2000\n"),
            ("memory.failcnt", "3\n"),
            ("memory.stat", "cache 300\nrss 600\n"),
        ],
    );
    let memory = memory_v1(&fake.files(&[])).unwrap();
    let expected = MemoryEntry { limit: 9_223_372_036_854_771_712, usage: 1000, max: 2000, failcnt: 3 };
    assert_eq!(memory.usage, Some(expected));
    assert_eq!((memory.cache, memory.swap), (Some(300), None));
    assert_eq!(memory_v1(&Files::none()).unwrap(), Memory::default());
}

#[test]
fn processor_time_is_in_nanoseconds_on_both_versions() {
    let stat = "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 5\nnr_throttled 2\nthrottled_usec 9\n";
    let v2 = Fake::new("cpu2", &[("cpu.stat", stat)]);
    let usage = cpu_usage((Version::V2, v2.files(&[]))).unwrap().unwrap();
    assert_eq!((usage.total, usage.user, usage.kernel), (30_000, 20_000, 10_000));
    let throttling = Throttling { periods: 5, throttled_periods: 2, throttled_time: 9_000 };
    assert_eq!(throttled(&v2.files(&[])).unwrap(), throttling);

    let v1 = Fake::new(
        "cpu1",
        &[
            ("cpuacct.usage", "30\n"),
            ("cpuacct.usage_percpu", "10 20 \n"),
            ("cpuacct.stat", "user 2\nsystem 1\n"),
            ("cpu.stat", "nr_periods 5\nnr_throttled 2\nthrottled_time 9\n"),
        ],
    );
    let usage = cpu_usage((Version::V1, v1.files(&[]))).unwrap();
    assert_eq!(usage, Some(CpuUsage { total: 30, percpu: vec![10, 20], kernel: TICK, user: 2 * TICK }));
    assert_eq!(cpu_usage((Version::V2, Files::none())).unwrap(), None);
    assert_eq!(throttled(&v1.files(&[])).unwrap(), Throttling { throttled_time: 9, ..throttling });
}

#[test]
fn transfers_are_read_by_device() {
    let entry = |op: &str, value| BlockEntry { major: 8, minor: 16, op: op.to_owned(), value };
    let v2 = Fake::new("io2", &[("io.stat", "8:16 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=5 dios=0\n8:0\n")]);
    let block = io::v2(&v2.files(&[])).unwrap();
    assert_eq!(block.io_service_bytes_recursive, [entry("Read", 4096), entry("Write", 0), entry("Discard", 5)]);
    assert_eq!(block.io_serviced_recursive.len(), 3);
    let text = "8:16 Read 4096\n8:16 Write 0\nTotal 4096\n";
    let v1 = Fake::new("io1", &[("blkio.throttle.io_service_bytes_recursive", text)]);
    let block = io::v1(&v1.files(&[])).unwrap();
    assert_eq!(block.io_service_bytes_recursive, [entry("Read", 4096), entry("Write", 0)]);
}

#[test]
fn huge_pages_and_pids_are_read_and_unlimited_pids_are_zero() {
    let names =
        [("hugetlb.2MB.current", "4\n"), ("hugetlb.2MB.events", "max 3\n"), ("hugetlb.2MB.rsvd.current", "1\n")];
    let v2 = Fake::new("huge2", &names);
    let expected = HugePages { usage: 4, max: 0, failcnt: 3 };
    assert_eq!(huge_pages_v2(&v2.files(&[])).unwrap(), [("2MB".to_owned(), expected)].into());
    let v1 = Fake::new("huge1", &[("hugetlb.1GB.usage_in_bytes", "4\n"), ("hugetlb.1GB.failcnt", "2\n")]);
    let expected = HugePages { usage: 4, max: 0, failcnt: 2 };
    assert_eq!(huge_pages_v1(&v1.files(&[])).unwrap(), [("1GB".to_owned(), expected)].into());
    let own = Fake::new("pids", &[("pids.current", "9\n"), ("pids.max", "max\n")]);
    assert_eq!(pids(&own.files(&[])).unwrap(), Pids { current: 9, limit: 0 });
}

#[test]
fn the_keys_are_those_of_runc() {
    let json = serde_json::to_value(Stats::default()).unwrap();
    for pointer in ["/cpu/throttling/throttledPeriods", "/pids/limit"] {
        assert!(json.pointer(pointer).is_some(), "{pointer}");
    }
    assert_eq!((&json["blkio"], &json["memory"]), (&serde_json::json!({}), &serde_json::json!({})));
    let entry = Some(MemoryEntry::default());
    let memory = serde_json::to_value(Memory { kernel_tcp: entry, usage: entry, ..Memory::default() }).unwrap();
    assert!(memory["kernelTCP"]["failcnt"].is_u64() && memory["usage"]["limit"].is_u64());
    assert!(json["pids"]["current"].is_u64() && json["hugetlb"].is_object());
}
