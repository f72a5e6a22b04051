//! File systems that are the kernel's own interfaces: never a source of a bind mount, wherever they are mounted. Known by
//! the type in the mount table and by the magic number of `statfs(2)` (`include/uapi/linux/magic.h`). Data.

/// One type: its name, its magic number (0 where the kernel gives it none of its own), and why.
#[derive(Debug, Clone, Copy)]
pub struct KernelFilesystem {
    /// Name in the mount table.
    pub name: &'static str,
    /// Magic number of `statfs(2)`.
    pub magic: u64,
    /// What it gives away.
    pub reason: &'static str,
}

const fn row(name: &'static str, magic: u64, reason: &'static str) -> KernelFilesystem {
    KernelFilesystem { name, magic, reason }
}

/// Every type.
pub const KERNEL_FILESYSTEMS: &[KernelFilesystem] = &[
    row("proc", 0x9fa0, "the host's processes and kernel settings"),
    row("sysfs", 0x6265_6572, "the host's devices and kernel settings"),
    // devtmpfs answers statfs with the magic number of tmpfs.
    row("devtmpfs", 0, "the host's device nodes"),
    row("devpts", 0x1cd1, "the host's terminals"),
    row("cgroup", 0x0027_e0eb, "the host's control groups, with release_agent"),
    row("cgroup2", 0x6367_7270, "the host's control groups"),
    row("debugfs", 0x6462_6720, "the kernel's debugging interfaces"),
    row("tracefs", 0x7472_6163, "the kernel's tracing interfaces"),
    row("bpf", 0xcafe_4a11, "BPF objects of the host"),
    row("securityfs", 0x7363_6673, "the settings of the security modules"),
    row("selinuxfs", 0xf97c_ff8c, "the settings of SELinux"),
    row("smackfs", 0x4341_5d53, "the settings of Smack"),
    row("efivarfs", 0xde5e_81e4, "the firmware's variables: writing them can break the machine"),
    row("pstore", 0x6165_676c, "kernel logs of earlier crashes"),
    row("configfs", 0x6265_6570, "kernel objects that are made by mkdir"),
    row("fusectl", 0x6573_5543, "control of the host's FUSE mounts"),
    row("binfmt_misc", 0x4249_4e4d, "programs that the host's kernel runs by file type"),
    row("nsfs", 0x6e73_6673, "namespaces of other processes"),
    row("mqueue", 0x1980_0202, "message queues of the host"),
    row("rpc_pipefs", 0x6759_6969, "the pipes of the NFS daemons"),
    row("nfsd", 0x6e66_7364, "control of the NFS server"),
    row("resctrl", 0x0765_5821, "the allocation of the host's caches"),
    row("xenfs", 0xabba_1974, "control of the hypervisor"),
    row("binder", 0x6c6f_6f70, "the host's binder devices"),
    row("autofs", 0x0187, "walking it makes the host mount things"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_unique() {
        for (index, row) in KERNEL_FILESYSTEMS.iter().enumerate() {
            let rest = &KERNEL_FILESYSTEMS[index + 1..];
            assert!(rest.iter().all(|other| other.name != row.name && (row.magic == 0 || other.magic != row.magic)));
        }
    }
}
