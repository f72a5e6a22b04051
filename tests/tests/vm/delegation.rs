//! A container's own cgroup in its own hands: asked for by a writable cgroup mount in a user namespace of its own.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use serde_json::{Value, json};

/// Makes a child, moves in, gives it a limit, and tries to touch its own.
const LINE: &str = "cd /sys/fs/cgroup; mkdir child && echo $$ > child/cgroup.procs && echo +pids > cgroup.subtree_control \
                    && echo 3 > child/pids.max && cat child/pids.max /proc/self/cgroup; \
                    echo max > pids.max || echo refused";

fn bundle(cgroup_options: Value) -> Bundle {
    Bundle::shell(LINE).edit(|config| {
        config["linux"]["resources"]["pids"] = json!({"limit": 50});
        let mounts = config["mounts"].as_array_mut().unwrap();
        let cgroup = mounts.iter_mut().find(|mount| mount["type"] == "cgroup").unwrap();
        cgroup["options"] = cgroup_options;
    })
}

#[test]
#[ignore = "needs the VM"]
fn a_container_divides_its_own_cgroup_and_keeps_its_limits() {
    let lazaret = Lazaret::new();
    let delegated = lazaret.run(&bundle(json!(["nosuid", "noexec", "nodev"])));
    assert_eq!(delegated.stdout, "3\n0::/child\nrefused\n", "{delegated:?}");
    let read_only = lazaret.run(&bundle(json!(["nosuid", "noexec", "nodev", "ro"])));
    assert_eq!(read_only.stdout, "refused\n", "{read_only:?}");
}
