//! The checks of the baseline level. Data.

use super::{Case, case};

/// Where no version changes anything: the first, one in between, the last.
const ALWAYS: &[u32] = &[0, 20, 37];
const SINCE_34: &[u32] = &[34, 37];
const ANNOTATIONS: &[u32] = &[0, 18];
const FIELDS: &[u32] = &[19, 25, 37];
const SELINUX_OLD: &[u32] = &[0, 30];
const SELINUX_NEW: &[u32] = &[31, 37];
const SELINUX: &[u32] = &[0, 30, 31, 37];
const PROC_OLD: &[u32] = &[0, 34];
const PROC_NEW: &[u32] = &[35, 37];
const PROC: &[u32] = &[0, 34, 35, 37];
const SYSCTLS: &[u32] = &[0, 26, 27, 28, 29, 31, 32, 36, 37];

const ARMOR: &str = "appArmorProfile";
const CAPABILITIES: &str = "capabilities_baseline";
const NAMESPACES: &str = "hostNamespaces";
const HOST_PATH: &str = "hostPathVolumes";
const PORTS: &str = "hostPorts";
const PROBES: &str = "hostProbesAndHostLifecycle";
const PRIVILEGED: &str = "privileged";
const PROC_MOUNT: &str = "procMount";
const LABELS: &str = "seLinuxOptions";
const SECCOMP: &str = "seccompProfile_baseline";
const SYSCTL: &str = "sysctls";
const WINDOWS: &str = "windowsHostProcess";

pub(super) const CASES: &[Case] = &[
    case(ARMOR, ALWAYS, "spec: {containers: [{name: a}]}", ""),
    case(
        ARMOR,
        ALWAYS,
        "spec: {securityContext: {appArmorProfile: {type: RuntimeDefault}}, containers: [{name: a, securityContext: {appArmorProfile: {type: Localhost, localhostProfile: x}}}]}",
        "",
    ),
    case(
        ARMOR,
        ALWAYS,
        "metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/a: localhost/x, container.apparmor.security.beta.kubernetes.io/b: runtime/default, container.apparmor.security.beta.kubernetes.io/c: '', other: unconfined, container.apparmor.security.beta.kubernetes.iox/a: unconfined}}, spec: {containers: [{name: a}]}",
        "",
    ),
    case(
        ARMOR,
        ALWAYS,
        "metadata: {annotations: null}, spec: {securityContext: null, containers: [{name: a, securityContext: null}]}",
        "",
    ),
    case(
        ARMOR,
        ALWAYS,
        "spec: {securityContext: {appArmorProfile: {type: Unconfined}}, containers: [{name: a}]}",
        "forbidden AppArmor profile (pod must not set AppArmor profile type to \"Unconfined\")",
    ),
    case(
        ARMOR,
        ALWAYS,
        "spec: {containers: [{name: a, securityContext: {appArmorProfile: {type: Unconfined}}}, {name: b}]}",
        "forbidden AppArmor profile (container \"a\" must not set AppArmor profile type to \"Unconfined\")",
    ),
    case(
        ARMOR,
        ALWAYS,
        "spec: {containers: [{name: a, securityContext: {appArmorProfile: {}}}]}",
        "forbidden AppArmor profile (container \"a\" must not set AppArmor profile type to \"\")",
    ),
    case(
        ARMOR,
        ALWAYS,
        "metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/a: unconfined}}, spec: {containers: [{name: a}]}",
        "forbidden AppArmor profile (annotation must not set AppArmor profile type to \"container.apparmor.security.beta.kubernetes.io/a=\"unconfined\"\")",
    ),
    case(
        ARMOR,
        ALWAYS,
        "metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/b: unconfined, container.apparmor.security.beta.kubernetes.io/a: localhost}}, spec: {securityContext: {appArmorProfile: {type: Unconfined}}, initContainers: [{name: i, securityContext: {appArmorProfile: {type: X}}}], containers: [{name: a, securityContext: {appArmorProfile: {type: Unconfined}}}]}",
        "forbidden AppArmor profiles (pod and containers \"i\", \"a\" and annotations must not set AppArmor profile type to \"Unconfined\", \"X\", \"container.apparmor.security.beta.kubernetes.io/a=\"localhost\"\", \"container.apparmor.security.beta.kubernetes.io/b=\"unconfined\"\")",
    ),
    case(CAPABILITIES, ALWAYS, "spec: {containers: [{name: a}]}", ""),
    case(
        CAPABILITIES,
        ALWAYS,
        "spec: {containers: [{name: a, securityContext: {capabilities: {add: [AUDIT_WRITE, CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, MKNOD, NET_BIND_SERVICE, SETFCAP, SETGID, SETPCAP, SETUID, SYS_CHROOT], drop: [X]}}}]}",
        "",
    ),
    case(
        CAPABILITIES,
        ALWAYS,
        "spec: {containers: [{name: a, securityContext: {capabilities: {add: null, drop: [NET_RAW]}}}]}",
        "",
    ),
    case(
        CAPABILITIES,
        ALWAYS,
        "spec: {containers: [{name: a, securityContext: {capabilities: {add: [NET_RAW]}}}]}",
        "non-default capabilities (container \"a\" must not include \"NET_RAW\" in securityContext.capabilities.add)",
    ),
    case(
        CAPABILITIES,
        ALWAYS,
        "spec: {containers: [{name: a, securityContext: {capabilities: {add: [ALL]}}}]}",
        "non-default capabilities (container \"a\" must not include \"ALL\" in securityContext.capabilities.add)",
    ),
    case(
        CAPABILITIES,
        ALWAYS,
        "spec: {containers: [{name: a, securityContext: {capabilities: {add: [CAP_CHOWN]}}}]}",
        "non-default capabilities (container \"a\" must not include \"CAP_CHOWN\" in securityContext.capabilities.add)",
    ),
    case(
        CAPABILITIES,
        ALWAYS,
        "spec: {containers: [{name: a, securityContext: {capabilities: {add: [chown]}}}]}",
        "non-default capabilities (container \"a\" must not include \"chown\" in securityContext.capabilities.add)",
    ),
    case(
        CAPABILITIES,
        ALWAYS,
        "spec: {initContainers: [{name: i, securityContext: {capabilities: {add: [SYS_TIME, SYS_ADMIN]}}}], containers: [{name: a, securityContext: {capabilities: {add: [SYS_ADMIN, KILL]}}}, {name: b}], ephemeralContainers: [{name: e, securityContext: {capabilities: {add: [SYS_PTRACE]}}}]}",
        "non-default capabilities (containers \"i\", \"a\", \"e\" must not include \"SYS_ADMIN\", \"SYS_PTRACE\", \"SYS_TIME\" in securityContext.capabilities.add)",
    ),
    case(NAMESPACES, ALWAYS, "spec: {containers: [{name: a}]}", ""),
    case(NAMESPACES, ALWAYS, "spec: {hostNetwork: false, hostPID: null, hostIPC: off, containers: [{name: a}]}", ""),
    case(
        NAMESPACES,
        ALWAYS,
        "spec: {hostNetwork: true, containers: [{name: a}]}",
        "host namespaces (hostNetwork=true)",
    ),
    case(NAMESPACES, ALWAYS, "spec: {hostPID: yes, containers: [{name: a}]}", "host namespaces (hostPID=true)"),
    case(NAMESPACES, ALWAYS, "spec: {hostIPC: true, containers: [{name: a}]}", "host namespaces (hostIPC=true)"),
    case(
        NAMESPACES,
        ALWAYS,
        "spec: {hostIPC: true, hostPID: true, hostNetwork: true, containers: [{name: a}]}",
        "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
    ),
    case(HOST_PATH, ALWAYS, "spec: {containers: [{name: a}]}", ""),
    case(
        HOST_PATH,
        ALWAYS,
        "spec: {volumes: [{name: v, emptyDir: {}}, {name: w, hostPath: null}, {name: x, nfs: {server: s, path: /}}], containers: [{name: a}]}",
        "",
    ),
    case(
        HOST_PATH,
        ALWAYS,
        "spec: {volumes: [{name: v, hostPath: {path: /}}], containers: [{name: a}]}",
        "hostPath volumes (volume \"v\")",
    ),
    case(
        HOST_PATH,
        ALWAYS,
        "spec: {volumes: [{name: v, hostPath: {}}], containers: [{name: a}]}",
        "hostPath volumes (volume \"v\")",
    ),
    case(
        HOST_PATH,
        ALWAYS,
        "spec: {volumes: [{name: v, hostPath: {path: /a}}, {name: u, emptyDir: {}}, {name: w, hostPath: {path: /b}}], containers: [{name: a}]}",
        "hostPath volumes (volumes \"v\", \"w\")",
    ),
    case(PORTS, ALWAYS, "spec: {containers: [{name: a}]}", ""),
    case(
        PORTS,
        ALWAYS,
        "spec: {containers: [{name: a, ports: [{containerPort: 80}, {containerPort: 81, hostPort: 0}]}]}",
        "",
    ),
    case(
        PORTS,
        ALWAYS,
        "spec: {containers: [{name: a, ports: [{containerPort: 80, hostPort: 80}]}]}",
        "hostPort (container \"a\" uses hostPort 80)",
    ),
    case(
        PORTS,
        ALWAYS,
        "spec: {containers: [{name: a, ports: [{hostPort: 80}, {hostPort: 443}]}]}",
        "hostPort (container \"a\" uses hostPorts 443, 80)",
    ),
    case(
        PORTS,
        ALWAYS,
        "spec: {initContainers: [{name: i, ports: [{hostPort: 80}]}], containers: [{name: a, ports: [{hostPort: 80}]}, {name: b}]}",
        "hostPort (containers \"i\", \"a\" use hostPort 80)",
    ),
    case(
        PORTS,
        ALWAYS,
        "spec: {containers: [{name: a, ports: [{hostPort: 9}]}, {name: b, ports: [{hostPort: 10}]}]}",
        "hostPort (containers \"a\", \"b\" use hostPorts 10, 9)",
    ),
    case(PROBES, SINCE_34, "spec: {containers: [{name: a}]}", ""),
    case(
        PROBES,
        SINCE_34,
        "spec: {containers: [{name: a, livenessProbe: {httpGet: {port: 80}}, readinessProbe: {tcpSocket: {port: 1, host: ''}}, startupProbe: {exec: {command: [x]}}, lifecycle: {preStop: {httpGet: {host: null}}}}]}",
        "",
    ),
    case(
        PROBES,
        SINCE_34,
        "spec: {containers: [{name: a, livenessProbe: {httpGet: {port: 80, host: h}}}]}",
        "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"h\")",
    ),
    case(
        PROBES,
        SINCE_34,
        "spec: {containers: [{name: a, readinessProbe: {httpGet: {host: h}}}]}",
        "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"h\")",
    ),
    case(
        PROBES,
        SINCE_34,
        "spec: {containers: [{name: a, startupProbe: {httpGet: {host: h}}}]}",
        "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"h\")",
    ),
    case(
        PROBES,
        SINCE_34,
        "spec: {containers: [{name: a, livenessProbe: {tcpSocket: {host: 127.0.0.1}}}]}",
        "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"127.0.0.1\")",
    ),
    case(
        PROBES,
        SINCE_34,
        "spec: {containers: [{name: a, readinessProbe: {tcpSocket: {host: h}}}]}",
        "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"h\")",
    ),
    case(
        PROBES,
        SINCE_34,
        "spec: {containers: [{name: a, startupProbe: {tcpSocket: {host: h}}}]}",
        "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"h\")",
    ),
    case(
        PROBES,
        SINCE_34,
        "spec: {containers: [{name: a, lifecycle: {postStart: {httpGet: {host: h}}}}]}",
        "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"h\")",
    ),
    case(
        PROBES,
        SINCE_34,
        "spec: {containers: [{name: a, lifecycle: {postStart: {tcpSocket: {host: h}}}}]}",
        "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"h\")",
    ),
    case(
        PROBES,
        SINCE_34,
        "spec: {containers: [{name: a, lifecycle: {preStop: {httpGet: {host: h}}}}]}",
        "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"h\")",
    ),
    case(
        PROBES,
        SINCE_34,
        "spec: {containers: [{name: a, lifecycle: {preStop: {tcpSocket: {host: h}}}}]}",
        "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"h\")",
    ),
    case(
        PROBES,
        SINCE_34,
        "spec: {initContainers: [{name: z, livenessProbe: {httpGet: {host: v}}}], containers: [{name: a, livenessProbe: {httpGet: {host: x}}, lifecycle: {preStop: {tcpSocket: {host: v}}}}]}",
        "probe or lifecycle host (containers \"a\", \"z\" use probe or lifecycle hosts \"v\", \"x\")",
    ),
    case(PRIVILEGED, ALWAYS, "spec: {containers: [{name: a}]}", ""),
    case(
        PRIVILEGED,
        ALWAYS,
        "spec: {securityContext: {privileged: true}, containers: [{name: a, securityContext: {privileged: false}}, {name: b, securityContext: {privileged: null}}]}",
        "",
    ),
    case(
        PRIVILEGED,
        ALWAYS,
        "spec: {containers: [{name: a, securityContext: {privileged: true}}]}",
        "privileged (container \"a\" must not set securityContext.privileged=true)",
    ),
    case(
        PRIVILEGED,
        ALWAYS,
        "spec: {initContainers: [{name: i, securityContext: {privileged: yes}}], containers: [{name: a}], ephemeralContainers: [{name: e, securityContext: {privileged: on}}]}",
        "privileged (containers \"i\", \"e\" must not set securityContext.privileged=true)",
    ),
    case(PROC_MOUNT, PROC, "spec: {containers: [{name: a}]}", ""),
    case(
        PROC_MOUNT,
        PROC,
        "spec: {containers: [{name: a, securityContext: {procMount: Default}}, {name: b, securityContext: {procMount: null}}]}",
        "",
    ),
    case(
        PROC_MOUNT,
        PROC,
        "spec: {containers: [{name: a, securityContext: {procMount: Unmasked}}]}",
        "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
    ),
    case(
        PROC_MOUNT,
        PROC,
        "spec: {hostUsers: true, containers: [{name: a, securityContext: {procMount: Unmasked}}, {name: b, securityContext: {procMount: other}}]}",
        "procMount (containers \"a\", \"b\" must not set securityContext.procMount to \"Unmasked\", \"other\")",
    ),
    case(
        PROC_MOUNT,
        PROC_OLD,
        "spec: {hostUsers: false, containers: [{name: a, securityContext: {procMount: Unmasked}}]}",
        "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
    ),
    case(
        PROC_MOUNT,
        PROC_NEW,
        "spec: {hostUsers: false, containers: [{name: a, securityContext: {procMount: Unmasked}}]}",
        "",
    ),
    case(LABELS, SELINUX, "spec: {containers: [{name: a}]}", ""),
    case(
        LABELS,
        SELINUX,
        "spec: {securityContext: {seLinuxOptions: {}}, containers: [{name: a, securityContext: {seLinuxOptions: {type: container_t, level: 's0:c1,c2'}}}, {name: b, securityContext: {seLinuxOptions: {type: container_init_t}}}, {name: c, securityContext: {seLinuxOptions: {type: container_kvm_t, user: '', role: ''}}}]}",
        "",
    ),
    case(
        LABELS,
        SELINUX_OLD,
        "spec: {containers: [{name: a, securityContext: {seLinuxOptions: {type: container_engine_t}}}]}",
        "seLinuxOptions (container \"a\" set forbidden securityContext.seLinuxOptions: type \"container_engine_t\")",
    ),
    case(
        LABELS,
        SELINUX_NEW,
        "spec: {containers: [{name: a, securityContext: {seLinuxOptions: {type: container_engine_t}}}]}",
        "",
    ),
    case(
        LABELS,
        SELINUX,
        "spec: {securityContext: {seLinuxOptions: {type: spc_t}}, containers: [{name: a}]}",
        "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type \"spc_t\")",
    ),
    case(
        LABELS,
        SELINUX,
        "spec: {containers: [{name: a, securityContext: {seLinuxOptions: {user: u}}}]}",
        "seLinuxOptions (container \"a\" set forbidden securityContext.seLinuxOptions: user may not be set)",
    ),
    case(
        LABELS,
        SELINUX,
        "spec: {containers: [{name: a, securityContext: {seLinuxOptions: {role: r}}}]}",
        "seLinuxOptions (container \"a\" set forbidden securityContext.seLinuxOptions: role may not be set)",
    ),
    case(
        LABELS,
        SELINUX,
        "spec: {securityContext: {seLinuxOptions: {type: y_t}}, initContainers: [{name: i, securityContext: {seLinuxOptions: {type: x_t, user: u}}}], containers: [{name: a, securityContext: {seLinuxOptions: {role: r}}}]}",
        "seLinuxOptions (pod and containers \"i\", \"a\" set forbidden securityContext.seLinuxOptions: types \"x_t\", \"y_t\"; user may not be set; role may not be set)",
    ),
    case(SECCOMP, ANNOTATIONS, "spec: {containers: [{name: a}]}", ""),
    case(
        SECCOMP,
        ANNOTATIONS,
        "metadata: {annotations: {seccomp.security.alpha.kubernetes.io/pod: runtime/default, container.seccomp.security.alpha.kubernetes.io/a: docker/default, container.seccomp.security.alpha.kubernetes.io/b: localhost/x, container.seccomp.security.alpha.kubernetes.io/nobody: unconfined}}, spec: {containers: [{name: a}, {name: b}]}",
        "",
    ),
    case(
        SECCOMP,
        ANNOTATIONS,
        "spec: {securityContext: {seccompProfile: {type: Unconfined}}, containers: [{name: a}]}",
        "",
    ),
    case(
        SECCOMP,
        ANNOTATIONS,
        "metadata: {annotations: {seccomp.security.alpha.kubernetes.io/pod: unconfined}}, spec: {containers: [{name: a}]}",
        "seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod=\"unconfined\")",
    ),
    case(
        SECCOMP,
        ANNOTATIONS,
        "metadata: {annotations: {seccomp.security.alpha.kubernetes.io/pod: '', container.seccomp.security.alpha.kubernetes.io/a: unconfined}}, spec: {containers: [{name: a}]}",
        "seccompProfile (forbidden annotations container.seccomp.security.alpha.kubernetes.io/a=\"unconfined\", seccomp.security.alpha.kubernetes.io/pod=\"\")",
    ),
    case(SECCOMP, FIELDS, "spec: {containers: [{name: a}]}", ""),
    case(
        SECCOMP,
        FIELDS,
        "metadata: {annotations: {seccomp.security.alpha.kubernetes.io/pod: unconfined}}, spec: {securityContext: {seccompProfile: {type: RuntimeDefault}}, containers: [{name: a, securityContext: {seccompProfile: {type: Localhost}}}]}",
        "",
    ),
    case(
        SECCOMP,
        FIELDS,
        "spec: {securityContext: {seccompProfile: {type: Unconfined}}, containers: [{name: a}]}",
        "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\")",
    ),
    case(
        SECCOMP,
        FIELDS,
        "spec: {securityContext: {seccompProfile: {type: Unconfined}}, initContainers: [{name: i, securityContext: {seccompProfile: {}}}], containers: [{name: a, securityContext: {seccompProfile: {type: Unconfined}}}]}",
        "seccompProfile (pod and containers \"i\", \"a\" must not set securityContext.seccompProfile.type to \"\", \"Unconfined\")",
    ),
    case(SYSCTL, SYSCTLS, "spec: {containers: [{name: a}]}", ""),
    case(
        SYSCTL,
        SYSCTLS,
        "spec: {securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: '1'}, {name: net.ipv4.ip_local_port_range}, {name: net.ipv4.tcp_syncookies}, {name: net.ipv4.ping_group_range}, {name: net.ipv4.ip_unprivileged_port_start}]}, containers: [{name: a}]}",
        "",
    ),
    case(
        SYSCTL,
        SYSCTLS,
        "spec: {securityContext: {sysctls: [{name: kernel.msgmax}, {name: net.ipv4.tcp_syncookies}, {name: net.core.somaxconn}]}, containers: [{name: a}]}",
        "forbidden sysctls (kernel.msgmax, net.core.somaxconn)",
    ),
    case(
        SYSCTL,
        SYSCTLS,
        "spec: {securityContext: {sysctls: [{name: net/ipv4/tcp_syncookies}]}, containers: [{name: a}]}",
        "forbidden sysctls (net/ipv4/tcp_syncookies)",
    ),
    case(
        SYSCTL,
        &[0, 26],
        "spec: {securityContext: {sysctls: [{name: net.ipv4.ip_local_reserved_ports}]}, containers: [{name: a}]}",
        "forbidden sysctls (net.ipv4.ip_local_reserved_ports)",
    ),
    case(
        SYSCTL,
        &[27, 28, 37],
        "spec: {securityContext: {sysctls: [{name: net.ipv4.ip_local_reserved_ports}]}, containers: [{name: a}]}",
        "",
    ),
    case(
        SYSCTL,
        &[0, 26, 27, 28],
        "spec: {securityContext: {sysctls: [{name: net.ipv4.tcp_keepalive_time}]}, containers: [{name: a}]}",
        "forbidden sysctls (net.ipv4.tcp_keepalive_time)",
    ),
    case(
        SYSCTL,
        &[27, 28],
        "spec: {securityContext: {sysctls: [{name: net.ipv4.tcp_fin_timeout}, {name: net.ipv4.tcp_keepalive_intvl}, {name: net.ipv4.tcp_keepalive_probes}]}, containers: [{name: a}]}",
        "forbidden sysctls (net.ipv4.tcp_fin_timeout, net.ipv4.tcp_keepalive_intvl, net.ipv4.tcp_keepalive_probes)",
    ),
    case(
        SYSCTL,
        &[29, 31, 32, 37],
        "spec: {securityContext: {sysctls: [{name: net.ipv4.tcp_keepalive_time}, {name: net.ipv4.tcp_fin_timeout}, {name: net.ipv4.tcp_keepalive_intvl}, {name: net.ipv4.tcp_keepalive_probes}]}, containers: [{name: a}]}",
        "",
    ),
    case(
        SYSCTL,
        &[29, 31],
        "spec: {securityContext: {sysctls: [{name: net.ipv4.tcp_rmem}, {name: net.ipv4.tcp_wmem}]}, containers: [{name: a}]}",
        "forbidden sysctls (net.ipv4.tcp_rmem, net.ipv4.tcp_wmem)",
    ),
    case(
        SYSCTL,
        &[32, 36, 37],
        "spec: {securityContext: {sysctls: [{name: net.ipv4.tcp_rmem}, {name: net.ipv4.tcp_wmem}]}, containers: [{name: a}]}",
        "",
    ),
    case(
        SYSCTL,
        &[32, 36],
        "spec: {securityContext: {sysctls: [{name: net.ipv4.tcp_slow_start_after_idle}, {name: net.ipv4.tcp_notsent_lowat}]}, containers: [{name: a}]}",
        "forbidden sysctls (net.ipv4.tcp_slow_start_after_idle, net.ipv4.tcp_notsent_lowat)",
    ),
    case(
        SYSCTL,
        &[37, 38, 99],
        "spec: {securityContext: {sysctls: [{name: net.ipv4.tcp_slow_start_after_idle}, {name: net.ipv4.tcp_notsent_lowat}]}, containers: [{name: a}]}",
        "",
    ),
    case(WINDOWS, ALWAYS, "spec: {containers: [{name: a}]}", ""),
    case(
        WINDOWS,
        ALWAYS,
        "spec: {securityContext: {windowsOptions: {hostProcess: false}}, containers: [{name: a, securityContext: {windowsOptions: {}}}]}",
        "",
    ),
    case(
        WINDOWS,
        ALWAYS,
        "spec: {securityContext: {windowsOptions: {hostProcess: true}}, containers: [{name: a}]}",
        "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
    ),
    case(
        WINDOWS,
        ALWAYS,
        "spec: {securityContext: {windowsOptions: {hostProcess: true}}, containers: [{name: a, securityContext: {windowsOptions: {hostProcess: true}}}, {name: b, securityContext: {windowsOptions: {hostProcess: true}}}]}",
        "hostProcess (pod and containers \"a\", \"b\" must not set securityContext.windowsOptions.hostProcess=true)",
    ),
];
