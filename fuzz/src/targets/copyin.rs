//! Any call, whatever it points to, is copied in as a slow reading of the same memory would have it, within its bounds.

use std::cell::RefCell;

use lazaret_profiles::syscalls::{AUDIT_ARCH, TABLE, by_name};
use lazaret_sentry::fuzz_door::{self, Copied, Trap};
use lazaret_sentry::limits;

use crate::draw::Draw;
use crate::sys::{Memory, PAGE};

/// Pages that a pointer may point into.
const PAGES: usize = 3;

/// Characters of the names of all flags of a call at most.
const FLAGS: usize = 512;

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::new(Memory::new(PAGES));
}

/// What stands in the memory, to be read without a system call.
struct Guest<'a> {
    memory: &'a Memory,
    bytes: Vec<u8>,
}

/// Runs it.
pub fn run(input: &[u8]) {
    MEMORY.with_borrow(|memory| {
        let draw = &mut Draw::new(input);
        let is_named = draw.below(2) == 0;
        let number = match draw.below(16) {
            0 => draw.half(),
            _ if is_named => by_name(draw.pick(&["mount", "umount2", "sethostname", "setdomainname"])).unwrap().number,
            _ => TABLE[draw.below(TABLE.len())].number,
        };
        let architecture = if draw.byte() == 0xee { draw.half() } else { AUDIT_ARCH };
        let arguments: [u64; 6] = std::array::from_fn(|_| any_argument(memory, draw));
        let guest = fill(memory, draw);
        let trap = Trap { number, architecture, arguments };
        compare(&guest, trap, &fuzz_door::copied(trap));
    });
}

/// A number, or an address in the memory or beside it.
fn any_argument(memory: &Memory, draw: &mut Draw<'_>) -> u64 {
    let (start, len) = (memory.start(), u64::try_from(memory.len()).unwrap());
    let offset = u64::try_from(draw.below(PAGES * PAGE)).unwrap();
    match draw.below(8) {
        0 => draw.word(),
        1 => offset,
        2 => u64::MAX - offset % 16,
        3 => u64::from(draw.byte()),
        4 => start + len - offset % 512,
        5 => start - offset % 16,
        6 => start + PAGE as u64 - 8 + offset % 16,
        _ => start + offset,
    }
}

/// Writes the rest of the input over and over, so that it stands at the end too.
fn fill<'a>(memory: &'a Memory, draw: &mut Draw<'_>) -> Guest<'a> {
    let is_once = draw.below(2) == 0;
    let pattern = std::mem::replace(draw, Draw::new(&[])).rest();
    let mut bytes = vec![if is_once { 0 } else { b'x' }; memory.len()];
    if !pattern.is_empty() {
        let count = if is_once { 1 } else { usize::MAX };
        for chunk in bytes.rchunks_mut(pattern.len()).take(count) {
            let len = chunk.len();
            chunk.copy_from_slice(&pattern[..len]);
        }
    }
    memory.write(0, &bytes);
    Guest { memory, bytes }
}

impl Guest<'_> {
    /// The bytes from an address to the end of what can be read; `None` where nothing is ours to tell.
    fn from(&self, address: u64) -> Option<&[u8]> {
        let offset = address.checked_sub(self.memory.start())?;
        self.bytes.get(usize::try_from(offset).ok()?..)
    }

    /// The C string there, or its first `limit` bytes; the inner `None` where it runs into memory that is none.
    #[expect(
        clippy::option_option,
        reason = "memory that is not ours to tell and memory that cannot be read are two things"
    )]
    fn string(&self, address: u64, limit: usize) -> Option<Option<&[u8]>> {
        let bytes = self.from(address)?;
        let looked_at = bytes.get(..limit).unwrap_or(bytes);
        let end = looked_at.iter().position(|byte| *byte == 0);
        Some(end.or((looked_at.len() == limit).then_some(limit)).and_then(|end| looked_at.get(..end)))
    }
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut kept: String = text.chars().take(limits::RECORDED_TEXT).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

fn compare(guest: &Guest<'_>, trap: Trap, copied: &Copied) {
    assert!(copied.what.chars().count() <= limits::RECORDED_WHAT + 1, "{}", copied.what);
    assert!(copied.arguments.len() <= 6);
    for (argument, value) in copied.arguments.iter().zip(trap.arguments) {
        let most = if argument.string.is_some() { limits::RECORDED_TEXT + 1 } else { FLAGS };
        assert!(argument.text.chars().count() <= most, "{}", argument.text);
        // What is decided on is compared below; of that a record hides some.
        let limit = argument.string.filter(|_| value != 0 && copied.strings.is_empty());
        if let Some(expected) = limit.and_then(|limit| guest.string(value, limit)) {
            assert_eq!(argument.text, expected.map_or_else(|| "?".to_owned(), shown), "at {value:#x}");
        }
    }
    compare_decided(guest, trap, copied);
    if let Some(name) = &copied.name {
        compare_name(guest, trap, name.as_deref());
    }
}

/// The bytes that a mount is decided on.
fn compare_decided(guest: &Guest<'_>, trap: Trap, copied: &Copied) {
    for (place, limit, bytes) in &copied.strings {
        let address = trap.arguments[*place];
        if let Some(expected) = guest.string(address, *limit) {
            let expected = expected.filter(|expected| expected.len() < *limit);
            assert_eq!(bytes.as_deref(), expected, "at {address:#x}");
        }
    }
    assert!(!copied.decision.contains("Continue"), "{}", copied.decision);
}

/// The bytes that a name is decided on.
fn compare_name(guest: &Guest<'_>, trap: Trap, name: Option<&[u8]>) {
    let [address, len, ..] = trap.arguments;
    let len = usize::try_from(len & 0xffff_ffff).unwrap();
    let expected = (len <= limits::HOSTNAME).then(|| guest.from(address)).flatten().map(|bytes| bytes.get(..len));
    match expected {
        Some(expected) => assert_eq!(name, expected),
        None => assert!(name.is_none_or(|name| name.len() <= limits::HOSTNAME && name.len() == len)),
    }
}
