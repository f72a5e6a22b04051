//! `bpf(2)` for one purpose: a BPF_PROG_TYPE_CGROUP_DEVICE program, loaded and attached to a cgroup v2 directory. Called
//! by `cgroup`. It judges no instruction: the kernel's verifier does.

use std::ffi::{CStr, c_uint};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

// linux/bpf.h
const BPF_PROG_LOAD: c_uint = 5;
const BPF_PROG_ATTACH: c_uint = 8;
const BPF_PROG_GET_FD_BY_ID: c_uint = 13;
const BPF_OBJ_GET_INFO_BY_FD: c_uint = 15;
const BPF_PROG_QUERY: c_uint = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
/// Programs of child cgroups may be added, and all of them have to agree: what a delegated workload attaches can
/// only tighten.
const BPF_F_ALLOW_MULTI: u32 = 2;
/// The program takes the place of another one, at once (Linux 5.6).
const BPF_F_REPLACE: u32 = 4;
/// The most programs that one cgroup can have (BPF_CGROUP_MAX_PROGS).
const MOST_PROGRAMS: usize = 64;
/// By this name our program is known among those of others, such as systemd.
const NAME: [u8; 16] = *b"lazaret_devices\0";

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
    replaced: u32,
}

/// The part of `union bpf_attr` that BPF_PROG_QUERY reads, and writes the count of.
#[repr(C)]
struct QueryAttr {
    target: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

/// The part of `union bpf_attr` that BPF_PROG_GET_FD_BY_ID reads.
#[repr(C)]
struct ByIdAttr {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

/// The part of `union bpf_attr` that BPF_OBJ_GET_INFO_BY_FD reads.
#[repr(C)]
struct InfoAttr {
    fd: u32,
    length: u32,
    info: u64,
}

/// `struct bpf_prog_info` up to its name; with zeroes the kernel fills none of the lists that it may point to.
#[repr(C)]
#[derive(Default)]
struct ProgramInfo {
    before_name: [u64; 8],
    name: [u8; 16],
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
        name: NAME,
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

/// Attaches a loaded device program to a cgroup v2 directory; it stays until the directory is removed. An earlier one of
/// ours is replaced at once: there is no moment with neither or both.
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN or CAP_SYS_ADMIN, or when an ancestor's program allows none below it; `EBADF` when
/// `cgroup` is no cgroup v2 directory.
pub fn attach_device_program(cgroup: impl AsFd, program: impl AsFd) -> io::Result<()> {
    let replaced = own_program(&cgroup)?;
    let attr = AttachAttr {
        target: cgroup.as_fd().as_raw_fd().cast_unsigned(),
        program: program.as_fd().as_raw_fd().cast_unsigned(),
        attach_type: BPF_CGROUP_DEVICE,
        flags: if replaced.is_some() { BPF_F_ALLOW_MULTI | BPF_F_REPLACE } else { BPF_F_ALLOW_MULTI },
        replaced: replaced.as_ref().map_or(0, |program| program.as_raw_fd().cast_unsigned()),
    };
    // SAFETY: `attr` is live and its size is passed with it; the kernel reads it and writes nothing.
    let result = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attr, size_of::<AttachAttr>()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Our program among those that are attached to this very cgroup.
fn own_program(cgroup: &impl AsFd) -> io::Result<Option<OwnedFd>> {
    let mut ids = [0_u32; MOST_PROGRAMS];
    let mut attr = QueryAttr {
        target: cgroup.as_fd().as_raw_fd().cast_unsigned(),
        attach_type: BPF_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr().addr() as u64,
        count: u32::try_from(ids.len()).map_err(io::Error::other)?,
        padding: 0,
    };
    // SAFETY: `attr` is live and its size is passed with it; it names `ids`, which is live and as long as it says.
    let result = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_QUERY, &raw mut attr, size_of::<QueryAttr>()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let count = usize::try_from(attr.count).map_err(io::Error::other)?;
    for id in ids.into_iter().take(count) {
        let program = program_of(id)?;
        if name_of(&program)? == NAME {
            return Ok(Some(program));
        }
    }
    Ok(None)
}

fn program_of(id: u32) -> io::Result<OwnedFd> {
    let attr = ByIdAttr { id, next_id: 0, open_flags: 0 };
    // SAFETY: `attr` is live and its size is passed with it; the kernel reads it and writes nothing.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_GET_FD_BY_ID, &raw const attr, size_of::<ByIdAttr>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: BPF_PROG_GET_FD_BY_ID returned a new descriptor that nobody else knows of.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn name_of(program: &OwnedFd) -> io::Result<[u8; 16]> {
    let mut info = ProgramInfo::default();
    let attr = InfoAttr {
        fd: program.as_raw_fd().cast_unsigned(),
        length: u32::try_from(size_of::<ProgramInfo>()).map_err(io::Error::other)?,
        info: (&raw mut info).addr() as u64,
    };
    // SAFETY: `attr` is live and its size is passed with it; it names `info`, which is live and as long as it says.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &raw const attr, size_of::<InfoAttr>()) };
    if result == 0 { Ok(info.name) } else { Err(io::Error::last_os_error()) }
}
