//! What a probe answers: the feature is there, it is not, or the probe could not tell. The three are kept apart from the
//! place of the failure on: what a probe prepares for itself may fail without saying anything about its question.

use std::io;

/// What became of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The feature was used and had its effect.
    Present,
    /// The kernel, or what stands before it, said no.
    Absent,
    /// The probe could not be carried out.
    Unknown,
}

/// A detail of what is there, or why it is not known to be.
pub(super) type Answer = Result<String, Want>;

/// Why a feature is not known to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Want {
    /// It is not.
    Gap(String),
    /// That could not be found out.
    Unknown(String),
}

/// Steps of a probe.
pub(super) trait Step<T> {
    /// The step is the question.
    fn asked(self, what: &str) -> Result<T, Want>;
    /// The step only prepares it.
    fn prepared(self, what: &str) -> Result<T, Want>;
}

impl<T, E: Into<io::Error>> Step<T> for Result<T, E> {
    fn asked(self, what: &str) -> Result<T, Want> {
        self.map_err(|error| Want::Gap(failed(what, &error.into())))
    }

    fn prepared(self, what: &str) -> Result<T, Want> {
        self.map_err(|error| Want::Unknown(failed(what, &error.into())))
    }
}

/// An effect that has to be seen.
pub(super) fn effect(holds: bool, otherwise: &str) -> Result<(), Want> {
    if holds { Ok(()) } else { Err(Want::Gap(otherwise.to_owned())) }
}

/// `what: ENAME`.
fn failed(what: &str, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("{what}: {:?}", nix::errno::Errno::from_raw(number)),
        None => format!("{what}: {error}"),
    }
}

/// What a child writes to its parent.
pub(super) fn encode(answer: &Answer) -> Vec<u8> {
    let (letter, text) = match answer {
        Ok(text) => (b'+', text),
        Err(Want::Gap(text)) => (b'-', text),
        Err(Want::Unknown(text)) => (b'?', text),
    };
    [&[letter], text.as_bytes()].concat()
}

/// The same read again; `None` for what no child of ours wrote.
pub(super) fn decode(bytes: &[u8]) -> Option<Answer> {
    let (letter, text) = bytes.split_first()?;
    let text = String::from_utf8_lossy(text).into_owned();
    match letter {
        b'+' => Some(Ok(text)),
        b'-' => Some(Err(Want::Gap(text))),
        b'?' => Some(Err(Want::Unknown(text))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_back_as_it_was_given() {
        let all = [Ok("ABI 7".to_owned()), Err(Want::Gap("x: ENOSYS".to_owned())), Err(Want::Unknown(String::new()))];
        for answer in all {
            assert_eq!(decode(&encode(&answer)), Some(answer));
        }
        assert_eq!((decode(b""), decode(b"!x")), (None, None));
    }

    #[test]
    fn a_failed_question_is_a_gap_and_a_failed_preparation_is_not() {
        let failure = || Err::<(), _>(io::Error::from_raw_os_error(libc::ENOSYS));
        assert_eq!(failure().asked("call"), Err(Want::Gap("call: ENOSYS".to_owned())));
        assert_eq!(failure().prepared("call"), Err(Want::Unknown("call: ENOSYS".to_owned())));
    }
}
