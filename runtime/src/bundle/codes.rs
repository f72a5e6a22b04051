//! The stable numbers of the errors of `bundle` (1100..1150), `spec` (1150..1300) and `policy` (1300..1400), shown as
//! `error[lazaret-NNNN]`. A number is never reused for another meaning; a test keeps them unique and in their range.

/// Declares the constants and the list that the tests walk.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        $($(#[$doc])* pub const $name: u32 = $number;)*
        /// Every code of this file with its name.
        pub const ALL: &[(&str, u32)] = &[$((stringify!($name), $number)),*];
    };
}

codes! {
    /// The bundle's path is not usable.
    BUNDLE_PATH = 1100;
    /// The bundle's directory does not exist.
    BUNDLE_MISSING = 1101;
    /// The bundle is not a directory.
    BUNDLE_NOT_DIRECTORY = 1102;
    /// `config.json` does not exist.
    CONFIG_MISSING = 1103;
    /// `config.json` cannot be read.
    CONFIG_UNREADABLE = 1104;
    /// `config.json` is not a regular file.
    CONFIG_NOT_REGULAR = 1105;
    /// `config.json` is too large.
    CONFIG_TOO_LARGE = 1106;
    /// `config.json` is not UTF-8.
    CONFIG_NOT_TEXT = 1107;
    /// `config.json` is not JSON.
    CONFIG_MALFORMED = 1108;
    /// A key has a value of the wrong type.
    CONFIG_WRONG_TYPE = 1109;

    /// A key of the runtime specification that lazaret does not implement.
    SPEC_UNSUPPORTED = 1150;
    /// A key that differs from a known one in case only.
    SPEC_MISSPELLED = 1151;
    /// A required key is absent or empty.
    SPEC_MISSING = 1152;
    /// `ociVersion` is not one that lazaret implements.
    SPEC_VERSION = 1153;
    /// A value outside the set or range that the specification or the kernel allows.
    SPEC_INVALID = 1154;
    /// A value that stands twice where once is allowed.
    SPEC_DUPLICATE = 1155;
    /// The root file system does not exist.
    SPEC_ROOTFS_MISSING = 1156;
    /// The root file system is not a directory.
    SPEC_ROOTFS_NOT_DIRECTORY = 1157;
    /// The root file system cannot be looked at.
    SPEC_ROOTFS_UNREADABLE = 1158;
    /// A mount option that lazaret does not know or does not implement.
    SPEC_MOUNT_OPTION = 1159;
    /// A sysctl that would change the host.
    SPEC_SYSCTL = 1160;
    /// A seccomp profile that cannot be compiled.
    SPEC_SECCOMP = 1161;
    /// A key that needs another one, such as a hostname without a UTS namespace.
    SPEC_NEEDS = 1162;

    /// A path of the bundle cannot be opened.
    POLICY_OPEN = 1300;
    /// A host namespace is asked for by leaving it out.
    POLICY_HOST_NAMESPACE = 1301;
    /// A host namespace is joined by its path.
    POLICY_HOST_NAMESPACE_JOINED = 1302;
    /// A namespace path is not a namespace.
    POLICY_NOT_NAMESPACE = 1303;
    /// A mount namespace is joined.
    POLICY_MOUNT_NAMESPACE_JOINED = 1304;
    /// A container engine's socket is bound, or a directory that holds it.
    POLICY_ENGINE_SOCKET = 1305;
    /// A unix socket is bound.
    POLICY_SOCKET = 1306;
    /// A directory with a listening unix socket is bound.
    POLICY_SOCKET_BELOW = 1307;
    /// A sensitive path of the host is bound.
    POLICY_SENSITIVE = 1308;
    /// A kernel file system is bound.
    POLICY_KERNEL_FILESYSTEM = 1309;
    /// A device node is bound.
    POLICY_DEVICE_SOURCE = 1310;
    /// Something that is neither file nor directory is bound.
    POLICY_ODD_SOURCE = 1311;
    /// The source is not on a mount of the runtime's own mount namespace.
    POLICY_FOREIGN_MOUNT = 1312;
    /// A device of `linux.devices`.
    POLICY_DEVICE = 1313;
    /// A file system type.
    POLICY_FILESYSTEM = 1314;
    /// Shared propagation.
    POLICY_PROPAGATION = 1315;
    /// A mount destination.
    POLICY_DESTINATION = 1316;
    /// Host ids that belong to the host's own users.
    POLICY_HOST_IDS = 1317;
    /// Facts about the host cannot be gathered.
    POLICY_FACTS = 1318;
    /// A path that belongs to another pod.
    POLICY_OTHER_POD = 1319;
    /// The root file system is a place that no container may have.
    POLICY_ROOTFS = 1320;
    /// A hook that runs outside of the container.
    POLICY_HOOK = 1321;
    /// A field that reaches beyond the sandbox.
    POLICY_REACH = 1322;
    /// A privileged container on a node that refuses those.
    POLICY_PRIVILEGED = 1323;
    /// A path of the host that the node's configuration refuses.
    POLICY_DENIED_PATH = 1324;
    /// A path of the host that the node's configuration does not list.
    POLICY_UNLISTED_PATH = 1325;
    /// A kernel parameter that the profile does not list.
    POLICY_SYSCTL = 1326;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_their_range() {
        let mut seen = std::collections::BTreeMap::new();
        for (name, code) in ALL {
            assert_eq!(seen.insert(code, name), None, "{code} stands twice");
            let range = match name.split_once('_').unwrap().0 {
                "BUNDLE" | "CONFIG" => 1100..1150,
                "SPEC" => 1150..1300,
                "POLICY" => 1300..1400,
                other => panic!("{other}"),
            };
            assert!(range.contains(code), "{name}");
        }
    }
}
