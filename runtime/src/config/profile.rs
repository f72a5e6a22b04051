//! Profiles: the shipped ones and a user's, read by the same strict reader, with what they extend.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lazaret_profiles::builtin::PROFILES;
use lazaret_profiles::schema::{self, Key, Kind, Setting, Value, nearest};

use super::{ConfigError, file};
use crate::options::Mode;
use crate::policy::pod_security::Level;
use crate::policy::profile::Profile;
use crate::policy::tables::capabilities::CEILING;

/// Where a user's profiles are looked for by their names.
pub const DIRECTORY: &str = "/etc/lazaret/profiles";
/// Profiles in one line of `extends` at most.
const DEPTH_MAX: usize = 8;

const fn key(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, default: "", about }
}

/// The keys of a profile.
pub const PROFILE_KEYS: &[Key] = &[
    key("about", Kind::Text, "what it is, in one line"),
    key("extends", Kind::Text, "the profile whose values hold where this one says nothing"),
    key("mode", Kind::Word(&["native", "sandbox", "strict"]), "the walls that stand around the container"),
    key(
        "pod_security",
        Kind::Word(&["privileged", "baseline", "restricted", "hardened"]),
        "the least Pod Security level that is enforced",
    ),
    key(
        "calls",
        Kind::Table(&[
            key("refuse", Kind::Texts, "system calls that are refused beside those of the mode, with EPERM"),
            key(
                "allow",
                Kind::Texts,
                "system calls that strict mode refuses or checks, and that are as in the sandbox",
            ),
        ]),
        "system calls, by the names of the table",
    ),
    key(
        "capabilities",
        Kind::Table(&[key(
            "ceiling",
            Kind::Words(CEILING),
            "the capabilities that may be left of what a bundle asks for",
        )]),
        "capabilities",
    ),
    key(
        "landlock",
        Kind::Table(&[key(
            "rules",
            Kind::Word(&["light", "paths"]),
            "no device nodes and no mounts, or a rule for every entry of the root and every mount besides",
        )]),
        "the Landlock domain",
    ),
    key(
        "mounts",
        Kind::Table(&[
            key("nested", Kind::Word(&["allow", "refuse"]), "whether root may be allowed to mount inside (--nested)"),
            key("read_only_root", Kind::Bool, "whether the root file system is read-only whatever the bundle says"),
        ]),
        "mounts",
    ),
    key(
        "sysctls",
        Kind::Table(&[key(
            "allow",
            Kind::Texts,
            "kernel parameters that a bundle may set; a * at the end is any ending",
        )]),
        "kernel parameters",
    ),
];

/// The profile called `name`: a shipped one, the path of a file, or `NAME.toml` of [`DIRECTORY`].
///
/// # Errors
/// See [`ConfigError`].
pub fn profile(name: &str) -> Result<Profile, ConfigError> {
    resolve(name, 0)
}

/// The profile that `text` is.
///
/// # Errors
/// See [`ConfigError`].
pub fn parse_profile(name: &str, path: &Path, text: &str) -> Result<Profile, ConfigError> {
    of_text(name, path, text, 0)
}

fn resolve(name: &str, depth: usize) -> Result<Profile, ConfigError> {
    if let Some((name, text)) = PROFILES.iter().find(|(shipped, _)| *shipped == name) {
        return of_text(name, &PathBuf::from(format!("(shipped) {name}.toml")), text, depth);
    }
    let path = if name.contains('/') { PathBuf::from(name) } else { Path::new(DIRECTORY).join(format!("{name}.toml")) };
    match file::read(&path) {
        Ok(text) => of_text(name, &path, &text, depth),
        Err(ConfigError::Missing { .. }) => {
            let known: Vec<_> = PROFILES.iter().map(|(name, _)| *name).collect();
            Err(ConfigError::NoProfile { name: name.to_owned(), path, nearest: nearest(name, &known) })
        }
        Err(error) => Err(error),
    }
}

fn of_text(name: &str, path: &Path, text: &str, depth: usize) -> Result<Profile, ConfigError> {
    let settings = schema::read(text, PROFILE_KEYS).map_err(|wrong| ConfigError::wrong(path, wrong, text))?;
    let reader = Reader { path, settings: &settings };
    if depth >= DEPTH_MAX {
        return Err(reader.wrong(&["extends"], "profiles that extend each other, or too many"));
    }
    let parent = reader.text(&["extends"]).map(|parent| resolve(parent, depth + 1)).transpose()?;
    let profile = reader.over(name, parent.as_ref())?;
    let mut loosened = parent.as_ref().map(|parent| parent.loosened_by(&profile)).unwrap_or_default();
    let inherited = parent.into_iter().flat_map(|parent| parent.loosened);
    loosened.extend(inherited);
    Ok(Profile { loosened, ..profile })
}

struct Reader<'r> {
    path: &'r Path,
    settings: &'r [Setting],
}

impl Reader<'_> {
    fn set(&self, key: &[&str]) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.path == key)
    }

    fn text(&self, key: &[&str]) -> Option<&str> {
        if let Value::Text(text) = &self.set(key)?.value { Some(text) } else { None }
    }

    fn texts(&self, key: &[&str]) -> Option<BTreeSet<String>> {
        if let Value::Texts(texts) = &self.set(key)?.value { Some(texts.iter().cloned().collect()) } else { None }
    }

    fn wrong(&self, key: &[&str], why: &str) -> ConfigError {
        let set = self.set(key);
        let origin = super::Origin::File(self.path.to_owned(), set.map_or(1, |set| set.line));
        let value = set.map_or_else(|| "(nothing)".to_owned(), |set| set.value.to_string());
        ConfigError::Value { origin: Box::new(origin), key: key.join("."), value, why: why.to_owned() }
    }

    /// The profile with what it says over what it inherits.
    fn over(&self, name: &str, parent: Option<&Profile>) -> Result<Profile, ConfigError> {
        let mode = self.text(&["mode"]).and_then(|word| Mode::ALL.iter().copied().find(|mode| mode.name() == word));
        let Some(mode) = mode.or(parent.map(|parent| parent.mode)) else {
            return Err(self.wrong(&["mode"], "a profile has a mode, its own or that of the one it extends"));
        };
        let mut profile = parent.cloned().unwrap_or_else(|| Profile::of_mode(name, mode));
        (profile.name, profile.mode) = (name.to_owned(), mode);
        profile.about = self.text(&["about"]).unwrap_or_default().to_owned();
        profile.level = self.text(&["pod_security"]).and_then(|word| word.parse::<Level>().ok()).or(profile.level);
        self.calls(&mut profile)?;
        profile.ceiling = self.texts(&["capabilities", "ceiling"]).or(profile.ceiling);
        profile.path_rules = self.text(&["landlock", "rules"]).map_or(profile.path_rules, |word| word == "paths");
        profile.nested = self.text(&["mounts", "nested"]).map_or(profile.nested, |word| word == "allow");
        if let Some(Setting { value: Value::Bool(read_only), .. }) = self.set(&["mounts", "read_only_root"]) {
            profile.read_only_root = *read_only;
        }
        profile.sysctls = self.texts(&["sysctls", "allow"]).or(profile.sysctls);
        if mode == Mode::Native {
            self.refuse_beside_native()?;
        }
        Ok(profile)
    }

    /// What a child refuses is added to what its parent does; what it allows is taken from that.
    fn calls(&self, profile: &mut Profile) -> Result<(), ConfigError> {
        let (refuse, allow) = (self.texts(&["calls", "refuse"]), self.texts(&["calls", "allow"]));
        for name in refuse.iter().flatten() {
            let checked = lazaret_profiles::adjust::check_refused(name);
            checked.map_err(|error| self.wrong(&["calls", "refuse"], &error.to_string()))?;
            profile.allow.remove(name);
        }
        profile.refuse.extend(refuse.into_iter().flatten());
        for name in allow.into_iter().flatten() {
            // What only the parent refuses can be had back; what the table refuses, as the table says.
            if !profile.refuse.remove(&name) {
                let checked = lazaret_profiles::adjust::check_allowed(&name);
                checked.map_err(|error| self.wrong(&["calls", "allow"], &error.to_string()))?;
                profile.allow.insert(name);
            }
        }
        Ok(())
    }

    fn refuse_beside_native(&self) -> Result<(), ConfigError> {
        for setting in self.settings {
            let [table, key] = setting.path.as_slice() else { continue };
            return Err(
                self.wrong(&[table, key], "in native mode the bundle alone decides: no walls of lazaret's stand")
            );
        }
        Ok(())
    }
}
#[cfg(test)]
mod tests;
