//! `bpf(2)` for one purpose: a BPF_PROG_TYPE_CGROUP_DEVICE program, loaded and attached to a cgroup v2 directory. Called
//! by `cgroup`. It judges no instruction: the kernel's verifier does.

use std::ffi::{CStr, c_uint};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

// linux/bpf.h
const BPF_PROG_LOAD: c_uint = 5;
const BPF_PROG_ATTACH: c_uint = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
/// Programs of child cgroups may be added, and all of them have to agree: what a delegated workload attaches can
/// only tighten.
const BPF_F_ALLOW_MULTI: u32 = 2;

/// No helper that asks for the GPL is called.
const LICENSE: &CStr = c"Apache-2.0";

/// The part of `union bpf_attr` that BPF_PROG_LOAD reads, up to the last field in use.
#[repr(C)]
struct LoadAttr {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface_index: u32,
    expected_attach_type: u32,
}

/// The part of `union bpf_attr` that BPF_PROG_ATTACH reads.
#[repr(C)]
struct AttachAttr {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
}

/// Loads a device program of `instructions`, each eight bytes as `struct bpf_insn`.
///
/// # Errors
/// `EPERM` without CAP_BPF or CAP_SYS_ADMIN, `EACCES` or `EINVAL` when the verifier refuses the program, `EINVAL` on a
/// kernel without CONFIG_CGROUP_BPF.
pub fn load_device_program(instructions: &[[u8; 8]]) -> io::Result<OwnedFd> {
    let instruction_count = u32::try_from(instructions.len()).map_err(io::Error::other)?;
    let attr = LoadAttr {
        program_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        instruction_count,
        instructions: instructions.as_ptr().addr() as u64,
        license: LICENSE.as_ptr().addr() as u64,
        log_level: 0,
        log_size: 0,
        log_buffer: 0,
        kernel_version: 0,
        flags: 0,
        name: *b"lazaret_devices\0",
        interface_index: 0,
        expected_attach_type: BPF_CGROUP_DEVICE,
    };
    // SAFETY: `attr` is live and its size is passed with it; `instructions` and LICENSE outlive the call, which copies them.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const attr, size_of::<LoadAttr>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: BPF_PROG_LOAD returned a new descriptor that nobody else knows of.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Attaches a loaded device program to a cgroup v2 directory; it stays until the directory is removed.
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN or CAP_SYS_ADMIN, or when an ancestor's program allows none below it; `EBADF` when
/// `cgroup` is no cgroup v2 directory.
pub fn attach_device_program(cgroup: impl AsFd, program: impl AsFd) -> io::Result<()> {
    let attr = AttachAttr {
        target: cgroup.as_fd().as_raw_fd().cast_unsigned(),
        program: program.as_fd().as_raw_fd().cast_unsigned(),
        attach_type: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: `attr` is live and its size is passed with it; the kernel reads it and writes nothing.
    let result = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attr, size_of::<AttachAttr>()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
