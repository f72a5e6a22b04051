//! Standard input, output and error of a process: pipes to the container, or a terminal of its own, copied from and to
//! containerd's fifos, to a file that it names, or taken by a logger.
//!
//! The container gets pipes rather than the fifos: it may then reopen `/dev/stdout`, and never holds a file of the
//! host. Used by `tasks`, one [`Streams`] a process; a slow reader fills its own pipe and holds up nobody else.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;
use tokio::io::{AsyncRead, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;

use crate::error::ShimError;
use crate::logger::{Inputs, Logger};
use crate::terminal::Master;

/// First and longest pause between two looks at whether the reader has taken the last bytes.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LONGEST_LOOK: Duration = Duration::from_millis(50);

/// The stdio of a request, as containerd names it: paths of fifos, or empty for none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stdio {
    /// Read by the container.
    pub(crate) stdin: String,
    /// Written by the container.
    pub(crate) stdout: String,
    /// Written by the container.
    pub(crate) stderr: String,
    /// The three are one terminal.
    pub(crate) terminal: bool,
}

/// The running copies of one process.
#[derive(Debug)]
pub(crate) struct Streams {
    input: Mutex<Option<Input>>,
    outputs: Mutex<Vec<JoinHandle<()>>>,
    logger: Mutex<Option<Logger>>,
    terminal: Option<Master>,
}

/// The container's ends: to be descriptors 0, 1 and 2 of its process, unless that makes itself a terminal.
pub(crate) type Ends = Option<[OwnedFd; 3]>;

/// Streams whose process does not exist yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    streams: Streams,
    /// Where the output of a terminal goes, once that is there.
    output: Option<Sink>,
}

impl Prepared {
    /// The process exists; `terminal` is the master of its terminal, if it has one.
    ///
    /// # Errors
    /// [`ShimError::Terminal`] when a terminal was asked for and did not come, or cannot be used.
    pub(crate) fn with(self, terminal: Option<OwnedFd>) -> Result<Streams, ShimError> {
        let Self { mut streams, output } = self;
        let Some(output) = output else { return Ok(streams) };
        let missing = || std::io::Error::other("the runtime gave none back");
        let master = terminal.ok_or_else(missing).and_then(Master::new).map_err(ShimError::Terminal)?;
        if let Some(input) = &mut *lock(&streams.input) {
            input.pipe = Some(Source::Terminal(master.clone()));
        }
        lock(&streams.outputs).push(tokio::spawn(copy_out("stdout", master.clone(), output)));
        streams.terminal = Some(master);
        Ok(streams)
    }
}

/// Where input goes.
#[derive(Debug)]
enum Source {
    Pipe(pipe::Sender),
    Terminal(Master),
}

/// Where output goes.
#[derive(Debug)]
enum Sink {
    Fifo(pipe::Sender),
    File(tokio::fs::File),
    /// Nobody wants it.
    Nowhere,
}

/// The input of a task, from its fifo to its pipe.
#[derive(Debug)]
struct Input {
    fifo: PathBuf,
    /// Our end of the container's pipe or terminal, until the fifo is opened.
    pipe: Option<Source>,
    /// No client will write any more: `CloseIO` came.
    closed: bool,
    /// A write end of the fifo that nobody writes to: while it is open the fifo has no end of file, though clients
    /// come and go. Closing it is what `CloseIO` means.
    keeper: Option<OwnedFd>,
    copy: Option<JoinHandle<()>>,
}

impl Input {
    fn new(fifo: PathBuf, pipe: Option<Source>) -> Self {
        Self { fifo, pipe, closed: false, keeper: None, copy: None }
    }

    /// Opens the fifo and begins to copy. Does nothing the second time.
    fn connect(&mut self) -> std::io::Result<()> {
        let Some(pipe) = self.pipe.take() else { return Ok(()) };
        // Read end first: then opening the write end without waiting cannot fail with ENXIO.
        let mut fifo = pipe::OpenOptions::new().open_receiver(&self.fifo)?;
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let keeper = rustix::fs::open(&self.fifo, flags, Mode::empty())?;
        self.keeper = (!self.closed).then_some(keeper);
        self.copy = Some(tokio::spawn(async move {
            // Ends at end of file, or when the container closes its input; dropping `pipe` is its end of file.
            let copied = match pipe {
                Source::Pipe(mut pipe) => tokio::io::copy(&mut fifo, &mut pipe).await,
                Source::Terminal(mut master) => tokio::io::copy(&mut fifo, &mut master).await,
            };
            if let Err(error) = copied {
                tracing::debug!(error = %error, "the container reads no more input");
            }
        }));
        Ok(())
    }
}

impl Streams {
    /// Opens the fifos of `stdio`, and returns the container's ends of the pipes. A logger that runs takes all output.
    /// Nothing here waits for another process.
    pub(crate) fn open(stdio: &Stdio, logger: Option<(Logger, Inputs)>) -> Result<(Prepared, Ends), ShimError> {
        let (logger, inputs) = logger.unzip();
        let logger = Mutex::new(logger);
        let mut outputs = Vec::new();
        if stdio.terminal {
            let output = match inputs {
                Some(Inputs { stdout, .. }) => sink_of(stdout).map(Some),
                None => open_sink("stdout", &stdio.stdout),
            };
            let output = output?.unwrap_or(Sink::Nowhere);
            let fifo = (!stdio.stdin.is_empty()).then(|| fifo_path("stdin", &stdio.stdin)).transpose()?;
            let input = fifo.map(|fifo| Input::new(fifo.to_owned(), None));
            let streams = Self { input: Mutex::new(input), outputs: Mutex::new(outputs), logger, terminal: None };
            return Ok((Prepared { streams, output: Some(output) }, None));
        }
        let (input, stdin) = open_input(&stdio.stdin)?;
        let (stdout, stderr) = match inputs {
            Some(Inputs { stdout, stderr }) => (stdout, stderr),
            None => (
                open_output("stdout", &stdio.stdout, &mut outputs)?,
                open_output("stderr", &stdio.stderr, &mut outputs)?,
            ),
        };
        let streams = Self { input: Mutex::new(input), outputs: Mutex::new(outputs), logger, terminal: None };
        Ok((Prepared { streams, output: None }, Some([stdin, stdout, stderr])))
    }

    /// Its terminal, if it has one.
    pub(crate) fn terminal(&self) -> Option<&Master> {
        self.terminal.as_ref()
    }

    /// Begins to copy the input. To be called at start, not before: `ctr` can close the input only once its create has
    /// been answered, and would lose the end of a short input that it could write before.
    pub(crate) fn connect_input(&self) -> Result<(), ShimError> {
        let mut input = lock(&self.input);
        let Some(input) = &mut *input else { return Ok(()) };
        let path = input.fifo.clone();
        input.connect().map_err(|source| ShimError::Stdio { stream: "stdin", path, source })
    }

    /// `CloseIO`: the container reads end of file once every client has closed the fifo and all of it is read.
    pub(crate) fn close_input(&self) {
        if let Some(input) = &mut *lock(&self.input) {
            input.closed = true;
            input.keeper = None;
        }
    }

    /// The container has ended: nobody reads its input any more.
    pub(crate) fn abandon_input(&self) {
        if let Some(copy) = lock(&self.input).take().and_then(|input| input.copy) {
            copy.abort();
        }
    }

    /// Waits until the readers have taken everything, at most `patience`; what is left then is given up.
    pub(crate) async fn drain(&self, patience: Duration) {
        self.abandon_input();
        let outputs = std::mem::take(&mut *lock(&self.outputs));
        let deadline = tokio::time::Instant::now() + patience;
        for mut output in outputs {
            if tokio::time::timeout_at(deadline, &mut output).await.is_err() {
                tracing::warn!("the output of a task is given up: something still holds it open or nobody reads it");
                output.abort();
            }
        }
        let logger = lock(&self.logger).take();
        if let Some(logger) = logger {
            logger.end(deadline).await;
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.abandon_input();
        for output in lock(&self.outputs).drain(..) {
            output.abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_input(path: &str) -> Result<(Option<Input>, OwnedFd), ShimError> {
    if path.is_empty() {
        return Ok((None, null("stdin")?));
    }
    let fifo = fifo_path("stdin", path)?.to_owned();
    let (theirs, ours) = new_pipe("stdin")?;
    let pipe = pipe::Sender::from_owned_fd(ours).map_err(|source| ShimError::Pipe { stream: "stdin", source })?;
    Ok((Some(Input::new(fifo, Some(Source::Pipe(pipe)))), theirs))
}

fn open_output(stream: &'static str, path: &str, copies: &mut Vec<JoinHandle<()>>) -> Result<OwnedFd, ShimError> {
    let Some(sink) = open_sink(stream, path)? else { return null(stream) };
    let (ours, theirs) = new_pipe(stream)?;
    let ours = pipe::Receiver::from_owned_fd(ours).map_err(|source| ShimError::Pipe { stream, source })?;
    copies.push(tokio::spawn(copy_out(stream, ours, sink)));
    Ok(theirs)
}

/// A logger's pipe, for a terminal's output.
fn sink_of(pipe: OwnedFd) -> Result<Sink, ShimError> {
    pipe::Sender::from_owned_fd(pipe).map(Sink::Fifo).map_err(|source| ShimError::Pipe { stream: "stdout", source })
}

/// What an output's path names; `None` for an empty one.
fn open_sink(stream: &'static str, path: &str) -> Result<Option<Sink>, ShimError> {
    if path.is_empty() {
        return Ok(None);
    }
    if let Some(path) = path.strip_prefix("file://") {
        return open_log(stream, Path::new(path)).map(Some);
    }
    let path = fifo_path(stream, path)?;
    // Open for reading too: that neither waits for a reader nor fails without one, nor breaks when one goes away.
    let fifo = pipe::OpenOptions::new().read_write(true).open_sender(path);
    fifo.map(|fifo| Some(Sink::Fifo(fifo))).map_err(|source| ShimError::Stdio { stream, path: path.to_owned(), source })
}

/// A log file, made with its directory if need be, as containerd's own shim does: stdout and stderr may share one.
fn open_log(stream: &'static str, path: &Path) -> Result<Sink, ShimError> {
    let failed = |source| ShimError::Stdio { stream, path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let file = std::fs::File::options().append(true).create(true).open(path).map_err(failed)?;
    Ok(Sink::File(tokio::fs::File::from_std(file)))
}

/// Copies what a process writes until nobody can write any more, and waits until it is read.
async fn copy_out(stream: &'static str, mut from: impl AsyncRead + Unpin, mut to: Sink) {
    let copied = match &mut to {
        Sink::Fifo(fifo) => tokio::io::copy(&mut from, fifo).await,
        Sink::File(file) => match tokio::io::copy(&mut from, file).await {
            Ok(length) => file.flush().await.map(|()| length),
            Err(error) => Err(error),
        },
        Sink::Nowhere => tokio::io::copy(&mut from, &mut tokio::io::sink()).await,
    };
    if let Err(error) = copied {
        tracing::warn!(error = %error, stream, "the output of a task is cut");
    }
    drop(from);
    if let Sink::Fifo(fifo) = &to {
        until_read(fifo).await;
    }
}

/// Waits until the fifo is empty. What is in it when its last user closes it is lost, and a reader may not have opened
/// it yet.
async fn until_read(fifo: &pipe::Sender) {
    let mut pause = FIRST_LOOK;
    while matches!(rustix::io::ioctl_fionread(fifo.as_fd()), Ok(unread) if unread > 0) {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_LOOK);
    }
}

/// A fifo's path. What else a URI may name, and a logger for one stream alone, is refused by name.
fn fifo_path<'a>(stream: &'static str, path: &'a str) -> Result<&'a Path, ShimError> {
    match path.split_once("://") {
        None => Ok(Path::new(path)),
        Some(("fifo", path)) => Ok(Path::new(path)),
        Some((scheme, _)) => Err(ShimError::Unimplemented(format!("a {scheme}:// logger as {stream}"))),
    }
}

fn new_pipe(stream: &'static str) -> Result<(OwnedFd, OwnedFd), ShimError> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| ShimError::Pipe { stream, source: error.into() })
}

fn null(stream: &'static str) -> Result<OwnedFd, ShimError> {
    let path = Path::new("/dev/null");
    rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(|error| ShimError::Stdio {
        stream,
        path: path.to_owned(),
        source: error.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use super::*;

    struct Fifos(PathBuf);

    impl Fifos {
        fn new(name: &str) -> Self {
            let directory = std::env::temp_dir().join(format!("lazaret-shim-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&directory).unwrap();
            for stream in ["stdin", "stdout"] {
                nix::unistd::mkfifo(&directory.join(stream), nix::sys::stat::Mode::S_IRWXU).unwrap();
            }
            Self(directory)
        }

        fn stdio(&self) -> Stdio {
            let path = |name| self.0.join(name).to_str().unwrap().to_owned();
            Stdio { stdin: path("stdin"), stdout: path("stdout"), ..Stdio::default() }
        }
    }

    impl Drop for Fifos {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn open(stdio: &Stdio) -> (Streams, [OwnedFd; 3]) {
        let (prepared, ends) = Streams::open(stdio, None).unwrap();
        (prepared.with(None).unwrap(), ends.unwrap())
    }

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_reader_that_comes_after_the_end_still_gets_everything() {
        let fifos = Fifos::new("late");
        run(async {
            let stdio = fifos.stdio();
            let (streams, [_, stdout, _]) = open(&stdio);
            File::from(stdout).write_all(b"last words").unwrap();
            let reader = tokio::task::spawn_blocking(move || {
                let mut text = String::new();
                File::open(&stdio.stdout).unwrap().read_to_string(&mut text).unwrap();
                text
            });
            streams.drain(Duration::from_secs(10)).await;
            assert_eq!(reader.await.unwrap(), "last words");
        });
    }

    #[test]
    fn much_output_arrives_whole() {
        let fifos = Fifos::new("much");
        run(async {
            let stdio = fifos.stdio();
            let (streams, [_, stdout, _]) = open(&stdio);
            let writer = tokio::task::spawn_blocking(move || File::from(stdout).write_all(&[7; 4 << 20]).unwrap());
            let reader = tokio::task::spawn_blocking(move || {
                let mut bytes = Vec::new();
                File::open(&stdio.stdout).unwrap().read_to_end(&mut bytes).unwrap();
                bytes.len()
            });
            writer.await.unwrap();
            streams.drain(Duration::from_secs(10)).await;
            assert_eq!(reader.await.unwrap(), 4 << 20);
        });
    }

    #[test]
    fn input_ends_only_when_client_and_close_io_agree() {
        let fifos = Fifos::new("input");
        run(async {
            let stdio = fifos.stdio();
            let (streams, [stdin, _, _]) = open(&stdio);
            streams.connect_input().unwrap();
            let mut stdin = pipe::Receiver::from_owned_fd(stdin).unwrap();
            let mut buffer = [0; 8];
            for word in [b"one", b"two"] {
                let mut client = File::options().write(true).open(&stdio.stdin).unwrap();
                client.write_all(word).unwrap();
                drop(client);
                let read = tokio::io::AsyncReadExt::read(&mut stdin, &mut buffer).await.unwrap();
                assert_eq!(&buffer[..read], word);
            }
            streams.close_input();
            assert_eq!(tokio::io::AsyncReadExt::read(&mut stdin, &mut buffer).await.unwrap(), 0);
        });
    }

    #[test]
    fn input_that_is_closed_before_the_start_is_empty() {
        let fifos = Fifos::new("early");
        run(async {
            let (streams, [stdin, _, _]) = open(&fifos.stdio());
            streams.close_input();
            streams.connect_input().unwrap();
            let mut stdin = pipe::Receiver::from_owned_fd(stdin).unwrap();
            assert_eq!(tokio::io::AsyncReadExt::read(&mut stdin, &mut [0; 8]).await.unwrap(), 0);
        });
    }

    #[test]
    fn nobody_reading_is_given_up_in_time() {
        let fifos = Fifos::new("vanished");
        run(async {
            let (streams, [_, stdout, _]) = open(&fifos.stdio());
            File::from(stdout).write_all(b"unread").unwrap();
            streams.drain(Duration::from_millis(5)).await;
        });
    }

    #[test]
    fn what_is_not_a_fifo_is_refused() {
        run(async {
            let open = |stdio: Stdio| Streams::open(&stdio, None).unwrap_err().to_string();
            assert!(open(Stdio { stdout: "binary:///logger".into(), ..Stdio::default() }).contains("binary://"));
            assert!(open(Stdio { stderr: "/dev/null".into(), ..Stdio::default() }).contains("stderr"));
        });
    }

    #[test]
    fn a_log_file_is_made_and_appended_to() {
        let fifos = Fifos::new("log");
        run(async {
            let log = fifos.0.join("new/log");
            let uri = format!("file://{}", log.display());
            let stdio = Stdio { stdout: uri.clone(), stderr: uri, ..Stdio::default() };
            for word in ["one ", "two "] {
                let (streams, [_, stdout, stderr]) = open(&stdio);
                File::from(stdout).write_all(word.as_bytes()).unwrap();
                drop(stderr);
                streams.drain(Duration::from_secs(10)).await;
            }
            assert_eq!(std::fs::read_to_string(log).unwrap(), "one two ");
        });
    }

    #[test]
    fn a_terminal_is_copied_both_ways_and_ends_with_its_other_side() {
        let fifos = Fifos::new("terminal");
        run(async {
            let stdio = Stdio { terminal: true, ..fifos.stdio() };
            let (prepared, ends) = Streams::open(&stdio, None).unwrap();
            assert!(ends.is_none());
            let pty = nix::pty::openpty(None, None).unwrap();
            let mut raw = rustix::termios::tcgetattr(&pty.slave).unwrap();
            raw.make_raw();
            rustix::termios::tcsetattr(&pty.slave, rustix::termios::OptionalActions::Now, &raw).unwrap();
            let streams = prepared.with(Some(pty.master)).unwrap();
            streams.connect_input().unwrap();
            streams.terminal().unwrap().resize(100, 30).unwrap();
            let size = rustix::termios::tcgetwinsize(&pty.slave).unwrap();
            assert_eq!((size.ws_col, size.ws_row), (100, 30));
            let mut slave = File::from(pty.slave);
            let (input, output) = (stdio.stdin.clone(), stdio.stdout.clone());
            let client = tokio::task::spawn_blocking(move || {
                let mut text = String::new();
                let mut writer = File::options().write(true).open(input).unwrap();
                writer.write_all(b"ping\n").unwrap();
                File::open(output).unwrap().read_to_string(&mut text).unwrap();
                text
            });
            let inside = tokio::task::spawn_blocking(move || {
                let mut bytes = [0; 5];
                slave.read_exact(&mut bytes).unwrap();
                slave.write_all(b"pong").unwrap();
                bytes
            });
            assert_eq!(&inside.await.unwrap(), b"ping\n");
            streams.drain(Duration::from_secs(10)).await;
            assert_eq!(client.await.unwrap(), "pong");
        });
    }

    #[test]
    fn a_terminal_that_did_not_come_is_an_error() {
        run(async {
            let (prepared, _) = Streams::open(&Stdio { terminal: true, ..Stdio::default() }, None).unwrap();
            assert!(prepared.with(None).unwrap_err().to_string().contains("terminal"));
        });
    }
}
