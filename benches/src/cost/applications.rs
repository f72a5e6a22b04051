//! Programs that people run, found in PATH: each does a fixed piece of work, and its time is taken inside.
//!
//! What they write lies in `/tmp` of the container; servers listen on its loopback and end with the row.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where servers of a row listen: the container's own loopback.
const REDIS_PORT: u16 = 16_379;
const NGINX_PORT: u16 = 18_080;
/// A server that does not listen by then has failed.
const PATIENCE: Duration = Duration::from_secs(10);

fn said(error: impl ToString) -> String {
    error.to_string()
}

/// Runs a command to its end; its stdout, and the time.
fn run(command: &mut Command) -> Result<(Duration, String), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    let time = start.elapsed();
    if output.status.success() {
        return Ok((time, String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {}: {}", output.status, words.lines().last().unwrap_or_default()))
}

fn timed(command: &mut Command) -> Result<Duration, String> {
    run(command).map(|(time, _)| time)
}

/// A hundred thousand rows into a file, an index, and questions.
pub(super) fn sqlite() -> Result<Duration, String> {
    const SCRIPT: &str = "pragma synchronous = off; create table t(a integer primary key, b text, c integer);
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
            insert into t select i, 'row number ' || i, i * 7919 % 100003 from n;
        create index c on t(c); select sum(a) from t where c < 50000; select count(*) from t where b like '%99%';
        update t set c = c + 1 where a % 3 = 0; delete from t where a % 5 = 0; vacuum;";
    let file = "/tmp/lazaret-bench.sqlite";
    let time = timed(Command::new("sqlite3").args([file, SCRIPT]))?;
    std::fs::remove_file(file).map_err(said)?;
    Ok(time)
}

/// A server that is ended with its row.
struct Server(Child);

impl Server {
    fn start(command: &mut Command, port: u16) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let streams = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Self(streams.spawn().map_err(|error| format!("{name}: {error}"))?);
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = server.0.try_wait().map_err(said)? {
                return Err(format!("{name}: {status}"));
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{name} does not listen"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        // SIGTERM, so that a master takes its workers with it. It is our child and not waited for: the number is its.
        if rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_err() || self.0.wait().is_err() {
            crate::report::warn("a server of the benchmark could not be ended");
        }
    }
}

/// Time of one request, pipelined by nobody.
pub(super) fn redis() -> Result<Duration, String> {
    const REQUESTS: u32 = 40_000;
    let port = REDIS_PORT.to_string();
    let settings = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/tmp"];
    let _server = Server::start(Command::new("redis-server").args(settings), REDIS_PORT)?;
    let requests = REQUESTS.to_string();
    let load = ["-h", "127.0.0.1", "-p", &port, "-n", &requests, "-c", "20", "-t", "get,set", "--csv"];
    // Two tests of so many requests each.
    timed(Command::new("redis-benchmark").args(load)).map(|time| time / (2 * REQUESTS))
}

/// Time of one request for a small file.
pub(super) fn nginx() -> Result<Duration, String> {
    let directory = Path::new("/tmp/lazaret-bench-nginx");
    std::fs::create_dir_all(directory).map_err(said)?;
    std::fs::write(directory.join("index.html"), "x".repeat(1024)).map_err(said)?;
    let settings = format!(
        "daemon off; worker_processes 1; pid {place}/pid; error_log {place}/error;
         events {{ worker_connections 256; }}
         http {{ access_log off; client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
             fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
             server {{ listen 127.0.0.1:{NGINX_PORT}; root {place}; }} }}",
        place = directory.display()
    );
    let file = directory.join("nginx.conf");
    std::fs::write(&file, format!("user root;\n{settings}\n")).map_err(said)?;
    // Debian has it outside the PATH of ordinary users.
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| Path::new(path).exists());
    let mut command = Command::new(program.ok_or("nginx is not installed")?);
    let _server = Server::start(command.arg("-c").arg(&file).arg("-p").arg(directory), NGINX_PORT)?;
    let url = format!("http://127.0.0.1:{NGINX_PORT}/index.html");
    let (_, text) = run(Command::new("wrk").args(["-t", "1", "-c", "16", "-d", "2s", &url]))?;
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).ok_or("wrk gives no rate")?;
    let rate: f64 = rate.trim().parse().map_err(said)?;
    if rate < 1.0 || text.contains("Non-2xx") {
        return Err(format!("nginx does not serve: {}", text.lines().last().unwrap_or_default()));
    }
    Ok(Duration::from_secs_f64(1.0 / rate))
}

/// Reads every file of the C headers, a source tree that a compiler brings along.
pub(super) fn tar() -> Result<Duration, String> {
    let mut command = Command::new("tar");
    command.args(["--create", "--file=-", "--directory=/usr", "include"]).stderr(Stdio::null()).stdin(Stdio::null());
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("tar: {error}"))?;
    let mut pipe = child.stdout.take().ok_or("tar has no stdout")?;
    // tar looks where it writes to, and reads no file for /dev/null.
    let mut buffer = vec![0; 65_536];
    let mut length = 0;
    loop {
        match pipe.read(&mut buffer).map_err(said)? {
            0 => break,
            bytes => length += bytes,
        }
    }
    let status = child.wait().map_err(said)?;
    let time = start.elapsed();
    if status.success() && length > 1 << 20 { Ok(time) } else { Err(format!("tar: {status}, {length} bytes")) }
}

/// A program that takes rustc about a second.
pub(super) fn rust() -> Result<Duration, String> {
    let mut source = String::from("use std::collections::BTreeMap;\n");
    let mut calls = String::new();
    for number in 0..120 {
        source.push_str(&format!(
            "fn f{number}(n: u64) -> BTreeMap<u64, String> {{ (0..n).map(|i| (i * {number}, format!(\"{{i}}\"))).collect() }}\n"
        ));
        calls.push_str(&format!("total += f{number}(3).len();"));
    }
    source.push_str(&format!("fn main() {{ let mut total = 0; {calls} println!(\"{{total}}\"); }}\n"));
    compiled("rs", &source, Command::new("rustc").args(["--edition", "2024", "-o", "/tmp/lazaret-bench.out"]))
}

/// A program that takes the C compiler about as long.
pub(super) fn c() -> Result<Duration, String> {
    let mut source = String::from("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>\n");
    for number in 0..400 {
        source.push_str(&format!(
            "int f{number}(int n) {{ int s = {number}; for (int i = 0; i < n; i++) s = s * 31 + i % 7; return s; }}\n"
        ));
    }
    source.push_str("int main(void) { return f0(1) == 42; }\n");
    compiled("c", &source, Command::new("cc").args(["-O2", "-o", "/tmp/lazaret-bench.out"]))
}

fn compiled(suffix: &str, source: &str, compiler: &mut Command) -> Result<Duration, String> {
    let file = format!("/tmp/lazaret-bench.{suffix}");
    std::fs::write(&file, source).map_err(said)?;
    timed(compiler.arg(&file))
}

/// Ten starts with what a small program imports.
pub(super) fn python() -> Result<Duration, String> {
    const STARTS: u32 = 10;
    // What stands first in PATH may be a script that looks for a python.
    let program = "/usr/bin/python3";
    let start = Instant::now();
    for _ in 0..STARTS {
        timed(Command::new(program).args(["-c", "import json, re, socket, subprocess, threading"]))?;
    }
    Ok(start.elapsed() / STARTS)
}

/// Two thousand files in a repository of its own; path after path.
pub(super) fn git() -> Result<Duration, String> {
    let directory = Path::new("/tmp/lazaret-bench-git");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.env("HOME", "/tmp").arg("-C").arg(directory).args(arguments);
        run(&mut command)
    };
    if !directory.exists() {
        for number in 0..2000 {
            let place = directory.join(format!("d{}", number % 50));
            std::fs::create_dir_all(&place).map_err(said)?;
            let mut file = std::fs::File::create(place.join(format!("f{number}"))).map_err(said)?;
            file.write_all(format!("file {number}\n").as_bytes()).map_err(said)?;
            // What is as young as the index is read again by every status, in whichever mode that happens to be so.
            file.set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).map_err(said)?;
        }
        git(&["init", "--quiet"])?;
        git(&["add", "--all"])?;
        git(&["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "-m", "all"])?;
    }
    const TIMES: u32 = 5;
    let mut total = Duration::ZERO;
    for _ in 0..TIMES {
        let (time, text) = git(&["status", "--porcelain"])?;
        if !text.is_empty() {
            return Err("git status finds changes that nobody made".to_owned());
        }
        total += time;
    }
    Ok(total / TIMES)
}
