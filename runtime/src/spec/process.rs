//! `process`: what to execute, as whom, with which rights.

use std::ffi::CString;
use std::path::Path;

use oci_spec::runtime::User;

use super::container::Process;
use super::error::SpecError;
use super::{capability, environment, rlimit, scheduling, text};
use crate::bundle::Bundle;
use crate::bundle::field::element;

const NO_ID: &str = "4294967295 is no id: the kernel reads it as \"leave unchanged\"";
const OOM_SCORES: std::ops::RangeInclusive<i32> = -1000..=1000;

/// Whether the kernel has AppArmor switched on. Its directory in securityfs is missing in a mount namespace without
/// securityfs, so the module's own parameter counts too.
pub(super) fn apparmor_exists() -> bool {
    Path::new("/sys/kernel/security/apparmor").exists()
        || std::fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with(b"Y"))
}

/// The checked process.
pub(super) fn check(bundle: &Bundle, apparmor_exists: bool) -> Result<Process, SpecError> {
    let Some(process) = bundle.spec().process() else {
        return Err(SpecError::Missing { field: bundle.field("process"), why: "there is nothing to start" });
    };
    check_user(bundle, process.user())?;
    let score = process.oom_score_adj();
    if score.is_some_and(|score| !OOM_SCORES.contains(&score)) {
        return text::invalid(bundle, "process.oomScoreAdj", "not within -1000..=1000");
    }
    let terminal = process.terminal().unwrap_or(false);
    Ok(Process {
        args: arguments(bundle, process.args().as_deref().unwrap_or_default())?,
        env: environment(bundle, process.env().as_deref().unwrap_or_default())?,
        cwd: text::absolute_path(bundle, "process.cwd", process.cwd())?,
        uid: process.user().uid(),
        gid: process.user().gid(),
        additional_gids: process.user().additional_gids().clone().unwrap_or_default(),
        umask: process.user().umask(),
        capabilities: capability::check(bundle, process.capabilities().as_ref())?,
        no_new_privileges: process.no_new_privileges().unwrap_or(false),
        rlimits: rlimit::check(bundle, process.rlimits().as_deref().unwrap_or_default())?,
        terminal,
        // The specification: consoleSize MUST be ignored without a terminal.
        console_size: if terminal { console_size(bundle, process.console_size())? } else { None },
        oom_score_adj: score,
        io_priority: scheduling::io_priority(bundle, process)?,
        scheduler: scheduling::scheduler(bundle, process)?,
        exec_cpu_affinity: scheduling::exec_cpu_affinity(bundle)?,
        apparmor_profile: apparmor_profile(bundle, process.apparmor_profile().as_deref(), apparmor_exists)?,
    })
}

fn arguments(bundle: &Bundle, asked: &[String]) -> Result<Vec<CString>, SpecError> {
    if asked.is_empty() {
        return Err(SpecError::Missing { field: bundle.field("process.args"), why: "there is nothing to execute" });
    }
    let checked = |(index, value)| text::c_string(bundle, &element("process.args", index), String::as_str(value));
    asked.iter().enumerate().map(checked).collect()
}

fn environment(bundle: &Bundle, asked: &[String]) -> Result<Vec<CString>, SpecError> {
    let mut environment = Vec::with_capacity(asked.len());
    for (index, value) in asked.iter().enumerate() {
        let path = || element("process.env", index);
        if value.split_once('=').is_none_or(|(name, _)| name.is_empty()) {
            return text::invalid(bundle, &path(), "not of the form NAME=value");
        }
        environment::set(&mut environment, text::c_string(bundle, &path(), value)?);
    }
    Ok(environment)
}

fn check_user(bundle: &Bundle, user: &User) -> Result<(), SpecError> {
    let additional = user.additional_gids().as_deref().unwrap_or_default();
    if user.uid() == u32::MAX {
        return text::invalid(bundle, "process.user.uid", NO_ID);
    }
    if user.gid() == u32::MAX {
        return text::invalid(bundle, "process.user.gid", NO_ID);
    }
    if let Some(index) = additional.iter().position(|gid| *gid == u32::MAX) {
        return text::invalid(bundle, &element("process.user.additionalGids", index), NO_ID);
    }
    if user.umask().is_some_and(|umask| umask > 0o777) {
        return text::invalid(bundle, "process.user.umask", "larger than 0777 (511)");
    }
    Ok(())
}

/// Rows and columns; a side of 0 leaves the terminal's own size.
fn console_size(bundle: &Bundle, asked: Option<oci_spec::runtime::Box>) -> Result<Option<(u16, u16)>, SpecError> {
    let Some(size) = asked else {
        return Ok(None);
    };
    let side = |key: &str, value: u64| {
        u16::try_from(value).or_else(|_large| text::invalid(bundle, key, "larger than 65535 (struct winsize)"))
    };
    let rows = side("process.consoleSize.height", size.height())?;
    let columns = side("process.consoleSize.width", size.width())?;
    Ok(Some((rows, columns)))
}

fn apparmor_profile(bundle: &Bundle, asked: Option<&str>, exists: bool) -> Result<Option<CString>, SpecError> {
    const KEY: &str = "process.apparmorProfile";
    match asked {
        None | Some("" | "unconfined") => Ok(None),
        Some(profile) if exists => text::c_string(bundle, KEY, profile).map(Some),
        Some(_) => {
            Err(SpecError::Unsupported { field: bundle.field(KEY), why: "this kernel has AppArmor switched off" })
        }
    }
}
