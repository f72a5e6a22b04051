//! Attacks on the kernel's keyring: it has no namespace before 5.x and is shared by everybody with the same uid.

use crate::raw::{address, address_mut, call, text};
use crate::report::{Act, Outcome, Step as _, argument, without_effect};

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("add-key", add_key),
    ("read-key", read_key),
    ("request-key", request_key),
    ("link-key", link_key),
    ("drop-key", drop_key),
];

/// KEY_SPEC_USER_KEYRING: the keyring that all processes of a uid share.
const USER_KEYRING: u64 = -4_i64 as u64;
/// KEY_SPEC_PROCESS_KEYRING.
const PROCESS_KEYRING: u64 = -2_i64 as u64;
const KEYCTL_UNLINK: u64 = 9;
const KEYCTL_LINK: u64 = 8;
const KEYCTL_SEARCH: u64 = 10;
const KEYCTL_READ: u64 = 11;

/// Adds a key named by the first argument with the second as its payload.
fn add_key(arguments: &[String]) -> Outcome {
    let (kind, name, payload) = (text("user"), text(argument(arguments, 0)?), argument(arguments, 1)?);
    let call_arguments =
        [address(kind.as_c_str()), address(name.as_c_str()), address(payload), payload.len() as u64, USER_KEYRING];
    let key = call(libc::SYS_add_key, &call_arguments).step("add_key")?;
    Ok(format!("key {key} was added"))
}

fn search(name: &str) -> Result<u64, i32> {
    let (kind, name) = (text("user"), text(name));
    let arguments = [KEYCTL_SEARCH, USER_KEYRING, address(kind.as_c_str()), address(name.as_c_str()), 0];
    call(libc::SYS_keyctl, &arguments)
}

/// Reads the key named by the first argument; the second is the token that it must hold.
fn read_key(arguments: &[String]) -> Outcome {
    let (name, token) = (argument(arguments, 0)?, argument(arguments, 1)?);
    // Reading needs possession: link the user keyring into this process's own, as any process may.
    let linked = call(libc::SYS_keyctl, &[KEYCTL_LINK, USER_KEYRING, PROCESS_KEYRING]);
    let key = search(name).step("keyctl search")?;
    linked.step("keyctl link")?;
    let mut payload = [0_u8; 256];
    let length = call(libc::SYS_keyctl, &[KEYCTL_READ, key, address_mut(&mut payload), 256]).step("keyctl read")?;
    let text = String::from_utf8_lossy(payload.get(..length as usize).unwrap_or_default()).into_owned();
    if text == token { Ok(format!("the host's key says {text}")) } else { without_effect("keyctl read") }
}

fn request_key(arguments: &[String]) -> Outcome {
    let (kind, name) = (text("user"), text(argument(arguments, 0)?));
    // The user keyring is not searched by default: link it into the session's first, as any process may.
    let session = -3_i64 as u64;
    let linked = call(libc::SYS_keyctl, &[KEYCTL_LINK, USER_KEYRING, session]);
    let call_arguments = [address(kind.as_c_str()), address(name.as_c_str()), 0, 0];
    let key = call(libc::SYS_request_key, &call_arguments).step("request_key")?;
    linked.step("keyctl link")?;
    Ok(format!("key {key} was found"))
}

/// KEYCTL_LINK of the user keyring into the process's: grants possession of every key in it.
fn link_key(_: &[String]) -> Outcome {
    call(libc::SYS_keyctl, &[KEYCTL_LINK, USER_KEYRING, PROCESS_KEYRING]).step("keyctl link")?;
    Ok("the user keyring is possessed".to_owned())
}

/// Takes away what `add-key` added; the test's own clean-up on the host.
fn drop_key(arguments: &[String]) -> Outcome {
    let key = search(argument(arguments, 0)?).step("keyctl search")?;
    call(libc::SYS_keyctl, &[KEYCTL_UNLINK, key, USER_KEYRING]).step("keyctl unlink")?;
    Ok("dropped".to_owned())
}
