//! The differential test: the same bundles under `lazaret --mode native`, under Debian's runc and under libcontainer
//! (youki's library), and what the container then is, read from the host, compared.
//!
//! Where lazaret and runc agree and libcontainer does not, that is libcontainer's matter; where lazaret stands alone it is
//! ours. Either way a difference must stand in [`known`] with its reason, or the test fails. Compiled with the feature `libcontainer`; run with `--ignored` as root.
#![allow(
    clippy::tests_outside_test_module,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "this whole crate is tests, and it shows the differences that it knows"
)]

mod bundles;
mod engine;
mod known;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use engine::Engine;
use known::Known;
use view::View;

/// What one property is under each engine; `None` where the engine has no such property, or did not run the bundle.
#[derive(Debug)]
struct Difference {
    bundle: &'static str,
    property: String,
    values: [Option<String>; 3],
    /// libcontainer did not run the bundle.
    pair: bool,
}

impl Difference {
    fn value(&self, who: Engine) -> Option<&str> {
        let [lazaret, runc, libcontainer] = &self.values;
        match who {
            Engine::Lazaret => lazaret,
            Engine::Runc => runc,
            Engine::Libcontainer => libcontainer,
        }
        .as_deref()
    }

    /// The engines of which one differs from the others; more than one where a third was not there to tell.
    fn deviants(&self) -> &'static [Engine] {
        let [lazaret, runc, libcontainer] = &self.values;
        if self.pair {
            &[Engine::Lazaret, Engine::Runc]
        } else if lazaret == runc {
            &[Engine::Libcontainer]
        } else if lazaret == libcontainer {
            &[Engine::Runc]
        } else {
            &[Engine::Lazaret]
        }
    }
}

fn compare(bundle: &'static str, views: [View; 3]) -> Vec<Difference> {
    let properties: BTreeSet<&String> = views.iter().flat_map(|view| view.keys()).collect();
    let values = |property: &String| {
        // An engine that did not run the bundle has one property: that it did not.
        views.each_ref().map(|view| view.get(property).cloned())
    };
    let differing = properties.iter().map(|property| (property, values(property)));
    let ran = views.each_ref().map(|view| view.len() > 1);
    differing
        .filter(|(property, values)| {
            let compared: Vec<_> = values
                .iter()
                .zip(ran)
                .filter(|(_, ran)| *ran || property.as_str() == view::RUN)
                .map(|(value, _)| value)
                .collect();
            compared.windows(2).any(|pair| pair[0] != pair[1])
        })
        .map(|(property, mut values)| {
            // Who did not run has no part in a difference: it is counted with runc, or with lazaret if that is runc.
            if property.as_str() != view::RUN {
                for (index, reference) in [(1, 0), (2, 1)] {
                    if !ran[index] {
                        values[index] = values[reference].clone();
                    }
                }
            }
            let pair = !ran[2] && property.as_str() != view::RUN;
            Difference { bundle, property: (*property).clone(), values, pair }
        })
        .collect()
}

#[test]
#[ignore = "needs root: containers under three runtimes"]
fn the_same_bundles_are_the_same_containers_under_every_runtime() {
    let helper = bundles::Namespaces::new();
    let mut unknown = Vec::new();
    let mut met = BTreeMap::new();
    let cases = bundles::all(&helper);
    assert!(cases.len() >= 40, "{}", cases.len());
    for case in &cases {
        let views = Engine::ALL.map(|engine| view::of(engine, &case.make()));
        for difference in compare(case.name, views) {
            let find =
                |who: &Engine| known::find(difference.bundle, &difference.property, *who, difference.value(*who));
            if let Some(entry) = difference.deviants().iter().find_map(find) {
                *met.entry(entry).or_insert(0) += 1;
            } else {
                unknown.push(difference);
            }
        }
    }
    for (index, entry) in known::ENTRIES.iter().enumerate() {
        let Known { bundle, property, who, reason, .. } = entry;
        let times = met.get(&index).copied().unwrap_or(0);
        println!("known, {times} times: {who:?} differs in {property:?} of {bundle:?}: {reason}");
    }
    println!("{} bundles compared, {} known differences", cases.len(), known::ENTRIES.len());
    let shown: Vec<String> = unknown
        .iter()
        .map(|difference| {
            let [lazaret, runc, libcontainer] = &difference.values;
            format!(
                "{}: {} ({:?} differs)\n  lazaret:      {lazaret:?}\n  runc:         {runc:?}\n  libcontainer: {libcontainer:?}",
                difference.bundle,
                difference.property,
                difference.deviants()
            )
        })
        .collect();
    assert!(shown.is_empty(), "{} unknown differences:\n{}", shown.len(), shown.join("\n"));
}
