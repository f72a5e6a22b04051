//! Mutations of inputs from a seed: the same seed makes the same inputs, on any machine.

/// Bytes that an input may grow to.
const LONGEST: usize = 8192;

/// Marsaglia's xorshift64.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds are taken far apart, and none is 0.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap_or_default() % end.max(1)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

/// An input made of one or two of `corpus` and of `words`; now and then of nothing but noise.
#[must_use]
pub fn input(random: &mut Random, corpus: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    if corpus.is_empty() || random.below(4) == 0 {
        let most = 1 << random.below(12);
        let count = random.below(most);
        return random.bytes(count);
    }
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(6) {
        change(random, &mut input, corpus, words);
    }
    input.truncate(LONGEST);
    input
}

fn change(random: &mut Random, input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str]) {
    let at = random.below(input.len() + 1);
    match random.below(8) {
        0 | 1 => {
            let noise = random.next().to_le_bytes()[5];
            if let Some(byte) = input.get_mut(at) {
                *byte = if noise & 1 == 0 { noise } else { *byte ^ 1 << (noise >> 5) };
            }
        }
        2 => {
            let values = [0, 1, 0x7f, 0x80, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX];
            let value = values[random.below(values.len())].to_le_bytes();
            for (byte, value) in input.iter_mut().skip(at).zip(value).take(1 << random.below(4)) {
                *byte = value;
            }
        }
        3 => drop(input.drain(at..(at + random.below(32)).min(input.len()))),
        4 => {
            let count = random.below(16);
            let noise = random.bytes(count);
            input.splice(at..at, noise);
        }
        5 => {
            let copy = input[at..(at + random.below(256)).min(input.len())].to_vec();
            let to = random.below(input.len() + 1);
            input.splice(to..to, copy);
        }
        6 if !words.is_empty() => {
            let word = words[random.below(words.len())].bytes();
            let end = (at + random.below(8)).min(input.len());
            input.splice(at..end, word);
        }
        _ => {
            let other = &corpus[random.below(corpus.len())];
            input.truncate(at);
            input.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
    }
}
