//! Attacks by whoever may mount: uncovering what is masked, covering what others rely on, winning a race for a path,
//! reaching the host by propagation, and filling the kernel with mounts.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::mounts::{is_mounted, mount};
use crate::raw::{address, call, text};
use crate::report::{Act, Failure, Outcome, Step as _, argument, without_effect};

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("uncover", uncover),
    ("cover", cover),
    ("mount-at", mount_at),
    ("give-back", give_back),
    ("race-mount", race_mount),
    ("race-words", race_words),
    ("race-unmount", race_unmount),
    ("many-mounts", many_mounts),
    ("stop-helpers", stop_helpers),
    ("stop-helpers-for-ever", |_| {
        println!("stopping");
        loop {
            stop_helpers(&[])?;
        }
    }),
    ("mounts-as-told", honest_mounts),
];

/// How often a race is run. The tests of races by the ten thousand stand elsewhere; here each round is two mounts.
const ROUNDS: usize = 400;

fn unmount(target: &str, flags: i32) -> Result<u64, i32> {
    let path = text(target);
    call(libc::SYS_umount2, &[address(path.as_c_str()), flags as u64])
}

fn bind(source: &str, target: &str, more: u64) -> Result<u64, i32> {
    mount(source, target, "", libc::MS_BIND | more, "")
}

/// Reads a file that something covers, by the way that the first argument names. What covers is empty.
fn uncover(arguments: &[String]) -> Outcome {
    let (way, covered) = (argument(arguments, 0)?, argument(arguments, 1)?);
    let (parent, name) = covered.rsplit_once('/').unwrap_or(("", covered));
    let clone = format!("/mnt/{name}");
    let seen = match way {
        "unmount" => unmount(covered, libc::MNT_DETACH).step("umount2").map(|_| covered.to_owned()),
        "bind" => bind(parent, "/mnt", 0).step("mount").map(|_| clone),
        "bind-root" => bind("/", "/mnt", 0).step("mount").map(|_| format!("/mnt{covered}")),
        "unmount-clone" => {
            bind(parent, "/mnt", libc::MS_REC).step("mount")?;
            unmount(&clone, libc::MNT_DETACH).step("umount2").map(|_| clone)
        }
        "overlay" => {
            let layers = format!("lowerdir={parent}:/home");
            mount("overlay", "/mnt", "overlay", 0, &layers).step("mount").map(|_| clone)
        }
        "overlay-by-link" => {
            symlink(parent, "/tmp/layer").step("symlink")?;
            mount("overlay", "/mnt", "overlay", 0, "lowerdir=/tmp/layer:/home").step("mount").map(|_| clone)
        }
        "fresh-proc" => mount("proc", "/mnt", "proc", 0, "").step("mount").map(|_| clone),
        "move" => {
            std::fs::write("/tmp/away", "").step("write")?;
            mount(covered, "/tmp/away", "", libc::MS_MOVE, "").step("mount").map(|_| covered.to_owned())
        }
        _ => Err(Failure { step: format!("no such way: {way}"), errno: -1 }),
    }?;
    let text = std::fs::read_to_string(&seen).step("read")?;
    if text.is_empty() { without_effect("read") } else { Ok(format!("{seen} says {}", text.trim())) }
}

/// Puts a tmpfs over a place that others rely on.
fn cover(arguments: &[String]) -> Outcome {
    let target = argument(arguments, 0)?;
    mount("cover", target, "tmpfs", 0, "").step("mount")?;
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // Over procfs itself the table is gone, which is proof enough.
    let is_covered = table.is_empty() || table.lines().any(|line| line.contains(" - tmpfs cover "));
    if is_covered { Ok(format!("{target} is covered")) } else { without_effect("mount") }
}

/// Mounts a tmpfs, for somebody else to see.
fn mount_at(arguments: &[String]) -> Outcome {
    let target = argument(arguments, 0)?;
    std::fs::create_dir_all(target).step("mkdir")?;
    mount("witnessed", target, "tmpfs", 0, "").step("mount")?;
    if is_mounted(target, "witnessed") { Ok(format!("{target} is mounted")) } else { without_effect("mount") }
}

/// Takes the read-only flag off a mount of the bundle's, and writes.
fn give_back(arguments: &[String]) -> Outcome {
    let target = argument(arguments, 0)?;
    mount("", target, "", libc::MS_REMOUNT | libc::MS_BIND, "").step("mount")?;
    std::fs::write(format!("{target}/written"), "x").step("write")?;
    Ok(format!("{target} took a file"))
}

/// Runs `attempt` while another thread flips a link between two places.
fn while_flipping(link: &str, places: [&str; 2], mut attempt: impl FnMut() -> bool) -> Result<bool, Failure> {
    symlink(places[0], link).step("symlink")?;
    let (over, next) = (AtomicBool::new(false), format!("{link}.next"));
    Ok(std::thread::scope(|scope| {
        scope.spawn(|| {
            for place in places.iter().cycle() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                if symlink(place, &next).is_ok() && std::fs::rename(&next, link).is_err() {
                    break;
                }
            }
        });
        let won = (0..ROUNDS).any(|_| attempt());
        over.store(true, Ordering::Relaxed);
        won
    }))
}

/// A target that leads to a harmless place when it is looked at, and below procfs when it is mounted on.
fn race_mount(_: &[String]) -> Outcome {
    let won = while_flipping("/tmp/flip", ["/mnt", "/proc/sys"], || {
        let made = mount("racer", "/tmp/flip", "tmpfs", 0, "").is_ok();
        let won = is_mounted("/proc/sys", "tmpfs racer");
        if made && !won && unmount("/mnt", libc::MNT_DETACH).is_err() {
            return false;
        }
        won
    })?;
    if won { Ok("a tmpfs covers /proc/sys".to_owned()) } else { without_effect("race") }
}

/// Eight bytes that are text with its end.
fn word(text: &str) -> u64 {
    let mut bytes = [0; 8];
    for (byte, from) in bytes.iter_mut().zip(text.bytes()) {
        *byte = from;
    }
    u64::from_ne_bytes(bytes)
}

/// Arguments in memory that are harmless when they are judged, and a place below procfs or a sysfs when they are used:
/// each changes by one store of another thread, as often as the first argument says.
fn race_words(arguments: &[String]) -> Outcome {
    let rounds: usize = argument(arguments, 0)?.parse().unwrap_or(0);
    symlink("/mnt", "/tmp/a").step("symlink")?;
    symlink("/proc/sys", "/tmp/b").step("symlink")?;
    let (target, fstype) = (AtomicU64::new(word("/tmp/a")), AtomicU64::new(word("tmpfs")));
    let over = AtomicBool::new(false);
    let source = text("racer");
    let racers = || {
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let racers = table.lines().filter(|line| line.contains(" racer ")).map(str::to_owned);
        racers.collect::<Vec<_>>()
    };
    let has_racer = || !racers().is_empty();
    let is_elsewhere = || racers().iter().any(|line| !line.contains(" /mnt ") || line.contains("sysfs"));
    let (mut made, mut won) = (0, None);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for (place, kind) in [("/tmp/b", "tmpfs"), ("/tmp/a", "sysfs"), ("/tmp/a", "tmpfs")] {
                    target.store(word(place), Ordering::Relaxed);
                    fstype.store(word(kind), Ordering::Relaxed);
                }
            }
        });
        for round in 0..rounds {
            let arguments = [address(source.as_c_str()), address(&target), address(&fstype), 0, 0];
            if call(libc::SYS_mount, &arguments).is_err() {
                continue;
            }
            made += 1;
            if is_elsewhere() {
                won = Some(round);
                break;
            }
            // A machine under load may need a second try.
            while has_racer() && unmount("/mnt", libc::MNT_DETACH).is_err() {}
        }
        over.store(true, Ordering::Relaxed);
    });
    match won {
        Some(round) => Ok(format!("won in round {round}")),
        None => Err(Failure { step: format!("{made} of {rounds} mounts, none elsewhere"), errno: 0 }),
    }
}

/// A target that is an own mount when it is looked at, and a mask in a copy of /proc when it is unmounted.
fn race_unmount(arguments: &[String]) -> Outcome {
    let covered = argument(arguments, 0)?;
    std::fs::create_dir_all("/tmp/own").step("mkdir")?;
    bind("/proc", "/mnt", libc::MS_REC).step("mount")?;
    let copy = covered.replacen("/proc", "/mnt", 1);
    let won = while_flipping("/tmp/flip", ["/tmp/own", &copy], || {
        let made = mount("own", "/tmp/own", "tmpfs", 0, "");
        let taken = unmount("/tmp/flip", libc::MNT_DETACH);
        if made.is_ok() && taken.is_err() && unmount("/tmp/own", libc::MNT_DETACH).is_err() {
            return false;
        }
        std::fs::read_to_string(&copy).is_ok_and(|text| !text.is_empty())
    })?;
    if won { Ok(format!("{copy} is uncovered")) } else { without_effect("race") }
}

/// Doubles the mounts until something says no.
fn many_mounts(_: &[String]) -> Outcome {
    let count = || std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default().lines().count();
    let mut refused = 0;
    for round in 0..12 {
        let target = format!("/tmp/copy{round}");
        std::fs::create_dir_all(&target).step("mkdir")?;
        if let Err(errno) = bind("/", &target, libc::MS_REC) {
            refused = errno;
            break;
        }
        if count() > 1000 {
            return Ok(format!("{} mounts", count()));
        }
    }
    Err(Failure { step: format!("mount with {} mounts", count()), errno: refused })
}

/// Stops whatever process of lazaret's shows up among the container's while it mounts, and looks for one that stays.
fn stop_helpers(_: &[String]) -> Outcome {
    let over = AtomicBool::new(false);
    let others = || {
        let names = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().parse::<u32>().is_ok_and(|pid| pid != 1)).count()
    };
    let mut stayed = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                call(libc::SYS_kill, &[u64::MAX, libc::SIGSTOP as u64]).ok();
            }
        });
        for _ in 0..3 {
            if mount("proc", "/mnt", "proc", 0, "").is_ok() {
                unmount("/mnt", libc::MNT_DETACH).ok();
            }
            stayed += others();
        }
        over.store(true, Ordering::Relaxed);
    });
    if stayed > 0 { Ok(format!("{stayed} processes stayed")) } else { without_effect("kill") }
}

/// What one may do who may mount, each with its effect.
fn honest_mounts(_: &[String]) -> Outcome {
    mount("tmpfs", "/mnt", "tmpfs", libc::MS_NOEXEC, "size=1m,mode=0750").step("tmpfs")?;
    for folder in ["lower", "upper", "work", "merged", "proc", "pts", "bound"] {
        std::fs::create_dir(format!("/mnt/{folder}")).step("mkdir")?;
    }
    std::fs::write("/mnt/lower/file", "below").step("write")?;
    let layers = "lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work";
    mount("overlay", "/mnt/merged", "overlay", 0, layers).step("overlay")?;
    std::fs::write("/mnt/merged/file", "above").step("write to the overlay")?;
    let (above, below) = (std::fs::read_to_string("/mnt/upper/file"), std::fs::read_to_string("/mnt/lower/file"));
    if (above.step("read above")?, below.step("read below")?) != ("above".to_owned(), "below".to_owned()) {
        return without_effect("overlay");
    }
    mount("proc", "/mnt/proc", "proc", 0, "").step("proc")?;
    std::fs::metadata("/mnt/proc/1/status").step("stat /mnt/proc/1/status")?;
    mount("devpts", "/mnt/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620").step("devpts")?;
    std::fs::File::options().read(true).write(true).open("/mnt/pts/ptmx").step("open ptmx")?;
    bind("/bin", "/mnt/bound", 0).step("bind")?;
    std::fs::metadata("/mnt/bound/busybox").step("stat busybox")?;
    mount("", "/mnt", "", libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY | libc::MS_NOEXEC, "").step("remount")?;
    if std::fs::write("/mnt/late", "x").is_ok() {
        return without_effect("remount");
    }
    mount("", "/", "", libc::MS_PRIVATE | libc::MS_REC, "").step("make private")?;
    for folder in ["bound", "pts", "proc", "merged"] {
        unmount(&format!("/mnt/{folder}"), 0).step("umount2")?;
    }
    unmount("/mnt", 0).step("umount2")?;
    if is_mounted("/mnt", " ") { without_effect("umount2") } else { Ok("mounted, used and unmounted".to_owned()) }
}
