//! Sockets that give whoever connects to them the host: container engines first. Known by base name wherever they are,
//! and by directory even when nothing listens yet. Data.

use std::path::Path;

/// One socket.
#[derive(Debug, Clone, Copy)]
pub struct Engine {
    /// Base name.
    pub socket: &'static str,
    /// Where it stands by default, as patterns of `policy::pattern`.
    pub places: &'static [&'static str],
    /// Whose it is.
    pub owner: &'static str,
}

const fn engine(socket: &'static str, places: &'static [&'static str], owner: &'static str) -> Engine {
    Engine { socket, places, owner }
}

/// Every socket.
pub const ENGINES: &[Engine] = &[
    engine("docker.sock", &["/run/docker.sock", "/var/run/docker.sock", "/run/user/*/docker.sock"], "docker"),
    engine("dockershim.sock", &["/run/dockershim.sock", "/var/run/dockershim.sock"], "dockershim"),
    engine("cri-dockerd.sock", &["/run/cri-dockerd.sock", "/var/run/cri-dockerd.sock"], "cri-dockerd"),
    engine(
        "containerd.sock",
        &[
            "/run/containerd/containerd.sock",
            "/run/k3s/containerd/containerd.sock",
            "/run/docker/containerd/containerd.sock",
        ],
        "containerd",
    ),
    engine(
        "containerd.sock.ttrpc",
        &["/run/containerd/containerd.sock.ttrpc", "/run/k3s/containerd/containerd.sock.ttrpc"],
        "containerd",
    ),
    engine("containerd-debug.sock", &["/run/docker/containerd/containerd-debug.sock"], "containerd"),
    engine("debug.sock", &["/run/containerd/debug.sock"], "containerd"),
    engine("nri.sock", &["/run/nri/nri.sock", "/var/run/nri/nri.sock"], "the node resource interface"),
    engine("crio.sock", &["/run/crio/crio.sock", "/var/run/crio/crio.sock"], "CRI-O"),
    engine("podman.sock", &["/run/podman/podman.sock", "/run/user/*/podman/podman.sock"], "podman"),
    engine("buildkitd.sock", &["/run/buildkit/buildkitd.sock"], "BuildKit"),
    engine("frakti.sock", &["/run/frakti.sock"], "frakti"),
    engine(
        "kubelet.sock",
        &["/var/lib/kubelet/device-plugins/kubelet.sock", "/var/lib/kubelet/pod-resources/kubelet.sock"],
        "the kubelet",
    ),
    engine("kubelet.internal.sock", &["/var/lib/kubelet/kubelet.internal.sock"], "the kubelet"),
    engine("lxd.socket", &["/run/lxd.socket"], "LXD"),
    engine("incus.socket", &["/run/incus.socket"], "Incus"),
    engine(
        "unix.socket",
        &["/var/lib/lxd/unix.socket", "/var/lib/incus/unix.socket", "/var/snap/lxd/common/lxd/unix.socket"],
        "LXD or Incus",
    ),
    engine("libvirt-sock", &["/run/libvirt/libvirt-sock"], "libvirt"),
    engine("snapd.socket", &["/run/snapd.socket"], "snapd"),
    engine("system_bus_socket", &["/run/dbus/system_bus_socket"], "the system's message bus"),
];

/// The engine whose socket has the base name of `path`.
#[must_use]
pub fn by_name(path: &Path) -> Option<&'static Engine> {
    let name = path.file_name()?;
    ENGINES.iter().find(|engine| name == engine.socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_ends_in_the_sockets_name() {
        for engine in ENGINES {
            assert!(engine.places.iter().all(|place| Path::new(place).file_name() == Some(engine.socket.as_ref())));
        }
    }
}
