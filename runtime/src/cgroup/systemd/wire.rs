//! D-Bus messages as bytes, as far as the calls to systemd need them (D-Bus specification, "Message Protocol"). Pure; used
//! by `bus` and `manager`. It reads nothing that it does not bound.

/// Types of messages.
pub(super) const METHOD_CALL: u8 = 1;
pub(super) const METHOD_RETURN: u8 = 2;
pub(super) const ERROR: u8 = 3;
pub(super) const SIGNAL: u8 = 4;

/// Bytes before the header fields: order, type, flags, version, length of the body, serial, length of the fields.
pub(super) const FIXED: usize = 16;
/// The longest message taken. Those that matter here have a few hundred bytes.
const LONGEST: usize = 1 << 20;

// Codes of header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

const ORDER: u8 = if cfg!(target_endian = "little") { b'l' } else { b'B' };

/// Writes values with the alignment that each type has, counted from the start of what is written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn align(&mut self, to: usize) {
        while !self.bytes.len().is_multiple_of(to) {
            self.bytes.push(0);
        }
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// `u`; `b` is the same with 0 or 1.
    pub(super) fn u32(&mut self, value: u32) {
        self.align(4);
        self.bytes.extend(value.to_ne_bytes());
    }

    /// `t`.
    pub(super) fn u64(&mut self, value: u64) {
        self.align(8);
        self.bytes.extend(value.to_ne_bytes());
    }

    /// `s`, and `o`.
    pub(super) fn text(&mut self, value: &str) {
        self.u32(length(value.len()));
        self.bytes.extend(value.bytes());
        self.bytes.push(0);
    }

    /// `g`.
    pub(super) fn signature(&mut self, value: &str) {
        self.bytes.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
        self.bytes.extend(value.bytes());
        self.bytes.push(0);
    }

    /// `(`.
    pub(super) fn structure(&mut self) {
        self.align(8);
    }

    /// `a`: the elements are those that `fill` writes, each aligned to `alignment`.
    pub(super) fn array(&mut self, alignment: usize, fill: impl FnOnce(&mut Self)) {
        self.u32(0);
        let at = self.bytes.len() - 4;
        self.align(alignment);
        let start = self.bytes.len();
        fill(self);
        let written = length(self.bytes.len() - start).to_ne_bytes();
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&written);
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// What is longer than this cannot be sent; [`call`] refuses it as a whole.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A method, and where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method<'a> {
    /// `None` on a connection that has one peer and no bus.
    pub(super) destination: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
}

/// A method call; `signature` is that of `body`, and empty without one. `None` when it is too long to be sent.
pub(super) fn call(method: Method<'_>, serial: u32, signature: &str, body: &[u8]) -> Option<Vec<u8>> {
    if body.len() > LONGEST {
        return None;
    }
    let mut message = Writer::default();
    for byte in [ORDER, METHOD_CALL, 0, 1] {
        message.byte(byte);
    }
    message.u32(length(body.len()));
    message.u32(serial);
    message.array(8, |fields| {
        let mut text = |code, kind, value| {
            fields.structure();
            fields.byte(code);
            fields.signature(kind);
            fields.text(value);
        };
        text(PATH, "o", method.path);
        text(INTERFACE, "s", method.interface);
        text(MEMBER, "s", method.member);
        if let Some(destination) = method.destination {
            text(DESTINATION, "s", destination);
        }
        if !signature.is_empty() {
            fields.structure();
            fields.byte(SIGNATURE);
            fields.signature("g");
            fields.signature(signature);
        }
    });
    message.structure();
    let mut bytes = message.into_bytes();
    bytes.extend(body);
    Some(bytes)
}

/// What is read of a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) reply_to: Option<u32>,
    pub(super) member: String,
    pub(super) error_name: String,
    pub(super) signature: String,
    body: Vec<u8>,
}

/// Length of the whole message by its first [`FIXED`] bytes; `None` for what is no message, or too long a one.
pub(super) fn length_of(fixed: &[u8; FIXED]) -> Option<usize> {
    let mut reader = Reader { bytes: fixed, at: 0 };
    if reader.byte()? != ORDER {
        return None;
    }
    reader.skip(3)?;
    let body = usize::try_from(reader.u32()?).ok()?;
    reader.skip(4)?;
    let fields = usize::try_from(reader.u32()?).ok()?;
    let header = FIXED.checked_add(fields)?.checked_next_multiple_of(8)?;
    header.checked_add(body).filter(|length| *length <= LONGEST)
}

impl Message {
    /// Reads a whole message; `None` when it breaks the protocol.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader { bytes, at: 1 };
        let mut message = Self { kind: reader.byte()?, ..Self::default() };
        reader.skip(2)?;
        let body = usize::try_from(reader.u32()?).ok()?;
        reader.skip(4)?;
        let fields = usize::try_from(reader.u32()?).ok()?;
        let end = reader.at.checked_add(fields)?;
        while reader.at < end {
            message.read_field(&mut reader)?;
        }
        reader.align(8)?;
        message.body = bytes.get(reader.at..reader.at.checked_add(body)?)?.to_vec();
        Some(message)
    }

    fn read_field(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        reader.align(8)?;
        let code = reader.byte()?;
        match (reader.signature()?, code) {
            ("u", REPLY_SERIAL) => self.reply_to = Some(reader.u32()?),
            ("u", _) => drop(reader.u32()?),
            ("g", SIGNATURE) => reader.signature()?.clone_into(&mut self.signature),
            ("s", MEMBER) => reader.text()?.clone_into(&mut self.member),
            ("s", ERROR_NAME) => reader.text()?.clone_into(&mut self.error_name),
            ("s" | "o", _) => drop(reader.text()?),
            _ => return None,
        }
        Some(())
    }

    pub(super) fn body(&self) -> Reader<'_> {
        Reader { bytes: &self.body, at: 0 }
    }
}

/// Reads values, counted from the start of what is read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(drop)
    }

    fn align(&mut self, to: usize) -> Option<()> {
        self.skip(self.at.checked_next_multiple_of(to)? - self.at)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.align(4)?;
        Some(u32::from_ne_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.u32()?).ok()?;
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        (self.byte()? == 0).then_some(text)
    }

    pub(super) fn signature(&mut self) -> Option<&'a str> {
        let length = usize::from(self.byte()?);
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        (self.byte()? == 0).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: Method<'_> = Method {
        destination: Some("org.freedesktop.DBus"),
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        member: "Hello",
    };

    #[test]
    fn a_call_is_read_back_and_knows_its_length() {
        let mut body = Writer::default();
        body.text("a");
        body.u64(7);
        let bytes = call(HELLO, 3, "st", &body.into_bytes()).unwrap();
        let fixed: [u8; FIXED] = bytes[..FIXED].try_into().unwrap();
        assert_eq!(length_of(&fixed), Some(bytes.len()));
        let message = Message::parse(&bytes).unwrap();
        assert_eq!((message.kind, message.member.as_str(), message.signature.as_str()), (METHOD_CALL, "Hello", "st"));
        let mut reader = message.body();
        assert_eq!(reader.text(), Some("a"));
        assert_eq!(reader.u32(), Some(if cfg!(target_endian = "little") { 7 } else { 0 }));
    }

    #[test]
    fn arrays_count_their_elements_without_the_padding_before() {
        let mut writer = Writer::default();
        writer.array(8, |elements| elements.u64(1));
        let bytes = writer.into_bytes();
        assert_eq!((bytes.len(), &bytes[..4]), (16, &8_u32.to_ne_bytes()[..]));
    }

    #[test]
    fn what_breaks_the_protocol_is_nothing() {
        let good = call(HELLO, 1, "", &[]).unwrap();
        for end in 0..good.len() {
            assert_eq!(Message::parse(&good[..end]), None, "{end}");
        }
        let mut long: [u8; FIXED] = good[..FIXED].try_into().unwrap();
        long[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(length_of(&long), None);
        long[0] = b'X';
        assert_eq!(length_of(&long), None);
    }
}
