//! The screen's thread: what it hears, what it draws, what it makes of what is typed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use runbook_journal::{Journal, RunStatus, RunSummary};
use runbook_view::{Executor, Holder, Line, Now, Rollback, Run, Style, Tone, Tree};
use runbook_wire::{Body, Message, Record, Request, Via};
use unicode_width::UnicodeWidthChar;

use super::asked::{Asked, Way, way};
use super::keyboard::Keyboard;
use super::queue::{Queue, Queued};
use super::region::Region;
use super::screen::{Acts, Mode, Setting, Shown};
use super::style;
use crate::error::CommandError;
use crate::{history, output};

/// How often a live tree is redrawn where nothing is heard: elapsed time and deadlines move.
const SECOND: Duration = Duration::from_secs(1);

pub(super) struct Painter {
    run: Run,
    setting: Setting,
    replies: Queue,
    /// To be cleared when an INT has been heard.
    heard: Arc<AtomicBool>,
    region: Region,
    keyboard: Keyboard,
    /// What stands at the bottom.
    asking: Option<Asked>,
    /// What was answered here and is on its way.
    sent: Option<Asked>,
    interrupt: Interrupt,
    reason: Option<String>,
    holder: LockHolder,
    /// What was typed last is no answer, and what would be one; until something else is typed.
    unclear: Option<String>,
    /// It was said that stdout does not take events.
    told: bool,
}

/// The run that holds a lock which is waited for, as it was found when it was last looked at.
#[derive(Default)]
struct LockHolder {
    /// Wall time of that, milliseconds.
    looked_ms: u64,
    found: Option<RunSummary>,
    /// Its records, where it is unfinished and nobody executes it.
    left: Option<Run>,
    standing: Option<Holder>,
}

/// What an INT has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interrupt {
    Calm,
    /// It is asked what to do.
    Asked,
    /// There is nothing left to cancel, and it was said that the next one stops here.
    Warned,
}

impl Painter {
    pub(super) fn new(mut setting: Setting, replies: Queue, heard: Arc<AtomicBool>) -> Painter {
        let history = std::mem::take(&mut setting.history);
        let run = Run::replay(std::mem::take(&mut setting.outline), &history);
        let mut keyboard = Keyboard::new(setting.mode == Mode::Live);
        if setting.acts.is_some() {
            // Listening puts right what another left of the terminal: first that, then our own hold on it.
            keyboard.listen(replies.clone());
            keyboard.hold();
        }
        let mut painter = Painter {
            run,
            setting,
            replies,
            heard,
            region: Region::default(),
            keyboard,
            asking: None,
            sent: None,
            interrupt: Interrupt::Calm,
            reason: None,
            holder: LockHolder::default(),
            unclear: None,
            told: false,
        };
        painter.look_at_holder();
        painter
    }

    pub(super) fn paint(mut self, from: &Queued) {
        loop {
            match from.next(SECOND) {
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
                // What has queued up meanwhile belongs to the same frame.
                Ok(shown) => {
                    if !self.hear(shown) || !std::iter::from_fn(|| from.ready()).all(|shown| self.hear(shown))
                    {
                        break;
                    }
                }
            }
            self.draw();
        }
        self.last_words();
    }

    /// Takes in what is said; false: it was the last.
    fn hear(&mut self, shown: Shown) -> bool {
        match shown {
            Shown::Record(record) => return self.record(&record),
            Shown::Progress { task, text } => self.run.progress(&task, &text),
            Shown::Held { task, held } => {
                // No event says it, so whoever gets the events is told beside them.
                if self.setting.mode != Mode::Live {
                    let line = format!("{} waits: {}", task.path, held.why);
                    output::line_to_stderr(&runbook_view::clean(line));
                }
                self.run.hold(&task, held);
            }
            Shown::Output { path, text } => {
                if self.setting.mode == Mode::Lines {
                    output::line_to_stderr(&format!("{path} | {}", runbook_view::clean(text)));
                }
            }
            Shown::Warning(text) => self.say(Tone::Warn, &format!("warning: {text}")),
            Shown::Accepted => self.sent = None,
            Shown::Refused(text) => {
                self.say(Tone::Fail, &text);
                self.sent = None;
            }
            Shown::Keys { era, keys } => {
                self.unclear = None;
                if let Some(line) = self.keyboard.press(era, &keys) {
                    self.typed(&line);
                }
            }
            Shown::Interrupt => self.interrupted(),
            Shown::Done(reason) => {
                self.reason = reason;
                return false;
            }
        }
        true
    }

    fn record(&mut self, record: &Record) -> bool {
        let held = self.run.lock_held.as_ref().map(|held| held.at);
        self.run.apply(record);
        if self.setting.mode != Mode::Json && held != self.run.lock_held.as_ref().map(|held| held.at) {
            self.look_at_holder();
        }
        if self.setting.mode == Mode::Lines {
            for line in runbook_view::lines(&self.run, record, &self.setting.style) {
                output::line_to_stderr(&style::text(&line, self.setting.colour));
            }
            if matches!(record.body, Body::LockAwaited { .. }) {
                self.say_who_holds();
            }
        }
        if self.setting.mode == Mode::Json {
            let event = runbook_view::json::event(self.run.id(), record).to_string();
            // A reader that went away ends who only watches. It does not stop a run.
            return match output::data_line(&event) {
                Ok(()) => true,
                Err(error) => {
                    self.unwritten(&error);
                    self.setting.drives
                }
            };
        }
        true
    }

    /// How the run stands that holds the lock which is waited for, and what makes it let go: from the beginning, since
    /// nothing else is said until it does.
    fn say_who_holds(&self) {
        let Some(held) = &self.run.lock_held else { return };
        let now = self.now();
        let next = runbook_view::next(&Tree::of(&self.run), now);
        let mut lines = vec![Line::of(Tone::Warn, held.words_at(now))];
        let command = |n: &runbook_view::Next| {
            Line::of(Tone::Dim, format!("  {}: ", n.what)).with(Tone::Accent, &n.command)
        };
        lines.extend(next.iter().map(command));
        output::line_to_stderr(self.text(&lines).trim_end());
    }

    /// Events could not be written, and not because their reader has gone: said once.
    fn unwritten(&mut self, error: &CommandError) {
        if error.is_reader_gone() || std::mem::replace(&mut self.told, true) {
            return;
        }
        let id = self.run.id();
        self.say(
            Tone::Warn,
            &format!(
                "warning: {}: events are missing there; all of them: runbook show {id} --events -o json",
                error.message
            ),
        );
    }

    /// A line that stays, above the live tree.
    fn say(&mut self, tone: Tone, text: &str) {
        let text = runbook_view::with_state(text, self.setting.style.state.as_deref());
        let line = style::text(&Line::of(tone, text), self.setting.colour);
        match self.setting.mode {
            Mode::Live => self.region.print(&format!("{line}\n")),
            Mode::Lines | Mode::Json => output::line_to_stderr(&line),
        }
    }

    fn draw(&mut self) {
        if self.setting.mode == Mode::Json {
            return;
        }
        self.keep_an_eye_on_holder();
        if self.setting.mode == Mode::Lines {
            return self.put_in_lines();
        }
        self.put();
        if self.setting.acts.is_some() {
            self.keyboard.hold();
        }
        let (height, width) = terminal_size();
        let mut below = self.asking.as_ref().map(|asked| self.prompt(asked, width)).unwrap_or_default();
        let unclear = self.unclear.iter().filter(|_| self.asking.is_some());
        below.extend(unclear.flat_map(|text| Line::of(Tone::Warn, format!("  {text}")).broken(width, 2)));
        let room = height.saturating_sub(below.len() + 1).max(1);
        let style = Style { max_lines: Some(room), ..self.setting.style.clone() };
        let mut lines = runbook_view::render(&self.run, self.now(), width, &style);
        lines.extend(below);
        let typed = self.asking.as_ref().map(|_| format!("> {}", tail(self.keyboard.typed(), width - 3)));
        self.region.draw(&lines, typed.as_deref(), self.setting.colour);
    }

    /// The same on a terminal that cannot be redrawn: what the question is stands above, and a line of keys is an answer.
    fn put_in_lines(&mut self) {
        let asked = self.due();
        match (&self.asking, &asked) {
            (Some(before), Some(now)) if before.same(now) => {}
            (_, Some(now)) => {
                self.keyboard.begin();
                output::line_to_stderr(&format!("? {}  [{}]", now.text(), now.choices()));
            }
            (Some(_), None) => self.keyboard.forget(),
            (None, None) => {}
        }
        self.asking = asked;
    }

    /// Puts what is to be asked now, if that is not what stands there already.
    fn put(&mut self) {
        let asked = self.due();
        match (&self.asking, &asked) {
            (Some(before), Some(now)) if before.same(now) => {}
            (_, Some(Asked::Question(put))) => {
                self.keyboard.begin();
                let (height, width) = terminal_size();
                let block =
                    runbook_view::ask(&self.run, &put.question, self.now(), width, &self.setting.style);
                // What is too long to stand below the tree stands above it, whole.
                if block.len() > height / 2 {
                    self.region.print(&self.text(&block));
                }
            }
            (_, Some(Asked::Interrupt)) => self.keyboard.begin(),
            (Some(_), None) => self.keyboard.forget(),
            (None, None) => {}
        }
        self.asking = asked;
    }

    /// What is to be asked now.
    fn due(&mut self) -> Option<Asked> {
        self.setting.acts.as_ref()?;
        if self.interrupt == Interrupt::Asked {
            // Whatever failed meanwhile has decided it.
            match self.forward() {
                true => return Some(Asked::Interrupt),
                false => self.interrupt = Interrupt::Calm,
            }
        }
        let asked = Asked::first(&self.run)?;
        let answered = self.sent.as_ref().is_some_and(|sent| sent.same(&asked));
        (!answered).then_some(asked)
    }

    fn prompt(&self, asked: &Asked, width: usize) -> Vec<Line> {
        let line = Line::of(Tone::Accent, format!("? {}", asked.text()));
        let lines = line.with(Tone::Dim, format!("  [{}]", asked.choices())).broken(width, 2);
        // What is asked in full stands above; the prompt is its last lines.
        lines.into_iter().rev().take(4).rev().collect()
    }

    fn now(&self) -> Now {
        Now { holder: self.holder.standing, ..Now::at(self.setting.clock.wall_ms()) }
    }

    /// Looks how the run stands that holds the lock which is waited for, and whether that is not what it was. Its records
    /// are read again only where the list of runs shows another one.
    fn look_at_holder(&mut self) -> bool {
        let before = self.holder.standing;
        self.holder.looked_ms = self.setting.clock.wall_ms();
        // Most runs wait for no lock.
        let journal = match self.run.lock_held {
            Some(_) => Journal::open_read_only(&self.setting.state).ok(),
            None => None,
        };
        let found = journal.as_ref().and_then(|journal| history::holder(journal, &self.run));
        if found != self.holder.found {
            let look = |journal: &Journal| history::left(journal, found.as_ref()?);
            self.holder.left = journal.as_ref().and_then(look);
            self.holder.found = found;
        }
        let now = Now::at(self.holder.looked_ms);
        self.holder.standing = self.holder.left.as_ref().map(|run| Holder::of(run, now));
        before != self.holder.standing
    }

    /// Looks again each second while the lock is waited for: what makes its holder let go is something else once somebody
    /// has gone on with it, or its process is gone.
    fn keep_an_eye_on_holder(&mut self) {
        let waits = self.run.lock_held.as_ref().is_some_and(|held| held.until_ms.is_some());
        let since_ms = self.holder.looked_ms.abs_diff(self.setting.clock.wall_ms());
        if !waits || u128::from(since_ms) < SECOND.as_millis() || !self.look_at_holder() {
            return;
        }
        // One that has ended lets go, and that is recorded.
        let ended =
            self.holder.found.as_ref().is_none_or(|run| matches!(run.status, RunStatus::Finished { .. }));
        if self.setting.mode == Mode::Lines && !ended {
            self.say_who_holds();
        }
    }

    /// Whether there is something to cancel: nothing failed, nothing is being undone.
    fn forward(&self) -> bool {
        let tree = Tree::of(&self.run);
        !tree.halted() && tree.rollback == Rollback::None
    }

    fn interrupted(&mut self) {
        self.heard.store(false, Ordering::SeqCst);
        let Some(Acts { control, .. }) = &self.setting.acts else { return };
        match self.interrupt {
            Interrupt::Calm if self.forward() => self.interrupt = Interrupt::Asked,
            Interrupt::Calm => {
                self.interrupt = Interrupt::Warned;
                self.say(
                    Tone::Warn,
                    "it is being brought to its end; interrupt once more to stop here, unfinished",
                );
            }
            Interrupt::Asked | Interrupt::Warned => control.stop(Some(2)),
        }
    }

    fn typed(&mut self, line: &str) {
        let (Some(acts), Some(asked)) = (self.setting.acts.clone(), self.asking.clone()) else { return };
        match &asked {
            Asked::Interrupt => match way(line) {
                None => self.unclear(&asked),
                Some(Way::Stop) => acts.control.stop(Some(2)),
                Some(Way::GoOn) => self.interrupt = Interrupt::Calm,
                Some(Way::Cancel) => {
                    self.interrupt = Interrupt::Calm;
                    self.send(&acts, Request::Cancel { reason: "interrupted at the terminal".into() });
                }
            },
            Asked::Question(put) => match put.read(line) {
                None => self.unclear(&asked),
                Some((answer, comment)) => {
                    let step = put.question.subject().map(|task| task.path.clone());
                    let question = Some(put.question.asked.seq);
                    let request = Request::Answer { step, question, answer, via: Via::Terminal, comment };
                    self.send(&acts, request);
                    self.sent = Some(asked);
                }
            },
        }
    }

    fn unclear(&mut self, asked: &Asked) {
        let text = format!("that is not one of: {}", asked.choices());
        match self.setting.mode {
            Mode::Live => self.unclear = Some(text),
            Mode::Lines | Mode::Json => self.say(Tone::Warn, &text),
        }
    }

    fn send(&self, acts: &Acts, request: Request) {
        let message = Message { by: acts.person.clone(), request };
        let (control, replies) = (acts.control.clone(), self.replies.clone());
        acts.handle.spawn(async move {
            let reply = match control.send(message).await {
                Ok(()) => Shown::Accepted,
                Err(refusal) => {
                    let hint = refusal.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
                    Shown::Refused(format!("not accepted: {refusal}{hint}"))
                }
            };
            // The screen may be gone by now; then nobody waits for the answer either.
            let _ = replies.send(reply);
        });
    }

    /// The whole tree and how it ended, once, to stay. The last line is what to type next.
    fn last_words(&mut self) {
        self.keyboard.end();
        if self.setting.mode == Mode::Json {
            return;
        }
        // An executor that stopped has recorded why.
        let recorded = matches!(self.run.executor, Executor::Stopped { .. });
        let reason = self.reason.take().filter(|_| !recorded);
        let reason = reason.map(|reason| {
            Line::of(Tone::Warn, runbook_view::with_state(&reason, self.setting.style.state.as_deref()))
        });
        self.look_at_holder();
        // Whoever executed it does not any more, whether or not that could be recorded.
        let now = Now { executor_alive: Some(false), ..self.now() };
        let tree = runbook_view::render(&self.run, now, terminal_size().1, &self.setting.style);
        let text = self.text(&reason.into_iter().chain(tree).collect::<Vec<Line>>());
        match self.setting.mode {
            Mode::Live => self.region.print(&text),
            Mode::Lines | Mode::Json => output::line_to_stderr(text.trim_end()),
        }
    }

    fn text(&self, lines: &[Line]) -> String {
        lines.iter().map(|line| style::text(line, self.setting.colour) + "\n").collect()
    }
}

/// The end of a text, in this many columns.
fn tail(text: &str, columns: usize) -> &str {
    let mut used = 0;
    let fits = text.char_indices().rev().take_while(|(_, c)| {
        used += c.width().unwrap_or(0);
        used <= columns
    });
    fits.last().map_or("", |(at, _)| &text[at..])
}

/// Rows and columns of the terminal behind stderr.
fn terminal_size() -> (usize, usize) {
    output::terminal_size().unwrap_or((24, 100))
}
