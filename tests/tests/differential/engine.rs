//! The three runtimes, each asked for a container that is created, started and deleted.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::scratch::Scratch;
use lazaret_tests::{deadline, outcome, programs};
use serde_json::Value;

/// A runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The one under test.
    Lazaret,
    /// Debian's.
    Runc,
    /// youki's library, through the program `reference`.
    Libcontainer,
}

impl Engine {
    /// All of them, in the order of a difference's values.
    pub(crate) const ALL: [Self; 3] = [Self::Lazaret, Self::Runc, Self::Libcontainer];

    fn command(self, verb: &str, root: &str, bundle: &str, id: &str) -> Command {
        let program = match self {
            Self::Lazaret => programs::lazaret(),
            Self::Runc => programs::installed("runc"),
            Self::Libcontainer => PathBuf::from(env!("CARGO_BIN_EXE_reference")),
        };
        let mut command = Command::new(program);
        match self {
            Self::Libcontainer => command.args([verb, root, bundle, id]),
            Self::Lazaret | Self::Runc => {
                command.args(["--root", root]);
                if self == Self::Lazaret {
                    command.args(["--mode", "native"]);
                }
                command.arg(verb);
                match verb {
                    "create" => command.args(["--bundle", bundle]),
                    "delete" => command.arg("--force"),
                    _ => &mut command,
                };
                command.arg(id)
            }
        };
        command
    }
}

/// A container that runs, and is deleted at the end.
pub(crate) struct Container<'a> {
    engine: Engine,
    bundle: &'a Bundle,
    state: Scratch,
    /// Its first process on the host.
    pub(crate) pid: i32,
}

impl<'a> Container<'a> {
    /// Creates and starts it, and waits until its workload runs; or what the runtime said.
    pub(crate) fn run(engine: Engine, bundle: &'a Bundle) -> Result<Self, String> {
        bundle.write();
        let mut container = Self { engine, bundle, state: Scratch::new(), pid: 0 };
        std::fs::create_dir(container.state.join("root")).unwrap();
        let said = container.state.join("said");
        let mut create = container.command("create");
        // Streams in files of the bundle: a pipe would not end before the container.
        create.stdin(Stdio::null()).stdout(File::create(bundle.path().join("stdout")).unwrap());
        create.stderr(File::create(&said).unwrap());
        let mut child = create.spawn().unwrap();
        if !deadline::ended(i32::try_from(child.id()).unwrap(), deadline::PATIENCE) {
            child.kill().unwrap();
        }
        let created = child.wait().unwrap().success();
        if !created {
            return Err(std::fs::read_to_string(&said).unwrap());
        }
        container.pid = container.first_process();
        let started = outcome::run(&mut container.command("start"));
        if started.status != 0 {
            return Err(started.stderr);
        }
        let runs = || {
            std::fs::read(format!("/proc/{}/cmdline", container.pid)).is_ok_and(|line| line.starts_with(b"/bin/sleep"))
        };
        if deadline::within(deadline::PATIENCE, runs) {
            Ok(container)
        } else {
            Err("the workload does not run".to_owned())
        }
    }

    fn command(&self, verb: &str) -> Command {
        let root = self.state.join("root").display().to_string();
        self.engine.command(verb, &root, &self.bundle.path().display().to_string(), self.bundle.id())
    }

    fn first_process(&self) -> i32 {
        let text = match self.engine {
            Engine::Libcontainer => {
                std::fs::read_to_string(self.state.join("root").join(self.bundle.id()).join("state.json")).unwrap()
            }
            Engine::Lazaret | Engine::Runc => outcome::run(&mut self.command("state")).expect(0).stdout,
        };
        let state: Value = serde_json::from_str(&text).unwrap();
        i32::try_from(state["pid"].as_i64().unwrap()).unwrap()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // libcontainer removes cgroups before the process that it has killed is gone from them.
        if self.engine == Engine::Libcontainer
            && let Some(pid) = rustix::process::Pid::from_raw(self.pid)
        {
            let killed = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            assert!(killed.is_ok() && deadline::ended(self.pid, deadline::PATIENCE) || std::thread::panicking());
        }
        let mut said = outcome::clean_up(&mut self.command("delete"));
        // What was never made cannot be deleted; what was must be.
        let deleted = self.pid == 0
            || deadline::within(deadline::PATIENCE, || {
                let gone = said.status == 0 || said.stderr.contains("does not exist");
                if !gone {
                    said = outcome::clean_up(&mut self.command("delete"));
                }
                gone
            });
        assert!(deleted || std::thread::panicking(), "{:?}: {said:?}", self.engine);
    }
}
