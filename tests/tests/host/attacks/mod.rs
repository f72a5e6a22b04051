//! Attacks from inside, one test each, and the procedure that proves them.

mod entry_gates;
mod identities;
mod kernel_calls;
mod mounts;
mod namespaces;
mod processes;
mod sockets;
mod terminals;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret};
use lazaret_tests::runc;
use lazaret_tests::verdict::{self, Verdict};

/// One attack and all that makes its refusal a proof.
pub(crate) struct Attack<'a> {
    /// The attacker's arguments.
    pub(crate) arguments: &'a [&'a str],
    /// The errnos that are a refusal; 0 is "returned, and had no effect".
    pub(crate) refused: &'a [i32],
    /// The system call that the audit record must name.
    pub(crate) witnessed: Option<&'a str>,
    /// The honest act beside it.
    pub(crate) neighbour: &'a str,
    /// What the control may answer besides success, when this kernel was built without the thing attacked.
    pub(crate) absent: &'a [i32],
    /// Whether the root stays read-only under the lax configuration: the attack is on that.
    pub(crate) read_only: bool,
}

impl Attack<'_> {
    fn lax(&self, admissible: bool) -> Bundle {
        let bundle = Bundle::attacker(self.arguments);
        let bundle = if admissible { bundle.lax_but_admissible() } else { bundle.lax() };
        if self.read_only { bundle.edit(|config| config["root"]["readonly"] = true.into()) } else { bundle }
    }

    /// The attack works where nothing stops it.
    fn control(&self) {
        let bundle = self.lax(false).without_namespace("cgroup");
        let verdict = verdict::of(&runc::run(&bundle));
        let is_absent = !verdict.ok && self.absent.contains(&verdict.errno);
        assert!(verdict.ok || is_absent, "the positive control failed, so the test proves nothing: {verdict:?}");
    }

    fn assert_refused(&self, verdict: &Verdict, how: &str) {
        assert!(!verdict.ok, "the attack succeeded {how}: {verdict:?}");
        assert!(self.refused.contains(&verdict.errno), "refused {how}, but in another way: {verdict:?}");
    }

    /// The attack by a process that joins a container with every capability.
    fn prove_joined(&self, lazaret: &Lazaret) {
        let bundle = self.lax(true).args(&["/bin/sleep", "1000"]);
        let running = lazaret.launch(&bundle);
        let words = [&["exec", running.id(), "/attacker"], self.arguments].concat();
        let verdict = verdict::of(&lazaret.verb(&words));
        self.assert_refused(&verdict, "by a process that joined");
        if let Some(name) = self.witnessed {
            assert!(running.witnessed(name), "no record of {name} by a process that joined");
        }
        running.delete();
    }

    /// Control; then, with either interceptor, the attack and its neighbour.
    pub(crate) fn prove(&self) {
        self.control();
        for interceptor in INTERCEPTORS {
            self.prove_against(interceptor);
        }
    }

    /// Attack under the default configuration, attack with every capability, witness, neighbour.
    fn prove_against(&self, interceptor: &str) {
        let lazaret = &Lazaret::by(interceptor);
        let verdict = verdict::of(&lazaret.run(&Bundle::attacker(self.arguments)));
        self.assert_refused(&verdict, &format!("under the default configuration with {interceptor}"));
        let strict = Lazaret::with_options(&["--mode", "strict", "--interceptor", interceptor]);
        let in_strict = verdict::of(&strict.run(&self.lax(true)));
        assert!(!in_strict.ok, "the attack succeeded in strict mode with {interceptor}: {in_strict:?}");
        let bundle = self.lax(true);
        let running = lazaret.launch(&bundle);
        running.wait();
        let verdict = verdict::parse(&running.output()).unwrap_or_else(|| panic!("no verdict: {}", running.output()));
        self.assert_refused(&verdict, &format!("with every capability and {interceptor}"));
        if let Some(name) = self.witnessed {
            assert!(running.witnessed(name), "no record of {name}: {:?}", lazaret.audit(running.id()));
        }
        running.delete();
        self.prove_joined(lazaret);
        let honest = verdict::of(&lazaret.run(&Bundle::attacker(&[self.neighbour]).lax_but_admissible()));
        assert!(honest.ok, "the honest neighbour {} is refused too by {interceptor}: {honest:?}", self.neighbour);
    }
}

/// One test for each attack: `name: [arguments], refused [errnos], witnessed call, beside neighbour;`, with
/// `absent [errnos]` for what a kernel may lack.
macro_rules! attacks {
    ($($name:ident: $arguments:expr, refused $refused:expr, witnessed $witnessed:expr, beside $neighbour:literal
       $(, absent $absent:expr)? $(, read_only $read_only:literal)?;)*) => {
        $(
            #[test]
            #[ignore = "needs root: namespaces, mounts, seccomp, runc"]
            fn $name() {
                #[allow(unused_mut, reason = "not every attack has the optional parts")]
                let mut attack = $crate::attacks::Attack {
                    arguments: &$arguments,
                    refused: &$refused,
                    witnessed: $witnessed,
                    neighbour: $neighbour,
                    absent: &[],
                    read_only: false,
                };
                $(attack.absent = &$absent;)?
                $(attack.read_only = $read_only;)?
                attack.prove();
            }
        )*
    };
}
pub(crate) use attacks;
