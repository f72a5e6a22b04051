//! The keys of the configuration: the one table that the reader, `config show`, the JSON schema and the test of
//! docs/configuration.md go by.

use lazaret_profiles::schema::{Key, Kind};

/// Words of record levels, which are Kubernetes'.
const LEVELS: &[&str] = &["None", "Metadata", "Request", "RequestResponse"];

const fn key(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { name, kind, default, about }
}

/// The keys.
pub const KEYS: &[Key] = &[
    key(
        "mode",
        Kind::Word(&["native", "sandbox", "strict"]),
        "\"sandbox\"",
        "how a container is confined: the bundle as written, the sandbox, or less of the kernel",
    ),
    key(
        "profile",
        Kind::Text,
        "",
        "a profile by name, or its file: what holds beside the mode; of two modes the stricter",
    ),
    key(
        "interceptor",
        Kind::Word(&["auto", "notify", "ptrace"]),
        "\"auto\"",
        "how trapped system calls reach the sentry",
    ),
    key(
        "cgroup_driver",
        Kind::Word(&["cgroupfs", "systemd"]),
        "\"cgroupfs\"",
        "who makes the cgroups: lazaret, or systemd as transient scopes",
    ),
    key("nested", Kind::Bool, "false", "whether root of a container may mount inside"),
    key(
        "privileged",
        Kind::Word(&["contain", "refuse"]),
        "\"contain\"",
        "a privileged container in sandbox or strict mode runs with the sandbox's own rights, or is refused",
    ),
    key(
        "records",
        Kind::WordOrPath(LEVELS),
        "\"Request\"",
        "how much of each refused or answered call is recorded: a level, or a file of rules (docs/audit.md)",
    ),
    key(
        "record_socket",
        Kind::Text,
        "",
        "absolute path of a unix socket whose listener gets the records beside the audit file (docs/audit.md)",
    ),
    key(
        "command_line",
        Kind::Word(&["set", "tighten"]),
        "\"set\"",
        "whether options of the command line may also loosen what the configuration says",
    ),
    key(
        "limits",
        Kind::Table(&[key(
            "pids",
            Kind::Count(1, 4_194_304),
            "4096",
            "most processes and threads of a confined container whose bundle sets no limit",
        )]),
        "",
        "limits where the bundle sets none",
    ),
    key(
        "annotations",
        Kind::Table(&[key(
            "allow",
            Kind::Words(&["mode", "profile", "level", "record-level"]),
            "[]",
            "annotations `lazaret.dev/…` of a pod that may also loosen what the node says",
        )]),
        "",
        "annotations of pods",
    ),
    key(
        "host_path_default",
        Kind::Word(&["allow", "deny"]),
        "\"allow\"",
        "whether a path of the host that no rule names, and no table of lazaret's refuses, may be bound",
    ),
    key(
        "host_paths",
        Kind::Named(
            "absolute paths",
            &[
                key("access", Kind::Word(&["none", "ro", "rw"]), "\"ro\"", "what containers may do with it"),
                key("exec", Kind::Bool, "false", "whether files of it may be executed"),
            ],
        ),
        "",
        "paths of the host that may be bound, with everything below; nosuid and nodev are forced on the mount",
    ),
    key(
        "pod_security",
        Kind::Table(POD_SECURITY),
        "",
        "Kubernetes' Pod Security Standards, checked when a container is created",
    ),
    key("BinaryName", Kind::Text, "", RUNC),
    key("TypeUrl", Kind::Text, "", RUNC),
    key("ConfigPath", Kind::Text, "", RUNC),
    key("NoPivotRoot", Kind::Bool, "", RUNC),
    key("NoNewKeyring", Kind::Bool, "", RUNC),
    key("IoUid", Kind::Count(0, 4_294_967_295), "", RUNC),
    key("IoGid", Kind::Count(0, 4_294_967_295), "", RUNC),
    key("CriuPath", Kind::Text, "", RUNC),
    key("SystemdCgroup", Kind::Bool, "", "runc's name for cgroup_driver, which counts where both are set"),
];

/// Words of Pod Security levels.
const STANDARDS: &[&str] = &["privileged", "baseline", "restricted", "hardened"];

const ENFORCE: Key = key("enforce", Kind::Word(STANDARDS), "", "what violates this level is not created");
const ENFORCE_VERSION: Key = key("enforce_version", Kind::Text, "", "its version: latest, or v1.0 to v1.37");
const WARN: Key = key("warn", Kind::Word(STANDARDS), "", "what violates this level is created with a warning");
const WARN_VERSION: Key = key("warn_version", Kind::Text, "", "its version: latest, or v1.0 to v1.37");
const AUDIT: Key = key("audit", Kind::Word(STANDARDS), "", "what violates this level is created and recorded");
const AUDIT_VERSION: Key = key("audit_version", Kind::Text, "", "its version: latest, or v1.0 to v1.37");

const POD_SECURITY: &[Key] = &[
    ENFORCE,
    ENFORCE_VERSION,
    WARN,
    WARN_VERSION,
    AUDIT,
    AUDIT_VERSION,
    key(
        "namespaces",
        Kind::Named(
            "names of Kubernetes namespaces",
            &[ENFORCE, ENFORCE_VERSION, WARN, WARN_VERSION, AUDIT, AUDIT_VERSION],
        ),
        "",
        "the same keys for pods of one namespace, over the general ones",
    ),
];

/// People copy runc's options.
const RUNC: &str = "an option of runc, without effect";
