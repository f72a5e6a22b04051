//! The verbs that print profiles: `profile check`, `show` and `diff`. Called by `main`.

use std::io::{self, Write as _};

use lazaret::config;
use lazaret::error::Error;
use lazaret::policy::profile::Profile;
use lazaret_profiles::builtin::PROFILES;

use crate::cli::configuration;
use crate::table;

/// What a verb printed, or why that was not possible.
type Printed = Result<io::Result<()>, Error>;

/// `profile`.
pub(crate) fn profile(arguments: &configuration::Profile) -> Printed {
    use configuration::Profile as Verb;
    let shown = match arguments {
        Verb::Check { name } => checked(&config::profile(name)?),
        Verb::Show { name: Some(name) } => shown(&config::profile(name)?),
        Verb::Show { name: None } => listed()?,
        Verb::Diff { left, right } => differences(&config::profile(left)?, &config::profile(right)?),
    };
    Ok(io::stdout().write_all(shown.as_bytes()))
}

fn checked(profile: &Profile) -> String {
    let loosened =
        profile.loosened.iter().map(|line| format!("{}: looser than what it extends: {line}\n", profile.name));
    format!("{}: ok\n{}", profile.name, loosened.collect::<String>())
}

fn listed() -> Result<String, Error> {
    let mut rows = vec![["NAME", "MODE", "WHAT"].map(str::to_owned)];
    for (name, _) in PROFILES {
        let profile = config::profile(name)?;
        rows.push([profile.name, profile.mode.name().to_owned(), profile.about]);
    }
    Ok(table::aligned(&rows))
}

/// What it says beside its mode, by comparison with a profile that says nothing.
fn shown(profile: &Profile) -> String {
    let plain = Profile::of_mode("", profile.mode);
    let points = plain.differences(profile).into_iter().map(|point| format!("{} = {}\n", point.key, point.right));
    let loosened = profile.loosened.iter().map(|line| format!("# looser than what it extends: {line}\n"));
    let head = format!("# {}: {}\nmode = {}\n", profile.name, profile.about, profile.mode.name());
    head + &points.chain(loosened).collect::<String>()
}

fn differences(left: &Profile, right: &Profile) -> String {
    let head = ["KEY".to_owned(), left.name.clone(), right.name.clone(), String::new()];
    let points = left.differences(right).into_iter().map(|point| {
        let looser = if point.is_looser { "looser" } else { "" };
        [point.key.to_owned(), point.left, point.right, looser.to_owned()]
    });
    table::aligned(&std::iter::once(head).chain(points).collect::<Vec<_>>())
}
