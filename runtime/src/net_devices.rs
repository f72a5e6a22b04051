//! Moves network devices of the host into a container (`linux.netDevices`, config-linux.md "Network Devices").
//!
//! The kernel takes a device's addresses away when it changes its namespace; the permanent ones of global scope are given
//! back, and the device is set up. It returns by itself, if it is a real one, when the namespace ends. Native mode alone
//! comes here: policy refuses it in a sandbox.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;

use crate::netlink::{self, Request, Socket};
use crate::network;
use crate::spec::net_devices::NetDevice;

/// Attributes of a device (linux/if_link.h).
const IFLA_IFNAME: u16 = 3;
const IFLA_NET_NS_FD: u16 = 28;
/// `IFF_UP` of linux/if.h.
const IFF_UP: u32 = 1;
/// Length of `struct ifaddrmsg`; family, prefix length, flags, scope, and the device's index from byte 4 on.
const ADDRESS_HEADER: usize = 8;
/// Attributes of an address (linux/if_addr.h) that are set again; the others are the kernel's own.
const KEPT_ATTRIBUTES: [u16; 3] = [1, 2, 4];
/// `IFA_F_PERMANENT`: not by autoconfiguration.
const IFA_F_PERMANENT: u8 = 0x80;
/// `RT_SCOPE_UNIVERSE`.
const SCOPE_GLOBAL: u8 = 0;

/// A device that could not be moved.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} the network device {name:?} (linux.netDevices)")]
pub struct NetDeviceError {
    operation: &'static str,
    name: String,
    #[source]
    source: io::Error,
}

impl NetDeviceError {
    /// Stable number of this error.
    #[must_use]
    pub fn code(&self) -> u32 {
        1471
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self.source.raw_os_error() {
            Some(libc::ENODEV) => Some("ip link lists the devices of the host".to_owned()),
            Some(libc::EEXIST) => Some("the container has a device of that name; give it another (name)".to_owned()),
            _ => None,
        }
    }
}

/// Moves `devices` into the network namespace of the process `pid`.
///
/// # Errors
/// [`NetDeviceError`] of the first that cannot be moved; those before it are in the namespace, and share its end.
pub fn move_all(devices: &[NetDevice], pid: Pid) -> Result<(), NetDeviceError> {
    for device in devices {
        let failed = |operation| move |source| NetDeviceError { operation, name: device.host_name.clone(), source };
        let path = format!("/proc/{}/ns/net", pid.as_raw_nonzero());
        let namespace = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| failed("open the namespace for")(error.into()))?;
        let addresses = addresses_of(&device.host_name).map_err(failed("find"))?;
        hand_over(device, &namespace).map_err(failed("move"))?;
        network::within(namespace.as_fd(), || set_up(&device.name, &addresses)).map_err(failed("set up"))?;
    }
    Ok(())
}

/// The addresses of a device that are kept: messages without the index, which changes.
fn addresses_of(name: &str) -> io::Result<Vec<Vec<u8>>> {
    let index = index_of(name)?;
    let answers =
        Socket::open()?.ask(&Request::new(netlink::RTM_GETADDR, netlink::NLM_F_DUMP, &[0; ADDRESS_HEADER]))?;
    Ok(answers.into_iter().map(|answer| answer.body).filter(|address| is_kept(address, index)).collect())
}

fn is_kept(address: &[u8], index: u32) -> bool {
    let byte = |at| address.get(at).copied();
    let permanent = byte(2).is_some_and(|flags| flags & IFA_F_PERMANENT != 0);
    permanent && byte(3) == Some(SCOPE_GLOBAL) && netlink::number(address, 4) == Some(index)
}

fn index_of(name: &str) -> io::Result<u32> {
    Ok(nix::net::if_::if_nametoindex(name)?)
}

/// Down, into the namespace and under its new name, in one message of the kernel's: all of it or nothing.
fn hand_over(device: &NetDevice, namespace: &OwnedFd) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let socket = Socket::open()?;
    let index = index_of(&device.host_name)?;
    let mut name = device.name.clone().into_bytes();
    name.push(0);
    // A device that is up cannot be renamed (EBUSY before Linux 6.2), and leaves its namespace down anyway.
    socket.ask(&Request::new(netlink::RTM_NEWLINK, 0, &link_header(index, 0, IFF_UP)))?;
    let request = Request::new(netlink::RTM_NEWLINK, 0, &link_header(index, 0, 0))
        .attribute(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes())?
        .attribute(IFLA_IFNAME, &name)?;
    socket.ask(&request).map(|_answers| ())
}

/// In the container's namespace: gives the addresses back and sets the device up.
fn set_up(name: &str, addresses: &[Vec<u8>]) -> io::Result<()> {
    let socket = Socket::open()?;
    let index = index_of(name)?;
    for address in addresses {
        let mut fixed = address.get(..ADDRESS_HEADER).unwrap_or_default().to_vec();
        fixed.truncate(4);
        fixed.extend(index.to_ne_bytes());
        let kept = netlink::attributes(address, ADDRESS_HEADER).into_iter();
        let request = kept.filter(|(kind, _)| KEPT_ATTRIBUTES.contains(kind)).try_fold(
            Request::new(netlink::RTM_NEWADDR, netlink::NLM_F_EXCL_CREATE, &fixed),
            |request, (kind, value)| request.attribute(kind, value),
        )?;
        socket.ask(&request)?;
    }
    socket.ask(&Request::new(netlink::RTM_NEWLINK, 0, &link_header(index, IFF_UP, IFF_UP))).map(|_answers| ())
}

/// `struct ifinfomsg`: family, type, index, flags, and which of the flags are meant.
fn link_header(index: u32, flags: u32, change: u32) -> Vec<u8> {
    let mut header = vec![0; 4];
    for number in [index, flags, change] {
        header.extend(number.to_ne_bytes());
    }
    header
}
