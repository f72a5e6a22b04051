//! Plain columns for the verbs that list things. Called by `main`, which prints the result.

/// Narrowest column with its gap, in characters: as runc has it, whose output people compare.
const NARROWEST: usize = 12;
/// Least gap between two columns, in characters.
const GAP: usize = 3;

/// `rows` in aligned columns, one line each. The last column is not padded.
pub(crate) fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| {
        let widest = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        NARROWEST.max(widest.unwrap_or(0) + GAP)
    };
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["ID".to_owned(), "PID".to_owned()], ["a-long-identifier".to_owned(), "7".to_owned()]];
        assert_eq!(aligned(&rows), "ID                  PID\na-long-identifier   7\n");
    }
}
