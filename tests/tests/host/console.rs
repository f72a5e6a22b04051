//! Terminals: the master of the container's terminal goes to whoever listens on the console socket.

use std::os::unix::net::UnixListener;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::descriptor;
use lazaret_tests::lazaret::Lazaret;
use serde_json::json;

#[test]
#[ignore = "needs root: namespaces, terminals"]
fn the_terminal_is_handed_over_and_works() {
    let lazaret = Lazaret::new();
    let bundle =
        Bundle::shell("tty; read word; echo \"got $word\"").edit(|config| config["process"]["terminal"] = json!(true));
    bundle.write();
    let (path, socket) = (bundle.path().display().to_string(), bundle.path().join("console.sock"));
    let listener = UnixListener::bind(&socket).unwrap();
    let receiver = std::thread::spawn(move || descriptor::receive(&listener));
    let socket = socket.display().to_string();
    lazaret.verb(&["create", "--bundle", &path, "--console-socket", &socket, bundle.id()]).succeeds();
    let master = receiver.join().unwrap();
    lazaret.verb(&["start", bundle.id()]).succeeds();
    let text = descriptor::converse(master, b"hello\n");
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
