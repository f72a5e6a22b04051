//! Terminals: the master of the container's terminal goes to whoever listens on the console socket.

use std::io::{IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::json;

/// The descriptor that comes with the first message on a connection.
fn receive_descriptor(listener: &UnixListener) -> OwnedFd {
    let (connection, _) = listener.accept().unwrap();
    let mut bytes = [0_u8; 64];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&connection, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(mut rights) = message {
            return rights.next().expect("one descriptor");
        }
    }
    panic!("no descriptor came");
}

#[test]
#[ignore = "needs root: namespaces, terminals"]
fn the_terminal_is_handed_over_and_works() {
    let lazaret = Lazaret::new();
    let bundle =
        Bundle::shell("tty; read word; echo \"got $word\"").edit(|config| config["process"]["terminal"] = json!(true));
    bundle.write();
    let (path, socket) = (bundle.path().display().to_string(), bundle.path().join("console.sock"));
    let listener = UnixListener::bind(&socket).unwrap();
    let receiver = std::thread::spawn(move || receive_descriptor(&listener));
    let socket = socket.display().to_string();
    lazaret.verb(&["create", "--bundle", &path, "--console-socket", &socket, bundle.id()]).succeeds();
    let mut terminal = std::fs::File::from(receiver.join().unwrap());
    lazaret.verb(&["start", bundle.id()]).succeeds();
    terminal.write_all(b"hello\n").unwrap();
    let mut text = String::new();
    let mut bytes = [0_u8; 256];
    // The master answers EIO when the last terminal end is closed.
    while let Ok(count) = terminal.read(&mut bytes) {
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    assert!(text.contains("/dev/"), "it has a terminal: {text:?}");
    assert!(text.contains("got hello"), "{text:?}");
}

#[test]
#[ignore = "needs root: namespaces, terminals"]
fn a_terminal_without_a_console_socket_is_an_error_of_create() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("tty").edit(|config| config["process"]["terminal"] = json!(true));
    let outcome = lazaret.create(&bundle);
    assert_ne!(outcome.status, 0);
    outcome.explains(&["error[lazaret-", "console"]);
    lazaret.nothing_left(bundle.id());
}

#[test]
#[ignore = "needs root: namespaces, terminals"]
fn a_console_socket_that_is_not_there_is_named() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("tty").edit(|config| config["process"]["terminal"] = json!(true));
    bundle.write();
    let path = bundle.path().display().to_string();
    let outcome = lazaret.verb(&["create", "--bundle", &path, "--console-socket", "/no/such/socket", bundle.id()]);
    assert_ne!(outcome.status, 0);
    outcome.explains(&["error[lazaret-", "/no/such/socket"]);
    lazaret.nothing_left(bundle.id());
}
