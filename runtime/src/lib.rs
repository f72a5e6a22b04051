//! lazaret, the runtime: OCI bundles are checked, admitted by policy, and launched into a sandbox.
//!
//! The command line (`main.rs`) and the containerd shim are two callers of this one library. Data flows one way:
//! `bundle` (read) -> `spec` (check) -> `policy` (admit) -> `lifecycle` (act), which uses `cgroup`, `idmap`,
//! `rootfs` and `stage` and keeps what it did in `state`. `init` is the code that runs inside the new namespaces; it
//! sees nothing of the host side. The only unsafe code stands in `sys`.

pub mod annotations;
mod asked_child;
mod bounded_text;
mod broker;
pub mod bundle;
pub mod causes;
pub mod cgroup;
pub mod channel;
pub mod check;
pub mod config;
mod connect;
mod credentials;
mod detached;
pub mod doctor;
pub mod error;
pub mod hook_process;
pub mod hooks;
mod host_mount;
mod host_view;
pub mod idmap;
pub mod init;
mod json_schema;
pub mod lifecycle;
pub mod metrics;
mod mounted_overlay;
pub mod namespaces;
pub mod net_devices;
mod netlink;
pub mod network;
pub mod options;
mod overlay;
pub mod policy;
mod procfs;
pub mod record_policy;
pub mod record_sink;
pub mod rootfs;
pub mod rootless;
pub mod sealed;
pub mod sentry_link;
pub mod spec;
pub mod state;
#[expect(unsafe_code, reason = "system calls that no library wraps; the only unsafe code of this crate")]
pub mod sys;
pub mod trees;
mod users;
mod verdicts;
pub mod watch;
pub mod worker;

/// Now, as log lines and the state write it: RFC 3339 in UTC.
#[must_use]
pub fn now() -> String {
    lazaret_sentry::clock::now()
}
