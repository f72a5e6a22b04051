//! Evaluates policies. Runs in the child of [`super::confined`] alone: an expression may take all time and memory that
//! there is.

use std::collections::HashMap;
use std::sync::Arc;

use cel::parser::{Expression, PrattParser};
use cel::{Context, Env, Value, extensions};
use serde::{Deserialize, Serialize};

use super::document::{Policy, Validation, expressions};
use super::input::Input;

/// What came of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// It was evaluated; none is what is allowed.
    Judged(Vec<Violation>),
    /// An expression is none, whatever it is about.
    Malformed {
        /// Where it stands.
        field: String,
        /// What is wrong.
        what: String,
    },
    /// It could not be evaluated on this input.
    Failed(String),
}

/// A validation that is not satisfied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Violation {
    /// What the policy says.
    pub(super) message: String,
    /// Its reason, if it gives one.
    pub(super) reason: Option<String>,
}

/// Evaluates each of `policies`.
pub(super) fn all(policies: &[Policy], input: &Input) -> Vec<Outcome> {
    let mut env = Env::stdlib();
    if let Err(error) = env.add_extension(extensions::strings) {
        return policies.iter().map(|_| Outcome::Failed(error.to_string())).collect();
    }
    let node: HashMap<String, Value> =
        input.node.iter().map(|(key, value)| ((*key).to_owned(), value.as_str().into())).collect();
    let mut context = Context::with_env(Arc::new(env));
    context.add_variable_from_value("spec", value(&input.spec));
    context.add_variable_from_value("annotations", value(&input.annotations()));
    context.add_variable_from_value("node", node);
    policies.iter().map(|policy| one(policy, &context).unwrap_or_else(|outcome| outcome)).collect()
}

fn one(policy: &Policy, context: &Context<'_, '_>) -> Result<Outcome, Outcome> {
    let mut parsed = HashMap::new();
    for (field, expression) in expressions(policy) {
        let tree = parse(expression).map_err(|what| Outcome::Malformed { field, what })?;
        parsed.insert(expression, tree);
    }
    let mut scope = Scope { context, parsed, variables: HashMap::new() };
    // Of conditions that cannot be evaluated none counts when another says no, as in Kubernetes.
    let conditions = policy.match_conditions.iter().map(|one| (&one.name, scope.is_true(&one.expression)));
    let conditions: Vec<_> = conditions.collect();
    if conditions.iter().any(|(_, met)| matches!(met, Ok(false))) {
        return Ok(Outcome::Judged(Vec::new()));
    }
    if let Some((name, Err(why))) = conditions.into_iter().find(|(_, met)| met.is_err()) {
        return Err(Outcome::Failed(format!("matchCondition {name:?}: {why}")));
    }
    for variable in &policy.variables {
        // One that cannot be evaluated is no variable; who needs it fails.
        if let Ok(value) = scope.evaluate(&variable.expression) {
            scope.variables.insert(variable.name.clone(), value);
        }
    }
    let mut violations = Vec::new();
    for (index, validation) in policy.validations.iter().enumerate() {
        match scope.is_true(&validation.expression) {
            Ok(true) => {}
            Ok(false) => violations.push(violation(validation, &scope)),
            Err(why) => return Err(Outcome::Failed(format!("spec.validations[{index}].expression: {why}"))),
        }
    }
    Ok(Outcome::Judged(violations))
}

fn violation(validation: &Validation, scope: &Scope<'_>) -> Violation {
    let said = validation.message_expression.as_deref().and_then(|expression| match scope.evaluate(expression) {
        Ok(Value::String(text)) => Some(text.trim().to_owned()),
        Ok(_) | Err(_) => None,
    });
    // Kubernetes takes neither an empty text nor one of several lines.
    let said = said.filter(|text| !text.is_empty() && !text.contains(['\n', '\r']));
    let message = said.or_else(|| validation.message.clone());
    let message = message.unwrap_or_else(|| format!("failed expression: {}", validation.expression.trim()));
    Violation { message, reason: validation.reason.map(|reason| reason.name().to_owned()) }
}

/// Most nodes of one expression.
const NODES: usize = 10_000;

/// By the library's second parser: the first takes milliseconds in each new process, and has no bound.
fn parse(expression: &str) -> Result<Expression, String> {
    let parser = PrattParser::new().max_expression_node_count(NODES);
    parser.parse(expression).map_err(|errors| one_line(&errors.to_string()))
}

/// The expressions of one policy, and what they can look at.
struct Scope<'a> {
    context: &'a Context<'a, 'a>,
    parsed: HashMap<&'a str, Expression>,
    variables: HashMap<String, Value>,
}

impl Scope<'_> {
    fn evaluate(&self, expression: &str) -> Result<Value, String> {
        let tree = self.parsed.get(expression).ok_or("it was not parsed")?;
        let mut context = self.context.new_inner_scope();
        context.add_variable_from_value("variables", self.variables.clone());
        context.resolve(tree).map_err(|error| one_line(&error.to_string()))
    }

    fn is_true(&self, expression: &str) -> Result<bool, String> {
        let value = self.evaluate(expression)?;
        let Value::Bool(value) = value else {
            return Err(format!("it is of the type {}, and a bool is wanted", value.type_of()));
        };
        Ok(value)
    }
}

/// The value of a configuration. Whole numbers are `int`, as in Kubernetes.
fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => number
            .as_i64()
            .map(Value::Int)
            .or_else(|| number.as_u64().map(Value::UInt))
            .unwrap_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN))),
        serde_json::Value::String(text) => text.as_str().into(),
        serde_json::Value::Array(list) => Value::List(Arc::new(list.iter().map(value).collect())),
        serde_json::Value::Object(map) => {
            map.iter().map(|(key, member)| (key.clone(), value(member))).collect::<HashMap<String, Value>>().into()
        }
    }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
