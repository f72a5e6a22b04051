//! Which programs this node lets run as hooks of a sandbox: a file of the administrator's, and the hook that Docker adds
//! to every container to name its network namespace.

use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use super::super::PolicyError;
use crate::spec::container::Container;
use crate::spec::hooks::Hook;

/// One absolute path a line, `#` begins a comment; it counts only if root alone may change it.
pub const LIST: &str = "/etc/lazaret/allowed-hooks";
/// Largest list that is read, in bytes.
const LIMIT: u64 = 64 << 10;

/// Programs of engines with the first argument that makes them do one known thing: hand the network namespace of the
/// container to the engine (moby, libnetwork `setKey`).
const ENGINES: [(&str, &str); 3] = [
    ("/usr/bin/dockerd", "libnetwork-setkey"),
    ("/usr/sbin/dockerd", "libnetwork-setkey"),
    ("/usr/local/bin/dockerd", "libnetwork-setkey"),
];

/// The hooks that may run on the host.
#[derive(Debug, Clone, Default)]
pub struct AllowedHooks {
    file: PathBuf,
    programs: Vec<PathBuf>,
}

impl AllowedHooks {
    /// Reads the node's list, if `container` has hooks.
    ///
    /// # Errors
    /// [`PolicyError::HookList`] when the list is there and cannot be read, or others than root may write to it.
    pub(super) fn gather(container: &Container) -> Result<Self, PolicyError> {
        let none = Self { file: LIST.into(), programs: Vec::new() };
        if container.hooks.lists().iter().all(|(_, hooks)| hooks.is_empty()) {
            return Ok(none);
        }
        let failed = |source| PolicyError::HookList { path: LIST.into(), source };
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = match std::fs::File::options().read(true).custom_flags(flags).open(LIST) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(none),
            file => file.map_err(failed)?,
        };
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() || metadata.uid() != 0 || metadata.mode() & 0o022 != 0 {
            return Err(failed(std::io::Error::other("it must be a file that only root may write to")));
        }
        let mut text = String::new();
        file.take(LIMIT).read_to_string(&mut text).map_err(failed)?;
        Ok(Self::parse(LIST.into(), &text))
    }

    /// The list `text` of `file`. A relative path can match no hook.
    pub(crate) fn parse(file: PathBuf, text: &str) -> Self {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        Self { file, programs: lines.filter(|line| !line.is_empty()).map(PathBuf::from).collect() }
    }

    /// The programs that the list names.
    #[must_use]
    pub fn programs(&self) -> &[PathBuf] {
        &self.programs
    }

    /// The file that an administrator changes.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether `hook` may run: its path is listed exactly as it is written. Links are not followed, because whoever can
    /// change one chooses the program.
    #[must_use]
    pub fn allow(&self, hook: &Hook) -> bool {
        let program = program_of(&hook.path);
        // As text: two paths that `Path` calls equal may differ in what the kernel makes of them.
        self.programs.iter().any(|listed| listed.as_os_str() == program.as_os_str())
            || ENGINES.iter().any(|(engine, first)| {
                program.as_os_str() == *engine
                    && hook.args.first().is_some_and(|arg| arg.as_bytes() == first.as_bytes())
            })
    }
}

/// The program that a hook's path means: of `/proc/PID/exe`, as Docker names itself, what the kernel says that it is.
fn program_of(path: &Path) -> PathBuf {
    let parts: Vec<_> = path.components().collect();
    let is_exe = matches!(parts.as_slice(), [Component::RootDir, Component::Normal(proc), Component::Normal(pid), Component::Normal(exe)]
        if *proc == "proc" && *exe == "exe" && (*pid == "self" || pid.to_string_lossy().bytes().all(|b| b.is_ascii_digit())));
    if is_exe { std::fs::read_link(path).unwrap_or_else(|_gone| path.to_owned()) } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(path: &str, args: &[&str]) -> Hook {
        let args = args.iter().map(|arg| std::ffi::CString::new(*arg).unwrap()).collect();
        Hook { path: path.into(), args, env: Vec::new(), timeout: None }
    }

    #[test]
    fn an_engine_may_name_its_network_and_nothing_else() {
        let none = AllowedHooks::default();
        assert!(none.allow(&hook("/usr/bin/dockerd", &["libnetwork-setkey", "-exec-root=/run"])));
        assert!(!none.allow(&hook("/usr/bin/dockerd", &["dockerd", "libnetwork-setkey"])));
        assert!(!none.allow(&hook("/usr/bin/dockerd", &[])));
        assert!(!none.allow(&hook("/tmp/dockerd", &["libnetwork-setkey"])));
    }

    #[test]
    fn the_program_behind_a_process_is_what_counts() {
        let own = std::fs::read_link("/proc/self/exe").unwrap();
        let listed = AllowedHooks::parse("/l".into(), own.to_str().unwrap());
        assert!(listed.allow(&hook(&format!("/proc/{}/exe", std::process::id()), &[])));
        assert!(!listed.allow(&hook("/proc/1/exe", &[])));
    }
}
