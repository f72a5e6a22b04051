//! The root file system of a create request: from containerd's mount list to what the runtime is to mount.
//!
//! The shim mounts nothing itself: the sandbox needs id-mapped layers, and an overlay that is mounted already cannot
//! be id-mapped. What is not understood is refused by name. Pure; used by `service`.

use std::path::PathBuf;

use containerd_shim::protos::types::mount::Mount;

use crate::error::ShimError;
use crate::launcher::Rootfs;

/// What to mount for `mounts`. None at all: the bundle's own `root.path`.
pub(crate) fn from_mounts(mounts: &[Mount]) -> Result<Rootfs, ShimError> {
    match mounts {
        [] => Ok(Rootfs::Bundle),
        [mount] => from_mount(mount),
        [_, second, ..] => Err(invalid("rootfs[1].type", &second.type_, "a root file system of more than one mount")),
    }
}

fn from_mount(mount: &Mount) -> Result<Rootfs, ShimError> {
    if !mount.target.is_empty() {
        return Err(invalid("rootfs[0].target", &mount.target, "a mount below the root file system"));
    }
    match mount.type_.as_str() {
        "overlay" => overlay(&mount.options),
        "bind" | "rbind" => bind(&mount.source, &mount.options),
        // Some snapshotters leave the type of a bind mount empty.
        "" if mount.options.iter().any(|option| option == "bind" || option == "rbind") => {
            bind(&mount.source, &mount.options)
        }
        other => Err(invalid("rootfs[0].type", other, "only overlay and bind mounts can be id-mapped by lazaret")),
    }
}

fn overlay(options: &[String]) -> Result<Rootfs, ShimError> {
    let (mut lower, mut upper, mut work, mut rest) = (Vec::new(), None, None, Vec::new());
    for option in options {
        match option.split_once('=') {
            Some(("lowerdir", layers)) => lower = split_layers(layers)?,
            Some(("upperdir", path)) => upper = Some(absolute("rootfs[0].upperdir", path)?),
            Some(("workdir", path)) => work = Some(absolute("rootfs[0].workdir", path)?),
            Some(("uidmap" | "gidmap", _)) => {
                return Err(invalid("rootfs[0].options", option, "lazaret maps the layers itself"));
            }
            // Read-write is what an overlay with an upper layer is.
            _ if option == "rw" => {}
            _ => rest.push(option.clone()),
        }
    }
    if lower.is_empty() {
        return Err(invalid("rootfs[0].options", &options.join(","), "an overlay without lowerdir"));
    }
    if upper.is_some() != work.is_some() {
        return Err(invalid("rootfs[0].options", &options.join(","), "upperdir and workdir go together"));
    }
    Ok(Rootfs::Overlay { lower, upper, work, options: rest })
}

/// Layers are separated by colons; a colon or backslash of a path stands behind a backslash (overlayfs, `lowerdir`).
/// A double colon would begin data-only layers.
fn split_layers(layers: &str) -> Result<Vec<PathBuf>, ShimError> {
    let (mut paths, mut path) = (Vec::new(), String::new());
    let mut characters = layers.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => path.extend(characters.next()),
            ':' => paths.push(absolute("rootfs[0].lowerdir", &std::mem::take(&mut path))?),
            other => path.push(other),
        }
    }
    paths.push(absolute("rootfs[0].lowerdir", &path)?);
    Ok(paths)
}

fn bind(source: &str, options: &[String]) -> Result<Rootfs, ShimError> {
    let mut readonly = false;
    for option in options {
        match option.as_str() {
            "ro" => readonly = true,
            "rw" => readonly = false,
            "bind" | "rbind" => {}
            _ => {
                return Err(invalid("rootfs[0].options", option, "an option that a bind root file system cannot have"));
            }
        }
    }
    Ok(Rootfs::Bind { source: absolute("rootfs[0].source", source)?, readonly })
}

fn absolute(field: &'static str, path: &str) -> Result<PathBuf, ShimError> {
    if path.starts_with('/') { Ok(path.into()) } else { Err(invalid(field, path, "not an absolute path")) }
}

fn invalid(field: &'static str, value: &str, why: &'static str) -> ShimError {
    ShimError::Invalid { field, value: value.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(kind: &str, source: &str, options: &[&str]) -> Mount {
        Mount {
            type_: kind.to_owned(),
            source: source.to_owned(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
            ..Mount::default()
        }
    }

    #[test]
    fn overlayfs_snapshotter() {
        let options = ["index=off", "workdir=/s/3/work", "upperdir=/s/3/fs", "lowerdir=/s/2/fs:/s/1/fs"];
        let rootfs = from_mounts(&[mount("overlay", "overlay", &options)]).unwrap();
        let expected = Rootfs::Overlay {
            lower: vec!["/s/2/fs".into(), "/s/1/fs".into()],
            upper: Some("/s/3/fs".into()),
            work: Some("/s/3/work".into()),
            options: vec!["index=off".into()],
        };
        assert_eq!(rootfs, expected);
    }

    #[test]
    fn single_layer_and_native_snapshotter() {
        let rootfs = |options: &[&str]| from_mounts(&[mount("bind", "/s/1/fs", options)]).unwrap();
        assert_eq!(rootfs(&["rw", "rbind"]), Rootfs::Bind { source: "/s/1/fs".into(), readonly: false });
        assert_eq!(rootfs(&["ro", "rbind"]), Rootfs::Bind { source: "/s/1/fs".into(), readonly: true });
    }

    #[test]
    fn no_mount_is_the_bundles_own_root() {
        assert_eq!(from_mounts(&[]).unwrap(), Rootfs::Bundle);
    }

    #[test]
    fn escaped_layers() {
        assert_eq!(split_layers(r"/a\:b:/c\\d").unwrap(), [PathBuf::from("/a:b"), PathBuf::from(r"/c\d")]);
        assert!(split_layers("/a::/b").is_err());
        assert!(split_layers("relative").is_err());
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (mounts, name) in [
            (vec![mount("erofs", "/x", &[])], "erofs"),
            (vec![mount("ext4", "/dev/loop0", &[])], "ext4"),
            (vec![mount("overlay", "overlay", &["lowerdir=/a", "uidmap=0:1:2"])], "uidmap"),
            (vec![mount("overlay", "overlay", &["lowerdir=/a", "upperdir=/b"])], "workdir"),
            (vec![mount("overlay", "overlay", &["index=off"])], "lowerdir"),
            (vec![mount("bind", "/a", &["rbind", "nosymfollow"])], "nosymfollow"),
            (vec![mount("bind", "a", &[])], "absolute"),
            (vec![mount("bind", "/a", &[]), mount("bind", "/b", &[])], "more than one"),
        ] {
            let message = from_mounts(&mounts).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}
