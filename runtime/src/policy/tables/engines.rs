//! Sockets that give whoever connects to them the host: container engines first. Known by base name wherever they are,
//! and by directory even when nothing listens yet. Data.

use std::path::Path;

/// One socket.
#[derive(Debug, Clone, Copy)]
pub struct Engine {
    /// Base name.
    pub socket: &'static str,
    /// Directories in which it stands by default.
    pub directories: &'static [&'static str],
    /// Whose it is.
    pub owner: &'static str,
}

const fn engine(socket: &'static str, directories: &'static [&'static str], owner: &'static str) -> Engine {
    Engine { socket, directories, owner }
}

/// Every socket.
pub const ENGINES: &[Engine] = &[
    engine("docker.sock", &["/run", "/var/run", "/run/user/*"], "docker"),
    engine("dockershim.sock", &["/run", "/var/run"], "dockershim"),
    engine("cri-dockerd.sock", &["/run", "/var/run"], "cri-dockerd"),
    engine("containerd.sock", &["/run/containerd", "/run/k3s/containerd", "/run/docker/containerd"], "containerd"),
    engine("containerd.sock.ttrpc", &["/run/containerd", "/run/k3s/containerd"], "containerd"),
    engine("containerd-debug.sock", &["/run/docker/containerd"], "containerd"),
    engine("debug.sock", &["/run/containerd"], "containerd"),
    engine("nri.sock", &["/run/nri", "/var/run/nri"], "the node resource interface"),
    engine("crio.sock", &["/run/crio", "/var/run/crio"], "CRI-O"),
    engine("podman.sock", &["/run/podman", "/run/user/*/podman"], "podman"),
    engine("buildkitd.sock", &["/run/buildkit"], "BuildKit"),
    engine("frakti.sock", &["/run"], "frakti"),
    engine("kubelet.sock", &["/var/lib/kubelet/device-plugins", "/var/lib/kubelet/pod-resources"], "the kubelet"),
    engine("kubelet.internal.sock", &["/var/lib/kubelet"], "the kubelet"),
    engine("lxd.socket", &["/run"], "LXD"),
    engine("incus.socket", &["/run"], "Incus"),
    engine("unix.socket", &["/var/lib/lxd", "/var/lib/incus", "/var/snap/lxd/common/lxd"], "LXD or Incus"),
    engine("libvirt-sock", &["/run/libvirt"], "libvirt"),
    engine("snapd.socket", &["/run"], "snapd"),
    engine("system_bus_socket", &["/run/dbus"], "the system's message bus"),
];

/// The engine whose socket has the base name of `path`.
#[must_use]
pub fn by_name(path: &Path) -> Option<&'static Engine> {
    let name = path.file_name()?;
    ENGINES.iter().find(|engine| name == engine.socket)
}
