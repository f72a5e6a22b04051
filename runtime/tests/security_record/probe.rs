//! The judge: whether a mode lets an attacker inside have a piece of surface, by what is shipped and not by opinion.
//!
//! System calls are asked of the emitted programs, capabilities and devices of the policy's tables, files of the kernel of
//! the lists that the launcher masks by, bundles of the policy itself. What only a running container shows names the
//! tests that show it, and those must exist.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use lazaret::bundle::Bundle;
use lazaret::lifecycle::kernel_paths;
use lazaret::options::Rules;
use lazaret::policy::host::Host;
use lazaret::policy::sandbox;
use lazaret::policy::tables::{capabilities, devices};
use lazaret::spec;
use lazaret_profiles::bpf::{Insn, answer};
use lazaret_profiles::class::Class;
use lazaret_profiles::plan::{Action, TRACE_DATA, Witness};
use lazaret_profiles::programs;
use lazaret_profiles::syscalls::{AUDIT_ARCH, Column, X32_BIT, by_name};
use serde_json::{Value, json};

use crate::entry::{Argument, Need};
use crate::paths::{Known, answers};

/// `AUDIT_ARCH_I386` of linux/audit.h: what the processor runs too.
const I386: u32 = 0x4000_0003;

/// Emulated calls that the sentry refuses where the bundle has not asked for more, with the proof.
const REFUSED_BY_THE_SENTRY: &[(&str, &str)] = &[
    ("mount", "attacks/mounts::mount_of_a_tmpfs_is_refused"),
    ("umount2", "attacks/mounts::umount_of_proc_is_refused"),
];

/// That strict mode lets nothing be written in procfs and sysfs, whatever the mounts say.
const STRICT_WRITES_NO_PROCFS: &str = "strict::procfs_is_not_written_to";

/// Whether `need` can be had in this mode.
pub(crate) fn is_met(need: &Need, mode: Column) -> bool {
    match need {
        Need::Call { name, arguments, .. } => calls(name, arguments, mode),
        Need::Any(_, ways) => ways.iter().any(|way| is_met(way, mode)),
        Need::Capability(name) => capabilities::CEILING.contains(name),
        Need::Device { path, major, minor } => has_device(path, *major, *minor),
        Need::Write(path) => writes(Path::new(path), mode),
        Need::Bundle { change, field, .. } => admits(*change, field),
        Need::Weakness { proofs, .. } => {
            proofs.iter().for_each(|proof| assert_test_exists(proof));
            proofs.is_empty()
        }
        Need::Outside(_) => true,
    }
}

/// Whether any of the mode's programs lets such a call through, by either way to its number.
fn calls(name: &str, arguments: &[Argument], mode: Column) -> bool {
    let row = by_name(name).unwrap_or_else(|| panic!("no system call is named {name}"));
    let answered = match REFUSED_BY_THE_SENTRY.iter().find(|(refused, _)| *refused == name) {
        Some((_, proof)) => {
            assert_test_exists(proof);
            false
        }
        None => matches!(row.choice(mode).class, Class::Emulate(_)),
    };
    Witness::ALL.iter().any(|witness| {
        let program = programs::of(mode, *witness);
        [row.number, row.number | X32_BIT].into_iter().any(|number| {
            let mut known = Known::of_architecture(AUDIT_ARCH).numbered(number);
            for argument in arguments {
                known = known.with_argument(argument.index, argument.mask, argument.value);
            }
            answers(program, known).into_iter().any(|found| passes(found) || (answered && asks(found)))
        })
    })
}

fn passes(found: u32) -> bool {
    found == answer(Action::Allow) || found == answer(Action::Log)
}

fn asks(found: u32) -> bool {
    found == answer(Action::Notify) || found == answer(Action::Trace(TRACE_DATA))
}

/// Whether the calls of another architecture get anywhere: a need that names a call would have a second door then.
pub(crate) fn has_second_door(program: &[Insn]) -> bool {
    answers(program, Known::of_architecture(I386)).into_iter().any(|found| found != answer(Action::KillProcess))
}

/// A device is had if the sandbox has it anyway, or if a bundle may list it.
fn has_device(path: &str, major: u32, minor: u32) -> bool {
    if devices::safe(major, minor).is_some() {
        return true;
    }
    let listed = json!([{"path": path, "type": "c", "major": major, "minor": minor, "fileMode": 438}]);
    admits(|config| config["linux"]["devices"] = listed.clone(), "linux.devices[0]")
}

/// A file of the kernel can be written to unless the launcher masks it or makes it read-only, or strict mode's Landlock
/// rules leave it out.
fn writes(path: &Path, mode: Column) -> bool {
    assert!(path.starts_with("/proc") || path.starts_with("/sys"), "{} is no file of the kernel", path.display());
    let shut = |paths: Vec<PathBuf>| paths.iter().any(|shut| path.starts_with(shut));
    if shut(kernel_paths::masked(&[], true)) || shut(kernel_paths::readonly(&[], true)) {
        return false;
    }
    match mode {
        Column::Sandbox => true,
        Column::Strict => {
            assert_test_exists(STRICT_WRITES_NO_PROCFS);
            false
        }
    }
}

/// Whether a bundle is admitted after the change. Strict mode has the policy of the sandbox. A refusal for another field
/// than `field` would prove nothing, and ends the test.
pub(crate) fn admits(change: impl Fn(&mut Value), field: &str) -> bool {
    let base = &*BASE;
    let mut config = base.config.clone();
    change(&mut config);
    let bundle = Bundle::parse(base.directory.clone(), config.to_string()).unwrap();
    let mut container = match spec::check(&bundle) {
        Ok(container) => container,
        Err(error) => panic!("the bundle is wrong before any policy looks at it: {error}"),
    };
    let judged =
        Host::gather(&container).and_then(|host| sandbox::admit(&mut container, &host, &Rules::default()).map(drop));
    let Err(error) = judged else { return true };
    let named = error.field().map_or("", |named| named.path());
    assert!(named.starts_with(field), "refused, but for {named} and not for {field}: {error}");
    false
}

struct Base {
    directory: PathBuf,
    config: Value,
}

/// The configuration that `lazaret spec` writes, with a root file system beside it.
static BASE: LazyLock<Base> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("lazaret-security-record-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("rootfs")).unwrap();
    lazaret::lifecycle::write_default_config(&directory).unwrap();
    let config = serde_json::from_slice(&std::fs::read(directory.join("config.json")).unwrap()).unwrap();
    Base { directory, config }
});

/// Removes what [`admits`] has made.
pub(crate) fn clean_up() {
    std::fs::remove_dir_all(&BASE.directory).unwrap();
}

/// A proof is a test of the host lane by its file and name: a function, or a row of `attacks!`.
fn assert_test_exists(proof: &str) {
    let (file, name) = proof.split_once("::").unwrap_or_else(|| panic!("{proof} is not file::test"));
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/tests/host")).join(format!("{file}.rs"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let is_function = lines.iter().enumerate().any(|(at, line)| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        line.starts_with(&format!("fn {name}()")) && attributes.into_iter().any(|line| line.starts_with("#[test]"))
    });
    let is_attack = lines.iter().any(|line| line.starts_with(&format!("{name}: [")));
    assert!(is_function || is_attack, "{proof}: no test of this name stands in {}", path.display());
}
