//! Host name, domain name and sysctls.

use std::io;

use rustix::fs::OFlags;

use super::error::InitError;
use super::inside::{self, KernelMounts};
use super::orders::{Orders, SysctlOrder};

/// Sets the names of the UTS namespace.
pub(super) fn set(orders: &Orders) -> Result<(), InitError> {
    if let Some(name) = &orders.hostname {
        rustix::system::sethostname(name.as_bytes())
            .map_err(|error| InitError::Names { what: "host name (hostname)", source: error.into() })?;
    }
    if let Some(name) = &orders.domainname {
        rustix::system::setdomainname(name.as_bytes())
            .map_err(|error| InitError::Names { what: "domain name (domainname)", source: error.into() })?;
    }
    Ok(())
}

/// Writes the sysctls through the container's own `/proc`, which is made read-only afterwards. An image may have put
/// something else in the place of that: nothing is waited for, and only a procfs is written to.
pub(super) fn write_sysctls(orders: &Orders, kernel: &KernelMounts) -> Result<(), InitError> {
    for SysctlOrder { path, value, required } in &orders.sysctl {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened =
            kernel.open(&orders.root.tree, path, flags).and_then(|file| inside::require_procfs(&file).map(|()| file));
        let failed = |source| InitError::Sysctl { path: path.clone(), value: value.clone(), source };
        match opened {
            Ok(file) => write_all(&file, value.as_bytes()).map_err(failed)?,
            Err(source) if *required => return Err(failed(source)),
            Err(_no_procfs) => {}
        }
    }
    Ok(())
}

/// A sysctl takes its value in one write; a short one would set something else.
fn write_all(file: &std::os::fd::OwnedFd, value: &[u8]) -> io::Result<()> {
    if rustix::io::write(file, value)? == value.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}
