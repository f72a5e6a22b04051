//! The section of docs/compatibility.md against the table.

#[cfg(test)]
mod tests {
    use lazaret_profiles::document::{BEGIN, BEGIN_NESTED, END, END_NESTED, nested_section, section};
    use lazaret_profiles::syscalls::TABLE;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/compatibility.md");
    const HOW: &str = "write it anew: LAZARET_REGENERATE=1 cargo test -p lazaret-profiles --test document";

    /// The text with what stands between the two lines replaced.
    fn renewed(text: &str, begin: &str, end: &str, section: &str) -> String {
        let (before, rest) = text.split_once(begin).expect("the section begins");
        let (_, after) = rest.split_once(&format!("{end}\n")).expect("the section ends");
        format!("{before}{section}{after}")
    }

    #[test]
    fn compatibility_document_has_the_table_as_it_is() {
        let text = std::fs::read_to_string(FILE).unwrap();
        let fresh = renewed(&text, BEGIN, END, &section());
        let fresh = renewed(&fresh, BEGIN_NESTED, END_NESTED, &nested_section());
        if std::env::var_os("LAZARET_REGENERATE").is_some() {
            std::fs::write(FILE, fresh).unwrap();
            return;
        }
        assert!(text == fresh, "docs/compatibility.md is stale; {HOW}");
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
