//! What the kernel is told of a container's process beside its identity, by what the process or the host then sees:
//! priorities, scheduler, execution domain, clocks, memory policy, network devices, and the agent of its filter.

use std::io::{IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{outcome, programs};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use serde_json::{Value, json};

fn native() -> Lazaret {
    Lazaret::with_options(&["--mode", "native"])
}

/// Both modes: what every container may ask for.
fn both() -> [Lazaret; 2] {
    [Lazaret::new(), native()]
}

/// What a program of the host prints about the process `pid`.
fn asked(program: &str, arguments: &[&str], pid: i32) -> String {
    let pid = pid.to_string();
    let mut command = Command::new(programs::installed(program));
    outcome::run(command.args([arguments, &[pid.as_str()]].concat())).succeeds().stdout.clone()
}

fn sleeper(key: &str, value: &Value) -> Bundle {
    Bundle::shell("echo ready; exec sleep 1000").edit(|config| config["process"][key] = value.clone())
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn io_priorities_are_those_of_the_bundle() {
    for lazaret in both() {
        for (value, expected) in [
            (json!({"class": "IOPRIO_CLASS_BE", "priority": 6}), "best-effort: prio 6\n"),
            (json!({"class": "IOPRIO_CLASS_IDLE", "priority": 0}), "idle\n"),
        ] {
            let bundle = sleeper("ioPriority", &value);
            let running = lazaret.launch(&bundle);
            assert_eq!(asked("ionice", &["-p"], running.pid()), expected);
            running.delete();
        }
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn schedulers_are_those_of_the_bundle() {
    for lazaret in both() {
        for (value, policy, nice) in [
            (json!({"policy": "SCHED_BATCH", "nice": 7}), "SCHED_BATCH", "7"),
            (json!({"policy": "SCHED_IDLE"}), "SCHED_IDLE", "0"),
            (
                json!({"policy": "SCHED_OTHER", "nice": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}),
                "SCHED_OTHER|SCHED_RESET_ON_FORK",
                "3",
            ),
        ] {
            let bundle = sleeper("scheduler", &value);
            let running = lazaret.launch(&bundle);
            running.says("ready");
            let seen = asked("chrt", &["-p"], running.pid());
            assert!(seen.contains(&format!("policy: {policy}\n")), "{value}: {seen}");
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", running.pid())).unwrap();
            let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
            assert_eq!(fields[16], nice, "{value}");
            running.delete();
        }
    }
}

/// A real-time policy is the machine's to grant: obeyed with the priority that was asked for, or refused by name.
#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_real_time_policy_is_obeyed_or_refused_by_name_and_never_in_a_sandbox() {
    let bundle = sleeper("scheduler", &json!({"policy": "SCHED_RR", "priority": 5}));
    let lazaret = native();
    let created = lazaret.create(&bundle);
    if created.status == 0 {
        let pid = i32::try_from(lazaret.state(bundle.id())["pid"].as_i64().unwrap()).unwrap();
        let seen = asked("chrt", &["-p"], pid);
        assert!(seen.contains("policy: SCHED_RR\n") && seen.contains("priority: 5\n"), "{seen}");
        lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
    } else {
        created.explains(&["process.scheduler", "RoundRobin", "Operation not permitted"]);
        lazaret.nothing_left(bundle.id());
    }
    let sandbox = Lazaret::new();
    let refused = sandbox.create(&bundle);
    assert_ne!(refused.status, 0);
    refused.explains(&["error[lazaret-1322]", "process.scheduler.policy"]);
    sandbox.nothing_left(bundle.id());
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_32_bit_domain_names_a_32_bit_machine() {
    for lazaret in both() {
        for (domain, machine) in [("LINUX32", "i686\n"), ("LINUX", "x86_64\n")] {
            let bundle =
                Bundle::shell("uname -m").edit(|config| config["linux"]["personality"] = json!({"domain": domain}));
            assert_eq!(lazaret.run(&bundle).expect(0).stdout, machine);
        }
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn clocks_are_ahead_by_what_the_bundle_says() {
    for lazaret in both() {
        let bundle = Bundle::shell("cat /proc/uptime; cat /proc/self/timens_offsets").edit(|config| {
            config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "time"}));
            config["linux"]["timeOffsets"] =
                json!({"boottime": {"secs": 1_000_000_000, "nanosecs": 5}, "monotonic": {"secs": 77}});
        });
        let seen = lazaret.run(&bundle).expect(0).stdout;
        let uptime: f64 = seen.split_whitespace().next().unwrap().parse().unwrap();
        assert!(uptime > 1e9, "{seen}");
        let words: Vec<&str> = seen.lines().skip(1).flat_map(str::split_whitespace).collect();
        assert_eq!(words, ["monotonic", "77", "0", "boottime", "1000000000", "5"]);
        // Without offsets a new time namespace shows the host's clocks.
        let bundle = Bundle::shell("cat /proc/uptime").edit(|config| {
            config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "time"}));
        });
        let seen = lazaret.run(&bundle).expect(0).stdout;
        assert!(seen.split_whitespace().next().unwrap().parse::<f64>().unwrap() < 1e9, "{seen}");
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn memory_policies_are_those_of_the_bundle() {
    for lazaret in both() {
        let bundle = Bundle::shell("head -1 /proc/self/numa_maps")
            .edit(|config| config["linux"]["memoryPolicy"] = json!({"mode": "MPOL_BIND", "nodes": "0"}));
        let ran = lazaret.run(&bundle);
        if Path::new("/proc/self/numa_maps").exists() {
            assert!(ran.expect(0).stdout.contains(" bind:0 "), "the policy shows");
        } else {
            ran.explains(&["linux.memoryPolicy", "not implemented"]);
        }
    }
}

/// In a network namespace of the test's own, entered by `ip netns exec`: the host keeps its devices.
#[test]
#[ignore = "needs root: network namespaces"]
fn a_network_device_moves_with_its_addresses_and_gets_its_name() {
    let lazaret = native();
    let bundle = Bundle::shell("ip -o addr show dev lan0; ip -o link show dev lan0")
        .edit(|config| config["linux"]["netDevices"] = json!({"lazdummy": {"name": "lan0"}}));
    bundle.write();
    let mut inner = lazaret.command(&["run", "--bundle", &bundle.path().display().to_string(), bundle.id()]);
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let set_up = "ip link add lazdummy type veth peer name lazpeer && ip link set lazpeer up && ip addr add 192.0.2.7/24 dev lazdummy && ip link set lazdummy up";
    let line = format!("{set_up} && {} && ! ip link show lazdummy 2>/dev/null", words.join(" "));
    inner = Command::new(programs::installed("unshare"));
    inner.args(["--net", "sh", "-c", &line]).env("LAZARET_TEST_ROOT", lazaret.tag());
    let outcome = outcome::run(&mut inner).expect(0);
    assert!(outcome.stdout.contains("192.0.2.7/24"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains(",UP"), "{}", outcome.stdout);
    lazaret.nothing_left(bundle.id());
    let missing = Bundle::new().edit(|config| config["linux"]["netDevices"] = json!({"nosuchdev": {}}));
    let refused = lazaret.create(&missing);
    assert_ne!(refused.status, 0);
    refused.explains(&["error[lazaret-1471]", "nosuchdev"]);
    lazaret.nothing_left(missing.id());
    let sandbox = Lazaret::new();
    sandbox.create(&missing).explains(&["error[lazaret-1322]", "linux.netDevices"]);
    sandbox.nothing_left(missing.id());
}

/// A bundle whose profile asks an agent about making a directory.
fn notifying(socket: &Path, no_new_privileges: bool) -> Bundle {
    Bundle::shell("mkdir /tmp/a 2>&1; echo asked $?; exec sleep 1000").edit(|config| {
        config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": socket, "listenerMetadata": "who: test",
            "syscalls": [{"names": ["mkdirat", "mkdir"], "action": "SCMP_ACT_NOTIFY"}]
        });
    })
}

/// What an agent gets: the one message of a connection, and the descriptor with it.
fn received(connection: &std::os::unix::net::UnixStream) -> (Value, OwnedFd) {
    let mut bytes = vec![0; 65536];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let got =
        rustix::net::recvmsg(connection, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
            .unwrap();
    let fds: Vec<OwnedFd> = ancillary
        .drain()
        .filter_map(|message| if let RecvAncillaryMessage::ScmRights(fds) = message { Some(fds) } else { None })
        .flatten()
        .collect();
    let mut rest = Vec::new();
    (&*connection).read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "one message, then the end");
    let [fd] = <[OwnedFd; 1]>::try_from(fds).unwrap();
    (serde_json::from_slice(&bytes[..got.bytes]).unwrap(), fd)
}

#[test]
#[ignore = "needs root: seccomp listeners"]
fn the_agent_gets_the_listener_while_the_container_is_created() {
    for no_new_privileges in [false, true] {
        let lazaret = native();
        let scratch = lazaret_tests::scratch::Scratch::new();
        let socket = scratch.join("agent");
        let agent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let bundle = notifying(&socket, no_new_privileges);
        let running = lazaret.launch(&bundle);
        let (state, listener) = received(&agent.accept().unwrap().0);
        assert_eq!(state["fds"], json!(["seccompFd"]));
        assert_eq!(state["metadata"], "who: test");
        assert_eq!((&state["state"]["id"], &state["state"]["status"]), (&json!(bundle.id()), &json!("creating")));
        assert_eq!(state["pid"], lazaret.state(bundle.id())["pid"]);
        let link = std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&listener))).unwrap();
        assert_eq!(link.to_str(), Some("anon_inode:seccomp notify"));
        let mut asked = [rustix::event::PollFd::new(&listener, rustix::event::PollFlags::IN)];
        let second = rustix::event::Timespec { tv_sec: 5, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut asked, Some(&second)), Ok(1), "the call waits for the agent");
        assert!(!running.output().contains("asked"), "{}", running.output());
        // It is the last copy: without an agent the calls fail, and nobody hangs.
        drop(listener);
        running.says("Function not implemented");
        running.says("asked 1");
        running.delete();
    }
}

#[test]
#[ignore = "needs root: seccomp listeners"]
fn without_an_agent_nothing_is_created_and_a_sandbox_takes_none() {
    let lazaret = native();
    let bundle = notifying(Path::new("/nonexistent/agent"), true);
    let refused = lazaret.create(&bundle);
    assert_ne!(refused.status, 0);
    refused.explains(&["error[lazaret-1027]", "/nonexistent/agent", "linux.seccomp.listenerPath"]);
    lazaret.nothing_left(bundle.id());
    let sandbox = Lazaret::new();
    let refused = sandbox.create(&bundle);
    assert_ne!(refused.status, 0);
    refused.explains(&["error[lazaret-1322]", "linux.seccomp.listenerPath", "sentry"]);
    sandbox.nothing_left(bundle.id());
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_process_that_joins_runs_on_its_processors_and_goes_before_nobody() {
    for lazaret in both() {
        let bundle = Bundle::shell("exec sleep 1000");
        let running = lazaret.launch(&bundle);
        let process = |more: Value| {
            let mut process = bundle.config["process"].clone();
            process["args"] = json!([
                "/bin/sh",
                "-c",
                "grep Cpus_allowed_list /proc/self/status; echo $(cut -d' ' -f19 /proc/self/stat)"
            ]);
            process.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let file = bundle.path().join("process.json");
            std::fs::write(&file, process.to_string()).unwrap();
            lazaret.verb(&["exec", "--process", &file.display().to_string(), running.id()])
        };
        let both = process(json!({"execCPUAffinity": {"initial": "0", "final": "1"}})).expect(0).stdout;
        assert_eq!(both.split_whitespace().nth(1), Some("1"), "{both}");
        let first =
            process(json!({"execCPUAffinity": {"initial": "0"}, "scheduler": {"policy": "SCHED_OTHER", "nice": 4}}));
        assert_eq!(first.expect(0).stdout.split_whitespace().collect::<Vec<_>>(), ["Cpus_allowed_list:", "0", "4"]);
        let absent = process(json!({"execCPUAffinity": {"final": "1000"}}));
        assert_ne!(absent.status, 0);
        absent.explains(&["process.execCPUAffinity.final"]);
        if lazaret.state(running.id())["annotations"]["dev.lazaret.mode"] == "sandbox" {
            let refused = process(json!({"scheduler": {"policy": "SCHED_FIFO", "priority": 1}}));
            assert_ne!(refused.status, 0);
            refused.explains(&["error[lazaret-1322]", "process.scheduler.policy"]);
        }
        running.delete();
    }
}

/// A process that is killed at the end of the test.
struct Helper(std::process::Child);

impl Drop for Helper {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_time_namespace_is_joined_by_path() {
    let mut command = Command::new(programs::installed("unshare"));
    command.args(["--time", "--boottime", "1000000000", "--fork", "--kill-child", "sleep", "60"]);
    let helper = Helper(command.spawn().unwrap());
    let children = format!("/proc/{0}/task/{0}/children", helper.0.id());
    let first = || std::fs::read_to_string(&children).ok()?.split_whitespace().next().map(str::to_owned);
    lazaret_tests::deadline::until("a child in the namespace", || first().is_some());
    let path = format!("/proc/{}/ns/time", first().unwrap());
    let bundle = Bundle::shell("cat /proc/uptime").edit(|config| {
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "time", "path": path}));
    });
    let seen = native().run(&bundle).expect(0).stdout;
    assert!(seen.split_whitespace().next().unwrap().parse::<f64>().unwrap() > 1e9, "{seen}");
}
