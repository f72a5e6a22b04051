//! What a profile says of a create beside what policy and the filter take from it: its level, and what it loosens.

use crate::options::Options;

/// Raises what is enforced to the profile's level, for this container.
pub(super) fn raise_level(options: &mut Options) {
    let Some(level) = options.rules.profile.as_ref().and_then(|profile| profile.level) else { return };
    let held = &mut options.pod_security;
    for enforcement in held.namespaces.values_mut().chain([&mut held.general]) {
        *enforcement = enforcement.at_least(level);
    }
}

/// Says what the profile loosens against the one that it extends.
pub(super) fn announce(options: &Options) {
    let Some(profile) = &options.rules.profile else { return };
    for loosened in &profile.loosened {
        tracing::warn!("the profile {:?} is looser than the one it extends: {loosened}", profile.name);
    }
}
