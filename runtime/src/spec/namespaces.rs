//! `linux.namespaces`: one entry a kind, new or by path.

use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType};

use super::container::{Namespace, Namespaces};
use super::error::SpecError;
use super::text;
use crate::bundle::Bundle;
use crate::bundle::field::element;

const PATH: &str = "linux.namespaces";

/// The eight namespaces; a kind that the bundle does not list is the host's.
pub(super) fn check(bundle: &Bundle, asked: &[LinuxNamespace]) -> Result<Namespaces, SpecError> {
    let mut namespaces = Namespaces {
        user: Namespace::Host,
        mount: Namespace::Host,
        pid: Namespace::Host,
        network: Namespace::Host,
        ipc: Namespace::Host,
        uts: Namespace::Host,
        cgroup: Namespace::Host,
        time: Namespace::Host,
    };
    for (index, entry) in asked.iter().enumerate() {
        let place = match entry.typ() {
            LinuxNamespaceType::User => &mut namespaces.user,
            LinuxNamespaceType::Mount => &mut namespaces.mount,
            LinuxNamespaceType::Pid => &mut namespaces.pid,
            LinuxNamespaceType::Network => &mut namespaces.network,
            LinuxNamespaceType::Ipc => &mut namespaces.ipc,
            LinuxNamespaceType::Uts => &mut namespaces.uts,
            LinuxNamespaceType::Cgroup => &mut namespaces.cgroup,
            LinuxNamespaceType::Time => &mut namespaces.time,
        };
        if *place != Namespace::Host {
            return Err(SpecError::Duplicate { field: bundle.field(&element(PATH, index)), what: "a namespace" });
        }
        *place = match entry.path().as_deref().filter(|path| !path.as_os_str().is_empty()) {
            None => Namespace::New,
            Some(path) => {
                let key = format!("{}.path", element(PATH, index));
                Namespace::Join(text::absolute_path(bundle, &key, path)?)
            }
        };
    }
    Ok(namespaces)
}
