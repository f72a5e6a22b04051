//! containerd's configuration, versions 1 to 4: `config.toml` and what it imports (containerd-config.toml(5)).

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Found, Handler, SHIM, Trouble, table};
use crate::check::host::Host;

/// Where the file stands, and its drop-ins.
const PLACES: [(&str, &str); 2] = [
    ("/etc/containerd/config.toml", "/etc/containerd/conf.d"),
    (
        "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
        "/var/lib/rancher/k3s/agent/etc/containerd/config.toml.d",
    ),
];

/// The tables that hold the handlers of the CRI plugin: up to version 2, and from 3 on.
const HANDLERS: [&[&str]; 2] = [
    &["plugins", "io.containerd.grpc.v1.cri", "containerd", "runtimes"],
    &["plugins", "io.containerd.cri.v1.runtime", "containerd", "runtimes"],
];

/// The version from which the drop-ins are imported by default.
const IMPORTS_BY_DEFAULT: i64 = 4;
/// Most imported files.
const MOST: usize = 100;

/// What this node's containerd is told.
pub(super) fn read(host: &Host) -> Result<Found, Trouble> {
    let mut found = Found::default();
    for (main, folder) in PLACES {
        let (main, folder) = (Path::new(main), Path::new(folder));
        let Some(table) = table::read(host, main)? else { continue };
        let imported = imports(host, main, &table)?;
        let mut whole = table.clone();
        for file in &imported {
            if let Some(above) = table::read(host, file)? {
                table::lay_over(&mut whole, above);
            }
        }
        found.handlers.extend(handlers(&whole));
        found.files.push(main.to_owned());
        for file in table::drop_ins(host, folder, "toml")? {
            let is_read = imported.contains(&file);
            if !is_read && table::read(host, &file)?.is_some_and(|table| !handlers(&table).is_empty()) {
                found.unread.push(file);
            }
        }
        found.files.extend(imported);
    }
    Ok(found)
}

/// The files that `table` of the file `main` imports, in order.
fn imports(host: &Host, main: &Path, table: &Table) -> Result<Vec<PathBuf>, Trouble> {
    let mut patterns = table::texts(table.get("imports"));
    if !table.contains_key("imports") && version(table) >= IMPORTS_BY_DEFAULT {
        patterns.push("/etc/containerd/conf.d/*.toml".to_owned());
    }
    let mut all = Vec::new();
    for pattern in patterns {
        let pattern = main.parent().unwrap_or(Path::new("/")).join(pattern);
        let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name().and_then(|name| name.to_str())) else {
            continue;
        };
        let Some((before, after)) = name.split_once('*') else {
            all.push(pattern);
            continue;
        };
        let fits = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        };
        let entries = host.list(folder).map_err(|error| Trouble::of_file(folder, &error))?;
        all.extend(entries.into_iter().filter(fits));
    }
    all.truncate(MOST);
    Ok(all)
}

fn version(table: &Table) -> i64 {
    table.get("version").and_then(Value::as_integer).unwrap_or(1)
}

/// The handlers that start lazaret's shim.
fn handlers(table: &Table) -> Vec<Handler> {
    let all = HANDLERS.into_iter().filter_map(|keys| table::below(table, keys)).flatten();
    let ours = all.filter_map(|(name, entry)| Some((name, entry.as_table()?))).filter(|(_, entry)| {
        // A path in place of the type is possible since 1.6: the shim itself.
        let kind = table::text(entry.get("runtime_type"));
        let path = table::text(entry.get("runtime_path"));
        kind == Some(SHIM) || [kind, path].into_iter().flatten().any(|text| super::is_ours(Path::new(text)))
    });
    ours.map(|(name, entry)| Handler {
        name: name.clone(),
        program: table::text(entry.get("runtime_path")).map(PathBuf::from),
        configuration: table::below(entry, &["options"])
            .and_then(|options| table::text(options.get("ConfigPath")))
            .map(PathBuf::from),
        annotations: ["pod_annotations", "container_annotations"]
            .into_iter()
            .flat_map(|key| table::texts(entry.get(key)))
            .collect(),
        gives_devices: Some(!entry.get("privileged_without_host_devices").and_then(Value::as_bool).unwrap_or_default()),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Handler>, Trouble> {
        table::parse(Path::new("/c.toml"), text).map(|table| handlers(&table))
    }

    const V2: &str = r#"plugins."io.containerd.grpc.v1.cri".containerd.runtimes"#;
    const V3: &str = r#"plugins."io.containerd.cri.v1.runtime".containerd.runtimes"#;

    #[test]
    fn handlers_are_found_in_every_version() {
        let lazaret = |gives| Handler { name: "lazaret".to_owned(), gives_devices: Some(gives), ..Handler::default() };
        let with = |change: fn(&mut Handler)| {
            let mut handler = lazaret(true);
            change(&mut handler);
            vec![handler]
        };
        let kind = r#"runtime_type = "io.containerd.lazaret.v1""#;
        for (text, wanted) in [
            (String::new(), vec![]),
            ("version = 2\n[plugins]\n".to_owned(), vec![]),
            (format!("[{V2}.lazaret]\n{kind}\n"), vec![lazaret(true)]),
            (format!("version = 3\n[{V3}.lazaret]\n{kind}\n"), vec![lazaret(true)]),
            (format!("[{V2}.lazaret]\n{kind}\nprivileged_without_host_devices = true\n"), vec![lazaret(false)]),
            (format!("[{V2}.runc]\nruntime_type = \"io.containerd.runc.v2\"\n"), vec![]),
            (format!("[{V2}.lazaret]\nruntime_type = \"/opt/containerd-shim-lazaret-v1\"\n"), vec![lazaret(true)]),
            (
                format!("[{V2}.lazaret]\n{kind}\nruntime_path = \"/opt/containerd-shim-lazaret-v1\"\n"),
                with(|handler| handler.program = Some("/opt/containerd-shim-lazaret-v1".into())),
            ),
            (
                format!("[{V2}.lazaret]\n{kind}\npod_annotations = [\"a\"]\ncontainer_annotations = [\"b\", 1]\n"),
                with(|handler| handler.annotations = vec!["a".to_owned(), "b".to_owned()]),
            ),
            (
                format!("[{V2}.lazaret]\n{kind}\n[{V2}.lazaret.options]\nConfigPath = \"/etc/lazaret/c.toml\"\n"),
                with(|handler| handler.configuration = Some("/etc/lazaret/c.toml".into())),
            ),
            (format!("[{V2}]\nlazaret = 7\n"), vec![]),
            (format!("[{V2}.lazaret]\n{kind}\n[{V2}.lazaret.options]\nConfigPath = 7\n"), vec![lazaret(true)]),
        ] {
            assert_eq!(parsed(&text).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_toml_is_named_by_place() {
        for text in ["a = ", "[x", "a = 1\na = 2"] {
            let Err(Trouble::Malformed(why)) = parsed(text) else { panic!("{text} was read") };
            assert!(why.starts_with("/c.toml: ") && why.contains("line "), "{why}");
            assert!(!why.contains('\n'), "{why}");
        }
    }

    fn node(files: &[(&str, &str)]) -> (PathBuf, Host) {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("lazaret-containerd-{}-{count}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let host = Host::open(&root).unwrap();
        (root, host)
    }

    #[test]
    fn imports_are_followed_and_what_is_not_imported_is_told() {
        let drop_in = format!("[{V2}.lazaret]\nruntime_type = \"{SHIM}\"\n");
        let place = "etc/containerd/conf.d/lazaret.toml";
        for (main, is_read) in [
            ("version = 2\n", false),
            ("version = 2\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n", true),
            ("version = 2\nimports = [\"conf.d/laz*.toml\"]\n", true),
            ("version = 2\nimports = [\"conf.d/x*.toml\"]\n", false),
            ("version = 2\nimports = [\"/etc/containerd/conf.d/lazaret.toml\"]\n", true),
            ("version = 4\n", true),
            ("version = 4\nimports = []\n", false),
        ] {
            let (root, host) = node(&[("etc/containerd/config.toml", main), (place, &drop_in)]);
            let found = read(&host).unwrap();
            assert_eq!(
                (found.handlers.len(), found.unread.len()),
                (usize::from(is_read), usize::from(!is_read)),
                "{main}"
            );
            std::fs::remove_dir_all(root).unwrap();
        }
        let (root, host) = node(&[("etc/other", "")]);
        assert_eq!(read(&host).unwrap(), Found::default());
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_drop_in_changes_single_keys_of_a_handler() {
        let main = format!(
            "version = 2\nimports = [\"conf.d/*.toml\"]\n[{V2}.lazaret]\nruntime_type = \"{SHIM}\"\npod_annotations = [\"*\"]\n"
        );
        let above = format!("[{V2}.lazaret]\npod_annotations = []\nprivileged_without_host_devices = true\n");
        let (root, host) = node(&[("etc/containerd/config.toml", &main), ("etc/containerd/conf.d/a.toml", &above)]);
        let handler = read(&host).unwrap().handlers.remove(0);
        assert_eq!((handler.annotations, handler.gives_devices), (vec![], Some(false)));
        std::fs::remove_dir_all(root).unwrap();
    }
}
