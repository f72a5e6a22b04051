//! `linux.seccomp`: translated to the plain types of `lazaret_profiles` and compiled.
//!
//! In sandbox mode the program is stacked on lazaret's own filter and can only tighten it: the kernel takes the strictest
//! answer of all filters.

use lazaret_profiles::oci::{self, ArgCheck, OciError, OciRule, Op, Planned, Profile, compile};
use lazaret_profiles::plan::Action;
use oci_spec::runtime::{
    Linux, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSeccompOperator,
    LinuxSyscall,
};
use serde_json::Value;

use super::container::{Agent, Seccomp};
use super::error::SpecError;
use super::text;
use crate::bundle::Bundle;
use crate::bundle::field::{Field, element};

const PATH: &str = "linux.seccomp";
/// `EPERM`, libseccomp's answer when a profile gives no number.
const DEFAULT_ERRNO: u16 = 1;
/// `MAX_ERRNO` of the kernel: larger values are cut to it.
const ERRNO_MAX: u32 = 4095;
/// Arguments of a system call.
const ARGUMENTS: usize = 6;

/// The compiled profile; `None` when the bundle has none.
pub(super) fn check(bundle: &Bundle, linux: Option<&Linux>) -> Result<Option<Seccomp>, SpecError> {
    let Some(asked) = linux.and_then(|linux| linux.seccomp().as_ref()) else {
        return Ok(None);
    };
    let profile = profile(bundle, asked)?;
    let program = compile(&profile).map_err(refused)?;
    let agent = agent(bundle, asked, &profile)?;
    let flags = flags(bundle, asked, agent.is_some())?;
    Ok(Some(Seccomp { program, flags, agent }))
}

/// What the profile does with every number; `None` when the bundle has none.
pub(super) fn plan(bundle: &Bundle, linux: Option<&Linux>) -> Result<Option<Planned>, SpecError> {
    let asked = linux.and_then(|linux| linux.seccomp().as_ref());
    asked.map(|asked| oci::plan(&profile(bundle, asked)?).map_err(refused)).transpose()
}

/// Refuses what container engines make profiles from: it has conditions that the specification does not know, and
/// would be taken for a profile whose rules hold always.
pub(super) fn refuse_template(bundle: &Bundle) -> Result<(), SpecError> {
    let why = "this is an engine's template; the profile that it makes of it stands in a bundle's config.json";
    let profile = bundle.raw().pointer("/linux/seccomp");
    let rules = profile.and_then(|profile| profile.get("syscalls")).and_then(Value::as_array);
    let rules = rules.into_iter().flatten().enumerate();
    let parts = rules.map(|(index, rule)| (element(&format!("{PATH}.syscalls"), index), rule));
    for (at, part) in profile.map(|profile| (PATH.to_owned(), profile)).into_iter().chain(parts) {
        if let Some(key) = ["archMap", "includes", "excludes"].into_iter().find(|key| part.get(key).is_some()) {
            return Err(SpecError::Unsupported { field: bundle.field(&format!("{at}.{key}")), why });
        }
    }
    Ok(())
}

fn profile(bundle: &Bundle, asked: &LinuxSeccomp) -> Result<Profile, SpecError> {
    Ok(Profile {
        default: action(bundle, PATH, "defaultErrnoRet", asked.default_action(), asked.default_errno_ret())?,
        architectures: architectures(bundle),
        rules: rules(bundle, asked)?,
    })
}

fn refused(source: OciError) -> SpecError {
    SpecError::Seccomp { field: Field::new(PATH, None), source }
}

/// Who answers, if anything is to be answered: otherwise the specification has listenerPath ignored.
fn agent(bundle: &Bundle, asked: &LinuxSeccomp, profile: &Profile) -> Result<Option<Agent>, SpecError> {
    let metadata = asked.listener_metadata().clone().unwrap_or_default();
    let path = asked.listener_path().as_deref().filter(|path| !path.as_os_str().is_empty());
    if path.is_none() && !metadata.is_empty() {
        let rule = "needs linux.seccomp.listenerPath, whose reader it is for";
        return Err(SpecError::Needs { field: bundle.field("linux.seccomp.listenerMetadata"), rule });
    }
    let notifies = |(_, rule): &(usize, &OciRule)| rule.action == Action::Notify;
    match (profile.rules.iter().enumerate().find(notifies), path) {
        (None, _) => Ok(None),
        (Some((index, _)), None) => {
            let field = bundle.field(&format!("{}.action", element(&format!("{PATH}.syscalls"), index)));
            Err(SpecError::Needs { field, rule: "needs linux.seccomp.listenerPath: somebody has to answer" })
        }
        (Some(_), Some(path)) => {
            Ok(Some(Agent { path: text::absolute_path(bundle, "linux.seccomp.listenerPath", path)?, metadata }))
        }
    }
}

/// From the raw JSON: the names are the specification's, and were known when the file was read.
fn architectures(bundle: &Bundle) -> Vec<String> {
    let listed = bundle.raw().pointer("/linux/seccomp/architectures").and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn rules(bundle: &Bundle, asked: &LinuxSeccomp) -> Result<Vec<OciRule>, SpecError> {
    let rule = |(index, syscall)| rule(bundle, &element(&format!("{PATH}.syscalls"), index), syscall);
    asked.syscalls().iter().flatten().enumerate().map(rule).collect()
}

fn rule(bundle: &Bundle, at: &str, asked: &LinuxSyscall) -> Result<OciRule, SpecError> {
    if asked.names().is_empty() {
        return text::invalid(bundle, &format!("{at}.names"), "names no system call");
    }
    let checks = asked.args().as_deref().unwrap_or_default().iter().enumerate();
    Ok(OciRule {
        names: asked.names().clone(),
        action: action(bundle, at, "errnoRet", asked.action(), asked.errno_ret())?,
        args: checks
            .map(|(index, check)| argument(bundle, &element(&format!("{at}.args"), index), check))
            .collect::<Result<_, _>>()?,
    })
}

fn argument(bundle: &Bundle, at: &str, asked: &LinuxSeccompArg) -> Result<ArgCheck, SpecError> {
    let Some(index) = u8::try_from(asked.index()).ok().filter(|_| asked.index() < ARGUMENTS) else {
        return text::invalid(bundle, &format!("{at}.index"), "a system call has six arguments, 0 to 5");
    };
    let op = match asked.op() {
        LinuxSeccompOperator::ScmpCmpNe => Op::Ne,
        LinuxSeccompOperator::ScmpCmpLt => Op::Lt,
        LinuxSeccompOperator::ScmpCmpLe => Op::Le,
        LinuxSeccompOperator::ScmpCmpEq => Op::Eq,
        LinuxSeccompOperator::ScmpCmpGe => Op::Ge,
        LinuxSeccompOperator::ScmpCmpGt => Op::Gt,
        LinuxSeccompOperator::ScmpCmpMaskedEq => Op::MaskedEq,
    };
    Ok(ArgCheck { index, op, value: asked.value(), value_two: asked.value_two().unwrap_or(0) })
}

/// The action `asked` with the number of the key `number_key` below `at`.
fn action(
    bundle: &Bundle,
    at: &str,
    number_key: &str,
    asked: LinuxSeccompAction,
    number: Option<u32>,
) -> Result<Action, SpecError> {
    let number_key = || format!("{at}.{number_key}");
    let answer = match number {
        None => DEFAULT_ERRNO,
        Some(number) => match u16::try_from(number) {
            Ok(answer) if number <= ERRNO_MAX => answer,
            _ => return text::invalid(bundle, &number_key(), "larger than 4095, the kernel's largest errno"),
        },
    };
    let action = match asked {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => Action::KillThread,
        LinuxSeccompAction::ScmpActKillProcess => Action::KillProcess,
        LinuxSeccompAction::ScmpActTrap => Action::Trap,
        LinuxSeccompAction::ScmpActErrno => return Ok(Action::Errno(answer)),
        LinuxSeccompAction::ScmpActTrace => return Ok(Action::Trace(answer)),
        LinuxSeccompAction::ScmpActLog => Action::Log,
        LinuxSeccompAction::ScmpActAllow => Action::Allow,
        LinuxSeccompAction::ScmpActNotify => Action::Notify,
    };
    if number.is_some() {
        return text::invalid(bundle, &number_key(), "only SCMP_ACT_ERRNO and SCMP_ACT_TRACE take a number");
    }
    Ok(action)
}

/// Flags of `seccomp(2)`, `SECCOMP_SET_MODE_FILTER`.
fn flags(bundle: &Bundle, asked: &LinuxSeccomp, has_agent: bool) -> Result<u32, SpecError> {
    let mut flags = 0;
    for (index, flag) in asked.flags().iter().flatten().enumerate() {
        flags |= match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => 1,
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => 2,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => 4,
            // The kernel: EINVAL without a listener.
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv if !has_agent => {
                let field = bundle.field(&element(&format!("{PATH}.flags"), index));
                return Err(SpecError::Needs { field, rule: "belongs to a listener: a rule with SCMP_ACT_NOTIFY" });
            }
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => 1 << 5,
        };
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing;
    use serde_json::json;

    fn checked(profile: &Value) -> Result<Option<Seccomp>, String> {
        let bundle = testing::bundle(|config| config["linux"]["seccomp"] = profile.clone());
        crate::spec::check_with(&bundle, false)
            .map(|container| container.seccomp)
            .map_err(|error| error.field().path().trim_start_matches("linux.seccomp.").to_owned())
    }

    #[test]
    fn a_profile_like_dockers_is_compiled() {
        let seccomp = checked(&json!({
            "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
            "syscalls": [
                {"names": ["read", "write", "exit_group"], "action": "SCMP_ACT_ALLOW", "errnoRet": null},
                {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
                 "args": [{"index": 0, "value": 2_114_060_288_u64, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]}
            ]
        }))
        .unwrap()
        .unwrap();
        assert_eq!((seccomp.flags, seccomp.agent), (6, None));
    }

    #[test]
    fn a_rule_that_notifies_has_an_agent_and_others_ignore_it() {
        let profile = |action: &str| {
            json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent", "listenerMetadata": "m",
                   "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
                   "syscalls": [{"names": ["getcwd"], "action": action}]})
        };
        let seccomp = checked(&profile("SCMP_ACT_NOTIFY")).unwrap().unwrap();
        assert_eq!(seccomp.agent, Some(Agent { path: "/run/agent".into(), metadata: "m".to_owned() }));
        assert_eq!(seccomp.flags, 32);
        let mut quiet = profile("SCMP_ACT_LOG");
        quiet["flags"] = json!([]);
        assert_eq!(checked(&quiet).unwrap().unwrap().agent, None);
    }

    #[test]
    fn what_cannot_be_obeyed_is_refused_by_path() {
        let with = |syscall: Value| json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [syscall]});
        for (profile, path) in [
            (json!({"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/run/s"}), "linux.seccomp"),
            (json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}), "defaultErrnoRet"),
            (json!({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}), "defaultErrnoRet"),
            (json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "m"}), "listenerMetadata"),
            (
                json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}),
                "flags[0]",
            ),
            (with(json!({"names": [], "action": "SCMP_ACT_LOG"})), "syscalls[0].names"),
            (with(json!({"names": ["read"], "action": "SCMP_ACT_NOTIFY"})), "syscalls[0].action"),
            (
                with(json!({"names": ["read"], "action": "SCMP_ACT_LOG",
                            "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]})),
                "syscalls[0].args[0].index",
            ),
            (
                json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "run/s",
                       "syscalls": [{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}]}),
                "listenerPath",
            ),
        ] {
            assert_eq!(checked(&profile).map(|_| ()), Err(path.to_owned()));
        }
    }
}
