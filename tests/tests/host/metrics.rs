//! `lazaret metrics`: what Prometheus reads agrees with what happened, live and over HTTP on a unix socket.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::deadline;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret};
use lazaret_tests::scratch::Scratch;
use serde_json::json;

/// The value of the sample that begins so.
#[track_caller]
fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(sample)).unwrap_or_else(|| panic!("no {sample} in {text}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// Every line is a comment or a sample of the family that was named last.
#[track_caller]
fn is_exposition(text: &str) {
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap().to_owned();
        } else if !line.starts_with("# HELP ") {
            assert!(line.starts_with(&family), "{line} is not of {family}");
            let (name, number) = line.rsplit_once(' ').unwrap();
            assert!(number.parse::<f64>().is_ok(), "{line}");
            let (open, close) = (name.matches('{').count(), name.matches('}').count());
            assert_eq!((open, close), (open.min(1), open), "{line}");
        }
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn counts_are_there_while_the_container_lives() {
    for interceptor in INTERCEPTORS {
        let lazaret = Lazaret::by(interceptor);
        let line = "for i in 1 2 3 4 5; do mount -t tmpfs none /mnt; done; uptime; echo ready; exec sleep 1000";
        let bundle = Bundle::shell(line).edit(|config| {
            config["annotations"]["io.kubernetes.cri.sandbox-name"] = json!("web-0");
            config["annotations"]["io.kubernetes.cri.sandbox-namespace"] = json!("shop");
        });
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let text = lazaret.verb(&["metrics", running.id()]).succeeds().stdout.clone();
        is_exposition(&text);
        let labels = format!("{{sandbox=\"{}\",pod_name=\"web-0\",namespace_name=\"shop\"", running.id());
        let calls = |syscall: &str, verdict: &str| {
            value(&text, &format!("lazaret_syscalls_total{labels},syscall=\"{syscall}\",verdict=\"{verdict}\"}}"))
        };
        assert!((calls("mount", "refused") - 5.0).abs() < 0.1, "{interceptor}: {text}");
        assert!(calls("sysinfo", "answered") >= 1.0, "{interceptor}: {text}");
        let count = value(&text, &format!("lazaret_notify_latency_seconds_count{labels}}}"));
        assert!(count >= 6.0, "{interceptor}: {text}");
        let sum = value(&text, &format!("lazaret_notify_latency_seconds_sum{labels}}}"));
        assert!(sum > 0.0 && sum < 60.0, "{interceptor}: {text}");
        let last = value(&text, &format!("lazaret_notify_latency_seconds_bucket{labels},le=\"+Inf\"}}"));
        assert!((last - count).abs() < 0.1, "{interceptor}: {text}");
        assert!(value(&text, &format!("lazaret_sandbox_overhead_bytes{labels}}}")) > 4096.0, "{interceptor}: {text}");
        assert!(text.contains(&format!("mode=\"sandbox\",interceptor=\"{interceptor}\",status=\"running\"")), "{text}");
        // What joins counts along.
        lazaret.verb(&["exec", running.id(), "/bin/sh", "-c", "mount -t tmpfs none /mnt; true"]).succeeds();
        let text = lazaret.verb(&["metrics", running.id()]).succeeds().stdout.clone();
        let sample = format!("lazaret_syscalls_total{labels},syscall=\"mount\",verdict=\"refused\"}}");
        assert!((value(&text, &sample) - 6.0).abs() < 0.1, "{interceptor}: {text}");
        running.delete();
    }
}

#[test]
#[ignore = "needs root: namespaces"]
fn a_container_without_a_sentry_has_what_there_is() {
    let lazaret = Lazaret::with_options(&["--mode", "native"]);
    let bundle = Bundle::shell("echo ready; exec sleep 1000");
    let running = lazaret.launch(&bundle);
    running.says("ready");
    let text = lazaret.verb(&["metrics"]).succeeds().stdout.clone();
    is_exposition(&text);
    assert!((value(&text, "lazaret_sandboxes_running ") - 1.0).abs() < 0.1, "{text}");
    assert!(
        text.contains("mode=\"native\",interceptor=\"none\"") && !text.contains("lazaret_syscalls_total"),
        "{text}"
    );
    running.delete();
}

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        if self.0.kill().is_ok() {
            self.0.wait().ok();
        }
    }
}

fn request(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
#[ignore = "needs root: the state directory"]
fn a_server_answers_get_and_nothing_else_and_survives_its_clients() {
    let lazaret = Lazaret::new();
    let scratch = Scratch::new();
    let socket = scratch.join("metrics");
    let place = format!("unix:{}", socket.display());
    let server = || Server(lazaret.command(&["metrics", "--listen", &place]).stdout(Stdio::null()).spawn().unwrap());
    let first = server();
    deadline::until("the server", || UnixStream::connect(&socket).is_ok());
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let answer = request(&socket, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("version=0.0.4"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    is_exposition(body);
    assert!(request(&socket, "GET /other HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(request(&socket, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert!(request(&socket, "\r\n\r\n").starts_with("HTTP/1.1 40"));
    drop(UnixStream::connect(&socket).unwrap());
    let mut endless = UnixStream::connect(&socket).unwrap();
    while endless.write_all(&[b'x'; 4096]).is_ok() {}
    assert!(request(&socket, "GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
    let second = lazaret.verb(&["metrics", "--listen", &place]);
    second.explains(&["error[lazaret-1721]", "Address already in use", "hint:"]);
    drop(first);
    let _again = server();
    deadline::until("a server after one that was killed", || UnixStream::connect(&socket).is_ok());
}

#[test]
#[ignore = "needs root: the state directory"]
fn what_cannot_be_listened_on_or_is_not_there_is_said() {
    let lazaret = Lazaret::new();
    lazaret.verb(&["metrics", "--listen", "127.0.0.1:9"]).explains(&["error[lazaret-1720]", "unix:PATH", "hint:"]);
    lazaret.verb(&["metrics", "--listen", "unix:/no/such/place/x"]).explains(&["error[lazaret-1721]", "No such file"]);
    lazaret.verb(&["metrics", "nobody"]).explains(&["error[lazaret-1001]", "does not exist"]);
    let empty = lazaret.verb(&["metrics"]);
    assert!(empty.succeeds().stdout.contains("lazaret_sandboxes 0"), "{empty:?}");
}
