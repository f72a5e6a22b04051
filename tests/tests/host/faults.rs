//! What the host may do to a container's state behind lazaret's back: the answer is a clear error, and what runs can
//! still be deleted.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use serde_json::json;

/// The first of the host's ids that the container's user namespace has.
fn first_id(lazaret: &Lazaret, bundle: &Bundle) -> u32 {
    let pid = &lazaret.state(bundle.id())["pid"];
    let map = std::fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap();
    map.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_range_of_ids_is_not_given_twice_when_the_state_directory_moves() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("exec sleep 1000");
    lazaret.create(&bundle).succeeds();
    let first = first_id(&lazaret, &bundle);
    let moved = lazaret.root().with_file_name("moved");
    std::fs::rename(lazaret.root(), &moved).unwrap();
    // The same id below the same path, so that the search for a range begins where it began before.
    let namesake = bundle.edit(|config| config["linux"]["cgroupsPath"] = json!(format!("/second-{}", lazaret.tag())));
    lazaret.create(&namesake).succeeds();
    assert_ne!(first_id(&lazaret, &namesake), first, "two containers have the same ids");
    lazaret.verb(&["delete", "--force", namesake.id()]).succeeds();
    // Where it is now, the first can still be deleted.
    std::fs::remove_dir(lazaret.root()).unwrap();
    std::fs::rename(&moved, lazaret.root()).unwrap();
    lazaret.verb(&["delete", "--force", namesake.id()]).succeeds();
    lazaret.nothing_left(namesake.id());
}
