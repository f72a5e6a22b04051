//! The layers gate: which module may name which. The arrows of the design point down only.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Named, module_of, named};
use super::source::File;

/// One forbidden edge: modules below `from` do not name what is below `to`.
#[derive(Debug, Clone, Copy)]
pub struct Edge {
    /// The module that is bound, as a path with `::`.
    pub from: &'static str,
    /// What it must not name.
    pub to: &'static [&'static str],
    /// Why.
    pub because: &'static str,
}

/// The edges that the design forbids.
pub const FORBIDDEN: &[Edge] = &[
    Edge {
        from: "lazaret_profiles",
        to: &["lazaret_sentry", "lazaret", "containerd_shim_lazaret", "libc", "nix", "rustix"],
        because: "profiles is pure: no system calls, and nothing above it",
    },
    Edge {
        from: "lazaret_sentry",
        to: &["lazaret", "tokio"],
        because: "the sentry knows no runtime and has no async code",
    },
    Edge {
        from: "lazaret_sentry::decide",
        to: &[
            "lazaret_sentry::tracee",
            "lazaret_sentry::copyin",
            "lazaret_sentry::notify",
            "lazaret_sentry::sys",
            "lazaret_sentry::ptrace",
            "lazaret_sentry::audit",
        ],
        because: "a decision has no way to look at memory that can still change",
    },
    Edge {
        from: "lazaret_sentry::handlers",
        to: &["lazaret_sentry::notify", "lazaret_sentry::ptrace", "lazaret_sentry::audit"],
        because: "only the court answers and records",
    },
    Edge {
        from: "lazaret::init",
        to: &[
            "lazaret::lifecycle",
            "lazaret::state",
            "lazaret::hooks",
            "lazaret::cgroup",
            "lazaret::policy",
            "lazaret::bundle",
        ],
        because: "what runs inside the namespaces sees nothing of the host side",
    },
    Edge {
        from: "lazaret",
        to: &["tokio", "containerd_shim", "containerd_shim_protos"],
        because: "the shim alone is async and speaks protobuf",
    },
    Edge {
        from: "lazaret::bundle",
        to: &["lazaret::policy", "lazaret::lifecycle", "lazaret::init"],
        because: "reading comes first",
    },
    Edge {
        from: "lazaret::spec",
        to: &["lazaret::policy", "lazaret::lifecycle", "lazaret::init", "lazaret::state"],
        because: "checking knows no policy",
    },
    Edge {
        from: "lazaret::policy",
        to: &["lazaret::lifecycle", "lazaret::init", "lazaret::state", "lazaret::cgroup"],
        because: "policy decides and does not act",
    },
    Edge {
        from: "lazaret::cgroup",
        to: &["lazaret::lifecycle", "lazaret::init", "lazaret::policy"],
        because: "arrows point down",
    },
    Edge {
        from: "lazaret::sys",
        to: &["lazaret::lifecycle", "lazaret::init", "lazaret::policy", "lazaret::state", "lazaret::spec"],
        because: "sys is the floor",
    },
];

/// Crates that nothing imports.
const LEAVES: &[&str] = &["lazaret_tests", "lazaret_benches", "containerd_shim_lazaret"];

/// Where `oci_spec` types may appear.
const OCI_ROOMS: &[&str] = &["lazaret::spec", "lazaret::policy", "lazaret::bundle", "lazaret_tests", "lazaret_benches"];

fn is_below(segments: &[String], prefix: &str) -> bool {
    let mut wanted = prefix.split("::");
    let mut have = segments.iter();
    wanted.all(|segment| have.next().is_some_and(|own| own == segment))
}

/// Every edge that a file draws and must not, as `path:line: from -> to: because`.
#[must_use]
pub fn violations(files: &[File]) -> Vec<String> {
    files.iter().filter(|file| !file.is_test()).flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<String> {
    let module = module_of(&file.path);
    let mut found = Vec::new();
    for named in named(file) {
        let mut object = |because: &str| {
            found.push(format!("{}:{}: names {}: {because}", file.path, named.line, named.segments.join("::")));
        };
        for edge in FORBIDDEN.iter().filter(|edge| is_below(&module, edge.from)) {
            if edge.to.iter().any(|to| is_below(&named.segments, to)) {
                object(edge.because);
            }
        }
        if LEAVES.iter().any(|leaf| is_below(&named.segments, leaf) && !is_below(&module, leaf)) {
            object("nothing imports tests, benches or shim");
        }
        if is_below(&named.segments, "oci_spec") && !OCI_ROOMS.iter().any(|room| is_below(&module, room)) {
            object("oci_spec types stay in spec and policy");
        }
        if is_other_handler(&module, &named) {
            object("a handler imports no other handler");
        }
    }
    found
}

fn is_other_handler(module: &[String], named: &Named) -> bool {
    let handlers = "lazaret_sentry::handlers";
    is_below(module, handlers)
        && is_below(&named.segments, handlers)
        && module.len() > 2
        && named.segments.len() > 2
        && module.get(2) != named.segments.get(2)
        && named.segments.get(2).is_some_and(|segment| segment.starts_with(|letter: char| letter.is_lowercase()))
}

/// Rules of [`FORBIDDEN`] that bind no file: a module was renamed and its rule was not.
#[must_use]
pub fn idle_rules(files: &[File]) -> Vec<&'static str> {
    let modules: Vec<Vec<String>> = files.iter().map(|file| module_of(&file.path)).collect();
    FORBIDDEN.iter().map(|edge| edge.from).filter(|from| !modules.iter().any(|module| is_below(module, from))).collect()
}

/// Circles between the top modules of a crate, each as the list of modules in it. A crate's `error` may name them all:
/// it is the sum of their errors.
#[must_use]
pub fn circles(files: &[File]) -> Vec<String> {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_test()) {
        let module = module_of(&file.path);
        let Some(from) = top(&module).filter(|name| !name.ends_with("::error")) else { continue };
        for named in named(file) {
            if named.segments.first() == module.first()
                && let Some(to) = top(&named.segments)
                && to != from
            {
                edges.entry(from.clone()).or_default().insert(to);
            }
        }
    }
    let modules: BTreeSet<String> = files.iter().filter_map(|file| top(&module_of(&file.path))).collect();
    edges.retain(|from, _| modules.contains(from));
    let reach = |from: &String| reachable(&edges, from);
    let in_circle: Vec<&String> = edges.keys().filter(|module| reach(module).contains(*module)).collect();
    in_circle
        .iter()
        .map(|module| {
            format!(
                "{module} -> {:?}",
                edges[*module].iter().filter(|to| reach(to).contains(*module)).collect::<Vec<_>>()
            )
        })
        .collect()
}

fn top(segments: &[String]) -> Option<String> {
    let second = segments.get(1)?;
    second.starts_with(|letter: char| letter.is_lowercase()).then(|| format!("{}::{second}", segments[0]))
}

fn reachable(edges: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let (mut seen, mut queue) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(module) = queue.pop() {
        for next in edges.get(&module).into_iter().flatten() {
            if seen.insert(next.clone()) {
                queue.push(next.clone());
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objections(path: &str, text: &str) -> usize {
        violations(&[File::new(path, text)]).len()
    }

    #[test]
    fn planted_violations_are_caught() {
        for (path, text) in [
            ("profiles/src/plan.rs", "use lazaret_sentry::handoff;"),
            ("sentry/src/decide.rs", "use crate::{request::Request, tracee::Tracee};"),
            ("sentry/src/decide.rs", "fn f() { crate::sys::read() }"),
            ("sentry/src/handlers/sysinfo.rs", "use super::hostname::set;"),
            ("sentry/src/handlers/sysinfo.rs", "use crate::notify::Listener;"),
            ("runtime/src/init/mounts.rs", "use crate::state;"),
            ("runtime/src/init/mod.rs", "fn f(x: crate::cgroup::Cgroup) {}"),
            ("runtime/src/lifecycle/create.rs", "use oci_spec::runtime::Spec;"),
            ("runtime/src/state.rs", "use containerd_shim::protos;"),
            ("runtime/src/main.rs", "use lazaret_tests::bundle;"),
        ] {
            assert_eq!(objections(path, text), 1, "{path}: {text}");
        }
    }

    #[test]
    fn lawful_edges_are_not() {
        for (path, text) in [
            ("sentry/src/court.rs", "use crate::{audit, handlers};"),
            ("sentry/src/handlers/sysinfo.rs", "use super::Answer; use crate::request::Request;"),
            ("runtime/src/lifecycle/create.rs", "use crate::{state, init, cgroup};"),
            ("runtime/src/spec/mod.rs", "use oci_spec::runtime::Spec;"),
            ("sentry/src/decide.rs", "// crate::sys is out of reach\nuse crate::verdict::Verdict;"),
        ] {
            assert_eq!(objections(path, text), 0, "{path}: {text}");
        }
    }

    #[test]
    fn a_circle_is_found() {
        let files = [
            File::new("runtime/src/a.rs", "use crate::b::X;"),
            File::new("runtime/src/b.rs", "use crate::c::X;"),
            File::new("runtime/src/c.rs", "use crate::a::X;"),
            File::new("runtime/src/d.rs", "use crate::a::X;"),
        ];
        assert_eq!(circles(&files).len(), 3);
        assert!(circles(&files[1..]).is_empty());
    }
}
