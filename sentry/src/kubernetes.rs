//! A line of the records as an event of Kubernetes' audit log (`audit.k8s.io/v1`, `Event`), for tools that read those.
//!
//! Called by whoever prints records. Trusts nothing: a damaged line becomes an event that says so, and no text of a guest
//! moves a terminal. The event's id is made of the line, so that the same line is the same event whenever it is read.

use lazaret_profiles::syscalls::{self, Family};
use serde_json::{Map, Value, json};

use crate::admission::{Admission, Verdict};
use crate::record::{Dropped, Level, Line, Outcome, Record};
use crate::{limits, record_line, text};

/// Annotations in which containerd's CRI plugin and CRI-O name a pod's namespace.
pub const NAMESPACE_ANNOTATIONS: &[&str] = &["io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"];

/// The pod that the lines of a container belong to, where an engine names one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its uid.
    pub uid: Option<String>,
}

impl Pod {
    /// From the annotations that containerd's CRI plugin, or CRI-O, gives each container.
    pub fn of<'a>(annotation: impl Fn(&str) -> Option<&'a str>) -> Self {
        let first = |keys: &[&str]| keys.iter().find_map(|key| annotation(key)).map(str::to_owned);
        Self {
            namespace: first(NAMESPACE_ANNOTATIONS),
            name: first(&["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"]),
            uid: first(&["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"]),
        }
    }
}

/// The line, without its end, as one event; `None` for a summary, which repeats in numbers what came before.
#[must_use]
pub fn event(line: &[u8], pod: &Pod) -> Option<String> {
    let id = id_of(line);
    let event = match serde_json::from_slice(line) {
        Ok(Line::Decision(record)) => decision(&record, pod),
        Ok(Line::Admission(admission)) => of_admission(&admission, pod),
        Ok(Line::Dropped(dropped)) => of_dropped(&dropped),
        Ok(Line::Summary(_)) => return None,
        Err(_not_a_record) => damaged(line),
    };
    let mut event = event;
    event.insert("auditID".to_owned(), id.into());
    Some(record_line::shown(&Value::Object(event)))
}

/// What every event has.
fn event_of(level: Level, time: &str, verb: &str, uri: &str) -> Map<String, Value> {
    let time = micro_time(time);
    let event = json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level.name(),
        "stage": "ResponseComplete",
        "requestURI": uri,
        "verb": verb,
        "userAgent": concat!("lazaret/", env!("CARGO_PKG_VERSION")),
        "requestReceivedTimestamp": time,
        "stageTimestamp": time,
    });
    if let Value::Object(event) = event { event } else { Map::new() }
}

/// A call of a guest. Its user on the host says nothing to Kubernetes: who called is the container.
fn decision(record: &Record<'_>, pod: &Pod) -> Map<String, Value> {
    let path = record.args.0.iter().map(|(_, text)| text.as_ref()).find(|text| text.starts_with('/'));
    let uri = format!("/syscall/{}{}", record.syscall, path.unwrap_or_default());
    let mut event = event_of(record.level, &record.time, &record.syscall, &uri);
    event.insert(
        "user".to_owned(),
        json!({
            "username": format!("container:{}", record.container),
            "extra": {
                "lazaret.dev/pid": [record.pid.to_string()],
                "lazaret.dev/exe": [record.exe],
            },
        }),
    );
    let name = path.unwrap_or(&record.container);
    event.insert("objectRef".to_owned(), object(resource(&record.syscall), name, pod));
    let (is_refused, word) = match record.verdict {
        Outcome::Refused => (true, "refused"),
        Outcome::Answered => (false, "answered"),
    };
    event.insert("responseStatus".to_owned(), status(is_refused, 200, record.errno.as_deref()));
    if record.level >= Level::Request {
        event.insert("requestObject".to_owned(), json!(record.args));
    }
    if let Some(value) = record.value {
        event.insert("responseObject".to_owned(), json!({ "value": value }));
    }
    let annotations = [
        ("container", Some(record.container.as_ref())),
        ("decision", Some(word)),
        ("rule", Some(record.rule.as_ref())),
        ("technique", record.technique.as_deref()),
        ("what", Some(record.what.as_ref())),
        ("reason", record.why.as_deref()),
        ("remedy", record.allow.as_deref()),
        ("error", record.error.as_deref()),
    ];
    event.insert("annotations".to_owned(), annotated(&annotations));
    event
}

/// A create of a container that policy had something to say about.
fn of_admission(admission: &Admission<'_>, pod: &Pod) -> Map<String, Value> {
    let pod = Pod {
        namespace: admission.namespace.as_deref().map(str::to_owned).or_else(|| pod.namespace.clone()),
        name: admission.pod.as_deref().map(str::to_owned).or_else(|| pod.name.clone()),
        uid: pod.uid.clone(),
    };
    let (uri, object) = match (&pod.namespace, &pod.name) {
        (Some(namespace), Some(name)) => {
            (format!("/api/v1/namespaces/{namespace}/pods/{name}"), object("pods", name, &pod))
        }
        _ => (format!("/containers/{}", admission.container), object("containers", &admission.container, &pod)),
    };
    let mut event = event_of(admission.level, &admission.time, "create", &uri);
    event.insert("user".to_owned(), json!({ "username": format!("uid:{}", admission.user) }));
    event.insert("objectRef".to_owned(), object);
    let is_refused = admission.verdict == Verdict::Refused;
    event.insert("responseStatus".to_owned(), status(is_refused, 201, admission.why.as_deref()));
    if let Some(field) = admission.field.as_deref().filter(|_| admission.level >= Level::Request) {
        event.insert("requestObject".to_owned(), json!({ field: admission.asked }));
    }
    if let Some(answer) = &admission.answer {
        event.insert("responseObject".to_owned(), json!({ "kind": "Status", "apiVersion": "v1", "message": answer }));
    }
    let code = admission.code.map(|code| code.to_string());
    let annotations = [
        ("container", Some(admission.container.as_ref())),
        ("decision", Some(admission.verdict.name())),
        ("rule", Some(admission.rule.as_ref())),
        ("code", code.as_deref()),
        ("field", admission.field.as_deref()),
        ("reason", admission.why.as_deref()),
        ("remedy", admission.allow.as_deref()),
    ];
    event.insert("annotations".to_owned(), annotated(&annotations));
    event
}

fn of_dropped(dropped: &Dropped<'_>) -> Map<String, Value> {
    let mut event = event_of(Level::Metadata, &dropped.time, "drop", "/records");
    let count = dropped.count.to_string();
    event.insert("annotations".to_owned(), annotated(&[("dropped", Some(count.as_str()))]));
    event
}

fn damaged(line: &[u8]) -> Map<String, Value> {
    let mut event = event_of(Level::Metadata, "1970-01-01T00:00:00.000000000Z", "read", "/records");
    let cut = text::cut(line, limits::RECORDED_TEXT);
    event.insert("annotations".to_owned(), annotated(&[("damaged", Some(cut.as_str()))]));
    event
}

fn object(resource: &str, name: &str, pod: &Pod) -> Value {
    let mut object = Map::new();
    let fields = [
        ("resource", Some(resource)),
        ("namespace", pod.namespace.as_deref()),
        ("name", Some(name)),
        ("uid", pod.uid.as_deref().filter(|_| resource == "pods")),
        ("apiVersion", (resource == "pods").then_some("v1")),
    ];
    for (key, text) in fields {
        object.extend(text.map(|text| (key.to_owned(), text.into())));
    }
    Value::Object(object)
}

fn status(is_refused: bool, success: u32, message: Option<&str>) -> Value {
    let mut status = Map::new();
    status.insert("metadata".to_owned(), json!({}));
    status.extend(message.map(|message| ("message".to_owned(), message.into())));
    if is_refused {
        status.insert("status".to_owned(), "Failure".into());
        status.insert("reason".to_owned(), "Forbidden".into());
    }
    status.insert("code".to_owned(), if is_refused { 403 } else { success }.into());
    Value::Object(status)
}

/// Kubernetes' annotations are texts.
fn annotated(all: &[(&str, Option<&str>)]) -> Value {
    let given = all.iter().filter_map(|(key, text)| Some((format!("lazaret.dev/{key}"), Value::from((*text)?))));
    Value::Object(given.collect())
}

/// What a call is about, as a resource.
fn resource(syscall: &str) -> &'static str {
    match syscalls::by_name(syscall).map(|row| row.family) {
        Some(Family::Io | Family::File) => "files",
        Some(Family::Network) => "sockets",
        Some(Family::Mount) => "mounts",
        Some(Family::Namespace) => "namespaces",
        Some(Family::Memory) => "memory",
        Some(
            Family::Process | Family::Schedule | Family::Signal | Family::Identity | Family::Sync | Family::Inspect,
        ) => "processes",
        Some(
            Family::Time | Family::Ipc | Family::Async | Family::Security | Family::Info | Family::Admin | Family::Dead,
        )
        | None => "system",
    }
}

/// Kubernetes' `MicroTime`: six digits of a second.
fn micro_time(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, rest)) => {
            let digits = rest.trim_end_matches('Z');
            format!("{seconds}.{:0<6}Z", digits.get(..6).unwrap_or(digits))
        }
        None => time.to_owned(),
    }
}

/// A UUID (version 8, RFC 9562: of one's own making) of two FNV-1a hashes of the line.
fn id_of(line: &[u8]) -> String {
    let hash = |seed: u64| line.iter().fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    let high = hash(0xcbf2_9ce4_8422_2325) & !0xf000 | 0x8000;
    let low = hash(0x6c62_272e_07bb_0142) & !(3 << 62) | 2 << 62;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = r#"{"kind":"decision","version":1,"time":"2026-01-02T03:04:05.123456789Z","level":"Request",
        "container":"c1","pid":7,"exe":"/bin/sh","syscall":"mount","args":{"source":"none","target":"/mnt"},
        "what":"mount none on /mnt","verdict":"refused","errno":"EPERM","value":null,"rule":"emulated",
        "technique":"escape.mount","why":"w","allow":"a","error":null}"#;

    fn value(line: &str) -> Value {
        let pod = Pod { namespace: Some("shop".to_owned()), name: Some("web".to_owned()), uid: Some("u".to_owned()) };
        serde_json::from_str(&event(line.as_bytes(), &pod).unwrap()).unwrap()
    }

    #[test]
    fn a_refused_call_is_a_forbidden_request() {
        let mut event = value(REFUSED);
        let id = event.as_object_mut().unwrap().remove("auditID").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 36);
        let wanted = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request", "stage": "ResponseComplete",
            "requestURI": "/syscall/mount/mnt", "verb": "mount",
            "userAgent": concat!("lazaret/", env!("CARGO_PKG_VERSION")),
            "user": {
                "username": "container:c1",
                "extra": { "lazaret.dev/pid": ["7"], "lazaret.dev/exe": ["/bin/sh"] },
            },
            "objectRef": { "resource": "mounts", "namespace": "shop", "name": "/mnt" },
            "responseStatus": {
                "metadata": {}, "status": "Failure", "reason": "Forbidden", "message": "EPERM", "code": 403,
            },
            "requestObject": { "source": "none", "target": "/mnt" },
            "requestReceivedTimestamp": "2026-01-02T03:04:05.123456Z",
            "stageTimestamp": "2026-01-02T03:04:05.123456Z",
            "annotations": {
                "lazaret.dev/container": "c1", "lazaret.dev/decision": "refused", "lazaret.dev/rule": "emulated",
                "lazaret.dev/technique": "escape.mount", "lazaret.dev/what": "mount none on /mnt",
                "lazaret.dev/reason": "w", "lazaret.dev/remedy": "a",
            },
        });
        assert_eq!(event, wanted);
        assert_eq!(value(REFUSED)["auditID"], id, "the same line is the same event");
        assert_ne!(value(&REFUSED.replace("c1", "c2"))["auditID"], id);
    }

    #[test]
    fn what_the_call_returned_is_there_at_the_fourth_level_alone() {
        let answered = REFUSED
            .replace("\"Request\"", "\"RequestResponse\"")
            .replace("refused", "answered")
            .replace("\"EPERM\",\"value\":null", "null,\"value\":0");
        let event = value(&answered);
        assert_eq!(event["responseObject"], json!({ "value": 0 }));
        assert_eq!(event["responseStatus"], json!({ "metadata": {}, "code": 200 }));
        let metadata =
            value(&REFUSED.replace("\"Request\"", "\"Metadata\"").replace(r#""source":"none","target":"/mnt""#, ""));
        assert!(metadata.get("requestObject").is_none() && metadata.get("responseObject").is_none(), "{metadata}");
        assert_eq!(metadata["requestURI"], "/syscall/mount");
    }

    #[test]
    fn a_refused_create_is_about_the_pod() {
        let line = r#"{"kind":"admission","version":1,"time":"2026-01-02T03:04:05.1Z","level":"RequestResponse",
            "container":"c1","user":0,"namespace":"shop","pod":"web-1","verdict":"refused","rule":"admission","code":1305,
            "field":"mounts[7].source","asked":"\"/run/docker.sock\"","why":"w","allow":"a","answer":"error"}"#;
        let event = value(line);
        assert_eq!(event["verb"], "create");
        assert_eq!(event["requestURI"], "/api/v1/namespaces/shop/pods/web-1");
        let object =
            json!({ "resource": "pods", "namespace": "shop", "name": "web-1", "uid": "u", "apiVersion": "v1" });
        assert_eq!(event["objectRef"], object);
        assert_eq!((&event["responseStatus"]["code"], &event["user"]["username"]), (&json!(403), &json!("uid:0")));
        assert_eq!(event["requestObject"], json!({ "mounts[7].source": "\"/run/docker.sock\"" }));
        assert_eq!(event["responseObject"]["message"], "error");
        assert_eq!(event["annotations"]["lazaret.dev/code"], "1305");
        assert_eq!(event["stageTimestamp"], "2026-01-02T03:04:05.100000Z");
        let warned = value(&line.replace("\"refused\"", "\"warned\"").replace("1305", "null"));
        assert_eq!(
            (&warned["responseStatus"]["code"], &warned["responseStatus"]["status"]),
            (&json!(201), &Value::Null)
        );
    }

    #[test]
    fn lines_of_other_kinds_are_told_or_left_out() {
        assert_eq!(
            event(br#"{"kind":"summary","version":1,"time":"t","dropped":0,"entries":[]}"#, &Pod::default()),
            None
        );
        let dropped = value(r#"{"kind":"dropped","version":1,"time":"t","count":3}"#);
        assert_eq!(dropped["annotations"]["lazaret.dev/dropped"], "3");
        let damaged = event(b"{\"kind\": \x1b", &Pod::default()).unwrap();
        assert!(damaged.is_ascii() && !damaged.contains('\u{1b}'), "{damaged}");
    }
}
