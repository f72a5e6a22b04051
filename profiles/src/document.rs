//! The table as people read it: the words of a choice, and the section of docs/compatibility.md.
//!
//! `lazaret syscalls` prints from here, and a test compares the section in the repository with [`section`]. It decides
//! nothing: every word comes from the table and the rules.

use crate::class::Class;
use crate::nested::FileSystem;
use crate::plan::{Action, Plan};
use crate::syscalls::{Choice, Column, Family, Row, TABLE};

/// The line before the section.
pub const BEGIN: &str = "<!-- begin: system calls, from the table -->";
/// The line after the section.
pub const END: &str = "<!-- end: system calls -->";

/// The line before the file systems of `--nested`.
pub const BEGIN_NESTED: &str = "<!-- begin: nested mounts, from the table -->";
/// The line after them.
pub const END_NESTED: &str = "<!-- end: nested mounts -->";

/// What an argument-checked call may be asked for, and an emulated one on request; the technique of a refusal that is
/// recorded; empty for the rest.
#[must_use]
pub fn rule(choice: &Choice) -> &'static str {
    match choice.class {
        Class::Arg(rule) => rule.lets_through(),
        Class::DenyNotify(event) => event.technique(),
        Class::Emulate(handler) => handler.on_request(),
        Class::Native | Class::Deny(_) => "",
    }
}

/// The errno of a call that is refused whole; empty for the rest.
#[must_use]
pub fn answer(choice: &Choice) -> &'static str {
    match choice.class {
        Class::DenyNotify(_) | Class::Deny(_) => choice.errno.name(),
        Class::Native | Class::Arg(_) | Class::Emulate(_) => "",
    }
}

/// What a plan of a profile does with a number, in a few words.
#[must_use]
pub fn outcome(plan: &Plan, number: u32) -> String {
    match plan.decision(number) {
        None => action(plan.unknown()),
        Some(decision) if decision.arms.is_empty() => action(decision.otherwise),
        Some(decision) => format!("by argument, else {}", action(decision.otherwise)),
    }
}

fn action(action: Action) -> String {
    match action {
        Action::Allow => "allowed".to_owned(),
        Action::Errno(errno) => match crate::class::Errno(errno).name() {
            "E?" => format!("errno {errno}"),
            name => name.to_owned(),
        },
        Action::Notify => "asks an agent".to_owned(),
        Action::Trace(_) => "asks a tracer".to_owned(),
        Action::Trap => "SIGSYS".to_owned(),
        Action::Log => "allowed and logged".to_owned(),
        Action::KillThread => "ends the thread".to_owned(),
        Action::KillProcess => "ends the process".to_owned(),
    }
}

/// Both modes' columns as Markdown, a chapter a family, between [`BEGIN`] and [`END`].
#[must_use]
pub fn section() -> String {
    let mut text = format!("{BEGIN}\n{}\n", counts());
    let mut families: Vec<Family> = TABLE.iter().map(|row| row.family).collect();
    families.sort_unstable();
    families.dedup();
    for family in families {
        let rows = TABLE.iter().filter(|row| row.family == family);
        text.push_str(&format!("\n### {}\n| call | sandbox | strict |\n|---|---|---|\n", heading(family)));
        for row in rows {
            text.push_str(&line(row));
        }
    }
    text.push_str(&format!("{END}\n"));
    text
}

/// What may be mounted with `--nested`, as Markdown between [`BEGIN_NESTED`] and [`END_NESTED`].
#[must_use]
pub fn nested_section() -> String {
    let mut text = format!("{BEGIN_NESTED}\n| file system | option | values | unless set |\n|---|---|---|---|\n");
    for filesystem in FileSystem::ALL {
        for option in filesystem.options() {
            let default = match option.default {
                Some("") => "set",
                Some(default) => default,
                None => "",
            };
            let (name, values) = (option.name, option.takes.words());
            text.push_str(&format!("| {} | {name} | {values} | {default} |\n", filesystem.name()));
        }
    }
    text.push_str(&format!("{END_NESTED}\n"));
    text
}

fn heading(family: Family) -> String {
    let mut letters = family.label().chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn line(row: &Row) -> String {
    let strict = row.strict.map_or_else(|| "the same".to_owned(), |choice| cell(&choice));
    let guarded = row.guarded.map(|choice| format!("; with a directory of the host {}", cell(&choice)));
    let sandbox = cell(&row.choice(Column::Sandbox));
    format!("| {} ({}) | {sandbox}{} | {strict} |\n", row.name, row.number, guarded.unwrap_or_default())
}

fn cell(choice: &Choice) -> String {
    let mut text = format!("**{}**", choice.class.label());
    for part in [answer(choice), rule(choice)].into_iter().filter(|part| !part.is_empty()) {
        text.push_str(&format!(" [{part}]"));
    }
    text.push_str(&format!(": {}", choice.reason));
    text
}

/// How many calls of each class, in either mode.
fn counts() -> String {
    let mut text = "| | sandbox | strict |\n|---|---|---|\n".to_owned();
    let mut labels: Vec<&str> = Vec::new();
    for row in TABLE {
        if !labels.contains(&row.class.label()) {
            labels.push(row.class.label());
        }
    }
    for label in labels {
        let count = |column| TABLE.iter().filter(|row| row.choice(column).class.label() == label).count();
        let (sandbox, strict) = (count(Column::Sandbox), count(Column::Strict));
        text.push_str(&format!("| {label} | {sandbox} | {strict} |\n"));
    }
    text
}
