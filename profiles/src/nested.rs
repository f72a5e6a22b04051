//! What a workload may mount where mounts are brokered (`--nested`): file systems, their options, and the bounds. Data,
//! and the one check that reads it.
//!
//! The sentry reads a mount(2) by it, whoever does the mount checks it again by it, and docs/compatibility.md is written
//! from it. A file system or an option that is not here is refused. Must not know where anything is mounted.

use std::borrow::Cow;

/// A file system that may be mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileSystem {
    /// tmpfs(5)
    Tmpfs,
    /// proc(5), processes alone.
    Proc,
    /// A devpts instance of its own.
    Devpts,
    /// overlayfs over directories of the container.
    Overlay,
}

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// No value.
    Nothing,
    /// Bytes, with one of the suffixes k, m, g; at least 1, at most this many.
    Bytes(u64),
    /// A number with the same suffixes; at least 1, at most this many.
    Count(u64),
    /// Permission bits, octal.
    Permissions,
    /// A user or group id of the container.
    Id,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Directories of the container; they are opened and handed over as such, never by this text.
    Directories,
}

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountOption {
    /// Its name in the data of mount(2).
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What it is set to where the caller does not: the text, empty for an option without a value. A caller that sets it
    /// otherwise is held to [`MountOption::takes`].
    pub default: Option<&'static str>,
}

/// Bytes of one tmpfs: its pages are charged to the container's memory limit, where it has one; this holds where not.
pub const TMPFS_BYTES: u64 = 1 << 30;

/// Inodes of one tmpfs, which are kernel memory.
pub const TMPFS_INODES: u64 = 1 << 18;

/// Terminals of one devpts instance: the pool is the machine's (`kernel.pty.max`, 4096 less 1024 for the host).
pub const DEVPTS_TERMINALS: u64 = 256;

const fn option(name: &'static str, takes: Takes) -> MountOption {
    MountOption { name, takes, default: None }
}

const fn with_default(name: &'static str, takes: Takes, default: &'static str) -> MountOption {
    MountOption { name, takes, default: Some(default) }
}

const TMPFS: &[MountOption] = &[
    with_default("size", Takes::Bytes(TMPFS_BYTES), "1073741824"),
    with_default("nr_inodes", Takes::Count(TMPFS_INODES), "262144"),
    option("mode", Takes::Permissions),
    option("uid", Takes::Id),
    option("gid", Takes::Id),
];

const PROC: &[MountOption] = &[
    with_default("subset", Takes::OneOf(&["pid"]), "pid"),
    option("hidepid", Takes::OneOf(&["0", "1", "2", "4", "off", "noaccess", "invisible", "ptraceable"])),
];

const DEVPTS: &[MountOption] = &[
    option("newinstance", Takes::Nothing),
    with_default("max", Takes::Count(DEVPTS_TERMINALS), "256"),
    option("ptmxmode", Takes::Permissions),
    option("mode", Takes::Permissions),
    option("uid", Takes::Id),
    option("gid", Takes::Id),
];

const OVERLAY: &[MountOption] = &[
    option("lowerdir", Takes::Directories),
    option("upperdir", Takes::Directories),
    option("workdir", Takes::Directories),
    // Attributes that only the host's root may set would be refused in the middle of a write.
    with_default("userxattr", Takes::Nothing, ""),
    option("volatile", Takes::Nothing),
    option("index", Takes::OneOf(&["off"])),
    option("metacopy", Takes::OneOf(&["off"])),
    option("nfs_export", Takes::OneOf(&["off"])),
    option("redirect_dir", Takes::OneOf(&["off", "nofollow"])),
    option("xino", Takes::OneOf(&["off", "auto"])),
];

/// Why an option is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionFault {
    /// It is not on the list, or its value is beyond what the list gives.
    Refused,
    /// Its value is none.
    Malformed,
}

impl FileSystem {
    /// Every file system.
    pub const ALL: &[Self] = &[Self::Tmpfs, Self::Proc, Self::Devpts, Self::Overlay];

    /// The word of mount(2).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tmpfs => "tmpfs",
            Self::Proc => "proc",
            Self::Devpts => "devpts",
            Self::Overlay => "overlay",
        }
    }

    /// The file system of a word.
    #[must_use]
    pub fn by_name(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.name().as_bytes() == name)
    }

    /// Its options.
    #[must_use]
    pub const fn options(self) -> &'static [MountOption] {
        match self {
            Self::Tmpfs => TMPFS,
            Self::Proc => PROC,
            Self::Devpts => DEVPTS,
            Self::Overlay => OVERLAY,
        }
    }

    /// What an option is set to, in the form that the kernel reads in one way only (numbers in decimal, permissions in
    /// octal); empty for an option without a value. Of directories nothing is said here.
    ///
    /// # Errors
    /// See [`OptionFault`].
    pub fn setting(self, name: &[u8], value: Option<&[u8]>) -> Result<(&'static MountOption, String), OptionFault> {
        let option = self.options().iter().find(|option| option.name.as_bytes() == name).ok_or(OptionFault::Refused)?;
        let text = value.map(std::str::from_utf8).transpose();
        let text = text.map_err(|_not_text| OptionFault::Malformed);
        let setting = match (option.takes, value) {
            (Takes::Directories, Some(_)) => String::new(),
            (Takes::Nothing, None) => String::new(),
            (Takes::Nothing, Some(_)) | (_, None) => return Err(OptionFault::Malformed),
            (Takes::Bytes(most) | Takes::Count(most), Some(_)) => bounded(text?.unwrap_or_default(), most)?.to_string(),
            (Takes::Permissions, Some(_)) => permissions(text?.unwrap_or_default())?,
            (Takes::Id, Some(_)) => id(text?.unwrap_or_default())?,
            (Takes::OneOf(words), Some(_)) => {
                let word = text?.unwrap_or_default();
                words.iter().find(|known| **known == word).ok_or(OptionFault::Refused)?.to_string()
            }
        };
        Ok((option, setting))
    }
}

/// Digits with a suffix of memparse(), which takes more of them: octal and hexadecimal numbers, t, p and e.
fn bounded(text: &str, most: u64) -> Result<u64, OptionFault> {
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (text.get(..text.len() - 1), 1 << 10),
        Some(b'm' | b'M') => (text.get(..text.len() - 1), 1 << 20),
        Some(b'g' | b'G') => (text.get(..text.len() - 1), 1 << 30),
        Some(b'0'..=b'9') => (Some(text), 1),
        // A share of the machine's memory is as large as the machine, and so are these.
        Some(b'%' | b't' | b'T' | b'p' | b'P' | b'e' | b'E') => return Err(OptionFault::Refused),
        Some(_) | None => return Err(OptionFault::Malformed),
    };
    let number = number(digits.unwrap_or_default(), 10)?;
    let value = number.checked_mul(factor).ok_or(OptionFault::Refused)?;
    // 0 is "without a limit".
    if (1..=most).contains(&value) { Ok(value) } else { Err(OptionFault::Refused) }
}

fn permissions(text: &str) -> Result<String, OptionFault> {
    let bits = number(text, 8)?;
    if bits <= 0o7777 { Ok(format!("{bits:o}")) } else { Err(OptionFault::Malformed) }
}

fn id(text: &str) -> Result<String, OptionFault> {
    let id = number(text, 10)?;
    // The highest is "none" to the kernel.
    if id < u64::from(u32::MAX) { Ok(id.to_string()) } else { Err(OptionFault::Malformed) }
}

/// Digits alone: no sign, no prefix.
fn number(text: &str, radix: u32) -> Result<u64, OptionFault> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(OptionFault::Malformed);
    }
    u64::from_str_radix(text, radix).map_err(|_empty_or_huge| OptionFault::Malformed)
}

impl Takes {
    /// In a few words, for lists and documentation.
    #[must_use]
    pub fn words(self) -> Cow<'static, str> {
        match self {
            Self::Nothing => "".into(),
            Self::Bytes(most) => format!("at most {} MiB", most >> 20).into(),
            Self::Count(most) => format!("at most {most}").into(),
            Self::Permissions => "octal".into(),
            Self::Id => "an id".into(),
            Self::OneOf(words) => words.join(", ").into(),
            Self::Directories => "inside".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(filesystem: FileSystem, name: &str, value: Option<&str>) -> Result<String, OptionFault> {
        filesystem.setting(name.as_bytes(), value.map(str::as_bytes)).map(|(_, text)| text)
    }

    #[test]
    fn sizes_are_decimal_and_bounded() {
        let size = |text| set(FileSystem::Tmpfs, "size", Some(text));
        assert_eq!(size("64k").unwrap(), "65536");
        assert_eq!(size("1G").unwrap(), TMPFS_BYTES.to_string());
        for text in ["0", "1073741825", "2g", "50%", "1t", "18446744073709551615k"] {
            assert_eq!(size(text), Err(OptionFault::Refused), "{text}");
        }
        for text in ["", "k", "-1", "+1", "0x10", "1kk", " 1", "99999999999999999999999"] {
            assert_eq!(size(text), Err(OptionFault::Malformed), "{text}");
        }
    }

    #[test]
    fn permissions_and_ids_are_what_the_kernel_reads() {
        assert_eq!(set(FileSystem::Tmpfs, "mode", Some("01777")).unwrap(), "1777");
        assert_eq!(set(FileSystem::Devpts, "ptmxmode", Some("0666")).unwrap(), "666");
        assert_eq!(set(FileSystem::Tmpfs, "uid", Some("007")).unwrap(), "7");
        for (name, text) in [("mode", "10000"), ("mode", "8"), ("uid", "4294967295"), ("gid", "-1"), ("gid", "root")] {
            assert_eq!(set(FileSystem::Tmpfs, name, Some(text)), Err(OptionFault::Malformed), "{name}={text}");
        }
    }

    #[test]
    fn what_is_not_on_the_list_is_refused() {
        for (filesystem, name, value) in [
            (FileSystem::Tmpfs, "huge", Some("always")),
            (FileSystem::Tmpfs, "nr_blocks", Some("0")),
            (FileSystem::Proc, "subset", Some("all")),
            (FileSystem::Proc, "gid", Some("0")),
            (FileSystem::Overlay, "redirect_dir", Some("on")),
            (FileSystem::Overlay, "metacopy", Some("on")),
            (FileSystem::Overlay, "datadir+", Some("/")),
        ] {
            assert_eq!(set(filesystem, name, value), Err(OptionFault::Refused), "{name}={value:?}");
        }
        assert_eq!(set(FileSystem::Devpts, "newinstance", Some("1")), Err(OptionFault::Malformed));
        assert_eq!(set(FileSystem::Tmpfs, "size", None), Err(OptionFault::Malformed));
    }

    #[test]
    fn every_default_is_what_its_own_rule_lets_through() {
        for filesystem in FileSystem::ALL {
            for option in filesystem.options() {
                let Some(default) = option.default else { continue };
                let value = (option.takes != Takes::Nothing).then_some(default);
                assert_eq!(set(*filesystem, option.name, value).as_deref(), Ok(default), "{}", option.name);
            }
        }
    }

    #[test]
    fn only_the_four_are_known() {
        for name in ["sysfs", "cgroup", "cgroup2", "mqueue", "debugfs", "fuse", "ext4", "tmpfs\n", "", "Tmpfs", "bpf"] {
            assert_eq!(FileSystem::by_name(name.as_bytes()), None, "{name}");
        }
        assert_eq!(FileSystem::by_name(b"overlay"), Some(FileSystem::Overlay));
    }
}
