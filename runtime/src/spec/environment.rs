//! The variables of an environment, in which each stands once. For `process.env` of a bundle and the one that `do` makes.

use std::ffi::CString;

/// Sets a variable, `NAME=value`. The last of several of one name counts, as for runc, in the place of the first: programs
/// differ in which one they take.
pub(crate) fn set(environment: &mut Vec<CString>, variable: CString) {
    match environment.iter_mut().find(|entry| name(entry) == name(&variable)) {
        Some(entry) => *entry = variable,
        None => environment.push(variable),
    }
}

/// The name of a variable.
pub(crate) fn name(entry: &CString) -> &[u8] {
    entry.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> Vec<CString> {
        entries.iter().map(|entry| CString::new(*entry).unwrap()).collect()
    }

    #[test]
    fn the_last_value_of_a_variable_stands_where_the_first_was() {
        let mut env = Vec::new();
        list(&["A=1", "B=2", "A=3=4", "HOME=/h"]).into_iter().for_each(|variable| set(&mut env, variable));
        assert_eq!(env, list(&["A=3=4", "B=2", "HOME=/h"]));
    }
}
