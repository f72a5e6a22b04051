//! Where a machine keeps what a table row names: the row's pattern as written and with its links resolved (`/var/run` is
//! `/run` on most machines, `/var/lib/docker` may lead to another disk). Both count.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Placed;
use crate::policy::pattern::{Pattern, literal};

/// `row` with the patterns of `paths`. `resolve` says where a path leads, if that is elsewhere.
pub(super) fn place<Row>(
    row: &'static Row,
    paths: &[&'static str],
    resolve: &mut dyn FnMut(&'static str) -> Option<PathBuf>,
) -> Placed<Row> {
    let mut patterns = Vec::with_capacity(paths.len());
    for path in paths {
        patterns.push(Pattern::of(path));
        let literal = literal(path);
        if let Some(target) = resolve(literal) {
            patterns.push(Pattern::moved(path, literal.len(), target));
        }
    }
    Placed { row, patterns }
}

/// Resolves links: one system call for each directory that the paths share, none below one that does not exist.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    known: HashMap<&'static str, Resolved>,
}

/// What a path leads to.
#[derive(Debug, Clone)]
enum Resolved {
    /// To itself.
    Here,
    /// Elsewhere.
    Moved(PathBuf),
    /// Nowhere; the parts that exist may lead elsewhere.
    Missing(Option<PathBuf>),
}

impl Resolver {
    /// What `path` leads to; `None` when that is `path` itself. A part that does not exist stays as it is.
    pub(super) fn resolve(&mut self, path: &'static str) -> Option<PathBuf> {
        match self.look_up(path) {
            Resolved::Here => None,
            Resolved::Moved(target) => Some(target),
            Resolved::Missing(target) => target,
        }
    }

    fn look_up(&mut self, path: &'static str) -> Resolved {
        let Some((parent, name)) = path.rsplit_once('/').filter(|(_, name)| !name.is_empty()) else {
            return Resolved::Here;
        };
        if let Some(known) = self.known.get(path) {
            return known.clone();
        }
        let resolved = match self.look_up(parent) {
            Resolved::Missing(parent) => Resolved::Missing(parent.map(|parent| parent.join(name))),
            Resolved::Here => look_at(Path::new(path), false),
            Resolved::Moved(parent) => look_at(&parent.join(name), true),
        };
        self.known.insert(path, resolved.clone());
        resolved
    }
}

/// What `path`, whose directory has no links, leads to.
fn look_at(path: &Path, moved: bool) -> Resolved {
    let here = || moved.then(|| path.to_path_buf());
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => {
            std::fs::canonicalize(path).map_or_else(|_broken| Resolved::Missing(here()), Resolved::Moved)
        }
        Ok(_) => here().map_or(Resolved::Here, Resolved::Moved),
        Err(_) => Resolved::Missing(here()),
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
        // The tables' paths live as long as the program; so do the test's.
        let mut resolve = |path: &str| resolver.resolve(format!("{}/{path}", base.display()).leak());
        assert_eq!(resolve("link/missing/x"), Some(base.join("real/missing/x")));
        assert_eq!(resolve("link"), Some(base.join("real")));
        assert_eq!(resolve("real"), None);
        assert_eq!(resolve("real/missing/x"), None);
        assert_eq!(resolve("broken"), None);
        assert_eq!(resolver.resolve("/"), None);
        std::fs::remove_dir_all(base).unwrap();
    }
}
