//! The hostile workload: performs one attack, or one honest piece of work, and prints one JSON line about it.
//!
//! The harness copies this static program into a container's root file system and runs it there as the workload, and
//! the same way under runc as the positive control. `attacker NAME ARGUMENTS...` prints `{"attack", "ok", "errno",
//! "step", "evidence"}`; `ok` means that the attack reached its goal, and `evidence` says how one can tell. It changes
//! nothing but what the test made for it: host-global knobs are opened and never written.
#![expect(unsafe_code, reason = "attacks are raw system calls; this program never runs outside of tests")]
#![allow(
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_lossless,
    reason = "an attack passes whatever bits it likes to the kernel, and tells its story on standard output"
)]

mod files;
mod honest;
mod identity;
mod kernel;
mod keyring;
mod machine;
mod mounts;
mod namespaces;
mod nested;
mod processes;
mod raw;
mod report;
mod slow;
mod sockets;
mod stuck;
mod supervised;
mod surface;
mod terminal;
mod turmoil;

use report::{Act, Outcome};

/// Every attack and every honest neighbour by name.
fn acts() -> Vec<(&'static str, Act)> {
    [
        mounts::ACTS,
        namespaces::ACTS,
        nested::ACTS,
        processes::ACTS,
        kernel::ACTS,
        keyring::ACTS,
        machine::ACTS,
        sockets::ACTS,
        terminal::ACTS,
        files::ACTS,
        identity::ACTS,
        stuck::ACTS,
        supervised::ACTS,
        surface::ACTS,
        slow::ACTS,
        turmoil::ACTS,
        honest::ACTS,
    ]
    .concat()
}

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        println!("usage: attacker NAME ARGUMENTS...; or: attacker list");
        return std::process::ExitCode::from(2);
    };
    if name == "list" {
        for (name, _) in acts() {
            println!("{name}");
        }
        return std::process::ExitCode::SUCCESS;
    }
    let Some((name, act)) = acts().into_iter().find(|(known, _)| known == name) else {
        println!("unknown attack {name}");
        return std::process::ExitCode::from(2);
    };
    let outcome: Outcome = act(rest);
    println!("{}", report::line(name, &outcome));
    std::process::ExitCode::SUCCESS
}
