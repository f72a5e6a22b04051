//! The JSON schema of a text whose keys stand in a table, for editors: draft 2020-12, as taplo and others read it.

use lazaret_profiles::schema::{Key, Kind, STRING_MAX};
use serde_json::{Map, Value, json};

/// The schema of a text with these keys.
#[must_use]
pub(crate) fn of_keys(keys: &[Key], title: &str) -> Value {
    let mut schema = object(keys);
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".to_owned(), title.into());
    Value::Object(schema)
}

fn object(keys: &[Key]) -> Map<String, Value> {
    let properties: Map<_, _> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), "object".into());
    object.insert("additionalProperties".to_owned(), false.into());
    object.insert("properties".to_owned(), properties.into());
    object
}

fn property(key: &Key) -> Value {
    let mut property = of_kind(key.kind);
    if let Value::Object(property) = &mut property {
        property.insert("description".to_owned(), key.about.into());
        // A default of the table is a number, a word, a list of words or a truth value: JSON writes them as TOML does.
        if let Ok(default) = serde_json::from_str::<Value>(key.default) {
            property.insert("default".to_owned(), default);
        }
    }
    property
}

fn of_kind(kind: Kind) -> Value {
    let text = || json!({ "type": "string", "maxLength": STRING_MAX });
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Count(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::WordOrPath(words) => json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": "^/" }] }),
        Kind::Text => text(),
        Kind::Texts => json!({ "type": "array", "items": text() }),
        Kind::Words(words) => json!({ "type": "array", "items": { "enum": words } }),
        Kind::Table(keys) => Value::Object(object(keys)),
        Kind::Named(_, keys) => json!({ "type": "object", "additionalProperties": object(keys) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_of_its_own_kind() {
        for key in crate::config::KEYS.iter().filter(|key| !key.default.is_empty()) {
            let text = format!("{} = {}", key.name, key.default);
            lazaret_profiles::schema::read(&text, crate::config::KEYS).unwrap();
            assert!(property(key).get("default").is_some(), "{}", key.name);
        }
    }

    #[test]
    fn a_schema_says_what_the_reader_does() {
        let schema = of_keys(crate::config::KEYS, "t");
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["mode"]["enum"], json!(["native", "sandbox", "strict"]));
        assert_eq!(schema["properties"]["limits"]["properties"]["pids"]["minimum"], 1);
        assert_eq!(schema["properties"]["mode"]["default"], "sandbox");
    }
}
