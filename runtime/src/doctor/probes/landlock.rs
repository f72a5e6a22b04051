//! Landlock: its version, and what it really refuses.

use landlock::{Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, Scope};

use crate::doctor::answer::{Answer, Step as _, Want, effect};
use crate::sys;

/// A domain that refuses to read a file.
pub(in super::super) fn domain(_is_root: bool) -> Answer {
    let version = sys::landlock::version().asked("landlock_create_ruleset")?;
    enter(Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::ReadFile))?;
    effect(std::fs::read("/proc/self/status").is_err(), "a domain without rules lets files be read")?;
    Ok(format!("ABI {version}"))
}

/// Every file right up to truncation: the strict domain is refused without one of them.
pub(in super::super) fn strict_rights(_is_root: bool) -> Answer {
    let all = AccessFs::from_all(landlock::ABI::V3);
    enter(Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(all))?;
    Ok("all file rights of ABI 3".to_owned())
}

/// Control of devices.
pub(in super::super) fn device_control(_is_root: bool) -> Answer {
    let control = AccessFs::IoctlDev;
    enter(Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(control))?;
    Ok("ioctl on devices (ABI 5)".to_owned())
}

/// A domain whose processes cannot signal who is outside.
pub(in super::super) fn scopes(_is_root: bool) -> Answer {
    let scopes = Scope::Signal | Scope::AbstractUnixSocket;
    enter(Ruleset::default().set_compatibility(CompatLevel::HardRequirement).scope(scopes))?;
    let parent = rustix::process::getppid().ok_or_else(|| Want::Unknown("no parent is to be seen".to_owned()))?;
    let refused = rustix::process::test_kill_process(parent) == Err(rustix::io::Errno::PERM);
    effect(refused, "a scoped domain lets its parent be signalled")?;
    Ok("signals and abstract sockets (ABI 6)".to_owned())
}

fn enter(ruleset: Result<Ruleset, landlock::RulesetError>) -> Result<(), Want> {
    let entered = ruleset.and_then(Ruleset::create).and_then(|ruleset| ruleset.restrict_self());
    let status = entered.map_err(|error| Want::Gap(crate::causes::chain(&error)))?;
    effect(status.ruleset == landlock::RulesetStatus::FullyEnforced, "the domain is not enforced")
}
