//! Every key of the runtime specification 1.3 and what lazaret does with it. Data only; [`super`] walks it.

use super::Key;
use super::Shape::{List, Map, Object, Read, Refused, RefusedNumber};

const fn key(name: &'static str, shape: super::Shape) -> Key {
    Key { name, shape }
}

const OTHER_SYSTEM: &str = "it belongs to another operating system";
const LABELS: &str = "SELinux labels are not set yet";
const KERNEL_MEMORY: &str = "the kernel enforces no kernel-memory limits any more (since 5.16)";
const LEAF_WEIGHT: &str = "leaf weights went with the CFQ scheduler (Linux 5.0)";

/// The top level.
pub(super) const TOP: &[Key] = &[
    key("ociVersion", Read),
    key("annotations", Read),
    key("hostname", Read),
    key("domainname", Read),
    key("root", Object(&[key("path", Read), key("readonly", Read)])),
    key("process", Object(PROCESS)),
    key("mounts", List(MOUNT)),
    key("linux", Object(LINUX)),
    key("hooks", Object(HOOK_POINTS)),
    key("solaris", Refused(OTHER_SYSTEM)),
    key("windows", Refused(OTHER_SYSTEM)),
    key("freebsd", Refused(OTHER_SYSTEM)),
    key("zos", Refused(OTHER_SYSTEM)),
    key("vm", Refused("lazaret runs no virtual machines")),
];

const HOOK_POINTS: &[Key] = &[
    key("prestart", List(HOOK)),
    key("createRuntime", List(HOOK)),
    key("createContainer", List(HOOK)),
    key("startContainer", List(HOOK)),
    key("poststart", List(HOOK)),
    key("poststop", List(HOOK)),
];

const HOOK: &[Key] = &[key("path", Read), key("args", Read), key("env", Read), key("timeout", Read)];

const PROCESS: &[Key] = &[
    key("args", Read),
    key("commandLine", Refused(OTHER_SYSTEM)),
    key("consoleSize", Object(&[key("height", Read), key("width", Read)])),
    key("cwd", Read),
    key("env", Read),
    key("terminal", Read),
    key("user", Object(USER)),
    key("capabilities", Object(CAPABILITIES)),
    key("noNewPrivileges", Read),
    key("rlimits", List(&[key("type", Read), key("soft", Read), key("hard", Read)])),
    key("oomScoreAdj", Read),
    key("apparmorProfile", Read),
    key("selinuxLabel", Refused(LABELS)),
    key("ioPriority", Object(&[key("class", Read), key("priority", Read)])),
    key("scheduler", Object(SCHEDULER)),
    key("execCPUAffinity", Object(&[key("initial", Read), key("final", Read)])),
];

const SCHEDULER: &[Key] = &[
    key("policy", Read),
    key("nice", Read),
    key("priority", Read),
    key("flags", Read),
    key("runtime", Read),
    key("deadline", Read),
    key("period", Read),
];

const USER: &[Key] = &[
    key("uid", Read),
    key("gid", Read),
    key("umask", Read),
    key("additionalGids", Read),
    key("username", Refused(OTHER_SYSTEM)),
];

const CAPABILITIES: &[Key] = &[
    key("bounding", Read),
    key("effective", Read),
    key("inheritable", Read),
    key("permitted", Read),
    key("ambient", Read),
];

const MOUNT: &[Key] = &[
    key("destination", Read),
    key("source", Read),
    key("type", Read),
    key("options", Read),
    key("uidMappings", List(ID_MAPPING)),
    key("gidMappings", List(ID_MAPPING)),
];

const ID_MAPPING: &[Key] = &[key("containerID", Read), key("hostID", Read), key("size", Read)];

const LINUX: &[Key] = &[
    key("namespaces", List(&[key("type", Read), key("path", Read)])),
    key("uidMappings", List(ID_MAPPING)),
    key("gidMappings", List(ID_MAPPING)),
    key("devices", List(DEVICE)),
    key("cgroupsPath", Read),
    key("resources", Object(RESOURCES)),
    key("sysctl", Read),
    key("rootfsPropagation", Read),
    key("maskedPaths", Read),
    key("readonlyPaths", Read),
    key("seccomp", Object(SECCOMP)),
    key("mountLabel", Refused(LABELS)),
    key("intelRdt", Refused("lazaret allocates no cache and no memory bandwidth (resctrl)")),
    key("memoryPolicy", Object(&[key("mode", Read), key("nodes", Read), key("flags", Read)])),
    key("netDevices", Map(&[key("name", Read)])),
    key("timeOffsets", Object(&[key("monotonic", Object(TIME_OFFSET)), key("boottime", Object(TIME_OFFSET))])),
    key("personality", Object(&[key("domain", Read), key("flags", Read)])),
];

const TIME_OFFSET: &[Key] = &[key("secs", Read), key("nanosecs", Read)];

const DEVICE: &[Key] = &[
    key("path", Read),
    key("type", Read),
    key("major", Read),
    key("minor", Read),
    key("fileMode", Read),
    key("uid", Read),
    key("gid", Read),
];

const RESOURCES: &[Key] = &[
    key(
        "devices",
        List(&[key("allow", Read), key("type", Read), key("major", Read), key("minor", Read), key("access", Read)]),
    ),
    key("memory", Object(MEMORY)),
    key("cpu", Object(CPU)),
    key("pids", Object(&[key("limit", Read)])),
    key("blockIO", Object(BLOCK_IO)),
    key("hugepageLimits", List(&[key("pageSize", Read), key("limit", Read)])),
    key("unified", Read),
    key("network", Object(NETWORK)),
    key("rdma", Map(&[key("hcaHandles", Read), key("hcaObjects", Read)])),
];

const MEMORY: &[Key] = &[
    key("limit", Read),
    key("reservation", Read),
    key("swap", Read),
    key("kernel", RefusedNumber(KERNEL_MEMORY)),
    key("kernelTCP", Read),
    key("swappiness", Read),
    key("disableOOMKiller", Read),
    key("useHierarchy", Read),
    key("checkBeforeUpdate", Read),
];

const CPU: &[Key] = &[
    key("shares", Read),
    key("quota", Read),
    key("period", Read),
    key("cpus", Read),
    key("mems", Read),
    key("burst", Read),
    key("idle", Read),
    key("realtimeRuntime", Read),
    key("realtimePeriod", Read),
];

const BLOCK_IO: &[Key] = &[
    key("weight", Read),
    key("leafWeight", RefusedNumber(LEAF_WEIGHT)),
    key(
        "weightDevice",
        List(&[
            key("major", Read),
            key("minor", Read),
            key("weight", Read),
            key("leafWeight", RefusedNumber(LEAF_WEIGHT)),
        ]),
    ),
    key("throttleReadBpsDevice", List(THROTTLE)),
    key("throttleWriteBpsDevice", List(THROTTLE)),
    key("throttleReadIOPSDevice", List(THROTTLE)),
    key("throttleWriteIOPSDevice", List(THROTTLE)),
];

const THROTTLE: &[Key] = &[key("major", Read), key("minor", Read), key("rate", Read)];

const NETWORK: &[Key] = &[key("classID", Read), key("priorities", List(&[key("name", Read), key("priority", Read)]))];

const SECCOMP: &[Key] = &[
    key("defaultAction", Read),
    key("defaultErrnoRet", Read),
    key("architectures", Read),
    key("flags", Read),
    key("listenerPath", Read),
    key("listenerMetadata", Read),
    key(
        "syscalls",
        List(&[
            key("names", Read),
            key("action", Read),
            key("errnoRet", Read),
            key("args", List(&[key("index", Read), key("value", Read), key("valueTwo", Read), key("op", Read)])),
        ]),
    ),
];
