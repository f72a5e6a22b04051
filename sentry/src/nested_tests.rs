//! Tests of `nested`: what is an order, what is refused, and that nothing alleged passes for one.

use super::*;

fn text(text: &str) -> Text {
    Text::Bytes(text.as_bytes().to_vec())
}

fn call(source: &str, target: &str, fstype: &str, flags: u64, data: &str) -> MountCall {
    MountCall { source: text(source), target: text(target), fstype: text(fstype), flags, data: text(data) }
}

fn refused(call: &MountCall) -> Refusal {
    match mount(call) {
        Err(Fault::Refused(refusal)) => refusal,
        other => panic!("{call:?}: {other:?}"),
    }
}

fn wrong(call: &MountCall) -> Errno {
    match mount(call) {
        Err(Fault::Wrong(errno)) => errno,
        other => panic!("{call:?}: {other:?}"),
    }
}

#[test]
fn file_systems_get_what_the_list_sets_for_them() {
    let order = mount(&call("tmpfs", "/mnt", "tmpfs", flag::MAGIC | flag::NOEXEC, "size=1m,mode=0700")).unwrap();
    let Order::Make { filesystem, flags, options, layers: None, .. } = &order else { panic!("{order:?}") };
    assert_eq!((filesystem.as_str(), *flags), ("tmpfs", flag::NOEXEC));
    let options: Vec<_> = options.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(options, [("size", "1048576"), ("mode", "700"), ("nr_inodes", "262144")]);
    assert!(order.is_admissible());
    let order = mount(&call("proc", "/p", "proc", 0, "")).unwrap();
    let Order::Make { options, .. } = &order else { panic!("{order:?}") };
    assert_eq!(*options, [("subset".to_owned(), "pid".to_owned())]);
}

#[test]
fn overlay_has_its_directories_apart() {
    let data = r"lowerdir=/a:/b\:c,upperdir=/u\,v,workdir=/w,index=off";
    let order = mount(&call("overlay", "/m", "overlay", 0, data)).unwrap();
    let Order::Make { options, layers: Some(layers), .. } = &order else { panic!("{order:?}") };
    assert_eq!(layers.lower, [b"/a".to_vec(), b"/b:c".to_vec()]);
    assert_eq!(layers.upper, Some((b"/u,v".to_vec(), b"/w".to_vec())));
    let names: Vec<_> = options.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["index", "userxattr"]);
    assert!(order.is_admissible());
    for data in ["", "upperdir=/u,workdir=/w", "lowerdir=/a,upperdir=/u"] {
        assert_eq!(wrong(&call("overlay", "/m", "overlay", 0, data)), Errno::EINVAL, "{data}");
    }
    assert_eq!(refused(&call("overlay", "/m", "overlay", 0, "lowerdir=/a::/b")), Refusal::Option);
    assert_eq!(refused(&call("overlay", "/m", "overlay", 0, "lowerdir+=/a")), Refusal::Option);
}

#[test]
fn what_is_not_on_the_list_is_refused() {
    for (fstype, flags, data, refusal) in [
        ("sysfs", 0, "", Refusal::FileSystem),
        ("cgroup2", 0, "", Refusal::FileSystem),
        ("ext4", 0, "", Refusal::FileSystem),
        ("tmpfs", 0, "huge=always", Refusal::Option),
        ("tmpfs", 0, "size=2g", Refusal::Option),
        ("tmpfs", 0x10, "", Refusal::Flag),
        ("tmpfs", 1 << 40, "", Refusal::Flag),
        ("proc", 0, "subset=none", Refusal::Option),
        ("", flag::MOVE, "", Refusal::Move),
        ("", flag::SHARED, "", Refusal::Propagation),
        ("", flag::UNBINDABLE | flag::REC, "", Refusal::Propagation),
        ("", flag::REMOUNT | 0x40, "", Refusal::Flag),
    ] {
        assert_eq!(refused(&call("x", "/mnt", fstype, flags, data)), refusal, "{fstype} {flags:#x} {data}");
    }
}

#[test]
fn flags_are_looked_at_in_the_order_of_the_kernel() {
    let order = |flags| mount(&call("/a", "/b", "tmpfs", flags, "")).unwrap();
    let bind = Order::Bind { source: b"/a".into(), target: b"/b".into() };
    assert_eq!(order(flag::BIND | flag::MOVE | flag::RDONLY), bind);
    assert_eq!(order(flag::BIND | flag::REC), bind);
    let restrict = Order::Restrict { target: b"/b".into(), flags: flag::RDONLY, unchanged: Vec::new() };
    assert_eq!(order(flag::REMOUNT | flag::BIND | flag::RDONLY), restrict);
    let separate = Order::Separate { target: b"/b".into(), slave: false, recursive: true };
    assert_eq!(order(flag::PRIVATE | flag::REC), separate);
    assert_eq!(wrong(&call("", "/b", "", flag::PRIVATE | flag::SLAVE, "")), Errno::EINVAL);
    assert_eq!(wrong(&call("", "/b", "", flag::PRIVATE | flag::RDONLY, "")), Errno::EINVAL);
}

#[test]
fn remount_of_a_whole_file_system_names_what_must_not_change() {
    let order = mount(&call("", "/b", "", flag::REMOUNT | flag::RDONLY, "size=1k,mode=755")).unwrap();
    let Order::Restrict { unchanged, .. } = order else { panic!("{order:?}") };
    assert_eq!(unchanged, [b"size=1k".to_vec(), b"mode=755".to_vec()]);
}

#[test]
fn what_cannot_be_read_fails_as_in_the_kernel() {
    let good = call("tmpfs", "/mnt", "tmpfs", 0, "");
    for (target, errno) in
        [(Text::Null, Errno::EINVAL), (Text::Unreadable, EFAULT), (Text::TooLong, ENAMETOOLONG), (text(""), ENOENT)]
    {
        assert_eq!(wrong(&MountCall { target, ..good.clone() }), errno);
    }
    assert_eq!(wrong(&MountCall { fstype: Text::Null, ..good.clone() }), Errno::EINVAL);
    assert_eq!(wrong(&MountCall { data: Text::Unreadable, ..good.clone() }), EFAULT);
    assert_eq!(unmount(&Text::Unreadable, 0), Err(Fault::Wrong(EFAULT)));
    assert_eq!(unmount(&text("/a"), 1), Err(Refusal::Flag.into()));
}

#[test]
fn alleged_orders_beyond_the_list_are_not_admissible() {
    let made = |change: fn(&mut Vec<(String, String)>), name: &str, flags| {
        let mut options = vec![("size".to_owned(), "1".to_owned()), ("nr_inodes".to_owned(), "1".to_owned())];
        change(&mut options);
        let (filesystem, source, target) = (name.to_owned(), Vec::new(), b"/m".to_vec());
        Order::Make { filesystem, source, target, flags, options, layers: None }.is_admissible()
    };
    assert!(made(|_| (), "tmpfs", 0));
    assert!(!made(|_| (), "sysfs", 0));
    assert!(!made(|_| (), "overlay", 0));
    assert!(!made(|_| (), "tmpfs", flag::REMOUNT));
    assert!(!made(|options| drop(options.pop()), "tmpfs", 0));
    assert!(!made(|options| options[0].1 = "2g".to_owned(), "tmpfs", 0));
    assert!(!made(|options| options[0].1 = "1k".to_owned(), "tmpfs", 0));
    assert!(!made(|options| options.push(("huge".to_owned(), "always".to_owned())), "tmpfs", 0));
    assert!(!Order::Bind { source: b"/a\0".into(), target: b"/b".into() }.is_admissible());
    assert!(!Order::Bind { source: vec![b'a'; 4096], target: b"/b".into() }.is_admissible());
    assert!(!Order::Unmount { target: Vec::new(), detach: true, follow: true }.is_admissible());
    let layers = Some(Layers { lower: vec![b"/".to_vec(); limits::LAYERS + 1], upper: None });
    let options = vec![("userxattr".to_owned(), String::new())];
    let overlay = |layers| {
        let (filesystem, source, target) = ("overlay".to_owned(), Vec::new(), b"/m".to_vec());
        Order::Make { filesystem, source, target, flags: 0, options: options.clone(), layers }.is_admissible()
    };
    assert!(!overlay(layers) && !overlay(None));
    assert!(overlay(Some(Layers { lower: vec![b"/l".to_vec()], upper: None })));
}

/// Words of the grammar and what is next to them.
const NAMES: &str = "size nr_inodes mode uid gid subset hidepid max ptmxmode newinstance lowerdir upperdir workdir \
    userxattr volatile index xino redirect_dir huge lowerdir+ ";
const VALUES: &str = r"0 1 1k 2g 64m 0755 1777 8 pid 2 off on auto /a /a:/b /a\:b:/c /a::/b \ = /x\,y 4294967295 -1 ";
const TYPES: &str = "tmpfs proc devpts overlay overlay sysfs ";

/// Put together at random, what the parser makes of them is admissible to whoever checks it again.
#[test]
fn every_order_that_is_made_is_admissible() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |bound: usize| {
        // xorshift64 of Marsaglia.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(bound).unwrap()).unwrap()
    };
    let mut made = 0;
    for _ in 0..20_000 {
        let any = |words: &'static str, next: &mut dyn FnMut(usize) -> usize| {
            let words: Vec<&str> = words.split(' ').collect();
            words[next(words.len())]
        };
        let mut data = String::new();
        for _ in 0..next(5) {
            data.push_str(any(NAMES, &mut next));
            if next(4) > 0 {
                data.push('=');
                data.push_str(any(VALUES, &mut next));
            }
            data.push(',');
        }
        let flags = if next(4) == 0 { 1 << next(27) } else { 0 };
        let call = call(any(VALUES, &mut next), "/mnt", any(TYPES, &mut next), flags, &data);
        if let Ok(order) = mount(&call) {
            assert!(order.is_admissible(), "{call:?}: {order:?}");
            made += 1;
        }
    }
    assert!(made > 1000, "{made}");
}
