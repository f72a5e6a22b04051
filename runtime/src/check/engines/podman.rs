//! Podman's `containers.conf` (containers.conf(5)): the vendor's, the administrator's, and drop-ins, in that order.

use std::path::{Path, PathBuf};

use toml::Table;

use super::{Found, Handler, Trouble, table};
use crate::check::host::Host;

const FILES: [&str; 2] = ["/usr/share/containers/containers.conf", "/etc/containers/containers.conf"];
const DROP_INS: [&str; 2] = ["/usr/share/containers/containers.conf.d", "/etc/containers/containers.conf.d"];

/// What this node's podman is told.
pub(super) fn read(host: &Host) -> Result<Found, Trouble> {
    let mut files: Vec<PathBuf> = FILES.iter().map(PathBuf::from).collect();
    for folder in DROP_INS {
        files.extend(table::drop_ins(host, Path::new(folder), "conf")?);
    }
    let (whole, files) = table::layers(host, files)?;
    Ok(Found { files, handlers: handlers(&whole), unread: Vec::new() })
}

/// The first path of each list that exists counts; here each is shown.
fn handlers(whole: &Table) -> Vec<Handler> {
    let all = table::below(whole, &["engine", "runtimes"]).into_iter().flatten();
    let ours = all.filter_map(|(name, paths)| {
        let paths = table::texts(Some(paths));
        let program = paths.iter().map(PathBuf::from).find(|path| super::is_ours(path))?;
        Some(Handler { name: name.clone(), program: Some(program), ..Handler::default() })
    });
    ours.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_are_lists_of_paths() {
        let found = |text: &str| handlers(&text.parse().unwrap());
        let handler =
            |path: &str| vec![Handler { name: "l".to_owned(), program: Some(path.into()), ..Handler::default() }];
        for (text, wanted) in [
            ("", vec![]),
            ("[engine]\nruntime = \"crun\"\n", vec![]),
            ("[engine.runtimes]\nl = [\"/usr/bin/crun\"]\n", vec![]),
            ("[engine.runtimes]\nl = [\"/usr/bin/lazaret\"]\n", handler("/usr/bin/lazaret")),
            ("[engine.runtimes]\nl = [\"/none\", \"/usr/bin/lazaret\"]\n", handler("/usr/bin/lazaret")),
            ("[engine.runtimes]\nl = \"/usr/bin/lazaret\"\n", vec![]),
            ("[engine.runtimes]\nl = []\n", vec![]),
        ] {
            assert_eq!(found(text), wanted, "{text}");
        }
    }
}
