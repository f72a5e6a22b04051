//! bpf(2): device programs of a cgroup.
