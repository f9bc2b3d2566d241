//! The complete record of a run, for people who were not there: one model, four formats.

mod evidence;
mod gantt;
mod html;
mod json;
mod junit;
mod markdown;

use jiff::tz::TimeZone;
use runbook_wire::About;

use crate::{
    Forward, Given, Key, Node, Now, Question, Rollback, Run, Status, Summary, Timeline, Tree, moment,
    required::{Required, required},
    run::subject,
    timeline, value,
};

pub(crate) use evidence::{clip, evidence};
pub use html::html;
pub use json::json;
pub use junit::junit;
pub use markdown::markdown;

/// Everything that a report says.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    pub run: &'a Run,
    pub tree: Tree<'a>,
    pub summary: Summary,
    pub required: Vec<Required>,
    pub timeline: &'a Timeline,
    pub now: Now,
    /// The reader's.
    pub zone: TimeZone,
}

/// A question with everything that was answered to it.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    pub question: &'a Question,
    pub answers: Vec<&'a Given>,
    /// The path of the step, `rollback`.
    pub about: String,
}

impl<'a> Report<'a> {
    /// The report of a run as far as it got.
    pub fn of(timeline: &'a Timeline, now: Now, zone: TimeZone) -> Report<'a> {
        let tree = Tree::of(&timeline.run);
        let summary = Summary::of(&tree);
        let required = required(&tree);
        Report { run: &timeline.run, tree, summary, required, timeline, now, zone }
    }

    /// How it ended, in a sentence or two.
    pub fn headline(&self) -> String {
        let tree = &self.tree;
        let took = moment::length(self.run.elapsed_ms(self.now));
        let place = crate::first_failure(tree).map_or_else(String::new, |f| format!(" in {}", f.path));
        let interrupted = self.interrupted();
        let waits = crate::exit::waits(tree, self.now);
        let stays = crate::summary::stays(tree);
        let rollback = match tree.rollback {
            Rollback::None => "",
            Rollback::Pending | Rollback::Running if waits => "; its rollback waits for a person",
            Rollback::Pending | Rollback::Running if interrupted => "; its rollback was interrupted",
            Rollback::Declined if crate::exit::undecided(tree) => "; somebody has to decide how it goes on",
            Rollback::NothingToUndo | Rollback::Partial
                if stays.is_some() && crate::summary::nothing_undone(tree) =>
            {
                "; nothing was undone"
            }
            Rollback::NothingToUndo => "; there was nothing to undo",
            Rollback::Pending => " and will be rolled back",
            Rollback::Asked => "; somebody has to decide about the rollback",
            Rollback::Declined => " and was not rolled back",
            Rollback::Running => " and is being rolled back",
            Rollback::Complete => " and was rolled back",
            Rollback::Partial if self.down_to_a_step() => {
                " and was rolled back in part, as far as was wanted"
            }
            Rollback::Partial => " and was rolled back in part",
            Rollback::Incomplete => "; the rollback is incomplete",
        };
        let held = self.run.lock_held.as_ref().map_or_else(String::new, |held| format!(": {}", held.words()));
        let how = match tree.forward {
            Forward::NotBegun => "has not begun".to_owned(),
            Forward::Running if waits => "waits for a person".to_owned(),
            Forward::Running if interrupted => "was interrupted".to_owned(),
            Forward::Running => "goes on".to_owned(),
            Forward::WaitingForPerson if interrupted && !self.answerable() => {
                "waited for an answer until its time was over".to_owned()
            }
            Forward::WaitingForPerson => "waits for a person".to_owned(),
            Forward::InDoubt => "waits: it is in doubt whether a step happened".to_owned(),
            Forward::Failed => format!("failed{place}"),
            Forward::Cancelled => "was cancelled".to_owned(),
            Forward::Succeeded => "succeeded".to_owned(),
            Forward::SucceededWithFailures => format!("succeeded with failures{place}"),
            Forward::Locked => format!("did not start{held}"),
            Forward::Skipped => format!("was skipped{held}"),
        };
        let time = match self.run.last {
            Some(last) if interrupted => {
                let at = moment::date_time(last.wall_ms, &self.zone);
                format!("after {}; nobody executes it since {at}", moment::length(last.elapsed_ms))
            }
            _ if self.run.finished.is_some() => format!("after {took}"),
            _ => format!("{took} so far"),
        };
        let mut steps = self.summary.steps.words().replacen(" done", " steps done", 1);
        if interrupted {
            steps = steps.replace(" running", " under way");
            match waits {
                true => steps.push_str(&format!(". {}", self.asked())),
                false => steps.push_str(&format!(". To go on: runbook resume {}", self.run.id())),
            }
        }
        let stays = stays.map_or_else(String::new, |s| format!(" {}.", crate::exit::capital(&s)));
        format!("The run {how}{rollback}, {time}. {steps}.{stays}")
    }

    /// What the run asks, and the commands that answer it.
    fn asked(&self) -> String {
        const COMMANDS: usize = 4;
        let questions = crate::exit::answerable(&self.tree, self.now);
        let texts: Vec<&str> = questions.iter().map(|q| q.text.as_str()).collect();
        let answers = questions.iter().flat_map(|q| crate::answers(&self.tree, q));
        let commands = answers.map(|next| format!("{}: {}", next.what, next.command)).take(COMMANDS);
        format!("Asked: {} To answer: {}", texts.join(" "), commands.collect::<Vec<_>>().join("; "))
    }

    /// The commands that answer a question, where it still stands.
    pub(crate) fn commands(&self, question: &Question) -> Vec<crate::Next> {
        let stands = crate::exit::answerable(&self.tree, self.now).iter().any(|q| q.asked == question.asked);
        if stands { crate::answers(&self.tree, question) } else { Vec::new() }
    }

    /// Nobody executes the run, and it is not over.
    pub(crate) fn interrupted(&self) -> bool {
        self.run.interrupted(self.now)
    }

    /// Whether the rollback that somebody asked for was not to reach everything.
    fn down_to_a_step(&self) -> bool {
        matches!(self.run.rollback_requested, Some((_, Some(_), _)))
    }

    /// Whether the time for what a step asks is over, and somebody has to go on with the run for that to count.
    fn out_of_time(&self, node: &Node<'_>) -> bool {
        let of_step = |q: &&Question| q.subject().is_some_and(|task| Key::of(task) == node.key);
        self.tree.open_questions().into_iter().any(|q| of_step(&q) && q.expired(self.run, self.now))
    }

    /// Whether it asks something that can still be answered.
    fn answerable(&self) -> bool {
        !crate::exit::answerable(&self.tree, self.now).is_empty()
    }

    /// How a step stands, in words and as its mark: what was under way when the executor went is as good as in doubt.
    pub(crate) fn stands(&self, node: &Node<'_>) -> (&'static str, Status) {
        let runs =
            matches!(node.status, Status::Preparing | Status::Running | Status::Retrying | Status::Verifying);
        if runs && self.interrupted() {
            ("was under way", Status::InDoubt)
        } else if node.status == Status::WaitingForPerson && self.out_of_time(node) {
            ("expired", node.status)
        } else {
            (node.status.words(), node.status)
        }
    }

    /// What the plain outputs are called: those of a run that was rolled back tell what was.
    pub(crate) fn outputs_title(&self) -> &'static str {
        if self.summary.undone.is_empty() { "Outputs" } else { "Outputs before the rollback" }
    }

    /// Whether there was a rollback, or an item that failed, as some may, was undone.
    pub(crate) fn tells_of_undoing(&self) -> bool {
        self.tree.rollback != Rollback::None
            || !self.summary.undone.is_empty()
            || !self.summary.left.is_empty()
    }

    /// Facts about the run, in the order they are shown.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let run = self.run;
        let time = |ms: u64| moment::date_time(ms, &self.zone);
        let mut facts = vec![("Run", run.id().to_owned())];
        facts.push(("Status", crate::standing(&self.tree, self.now)));
        if let Some(created) = &run.created {
            facts.push(("Runbook", format!("{} ({})", created.runbook, created.file)));
            facts.push(("Environment", created.environment.clone().unwrap_or_else(|| "none".into())));
            facts.push(("Requested by", created.requester.name.clone()));
            facts.push(("Began", time(created.at.wall_ms)));
        }
        match &run.finished {
            Some(finished) => {
                facts.push(("Ended", time(finished.at.wall_ms)));
                let meaning = crate::exit_meaning(finished.exit_code);
                facts.push(("Exit code", format!("{}: {meaning}", finished.exit_code)));
            }
            None => facts.push(("Last record", run.last.map_or_else(String::new, |l| time(l.wall_ms)))),
        }
        facts.push(("Took", moment::clock(run.elapsed_ms(self.now))));
        if run.resumes > 0 {
            let gaps: u64 = run.gaps.iter().map(|(from, to)| to - from).sum();
            facts.push((
                "Resumed",
                format!("{} times; {} without an executor", run.resumes, moment::length(gaps)),
            ));
        }
        let locks: Vec<&str> = run.locks.iter().map(|l| l.name.as_str()).collect();
        if !locks.is_empty() {
            facts.push(("Locks", locks.join(", ")));
        }
        if let Some(owner) = &run.outline.owner {
            facts.push(("Owner", owner.clone()));
        }
        if let Some(created) = &run.created {
            if created.unattended {
                facts.push(("Attended", "no: nobody could be asked on a terminal".into()));
            }
            facts.push(("Plan", created.plan.clone()));
            facts.push(("Engine", format!("runbook {}, semantics {}", created.version, created.semantics)));
        }
        let events = run.last.map_or(0, |l| l.seq);
        facts.push(("Record", format!("{events} events, format {}", runbook_wire::VERSION)));
        facts
    }

    /// Inputs, with secrets by name.
    pub fn inputs(&self) -> Vec<(String, String)> {
        let inputs = self.run.created.iter().flat_map(|c| &c.inputs);
        inputs.map(|(name, v)| (name.clone(), value::short(v))).collect()
    }

    /// Outputs that are values, not required outputs.
    pub fn outputs(&self) -> Vec<(String, String)> {
        let outputs = self.run.finished.iter().flat_map(|f| &f.outputs);
        let plain = outputs.filter(|(_, v)| !crate::required::is_required(v));
        plain.map(|(name, v)| (name.clone(), value::short(v))).collect()
    }

    /// Every question that was put, with its answers.
    pub fn decisions(&self) -> Vec<Decision<'a>> {
        let run = self.run;
        let mut decisions: Vec<Decision<'a>> = Vec::new();
        for question in &run.questions {
            // Asked again, after a resume: the same question, as it stands now.
            if let Some(earlier) = decisions.iter_mut().find(|d| same(&d.question.about, &question.about)) {
                earlier.question = question;
                continue;
            }
            let answers = run.answers.iter().filter(|g| same(&g.about, &question.about)).collect();
            decisions.push(Decision { question, answers, about: timeline::about(&question.about) });
        }
        decisions
    }

    /// Every step that began, or was to, with how deep it stands; its undo steps after it.
    pub fn steps(&self) -> Vec<(usize, &Node<'a>)> {
        let mut rows = Vec::new();
        let tree = &self.tree;
        for node in tree
            .first
            .iter()
            .chain(&tree.steps)
            .chain(&tree.after_pivot)
            .chain(&tree.finally)
            .chain(&tree.revert)
        {
            flatten(node, 0, &mut rows);
        }
        rows
    }

    /// Every undo step that has records, in the order they began.
    pub fn undo_steps(&self) -> Vec<&Node<'a>> {
        let mut all: Vec<&Node<'a>> = Vec::new();
        self.tree.walk(&mut |node| {
            for undo in &node.undo {
                undo.walk(&mut |n| all.extend(n.task.map(|_| n)));
            }
        });
        all.sort_by_key(|n| n.began.map(|b| b.seq));
        all
    }
}

fn same(a: &About, b: &About) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
        && subject(a).map(Key::of) == subject(b).map(Key::of)
}

fn flatten<'t, 'a>(node: &'t Node<'a>, depth: usize, rows: &mut Vec<(usize, &'t Node<'a>)>) {
    // An item and the one nameless thing that it does are one row.
    let node = node.whole_of_item().unwrap_or(node);
    rows.push((depth, node));
    for child in node.first.iter().chain(&node.children).chain(&node.between).chain(&node.finally) {
        flatten(child, depth + 1, rows);
    }
}
