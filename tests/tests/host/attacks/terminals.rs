//! Terminal injection, and console calls, also with bits set that the kernel ignores (CVE-2019-10063).

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::verdict;
use libc::{EFAULT, EINVAL, ENOTTY, EOPNOTSUPP, EPERM};
use serde_json::json;

use super::attacks;

/// What an ioctl that is not for this file says; with a record of the refusal it was the filter that said it.
const NOT_HERE: [i32; 5] = [EPERM, ENOTTY, EINVAL, EFAULT, EOPNOTSUPP];

attacks! {
    typing_into_a_terminal_is_refused: ["tiocsti"], refused [EPERM], witnessed Some("ioctl"), beside "honest-terminal";
    typing_into_a_terminal_with_high_bits_is_refused: ["tiocsti-high-bits"], refused [EPERM],
        witnessed Some("ioctl"), beside "honest-terminal";
    console_calls_are_refused: ["ioctl-number", "541c"], refused NOT_HERE, witnessed Some("ioctl"),
        beside "honest-terminal", absent NOT_HERE;
    console_calls_with_high_bits_are_refused: ["ioctl-number", "300000000541c"], refused NOT_HERE,
        witnessed Some("ioctl"), beside "honest-terminal", absent NOT_HERE;
    console_redirection_is_refused: ["ioctl-number", "541d"], refused NOT_HERE, witnessed Some("ioctl"),
        beside "honest-terminal", absent NOT_HERE;
    line_disciplines_are_refused: ["ioctl-number", "5423"], refused NOT_HERE, witnessed Some("ioctl"),
        beside "honest-terminal", absent NOT_HERE;
    file_flags_are_refused: ["ioctl-number", "40086602", "/tmp"], refused NOT_HERE, witnessed None,
        beside "honest-files", absent NOT_HERE;
    extended_file_attributes_are_refused: ["ioctl-number", "401c5820", "/tmp"], refused NOT_HERE,
        witnessed None, beside "honest-files", absent NOT_HERE;
    loop_device_calls_are_refused: ["ioctl-number", "4c00"], refused NOT_HERE, witnessed Some("ioctl"),
        beside "honest-files", absent NOT_HERE;
    block_device_calls_are_refused: ["ioctl-number", "125f"], refused NOT_HERE, witnessed Some("ioctl"),
        beside "honest-files", absent NOT_HERE;
    virtual_machine_calls_are_refused: ["ioctl-number", "ae01"], refused NOT_HERE, witnessed Some("ioctl"),
        beside "honest-files", absent NOT_HERE;
    private_socket_calls_are_refused: ["ioctl-number", "89f0"], refused NOT_HERE, witnessed Some("ioctl"),
        beside "honest-tcp", absent NOT_HERE;
    asking_a_namespace_for_its_owner_is_refused: ["ioctl-number", "b701", "/proc/self/ns/mnt"], refused NOT_HERE,
        witnessed Some("ioctl"), beside "honest-terminal", absent NOT_HERE;
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
