//! Where a machine keeps what a table row names: the row's pattern as written and with its links resolved (`/var/run` is
//! `/run` on most machines, `/var/lib/docker` may lead to another disk). Both count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Placed;
use crate::policy::pattern::{Pattern, split_literal};

/// `row` with the patterns of `paths`.
pub(super) fn place<Row>(
    row: &'static Row,
    paths: &[String],
    resolve: &mut dyn FnMut(&Path) -> PathBuf,
) -> Placed<Row> {
    let mut patterns = Vec::with_capacity(paths.len());
    for path in paths {
        let (literal, rest) = split_literal(path);
        patterns.push(Pattern::new(Path::new(path)));
        let resolved = resolve(&literal);
        if resolved != literal {
            patterns.push(Pattern::new(&resolved.join(rest)));
        }
    }
    Placed { row, patterns }
}

/// Resolves links, one system call for each directory that the paths share.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    known: BTreeMap<PathBuf, PathBuf>,
}

impl Resolver {
    /// What `path` leads to. A part that does not exist stays as it is.
    pub(super) fn resolve(&mut self, path: &Path) -> PathBuf {
        if let Some(known) = self.known.get(path) {
            return known.clone();
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return path.to_path_buf();
        };
        let here = self.resolve(parent).join(name);
        let is_link = std::fs::symlink_metadata(&here).is_ok_and(|metadata| metadata.is_symlink());
        let resolved = if is_link { std::fs::canonicalize(&here).unwrap_or(here) } else { here };
        self.known.insert(path.to_path_buf(), resolved.clone());
        resolved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_resolved_and_missing_parts_kept() {
        let base = std::env::temp_dir().join(format!("lazaret-places-{}", std::process::id()));
        std::fs::create_dir_all(base.join("real")).unwrap();
        let base = base.canonicalize().unwrap();
        std::os::unix::fs::symlink("real", base.join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", base.join("broken")).unwrap();
        let mut resolver = Resolver::default();
        assert_eq!(resolver.resolve(&base.join("link/missing/x")), base.join("real/missing/x"));
        assert_eq!(resolver.resolve(&base.join("broken")), base.join("broken"));
        assert_eq!(resolver.resolve(Path::new("/")), Path::new("/"));
        std::fs::remove_dir_all(base).unwrap();
    }
}
