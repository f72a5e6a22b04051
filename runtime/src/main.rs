//! The command `lazaret`: reads the arguments, calls the library, and says what came of it.
//!
//! The only place that prints and that turns an error into an exit status. Single-threaded, as the launcher needs.

mod cli;
mod log;
mod show;
mod show_config;
mod show_policy;
mod show_profile;
mod table;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use lazaret::config::Sources;
use lazaret::error::Error;
use lazaret::lifecycle::{self, CreateRequest, ExecRequest, Executed, LifecycleError, Outcome, TraceRequest};
use lazaret::metrics;
use lazaret::options::Options;
use lazaret::rootless;

use cli::{Cli, Verb};

/// Exit status of a failure of our own (docker's and podman's convention).
const FAILURE: u8 = 125;
/// Exit status of a failure of `exec`.
const EXEC_FAILURE: u8 = 255;
/// Exit status of a command line that cannot be understood.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let first_of_ours = 3_u32.saturating_add(cli.verb.passes_on().unwrap_or(0));
    if let Err(error) = close_strangers(&cli.verb, first_of_ours) {
        return refuse(&format!("could not close what the caller had open: {error}"));
    }
    match log::start(cli.global.log.as_deref(), cli.global.log_format, cli.global.debug, first_of_ours) {
        Ok(()) => {}
        Err(error) => return refuse(&format!("could not open the log file: {error}")),
    }
    if let Some(why) = cli.global.refusal() {
        return refuse(why);
    }
    let options = match cli.global.options(&cli.verb) {
        Ok(options) => options,
        Err(error) => return report(&error, FAILURE),
    };
    if let Err(error) = become_root_inside(&options, &cli.verb) {
        return report(&error, error.exit_status());
    }
    if let Err(error) = seal(&cli.verb, &options) {
        return refuse(&format!("could not protect lazaret's own executable from the container: {error}"));
    }
    match prepare_process(&cli.verb).map_err(|error| error.to_string()) {
        Ok(()) => {}
        Err(error) => return refuse(&error),
    }
    let is_exec = matches!(cli.verb, Verb::Exec(_));
    let sources = cli.global.sources();
    match perform(&options, cli.verb, &sources) {
        Ok(status) => ExitCode::from(status),
        Err(error) if is_exec => report(&error, EXEC_FAILURE),
        Err(error) => report(&error, error.exit_status()),
    }
}

/// An ordinary user launches from a user namespace of its own; for `exec`, from that above the container's.
fn become_root_inside(options: &Options, verb: &Verb) -> Result<(), Error> {
    if verb.passes_on().is_none() || !rootless::is_needed() {
        return Ok(());
    }
    let Verb::Exec(exec) = verb else { return Ok(rootless::enter()?) };
    match lifecycle::state(options, &exec.id)?.pid {
        // It has ended, which the verb itself refuses.
        0 => Ok(()),
        pid => Ok(rootless::join(pid)?),
    }
}

/// Before anything else, for the verbs whose child will be inside a container. A container that is joined has its own
/// mode, whatever was asked for; of one that nobody knows the worst is assumed.
fn seal(verb: &Verb, options: &Options) -> std::io::Result<()> {
    if verb.passes_on().is_none() {
        return Ok(());
    }
    let joined = if let Verb::Exec(exec) = verb { Some(&exec.id) } else { None };
    let is_native = |id: &String| !lazaret::state::peek(&options.root, id).is_ok_and(|state| state.mode.is_confined());
    let may_be_native = joined.map_or_else(|| options.may_be_native(), is_native);
    let out_of_reach = !may_be_native && lazaret::sealed::belongs_to_root_alone()?;
    if out_of_reach {
        return Ok(());
    }
    lazaret::sealed::execute_read_only()
}

/// Nothing of the caller's stays open that is not to be passed on. Before anything of our own is opened: the log is one.
fn close_strangers(verb: &Verb, first: u32) -> std::io::Result<()> {
    if verb.passes_on().is_some() { lazaret::sys::clone::close_from(first) } else { Ok(()) }
}

/// The process as the launcher wants it: orphans of the container come to us.
fn prepare_process(verb: &Verb) -> std::io::Result<()> {
    if verb.passes_on().is_none() {
        return Ok(());
    }
    // A caller that ignores SIGCHLD would have us lose the exit statuses of our children.
    lazaret::sys::process::reset_signals()?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

fn perform(options: &Options, verb: Verb, sources: &Sources) -> Result<u8, Error> {
    match verb {
        Verb::Do(arguments) => {
            let outcome = lifecycle::run_on_host_root(options, arguments.command, &arguments.env)?;
            tell_refusals(&outcome);
            Ok(tell_end(&outcome))
        }
        Verb::Trace(arguments) => trace(options, arguments),
        Verb::Run(arguments) => Ok(tell_end(&lifecycle::run(options, request(arguments))?)),
        Verb::Create(arguments) => lifecycle::create(options, request(arguments)).map(|_created| 0),
        Verb::Start(arguments) => lifecycle::start(options, &arguments.id).map(|()| 0),
        Verb::State(arguments) => lifecycle::state(options, &arguments.id).map(|state| print_json(&state)),
        Verb::Exec(arguments) => exec(options, *arguments),
        Verb::Kill(arguments) => {
            let signal = lifecycle::parse_signal(arguments.signal_option.as_ref().unwrap_or(&arguments.signal))?;
            lifecycle::kill(options, &arguments.id, signal, arguments.all).map(|()| 0)
        }
        Verb::Delete(arguments) => lifecycle::delete(options, &arguments.id, arguments.force).map(|()| 0),
        Verb::List(arguments) => show::list(options, &arguments).map(status_of),
        Verb::Ps(arguments) => show::ps(options, &arguments).map(status_of),
        Verb::Pause(arguments) => lifecycle::pause(options, &arguments.id).map(|()| 0),
        Verb::Resume(arguments) => lifecycle::resume(options, &arguments.id).map(|()| 0),
        Verb::Update(arguments) => {
            let (id, limits) = arguments.limits();
            lifecycle::update(options, &id, limits).map(|()| 0)
        }
        Verb::Events(arguments) => show::events(options, &arguments).map(status_of),
        Verb::Metrics(arguments) => metrics(options, &arguments),
        Verb::Spec(arguments) => lifecycle::write_default_config(&arguments.bundle).map(|()| 0),
        Verb::Syscalls(arguments) => show::syscalls(options, &arguments).map(status_of),
        Verb::Doctor(arguments) => Ok(verdict(show::doctor(&arguments))),
        Verb::Policy(policy) => {
            let cli::policy::PolicyVerb::Check(arguments) = policy.verb;
            show_policy::check(&arguments).map(|printed| printed.unwrap_or(FAILURE))
        }
        Verb::Config(arguments) => show_config::config(sources, arguments).map(status_of),
        Verb::Profile(arguments) => show_profile::profile(&arguments).map(status_of),
        Verb::Schema(arguments) => Ok(status_of(show_config::schema(&arguments))),
        Verb::Check(arguments) => show::check(options, sources, &arguments).map(verdict),
        Verb::Verify(arguments) => show::verify(options, &arguments).map(verdict),
        Verb::Features => Ok(print_json(&lifecycle::features())),
        Verb::Checkpoint(_) => Err(no_snapshots("checkpoint")),
        Verb::Restore(_) => Err(no_snapshots("restore")),
    }
}

fn metrics(options: &Options, arguments: &cli::metrics::Metrics) -> Result<u8, Error> {
    match &arguments.listen {
        Some(place) => match metrics::serve(options, &place.parse()?)? {},
        None => Ok(status_of(show::metrics(&metrics::collect(options, arguments.id.as_deref())?))),
    }
}

fn trace(options: &Options, arguments: cli::trace::Trace) -> Result<u8, Error> {
    let request = TraceRequest { output: arguments.output, summary: arguments.summary };
    if let Some(id) = arguments.id {
        return lifecycle::trace_container(options, &id, request).map(|()| 0);
    }
    let outcome = lifecycle::trace_on_host_root(options, arguments.command, &arguments.env, request)?;
    tell_refusals(&outcome);
    Ok(tell_end(&outcome))
}

/// Any failure of ours is 255, as with runc and docker: below it are the statuses of commands.
fn exec(options: &Options, mut arguments: cli::exec::Exec) -> Result<u8, Error> {
    let process = match arguments.process() {
        Ok(path) => lifecycle::ExecProcess::read(&path)?,
        Err(command) => lifecycle::ExecProcess::Command(command),
    };
    let request = ExecRequest {
        id: arguments.id,
        process,
        stdio: [None, None, None],
        detach: arguments.detach,
        pid_file: arguments.pid_file,
        console_socket: arguments.console_socket,
        returns_terminal: false,
        pidfd_socket: arguments.pidfd_socket,
        preserve_fds: arguments.preserve_fds,
        cgroups: arguments.cgroup,
        ignore_paused: arguments.ignore_paused,
        record_sink: None,
    };
    match lifecycle::exec(options, request)? {
        Executed::Detached(_process) => Ok(0),
        Executed::Ended(outcome) => Ok(tell_end(&outcome)),
    }
}

/// What cannot be printed has nobody who reads it.
fn status_of(printed: std::io::Result<()>) -> u8 {
    if printed.is_ok() { 0 } else { FAILURE }
}

/// The status of a verb that judges: 0 where all is well and 1 where it is not.
fn verdict((printed, is_well): (std::io::Result<()>, bool)) -> u8 {
    if printed.is_ok() { u8::from(!is_well) } else { FAILURE }
}

fn no_snapshots(verb: &'static str) -> Error {
    let why = "lazaret does not save the memory and the kernel state of a container";
    LifecycleError::NotSupported { verb, why }.into()
}

fn request(arguments: cli::Create) -> CreateRequest {
    CreateRequest {
        id: arguments.id,
        bundle: arguments.bundle,
        pid_file: arguments.pid_file,
        console_socket: arguments.console_socket,
        pidfd_socket: arguments.pidfd_socket,
        preserve_fds: arguments.preserve_fds,
        ..CreateRequest::default()
    }
}

/// One line for each distinct refusal: what, how often, why, and what would allow it.
fn tell_refusals(outcome: &Outcome) {
    for refusal in &outcome.refusals {
        say(&format!("lazaret: refused {} ({}x): {}; {}", refusal.what, refusal.count, refusal.why, refusal.allow));
    }
}

/// The workload's exit status, after saying why we ended it, if we did.
fn tell_end(outcome: &Outcome) -> u8 {
    if let Some(reason) = &outcome.ended_by_lazaret {
        say(&format!("lazaret: killed the container: {reason}"));
    }
    outcome.exit_status
}

fn print_json(value: &impl serde::Serialize) -> u8 {
    let printed = serde_json::to_string_pretty(value)
        .map_err(std::io::Error::from)
        .and_then(|text| writeln!(std::io::stdout(), "{text}"));
    status_of(printed)
}

/// One error: its number, its causes, and a hint.
fn report(error: &Error, status: u8) -> ExitCode {
    let chain = error.chain();
    tracing::error!("{chain}");
    let mut text = format!("error[lazaret-{}]: {chain}", error.code());
    if let Some(hint) = error.hint() {
        text.push_str("\n  hint: ");
        text.push_str(&hint);
    }
    say(&text);
    ExitCode::from(status)
}

fn refuse(why: &str) -> ExitCode {
    tracing::error!("{why}");
    say(&format!("error[lazaret-1030]: {why}"));
    ExitCode::from(FAILURE)
}

/// Help and version go to standard output; anything else is one line and a pointer to the help.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_closed) => ExitCode::from(FAILURE),
        };
    }
    let rendered = error.render().to_string();
    let lines: Vec<&str> =
        rendered.lines().take_while(|line| !line.starts_with("Usage:")).filter(|line| !line.is_empty()).collect();
    say(&format!("{}\n  hint: see lazaret --help", lines.join("\n")));
    ExitCode::from(USAGE)
}

/// A line on standard error. When that is closed there is nobody to tell.
fn say(text: &str) {
    if writeln!(std::io::stderr(), "{}", log::printable(text)).is_err() {
        tracing::debug!("standard error is closed");
    }
}
