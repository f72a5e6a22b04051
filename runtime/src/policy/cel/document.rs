//! Policies as Kubernetes writes them: `ValidatingAdmissionPolicy`, and a `ValidatingAdmissionPolicyBinding` where it is to
//! warn or to be recorded instead of to refuse. A field that is not obeyed is refused by name.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::CelError;
use crate::policy::pod_security::manifest;
use crate::policy::pod_security::yaml;

/// Most policies, validations and the like together that are evaluated for one container.
const EXPRESSIONS: usize = 256;
/// Longest expression, in bytes.
const LONGEST: usize = 16 << 10;

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// `metadata.name`.
    pub name: String,
    /// `spec.failurePolicy`.
    pub failure_policy: FailurePolicy,
    /// `spec.matchConditions`.
    pub match_conditions: Vec<Named>,
    /// `spec.variables`.
    pub variables: Vec<Named>,
    /// `spec.validations`.
    pub validations: Vec<Validation>,
    /// `validationActions` of its binding; `Deny` where it has none.
    pub actions: Vec<Action>,
}

/// What happens when a policy cannot be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum FailurePolicy {
    /// The container is refused.
    #[default]
    Fail,
    /// The container is created, with a warning.
    Ignore,
}

/// What happens when a container does not satisfy a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Action {
    /// It is refused.
    Deny,
    /// It is created with a warning.
    Warn,
    /// It is created, and recorded.
    Audit,
}

/// An expression with a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// `name`.
    pub name: String,
    /// `expression`.
    pub expression: String,
}

/// One of `validations`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Validation {
    /// `expression`: true for what is allowed.
    pub expression: String,
    /// `message`.
    pub message: Option<String>,
    /// `messageExpression`: a text; it stands before `message` where it can be evaluated.
    pub message_expression: Option<String>,
    /// `reason`, a word for machines.
    pub reason: Option<Reason>,
}

/// The reasons that Kubernetes knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Reason {
    /// `Unauthorized`.
    Unauthorized,
    /// `Forbidden`.
    Forbidden,
    /// `Invalid`.
    Invalid,
    /// `RequestEntityTooLarge`.
    RequestEntityTooLarge,
}

impl Reason {
    /// The word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::Invalid => "Invalid",
            Self::RequestEntityTooLarge => "RequestEntityTooLarge",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Value,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PolicySpec {
    #[serde(default)]
    failure_policy: FailurePolicy,
    // Which objects of the API it is for. Here there is one kind, and it is for all of them.
    #[serde(rename = "matchConstraints")]
    _match_constraints: Option<Value>,
    #[serde(default)]
    match_conditions: Vec<Named>,
    #[serde(default)]
    variables: Vec<Named>,
    validations: Vec<Validation>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BindingSpec {
    policy_name: String,
    validation_actions: Vec<Action>,
}

/// The policies of the file at `path`, `-` for standard input.
///
/// # Errors
/// See [`CelError`].
pub fn load(path: &Path) -> Result<Vec<Policy>, CelError> {
    read(&path.display().to_string(), &manifest::text_of(path)?)
}

/// The policies of `text`, which `file` holds.
///
/// # Errors
/// As [`load`].
pub fn read(file: &str, text: &str) -> Result<Vec<Policy>, CelError> {
    let form = |place: &str, what: String| CelError::Form { place: format!("{file}: {place}"), what };
    let documents = yaml::documents(text).map_err(|what| form("malformed YAML or JSON", what))?;
    let (mut policies, mut bindings) = (Vec::new(), Vec::new());
    for (index, document) in documents.iter().enumerate() {
        let place = format!("document {}", index + 1);
        let header: Header = typed("", document).map_err(|what| form(&place, what))?;
        let group = header.api_version.split('/').next();
        if group != Some("admissionregistration.k8s.io") {
            return Err(form(
                &place,
                format!("apiVersion {:?} is not admissionregistration.k8s.io", header.api_version),
            ));
        }
        let place = format!("{place} ({} {:?})", header.kind, header.metadata.name);
        let name = header.metadata.name;
        match header.kind.as_str() {
            "ValidatingAdmissionPolicy" => {
                let spec: PolicySpec = typed("spec", &header.spec).map_err(|what| form(&place, what))?;
                policies.push(policy(name, spec).map_err(|what| form(&place, what))?);
            }
            "ValidatingAdmissionPolicyBinding" => {
                bindings.push(typed::<BindingSpec>("spec", &header.spec).map_err(|what| form(&place, what))?);
            }
            _ => return Err(form(&place, "not a ValidatingAdmissionPolicy".to_owned())),
        }
    }
    bind(&mut policies, &bindings).map_err(|what| form("bindings", what))?;
    let count: usize = policies.iter().map(|policy| expressions(policy).count()).sum();
    if policies.is_empty() || count > EXPRESSIONS {
        return Err(form("policies", format!("it has {count} expressions, and 1 to {EXPRESSIONS} are taken")));
    }
    Ok(policies)
}

/// The value below the field `below` as its type, or where it is not, in one line.
fn typed<'de, T: Deserialize<'de>>(below: &str, value: &'de Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = match (below, error.path().to_string().as_str()) {
            (_, ".") => below.to_owned(),
            ("", path) => path.to_owned(),
            (_, path) => format!("{below}.{path}"),
        };
        let colon = if path.is_empty() { "" } else { ": " };
        format!("{path}{colon}{}", error.inner())
    })
}

fn policy(name: String, spec: PolicySpec) -> Result<Policy, String> {
    let PolicySpec { failure_policy, match_conditions, variables, validations, .. } = spec;
    let policy = Policy { name, failure_policy, match_conditions, variables, validations, actions: vec![Action::Deny] };
    if policy.validations.is_empty() {
        return Err("spec.validations: at least one is needed".to_owned());
    }
    let too_long = expressions(&policy).find(|(_, expression)| expression.len() > LONGEST).map(|(field, _)| field);
    too_long.map_or(Ok(policy), |field| Err(format!("{field}: longer than {LONGEST} bytes")))
}

/// Several bindings of one policy: each adds its actions.
fn bind(policies: &mut [Policy], bindings: &[BindingSpec]) -> Result<(), String> {
    for binding in bindings {
        let is_named = |policy: &Policy| policy.name == binding.policy_name;
        if !policies.iter().any(is_named) {
            return Err(format!("policy {:?} is not in the file", binding.policy_name));
        }
        for policy in policies.iter_mut().filter(|policy| is_named(policy)) {
            let of_others = bindings.iter().filter(|other| other.policy_name == policy.name);
            policy.actions = of_others.flat_map(|other| &other.validation_actions).copied().collect();
        }
    }
    Ok(())
}

/// Every expression of a policy with its field.
pub(super) fn expressions(policy: &Policy) -> impl Iterator<Item = (String, &str)> {
    let conditions = policy.match_conditions.iter().enumerate();
    let conditions =
        conditions.map(|(index, one)| (format!("spec.matchConditions[{index}].expression"), one.expression.as_str()));
    let variables = policy.variables.iter().enumerate();
    let variables =
        variables.map(|(index, one)| (format!("spec.variables[{index}].expression"), one.expression.as_str()));
    let validations = policy.validations.iter().enumerate().flat_map(|(index, one)| {
        let expression = (format!("spec.validations[{index}].expression"), one.expression.as_str());
        let message = one.message_expression.as_deref();
        let message = message.map(|text| (format!("spec.validations[{index}].messageExpression"), text));
        std::iter::once(expression).chain(message)
    });
    conditions.chain(variables).chain(validations)
}
