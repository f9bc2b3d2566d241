//! What is typed while a run is on this terminal.
//!
//! Below a live tree the characters come to us one by one. While a question stands we show them: so the tree goes on
//! moving above what is being typed, and what was typed at one question is never taken for an answer to the next. While
//! none stands nothing shows them: the terminal's own echo would write into the tree. Ctrl-C and Ctrl-Z stay the
//! terminal's. A `runbook` that is killed with SIGKILL meanwhile leaves the terminal like that. An interactive shell puts
//! it right when its job dies, and so does the next `runbook` that executes a run there. (A process that waits for our
//! death to do it would be one more to be killed, for the length of each run.) A terminal that cannot be redrawn stays as
//! it is, and gives us lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios};

use super::queue::Queue;
use super::screen::Shown;

/// What we take over while a question stands: lines, and showing what is typed.
const OURS: LocalModes = LocalModes::ICANON.union(LocalModes::ECHO);

/// The keyboard of this terminal.
#[derive(Debug, Default)]
pub(crate) struct Keyboard {
    /// Counts questions: keys that were hit before one was put are not for it.
    era: Arc<AtomicU64>,
    /// Whether characters come one by one.
    held: bool,
    /// How the terminal was before.
    before: Option<Termios>,
    line: Line,
}

impl Keyboard {
    /// A keyboard whose keys come one by one, or line by line.
    pub(crate) fn new(held: bool) -> Keyboard {
        let mut keyboard = Keyboard::default();
        keyboard.held = held;
        keyboard
    }

    /// Reads keys from now on. The thread ends with the process: a blocked read cannot be called back.
    pub(crate) fn listen(&self, to: Queue) {
        mend();
        let era = Arc::clone(&self.era);
        std::thread::spawn(move || read(&era, &to));
    }

    /// A new question: what was typed so far is forgotten, also what nobody has read yet.
    pub(crate) fn begin(&mut self) {
        self.line = Line::default();
        self.era.fetch_add(1, Ordering::SeqCst);
        self.hold();
        if foreground() {
            // Without a terminal there is nothing to forget.
            let _ = rustix::termios::tcflush(rustix::stdio::stdin(), QueueSelector::IFlush);
        }
    }

    /// Has the terminal give us single characters; again where a shell has changed that, after Ctrl-Z and `fg`.
    pub(crate) fn hold(&mut self) {
        let stdin = rustix::stdio::stdin();
        // From the background, setting a terminal's mode stops the process.
        if !self.held || !foreground() {
            return;
        }
        let Ok(now) = rustix::termios::tcgetattr(stdin) else { return };
        if !now.local_modes.intersects(OURS) {
            return;
        }
        let mut held = now.clone();
        held.local_modes.remove(OURS);
        held.special_codes[SpecialCodeIndex::VMIN] = 1;
        held.special_codes[SpecialCodeIndex::VTIME] = 0;
        self.before.get_or_insert(now);
        // A terminal that refuses goes on line by line, which is as good as it gets there.
        let _ = rustix::termios::tcsetattr(stdin, OptionalActions::Now, &held);
    }

    /// No question stands any more: what was typed is for nothing.
    pub(crate) fn forget(&mut self) {
        self.line = Line::default();
        self.era.fetch_add(1, Ordering::SeqCst);
    }

    /// Nothing is asked here any more: the terminal is as it was.
    pub(crate) fn end(&mut self) {
        self.forget();
        let before = self.before.take();
        if let Some(before) = before.filter(|_| foreground()) {
            let _ = rustix::termios::tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &before);
        }
    }

    /// Takes keys in; a line that they end.
    pub(crate) fn press(&mut self, era: u64, keys: &[u8]) -> Option<String> {
        if era != self.era.load(Ordering::SeqCst) {
            return None;
        }
        self.line.press(keys)
    }

    /// What is being typed.
    pub(crate) fn typed(&self) -> &str {
        &self.line.text
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.end();
    }
}

/// Puts a terminal right that one of us has left as it was at a question. It is told by what we leave alone: whoever wants a
/// raw terminal turns signals and line ends off too.
fn mend() {
    let stdin = rustix::stdio::stdin();
    let Some(mut now) = rustix::termios::tcgetattr(stdin).ok().filter(|_| foreground()) else { return };
    let alike = now.local_modes.contains(LocalModes::ISIG)
        && now.input_modes.contains(InputModes::ICRNL)
        && now.special_codes[SpecialCodeIndex::VMIN] == 1
        && now.special_codes[SpecialCodeIndex::VTIME] == 0;
    if alike && !now.local_modes.intersects(OURS) {
        now.local_modes.insert(OURS);
        // A terminal that refuses is as it was.
        let _ = rustix::termios::tcsetattr(stdin, OptionalActions::Now, &now);
    }
}

/// Whether the terminal is ours to set.
fn foreground() -> bool {
    rustix::termios::tcgetpgrp(rustix::stdio::stdin())
        .is_ok_and(|group| runbook_runtime::own_group() == Some(group))
}

fn read(era: &AtomicU64, to: &Queue) {
    let stdin = rustix::stdio::stdin();
    let mut buffer = [0; 1024];
    loop {
        let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut ready, None) {
            Err(Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        let hung_up = ready[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
        // Looked at before reading: keys that a question being put meanwhile has not seen are of the one before.
        let now = era.load(Ordering::SeqCst);
        match rustix::io::read(stdin, &mut buffer) {
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return,
            Ok(0) if hung_up => return,
            // Ctrl-D on a line of its own is no end: the terminal is still there.
            Ok(0) => {}
            Ok(n) => {
                if !to.send(Shown::Keys { era: now, keys: buffer[..n].to_vec() }) {
                    return;
                }
            }
        }
    }
}

/// A line that is being typed: text, backspace, Ctrl-U, Ctrl-W.
#[derive(Debug, Default)]
struct Line {
    text: String,
    /// The beginning of a character of several bytes.
    part: Vec<u8>,
    escape: Escape,
}

/// How far into an escape sequence (an arrow key) we are; they mean nothing here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    Sequence,
}

impl Line {
    /// Takes keys in; the line, when Enter was among them. What came after Enter was typed before the next question was
    /// there, and is dropped.
    fn press(&mut self, keys: &[u8]) -> Option<String> {
        for key in keys {
            match (self.escape, key) {
                (Escape::Begun, b'[' | b'O') => self.escape = Escape::Sequence,
                (Escape::Begun, _) | (Escape::Sequence, 0x40..=0x7e) => self.escape = Escape::None,
                (Escape::Sequence, _) => {}
                (Escape::None, 0x1b) => self.escape = Escape::Begun,
                (Escape::None, b'\r' | b'\n') => return Some(std::mem::take(self).text),
                (Escape::None, 0x7f | 0x08) => drop(self.text.pop()),
                (Escape::None, 0x15) => self.text.clear(),
                (Escape::None, 0x17) => {
                    let kept = self.text.trim_end().rfind(char::is_whitespace).map_or(0, |at| at + 1);
                    self.text.truncate(kept);
                }
                (Escape::None, 0..0x20) => {}
                (Escape::None, byte) => self.byte(*byte),
            }
        }
        None
    }

    fn byte(&mut self, byte: u8) {
        self.part.push(byte);
        match std::str::from_utf8(&self.part) {
            Ok(text) => {
                self.text.push_str(text);
                self.part.clear();
            }
            Err(error) if error.error_len().is_some() => self.part.clear(),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> (Option<String>, String) {
        let mut line = Line::default();
        let entered = line.press(keys.as_bytes());
        (entered, line.text)
    }

    #[test]
    fn a_line_is_edited_and_entered() {
        assert_eq!(typed("appr"), (None, "appr".into()));
        assert_eq!(typed("axp\u{7f}\u{7f}pprove\r").0.unwrap(), "approve");
        assert_eq!(typed("no\u{15}yes the wiki\u{17}rota\n").0.unwrap(), "yes the rota");
        assert_eq!(typed("a\u{1b}[D\u{1b}OAb\u{4}c"), (None, "abc".into()));
        assert_eq!(typed("größe\n").0.unwrap(), "größe");
    }

    #[test]
    fn what_follows_enter_is_not_for_the_next_question() {
        assert_eq!(typed("approve\napprove\n"), (Some("approve".into()), String::new()));
    }

    #[test]
    fn keys_of_an_earlier_question_are_forgotten() {
        let mut keyboard = Keyboard::default();
        assert_eq!(keyboard.press(0, b"approve"), None);
        keyboard.begin();
        assert_eq!(keyboard.typed(), "");
        assert_eq!(keyboard.press(0, b"approve\n"), None);
        assert_eq!(keyboard.press(1, b"\n"), Some(String::new()));
    }
}
