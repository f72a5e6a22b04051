//! The messages against a real server: dbus-daemon checks every byte of what it is sent, and hangs up at the first wrong
//! one. That systemd does what they say is proven where systemd runs.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::*;

/// A bus of the test's own, on a socket in a directory of its own.
struct Daemon {
    child: Child,
    directory: PathBuf,
}

impl Daemon {
    fn start(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("lazaret-test-bus-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let config = directory.join("bus.conf");
        let socket = directory.join("bus");
        let text = format!(
            "<busconfig><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/></policy></busconfig>",
            socket.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new("dbus-daemon")
            .args(["--nofork", "--nopidfile", "--print-address", "--config-file"])
            .arg(&config)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        assert!(address.starts_with("unix:"), "{address}");
        Self { child, directory }
    }

    fn connect(&self) -> Manager {
        let mut bus = Bus::connect(&self.directory.join("bus")).unwrap();
        bus.enter(JOBS).unwrap();
        Manager { bus, destination: Some(SYSTEMD) }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        let removed = std::fs::remove_dir_all(&self.directory);
        assert!(std::thread::panicking() || (ended.is_ok() && removed.is_ok()));
    }
}

fn everything() -> Vec<Property> {
    let property = |name, value| Property { name, value };
    vec![
        property("Description", Value::Text("a container".into())),
        property("Delegate", Value::Flag(true)),
        property("PIDs", Value::Processes(vec![1, 2])),
        property("MemoryMax", Value::Number(u64::MAX)),
        property("AllowedCPUs", Value::Bits(vec![0b101])),
        property("AllowedMemoryNodes", Value::Bits(Vec::new())),
    ]
}

/// Nobody on this bus is systemd: the answer says so, which the daemon can say only of a message that it has understood.
fn assert_understood<T: std::fmt::Debug>(answer: Result<T, BusError>) {
    match answer {
        Err(BusError::Refused { name, .. }) => assert_eq!(name, "org.freedesktop.DBus.Error.ServiceUnknown"),
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "needs dbus-daemon"]
fn every_call_is_well_formed() {
    let daemon = Daemon::start("calls");
    let mut manager = daemon.connect();
    assert_understood(manager.start("x.scope", &everything()));
    assert_understood(manager.start("x.scope", &[]));
    assert_understood(manager.set("x.scope", &everything()));
    assert_understood(manager.stop("x.scope"));
    assert_understood(manager.version());
}

#[test]
#[ignore = "needs dbus-daemon"]
fn a_call_that_lies_about_its_body_is_not_understood() {
    let daemon = Daemon::start("lie");
    let mut manager = daemon.connect();
    let mut body = Writer::default();
    body.u32(7);
    let answer = manager.bus.call(manager.method("StopUnit"), "ss", body);
    assert!(matches!(answer, Err(BusError::Socket { .. })), "the daemon hangs up: {answer:?}");
}
