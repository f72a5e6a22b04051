//! The device nodes that a sandbox may have. Data.

/// A character device that is harmless, or that the sandbox has an instance of its own of.
#[derive(Debug, Clone, Copy)]
pub struct SafeDevice {
    /// Name below `/dev`.
    pub name: &'static str,
    /// Major number (Documentation/admin-guide/devices.txt).
    pub major: u32,
    /// Minor number; `None` is every one.
    pub minor: Option<u32>,
    /// Whether the host's node may be bound or listed: the terminals come from the sandbox's own devpts instead.
    pub bindable: bool,
}

const fn device(name: &'static str, major: u32, minor: u32, bindable: bool) -> SafeDevice {
    SafeDevice { name, major, minor: Some(minor), bindable }
}

/// Every device.
pub const SAFE_DEVICES: &[SafeDevice] = &[
    device("null", 1, 3, true),
    device("zero", 1, 5, true),
    device("full", 1, 7, true),
    device("random", 1, 8, true),
    device("urandom", 1, 9, true),
    // Opens the caller's own controlling terminal, whatever that is.
    device("tty", 5, 0, true),
    // A listed node is replaced by the link to the sandbox's own devpts.
    device("ptmx", 5, 2, false),
    SafeDevice { name: "pts", major: 136, minor: None, bindable: false },
];

/// The safe device with these numbers.
#[must_use]
pub fn safe(major: u32, minor: u32) -> Option<&'static SafeDevice> {
    SAFE_DEVICES.iter().find(|device| device.major == major && device.minor.is_none_or(|own| own == minor))
}
