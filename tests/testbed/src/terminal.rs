//! The binary on a terminal: what is printed there, and what is typed.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A command on a terminal of its own, which controls it: Ctrl-C is INT.
#[derive(Debug)]
pub struct OnTerminal {
    master: File,
    child: Child,
    heard: String,
    /// How much of it was waited for.
    seen: usize,
}

impl OnTerminal {
    pub(crate) fn start(binary: &std::path::Path, outfit: Command, size: (u16, u16)) -> OnTerminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("the system has terminals");
        grantpt(&master).expect("the terminal is ours");
        unlockpt(&master).expect("the terminal is ours");
        let size = Winsize { ws_row: size.0, ws_col: size.1, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("a terminal has a size");
        let name = ptsname(&master, Vec::new()).expect("a terminal has a name");
        let name = name.into_string().expect("its name is ASCII");
        let slave = File::options().read(true).write(true).open(name).expect("the terminal can be opened");
        let stdio = || Stdio::from(slave.try_clone().expect("a file has copies"));
        // A session of its own, with this terminal.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(binary).args(outfit.get_args()).env_clear();
        command.env("NO_COLOR", "1").env("TERM", "xterm");
        command.envs(outfit.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(outfit.get_current_dir().expect("a command of a bed has a folder"));
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        let child = command.spawn().expect("the binary can be started");
        OnTerminal { master: File::from(master), child, heard: String::new(), seen: 0 }
    }

    /// Reads on until this has been printed, after what was waited for last.
    ///
    /// # Panics
    /// If it ends without that.
    #[track_caller]
    pub fn until(&mut self, text: &str) {
        while !self.heard[self.seen..].contains(text) {
            assert!(self.hear(), "{text:?} was not printed:\n{}", self.heard);
        }
        self.seen += self.heard[self.seen..].find(text).unwrap_or_default() + text.len();
    }

    /// What follows on the same line.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let start = self.seen;
        self.until("\r");
        self.heard[start..self.seen].trim_end().to_owned()
    }

    /// Types this as it stands: an Enter is `\r`, a Ctrl-C `\x03`.
    pub fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("a terminal takes keys");
    }

    /// Everything from what was waited for last to the end, and the exit code.
    pub fn end(mut self) -> (String, i32) {
        while self.hear() {}
        let status = self.child.wait().expect("the child is ours");
        (self.heard[self.seen..].to_owned(), status.code().unwrap_or(-1))
    }

    /// Reads some more; false at the end. A terminal that nobody has open any more fails to be read.
    fn hear(&mut self) -> bool {
        let mut more = [0; 4096];
        let read = self.master.read(&mut more).unwrap_or(0);
        self.heard.push_str(&String::from_utf8_lossy(&more[..read]));
        read > 0
    }
}
