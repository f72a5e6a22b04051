//! Ids at the edges and ids without a mapping: in the sandbox there is no host id to become.

use libc::{EINVAL, EPERM};

use super::attacks;

attacks! {
    becoming_an_unmapped_user_is_refused: ["setuid", "70000"], refused [EINVAL, EPERM], witnessed None,
        beside "honest-setuid";
    becoming_a_user_at_the_sign_bit_is_refused: ["setuid", "2147483648"], refused [EINVAL, EPERM], witnessed None,
        beside "honest-setuid";
    becoming_the_last_user_is_refused: ["setresuid", "4294967294"], refused [EINVAL, EPERM], witnessed None,
        beside "honest-setuid";
    becoming_an_unmapped_group_is_refused: ["setgid", "70000"], refused [EINVAL, EPERM], witnessed None,
        beside "honest-setuid";
    joining_an_unmapped_group_is_refused: ["setgroups", "70000"], refused [EINVAL, EPERM], witnessed None,
        beside "honest-setuid";
    giving_a_file_to_an_unmapped_user_is_refused: ["chown", "70000"], refused [EINVAL, EPERM], witnessed None,
        beside "honest-chown";
    no_user_at_all_is_refused: ["setuid", "4294967295"], refused [EINVAL], witnessed None, beside "honest-setuid",
        absent [EINVAL];
}
