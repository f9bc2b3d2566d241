//! One thread that owns the terminal while a run goes on: draws, asks, reads.
//!
//! The dispatcher's loop must never wait for a terminal, so it sends what happens here and goes on. Three modes: a live
//! tree on a terminal, prefixed lines elsewhere, one JSON event a line for programs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use runbook_runtime::{Clock, Control};
use runbook_view::{Held, Style};
use runbook_wire::{Outline, Person, Record, Task};

use super::painter::Painter;
use super::queue::{Queue, queue};
use crate::args::{Format, Global};
use crate::output;

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A tree that is redrawn in place, and questions.
    Live,
    /// A line for each thing that happens.
    Lines,
    /// One JSON event a line on stdout.
    Json,
}

impl Mode {
    /// The mode for these options and this terminal.
    pub(crate) fn of(global: &Global) -> Mode {
        match global.output {
            Format::Json => Mode::Json,
            Format::Text if output::moves_cursor() => Mode::Live,
            Format::Text => Mode::Lines,
        }
    }
}

/// Something that the screen hears of.
#[derive(Debug)]
pub(crate) enum Shown {
    Record(Box<Record>),
    Progress {
        task: Task,
        text: String,
    },
    Held {
        task: Task,
        held: Held,
    },
    Output {
        path: String,
        text: String,
    },
    Warning(String),
    /// What was sent from here is recorded.
    Accepted,
    /// What was sent from here was not accepted.
    Refused(String),
    /// Keys, and the question that stood when they were hit.
    Keys {
        era: u64,
        keys: Vec<u8>,
    },
    /// An INT.
    Interrupt,
    /// It is over, for this reason where the run itself does not say it.
    Done(Option<String>),
}

/// What a screen needs to know from the start.
pub(crate) struct Setting {
    pub(crate) outline: Outline,
    /// Records of earlier executors.
    pub(crate) history: Vec<Record>,
    pub(crate) mode: Mode,
    pub(crate) style: Style,
    pub(crate) colour: bool,
    pub(crate) clock: Clock,
    /// The run is driven here, whoever looks; else this only watches.
    pub(crate) drives: bool,
    /// Where the journal is, for what this run does not know of another.
    pub(crate) state: PathBuf,
    /// `None`: nobody is asked here.
    pub(crate) acts: Option<Acts>,
}

/// How what is typed here reaches the run, and from whom it is.
#[derive(Debug, Clone)]
pub(crate) struct Acts {
    pub(crate) person: Person,
    pub(crate) control: Control,
    pub(crate) handle: tokio::runtime::Handle,
}

/// The thread's other end.
#[derive(Debug)]
pub(crate) struct Screen {
    to: Queue,
    /// The last INT has not been heard.
    interrupted: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Screen {
    /// Starts the thread.
    pub(crate) fn start(setting: Setting) -> Screen {
        let (to, from) = queue();
        let interrupted = Arc::new(AtomicBool::new(false));
        let (replies, heard) = (to.clone(), Arc::clone(&interrupted));
        let thread = std::thread::spawn(move || Painter::new(setting, replies, heard).paint(&from));
        Screen { to, interrupted, thread }
    }

    /// Where to send what happens.
    pub(crate) fn sender(&self) -> Queue {
        self.to.clone()
    }

    /// Passes an INT on. False: the one before was not even heard, because the terminal hangs.
    pub(crate) fn interrupt(&self) -> bool {
        !self.interrupted.swap(true, Ordering::SeqCst) && self.to.send(Shown::Interrupt)
    }

    /// Draws the end.
    pub(crate) fn finish(self, reason: Option<String>) {
        // A screen that is gone has nothing left to draw.
        let _ = self.to.send(Shown::Done(reason));
        let _ = self.thread.join();
    }
}
