//! Attacks on kernel interfaces that a container has no business with: bpf, perf, io_uring, modules, foreign entry gates.

use std::os::fd::AsRawFd as _;

use crate::raw::{address, address_mut, call, int80, own, text};
use crate::report::{Act, Failure, Outcome, Step as _, argument, without_effect};

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("bpf", bpf),
    ("perf-event-open", perf_event_open),
    ("userfaultfd", userfaultfd),
    ("io-uring", io_uring),
    ("open-by-handle", open_by_handle),
    ("name-to-handle", name_to_handle),
    ("init-module", init_module),
    ("finit-module", finit_module),
    ("delete-module", delete_module),
    ("kexec-load", kexec_load),
    ("int80", int80_getpid),
    ("int80-unshare", int80_unshare),
    ("x32", x32),
    ("seccomp-listener", seccomp_listener),
    ("personality", personality),
    ("personality-high-bits", personality_high_bits),
    ("set-mm", set_mm),
    ("modify-ldt", modify_ldt),
    ("memfd-secret", memfd_secret),
    ("vmsplice", vmsplice),
    ("fanotify", fanotify),
    ("dead-call", dead_call),
    ("prctl-number", prctl_number),
    ("fcntl-number", fcntl_number),
    ("memfd-flags", memfd_flags),
];

/// What a descriptor is, from /proc: the proof that there is one.
fn witness(fd: u64) -> Outcome {
    let fd = own(fd);
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).step("readlink")?;
    Ok(format!("descriptor of {}", link.display()))
}

fn bpf(_: &[String]) -> Outcome {
    // BPF_MAP_CREATE of an array of one u32: map_type, key_size, value_size, max_entries.
    let attributes: [u32; 18] = [2, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    witness(call(libc::SYS_bpf, &[0, address(&attributes), 72]).step("bpf")?)
}

fn perf_event_open(_: &[String]) -> Outcome {
    // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK: works without hardware counters.
    let mut attributes = [0_u64; 16];
    attributes[0] = 1 | (128 << 32);
    let arguments = [address(&attributes), 0, u64::MAX, u64::MAX, 0];
    witness(call(libc::SYS_perf_event_open, &arguments).step("perf_event_open")?)
}

fn userfaultfd(_: &[String]) -> Outcome {
    witness(call(libc::SYS_userfaultfd, &[libc::O_CLOEXEC as u64]).step("userfaultfd")?)
}

fn io_uring(_: &[String]) -> Outcome {
    let mut parameters = [0_u32; 30];
    witness(call(libc::SYS_io_uring_setup, &[4, address_mut(&mut parameters)]).step("io_uring_setup")?)
}

/// Opens a host file by the handle in the first argument (type in decimal, colon, bytes in hexadecimal), through each
/// mount in turn, and looks for the token in the second. This is how "shocker" left a container.
fn open_by_handle(arguments: &[String]) -> Outcome {
    let (handle, token) = (argument(arguments, 0)?, argument(arguments, 1)?);
    let Some((kind, bytes)) = parse_handle(handle) else {
        return Err(Failure { step: "bad handle".to_owned(), errno: -1 });
    };
    let mut buffer = vec![0_u8; 8 + bytes.len()];
    buffer[..4].copy_from_slice(&(bytes.len() as u32).to_ne_bytes());
    buffer[4..8].copy_from_slice(&kind.to_ne_bytes());
    buffer[8..].copy_from_slice(&bytes);
    let mut last = without_effect("no mount gave the file");
    for anchor in ["/", "/etc/hostname", "/mnt", "/proc", "/dev"] {
        let Ok(directory) = std::fs::File::open(anchor) else { continue };
        let call_arguments = [directory.as_raw_fd() as u64, address(buffer.as_slice()), libc::O_RDONLY as u64];
        match call(libc::SYS_open_by_handle_at, &call_arguments) {
            Ok(fd) => {
                let text = std::io::read_to_string(std::fs::File::from(own(fd))).step("read")?;
                if text.contains(token) {
                    return Ok(format!("the host's file says {token}"));
                }
            }
            Err(errno) => last = Err(errno).step("open_by_handle_at"),
        }
    }
    last
}

fn parse_handle(handle: &str) -> Option<(i32, Vec<u8>)> {
    let (kind, hexadecimal) = handle.split_once(':')?;
    let bytes = (0..hexadecimal.len()).step_by(2).map(|at| u8::from_str_radix(hexadecimal.get(at..at + 2)?, 16).ok());
    Some((kind.parse().ok()?, bytes.collect::<Option<Vec<u8>>>()?))
}

/// Prints the handle of a path, in the form that `open-by-handle` takes.
fn name_to_handle(arguments: &[String]) -> Outcome {
    let path = text(argument(arguments, 0)?);
    let mut buffer = [0_u8; 136];
    buffer[..4].copy_from_slice(&128_u32.to_ne_bytes());
    let mut mount = 0_i32;
    let call_arguments =
        [libc::AT_FDCWD as u64, address(path.as_c_str()), address_mut(&mut buffer), address_mut(&mut mount), 0];
    call(libc::SYS_name_to_handle_at, &call_arguments).step("name_to_handle_at")?;
    let length = u32::from_ne_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]) as usize;
    let kind = i32::from_ne_bytes([buffer[4], buffer[5], buffer[6], buffer[7]]);
    let hexadecimal: String = buffer[8..8 + length].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{kind}:{hexadecimal}"))
}

/// The kernel that looks at the image answers ENOEXEC: then the call went through.
fn init_module(_: &[String]) -> Outcome {
    let (image, options) = ([0_u8; 64], text(""));
    reaches(
        call(libc::SYS_init_module, &[address(&image), 64, address(options.as_c_str())]),
        "init_module",
        &[libc::ENOEXEC],
    )
}

fn finit_module(_: &[String]) -> Outcome {
    let file = std::fs::File::open("/proc/self/exe").step("open")?;
    let options = text("");
    let arguments = [file.as_raw_fd() as u64, address(options.as_c_str()), 0];
    reaches(call(libc::SYS_finit_module, &arguments), "finit_module", &[libc::ENOEXEC])
}

fn delete_module(_: &[String]) -> Outcome {
    let name = text("no_such_module_of_lazaret");
    let arguments = [address(name.as_c_str()), libc::O_NONBLOCK as u64];
    reaches(call(libc::SYS_delete_module, &arguments), "delete_module", &[libc::ENOENT])
}

/// An architecture that no kernel has: a permitted caller gets EINVAL, and nothing is loaded.
fn kexec_load(_: &[String]) -> Outcome {
    reaches(call(libc::SYS_kexec_load, &[0, 0, 0, 0xffff_0000]), "kexec_load", &[libc::EINVAL])
}

/// For calls whose success would harm: an answer from beyond the permission check counts as success.
pub(crate) fn reaches(result: Result<u64, i32>, step: &str, beyond: &[i32]) -> Outcome {
    match result {
        Ok(value) => Ok(format!("{step} returned {value}")),
        Err(errno) if beyond.contains(&errno) => Ok(format!("{step} was carried out as far as errno {errno}")),
        Err(errno) => Err(errno).step(step),
    }
}

/// i386 getpid: the same pid by the other gate proves that the gate is open.
fn int80_getpid(_: &[String]) -> Outcome {
    let pid = int80(20, 0, 0, 0);
    if pid > 0 && pid as u32 == std::process::id() {
        Ok(format!("the i386 gate says that this is process {pid}"))
    } else {
        Err(-pid).step("int 0x80")
    }
}

/// i386 unshare(CLONE_NEWUSER): the number means something else to a filter for x86-64.
fn int80_unshare(_: &[String]) -> Outcome {
    let before = std::fs::read_link("/proc/self/ns/user").step("readlink")?;
    let result = int80(310, libc::CLONE_NEWUSER as u32, 0, 0);
    let after = std::fs::read_link("/proc/self/ns/user").step("readlink")?;
    if before == after { Err(-result).step("int 0x80") } else { Ok(format!("{} by the i386 gate", after.display())) }
}

/// x32 getpid and unshare: the number with bit 30.
fn x32(_: &[String]) -> Outcome {
    let pid = call(0x4000_0000 | libc::SYS_getpid, &[]);
    let unshared = call(0x4000_0000 | libc::SYS_unshare, &[libc::CLONE_NEWUSER as u64]);
    match (pid, unshared) {
        (Err(errno), Err(_)) => Err(errno).step("x32"),
        (pid, unshared) => Ok(format!("x32 answered {pid:?} {unshared:?}")),
    }
}

/// A filter of the workload with a listener would make it a supervisor of its own.
fn seccomp_listener(_: &[String]) -> Outcome {
    let allow: [u64; 1] = [0x7fff_0000_0000_0006];
    let program = [1_u64, address(&allow)];
    let no_new_privileges = call(libc::SYS_prctl, &[libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0, 0, 0]);
    no_new_privileges.step("prctl")?;
    let new_listener = 8_u64;
    witness(call(libc::SYS_seccomp, &[1, new_listener, address(&program)]).step("seccomp")?)
}

fn persona(value: u64) -> Outcome {
    call(libc::SYS_personality, &[value]).step("personality")?;
    let now = call(libc::SYS_personality, &[0xffff_ffff]).step("personality query")?;
    if now & 0x0040_0000 != 0 { Ok(format!("the personality is {now:#x}")) } else { without_effect("personality") }
}

/// READ_IMPLIES_EXEC: weakens every later exec.
fn personality(_: &[String]) -> Outcome {
    persona(0x0040_0000)
}

fn personality_high_bits(_: &[String]) -> Outcome {
    persona(0x0000_0001_0040_0000)
}

fn set_mm(_: &[String]) -> Outcome {
    let mut size = 0_u32;
    let (set_mm, map_size) = (35, 15);
    call(libc::SYS_prctl, &[set_mm, map_size, address_mut(&mut size), 0, 0]).step("prctl")?;
    if size > 0 { Ok(format!("PR_SET_MM answers: {size} bytes")) } else { without_effect("prctl") }
}

fn modify_ldt(_: &[String]) -> Outcome {
    // One 32-bit data segment: entry, base, limit, flags.
    let entry: [u32; 4] = [1, 0, 0xfff, 0x51];
    call(libc::SYS_modify_ldt, &[1, address(&entry), 16]).step("modify_ldt")?;
    let mut table = [0_u8; 64];
    let length = call(libc::SYS_modify_ldt, &[0, address_mut(&mut table), 64]).step("modify_ldt read")?;
    if length > 0 { Ok(format!("the LDT has {length} bytes")) } else { without_effect("modify_ldt") }
}

fn memfd_secret(_: &[String]) -> Outcome {
    witness(call(libc::SYS_memfd_secret, &[0]).step("memfd_secret")?)
}

fn vmsplice(_: &[String]) -> Outcome {
    let (_reader, writer) = std::io::pipe().step("pipe")?;
    let page = [7_u8; 64];
    let vector = [address(&page), 64];
    let count = call(libc::SYS_vmsplice, &[writer.as_raw_fd() as u64, address(&vector), 1, 0]).step("vmsplice")?;
    Ok(format!("{count} bytes were spliced"))
}

fn fanotify(_: &[String]) -> Outcome {
    witness(call(libc::SYS_fanotify_init, &[0, 0]).step("fanotify_init")?)
}

/// Numbers that no kernel has yet, and that a filter must not wave through.
fn dead_call(_: &[String]) -> Outcome {
    for number in [335 + 2, 400, 500, 600, 0x3fff_ffff] {
        match call(number, &[]) {
            Err(errno) if errno == libc::ENOSYS => {}
            Err(errno) => return Ok(format!("number {number} answered errno {errno}")),
            Ok(value) => return Ok(format!("number {number} answered {value}")),
        }
    }
    Err(libc::ENOSYS).step("unknown number")
}

/// A number of the command line, in hexadecimal.
fn hexadecimal(arguments: &[String], index: usize) -> Result<u64, Failure> {
    Ok(u64::from_str_radix(argument(arguments, index)?, 16).unwrap_or(0))
}

/// Any answer but a refusal says that the kernel looked at the call.
fn looked_at(result: Result<u64, i32>, step: &str) -> Outcome {
    match result {
        Err(errno) if errno == libc::EPERM || errno == libc::ENOSYS => Err(errno).step(step),
        Err(errno) => Ok(format!("the kernel answered errno {errno}")),
        Ok(value) => Ok(format!("the kernel answered {value}")),
    }
}

/// prctl by number and first argument.
fn prctl_number(arguments: &[String]) -> Outcome {
    let (option, first) = (hexadecimal(arguments, 0)?, hexadecimal(arguments, 1)?);
    looked_at(call(libc::SYS_prctl, &[option, first, 0, 0, 0]), "prctl")
}

/// fcntl by number and argument, on the file in the third argument.
fn fcntl_number(arguments: &[String]) -> Outcome {
    let file = std::fs::File::open(argument(arguments, 2)?).step("open")?;
    let (command, value) = (hexadecimal(arguments, 0)?, hexadecimal(arguments, 1)?);
    let answer = call(libc::SYS_fcntl, &[file.as_raw_fd() as u64, command, value]).step("fcntl")?;
    Ok(format!("the kernel answered {answer}"))
}

/// memfd_create by flags.
fn memfd_flags(arguments: &[String]) -> Outcome {
    let name = text("memory");
    let flags = hexadecimal(arguments, 0)?;
    witness(call(libc::SYS_memfd_create, &[address(name.as_c_str()), flags]).step("memfd_create")?)
}
