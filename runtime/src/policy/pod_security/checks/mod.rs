//! The checks: a file for each, or for each pair about the same fields. Each says what Kubernetes says of a pod, word for
//! word, and what an OCI configuration shows of it: there the key that showed it follows the colon.

pub mod app_armor;
pub mod capabilities;
pub mod hardened;
pub mod host_namespaces;
pub mod host_path;
pub mod host_ports;
pub mod host_probes;
pub mod privilege_escalation;
pub mod privileged;
pub mod proc_mount;
pub mod restricted_volumes;
pub mod run_as;
pub mod seccomp_baseline;
pub mod seccomp_restricted;
pub mod selinux;
pub mod sysctls;
pub mod windows_host_process;
