//! `runbook answer RUN STEP …`.

use clap::{ArgGroup, Args};
use runbook_view::Tree;
use runbook_wire::{Answer as Given, Request, Via};

use crate::args::{Global, Takeover};
use crate::error::{CommandError, Exit};
use crate::{act, history};

const EXAMPLES: &str = "\
Examples (`runbook show RUN` prints the ones that fit):
  runbook answer k7f3q restore --done                          in doubt: the effect is there
  runbook answer k7f3q ready --tick dns --evidence OPS-4711
  runbook answer k7f3q colour green                            a prompt's value
  runbook answer k7f3q - --undo                                about the whole run
  runbook answer k7f3q - --program 12b1611a20a7                deploy.sh was changed, and that is meant";

/// Answer what a run asks: a prompt, a checklist item, a step in doubt, whether to roll back.
///
/// Where nobody executes the run, this command takes it over and goes on with it, in the environment of this shell: scripts
/// and secrets find what you have, not what its first executor had.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("answer").required(true)),
    override_usage = "runbook answer <RUN> <STEP> <VALUE | --done | --tick ITEM | …>",
    after_help = EXAMPLES
)]
pub(crate) struct Answer {
    /// The run.
    #[arg(add = crate::complete::runs())]
    run: String,
    /// The step that asks; `-` for a question about the whole run.
    step: String,
    /// A prompt's answer.
    #[arg(group = "answer")]
    value: Option<String>,
    /// In doubt: the effect is there.
    #[arg(long, group = "answer")]
    done: bool,
    /// In doubt: the effect is not there.
    #[arg(long, group = "answer")]
    not_done: bool,
    /// Bring it back.
    #[arg(long, group = "answer")]
    undo: bool,
    /// Leave it as it is, go on.
    #[arg(long, group = "answer")]
    keep: bool,
    /// Try again.
    #[arg(long, group = "answer")]
    retry: bool,
    /// Go on without it.
    #[arg(long, group = "answer")]
    skip: bool,
    /// Let it fail.
    #[arg(long, group = "answer")]
    fail: bool,
    /// Tick this checklist item.
    #[arg(long, group = "answer", value_name = "ITEM")]
    tick: Option<String>,
    /// Say that this checklist item does not hold; if it is required, that rejects the checklist.
    #[arg(long, group = "answer", value_name = "ITEM")]
    refuse: Option<String>,
    /// A program was changed since the run was planned, and that is meant: its digest now, as the run names it.
    #[arg(long, group = "answer", value_name = "DIGEST")]
    program: Option<String>,
    /// What shows that the item holds: text, a link.
    #[arg(long, requires = "tick")]
    evidence: Option<String>,
    /// Said with it; it is recorded.
    #[arg(long)]
    comment: Option<String>,
    #[command(flatten)]
    takeover: Takeover,
}

pub(crate) fn run(answer: &Answer, global: &Global) -> Result<Exit, CommandError> {
    if let Some(digest) = &answer.program {
        return accept_program(answer, digest, global);
    }
    let item =
        |item: &String, done| Given::Item { item: item.clone(), done, evidence: answer.evidence.clone() };
    let flags = [
        (answer.done, Given::Done),
        (answer.not_done, Given::NotDone),
        (answer.undo, Given::Undo),
        (answer.keep, Given::Keep),
        (answer.retry, Given::Retry),
        (answer.skip, Given::Skip),
        (answer.fail, Given::Fail),
    ];
    let given = if let Some(value) = &answer.value {
        Given::Value { value: value.as_str().into() }
    } else if let Some(name) = &answer.tick {
        item(name, true)
    } else if let Some(name) = &answer.refuse {
        item(name, false)
    } else {
        let flag = flags.into_iter().find(|(set, _)| *set);
        flag.map(|(_, given)| given).ok_or_else(|| CommandError::usage("no answer was given"))?
    };
    send(&answer.run, Some(&answer.step), given, answer.comment.clone(), answer.takeover, global)
}

/// A program belongs to the whole run: it is pinned once, whoever runs it.
fn accept_program(answer: &Answer, digest: &str, global: &Global) -> Result<Exit, CommandError> {
    if answer.step != "-" {
        return Err(CommandError::usage("what a program is meant to be is said of the whole run")
            .hint(format!("runbook answer {} - --program {digest}", answer.run)));
    }
    let run = history::find(&history::reading(global)?, Some(&answer.run), |_| true)?;
    let request = Request::AcceptProgram { digest: digest.to_owned() };
    act::or_detached(&run, request, "recorded", answer.takeover, global)
}

/// Sends an answer to a run's question; without a step, to the only one that stands.
pub(super) fn send(
    run: &str,
    step: Option<&str>,
    answer: Given,
    comment: Option<String>,
    takeover: Takeover,
    global: &Global,
) -> Result<Exit, CommandError> {
    let journal = history::reading(global)?;
    let run = history::find(&journal, Some(run), |_| true)?;
    let replayed = history::replay(&journal, &run)?;
    let (step, question) = match step {
        Some("-") => asked(&replayed, None),
        Some(step) => asked(&replayed, Some(step)),
        None => only_question(&replayed)?,
    };
    let request = Request::Answer { step, question, answer, via: Via::Command, comment };
    act::or_detached(&run, request, "recorded", takeover, global)
}

/// A step that may ask, and the `seq` of its question.
type Asked = (Option<String>, Option<u64>);

fn open_questions(run: &runbook_view::Run) -> Vec<Asked> {
    let tree = Tree::of(run);
    let open = tree.open_questions();
    let asked = open
        .iter()
        .map(|question| (question.subject().map(|task| task.path.clone()), Some(question.asked.seq)));
    asked.collect()
}

/// The question that this step asks. Where none is recorded, or several are, the executor knows better.
fn asked(run: &runbook_view::Run, step: Option<&str>) -> Asked {
    let mut open = open_questions(run);
    open.retain(|(path, _)| path.as_deref() == step);
    match &open[..] {
        [(_, question)] => (step.map(str::to_owned), *question),
        _ => (step.map(str::to_owned), None),
    }
}

/// The only open question.
fn only_question(run: &runbook_view::Run) -> Result<Asked, CommandError> {
    let open = open_questions(run);
    match &open[..] {
        [] => Err(CommandError::usage(format!("run {} asks nothing", run.id()))
            .hint(format!("runbook show {}", run.id()))),
        [one] => Ok(one.clone()),
        many => {
            let names: Vec<&str> = many.iter().map(|(step, _)| step.as_deref().unwrap_or("-")).collect();
            Err(CommandError::usage(format!("run {} asks more than one thing", run.id()))
                .hint(format!("name the step: {}", names.join(", "))))
        }
    }
}
