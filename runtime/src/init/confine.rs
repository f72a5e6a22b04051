//! The layers around the workload that the kernel enforces: no_new_privs, Landlock, seccomp.

use std::os::fd::OwnedFd;

use landlock::{
    AccessFs, CompatLevel, Compatible as _, PathBeneath, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetStatus, Scope,
};

use rustix::fs::{Mode, OFlags};

use super::error::InitError;
use super::orders::{Filter, LandlockScopes};
use crate::spec::container::Seccomp;
use crate::sys;

/// Sets no_new_privs: no set-user-id program and no file capability gives rights from here on.
pub(super) fn no_new_privileges() -> Result<(), InitError> {
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| InitError::Identity { what: "no_new_privs", field: "process.noNewPrivileges", source: error.into() })
}

/// Enters the light Landlock domain: no device nodes; and, as in every domain that handles files, no mount, umount or
/// pivot_root even for root of the user namespace, and no ptrace out of it. Costs 0.14 us an open.
///
/// `REFER` is handled and granted below `/`, because a domain that does not mention it forbids every rename between
/// directories. Returns what this kernel could not enforce.
pub(super) fn landlock(scopes: LandlockScopes) -> Result<Vec<String>, InitError> {
    let nodes = AccessFs::MakeChar | AccessFs::MakeBlock;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(nodes | AccessFs::Refer)
        .map_err(InitError::Landlock)?;
    for (wanted, scope) in [(scopes.signal, Scope::Signal), (scopes.abstract_unix, Scope::AbstractUnixSocket)] {
        if wanted {
            ruleset = ruleset.scope(scope).map_err(InitError::Landlock)?;
        }
    }
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| InitError::Root { operation: "open", source: error.into() })?;
    let status = ruleset
        .create()
        .and_then(|ruleset| ruleset.add_rule(PathBeneath::new(root, AccessFs::Refer)))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(InitError::Landlock)?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Vec::new(),
        RulesetStatus::PartiallyEnforced => vec!["landlock: parts of the domain need a newer kernel".to_owned()],
        RulesetStatus::NotEnforced => vec!["landlock: not enabled in this kernel".to_owned()],
    })
}

/// What installing the mode's filter came to.
pub(super) struct Installed {
    /// The listener, for the sentry.
    pub(super) listener: Option<OwnedFd>,
}

/// Installs the mode's filter.
pub(super) fn filter(filter: &Filter) -> Result<Installed, InitError> {
    let failed = |source| InitError::Seccomp { which: "sandbox", source };
    if filter.listener {
        let listener = sys::seccomp::install_with_listener(&filter.program).map_err(failed)?;
        return Ok(Installed { listener: Some(listener) });
    }
    sys::seccomp::install(&filter.program, 0).map_err(failed)?;
    Ok(Installed { listener: None })
}

/// Installs the bundle's own profile. On top of the mode's filter it can only tighten: the kernel takes the stricter
/// answer of all filters.
pub(super) fn oci_profile(profile: &Seccomp) -> Result<(), InitError> {
    sys::seccomp::install(&profile.program, profile.flags)
        .map_err(|source| InitError::Seccomp { which: "bundle's (linux.seccomp)", source })
}
