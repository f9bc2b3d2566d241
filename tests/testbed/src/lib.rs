//! A clean home for the real binary: a project folder, a state folder, an environment of its own.
//!
//! Nothing of the machine's environment reaches the binary but `PATH`. What a test sees of a run, it sees from outside:
//! exit codes, what the commands print, the files and servers that steps touched.

mod terminal;

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub use terminal::OnTerminal;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// The `runbook` binary beside the running test: `./test` builds it first.
///
/// # Panics
/// If it has not been built.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().nth(2).expect("a test is in target/<profile>/deps");
    let binary = folder.join("runbook");
    assert!(binary.exists(), "{} is missing: cargo build --bin runbook", binary.display());
    binary
}

/// Says that this machine does not let a test do its work, in a test that then returns. What is skipped in CI would be
/// noticed by nobody, so there it is a failure; a test that may skip is listed in `.config/nextest.toml`, which shows
/// what it says.
///
/// # Panics
/// In CI (`CI` is set).
#[expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test talks to whoever runs it, and is not the program"
)]
pub fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "a test cannot be skipped in CI: {reason}");
    eprintln!("skipped: {reason}");
}

/// The first of so many ports that are free now, below those that the system hands out by itself.
///
/// # Panics
/// If there are none.
pub fn free_ports(count: u16) -> u16 {
    // Tests run at the same time in processes of their own: each begins to look somewhere else.
    let start = 20_000 + (std::process::id() % 1_000) as u16 * 10;
    let free = |base: &u16| (*base..base + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    (start..start + 2_000).step_by(10).find(free).expect("of 200 places one is free")
}

/// A runbook of these steps, named `test`. Steps begin on line 6.
pub fn runbook(steps: &str) -> String {
    format!("apiVersion: runbook/v1\nkind: Runbook\nname: test\nsummary: A test.\nsteps:\n{steps}")
}

/// A project and a journal in a temporary folder.
#[derive(Debug)]
pub struct Bed {
    folder: TempDir,
}

/// A command that ended.
#[derive(Debug)]
pub struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The exit code; 128 + n for a signal, as a shell would say.
    pub fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or_default())
    }

    /// Itself, if it ended with this code.
    ///
    /// # Panics
    /// If it did not; says everything that it printed.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// The command that stderr or stdout names for this, as it stands there: on the same line, or on those below.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn command(&self, what: &str) -> String {
        let all = format!("{}{}", self.stderr, self.stdout);
        let begins = format!("{what}:");
        let mut lines = all.lines().skip_while(|line| !line.trim_start().starts_with(&begins));
        let first = lines.next().unwrap_or_else(|| panic!("no `{what}` in {all}"));
        let beside = first.trim_start()[begins.len()..].trim();
        let mut command = if beside.is_empty() { String::new() } else { beside.to_owned() };
        while command.is_empty() || !is_whole(&command) {
            command.push_str(&format!("\n{}", lines.next().expect("a command has an end")));
            command = command.trim_start().to_owned();
        }
        command
    }

    /// Standard output as one JSON value a line.
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line of -o json is JSON"))
            .collect()
    }
}

impl Default for Bed {
    fn default() -> Self {
        Bed::new()
    }
}

impl Bed {
    /// An empty project.
    pub fn new() -> Bed {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::create_dir(folder.path().join("project")).expect("a new folder is writable");
        Bed { folder }
    }

    /// A project with a runbook `a.yaml` of these steps.
    pub fn with_steps(steps: &str) -> Bed {
        let bed = Bed::new();
        bed.write("a.yaml", &runbook(steps));
        bed
    }

    /// The project's folder; commands run there.
    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// The journal's folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.project().join(name);
        std::fs::create_dir_all(path.parent().expect("a file has a folder"))
            .expect("the project is writable");
        std::fs::write(&path, text).expect("the project is writable");
        path
    }

    /// Reads a file of the project; `None` where there is none.
    pub fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.project().join(name)).ok()
    }

    /// Makes a named pipe in the project, with which a test and a script wait for each other: [`Bed::read`] of it ends
    /// when everybody who has opened it for writing has closed it again.
    pub fn fifo(&self, name: &str) -> PathBuf {
        let path = self.project().join(name);
        let made = Command::new("mkfifo").arg(&path).status().expect("the system has mkfifo");
        assert!(made.success(), "the project is writable");
        path
    }

    /// Copies the shipped runbooks and environments here, with the ports of `local` moved to `base` and the eight after it.
    pub fn ship_runbooks(&self, base: u16) {
        for folder in ["runbooks", "environments"] {
            self.copy_folder(folder);
        }
        self.copy_file("runbook.toml");
        let local = "environments/local.yaml";
        let text = self.read(local).expect("the environment was just copied");
        let mut moved = text;
        for door in 0..9 {
            moved = moved.replace(&format!("127.0.0.1:740{door}"), &format!("127.0.0.1:{}", base + door));
        }
        self.write(local, &moved);
        let project = self.read("runbook.toml").expect("the project's file was just copied");
        self.write("runbook.toml", &project.replace("base_port = 7400", &format!("base_port = {base}")));
    }

    fn copy_folder(&self, folder: &str) {
        for entry in std::fs::read_dir(root().join(folder)).expect("the repository is there") {
            let path = entry.expect("an entry can be read").path();
            let name = format!("{folder}/{}", path.file_name().unwrap_or_default().to_string_lossy());
            if path.is_dir() { self.copy_folder(&name) } else { self.copy_file(&name) }
        }
    }

    fn copy_file(&self, name: &str) {
        // What somebody practised on the working copy is not what ships.
        if name == "runbooks/baselines/local.json" {
            return;
        }
        let text = std::fs::read_to_string(root().join(name)).expect("a shipped file is text");
        self.write(name, &text);
    }

    /// The binary with arguments, ready to be started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args);
        self.outfit(command)
    }

    /// The binary with arguments behind the words of another command that starts it.
    pub fn behind(&self, other: &[&str], args: &[&str]) -> Command {
        let mut command = Command::new(other[0]);
        command.args(&other[1..]).arg(binary()).args(args);
        self.outfit(command)
    }

    /// A command with the project's folder and an environment of its own.
    fn outfit(&self, mut command: Command) -> Command {
        command.current_dir(self.project()).env_clear();
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", self.folder.path()).env("RUNBOOK_STATE", self.state()).env("LANG", "C.UTF-8");
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn runbook(&self, args: &[&str]) -> Ran {
        ran(self.command(args))
    }

    /// Runs a command as the program has printed it.
    pub fn hinted(&self, line: &str) -> Ran {
        let words = line.strip_prefix("runbook ").expect("what is printed is a command of ours");
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{} {words}", binary().display()));
        ran(self.outfit(command))
    }

    /// Starts a command with its streams piped.
    pub fn start(&self, args: &[&str]) -> Started {
        let child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Started { child: child.expect("the binary can be started"), heard: Vec::new() }
    }

    /// Starts a command on a terminal of 80 by 24.
    pub fn on_terminal(&self, args: &[&str]) -> OnTerminal {
        OnTerminal::start(&binary(), self.command(args), (24, 80))
    }

    /// Starts a shell script on a terminal of 80 by 24; the binary is its `$0`.
    pub fn script_on_terminal(&self, script: &str) -> OnTerminal {
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(binary());
        OnTerminal::start(Path::new("sh"), self.outfit(command), (24, 80))
    }

    /// Starts a command on a terminal of this `TERM`, colours allowed, and this size.
    pub fn on_terminal_like(&self, term: &str, size: (u16, u16), args: &[&str]) -> OnTerminal {
        let mut command = self.command(args);
        command.env("TERM", term).env("NO_COLOR", "");
        OnTerminal::start(&binary(), command, size)
    }

    /// The id of the newest run.
    ///
    /// # Panics
    /// If there is none.
    pub fn newest_run(&self) -> String {
        let ran = self.runbook(&["runs", "--limit", "1", "-o", "json"]).expect(0);
        ran.json_lines()[0]["run"].as_str().expect("a run has an id").to_owned()
    }

    /// The recorded events of a run.
    pub fn events(&self, run: &str) -> Vec<Value> {
        self.runbook(&["show", run, "--events", "-o", "json"]).expect(0).json_lines()
    }
}

/// A command that runs.
#[derive(Debug)]
pub struct Started {
    child: Child,
    /// What was read of its stderr already.
    heard: Vec<u8>,
}

/// Runs a command to its end.
///
/// # Panics
/// If it cannot be started.
pub fn ran(mut command: Command) -> Ran {
    let output = command.output().expect("the binary can be started");
    Ran {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Whether a shell would not wait for another line.
fn is_whole(command: &str) -> bool {
    let (mut quoted, mut rest) = (false, command.chars());
    while let Some(c) = rest.next() {
        match c {
            '\'' => quoted = !quoted,
            '\\' if !quoted && rest.next().is_none() => return false,
            _ => {}
        }
    }
    !quoted
}

impl Started {
    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the process is ours");
    }

    /// Reads its stderr until this has been said.
    ///
    /// # Panics
    /// If it ends without saying so.
    #[track_caller]
    pub fn stderr_until(&mut self, text: &str) {
        let pipe = self.child.stderr.as_mut().expect("stderr is piped");
        while !self.heard.windows(text.len()).any(|window| window == text.as_bytes()) {
            let mut more = [0; 4096];
            let read = pipe.read(&mut more).expect("a pipe can be read");
            assert_ne!(read, 0, "{text} was not said:\n{}", String::from_utf8_lossy(&self.heard));
            self.heard.extend(&more[..read]);
        }
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Ran {
        // Read to the end before waiting, so that a full pipe does not stop the child.
        let mut err = self.child.stderr.take();
        let reader = std::thread::spawn(move || {
            let mut text = self.heard;
            if let Some(err) = &mut err {
                err.read_to_end(&mut text).expect("a pipe can be read");
            }
            text
        });
        let mut stdout = Vec::new();
        if let Some(out) = &mut self.child.stdout {
            out.read_to_end(&mut stdout).expect("a pipe can be read");
        }
        let status = self.child.wait().expect("the child is ours");
        let stderr = reader.join().expect("the reader does not panic");
        Ran {
            status,
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }
}
