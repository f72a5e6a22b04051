//! The programs of the table's own plans, made when lazaret was written and not at each start of a container.
//!
//! The launcher installs them; plans that depend on the bundle go through [`crate::bpf::emit`] as ever. What stands in
//! `emitted` is data that nobody edits: `written_programs_are_what_the_emitter_makes` compares it with the emitter, and
//! says how to write it anew after a change of the table.

mod emitted;

use crate::bpf::Insn;
use crate::plan::Witness;
use crate::syscalls::Column;

/// The program of a mode with a witness: what [`crate::bpf::emit`] makes of [`crate::plan::of_column`].
#[must_use]
pub const fn of(column: Column, witness: Witness) -> &'static [Insn] {
    match (column, witness) {
        (Column::Sandbox, Witness::Notify) => emitted::SANDBOX_NOTIFY,
        (Column::Sandbox, Witness::Trace) => emitted::SANDBOX_TRACE,
        (Column::Sandbox, Witness::None) => emitted::SANDBOX_NONE,
        (Column::Strict, Witness::Notify) => emitted::STRICT_NOTIFY,
        (Column::Strict, Witness::Trace) => emitted::STRICT_TRACE,
        (Column::Strict, Witness::None) => emitted::STRICT_NONE,
    }
}

/// The same for a container that was given a directory of the host: what [`crate::bpf::emit`] makes of
/// [`crate::plan::guarded`].
#[must_use]
pub const fn guarded(column: Column, witness: Witness) -> &'static [Insn] {
    match (column, witness) {
        (Column::Sandbox, Witness::Notify) => emitted::SANDBOX_NOTIFY_GUARDED,
        (Column::Sandbox, Witness::Trace) => emitted::SANDBOX_TRACE_GUARDED,
        (Column::Strict, Witness::Notify) => emitted::STRICT_NOTIFY_GUARDED,
        (Column::Strict, Witness::Trace) => emitted::STRICT_TRACE_GUARDED,
        (_, Witness::None) => of(column, witness),
    }
}

/// One instruction, as `emitted` writes it.
const fn i(code: u16, jt: u8, jf: u8, k: u32) -> Insn {
    Insn { code, jt, jf, k }
}
