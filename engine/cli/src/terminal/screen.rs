//! One thread that owns the terminal while a run goes on: draws, asks, reads.
//!
//! The dispatcher's loop must never wait for a terminal, so it sends what happens here and goes on. Three modes: a live
//! tree on a terminal, prefixed lines elsewhere, one JSON event a line for programs.

use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::tz::TimeZone;
use runbook_runtime::{Clock, Control};
use runbook_view::{Now, Question, Run, Style, Tone, Tree};
use runbook_wire::{About, Answer, EntryKind, Message, Outline, Person, Record, Request, Task, Via};

use super::answer::{self, Kind, Typed};
use super::region::Region;
use super::style;
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
            Format::Text if std::io::stderr().is_terminal() => Mode::Live,
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
    Output {
        path: String,
        text: String,
    },
    Warning(String),
    /// An answer that was not accepted.
    Refused(String),
    Typed(String),
    /// The first INT.
    Interrupt,
    Done,
}

/// What a screen needs to know from the start.
pub(crate) struct Setting {
    pub(crate) outline: Outline,
    /// Records of earlier executors.
    pub(crate) history: Vec<Record>,
    pub(crate) mode: Mode,
    pub(crate) colour: bool,
    pub(crate) clock: Clock,
    /// Answers that are typed here come from this person; `None`: nobody is asked here.
    pub(crate) asks: Option<(Person, Control, tokio::runtime::Handle)>,
}

/// The thread's other end.
#[derive(Debug)]
pub(crate) struct Screen {
    to: SyncSender<Shown>,
    thread: JoinHandle<Run>,
}

/// Events that may queue up before the dispatcher's sender would drop progress; records are never dropped.
const QUEUE: usize = 65_536;
/// How often a live tree is redrawn at most.
const FRAME: Duration = Duration::from_millis(100);

impl Screen {
    /// Starts the thread.
    pub(crate) fn start(setting: Setting) -> Screen {
        let (to, from) = sync_channel(QUEUE);
        if setting.asks.is_some() {
            let typed = to.clone();
            std::thread::spawn(move || read_lines(&typed));
        }
        let replies = to.clone();
        let thread = std::thread::spawn(move || Painter::new(setting, replies).paint(&from));
        Screen { to, thread }
    }

    /// Where to send what happens.
    pub(crate) fn sender(&self) -> SyncSender<Shown> {
        self.to.clone()
    }

    /// Draws the end and gives back the run as it was seen.
    pub(crate) fn finish(self) -> Option<Run> {
        // A screen that is gone has nothing left to draw.
        let _ = self.to.send(Shown::Done);
        self.thread.join().ok()
    }
}

/// Typed lines, until the end of input. The thread ends with the process: a blocked read cannot be called back.
fn read_lines(to: &SyncSender<Shown>) {
    for line in std::io::stdin().lines() {
        let Ok(line) = line else { return };
        if to.send(Shown::Typed(line)).is_err() {
            return;
        }
    }
}

struct Painter {
    run: Run,
    style: Style,
    setting: Setting,
    replies: SyncSender<Shown>,
    region: Region,
    /// The question that stands at the bottom; the tree is not redrawn over what is being typed.
    asking: Option<Question>,
    interrupted: bool,
    /// Something changed since the last drawing.
    stale: bool,
}

impl Painter {
    fn new(mut setting: Setting, replies: SyncSender<Shown>) -> Painter {
        let history = std::mem::take(&mut setting.history);
        let run = Run::replay(std::mem::take(&mut setting.outline), &history);
        let style = Style { zone: TimeZone::system(), ..Style::default() };
        Painter {
            run,
            style,
            setting,
            replies,
            region: Region::default(),
            asking: None,
            interrupted: false,
            stale: true,
        }
    }

    fn paint(mut self, from: &Receiver<Shown>) -> Run {
        loop {
            let wait = if self.stale { FRAME } else { Duration::from_secs(1) };
            match from.recv_timeout(wait) {
                Ok(Shown::Done) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(shown) => {
                    self.hear(shown);
                    // What has queued up meanwhile belongs to the same frame.
                    let mut over = false;
                    while let Ok(shown) = from.try_recv() {
                        if matches!(shown, Shown::Done) {
                            over = true;
                            break;
                        }
                        self.hear(shown);
                    }
                    if over {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.draw();
        }
        self.last_words();
        self.run
    }

    fn hear(&mut self, shown: Shown) {
        self.stale = true;
        match shown {
            Shown::Record(record) => self.record(&record),
            Shown::Progress { task, text } => self.run.progress(&task, &text),
            Shown::Output { path, text } => {
                if self.setting.mode == Mode::Lines {
                    output::line_to_stderr(&format!("{path} | {text}"));
                }
            }
            Shown::Warning(text) => self.say(Tone::Warn, &format!("warning: {text}")),
            Shown::Refused(text) => {
                self.say(Tone::Fail, &text);
                self.asking = None;
            }
            Shown::Typed(line) => self.typed(&line),
            Shown::Interrupt => self.interrupted = true,
            Shown::Done => {}
        }
    }

    fn record(&mut self, record: &Record) {
        self.run.apply(record);
        if self.setting.mode == Mode::Lines {
            for line in runbook_view::lines(&self.run, record, &self.style) {
                output::line_to_stderr(&style::text(&line, self.setting.colour));
            }
        }
        if self.setting.mode == Mode::Json {
            // A reader that went away does not stop the run.
            let _ = output::data_line(&runbook_view::json::event(self.run.id(), record).to_string());
        }
    }

    /// A line that stays, above the live tree.
    fn say(&mut self, tone: Tone, text: &str) {
        let line = style::text(&runbook_view::Line::of(tone, text), self.setting.colour);
        match self.setting.mode {
            Mode::Live => self.region.print(&format!("{line}\n")),
            Mode::Lines | Mode::Json => output::line_to_stderr(&line),
        }
    }

    fn draw(&mut self) {
        let now = self.now();
        if self.setting.mode != Mode::Live {
            self.stale = false;
            return;
        }
        let open = self.question();
        if self.asking.is_some() && self.asking == open && !self.interrupted {
            return;
        }
        let (height, width) = terminal_size();
        let height = height.saturating_sub(if open.is_some() { 6 } else { 1 });
        let style = Style { max_lines: Some(height), ..self.style.clone() };
        self.region.draw(&runbook_view::render(&self.run, now, width, &style), height, self.setting.colour);
        self.asking = None;
        if self.interrupted {
            self.put(
                "interrupted: go on, cancel (and roll back), or stop here (resumable)?",
                "go-on | cancel | stop",
            );
        } else if let Some(question) = open {
            let (kind, item) = self.wanted(&question);
            let text = item.as_ref().map_or(question.text.clone(), |(_, text)| text.clone());
            self.put(&text, answer::choices(&question.about, kind));
            self.asking = Some(question);
        }
        self.stale = false;
    }

    /// Puts a question below the tree; from here on the terminal belongs to who types.
    fn put(&mut self, question: &str, choices: &str) {
        let line = runbook_view::Line::of(Tone::Accent, format!("? {question}"))
            .with(Tone::Dim, format!("  [{choices}]"));
        self.region.keep();
        self.region.print(&format!("{}\n> ", style::text(&line, self.setting.colour)));
    }

    /// The first question that can be answered here.
    fn question(&self) -> Option<Question> {
        self.setting.asks.as_ref()?;
        Tree::of(&self.run).open_questions().first().map(|question| (*question).clone())
    }

    /// What a question wants to hear, and of a checklist the first item that nobody has ticked: its id and text.
    fn wanted(&self, question: &Question) -> (Kind, Option<(String, String)>) {
        let entry = question.subject().and_then(|task| self.run.outline.entries.get(task.node as usize));
        match entry.map(|entry| entry.kind) {
            Some(EntryKind::Approval) => (Kind::Approval, None),
            Some(EntryKind::Checklist) => (Kind::Item, self.open_item(question)),
            _ => (Kind::Value, None),
        }
    }

    fn open_item(&self, question: &Question) -> Option<(String, String)> {
        let ticked = |id: &str| {
            self.run.answers.iter().any(|given| match (&given.about, &given.answer) {
                (About::Human(task), Answer::Item { item, .. }) => {
                    item == id && question.subject() == Some(task)
                }
                _ => false,
            })
        };
        let text =
            |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        question.show.iter().find(|(id, _)| !ticked(id)).map(|(id, value)| (id.clone(), text(value)))
    }

    fn now(&self) -> Now {
        Now::at(self.setting.clock.wall_ms())
    }

    fn typed(&mut self, line: &str) {
        let Some((person, control, handle)) = self.setting.asks.clone() else { return };
        if self.interrupted {
            match line.trim() {
                "go-on" | "go on" => self.interrupted = false,
                "cancel" => {
                    self.interrupted = false;
                    let request = Request::Cancel { reason: "interrupted at the terminal".into() };
                    self.send(&control, &handle, Message { by: person, request });
                }
                "stop" => control.stop(Some(2)),
                _ => {}
            }
            return;
        }
        let Some(question) = self.asking.take() else { return };
        let (kind, item) = self.wanted(&question);
        match answer::read(line, &question.about, kind, item.as_ref().map(|(id, _)| id.as_str())) {
            Typed::Unclear(choices) => self.say(Tone::Warn, &format!("that is not one of: {choices}")),
            Typed::Answer(answer, comment) => {
                let request = Request::Answer {
                    step: question.subject().map(|task| task.path.clone()),
                    question: Some(question.asked.seq),
                    answer,
                    via: Via::Terminal,
                    comment,
                };
                self.send(&control, &handle, Message { by: person, request });
            }
        }
    }

    fn send(&self, control: &Control, handle: &tokio::runtime::Handle, message: Message) {
        let (control, replies) = (control.clone(), self.replies.clone());
        handle.spawn(async move {
            if let Err(refusal) = control.send(message).await {
                let hint = refusal.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
                // The screen may be gone by now; then nobody waits for the answer either.
                let _ = replies.try_send(Shown::Refused(format!("not accepted: {refusal}{hint}")));
            }
        });
    }

    /// The whole tree and how it ended, once, to stay.
    fn last_words(&mut self) {
        if self.setting.mode == Mode::Json {
            return;
        }
        // Whoever executed it does not any more, whether or not that could be recorded.
        let now = Now { executor_alive: Some(false), ..self.now() };
        let lines = runbook_view::render(&self.run, now, terminal_size().1, &self.style);
        let text: String = lines.iter().map(|line| style::text(line, self.setting.colour) + "\n").collect();
        self.region.print(&text);
    }
}

/// Rows and columns of the terminal behind stderr.
fn terminal_size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    size.map_or((24, 100), |size| (usize::from(size.ws_row).max(5), usize::from(size.ws_col).max(20)))
}
