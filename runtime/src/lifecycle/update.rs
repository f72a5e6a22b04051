//! `update`: other limits for a container that exists.
//!
//! The limits come as a `LinuxResources` object or as runc's single flags; either way they pass the checks of `spec` that
//! also those of a bundle pass. A limit that is not named stays; device rules, where there are any, replace
//! those of `create`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::bundle::{Bundle, CONFIG_LIMIT};
use crate::cgroup::{CgroupError, Hierarchies};
use crate::error::Error;
use crate::lifecycle::fit::{self, Held, Verb};
use crate::options::Options;
use crate::spec;

/// Why the new limits could not be had.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The file with the limits.
    #[error("could not read the limits from {source_name}", source_name = .name.display())]
    Read {
        /// Its path, or `standard input`.
        name: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The text with the limits is longer than a `config.json` may be.
    #[error("the limits in {name} are longer than {CONFIG_LIMIT} bytes", name = .name.display())]
    TooLong {
        /// Its path, or `standard input`.
        name: PathBuf,
    },
    /// A flag's value is no number of bytes.
    #[error("{flag} {value:?}: not a number of bytes, such as 67108864, 64M or -1 for unlimited")]
    Bytes {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
    },
}

impl UpdateError {
    /// Stable number of this error, 1031-1034.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Read { .. } => 1031,
            Self::TooLong { .. } => 1032,
            Self::Bytes { .. } => 1033,
        }
    }
}

/// Where the limits come from.
#[derive(Debug)]
pub enum Limits {
    /// A `LinuxResources` object as JSON on standard input.
    StandardInput,
    /// The same in a file.
    File(PathBuf),
    /// The same as text of the caller's.
    Text(String),
    /// Single flags.
    Flags(Box<Flags>),
}

/// runc's single flags of `update`; `None` leaves the limit as it is.
#[derive(Debug, Default)]
pub struct Flags {
    /// `--memory`: bytes, also as `64M`.
    pub memory: Option<String>,
    /// `--memory-reservation`: bytes, also as `64M`.
    pub memory_reservation: Option<String>,
    /// `--kernel-memory`: bytes, also as `64M`.
    pub kernel_memory: Option<String>,
    /// `--kernel-memory-tcp`: bytes, also as `64M`.
    pub kernel_memory_tcp: Option<String>,
    /// `--memory-swap`: bytes of memory and swap together, also as `64M`; -1 is unlimited.
    pub memory_swap: Option<String>,
    /// `--cpu-shares`.
    pub cpu_shares: Option<u64>,
    /// `--cpu-quota` in microseconds.
    pub cpu_quota: Option<i64>,
    /// `--cpu-period` in microseconds.
    pub cpu_period: Option<u64>,
    /// `--cpu-burst` in microseconds.
    pub cpu_burst: Option<u64>,
    /// `--cpu-idle`: 0 or 1.
    pub cpu_idle: Option<i64>,
    /// `--cpu-rt-period` in microseconds.
    pub cpu_rt_period: Option<u64>,
    /// `--cpu-rt-runtime` in microseconds.
    pub cpu_rt_runtime: Option<i64>,
    /// `--cpuset-cpus`.
    pub cpuset_cpus: Option<String>,
    /// `--cpuset-mems`.
    pub cpuset_mems: Option<String>,
    /// `--pids-limit`.
    pub pids_limit: Option<i64>,
    /// `--blkio-weight`.
    pub blkio_weight: Option<u16>,
}

/// Changes the limits of a created, running or paused container.
///
/// # Errors
/// [`UpdateError`] and `BundleError` for limits that cannot be read, `SpecError` for those that are not allowed,
/// `CgroupError` for those that the host does not have; `LifecycleError::NotRunning` for a stopped container.
pub fn update(options: &Options, id: &str, limits: Limits) -> Result<(), Error> {
    let Held { directory, stored: mut state } = fit::hold(options, id, Verb::Update)?;
    let mut resources = spec::check_resources(&limits.read()?)?;
    resources.allow_default_devices();
    let cgroup = state.cgroup.as_mut().ok_or(CgroupError::NoHierarchy)?;
    let updated = cgroup.update(&Hierarchies::read()?, &resources);
    // Written also after a failure: a hierarchy that was joined by then has to be found by `delete`.
    directory.write(&state)?;
    Ok(updated?)
}

impl Limits {
    fn read(self) -> Result<Bundle, Error> {
        match self {
            Self::StandardInput => parse(Path::new("standard input"), io::stdin().lock()),
            Self::File(path) => match File::open(&path) {
                Ok(file) => parse(&path, file),
                Err(source) => Err(UpdateError::Read { name: path, source }.into()),
            },
            Self::Text(text) => parse(Path::new("the request"), text.as_bytes()),
            Self::Flags(flags) => {
                let resources = flags.resources()?;
                Ok(Bundle::of_resources(Path::new("command line"), &resources.to_string())?)
            }
        }
    }
}

fn parse(name: &Path, source: impl Read) -> Result<Bundle, Error> {
    let mut text = String::new();
    match source.take(CONFIG_LIMIT + 1).read_to_string(&mut text) {
        Ok(length) if u64::try_from(length).is_ok_and(|length| length <= CONFIG_LIMIT) => {}
        Ok(_) => return Err(UpdateError::TooLong { name: name.to_owned() }.into()),
        Err(source) => return Err(UpdateError::Read { name: name.to_owned(), source }.into()),
    }
    Ok(Bundle::of_resources(name, &text)?)
}

impl Flags {
    /// The flags as the object that the specification has for them.
    fn resources(self) -> Result<Value, UpdateError> {
        let memory = [
            ("limit", bytes("--memory", self.memory)?),
            ("reservation", bytes("--memory-reservation", self.memory_reservation)?),
            ("swap", bytes("--memory-swap", self.memory_swap)?),
            ("kernel", bytes("--kernel-memory", self.kernel_memory)?),
            ("kernelTCP", bytes("--kernel-memory-tcp", self.kernel_memory_tcp)?),
        ];
        let cpu = [
            ("shares", self.cpu_shares.map(Value::from)),
            ("quota", self.cpu_quota.map(Value::from)),
            ("period", self.cpu_period.map(Value::from)),
            ("burst", self.cpu_burst.map(Value::from)),
            ("idle", self.cpu_idle.map(Value::from)),
            ("realtimePeriod", self.cpu_rt_period.map(Value::from)),
            ("realtimeRuntime", self.cpu_rt_runtime.map(Value::from)),
            ("cpus", self.cpuset_cpus.map(Value::from)),
            ("mems", self.cpuset_mems.map(Value::from)),
        ];
        let pids = [("limit", self.pids_limit.map(Value::from))];
        let block = [("weight", self.blkio_weight.map(Value::from))];
        let groups = [("memory", given(memory)), ("cpu", given(cpu)), ("pids", given(pids)), ("blockIO", given(block))];
        Ok(Value::Object(
            groups
                .into_iter()
                .filter(|(_, group)| !group.is_empty())
                .map(|(name, group)| (name.to_owned(), Value::Object(group)))
                .collect(),
        ))
    }
}

fn given<const N: usize>(pairs: [(&str, Option<Value>); N]) -> Map<String, Value> {
    pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// The flag's value in bytes, as a JSON number. Suffixes are powers of 1024, as in runc: `b`, `k`, `m`, `g`, `t`, `p`, in
/// either case, alone or before `b` or `ib`.
fn bytes(flag: &'static str, value: Option<String>) -> Result<Option<Value>, UpdateError> {
    let Some(value) = value else { return Ok(None) };
    match parse_bytes(&value) {
        Some(number) => Ok(Some(Value::from(number))),
        None => Err(UpdateError::Bytes { flag, value }),
    }
}

fn parse_bytes(text: &str) -> Option<i64> {
    if text == "-1" {
        return Some(-1);
    }
    let lower = text.to_ascii_lowercase();
    let number_end = lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(lower.len());
    let (number, suffix) = lower.split_at_checked(number_end)?;
    let unit = suffix.strip_suffix("ib").or_else(|| suffix.strip_suffix('b')).unwrap_or(suffix);
    let shift = match unit {
        "" if suffix != "ib" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(1_i64 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bytes_have_suffixes() {
        for (text, number) in [
            ("0", Some(0)),
            ("67108864", Some(67_108_864)),
            ("64M", Some(67_108_864)),
            ("64mb", Some(67_108_864)),
            ("64MiB", Some(67_108_864)),
            ("1k", Some(1024)),
            ("2g", Some(2 << 30)),
            ("512b", Some(512)),
            ("-1", Some(-1)),
            ("-2", None),
            ("", None),
            ("M", None),
            ("1x", None),
            ("1ib", None),
            ("99999p", None),
            ("1.5m", None),
        ] {
            assert_eq!(parse_bytes(text), number, "{text}");
        }
    }

    #[test]
    fn flags_become_the_object_of_the_specification() {
        let flags = Flags {
            memory: Some("64M".to_owned()),
            memory_swap: Some("-1".to_owned()),
            cpu_quota: Some(-1),
            cpu_burst: Some(5),
            cpu_idle: Some(1),
            pids_limit: Some(7),
            ..Flags::default()
        };
        let resources = flags.resources().unwrap();
        let expected = json!({
            "memory": {"limit": 67_108_864, "swap": -1}, "cpu": {"quota": -1, "burst": 5, "idle": 1}, "pids": {"limit": 7}
        });
        assert_eq!(resources, expected);
        assert_eq!(Flags::default().resources().unwrap(), json!({}));
        let wrong = Flags { memory: Some("lots".to_owned()), ..Flags::default() };
        assert!(wrong.resources().unwrap_err().to_string().starts_with("--memory \"lots\":"));
    }

    #[test]
    fn limits_pass_the_checks_of_the_specification() {
        let checked = |text: &str| spec::check_resources(&parse(Path::new("f"), text.as_bytes()).unwrap());
        assert_eq!(checked(r#"{"pids": {"limit": 9}, "cpu": {"shares": 0}}"#).unwrap().pids_limit, Some(9));
        for (text, path) in [
            (r#"{"pids": {"limit": -2}}"#, "linux.resources.pids.limit"),
            (r#"{"memory": {"kernel": 1}}"#, "linux.resources.memory.kernel"),
            (r#"{"Memory": {"limit": 1}}"#, "linux.resources.Memory"),
        ] {
            assert_eq!(checked(text).unwrap_err().field().path(), path);
        }
    }
}
