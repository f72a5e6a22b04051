//! Walks the raw `config.json` beside the keys of the runtime specification (1.3) and refuses, by name, every key that
//! lazaret does not implement. The typed checks elsewhere in `spec` then read what is left: between the two, nothing
//! that the specification defines is ignored. Keys that it does not define are ignored, as its section on extensibility
//! asks, except those that differ from a defined one in case only: Go's parser would read them, so they are refused.

mod keys;

use serde_json::Value;

use super::error::SpecError;
use crate::bundle::Bundle;
use crate::bundle::field::{element, member};

/// What lazaret does with one key.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Read by the typed checks; what is below it is theirs too.
    Read,
    /// An object with these keys.
    Object(&'static [Key]),
    /// A list of objects with these keys.
    List(&'static [Key]),
    /// A map from names of the bundle's own to objects with these keys.
    Map(&'static [Key]),
    /// Not implemented: refused unless the value says nothing (null, false, empty).
    Refused(&'static str),
    /// The same for a number of which 0 says "unset".
    RefusedNumber(&'static str),
}

/// One key of the specification.
#[derive(Debug, Clone, Copy)]
struct Key {
    name: &'static str,
    shape: Shape,
}

/// Refuses the first key of `bundle` that is known and not implemented.
pub(super) fn refuse_unsupported(bundle: &Bundle) -> Result<(), SpecError> {
    walk_object(bundle, "", bundle.raw(), keys::TOP)
}

fn walk_object(bundle: &Bundle, path: &str, value: &Value, keys: &'static [Key]) -> Result<(), SpecError> {
    let members = match value {
        Value::Object(members) => members,
        Value::Null => return Ok(()),
        // The typed form would read an array by position, with no key for this walk to look at.
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(SpecError::Invalid { field: bundle.field(path), rule: "must be an object" });
        }
    };
    for (name, value) in members {
        if let Some(key) = keys.iter().find(|key| key.name == name) {
            walk_value(bundle, path, value, key)?;
        } else if let Some(key) = keys.iter().find(|key| key.name.eq_ignore_ascii_case(name)) {
            return Err(SpecError::Misspelled { field: bundle.field(&member(path, name)), known: key.name });
        }
    }
    Ok(())
}

fn walk_value(bundle: &Bundle, parent: &str, value: &Value, key: &'static Key) -> Result<(), SpecError> {
    let path = || member(parent, key.name);
    match key.shape {
        Shape::Read => Ok(()),
        Shape::Object(keys) => walk_object(bundle, &path(), value, keys),
        Shape::List(keys) => {
            let path = path();
            for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                walk_object(bundle, &element(&path, index), item, keys)?;
            }
            Ok(())
        }
        Shape::Map(keys) => {
            let path = path();
            let members = value.as_object().into_iter().flatten();
            members.into_iter().try_for_each(|(name, item)| walk_object(bundle, &member(&path, name), item, keys))
        }
        Shape::Refused(_) if says_nothing(value) => Ok(()),
        Shape::RefusedNumber(_) if says_nothing(value) || value.as_i64() == Some(0) => Ok(()),
        Shape::Refused(why) | Shape::RefusedNumber(why) => {
            Err(SpecError::Unsupported { field: bundle.field(&path()), why })
        }
    }
}

/// Whether the key at `path` is implemented. What is below a key that the typed checks read as a whole is theirs to say.
pub(super) fn implements(path: &[&str]) -> bool {
    let mut keys = keys::TOP;
    for (depth, name) in path.iter().enumerate() {
        let Some(key) = keys.iter().find(|key| key.name == *name) else { return false };
        match key.shape {
            Shape::Object(below) | Shape::List(below) | Shape::Map(below) => keys = below,
            Shape::Read => return depth + 1 == path.len(),
            Shape::Refused(_) | Shape::RefusedNumber(_) => return false,
        }
    }
    // An object or a list counts when anything in it does.
    keys.iter().any(|key| !matches!(key.shape, Shape::Refused(_) | Shape::RefusedNumber(_)))
}

/// The hooks that are run.
pub(super) fn implemented_hooks() -> impl Iterator<Item = &'static str> {
    let hooks = keys::TOP.iter().filter(|key| key.name == "hooks").filter_map(|key| match key.shape {
        Shape::Object(points) | Shape::List(points) | Shape::Map(points) => Some(points),
        Shape::Read | Shape::Refused(_) | Shape::RefusedNumber(_) => None,
    });
    hooks.flatten().map(|point| point.name).filter(|name| implements(&["hooks", name]))
}

/// Whether a value is one that engines write for "not set".
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(says_nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing;

    /// Every refused key of the table with its path; list elements stand at index 0.
    fn refused(prefix: &str, keys: &'static [Key], found: &mut Vec<(String, bool)>) {
        for key in keys {
            let path = member(prefix, key.name);
            match key.shape {
                Shape::Read => {}
                Shape::Object(keys) => refused(&path, keys, found),
                Shape::List(keys) => refused(&element(&path, 0), keys, found),
                Shape::Map(keys) => refused(&member(&path, "k"), keys, found),
                Shape::Refused(_) => found.push((path, false)),
                Shape::RefusedNumber(_) => found.push((path, true)),
            }
        }
    }

    /// Builds the raw value that has `leaf` at `path`.
    fn value_at(path: &str, leaf: Value) -> Value {
        let mut value = leaf;
        for step in path.split('.').rev() {
            let (name, index) = step.split_once('[').map_or((step, false), |(name, _)| (name, true));
            let inner = if index { Value::from(vec![value]) } else { value };
            value = serde_json::json!({ name: inner });
        }
        value
    }

    #[test]
    fn every_refused_key_is_refused_by_its_path_unless_it_says_nothing() {
        let bundle = testing::bundle(|_| {});
        let mut all = Vec::new();
        refused("", keys::TOP, &mut all);
        assert!(all.len() > 10, "{}", all.len());
        for (path, number) in all {
            let asked = value_at(&path, Value::from(7));
            let error = walk_object(&bundle, "", &asked, keys::TOP).unwrap_err();
            assert_eq!(error.field().path(), path);
            let mut nothings = vec![Value::Null, Value::from(""), serde_json::json!([]), serde_json::json!({})];
            if number {
                nothings.push(Value::from(0));
            }
            for nothing in nothings {
                assert!(walk_object(&bundle, "", &value_at(&path, nothing), keys::TOP).is_ok(), "{path}");
            }
        }
    }

    #[test]
    fn what_is_implemented_is_told_from_the_table() {
        assert!(implements(&["process", "apparmorProfile"]) && implements(&["mounts", "uidMappings"]));
        assert!(!implements(&["process", "selinuxLabel"]) && !implements(&["windows"]) && !implements(&["nonsense"]));
    }

    #[test]
    fn no_table_has_a_key_twice() {
        fn visit(keys: &'static [Key]) {
            let names: std::collections::BTreeSet<_> = keys.iter().map(|key| key.name.to_ascii_lowercase()).collect();
            assert_eq!(names.len(), keys.len());
            for key in keys {
                if let Shape::Object(keys) | Shape::List(keys) = key.shape {
                    visit(keys);
                }
            }
        }
        visit(keys::TOP);
    }

    #[test]
    fn unknown_keys_are_ignored_and_misspelled_ones_are_not() {
        let bundle = testing::bundle(|config| config["linux"]["futureThing"] = Value::from(1));
        assert!(refuse_unsupported(&bundle).is_ok());
        let bundle = testing::bundle(|config| config["linux"]["MaskedPaths"] = serde_json::json!(["/proc/kcore"]));
        let error = refuse_unsupported(&bundle).unwrap_err();
        assert_eq!(error.field().path(), "linux.MaskedPaths");
    }
}
