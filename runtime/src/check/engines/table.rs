//! TOML files and what stands in them, for the engines that write it.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Trouble;
use crate::check::host::Host;

/// The table in the file at `path`, if there is one.
pub(super) fn read(host: &Host, path: &Path) -> Result<Option<Table>, Trouble> {
    let text = host.read(path).map_err(|error| Trouble::of_file(path, &error))?;
    text.map(|text| parse(path, &text)).transpose()
}

/// The table of `text`, which stands at `path`.
pub(super) fn parse(path: &Path, text: &str) -> Result<Table, Trouble> {
    text.parse::<Table>().map_err(|error| Trouble::in_text(path, &error))
}

/// The files of `folder` whose names end so, in order.
pub(super) fn drop_ins(host: &Host, folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Trouble> {
    let mut all = host.list(folder).map_err(|error| Trouble::of_file(folder, &error))?;
    all.retain(|path| path.extension().is_some_and(|found| found == ending));
    Ok(all)
}

/// Those of `files` that are there, each laid over the ones before it, and which they are.
pub(super) fn layers(host: &Host, files: Vec<PathBuf>) -> Result<(Table, Vec<PathBuf>), Trouble> {
    let (mut whole, mut read_files) = (Table::new(), Vec::new());
    for file in files {
        if let Some(above) = read(host, &file)? {
            lay_over(&mut whole, above);
            read_files.push(file);
        }
    }
    Ok((whole, read_files))
}

/// The table at `keys`.
pub(super) fn below<'t>(table: &'t Table, keys: &[&str]) -> Option<&'t Table> {
    keys.iter().try_fold(table, |table, key| table.get(*key)?.as_table())
}

/// Everything in `from` laid over `onto`: tables entry by entry, anything else as a whole.
pub(super) fn lay_over(onto: &mut Table, from: Table) {
    for (key, value) in from {
        match (onto.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
            (_, value) => {
                onto.insert(key, value);
            }
        }
    }
}

/// The texts of a list.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A text that is not empty.
pub(super) fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str).filter(|text| !text.is_empty())
}
