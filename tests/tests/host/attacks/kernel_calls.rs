//! Rows R23, R25, R27 and their like: kernel interfaces with a history of escapes, and calls that run the machine.

use libc::{EINVAL, ENOSYS, EPERM};

use super::attacks;

attacks! {
    bpf_is_refused: ["bpf"], refused [EPERM], witnessed Some("bpf"), beside "honest-filter";
    perf_event_open_is_refused: ["perf-event-open"], refused [EPERM], witnessed Some("perf_event_open"),
        beside "honest-clock";
    userfaultfd_is_refused: ["userfaultfd"], refused [EPERM, ENOSYS], witnessed Some("userfaultfd"), beside "honest-memory";
    io_uring_is_refused: ["io-uring"], refused [ENOSYS, EPERM], witnessed Some("io_uring_setup"), beside "honest-epoll";
    init_module_is_refused: ["init-module"], refused [EPERM], witnessed Some("init_module"), beside "honest-files",
        absent [ENOSYS];
    finit_module_is_refused: ["finit-module"], refused [EPERM], witnessed Some("finit_module"), beside "honest-files",
        absent [ENOSYS];
    delete_module_is_refused: ["delete-module"], refused [EPERM], witnessed Some("delete_module"), beside "honest-files",
        absent [ENOSYS];
    kexec_load_is_refused: ["kexec-load"], refused [EPERM], witnessed Some("kexec_load"), beside "honest-files",
        absent [ENOSYS];
    a_listener_of_its_own_is_refused: ["seccomp-listener"], refused [EPERM], witnessed Some("seccomp"),
        beside "honest-filter";
    read_implies_exec_is_refused: ["personality"], refused [EPERM], witnessed Some("personality"),
        beside "honest-personality";
    read_implies_exec_with_high_bits_is_refused: ["personality-high-bits"], refused [EPERM],
        witnessed Some("personality"), beside "honest-personality";
    set_mm_is_refused: ["set-mm"], refused [EPERM], witnessed Some("prctl"), beside "honest-prctl";
    modify_ldt_is_refused: ["modify-ldt"], refused [EPERM, ENOSYS], witnessed Some("modify_ldt"), beside "honest-memory";
    memfd_secret_is_refused: ["memfd-secret"], refused [EPERM, ENOSYS], witnessed Some("memfd_secret"),
        beside "honest-memory";
    vmsplice_is_refused: ["vmsplice"], refused [EPERM, ENOSYS], witnessed Some("vmsplice"), beside "honest-exec";
    fanotify_is_refused: ["fanotify"], refused [EPERM], witnessed Some("fanotify_init"), beside "honest-files";
    add_key_is_refused: ["add-key", "lazaret-test", "x"], refused [EPERM, ENOSYS], witnessed Some("add_key"),
        beside "honest-memory";
    keyctl_is_refused: ["link-key"], refused [EPERM, ENOSYS], witnessed Some("keyctl"), beside "honest-memory";
    setting_the_clock_by_adjtimex_is_refused: ["adjtimex"], refused [EPERM], witnessed None,
        beside "honest-clock";
    setting_the_clock_is_refused: ["clock-settime"], refused [EPERM], witnessed Some("clock_settime"),
        beside "honest-clock";
    setting_the_time_of_day_is_refused: ["settimeofday"], refused [EPERM], witnessed Some("settimeofday"),
        beside "honest-clock";
    the_kernel_log_is_refused: ["syslog"], refused [EPERM], witnessed Some("syslog"), beside "honest-status";
    reboot_is_refused: ["reboot"], refused [EPERM], witnessed Some("reboot"), beside "honest-signals";
    swapon_is_refused: ["swapon"], refused [EPERM], witnessed Some("swapon"), beside "honest-files";
    swapoff_is_refused: ["swapoff"], refused [EPERM], witnessed Some("swapoff"), beside "honest-files";
    quotactl_is_refused: ["quotactl"], refused [EPERM], witnessed Some("quotactl"), beside "honest-files";
    acct_is_refused: ["acct"], refused [EPERM], witnessed Some("acct"), beside "honest-files";
    iopl_is_refused: ["iopl"], refused [EPERM], witnessed Some("iopl"), beside "honest-memory", absent [ENOSYS];
    ioperm_is_refused: ["ioperm"], refused [EPERM], witnessed Some("ioperm"), beside "honest-memory",
        absent [ENOSYS, EINVAL];
    core_scheduling_is_refused: ["prctl-number", "3e", "0"], refused [EPERM, EINVAL], witnessed Some("prctl"),
        beside "honest-prctl";
    secure_bits_are_refused: ["prctl-number", "1c", "0"], refused [EPERM], witnessed Some("prctl"),
        beside "honest-prctl";
    secure_bits_with_high_bits_are_refused: ["prctl-number", "10000001c", "0"], refused [EPERM],
        witnessed Some("prctl"), beside "honest-prctl";
    stopping_the_counters_of_others_is_refused: ["prctl-number", "1f", "0"], refused [EPERM],
        witnessed Some("prctl"), beside "honest-prctl";
    directory_notification_is_refused: ["fcntl-number", "402", "1", "/tmp"], refused [EPERM, EINVAL], witnessed None,
        beside "honest-lock";
    directory_notification_with_high_bits_is_refused: ["fcntl-number", "100000402", "1", "/tmp"], refused [EPERM, EINVAL],
        witnessed None, beside "honest-lock";
    leases_are_refused: ["fcntl-number", "400", "0", "/etc/hostname"], refused [EPERM, EINVAL], witnessed None, beside "honest-lock";
    huge_pages_by_a_memory_file_are_refused: ["memfd-flags", "4"], refused [EPERM, EINVAL], witnessed None,
        beside "honest-memory";
    huge_pages_by_a_memory_file_with_high_bits_are_refused: ["memfd-flags", "100000004"], refused [EPERM, EINVAL],
        witnessed None, beside "honest-memory";
    vhangup_is_refused: ["vhangup"], refused [EPERM], witnessed Some("vhangup"), beside "honest-terminal";
}
