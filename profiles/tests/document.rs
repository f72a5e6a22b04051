//! The section of docs/compatibility.md against the table.

#[cfg(test)]
mod tests {
    use lazaret_profiles::document::{BEGIN, END, section};
    use lazaret_profiles::syscalls::TABLE;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/compatibility.md");
    const HOW: &str = "write it anew: LAZARET_REGENERATE=1 cargo test -p lazaret-profiles --test document";

    #[test]
    fn compatibility_document_has_the_table_as_it_is() {
        let text = std::fs::read_to_string(FILE).unwrap();
        let (before, rest) = text.split_once(BEGIN).expect("the section begins");
        let (_, after) = rest.split_once(&format!("{END}\n")).expect("the section ends");
        let fresh = format!("{before}{}{after}", section());
        if std::env::var_os("LAZARET_REGENERATE").is_some() {
            std::fs::write(FILE, fresh).unwrap();
            return;
        }
        assert!(text == fresh, "the system calls in docs/compatibility.md are stale; {HOW}");
    }

    #[test]
    fn every_call_is_a_line_and_no_word_breaks_the_table() {
        let section = section();
        for row in TABLE {
            let line = section.lines().find(|line| line.starts_with(&format!("| {} ({}) |", row.name, row.number)));
            let columns = line.unwrap_or_else(|| panic!("{} has no line", row.name)).matches('|').count();
            assert_eq!(columns, 4, "{}", row.name);
        }
    }
}
