//! Every value that holds, with where it was set: the defaults of the table, and over them what was read.

use lazaret_profiles::schema::{Key, Kind, dotted};

use super::{KEYS, Loaded, Origin};

/// One value that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The key, with dots.
    pub key: String,
    /// The value, as TOML.
    pub value: String,
    /// Where it was set.
    pub origin: Origin,
}

/// The values, in the order of the table; a key without a default is there when it was set.
#[must_use]
pub fn effective(loaded: &Loaded) -> Vec<Effective> {
    let mut found = Vec::new();
    collect(loaded, KEYS, &mut Vec::new(), &mut found);
    found
}

fn collect(loaded: &Loaded, keys: &'static [Key], path: &mut Vec<String>, found: &mut Vec<Effective>) {
    for key in keys {
        path.push(key.name.to_owned());
        match key.kind {
            Kind::Table(keys) => collect(loaded, keys, path, found),
            Kind::Named(_, keys) => {
                let is_name = |set: &&Vec<String>| set.len() == path.len() + 1 && set.starts_with(path);
                let names: Vec<_> = loaded.layers.keys().filter(is_name).cloned().collect();
                for mut name in names {
                    collect(loaded, keys, &mut name, found);
                }
            }
            Kind::Bool
            | Kind::Count(..)
            | Kind::Word(_)
            | Kind::WordOrPath(_)
            | Kind::Text
            | Kind::Texts
            | Kind::Words(_) => found.extend(value(loaded, key, path)),
        }
        path.pop();
    }
}

fn value(loaded: &Loaded, key: &Key, path: &[String]) -> Option<Effective> {
    let (value, origin) = match loaded.layers.get(path) {
        Some(set) => (set.value.to_string(), set.origin.clone()),
        None if key.default.is_empty() => return None,
        None => (key.default.to_owned(), Origin::Default),
    };
    Some(Effective { key: dotted(path), value, origin })
}
