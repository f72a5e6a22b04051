//! Every annotation with what it changes, and every refusal by its words.

use super::*;
use crate::options::Rules;

fn with(options: &Options, name: &str, value: &str) -> Result<Options, AnnotationError> {
    apply(options, &BTreeMap::from([(name.to_owned(), value.to_owned()), ("other".to_owned(), "x".to_owned())]))
}

#[test]
fn an_annotation_tightens() {
    let node = Options::default();
    assert_eq!(apply(&node, &BTreeMap::new()).unwrap().mode, Mode::Sandbox);
    assert_eq!(with(&node, "lazaret.dev/mode", "strict").unwrap().mode, Mode::Strict);
    assert_eq!(with(&node, "lazaret.dev/mode", "sandbox").unwrap().mode, Mode::Sandbox);
    let native = Options { mode: Mode::Native, ..Options::default() };
    assert_eq!(with(&native, "lazaret.dev/mode", "sandbox").unwrap().mode, Mode::Sandbox);
    let more = with(&node, "lazaret.dev/record-level", "RequestResponse").unwrap();
    assert_eq!(more.records.single(), Some(record::Level::RequestResponse));
}

#[test]
fn a_level_is_raised_over_that_of_the_pods_namespace() {
    let general = Enforcement { enforce: "baseline:v1.30".parse().ok(), warn: "hardened".parse().ok(), audit: None };
    let strict = Enforcement { enforce: "restricted".parse().ok(), ..Enforcement::default() };
    let pod_security = Enforcements { general, namespaces: BTreeMap::from([("prod".to_owned(), strict)]) };
    let node = Options { pod_security, ..Options::default() };
    let raised = with(&node, "lazaret.dev/level", "restricted").unwrap().pod_security;
    assert_eq!(raised.general.enforce.unwrap().to_string(), "restricted:v1.30");
    assert_eq!(raised.of(Some("prod")).warn, general.warn, "what holds is this container's own");
    let error = with(&node, "lazaret.dev/level", "privileged").unwrap_err();
    assert!(error.to_string().contains("looser than pod_security.enforce = \"baseline\""), "{error}");
    let of = |namespace: &str, level: &str| {
        let annotations = [(NAMESPACE_ANNOTATIONS[0], namespace), ("lazaret.dev/level", level)];
        apply(&node, &annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    };
    assert!(of("prod", "baseline").unwrap_err().to_string().contains("\"restricted\""));
    assert!(of("prod", "hardened").is_ok() && of("other", "baseline").is_ok());
}

#[test]
fn what_is_refused_is_named_with_value_rule_and_help() {
    let node = Options::default();
    for (name, value, said, hint) in [
        (
            "lazaret.dev/mode",
            "native",
            "annotations[\"lazaret.dev/mode\"] = \"native\": looser than mode = \"sandbox\", which holds on this node, and an \
             annotation may only tighten",
            "leave it out, or list it in the node's configuration: annotations.allow = [\"mode\"]",
        ),
        (
            "lazaret.dev/record-level",
            "None",
            "annotations[\"lazaret.dev/record-level\"] = \"None\": looser than records = \"Request\", which holds on this node, \
             and an annotation may only tighten",
            "leave it out, or list it in the node's configuration: annotations.allow = [\"record-level\"]",
        ),
        (
            "lazaret.dev/mode",
            "Strict",
            "annotations[\"lazaret.dev/mode\"] = \"Strict\": native or sandbox or strict is wanted; did you mean \"strict\"?",
            "docs/configuration.md has the annotations and their values",
        ),
        (
            "lazaret.dev/moed",
            "strict",
            "annotations[\"lazaret.dev/moed\"] = \"strict\": lazaret knows no such annotation; did you mean \"mode\"?",
            "known: lazaret.dev/mode, ",
        ),
        (
            "lazaret.dev/",
            "",
            "annotations[\"lazaret.dev/\"] = \"\": lazaret knows no such annotation",
            "known: lazaret.dev/mode, ",
        ),
    ] {
        let error = with(&node, name, value).unwrap_err();
        assert_eq!(error.to_string(), said);
        assert!(error.hint().unwrap().starts_with(hint), "{:?}", error.hint());
    }
}

#[test]
fn what_the_node_lists_may_loosen_and_nothing_else() {
    let rules = Rules { annotations: vec!["mode".to_owned()], ..Rules::default() };
    let node = Options { rules, ..Options::default() };
    assert_eq!(with(&node, "lazaret.dev/mode", "native").unwrap().mode, Mode::Native);
    assert_eq!(with(&node, "lazaret.dev/record-level", "None").unwrap_err().code(), 1762);
    assert!(node.may_be_native() && !Options::default().may_be_native());
}
