//! The flags of `lazaret update`: runc's, turned into the limits that the library takes. Checks nothing itself.

use std::path::PathBuf;

use clap::Args;
use lazaret::lifecycle::{Flags, Limits};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lazaret update --memory 64M --pids-limit 100 ID")]
pub(crate) struct Update {
    /// File with the limits as a LinuxResources object in JSON, or - for standard input
    #[arg(long, short, value_name = "FILE", conflicts_with = "flags")]
    resources: Option<PathBuf>,
    #[command(flatten)]
    flags: UpdateFlags,
    /// The container's id
    pub(crate) id: String,
}

#[derive(Debug, Args)]
#[group(id = "flags", multiple = true)]
struct UpdateFlags {
    /// Memory, in bytes or as 64M
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    memory: Option<String>,
    /// Memory that is left to the container when others want it
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    memory_reservation: Option<String>,
    /// Memory and swap together; -1 is unlimited
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    memory_swap: Option<String>,
    /// Refused: the kernel has no such limit any more
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true, hide = true)]
    kernel_memory: Option<String>,
    /// Memory of the kernel's TCP buffers (cgroup v1)
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    kernel_memory_tcp: Option<String>,
    /// Share of the processors against others, 2 to 262144
    #[arg(long, alias = "cpu-share", value_name = "SHARES")]
    cpu_shares: Option<u64>,
    /// Microseconds of processor time in each period; -1 is unlimited
    #[arg(long, value_name = "MICROSECONDS", allow_negative_numbers = true)]
    cpu_quota: Option<i64>,
    /// The period of the quota
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_period: Option<u64>,
    /// Microseconds above the quota that one period may use, out of what earlier ones left
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_burst: Option<u64>,
    /// 1: only time that nobody else wants; 0: as everybody
    #[arg(long, value_name = "0|1", allow_negative_numbers = true)]
    cpu_idle: Option<i64>,
    /// The period of the real-time share (cgroup v1)
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_rt_period: Option<u64>,
    /// Microseconds of real-time scheduling in each of its periods (cgroup v1); -1 is unlimited
    #[arg(long, value_name = "MICROSECONDS", allow_negative_numbers = true)]
    cpu_rt_runtime: Option<i64>,
    /// Processors, as 0-3,7
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes, as 0-1
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Processes and threads; -1 is unlimited
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    pids_limit: Option<i64>,
    /// Share of the block devices against others, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<u16>,
    /// Refused: caches are not shared out
    #[arg(long, value_name = "SCHEMA", hide = true, value_parser = no_resctrl)]
    l3_cache_schema: Option<String>,
    /// Refused: memory bandwidth is not shared out
    #[arg(long, value_name = "SCHEMA", hide = true, value_parser = no_resctrl)]
    mem_bw_schema: Option<String>,
}

/// runc's flags for resctrl: known, so that the refusal says why.
fn no_resctrl(_schema: &str) -> Result<String, &'static str> {
    Err("linux.intelRdt is not supported: lazaret shares out neither caches nor memory bandwidth (resctrl)")
}

impl Update {
    /// The container and where its new limits come from.
    pub(crate) fn limits(self) -> (String, Limits) {
        let limits = match self.resources {
            Some(path) if path.as_os_str() == "-" => Limits::StandardInput,
            Some(path) => Limits::File(path),
            None => Limits::Flags(Box::new(self.flags.into())),
        };
        (self.id, limits)
    }
}

impl From<UpdateFlags> for Flags {
    fn from(flags: UpdateFlags) -> Self {
        Self {
            memory: flags.memory,
            memory_reservation: flags.memory_reservation,
            memory_swap: flags.memory_swap,
            kernel_memory: flags.kernel_memory,
            kernel_memory_tcp: flags.kernel_memory_tcp,
            cpu_shares: flags.cpu_shares,
            cpu_quota: flags.cpu_quota,
            cpu_period: flags.cpu_period,
            cpu_burst: flags.cpu_burst,
            cpu_idle: flags.cpu_idle,
            cpu_rt_period: flags.cpu_rt_period,
            cpu_rt_runtime: flags.cpu_rt_runtime,
            cpuset_cpus: flags.cpuset_cpus,
            cpuset_mems: flags.cpuset_mems,
            pids_limit: flags.pids_limit,
            blkio_weight: flags.blkio_weight,
        }
    }
}
