//! The checks of the restricted level. Data.

use super::{Case, case};

const ESCALATION: &str = "allowPrivilegeEscalation";
const CAPABILITIES: &str = "capabilities_restricted";
const PROC_MOUNT: &str = "procMount_restricted";
const VOLUMES: &str = "restrictedVolumes";
const NON_ROOT: &str = "runAsNonRoot";
const USER: &str = "runAsUser";
const SECCOMP: &str = "seccompProfile_restricted";

const FROM_8: &[u32] = &[8, 24, 25, 37];
const FROM_22: &[u32] = &[22, 24, 25, 37];
const FROM_19: &[u32] = &[19, 24, 25, 37];
const ALWAYS: &[u32] = &[0, 20, 37];
const ROOT: &[u32] = &[0, 34, 35, 37];
const USERS: &[u32] = &[23, 34, 35, 37];
const NEW: &[u32] = &[35, 37];

/// A volume of this kind, which is forbidden.
macro_rules! volume {
    ($kind:literal) => {
        case(
            VOLUMES,
            ALWAYS,
            concat!("spec: {volumes: [{name: v, ", $kind, ": {}}], containers: [{name: a}]}"),
            concat!("restricted volume types (volume \"v\" uses restricted volume type \"", $kind, "\")"),
        )
    };
}

/// One that is allowed.
macro_rules! allowed {
    ($kind:literal) => {
        case(VOLUMES, ALWAYS, concat!("spec: {volumes: [{name: v, ", $kind, ": {}}], containers: [{name: a}]}"), "")
    };
}

pub(super) const CASES: &[Case] = &[
    case(ESCALATION, FROM_8, "spec: {containers: [{name: a, securityContext: {allowPrivilegeEscalation: false}}]}", ""),
    case(
        ESCALATION,
        FROM_8,
        "spec: {containers: [{name: a}]}",
        "allowPrivilegeEscalation != false (container \"a\" must set securityContext.allowPrivilegeEscalation=false)",
    ),
    case(
        ESCALATION,
        FROM_8,
        "spec: {containers: [{name: a, securityContext: {}}]}",
        "allowPrivilegeEscalation != false (container \"a\" must set securityContext.allowPrivilegeEscalation=false)",
    ),
    case(
        ESCALATION,
        FROM_8,
        "spec: {os: {name: linux}, containers: [{name: a, securityContext: {allowPrivilegeEscalation: true}}]}",
        "allowPrivilegeEscalation != false (container \"a\" must set securityContext.allowPrivilegeEscalation=false)",
    ),
    case(
        ESCALATION,
        FROM_8,
        "spec: {initContainers: [{name: i}], containers: [{name: a, securityContext: {allowPrivilegeEscalation: false}}], ephemeralContainers: [{name: e}]}",
        "allowPrivilegeEscalation != false (containers \"i\", \"e\" must set securityContext.allowPrivilegeEscalation=false)",
    ),
    case(
        ESCALATION,
        &[8, 24],
        "spec: {os: {name: windows}, containers: [{name: a}]}",
        "allowPrivilegeEscalation != false (container \"a\" must set securityContext.allowPrivilegeEscalation=false)",
    ),
    case(ESCALATION, &[25, 37], "spec: {os: {name: windows}, containers: [{name: a}]}", ""),
    case(CAPABILITIES, FROM_22, "spec: {containers: [{name: a, securityContext: {capabilities: {drop: [ALL]}}}]}", ""),
    case(
        CAPABILITIES,
        FROM_22,
        "spec: {containers: [{name: a, securityContext: {capabilities: {drop: [X, ALL], add: [NET_BIND_SERVICE]}}}]}",
        "",
    ),
    case(
        CAPABILITIES,
        FROM_22,
        "spec: {containers: [{name: a}]}",
        "unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"])",
    ),
    case(
        CAPABILITIES,
        FROM_22,
        "spec: {containers: [{name: a, securityContext: {capabilities: {drop: [all]}}}]}",
        "unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"])",
    ),
    case(
        CAPABILITIES,
        FROM_22,
        "spec: {containers: [{name: a, securityContext: {capabilities: {drop: [ALL], add: [CHOWN]}}}]}",
        "unrestricted capabilities (container \"a\" must not include \"CHOWN\" in securityContext.capabilities.add)",
    ),
    case(
        CAPABILITIES,
        FROM_22,
        "spec: {initContainers: [{name: i}], containers: [{name: a, securityContext: {capabilities: {add: [SYS_ADMIN, KILL, NET_BIND_SERVICE]}}}, {name: b, securityContext: {capabilities: {drop: [ALL], add: [KILL]}}}]}",
        "unrestricted capabilities (containers \"i\", \"a\" must set securityContext.capabilities.drop=[\"ALL\"]; containers \"a\", \"b\" must not include \"KILL\", \"SYS_ADMIN\" in securityContext.capabilities.add)",
    ),
    case(
        CAPABILITIES,
        &[22, 24],
        "spec: {os: {name: windows}, containers: [{name: a}]}",
        "unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"])",
    ),
    case(CAPABILITIES, &[25, 37], "spec: {os: {name: windows}, containers: [{name: a}]}", ""),
    case(PROC_MOUNT, NEW, "spec: {containers: [{name: a, securityContext: {procMount: Default}}]}", ""),
    case(
        PROC_MOUNT,
        NEW,
        "spec: {hostUsers: false, containers: [{name: a, securityContext: {procMount: Unmasked}}]}",
        "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
    ),
    case(
        PROC_MOUNT,
        NEW,
        "spec: {containers: [{name: a, securityContext: {procMount: Unmasked}}]}",
        "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
    ),
    case(VOLUMES, ALWAYS, "spec: {containers: [{name: a}]}", ""),
    allowed!("configMap"),
    allowed!("csi"),
    allowed!("downwardAPI"),
    allowed!("emptyDir"),
    allowed!("ephemeral"),
    allowed!("image"),
    allowed!("persistentVolumeClaim"),
    allowed!("projected"),
    allowed!("secret"),
    volume!("hostPath"),
    volume!("gcePersistentDisk"),
    volume!("awsElasticBlockStore"),
    volume!("gitRepo"),
    volume!("nfs"),
    volume!("iscsi"),
    volume!("glusterfs"),
    volume!("rbd"),
    volume!("flexVolume"),
    volume!("cinder"),
    volume!("cephfs"),
    volume!("flocker"),
    volume!("fc"),
    volume!("azureFile"),
    volume!("vsphereVolume"),
    volume!("quobyte"),
    volume!("azureDisk"),
    volume!("photonPersistentDisk"),
    volume!("portworxVolume"),
    volume!("scaleIO"),
    volume!("storageos"),
    case(
        VOLUMES,
        ALWAYS,
        "spec: {volumes: [{name: v}], containers: [{name: a}]}",
        "restricted volume types (volume \"v\" uses restricted volume type \"unknown\")",
    ),
    case(
        VOLUMES,
        ALWAYS,
        "spec: {volumes: [{name: v, emptyDir: null, brandNew: {}}], containers: [{name: a}]}",
        "restricted volume types (volume \"v\" uses restricted volume type \"unknown\")",
    ),
    case(
        VOLUMES,
        ALWAYS,
        "spec: {volumes: [{name: v, nfs: {}}, {name: w, secret: {}}, {name: x, hostPath: {}}, {name: z, nfs: {}}], containers: [{name: a}]}",
        "restricted volume types (volumes \"v\", \"x\", \"z\" use restricted volume types \"hostPath\", \"nfs\")",
    ),
    case(
        NON_ROOT,
        ROOT,
        "spec: {securityContext: {runAsNonRoot: true}, containers: [{name: a}, {name: b, securityContext: {runAsNonRoot: true}}]}",
        "",
    ),
    case(NON_ROOT, ROOT, "spec: {containers: [{name: a, securityContext: {runAsNonRoot: true}}]}", ""),
    case(
        NON_ROOT,
        ROOT,
        "spec: {containers: [{name: a}]}",
        "runAsNonRoot != true (pod or container \"a\" must set securityContext.runAsNonRoot=true)",
    ),
    case(
        NON_ROOT,
        ROOT,
        "spec: {hostUsers: true, initContainers: [{name: i}], containers: [{name: a, securityContext: {runAsNonRoot: true}}, {name: b, securityContext: {runAsUser: 1000}}]}",
        "runAsNonRoot != true (pod or containers \"i\", \"b\" must set securityContext.runAsNonRoot=true)",
    ),
    case(
        NON_ROOT,
        ROOT,
        "spec: {securityContext: {runAsNonRoot: false}, containers: [{name: a, securityContext: {runAsNonRoot: true}}]}",
        "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)",
    ),
    case(
        NON_ROOT,
        ROOT,
        "spec: {securityContext: {runAsNonRoot: true}, containers: [{name: a, securityContext: {runAsNonRoot: false}}]}",
        "runAsNonRoot != true (container \"a\" must not set securityContext.runAsNonRoot=false)",
    ),
    case(
        NON_ROOT,
        ROOT,
        "spec: {securityContext: {runAsNonRoot: false}, containers: [{name: a, securityContext: {runAsNonRoot: false}}, {name: b, securityContext: {runAsNonRoot: false}}, {name: c}]}",
        "runAsNonRoot != true (pod and containers \"a\", \"b\" must not set securityContext.runAsNonRoot=false)",
    ),
    case(
        NON_ROOT,
        &[0, 34],
        "spec: {hostUsers: false, containers: [{name: a}]}",
        "runAsNonRoot != true (pod or container \"a\" must set securityContext.runAsNonRoot=true)",
    ),
    case(NON_ROOT, NEW, "spec: {hostUsers: false, containers: [{name: a}]}", ""),
    case(
        NON_ROOT,
        NEW,
        "spec: {hostUsers: false, containers: [{name: a, securityContext: {runAsNonRoot: false}}]}",
        "",
    ),
    case(USER, USERS, "spec: {containers: [{name: a}]}", ""),
    case(
        USER,
        USERS,
        "spec: {securityContext: {runAsUser: 1}, containers: [{name: a, securityContext: {runAsUser: 1000}}]}",
        "",
    ),
    case(
        USER,
        USERS,
        "spec: {securityContext: {runAsUser: 0}, containers: [{name: a}]}",
        "runAsUser=0 (pod must not set runAsUser=0)",
    ),
    case(
        USER,
        USERS,
        "spec: {containers: [{name: a, securityContext: {runAsUser: 00}}, {name: b, securityContext: {runAsUser: 0x0}}, {name: c, securityContext: {runAsUser: 10}}]}",
        "runAsUser=0 (containers \"a\", \"b\" must not set runAsUser=0)",
    ),
    case(
        USER,
        USERS,
        "spec: {securityContext: {runAsUser: 0}, containers: [{name: a, securityContext: {runAsUser: 0}}]}",
        "runAsUser=0 (pod and container \"a\" must not set runAsUser=0)",
    ),
    case(
        USER,
        &[23, 34],
        "spec: {hostUsers: false, securityContext: {runAsUser: 0}, containers: [{name: a}]}",
        "runAsUser=0 (pod must not set runAsUser=0)",
    ),
    case(USER, NEW, "spec: {hostUsers: false, securityContext: {runAsUser: 0}, containers: [{name: a}]}", ""),
    case(
        SECCOMP,
        FROM_19,
        "spec: {securityContext: {seccompProfile: {type: RuntimeDefault}}, containers: [{name: a}]}",
        "",
    ),
    case(SECCOMP, FROM_19, "spec: {containers: [{name: a, securityContext: {seccompProfile: {type: Localhost}}}]}", ""),
    case(
        SECCOMP,
        FROM_19,
        "spec: {containers: [{name: a}]}",
        "seccompProfile (pod or container \"a\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
    ),
    case(
        SECCOMP,
        FROM_19,
        "metadata: {annotations: {seccomp.security.alpha.kubernetes.io/pod: runtime/default}}, spec: {initContainers: [{name: i}], containers: [{name: a}, {name: b, securityContext: {seccompProfile: {type: Localhost}}}]}",
        "seccompProfile (pod or containers \"i\", \"a\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
    ),
    case(
        SECCOMP,
        FROM_19,
        "spec: {securityContext: {seccompProfile: {type: Unconfined}}, containers: [{name: a, securityContext: {seccompProfile: {type: RuntimeDefault}}}]}",
        "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\")",
    ),
    case(
        SECCOMP,
        FROM_19,
        "spec: {securityContext: {seccompProfile: {type: RuntimeDefault}}, containers: [{name: a, securityContext: {seccompProfile: {type: Unconfined}}}, {name: b}]}",
        "seccompProfile (container \"a\" must not set securityContext.seccompProfile.type to \"Unconfined\")",
    ),
    case(
        SECCOMP,
        &[19, 24],
        "spec: {os: {name: windows}, containers: [{name: a}]}",
        "seccompProfile (pod or container \"a\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
    ),
    case(SECCOMP, &[25, 37], "spec: {os: {name: windows}, containers: [{name: a}]}", ""),
];
