//! lazaret's own level. Data.

use super::{Case, case};

const LIMITS: &str = "hardened/limits";
const NET_RAW: &str = "hardened/netRaw";
const NON_ROOT: &str = "hardened/runAsNonRoot";
const READ_ONLY: &str = "hardened/readOnlyRootFilesystem";
const ALWAYS: &[u32] = &[0, 20, 37];

pub(super) const CASES: &[Case] = &[
    case(
        LIMITS,
        ALWAYS,
        "spec: {initContainers: [{name: i, resources: {limits: {cpu: 100m, memory: 1Gi}}}], containers: [{name: a, resources: {limits: {cpu: 1, memory: 64Mi}}}], ephemeralContainers: [{name: e}]}",
        "",
    ),
    case(
        LIMITS,
        ALWAYS,
        "spec: {resources: {limits: {cpu: 1}}, containers: [{name: a, resources: {limits: {memory: 64Mi}}}]}",
        "",
    ),
    case(
        LIMITS,
        ALWAYS,
        "spec: {containers: [{name: a}]}",
        "no limits (container \"a\" must set resources.limits for \"cpu\", \"memory\")",
    ),
    case(
        LIMITS,
        ALWAYS,
        "spec: {initContainers: [{name: i, resources: {limits: {cpu: 1}}}], containers: [{name: a, resources: {requests: {cpu: 1}, limits: {memory: 1}}}, {name: b, resources: {limits: {cpu: 1, memory: 1}}}]}",
        "no limits (containers \"i\", \"a\" must set resources.limits for \"cpu\", \"memory\")",
    ),
    case(
        LIMITS,
        ALWAYS,
        "spec: {containers: [{name: a, resources: {limits: {cpu: 1}}}]}",
        "no limits (container \"a\" must set resources.limits for \"memory\")",
    ),
    case(
        NET_RAW,
        ALWAYS,
        "spec: {containers: [{name: a, securityContext: {capabilities: {drop: [NET_RAW]}}}, {name: b, securityContext: {capabilities: {drop: [ALL], add: [KILL]}}}]}",
        "",
    ),
    case(
        NET_RAW,
        ALWAYS,
        "spec: {containers: [{name: a}]}",
        "NET_RAW (container \"a\" must drop \"NET_RAW\" or \"ALL\" and add neither)",
    ),
    case(
        NET_RAW,
        ALWAYS,
        "spec: {containers: [{name: a, securityContext: {capabilities: {drop: [ALL], add: [NET_RAW]}}}, {name: b, securityContext: {capabilities: {drop: [NET_RAW], add: [ALL]}}}]}",
        "NET_RAW (containers \"a\", \"b\" must drop \"NET_RAW\" or \"ALL\" and add neither)",
    ),
    case(
        NON_ROOT,
        ALWAYS,
        "spec: {hostUsers: false, securityContext: {runAsNonRoot: true}, containers: [{name: a}]}",
        "",
    ),
    case(
        NON_ROOT,
        ALWAYS,
        "spec: {hostUsers: false, containers: [{name: a}]}",
        "runAsNonRoot != true (pod or container \"a\" must set securityContext.runAsNonRoot=true)",
    ),
    case(
        NON_ROOT,
        ALWAYS,
        "spec: {securityContext: {runAsNonRoot: true, runAsUser: 0}, containers: [{name: a}]}",
        "runAsUser=0 (pod must not set runAsUser=0)",
    ),
    case(
        NON_ROOT,
        ALWAYS,
        "spec: {containers: [{name: a, securityContext: {runAsUser: 0}}]}",
        "runAsNonRoot != true (pod or container \"a\" must set securityContext.runAsNonRoot=true; container \"a\" must not set runAsUser=0)",
    ),
    case(READ_ONLY, ALWAYS, "spec: {containers: [{name: a, securityContext: {readOnlyRootFilesystem: true}}]}", ""),
    case(
        READ_ONLY,
        ALWAYS,
        "spec: {containers: [{name: a}]}",
        "writable root file system (container \"a\" must set securityContext.readOnlyRootFilesystem=true)",
    ),
    case(
        READ_ONLY,
        ALWAYS,
        "spec: {initContainers: [{name: i, securityContext: {readOnlyRootFilesystem: false}}], containers: [{name: a, securityContext: {readOnlyRootFilesystem: true}}], ephemeralContainers: [{name: e}]}",
        "writable root file system (containers \"i\", \"e\" must set securityContext.readOnlyRootFilesystem=true)",
    ),
];
