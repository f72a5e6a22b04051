//! One call of the stream of `trace` as text: name, arguments, result, time, and what the table says of it.
//!
//! Called by `trace`. Bytes that a guest chose leave here bounded, quoted, and with what moves a terminal escaped.

use std::time::Duration;

use lazaret_profiles::class::Class;
use lazaret_profiles::rules;
use lazaret_profiles::rules::Answer;
use lazaret_profiles::syscalls::{self, Choice, Column, Row};

use crate::copyin;
use crate::request::{NULL, UNREADABLE};
use crate::signature::{self, Kind};
use crate::text;
use crate::verdict::Registers;

/// Errnos with which the kernel says to itself that a call is begun again; they stand in `include/linux/errno.h`.
const BEGUN_AGAIN: std::ops::RangeInclusive<i64> = 512..=516;

/// A call between its entry and its exit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The kernel's name, or `#` and the number.
    pub(super) name: String,
    /// The decoded arguments, between parentheses.
    pub(super) arguments: String,
    /// What the table says.
    pub(super) verdict: String,
}

impl Call {
    /// The call that thread `pid` stands at the entry of. Without `detail` the arguments are left out.
    pub(crate) fn entered(
        pid: i32,
        (number, architecture): (u64, u32),
        values: [u64; 6],
        mode: Option<Column>,
        detail: bool,
    ) -> Self {
        let is_own = architecture == syscalls::AUDIT_ARCH;
        let row = u32::try_from(number).ok().filter(|_| is_own).and_then(syscalls::by_number);
        let arguments = if detail { arguments(pid, row, architecture, values) } else { String::new() };
        Self {
            name: row.map_or_else(|| format!("#{number}"), |row| row.name.to_owned()),
            arguments,
            verdict: verdict(row, mode, &values),
        }
    }

    /// The line, with the result that the kernel gave; `None` for a call that did not return.
    pub(crate) fn line(&self, pid: i32, result: Option<(i64, bool)>, spent: Duration) -> String {
        let Self { name, arguments, verdict } = self;
        let result = result.map_or_else(|| "?".to_owned(), |(value, is_error)| shown(value, is_error));
        format!("{pid} {name}({arguments}) = {result} <{:.6}> {verdict}", spent.as_secs_f64())
    }
}

fn shown(value: i64, is_error: bool) -> String {
    let errno = value.saturating_neg();
    if is_error && BEGUN_AGAIN.contains(&errno) {
        return "? (interrupted)".to_owned();
    }
    if is_error {
        let known = i32::try_from(errno).map(nix::errno::Errno::from_raw).ok();
        let known = known.filter(|known| *known != nix::errno::Errno::UnknownErrno);
        return known.map_or_else(|| format!("-1 errno {errno}"), |known| format!("-1 {known:?}"));
    }
    match i32::try_from(value) {
        Ok(small) => small.to_string(),
        Err(_wide) => format!("{value:#x}"),
    }
}

/// What the mode does with the call; `None`, native mode, leaves it to the kernel alone.
fn verdict(row: Option<&'static Row>, mode: Option<Column>, values: &[u64; 6]) -> String {
    let Some(column) = mode else { return "unfiltered".to_owned() };
    let Some(row) = row else { return "refused (unknown call)".to_owned() };
    let choice = match column {
        Column::Sandbox => row.choice(column),
        Column::Strict => row.decided_by(values),
    };
    word(&choice, values)
}

fn word(choice: &Choice, values: &[u64; 6]) -> String {
    if let Some(refusal) = choice.refusal(values) {
        return format!("refused ({})", refusal.event.technique());
    }
    match choice.class {
        Class::Native => "native".to_owned(),
        Class::Emulate(_) => "emulated".to_owned(),
        Class::Arg(rule) => match rules::cases(rule).answer(values) {
            Answer::Quiet(_) => "refused".to_owned(),
            Answer::Allowed | Answer::Recorded(_) => "checked".to_owned(),
        },
        Class::Deny(_) | Class::DenyNotify(_) => "refused".to_owned(),
    }
}

fn arguments(pid: i32, row: Option<&'static Row>, architecture: u32, values: [u64; 6]) -> String {
    let Some(row) = row else { return registers(&values) };
    let Some(parameters) = signature::of_any(row.name) else { return registers(&values) };
    let call = Registers::trapped(pid, row.number, architecture, values).follow();
    let decoded = copyin::arguments(&call, parameters);
    let texts = decoded.iter().zip(parameters).map(|(argument, parameter)| {
        let is_text = matches!(parameter.kind, Kind::Path | Kind::Name);
        let is_read = ![NULL, UNREADABLE].contains(&argument.text.as_str());
        let text = if is_text && is_read { quoted(&argument.text) } else { argument.text.clone() };
        if argument.name.is_empty() { text } else { format!("{}={text}", argument.name) }
    });
    texts.collect::<Vec<_>>().join(", ")
}

fn registers(values: &[u64; 6]) -> String {
    values.map(|value| Kind::Word.text(value).unwrap_or_default()).join(", ")
}

fn quoted(guest: &str) -> String {
    format!("\"{}\"", text::printable(&guest.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    fn of(name: &str, values: [u64; 6], column: Column) -> Call {
        let number = u64::from(syscalls::by_name(name).unwrap().number);
        Call::entered(own_pid(), (number, syscalls::AUDIT_ARCH), values, Some(column), true)
    }

    #[test]
    fn guest_text_is_quoted_escaped_and_bounded() {
        assert_eq!(quoted("a\"b\\\n\u{1b}[2J"), r#""a\"b\\\n\u{1b}[2J""#);
        let mut path = vec![b'\n'; 9000];
        path.push(0);
        let call = of("chdir", [u64::try_from(path.as_ptr().addr()).unwrap(), 0, 0, 0, 0, 0], Column::Sandbox);
        assert!(call.arguments.starts_with("\"\\n\\n") && call.arguments.len() < 1024, "{}", call.arguments);
        assert!(!call.arguments.contains('\n'));
    }

    #[test]
    fn verdict_is_that_of_the_table() {
        let verdict = |name: &str, values, column| of(name, values, column).verdict;
        assert_eq!(verdict("getpid", [0; 6], Column::Sandbox), "native");
        assert_eq!(verdict("unshare", [0x200, 0, 0, 0, 0, 0], Column::Sandbox), "checked");
        assert!(verdict("unshare", [0x1000_0000, 0, 0, 0, 0, 0], Column::Sandbox).starts_with("refused (escape."));
        assert_eq!(verdict("sysinfo", [0; 6], Column::Sandbox), "emulated");
        assert!(verdict("shmget", [0; 6], Column::Strict).starts_with("refused ("));
        assert_ne!(verdict("shmget", [0; 6], Column::Sandbox), "refused");
        let foreign = Call::entered(own_pid(), (1, 0x4000_0003), [0; 6], Some(Column::Sandbox), true);
        assert_eq!((foreign.name.as_str(), foreign.verdict.as_str()), ("#1", "refused (unknown call)"));
        let native = Call::entered(own_pid(), (39, syscalls::AUDIT_ARCH), [0; 6], None, true);
        assert_eq!(native.verdict, "unfiltered");
    }

    #[test]
    fn result_is_what_the_kernel_gave() {
        assert_eq!(shown(3, false), "3");
        assert_eq!(shown(-1, false), "-1");
        assert_eq!(shown(0x7f00_0000_0000, false), "0x7f0000000000");
        assert_eq!(shown(-2, true), "-1 ENOENT");
        assert_eq!(shown(-3000, true), "-1 errno 3000");
        assert_eq!(shown(-512, true), "? (interrupted)");
        let line = of("kill", [5, 9, 0, 0, 0, 0], Column::Sandbox).line(7, Some((-1, true)), Duration::from_micros(12));
        assert_eq!(line, "7 kill(5, 9) = -1 EPERM <0.000012> native");
        assert!(of("exit", [1, 0, 0, 0, 0, 0], Column::Sandbox).line(7, None, Duration::ZERO).contains("exit(1) = ? "));
    }
}
