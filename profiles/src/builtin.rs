//! The profiles that lazaret ships, as the text of `data/`: what a user writes is read by the same reader.

/// Name and text of each, a parent before its children.
pub const PROFILES: &[(&str, &str)] = &[
    ("native", include_str!("../data/native.toml")),
    ("sandbox", include_str!("../data/sandbox.toml")),
    ("strict", include_str!("../data/strict.toml")),
    ("privileged", include_str!("../data/privileged.toml")),
    ("baseline", include_str!("../data/baseline.toml")),
    ("restricted", include_str!("../data/restricted.toml")),
    ("hardened", include_str!("../data/hardened.toml")),
];
