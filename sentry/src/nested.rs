//! What a workload that may mount asks for: mount(2) and umount2(2), read against the list of
//! [`lazaret_profiles::nested`] into an order that says it in types. Pure.
//!
//! `decide` makes the order; whoever carries it out asks [`Order::is_admissible`] again, since to it an order is alleged.
//! What is not in the types cannot be asked for. Must not resolve a path: what one leads to is known to the kernel alone.

mod data;
mod refusal;

pub use refusal::Refusal;

use lazaret_profiles::class::Errno;
use lazaret_profiles::nested::{FileSystem, OptionFault, Takes};
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::mount_flag as flag;
use crate::request::{MountCall, Text};

/// What is to be done in the caller's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Mount a new instance of a file system.
    Make {
        /// By name, which stands in the list.
        filesystem: String,
        /// What the mount table is to show as its source.
        source: Vec<u8>,
        /// Where.
        target: Vec<u8>,
        /// `MS_*` of the mount, of [`KEPT`] alone.
        flags: u64,
        /// Its options in the form of the list; without directories.
        options: Vec<(String, String)>,
        /// Directories of an overlay.
        layers: Option<Layers>,
    },
    /// Show a place of the container, with all that is mounted below it, in another place.
    Bind {
        /// The place.
        source: Vec<u8>,
        /// Where.
        target: Vec<u8>,
    },
    /// Take rights away from one mount.
    Restrict {
        /// Where it is mounted.
        target: Vec<u8>,
        /// `MS_*`, of [`KEPT`] alone.
        flags: u64,
        /// Options that are to be as they are already.
        unchanged: Vec<Vec<u8>>,
    },
    /// Take a mount, or all below it, out of a peer group.
    Separate {
        /// Where it is mounted.
        target: Vec<u8>,
        /// `MS_SLAVE` rather than `MS_PRIVATE`.
        slave: bool,
        /// With all mounts below it.
        recursive: bool,
    },
    /// Unmount what was mounted by such an order.
    Unmount {
        /// Where it is mounted.
        target: Vec<u8>,
        /// At once, though it is in use (`MNT_DETACH`).
        detach: bool,
        /// Follow a link as the last component.
        follow: bool,
    },
}

/// The directories of an overlay, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// The lower ones, the uppermost first.
    pub lower: Vec<Vec<u8>>,
    /// The upper one and the one to work in; an overlay without them is read-only.
    pub upper: Option<(Vec<u8>, Vec<u8>)>,
}

/// What a call is that is no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused.
    Refused(Refusal),
    /// Wrong: the errno of the kernel.
    Wrong(Errno),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

const EFAULT: Errno = Errno(14);
const ENAMETOOLONG: Errno = Errno(36);
const ENOENT: Errno = Errno(2);

/// The flags of a mount that are obeyed.
pub const KEPT: u64 = flag::RDONLY
    | flag::NOSUID
    | flag::NODEV
    | flag::NOEXEC
    | flag::NOSYMFOLLOW
    | flag::NOATIME
    | flag::NODIRATIME
    | flag::RELATIME
    | flag::STRICTATIME;

/// The order of a mount(2), in the kernel's own order of looking at flags (`path_mount` in fs/namespace.c).
pub(crate) fn mount(call: &MountCall) -> Result<Order, Fault> {
    let target = path(&call.target)?;
    let flags = flag::plain(call.flags);
    let given = |flag: u64| flags & flag != 0;
    if given(flag::REMOUNT) {
        // With MS_BIND it is about the mount alone, and the kernel does not look at the data.
        let unchanged = if given(flag::BIND) { Vec::new() } else { data::words(&data::of(&call.data)?) };
        admit(flags, KEPT | flag::REMOUNT | flag::BIND | flag::SILENT | flag::REC)?;
        return Ok(Order::Restrict { target, flags: flags & KEPT, unchanged });
    }
    if given(flag::BIND) {
        // The kernel looks at no other flag, and so do those who follow it up with a remount.
        return Ok(Order::Bind { source: path(&call.source)?, target });
    }
    if given(flag::PROPAGATION) {
        return separate(flags, target);
    }
    if given(flag::MOVE) {
        return Err(Refusal::Move.into());
    }
    admit(flags, KEPT | flag::SILENT)?;
    make(call, target, flags & KEPT)
}

/// The order of an umount2(2).
pub(crate) fn unmount(target: &Text, flags: u64) -> Result<Order, Fault> {
    let target = path(target)?;
    admit(flags, flag::DETACH | flag::NOFOLLOW)?;
    Ok(Order::Unmount { target, detach: flags & flag::DETACH != 0, follow: flags & flag::NOFOLLOW == 0 })
}

fn admit(flags: u64, known: u64) -> Result<(), Fault> {
    if flags & !known == 0 { Ok(()) } else { Err(Refusal::Flag.into()) }
}

fn separate(flags: u64, target: Vec<u8>) -> Result<Order, Fault> {
    if flags & (flag::SHARED | flag::UNBINDABLE) != 0 {
        return Err(Refusal::Propagation.into());
    }
    let kind = flags & !(flag::REC | flag::SILENT);
    if kind != flag::PRIVATE && kind != flag::SLAVE {
        return Err(Fault::Wrong(Errno::EINVAL));
    }
    Ok(Order::Separate { target, slave: kind == flag::SLAVE, recursive: flags & flag::REC != 0 })
}

fn make(call: &MountCall, target: Vec<u8>, flags: u64) -> Result<Order, Fault> {
    if call.fstype == Text::Null {
        return Err(Fault::Wrong(Errno::EINVAL));
    }
    let name = bytes(&call.fstype)?;
    let filesystem = FileSystem::by_name(name).ok_or(Refusal::FileSystem)?;
    let source = if call.source == Text::Null { Vec::new() } else { bytes(&call.source)?.to_vec() };
    if source.len() > limits::RECORDED_TEXT {
        return Err(Refusal::Option.into());
    }
    let data = data::of(&call.data)?;
    let mut options = Vec::new();
    let mut layers = (filesystem == FileSystem::Overlay).then(Layers::default);
    let mut upper = (None, None);
    for (name, value) in data::settings(&data) {
        let (option, text) = filesystem.setting(&name, value.as_deref()).map_err(|fault| match fault {
            OptionFault::Refused => Refusal::Option.into(),
            OptionFault::Malformed => Fault::Wrong(Errno::EINVAL),
        })?;
        match (option.takes, option.name, value, &mut layers) {
            (Takes::Directories, "lowerdir", Some(value), Some(layers)) => layers.lower = data::directories(&value)?,
            (Takes::Directories, "upperdir", Some(value), _) => upper.0 = Some(data::unescaped(&value)),
            (Takes::Directories, _, Some(value), _) => upper.1 = Some(data::unescaped(&value)),
            _ => set(&mut options, option.name, text),
        }
    }
    if let Some(layers) = &mut layers {
        layers.upper = match upper {
            (Some(upper), Some(work)) if !upper.is_empty() && !work.is_empty() => Some((upper, work)),
            // The kernel does without the one if it has not got the other.
            (None, _) => None,
            (Some(_), _) => return Err(Fault::Wrong(Errno::EINVAL)),
        };
        if layers.lower.is_empty() {
            return Err(Fault::Wrong(Errno::EINVAL));
        }
    }
    for option in filesystem.options() {
        if let Some(default) = option.default
            && !options.iter().any(|(name, _)| name == option.name)
        {
            set(&mut options, option.name, default.to_owned());
        }
    }
    Ok(Order::Make { filesystem: filesystem.name().to_owned(), source, target, flags, options, layers })
}

/// The last of two settings counts, as for the kernel.
fn set(options: &mut Vec<(String, String)>, name: &str, text: String) {
    options.retain(|(known, _)| known != name);
    options.push((name.to_owned(), text));
}

fn bytes(text: &Text) -> Result<&[u8], Fault> {
    match text {
        Text::Bytes(bytes) => Ok(bytes),
        Text::Null | Text::Unreadable => Err(Fault::Wrong(EFAULT)),
        Text::TooLong => Err(Fault::Wrong(ENAMETOOLONG)),
    }
}

fn path(text: &Text) -> Result<Vec<u8>, Fault> {
    if *text == Text::Null {
        // A null source is what the kernel answers so.
        return Err(Fault::Wrong(Errno::EINVAL));
    }
    match bytes(text)? {
        [] => Err(Fault::Wrong(ENOENT)),
        path => Ok(path.to_vec()),
    }
}

impl Order {
    /// Whether it is one that this module makes: nothing but what the list has, within its bounds.
    #[must_use]
    pub fn is_admissible(&self) -> bool {
        match self {
            Self::Make { filesystem, source, target, flags, options, layers } => {
                let Some(filesystem) = FileSystem::by_name(filesystem.as_bytes()) else { return false };
                let is_listed = |(name, text): &(String, String)| {
                    let nothing = filesystem.options().iter().any(|o| o.name == name && o.takes == Takes::Nothing);
                    let value = (!nothing).then_some(text.as_bytes());
                    let set = filesystem.setting(name.as_bytes(), value);
                    set.is_ok_and(|(option, set)| option.takes != Takes::Directories && set == *text)
                };
                let has_defaults = filesystem.options().iter().filter(|option| option.default.is_some());
                let has_defaults = { has_defaults }.all(|option| options.iter().any(|(name, _)| name == option.name));
                let has_layers = match layers {
                    None => filesystem != FileSystem::Overlay,
                    Some(layers) => filesystem == FileSystem::Overlay && layers.are_admissible(),
                };
                flags & !KEPT == 0
                    && is_path(target)
                    && source.len() <= limits::RECORDED_TEXT
                    && !source.contains(&0)
                    && options.len() <= filesystem.options().len()
                    && options.iter().all(is_listed)
                    && has_defaults
                    && has_layers
            }
            Self::Bind { source, target } => is_path(source) && is_path(target),
            Self::Restrict { target, flags, unchanged } => {
                is_path(target)
                    && flags & !KEPT == 0
                    && unchanged.iter().map(Vec::len).sum::<usize>() < limits::GUEST_DATA
            }
            Self::Separate { target, .. } | Self::Unmount { target, .. } => is_path(target),
        }
    }
}

impl Layers {
    fn are_admissible(&self) -> bool {
        let upper = self.upper.iter().flat_map(|(upper, work)| [upper, work]);
        (1..=limits::LAYERS).contains(&self.lower.len()) && self.lower.iter().chain(upper).all(|path| is_path(path))
    }
}

fn is_path(path: &[u8]) -> bool {
    (1..limits::GUEST_PATH).contains(&path.len()) && !path.contains(&0)
}

#[cfg(test)]
#[path = "nested_tests.rs"]
mod tests;
