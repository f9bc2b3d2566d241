//! Runs written as lines: what happens, and what the kernel wants done then.
//!
//! ```text
//! began            -> prepare a
//! a started        -> perform a
//! a failed exit:3  -> arm a retry 100
//! @100 a retry     -> prepare a
//! ```
//!
//! Attempts and rounds are filled in from what is outstanding; `a#2` names an attempt. Several events go on one line with
//! `;` between them: the commands are those of all of them. `-> *` takes any commands. Tasks of items are `a[0]`, those
//! between batches `a[|0]`.

use runbook_kernel::{
    About, Answer, Command, Ended, Event, Fact, FailureClass, FrameRole, Kernel, Ms, PersonId, Probe, Seen,
    TaskId, Timer, TimerPurpose,
};

use crate::build::{Book, Named};

/// A run that is told line by line.
pub(crate) struct Script {
    named: Named,
    pub(crate) kernel: Kernel,
    pub(crate) events: Vec<Event>,
    now: Ms,
}

/// Tells a run, and checks each line, each prefix by replay, and that nothing is outstanding that was not asked for.
pub(crate) fn tell(book: Book, lines: &str) -> Script {
    let mut script = Script::new(&book);
    script.tell(lines);
    script
}

impl Script {
    pub(crate) fn new(book: &Book) -> Script {
        let named = book.build();
        let kernel = Kernel::new(named.program.clone());
        Script { named, kernel, events: Vec::new(), now: 0 }
    }

    pub(crate) fn tell(&mut self, lines: &str) {
        for line in lines.lines() {
            self.quietly(line);
            let replayed = Kernel::replay(self.named.program.clone(), self.events.iter().copied());
            assert_eq!(replayed, self.kernel, "replay differs after: {line}");
        }
    }

    /// The same without a replay after each line, for long runs.
    pub(crate) fn quietly(&mut self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--")) {
            let (events, wanted) = line.split_once("->").unwrap_or((line, ""));
            let mut out = Vec::new();
            for text in events.split(';') {
                self.event(text.trim(), line, &mut out);
            }
            let shown: Vec<String> = out.iter().map(|command| self.show(*command)).collect();
            let wanted: Vec<&str> =
                wanted.split(',').map(str::trim).filter(|command| !command.is_empty()).collect();
            if wanted != ["*"] {
                assert_eq!(shown, wanted, "after: {line}");
            }
        }
    }

    /// The first step of an item is skipped, in a run that is too long to look names up in.
    pub(crate) fn skip(&mut self, name: &str, frame: u32) {
        let node = self.named.names.iter().position(|known| known == name).expect("a step of that name");
        let task = TaskId { frame, node: runbook_kernel::NodeId(node as u32) };
        let fact = Fact::Skipped { task, attempt: 1 };
        self.kernel.step(Event { at: self.now, fact }, &mut Vec::new());
    }

    fn event(&mut self, text: &str, line: &str, out: &mut Vec<Command>) {
        let text = match text.strip_prefix('@') {
            Some(timed) => {
                let (at, text) = timed.split_once(' ').expect("`@time event`");
                self.now = at.parse().expect("a time in milliseconds");
                text.trim()
            }
            None => text,
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let fact = self.fact(&words).unwrap_or_else(|| panic!("cannot read `{text}` in: {line}"));
        let event = Event { at: self.now, fact };
        self.events.push(event);
        self.kernel.step(event, out);
    }

    fn fact(&self, words: &[&str]) -> Option<Fact> {
        Some(match *words {
            ["began"] => Fact::Began { seed: 7 },
            ["resumed"] => Fact::Resumed { gap: 0 },
            ["resumed", gap] => Fact::Resumed { gap: gap.parse().ok()? },
            ["cancel"] => Fact::CancelRequested,
            ["barred"] => Fact::Barred,
            ["admitted"] => Fact::Admitted,
            ["refused"] => Fact::Refused,
            ["pause"] => Fact::Paused,
            ["unpause"] => Fact::Unpaused,
            ["finished"] => Fact::Finished,
            ["rollback"] => Fact::RollbackRequested { to: None },
            ["rollback", "to", task] => Fact::RollbackRequested { to: Some(self.task(task)?.0) },
            ["run:", answer] => {
                Fact::Answered { about: About::Rollback(None), answer: self.answer(&[answer])? }
            }
            ["pivot:", answer] => {
                Fact::Answered { about: About::AfterPivot, answer: self.answer(&[answer])? }
            }
            [task, ref rest @ ..] => return self.task_fact(task, rest),
            [] => return None,
        })
    }

    fn task_fact(&self, name: &str, rest: &[&str]) -> Option<Fact> {
        let (task, attempt) = self.task(name)?;
        let attempt = attempt.unwrap_or_else(|| self.attempt(task));
        let ended = |how| Fact::Ended { task, attempt, how };
        let checked = |probe, seen| Fact::Checked { task, probe, round: self.round(task, probe), seen };
        let fired = |purpose| Fact::Fired { timer: Timer { task, purpose } };
        let answered = |about, words: &[&str]| Some(Fact::Answered { about, answer: self.answer(words)? });
        Some(match *rest {
            ["skipped"] => Fact::Skipped { task, attempt },
            ["entered"] => Fact::Entered { task, attempt },
            ["items", count] => Fact::Items { task, attempt, count: count.parse().ok()? },
            ["case", case] => Fact::Branch { task, attempt, case: case.parse().ok()? },
            ["started"] => Fact::Started { task, attempt },
            ["gate", gate] => Fact::GateClosed { task, attempt, gate: self.task(gate)?.0 },
            ["done"] => ended(Ended::Done { warning: false }),
            ["warns"] => ended(Ended::Done { warning: true }),
            ["failed"] => ended(Ended::Failed(FailureClass::Error)),
            ["failed", how] => ended(Ended::Failed(class(how)?)),
            ["not_done"] => ended(Ended::NotDone(FailureClass::Connect)),
            ["unknown"] => ended(Ended::Unknown(FailureClass::Timeout)),
            ["closed"] => Fact::Closed { task, attempt, ok: true },
            ["closed", "badly"] => Fact::Closed { task, attempt, ok: false },
            ["sees", what] => checked(Probe::Until, seen(what)?),
            ["verify", what] => checked(Probe::Verify, seen(what)?),
            ["absent", what] => checked(Probe::NotDone, seen(what)?),
            ["guard", what] => checked(Probe::Guard(0), seen(what)?),
            ["retry"] => fired(TimerPurpose::Retry),
            ["deadline"] => fired(TimerPurpose::Deadline),
            ["wait"] => fired(TimerPurpose::Wait),
            ["times", "out"] => fired(TimerPurpose::Timeout),
            ["polls"] => fired(TimerPurpose::Poll(Probe::Until)),
            ["polls", "verify"] => fired(TimerPurpose::Poll(Probe::Verify)),
            ["polls", "guard"] => fired(TimerPurpose::Poll(Probe::Guard(0))),
            ["gives", "up"] => fired(TimerPurpose::GiveUp(Some(Probe::Until))),
            ["expires"] => fired(TimerPurpose::GiveUp(None)),
            ["person:", ref words @ ..] => return answered(About::Human(task), words),
            ["doubt:", ref words @ ..] => return answered(About::InDoubt(task), words),
            ["warning:", ref words @ ..] => return answered(About::Warning(task), words),
            ["drift:", ref words @ ..] => return answered(About::Drift(task), words),
            ["rollback:", ref words @ ..] => return answered(About::Rollback(Some(task)), words),
            _ => return None,
        })
    }

    fn answer(&self, words: &[&str]) -> Option<Answer> {
        Some(match *words {
            ["approve", person] => Answer::Approve(PersonId(person.parse().ok()?)),
            ["reject", person] => Answer::Reject(PersonId(person.parse().ok()?)),
            ["complete"] => Answer::Complete,
            ["done"] => Answer::Done,
            ["not_done"] => Answer::NotDone,
            ["undo"] => Answer::Undo,
            ["keep"] => Answer::Keep,
            ["retry"] => Answer::Retry,
            ["skip"] => Answer::Skip,
            ["fail"] => Answer::Fail,
            _ => return None,
        })
    }

    /// The task called so, newest frame first, and the attempt that was named.
    pub(crate) fn task(&self, text: &str) -> Option<(TaskId, Option<u32>)> {
        let (path, attempt) = match text.split_once('#') {
            Some((path, attempt)) => (path, Some(attempt.parse().ok()?)),
            None => (text, None),
        };
        let frames = (0..).take_while(|frame| self.kernel.frame(*frame).is_some()).collect::<Vec<u32>>();
        let nodes = (0..self.named.names.len() as u32).map(runbook_kernel::NodeId);
        let mut found = frames
            .into_iter()
            .rev()
            .flat_map(|frame| nodes.clone().map(move |node| TaskId { frame, node }))
            .filter(|task| self.name(*task) == path);
        let task = found.find(|task| self.kernel.task(*task).is_some());
        Some((task?, attempt))
    }

    fn attempt(&self, task: TaskId) -> u32 {
        self.kernel.task(task).map_or(0, |view| view.attempt)
    }

    fn round(&self, task: TaskId, probe: Probe) -> u32 {
        let rounds = self.kernel.outstanding().into_iter().find_map(|command| match command {
            Command::Check { task: of, probe: which, round } if (of, which) == (task, probe) => Some(round),
            _ => None,
        });
        rounds.unwrap_or(0)
    }

    pub(crate) fn name(&self, task: TaskId) -> String {
        let mut places = Vec::new();
        let mut frame = task.frame;
        while let Some(described) = self.kernel.frame(frame) {
            match described.role {
                FrameRole::Run => {}
                FrameRole::Item(index) => places.push(format!("[{index}]")),
                FrameRole::Between(batch) => places.push(format!("[|{batch}]")),
            }
            let Some(parent) = described.parent else { break };
            frame = parent.frame;
        }
        places.reverse();
        format!("{}{}", self.named.names[task.node.0 as usize], places.concat())
    }

    pub(crate) fn show(&self, command: Command) -> String {
        let name = |task: TaskId| self.name(task);
        match command {
            Command::Prepare { task, attempt: 1 } => format!("prepare {}", name(task)),
            Command::Prepare { task, attempt } => format!("prepare {}#{attempt}", name(task)),
            Command::Perform { task, attempt: 1 } => format!("perform {}", name(task)),
            Command::Perform { task, attempt } => format!("perform {}#{attempt}", name(task)),
            Command::Check { task, probe, .. } => format!("check {} {}", name(task), probe_word(probe)),
            Command::Close { task, .. } => format!("close {}", name(task)),
            Command::Arm { timer, due } => {
                format!("arm {} {} {due}", name(timer.task), purpose_word(timer.purpose))
            }
            Command::Disarm { timer } => {
                format!("disarm {} {}", name(timer.task), purpose_word(timer.purpose))
            }
            Command::Ask { about } => format!("ask {}", self.about(about)),
            Command::Withdraw { about } => format!("withdraw {}", self.about(about)),
            Command::Abandon { task } => format!("abandon {}", name(task)),
            Command::Interrupt { task } => format!("interrupt {}", name(task)),
            Command::Finish => "finish".into(),
        }
    }

    fn about(&self, about: About) -> String {
        match about {
            About::Human(task) => self.name(task),
            About::InDoubt(task) => format!("doubt {}", self.name(task)),
            About::Warning(task) => format!("warning {}", self.name(task)),
            About::Rollback(None) => "rollback".into(),
            About::Rollback(Some(task)) => format!("rollback {}", self.name(task)),
            About::AfterPivot => "after pivot".into(),
            About::Drift(task) => format!("drift {}", self.name(task)),
        }
    }
}

fn probe_word(probe: Probe) -> String {
    match probe {
        Probe::Until => "until".into(),
        Probe::Verify => "verify".into(),
        Probe::NotDone => "absent".into(),
        Probe::Guard(guard) => format!("guard {guard}"),
    }
}

fn purpose_word(purpose: TimerPurpose) -> String {
    match purpose {
        TimerPurpose::Retry => "retry".into(),
        TimerPurpose::Deadline => "deadline".into(),
        TimerPurpose::Timeout => "timeout".into(),
        TimerPurpose::Wait => "wait".into(),
        TimerPurpose::Poll(probe) => format!("poll {}", probe_word(probe)),
        TimerPurpose::GiveUp(_) => "give up".into(),
    }
}

fn class(text: &str) -> Option<FailureClass> {
    Some(match text.split_once(':') {
        Some(("exit", code)) => FailureClass::Exit(code.parse().ok()?),
        Some(("http", status)) => FailureClass::Http(status.parse().ok()?),
        _ => match text {
            "timeout" => FailureClass::Timeout,
            "connect" => FailureClass::Connect,
            "lost" => FailureClass::Lost,
            "check" => FailureClass::Check,
            "inconclusive" => FailureClass::Inconclusive,
            _ => return None,
        },
    })
}

fn seen(text: &str) -> Option<Seen> {
    Some(match text {
        "pass" => Seen::Pass,
        "fail" => Seen::Fail,
        "nothing" => Seen::Inconclusive,
        _ => return None,
    })
}
