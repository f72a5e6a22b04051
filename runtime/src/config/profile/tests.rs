//! The shipped profiles, and what a user can write.

use super::*;

fn of(text: &str) -> Result<Profile, ConfigError> {
    parse_profile("own", Path::new("/p/own.toml"), text)
}

#[test]
fn every_shipped_profile_is_read_loosens_nothing_and_says_what_it_is() {
    for (name, text) in PROFILES {
        let profile = profile(name).unwrap();
        assert!(profile.loosened.is_empty() && !profile.about.is_empty(), "{profile:?}");
        assert!(text.lines().count() <= 30 && text.starts_with("# "), "{name}");
        profile.changes().unwrap();
    }
    let named = |name| profile(name).unwrap();
    for (left, right) in
        [("sandbox", "strict"), ("privileged", "baseline"), ("baseline", "restricted"), ("restricted", "hardened")]
    {
        assert_eq!(named(left).loosened_by(&named(right)), Vec::<String>::new(), "{left} to {right}");
        assert!(!named(right).loosened_by(&named(left)).is_empty(), "{right} to {left}");
    }
    let hardened = named("hardened");
    assert_eq!((hardened.mode, hardened.level), (Mode::Strict, Some(Level::Hardened)));
    assert!(
        hardened.ceiling.as_ref().unwrap().is_empty()
            && hardened.read_only_root
            && hardened.path_rules
            && !hardened.nested
    );
    assert!(!hardened.allows_sysctl("kernel.msgmax") && hardened.allows_sysctl("net.ipv4.tcp_rmem"));
}

#[test]
fn what_a_child_says_holds_and_what_it_loosens_is_told() {
    let own = of("extends = \"hardened\"\n[calls]\nrefuse = [\"getcpu\"]\nallow = [\"ptrace\", \"shmget\"]\n\
                  [capabilities]\nceiling = [\"CAP_CHOWN\"]\n[mounts]\nread_only_root = false\n[sysctls]\nallow = [\"net.*\"]\n")
    .unwrap();
    assert!(own.refuse.contains("getcpu") && !own.refuse.contains("ptrace") && own.allow.contains("shmget"));
    assert!(own.allows_sysctl("net.core.somaxconn") && !own.allows_sysctl("kernel.msgmax"));
    let keys: Vec<_> = own.loosened.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(keys, ["calls.refuse", "calls.allow", "capabilities.ceiling", "mounts.read_only_root", "sysctls.allow"]);
    assert_eq!(of("extends = \"strict\"\nmode = \"sandbox\"").unwrap().loosened, ["mode: sandbox instead of strict"]);
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    for (text, said) in [
        ("", "/p/own.toml:1: mode = (nothing): a profile has a mode, its own or that of the one it extends"),
        (
            "mode = \"native\"\n[calls]\nrefuse = [\"bpf\"]",
            "/p/own.toml:3: calls.refuse = [\"bpf\"]: in native mode the bundle alone decides: no walls of lazaret's stand",
        ),
        (
            "mode = \"strict\"\n[calls]\nallow = [\"bpf\"]",
            "/p/own.toml:3: calls.allow = [\"bpf\"]: \"bpf\" cannot be allowed: ",
        ),
        (
            "mode = \"strict\"\n[calls]\nrefuse = [\"execve\"]",
            "/p/own.toml:3: calls.refuse = [\"execve\"]: \"execve\" cannot be refused: no container starts without it",
        ),
        (
            "mode = \"strict\"\n[calls]\nrefuse = [\"ptrac\"]",
            "/p/own.toml:3: calls.refuse = [\"ptrac\"]: \"ptrac\" is no system call; did you mean \"ptrace\"?",
        ),
        (
            "extends = \"hardend\"",
            "there is no profile \"hardend\": /etc/lazaret/profiles/hardend.toml does not exist; did you mean \"hardened\"?",
        ),
        (
            "mode = \"sandbox\"\n[capabilities]\nceiling = [\"CAP_SYS_ADMIN\"]",
            "/p/own.toml:3:12: capabilities.ceiling = \"CAP_SYS_ADMIN\": \"CAP_AUDIT_WRITE\" or ",
        ),
        (
            "mode = \"sandbox\"\n[landlok]\nrules = \"paths\"",
            "/p/own.toml:2:2: unknown key \"landlok\"; did you mean \"landlock\"?",
        ),
    ] {
        let error = of(text).unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn profiles_that_extend_each_other_are_refused() {
    let path = std::env::temp_dir().join(format!("lazaret-profile-{}.toml", std::process::id()));
    std::fs::write(&path, format!("extends = {path:?}\n")).unwrap();
    let error = profile(path.to_str().unwrap()).unwrap_err();
    std::fs::remove_file(path).unwrap();
    assert!(error.to_string().contains("profiles that extend each other"), "{error}");
}

#[test]
fn the_example_of_the_document_can_be_used_and_its_table_is_true() {
    let document = include_str!("../../../../docs/profiles.md");
    let example = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(of(example).unwrap().loosened[0].starts_with("calls.allow"));
    for (name, _) in PROFILES {
        let profile = profile(name).unwrap();
        assert!(document.contains(&format!("`{name}`")) && document.contains(profile.mode.name()), "{name}");
    }
}
