//! Terminal injection, and console calls, also with bits set that the kernel ignores (CVE-2019-10063).

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::verdict;
use libc::{ENOTTY, EPERM};
use serde_json::json;

use super::attacks;

attacks! {
    typing_into_a_terminal_is_refused: ["tiocsti"], refused [EPERM], witnessed Some("ioctl"), beside "honest-terminal";
    typing_into_a_terminal_with_high_bits_is_refused: ["tiocsti-high-bits"], refused [EPERM],
        witnessed Some("ioctl"), beside "honest-terminal";
    console_calls_are_refused: ["ioctl-number", "541c"], refused [EPERM], witnessed Some("ioctl"),
        beside "honest-terminal";
    console_calls_with_high_bits_are_refused: ["ioctl-number", "300000000541c"], refused [EPERM],
        witnessed Some("ioctl"), beside "honest-terminal";
    console_redirection_is_refused: ["ioctl-number", "541d"], refused [EPERM], witnessed Some("ioctl"),
        beside "honest-terminal";
    line_disciplines_are_refused: ["ioctl-number", "5423"], refused [EPERM], witnessed Some("ioctl"),
        beside "honest-terminal";
    asking_a_namespace_for_its_owner_is_refused: ["ioctl-number", "b701", "/proc/self/ns/mnt"], refused [EPERM, ENOTTY],
        witnessed Some("ioctl"), beside "honest-terminal";
}

/// The same with the terminal that the runtime itself made for the container.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn typing_is_refused_whoever_owns_the_terminal() {
    let lazaret = Lazaret::new();
    for user in [0, 1000] {
        let bundle =
            Bundle::attacker(&["tiocsti"]).edit(|config| config["process"]["user"] = json!({"uid": user, "gid": user}));
        let verdict = verdict::of(&lazaret.run(&bundle));
        assert!(!verdict.ok && verdict.errno == EPERM, "{verdict:?}");
    }
}
