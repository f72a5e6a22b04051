//! Device rules, which on v2 a BPF program holds: the node is there, and its use is what is refused.

use std::path::Path;

use lazaret_tests::bundle::Bundle;
use serde_json::{Value, json};

use crate::cgroup::lazaret;

/// A bundle with the host's kernel log bound in, and these rules.
fn with_kernel_log(rules: Value) -> Bundle {
    Bundle::shell("dd if=/dev/kmsg of=/dev/null bs=8k count=1 && echo opened; echo x > /dev/null && echo null works")
        .bind(Path::new("/dev/kmsg"), "/dev/kmsg")
        .edit(|config| {
            config["linux"]["resources"]["devices"] = rules;
            let all = json!(["CAP_SYS_ADMIN", "CAP_SYSLOG", "CAP_MKNOD", "CAP_DAC_OVERRIDE"]);
            config["process"]["capabilities"] = json!({"bounding": all, "effective": all, "permitted": all});
        })
}

#[test]
#[ignore = "needs the VM"]
fn a_device_that_no_rule_allows_cannot_be_opened() {
    let lazaret = lazaret("native");
    let denied = lazaret.run(&with_kernel_log(json!([{"allow": false, "access": "rwm"}])));
    assert_eq!(denied.stdout, "null works\n", "{denied:?}");
    denied.explains(&["Operation not permitted"]);
    let rules = json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}
    ]);
    let control = lazaret.run(&with_kernel_log(rules));
    assert_eq!(control.stdout, "opened\nnull works\n", "{control:?}");
}

/// A process may make any node, as under other runtimes; it is worth no more than the rules.
#[test]
#[ignore = "needs the VM"]
fn a_node_made_inside_opens_no_forbidden_device() {
    let line = "mknod /tmp/log c 1 11 && mknod /tmp/zero c 1 5 && echo made; \
                head -c 1 /tmp/zero >/dev/null && echo zero works; \
                dd if=/tmp/log of=/dev/null bs=8k count=1 && echo opened";
    let bundle = |rules: Value| with_kernel_log(rules).args(&["/bin/sh", "-c", line]);
    let lazaret = lazaret("native");
    let denied = lazaret.run(&bundle(json!([{"allow": false, "access": "rwm"}])));
    assert_eq!(denied.stdout, "made\nzero works\n", "{denied:?}");
    denied.explains(&["Operation not permitted"]);
    let control = lazaret.run(&bundle(json!([{"allow": true, "access": "rwm"}])));
    assert_eq!(control.stdout, "made\nzero works\nopened\n", "{control:?}");
}
