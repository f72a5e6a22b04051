//! Halves of a 64-bit argument. Classic BPF reads 32 bits at a time; the emitter and the interpreter share this.

/// The low 32 bits.
pub(crate) fn low(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The high 32 bits.
pub(crate) fn high(value: u64) -> u32 {
    low(value >> 32)
}

#[cfg(test)]
mod tests {
    use super::{high, low};

    #[test]
    fn halves_are_the_two_words() {
        assert_eq!(low(0x1122_3344_5566_7788), 0x5566_7788);
        assert_eq!(high(0x1122_3344_5566_7788), 0x1122_3344);
    }
}
