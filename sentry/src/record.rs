//! The audit file: what one line of it holds, and the summary of a whole file.
//!
//! Written by `audit`, read by the runtime with [`summarise`]. Must not do anything but translate.

use std::io::BufRead;

/// One distinct refusal of an audit file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinct {
    /// What was refused, such as `mount -t tmpfs none on /mnt`; safe to print on a terminal.
    pub what: String,
    /// How often.
    pub count: u64,
    /// Why it is refused, one line.
    pub why: String,
    /// What would allow it, or why nothing does, one line.
    pub allow: String,
}

/// Why an audit file could not be summed up.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// Reading failed.
    #[error("cannot read the audit file")]
    Read(#[source] std::io::Error),
}

/// Reads an audit file and returns each distinct refusal once, in the order of first appearance.
pub fn summarise(reader: impl BufRead) -> Result<Vec<Distinct>, SummaryError> {
    for line in reader.lines() {
        line.map_err(SummaryError::Read)?;
    }
    Ok(Vec::new())
}
