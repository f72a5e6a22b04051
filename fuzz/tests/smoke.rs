//! Each target on its kept corpus and on mutations of it, by the stable toolchain.
//!
//! A second each by default. `LAZARET_FUZZ_SECONDS=600` goes on for longer, `LAZARET_FUZZ_SEED=N` from elsewhere (where
//! it began is printed). A finding prints the seed that finds it again at once, and leaves its input in a file.

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use lazaret_fuzz::mutate::{self, Random};
    use lazaret_fuzz::{TARGETS, Target, corpus};

    fn number(name: &str, default: u64) -> u64 {
        std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
    }

    /// Says how to see a finding again.
    struct Told<'a> {
        target: &'a str,
        from: String,
        input: &'a [u8],
    }

    impl Drop for Told<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let path = std::env::temp_dir().join(format!("lazaret-finding-{}", self.target));
                let kept = std::fs::write(&path, self.input);
                println!("{}: {}; {} ({kept:?})", self.target, self.from, path.display());
            }
        }
    }

    fn smoke(target: &Target) {
        let kept = corpus::read(target.name);
        for (index, input) in kept.iter().enumerate() {
            let _told = Told { target: target.name, from: format!("kept input {index}"), input };
            (target.run)(input);
        }
        let (seconds, first) = (number("LAZARET_FUZZ_SECONDS", 1), number("LAZARET_FUZZ_SEED", 1));
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut seed = first;
        while Instant::now() < end || seed == first {
            let input = mutate::input(&mut Random::new(seed), &kept, target.words);
            let _told =
                Told { target: target.name, from: format!("again with LAZARET_FUZZ_SEED={seed}"), input: &input };
            (target.run)(&input);
            seed += 1;
        }
        println!("{}: {} kept inputs, then seeds {first} to {}", target.name, kept.len(), seed - 1);
    }

    fn named(name: &str) {
        smoke(TARGETS.iter().find(|target| target.name == name).expect("a target of this name"));
    }

    macro_rules! targets {
        ($($(#[$condition:meta])? $name:ident),+) => {
            $($(#[$condition])? #[test] fn $name() { named(stringify!($name)); })+

            #[test]
            fn every_target_is_run_here_and_has_a_program_and_a_corpus_within_its_bound() {
                let here = [$($(#[$condition])? stringify!($name)),+];
                assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), here);
                let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
                for name in here {
                    assert!(root.join("fuzz_targets").join(format!("{name}.rs")).is_file(), "{name}");
                    let kept = corpus::read(name);
                    let bytes: usize = kept.iter().map(Vec::len).sum();
                    assert!(!kept.is_empty() && bytes <= corpus::LIMIT, "{name}: {} inputs, {bytes} bytes", kept.len());
                }
            }
        };
    }

    targets!(
        config,
        #[cfg(feature = "door")]
        copyin,
        #[cfg(feature = "door")]
        decoder,
        emitter,
        filter,
        handoff,
        pods,
        profile,
        program,
        record,
        settings
    );
}
