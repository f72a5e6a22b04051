//! The written programs against the emitter, and the file that holds them.

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use lazaret_profiles::bpf::{Insn, emit};
    use lazaret_profiles::plan::{Plan, Witness, guarded, of_column};
    use lazaret_profiles::programs;
    use lazaret_profiles::syscalls::Column;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/programs/emitted.rs");
    const HOW: &str = "write it anew: LAZARET_REGENERATE=1 cargo test -p lazaret-profiles --test programs";

    fn all() -> impl Iterator<Item = (Column, Witness)> {
        Column::ALL.iter().flat_map(|column| Witness::ALL.iter().map(|witness| (*column, *witness)))
    }

    fn made(plan: &Plan) -> Vec<Insn> {
        emit(plan).unwrap()
    }

    /// The names of the written programs, and what is to stand there.
    fn written() -> impl Iterator<Item = (String, Vec<Insn>)> {
        all().flat_map(|(column, witness)| {
            let name = format!("{column:?}_{witness:?}").to_uppercase();
            let guard =
                (witness != Witness::None).then(|| (format!("{name}_GUARDED"), made(&guarded(column, witness))));
            std::iter::once((name, made(&of_column(column, witness)))).chain(guard)
        })
    }

    /// The text of the file.
    fn text() -> String {
        let mut text =
            "//! The programs of the table's own plans. Written by the test `programs`; see its message for how.\n\n\
            use super::i;\nuse crate::bpf::Insn;\n"
                .to_owned();
        for (name, program) in written() {
            write!(text, "\n#[rustfmt::skip]\npub(super) static {name}: &[Insn] = &[\n").unwrap();
            for line in program.chunks(5) {
                let line: Vec<String> = line
                    .iter()
                    .map(|insn| format!("i({:#x}, {}, {}, {:#x})", insn.code, insn.jt, insn.jf, insn.k))
                    .collect();
                writeln!(text, "    {},", line.join(", ")).unwrap();
            }
            text.push_str("];\n");
        }
        text
    }

    #[test]
    fn written_programs_are_what_the_emitter_makes() {
        if std::env::var_os("LAZARET_REGENERATE").is_some() {
            std::fs::write(Path::new(FILE), text()).unwrap();
            return;
        }
        assert!(std::fs::read_to_string(FILE).unwrap() == text(), "{FILE} is stale; {HOW}");
        for (column, witness) in all() {
            let (plain, guard) = (made(&of_column(column, witness)), made(&guarded(column, witness)));
            assert!(programs::of(column, witness) == plain, "{column:?} {witness:?} is stale; {HOW}");
            assert!(programs::guarded(column, witness) == guard, "{column:?} {witness:?} guarded is stale; {HOW}");
        }
    }
}
