//! Attacks by sockets: families and types that reach kernel code no container needs, options that load rules, and
//! sockets of the host.

use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::raw::{address, address_mut, call, own};
use crate::report::{Act, Failure, Outcome, Step as _, argument, without_effect};

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("socket", socket),
    ("socket-high-bits", socket_high_bits),
    ("socketpair", socketpair),
    ("tcp-repair", tcp_repair),
    ("tcp-repair-high-bits", tcp_repair_high_bits),
    ("iptables", iptables),
    ("connect-abstract", connect_abstract),
    ("connect-path", connect_path),
    ("connect-race", connect_race),
    ("connect-tcp", connect_tcp),
    ("connects-as-usual", honest_connects),
];

fn family(name: &str) -> Option<(u64, u64, u64)> {
    let raw = libc::SOCK_RAW as u64;
    let stream = libc::SOCK_STREAM as u64;
    let datagram = libc::SOCK_DGRAM as u64;
    Some(match name {
        "packet" => (libc::AF_PACKET as u64, raw, 0x0300),
        "vsock" => (libc::AF_VSOCK as u64, stream, 0),
        "alg" => (libc::AF_ALG as u64, libc::SOCK_SEQPACKET as u64, 0),
        "netfilter" => (libc::AF_NETLINK as u64, raw, libc::NETLINK_NETFILTER as u64),
        "kobject" => (libc::AF_NETLINK as u64, raw, libc::NETLINK_KOBJECT_UEVENT as u64),
        "audit" => (libc::AF_NETLINK as u64, raw, libc::NETLINK_AUDIT as u64),
        "crypto" => (libc::AF_NETLINK as u64, raw, libc::NETLINK_CRYPTO as u64),
        "xfrm" => (libc::AF_NETLINK as u64, raw, libc::NETLINK_XFRM as u64),
        "raw" => (libc::AF_INET as u64, raw, libc::IPPROTO_ICMP as u64),
        "raw6" => (libc::AF_INET6 as u64, raw, 58),
        "sctp" => (libc::AF_INET as u64, stream, 132),
        "dccp" => (libc::AF_INET as u64, 6, 33),
        "mptcp" => (libc::AF_INET as u64, stream, 262),
        "key" => (15, raw, 2),
        "xdp" => (44, raw, 0),
        "rds" => (21, libc::SOCK_SEQPACKET as u64, 0),
        "tipc" => (30, libc::SOCK_SEQPACKET as u64, 0),
        "bluetooth" => (31, raw, 1),
        "can" => (29, raw, 1),
        "smc" => (43, stream, 0),
        "ax25" => (3, datagram, 0),
        "nfc" => (39, raw, 0),
        _ => return None,
    })
}

fn make(name: &str, high: u64) -> Outcome {
    let Some((domain, kind, protocol)) = family(name) else {
        return Err(Failure { step: format!("no family {name}"), errno: -1 });
    };
    let fd = own(call(libc::SYS_socket, &[domain | high, kind | high, protocol | high]).step("socket")?);
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).step("readlink")?;
    Ok(format!("a {name} socket: {}", link.display()))
}

fn socket(arguments: &[String]) -> Outcome {
    make(argument(arguments, 0)?, 0)
}

/// The kernel takes three ints: the upper halves are ignored by it, and must be by the filter.
fn socket_high_bits(arguments: &[String]) -> Outcome {
    make(argument(arguments, 0)?, 0x0000_0001_0000_0000)
}

/// A pair of a family that only `socket` is thought to be checked for.
fn socketpair(_: &[String]) -> Outcome {
    let mut pair = [0_i32; 2];
    let tipc = 30;
    call(libc::SYS_socketpair, &[tipc, libc::SOCK_SEQPACKET as u64, 0, address_mut(&mut pair)]).step("socketpair")?;
    Ok(format!("descriptors {pair:?}"))
}

/// Puts a socket into repair mode, where its state can be forged, and reads the mode back.
fn repair(high: u64) -> Outcome {
    let fd = own(call(libc::SYS_socket, &[libc::AF_INET as u64, libc::SOCK_STREAM as u64, 0]).step("socket")?);
    let on = 1_i32;
    let (level, name) = (libc::IPPROTO_TCP as u64 | high, libc::TCP_REPAIR as u64 | high);
    call(libc::SYS_setsockopt, &[fd.as_raw_fd() as u64, level, name, address(&on), 4]).step("setsockopt")?;
    let (mut value, mut length) = (0_i32, 4_u32);
    let arguments = [fd.as_raw_fd() as u64, level, name, address_mut(&mut value), address_mut(&mut length)];
    call(libc::SYS_getsockopt, &arguments).step("getsockopt")?;
    if value == 1 { Ok("the socket is in repair mode".to_owned()) } else { without_effect("setsockopt") }
}

fn tcp_repair(_: &[String]) -> Outcome {
    repair(0)
}

fn tcp_repair_high_bits(_: &[String]) -> Outcome {
    repair(0x7fff_ffff_0000_0000)
}

/// IPT_SO_SET_REPLACE with nonsense: anything but a refusal means that the packet filter's parser was reached.
fn iptables(_: &[String]) -> Outcome {
    let fd = own(call(libc::SYS_socket, &[libc::AF_INET as u64, libc::SOCK_DGRAM as u64, 0]).step("socket")?);
    let nonsense = [0_u8; 128];
    let (ip, replace) = (libc::IPPROTO_IP as u64, 64);
    let arguments = [fd.as_raw_fd() as u64, ip, replace, address(&nonsense), 128];
    let beyond = [libc::ENOPROTOOPT, libc::EINVAL, libc::ENOENT, libc::ENOMEM, libc::EFAULT];
    crate::kernel::reaches(call(libc::SYS_setsockopt, &arguments), "setsockopt", &beyond)
}

fn heard(mut stream: impl std::io::Read, token: &str) -> Outcome {
    let mut bytes = vec![0_u8; token.len()];
    stream.read_exact(&mut bytes).step("read")?;
    if bytes == token.as_bytes() { Ok(format!("a host's server said {token}")) } else { without_effect("read") }
}

/// Connects to an abstract socket of the host (CVE-2020-15257) and reads the token from it.
fn connect_abstract(arguments: &[String]) -> Outcome {
    let (name, token) = (argument(arguments, 0)?, argument(arguments, 1)?);
    let peer = std::os::unix::net::SocketAddr::from_abstract_name(name.as_bytes()).step("address")?;
    heard(std::os::unix::net::UnixStream::connect_addr(&peer).step("connect")?, token)
}

/// Connects to a socket by its path and reads the token from it.
fn connect_path(arguments: &[String]) -> Outcome {
    let (path, token) = (argument(arguments, 0)?, argument(arguments, 1)?);
    heard(std::os::unix::net::UnixStream::connect(path).step("connect")?, token)
}

/// Connects again and again with an address whose path another thread changes all the while between one that is let
/// through and an engine's, of the same length; a win is a stream on which the engine speaks.
fn connect_race(arguments: &[String]) -> Outcome {
    let [honest, engine, token, count] = [0, 1, 2, 3].map(|at| argument(arguments, at));
    let (honest, engine, token) = (honest?.as_bytes(), engine?.as_bytes(), token?);
    let count: u32 = count?.parse().map_err(|_not_a_number| Failure { step: "count".into(), errno: -1 })?;
    let mut bytes = libc::AF_UNIX.to_ne_bytes()[..2].to_vec();
    bytes.extend_from_slice(honest);
    bytes.push(0);
    let shared: Vec<AtomicU8> = bytes.iter().copied().map(AtomicU8::new).collect();
    let (stop, length) = (AtomicBool::new(false), bytes.len() as u64);
    let mut reached = 0_u32;
    let won = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for path in [engine, honest] {
                    for (place, byte) in shared[2..].iter().zip(path) {
                        place.store(*byte, Ordering::Relaxed);
                    }
                }
            }
        });
        let mut won = None;
        for attempt in 0..count {
            let Ok(fd) = call(libc::SYS_socket, &[libc::AF_UNIX as u64, libc::SOCK_STREAM as u64, 0]) else { continue };
            let fd = own(fd);
            let arguments = [fd.as_raw_fd() as u64, shared.as_ptr() as u64, length];
            if call(libc::SYS_connect, &arguments).is_ok() {
                reached += 1;
                if heard(std::os::unix::net::UnixStream::from(fd), token).is_ok() {
                    won = Some(attempt);
                    break;
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        won
    });
    match won {
        Some(attempt) => Ok(format!("the engine spoke at attempt {attempt}")),
        None => {
            Err(Failure { step: format!("{count} attempts, {reached} reached the honest one"), errno: libc::EACCES })
        }
    }
}

/// What a program expects of connect(2), whoever does it: TCP and UDP, blocking and not, refused and missing.
fn honest_connects(arguments: &[String]) -> Outcome {
    use std::io::{Read as _, Write as _};
    let path = argument(arguments, 0)?;
    let errno_of = |result: std::io::Result<()>| result.err().and_then(|error| error.raw_os_error()).unwrap_or(0);
    let expect = |what: &str, found: i32, wanted: i32| {
        let failure = Failure { step: format!("{what}: errno {found}, not {wanted}"), errno: found };
        if found == wanted { Ok(()) } else { Err(failure) }
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").step("bind")?;
    let peer = listener.local_addr().step("local_addr")?;
    let mut near = std::net::TcpStream::connect(peer).step("connect tcp")?;
    let (mut far, _) = listener.accept().step("accept")?;
    near.write_all(b"ping").step("write")?;
    let mut bytes = [0; 4];
    far.read_exact(&mut bytes).step("read")?;
    drop(listener);
    expect("a closed port", errno_of(std::net::TcpStream::connect(peer).map(drop)), libc::ECONNREFUSED)?;
    let datagram = std::net::UdpSocket::bind("127.0.0.1:0").step("bind udp")?;
    datagram.connect("127.0.0.1:9").step("connect udp")?;
    let connect = |path: &str| errno_of(std::os::unix::net::UnixStream::connect(path).map(drop));
    expect("a missing path", connect("/no/such/socket"), libc::ENOENT)?;
    expect("a file", connect("/etc/passwd"), libc::ECONNREFUSED)?;
    expect("below a file", connect("/etc/passwd/x"), libc::ENOTDIR)?;
    let own = std::os::unix::net::UnixListener::bind(path).step("bind unix")?;
    std::os::unix::net::UnixStream::connect(path).step("connect unix")?;
    drop(own.accept().step("accept unix")?);
    let closed = own.as_raw_fd() as u64;
    drop(own);
    let nothing = [0_u8; 16];
    let refused = call(libc::SYS_connect, &[closed, address(&nothing), 16]).err().unwrap_or(0);
    expect("a closed descriptor", refused, libc::EBADF)?;
    let wild = call(libc::SYS_socket, &[libc::AF_UNIX as u64, libc::SOCK_STREAM as u64, 0]).step("socket")?;
    expect("a wild address", call(libc::SYS_connect, &[wild, 8, 16]).err().unwrap_or(0), libc::EFAULT)?;
    expect("too long", call(libc::SYS_connect, &[wild, 8, 129]).err().unwrap_or(0), libc::EINVAL)?;
    Ok("every connect did what connect does".to_owned())
}

fn connect_tcp(arguments: &[String]) -> Outcome {
    let (peer, token) = (argument(arguments, 0)?, argument(arguments, 1)?);
    heard(std::net::TcpStream::connect(peer).step("connect")?, token)
}
