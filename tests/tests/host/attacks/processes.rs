//! Row R28: nothing inside looks into another process, not even into its own child. A child's descriptors, memory and
//! registers are the way by which one hijacked process takes the rest.

use libc::{ENOSYS, EPERM};

use super::attacks;

attacks! {
    ptrace_is_refused: ["ptrace-child"], refused [EPERM], witnessed Some("ptrace"), beside "honest-exec";
    a_child_without_its_parents_tracer_is_refused: ["clone-untraced"], refused [EPERM], witnessed Some("clone"),
        beside "honest-exec";
    reading_foreign_memory_is_refused: ["process-vm-readv"], refused [EPERM], witnessed Some("process_vm_readv"),
        beside "honest-memory";
    writing_foreign_memory_is_refused: ["process-vm-writev"], refused [EPERM], witnessed Some("process_vm_writev"),
        beside "honest-memory";
    advice_on_foreign_memory_is_refused: ["process-madvise"], refused [EPERM, ENOSYS],
        witnessed Some("process_madvise"), beside "honest-memory";
    taking_a_foreign_descriptor_is_refused: ["pidfd-getfd"], refused [EPERM], witnessed Some("pidfd_getfd"),
        beside "honest-unix-socket";
    kcmp_is_refused: ["kcmp"], refused [EPERM, ENOSYS], witnessed Some("kcmp"), beside "honest-exec";
}
