//! CRI-O's `crio.conf` and `crio.conf.d` (crio.conf(5)), the drop-ins over the file.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Found, Handler, Trouble, table};
use crate::check::host::Host;

const FILES: [&str; 2] = ["/usr/share/crio/crio.conf", "/etc/crio/crio.conf"];
const DROP_INS: [&str; 2] = ["/usr/share/crio/crio.conf.d", "/etc/crio/crio.conf.d"];

/// What this node's CRI-O is told.
pub(super) fn read(host: &Host) -> Result<Found, Trouble> {
    let mut files: Vec<PathBuf> = FILES.iter().map(PathBuf::from).collect();
    for folder in DROP_INS {
        // CRI-O reads every file of the directory, whatever its name ends in.
        files.extend(host.list(Path::new(folder)).map_err(|error| Trouble::of_file(Path::new(folder), &error))?);
    }
    let (whole, files) = table::layers(host, files)?;
    Ok(Found { files, handlers: handlers(&whole), unread: Vec::new() })
}

fn handlers(whole: &Table) -> Vec<Handler> {
    let all = table::below(whole, &["crio", "runtime", "runtimes"]).into_iter().flatten();
    let ours = all.filter_map(|(name, entry)| {
        let entry = entry.as_table()?;
        let program = table::text(entry.get("runtime_path")).map(PathBuf::from).filter(|path| super::is_ours(path))?;
        Some(Handler {
            name: name.clone(),
            program: Some(program),
            configuration: table::text(entry.get("runtime_config_path")).map(PathBuf::from),
            annotations: table::texts(entry.get("allowed_annotations")),
            gives_devices: entry
                .get("privileged_without_host_devices")
                .and_then(Value::as_bool)
                .map(|without| !without)
                .or(Some(true)),
        })
    });
    ours.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_are_tables() {
        let found = |text: &str| handlers(&text.parse().unwrap());
        let base = Handler {
            name: "l".to_owned(),
            program: Some("/usr/bin/lazaret".into()),
            gives_devices: Some(true),
            ..Handler::default()
        };
        let path = "runtime_path = \"/usr/bin/lazaret\"";
        let table = "[crio.runtime.runtimes.l]";
        for (text, wanted) in [
            (String::new(), vec![]),
            (format!("{table}\nruntime_path = \"/usr/bin/runc\"\n"), vec![]),
            (format!("{table}\nruntime_type = \"oci\"\n"), vec![]),
            (format!("{table}\n{path}\n"), vec![base.clone()]),
            (
                format!("{table}\n{path}\nprivileged_without_host_devices = true\n"),
                vec![Handler { gives_devices: Some(false), ..base.clone() }],
            ),
            (
                format!("{table}\n{path}\nallowed_annotations = [\"io.kubernetes.*\"]\n"),
                vec![Handler { annotations: vec!["io.kubernetes.*".to_owned()], ..base.clone() }],
            ),
            (
                format!("{table}\n{path}\nruntime_config_path = \"/c\"\n"),
                vec![Handler { configuration: Some("/c".into()), ..base }],
            ),
        ] {
            assert_eq!(found(&text), wanted, "{text}");
        }
    }
}
