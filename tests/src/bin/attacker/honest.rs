//! Honest work: what stands beside each refused call and must keep working. Each act does it and checks the result.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::raw::{address, address_mut, call, own, text};
use crate::report::{Act, Outcome, Step as _, without_effect};

/// The honest acts.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("honest-files", files),
    ("honest-rename", rename),
    ("honest-links", links),
    ("honest-lock", lock),
    ("honest-threads", threads),
    ("honest-exec", exec),
    ("honest-signals", signals),
    ("honest-memory", memory),
    ("honest-shared-memory", shared_memory),
    ("honest-epoll", epoll),
    ("honest-unix-socket", unix_socket),
    ("honest-tcp", tcp),
    ("honest-udp", udp),
    ("honest-ping", ping),
    ("honest-route", route),
    ("honest-socket-options", socket_options),
    ("honest-chown", chown),
    ("honest-setuid", setuid),
    ("honest-prctl", prctl),
    ("honest-status", status),
    ("honest-filter", filter),
    ("honest-personality", personality),
    ("honest-clock", clock),
    ("honest-terminal", terminal),
    ("honest-devices", devices),
    ("honest-fifo-node", fifo_node),
    ("honest-unshare-files", unshare_files),
    ("honest-chroot", chroot),
    ("honest-hostname", hostname),
    ("honest-limits", limits),
];

fn assure(holds: bool, what: &str) -> Outcome {
    if holds { Ok(what.to_owned()) } else { without_effect(what) }
}

fn files(_: &[String]) -> Outcome {
    std::fs::create_dir_all("/tmp/desk/deep").step("mkdir")?;
    std::fs::write("/tmp/desk/deep/file", "content").step("write")?;
    let content = std::fs::read_to_string("/tmp/desk/deep/file").step("read")?;
    std::fs::remove_dir_all("/tmp/desk").step("remove")?;
    assure(content == "content", "a file keeps what is written to it")
}

fn rename(_: &[String]) -> Outcome {
    std::fs::create_dir_all("/tmp/from").step("mkdir")?;
    std::fs::create_dir_all("/tmp/to").step("mkdir")?;
    std::fs::write("/tmp/from/file", "moved").step("write")?;
    std::fs::rename("/tmp/from/file", "/tmp/to/file").step("rename")?;
    std::fs::rename("/tmp/from", "/tmp/to/directory").step("rename directory")?;
    let content = std::fs::read_to_string("/tmp/to/file").step("read")?;
    std::fs::remove_dir_all("/tmp/to").step("remove")?;
    assure(content == "moved", "a file moves between directories")
}

fn links(_: &[String]) -> Outcome {
    std::fs::write("/tmp/target", "seen").step("write")?;
    std::os::unix::fs::symlink("target", "/tmp/symbolic").step("symlink")?;
    std::fs::hard_link("/tmp/target", "/tmp/hard").step("link")?;
    let both =
        std::fs::read_to_string("/tmp/symbolic").step("read")? + &std::fs::read_to_string("/tmp/hard").step("read")?;
    for path in ["/tmp/symbolic", "/tmp/hard", "/tmp/target"] {
        std::fs::remove_file(path).step("remove")?;
    }
    assure(both == "seenseen", "links lead to the file")
}

fn lock(_: &[String]) -> Outcome {
    let file = std::fs::File::create("/tmp/lock").step("create")?;
    file.lock().step("flock")?;
    let second = std::fs::File::open("/tmp/lock").step("open")?;
    assure(second.try_lock().is_err(), "a lock excludes")
}

/// Threads, channels, mutexes: clone of threads and futexes.
fn threads(_: &[String]) -> Outcome {
    let count = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| count.fetch_add(1, Ordering::SeqCst));
        }
    });
    let (sender, receiver) = std::sync::mpsc::channel();
    let worker = std::thread::spawn(move || sender.send(7).is_ok());
    let answer = receiver.recv().unwrap_or(0);
    assure(worker.join().unwrap_or(false) && answer == 7 && count.load(Ordering::SeqCst) == 16, "threads work together")
}

/// A child with pipes on both ends, and its status.
fn exec(_: &[String]) -> Outcome {
    let mut child = std::process::Command::new("/bin/busybox")
        .args(["sh", "-c", "read word; echo $word$word; exit 3"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .step("spawn")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(b"echo\n").step("write")?;
    }
    let mut answer = String::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_string(&mut answer).step("read")?;
    }
    let status = child.wait().step("wait")?;
    assure(answer == "echoecho\n" && status.code() == Some(3), "a child runs and reports")
}

fn signals(_: &[String]) -> Outcome {
    let mut set = 1_u64 << (libc::SIGUSR1 - 1);
    call(libc::SYS_rt_sigprocmask, &[libc::SIG_BLOCK as u64, address(&set), 0, 8]).step("sigprocmask")?;
    let fd = own(call(libc::SYS_signalfd4, &[u64::MAX, address(&set), 8, 0]).step("signalfd")?);
    call(libc::SYS_kill, &[u64::from(std::process::id()), libc::SIGUSR1 as u64]).step("kill")?;
    let mut info = [0_u8; 128];
    std::fs::File::from(fd).read_exact(&mut info).step("read")?;
    set = u64::from(info[0]);
    assure(set == libc::SIGUSR1 as u64, "a signal arrives")
}

fn memory(_: &[String]) -> Outcome {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let at = call(libc::SYS_mmap, &[0, 1 << 20, protection, flags, u64::MAX, 0]).step("mmap")?;
    call(libc::SYS_mprotect, &[at, 1 << 20, libc::PROT_READ as u64]).step("mprotect")?;
    call(libc::SYS_madvise, &[at, 1 << 20, libc::MADV_DONTNEED as u64]).step("madvise")?;
    call(libc::SYS_munmap, &[at, 1 << 20]).step("munmap")?;
    let name = text("honest");
    let fd = own(call(libc::SYS_memfd_create, &[address(name.as_c_str()), 1]).step("memfd_create")?);
    let mut file = std::fs::File::from(fd);
    file.write_all(b"x").step("write")?;
    assure(file.metadata().step("stat")?.len() == 1, "memory maps and memory files work")
}

fn shared_memory(_: &[String]) -> Outcome {
    std::fs::write("/dev/shm/segment", "shared").step("write /dev/shm")?;
    let id = call(libc::SYS_shmget, &[0, 4096, (libc::IPC_CREAT | 0o600) as u64]).step("shmget")?;
    let at = call(libc::SYS_shmat, &[id, 0, 0]).step("shmat")?;
    call(libc::SYS_shmdt, &[at]).step("shmdt")?;
    call(libc::SYS_shmctl, &[id, libc::IPC_RMID as u64, 0]).step("shmctl")?;
    assure(std::fs::read_to_string("/dev/shm/segment").step("read")? == "shared", "shared memory works")
}

fn epoll(_: &[String]) -> Outcome {
    let (reader, mut writer) = std::io::pipe().step("pipe")?;
    let poll = own(call(libc::SYS_epoll_create1, &[0]).step("epoll_create1")?);
    let fd = |fd: &dyn std::os::fd::AsRawFd| fd.as_raw_fd() as u64;
    let event: [u32; 3] = [libc::EPOLLIN as u32, 42, 0];
    call(libc::SYS_epoll_ctl, &[fd(&poll), libc::EPOLL_CTL_ADD as u64, fd(&reader), address(&event)])
        .step("epoll_ctl")?;
    writer.write_all(b"x").step("write")?;
    let mut seen: [u32; 3] = [0; 3];
    call(libc::SYS_epoll_wait, &[fd(&poll), address_mut(&mut seen), 1, 5000]).step("epoll_wait")?;
    assure(seen[1] == 42, "epoll reports")
}

fn unix_socket(_: &[String]) -> Outcome {
    let listener = std::os::unix::net::UnixListener::bind("/tmp/socket").step("bind")?;
    let mut client = std::os::unix::net::UnixStream::connect("/tmp/socket").step("connect")?;
    let (mut server, _) = listener.accept().step("accept")?;
    client.write_all(b"hello").step("write")?;
    let mut bytes = [0_u8; 5];
    server.read_exact(&mut bytes).step("read")?;
    let (mut left, mut right) = std::os::unix::net::UnixStream::pair().step("socketpair")?;
    left.write_all(b"pair").step("write")?;
    let mut pair = [0_u8; 4];
    right.read_exact(&mut pair).step("read")?;
    std::fs::remove_file("/tmp/socket").step("remove")?;
    assure(&bytes == b"hello" && &pair == b"pair", "unix sockets carry")
}

fn tcp(_: &[String]) -> Outcome {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").step("bind")?;
    let peer = listener.local_addr().step("address")?;
    let mut client = std::net::TcpStream::connect(peer).step("connect")?;
    let (mut server, _) = listener.accept().step("accept")?;
    client.write_all(b"hello").step("write")?;
    let mut bytes = [0_u8; 5];
    server.read_exact(&mut bytes).step("read")?;
    assure(&bytes == b"hello", "tcp carries over loopback")
}

fn udp(_: &[String]) -> Outcome {
    let first = std::net::UdpSocket::bind("127.0.0.1:0").step("bind")?;
    let second = std::net::UdpSocket::bind("127.0.0.1:0").step("bind")?;
    second.send_to(b"hello", first.local_addr().step("address")?).step("send")?;
    let mut bytes = [0_u8; 5];
    first.recv(&mut bytes).step("receive")?;
    assure(&bytes == b"hello", "udp carries over loopback")
}

/// A datagram ICMP socket: what ping uses without privilege.
fn ping(_: &[String]) -> Outcome {
    let arguments = [libc::AF_INET as u64, libc::SOCK_DGRAM as u64, libc::IPPROTO_ICMP as u64];
    let fd = own(call(libc::SYS_socket, &arguments).step("socket")?);
    let fd_number = std::os::fd::AsRawFd::as_raw_fd(&fd) as u64;
    let echo: [u8; 8] = [8, 0, 0, 0, 0, 0, 0, 1];
    let peer: [u8; 16] = [2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    call(libc::SYS_sendto, &[fd_number, address(&echo), 8, 0, address(&peer), 16]).step("sendto")?;
    let mut reply = [0_u8; 64];
    let length = call(libc::SYS_recvfrom, &[fd_number, address_mut(&mut reply), 64, 0, 0, 0]).step("recvfrom")?;
    assure(length >= 8 && reply[0] == 0, "ping of loopback is answered")
}

/// Route netlink: what a libc needs to list interfaces.
fn route(_: &[String]) -> Outcome {
    let (domain, raw) = (libc::AF_NETLINK as u64, libc::SOCK_RAW as u64);
    let fd = own(call(libc::SYS_socket, &[domain, raw, 0]).step("socket")?);
    assure(std::os::fd::AsRawFd::as_raw_fd(&fd) >= 0, "route netlink opens")
}

fn socket_options(_: &[String]) -> Outcome {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").step("bind")?;
    let client = std::net::TcpStream::connect(socket.local_addr().step("address")?).step("connect")?;
    client.set_nodelay(true).step("setsockopt")?;
    client.set_read_timeout(Some(std::time::Duration::from_secs(1))).step("setsockopt")?;
    assure(client.nodelay().step("getsockopt")?, "socket options are kept")
}

fn chown(_: &[String]) -> Outcome {
    std::fs::write("/tmp/owned", "x").step("write")?;
    std::os::unix::fs::chown("/tmp/owned", Some(1000), Some(1000)).step("chown")?;
    std::fs::set_permissions("/tmp/owned", std::fs::Permissions::from_mode(0o640)).step("chmod")?;
    let seen = std::fs::metadata("/tmp/owned").step("stat")?;
    assure((seen.uid(), seen.gid(), seen.mode() & 0o777) == (1000, 1000, 0o640), "owners and modes are kept")
}

fn setuid(_: &[String]) -> Outcome {
    let mut command = std::process::Command::new("/bin/busybox");
    let output = command.args(["id", "-u"]).uid(1000).gid(1000).output().step("exec")?;
    assure(output.stdout == b"1000\n", "a child becomes another user")
}

fn prctl(_: &[String]) -> Outcome {
    let name = text("honest");
    call(libc::SYS_prctl, &[libc::PR_SET_NAME as u64, address(name.as_c_str()), 0, 0, 0]).step("prctl")?;
    assure(std::fs::read_to_string("/proc/self/comm").step("read")?.trim() == "honest", "a thread has a name")
}

fn status(_: &[String]) -> Outcome {
    let status = std::fs::read_to_string("/proc/self/status").step("read")?;
    assure(status.contains("Seccomp:"), "a process can read its status")
}

/// A filter of its own: every browser and every systemd service does this.
fn filter(_: &[String]) -> Outcome {
    let allow: [u64; 1] = [0x7fff_0000_0000_0006];
    let program = [1_u64, address(&allow)];
    call(libc::SYS_prctl, &[libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0, 0, 0]).step("prctl")?;
    call(libc::SYS_seccomp, &[1, 0, address(&program)]).step("seccomp")?;
    assure(true, "a filter of its own is installed")
}

fn personality(_: &[String]) -> Outcome {
    call(libc::SYS_personality, &[0xffff_ffff]).step("query")?;
    call(libc::SYS_personality, &[0]).step("set")?;
    assure(true, "the personality can be read and be Linux")
}

fn clock(_: &[String]) -> Outcome {
    let mut request = [0_u64; 26];
    call(libc::SYS_adjtimex, &[address_mut(&mut request)]).step("adjtimex")?;
    let mut time = [0_u64; 2];
    call(libc::SYS_clock_gettime, &[0, address_mut(&mut time)]).step("clock_gettime")?;
    assure(time[0] > 1_500_000_000, "clocks can be read")
}

fn terminal(_: &[String]) -> Outcome {
    let multiplexer = std::fs::File::options().read(true).write(true).open("/dev/ptmx").step("open ptmx")?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&multiplexer) as u64;
    let size: [u16; 4] = [24, 80, 0, 0];
    call(libc::SYS_ioctl, &[fd, libc::TIOCSWINSZ, address(&size)]).step("set size")?;
    let mut seen: [u16; 4] = [0; 4];
    call(libc::SYS_ioctl, &[fd, libc::TIOCGWINSZ, address_mut(&mut seen)]).step("get size")?;
    assure(seen == size, "a pseudo terminal works")
}

fn devices(_: &[String]) -> Outcome {
    std::fs::write("/dev/null", "x").step("write null")?;
    for path in ["/dev/zero", "/dev/random", "/dev/urandom", "/dev/full"] {
        let mut bytes = [0_u8; 8];
        std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).step(path)?;
    }
    let full = std::fs::File::options().write(true).open("/dev/full").step("open full")?;
    let written = (&full).write_all(b"x").err().and_then(|error| error.raw_os_error());
    assure(written == Some(libc::ENOSPC), "the standard devices work")
}

/// mknod of what is no device: a FIFO, a socket, an empty file.
fn fifo_node(_: &[String]) -> Outcome {
    for (path, kind) in [("/tmp/pipe", libc::S_IFIFO), ("/tmp/sock", libc::S_IFSOCK), ("/tmp/plain", libc::S_IFREG)] {
        let name = text(path);
        call(libc::SYS_mknod, &[address(name.as_c_str()), u64::from(kind | 0o600), 0]).step(path)?;
        std::fs::remove_file(path).step("remove")?;
    }
    assure(true, "pipes, sockets and files can be made by mknod")
}

fn unshare_files(_: &[String]) -> Outcome {
    call(libc::SYS_unshare, &[(libc::CLONE_FILES | libc::CLONE_FS) as u64]).step("unshare")?;
    assure(true, "files and directory can be unshared")
}

fn chroot(_: &[String]) -> Outcome {
    std::fs::create_dir_all("/tmp/jail").step("mkdir")?;
    let path = text("/tmp/jail");
    call(libc::SYS_chroot, &[address(path.as_c_str())]).step("chroot")?;
    assure(std::fs::metadata("/bin").is_err(), "a chroot confines")
}

fn hostname(_: &[String]) -> Outcome {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").step("read")?;
    assure(!name.trim().is_empty(), "the host name can be read")
}

fn limits(_: &[String]) -> Outcome {
    let mut limit = [0_u64; 2];
    call(libc::SYS_prlimit64, &[0, libc::RLIMIT_NOFILE.into(), 0, address_mut(&mut limit)]).step("prlimit64")?;
    limit[0] = limit[0].min(256);
    call(libc::SYS_prlimit64, &[0, libc::RLIMIT_NOFILE.into(), address(&limit), 0]).step("prlimit64")?;
    assure(true, "a limit can be lowered")
}
