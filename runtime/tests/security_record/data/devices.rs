//! Drivers behind device nodes, and terminals.

use crate::entry::{Need, Part, call, entry};

const fn device(path: &'static str, major: u32, minor: u32) -> Need {
    Need::Device { path, major, minor }
}

const GRAPHICS: Need = device("/dev/dri/renderD128", 226, 128);
const KVM: Need = device("/dev/kvm", 10, 232);
const FUSE: Need = device("/dev/fuse", 10, 229);
const SOUND: Need = device("/dev/snd/controlC0", 116, 0);
const CONSOLE: Need = device("/dev/vcs", 7, 0);
const TERMINAL: Need = device("/dev/ptmx", 5, 2);

/// The chapter.
pub(super) const PART: Part = Part {
    title: "Devices",
    entries: &[
        entry(
            "CVE-2014-0196",
            "terminals: a race between two writers wrote past the buffer",
            &[TERMINAL, call!(write)],
        ),
        entry("CVE-2021-22543", "KVM: pages of drivers without a reference", &[KVM]),
        entry("CVE-2021-29657", "KVM on AMD: a nested guest's state read twice", &[KVM]),
        entry("CVE-2022-0330", "i915: translations not flushed, so freed pages stayed in reach", &[GRAPHICS]),
        entry("CVE-2022-1011", "FUSE: pages of write used after free", &[FUSE]),
        entry("CVE-2022-22942", "vmwgfx: a descriptor left open after a failed copy", &[GRAPHICS]),
        entry("CVE-2023-0266", "ALSA: a control element used after free", &[SOUND]),
        entry("CVE-2023-3567", "virtual consoles: /dev/vcs used a freed screen", &[CONSOLE]),
    ],
};
