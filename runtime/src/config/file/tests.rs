//! Files that are read, and those that are not.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

/// A directory of the test's own, which goes away with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lazaret-config-file-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, "text").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn a_file_of_ones_own_is_read_also_through_links() {
    let place = Place::new("own");
    let file = place.file("a.toml", 0o644);
    symlink("a.toml", place.0.join("relative")).unwrap();
    symlink(place.0.join("relative"), place.0.join("absolute")).unwrap();
    symlink(format!("../{}/a.toml", place.0.file_name().unwrap().display()), place.0.join("up")).unwrap();
    for path in [&file, &place.0.join("relative"), &place.0.join("absolute"), &place.0.join("up")] {
        assert_eq!(read(path).unwrap(), "text", "{path:?}");
    }
}

#[test]
fn what_others_may_write_is_refused_wherever_it_is_on_the_way() {
    let place = Place::new("others");
    for mode in [0o664, 0o646] {
        let file = place.file("a.toml", mode);
        let error = read(&file).unwrap_err();
        assert_eq!(error.code(), 1752);
        assert!(error.to_string().contains(&format!("may be written by others (mode {mode:04o})")), "{error}");
        assert!(error.hint().unwrap().contains("chmod go-w"), "{:?}", error.hint());
    }
    let file = place.file("a.toml", 0o644);
    let link = std::env::temp_dir().join(format!("lazaret-link-{}", std::process::id()));
    symlink(&file, &link).unwrap();
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o777)).unwrap();
    let by_link = read(&link).unwrap_err();
    fs::remove_file(link).unwrap();
    for error in [read(&file).unwrap_err(), by_link] {
        assert!(matches!(&error, ConfigError::Untrusted { at, .. } if *at == place.0), "{error}");
    }
    assert!(matches!(drop_ins(&place.0, 9).unwrap_err(), ConfigError::Untrusted { .. }));
}

#[test]
fn what_is_no_text_file_is_refused_and_hangs_nobody() {
    let place = Place::new("odd");
    assert_eq!(read(&place.0.join("none")).unwrap_err().code(), 1750);
    assert_eq!(read(&place.0).unwrap_err().code(), 1751);
    let fifo = place.0.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert_eq!(read(&fifo).unwrap_err().code(), 1751);
    symlink("loop", place.0.join("loop")).unwrap();
    assert_eq!(read(&place.0.join("loop")).unwrap_err().code(), 1751);
    let file = place.file("large", 0o644);
    fs::write(&file, vec![b' '; TEXT_MAX + 1]).unwrap();
    assert_eq!(read(&file).unwrap_err().code(), 1753);
    fs::write(&file, [b'a', 0xff]).unwrap();
    assert!(matches!(read(&file).unwrap_err(), ConfigError::NotText { offset: 1, .. }));
}

#[test]
fn drop_ins_come_in_the_order_of_their_names() {
    let place = Place::new("dropins");
    for name in ["20-b.toml", "10-a.toml", "note.txt", "a.toml~"] {
        place.file(name, 0o644);
    }
    let names: Vec<_> = drop_ins(&place.0, 9).unwrap();
    assert_eq!(names, [place.0.join("10-a.toml"), place.0.join("20-b.toml")]);
    assert!(drop_ins(&place.0.join("none"), 9).unwrap().is_empty());
    assert_eq!(drop_ins(&place.0, 1).unwrap_err().code(), 1753);
}

#[test]
#[ignore = "needs root: chown"]
fn a_file_of_another_user_is_refused() {
    let place = Place::new("user");
    let file = place.file("a.toml", 0o644);
    std::os::unix::fs::chown(&file, Some(1234), None).unwrap();
    assert!(read(&file).unwrap_err().to_string().contains("belongs to the user 1234"));
}
