//! `runbook logs RUN [STEP]`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use runbook_journal::{Journal, News};
use runbook_runtime::logs::{attempt_file, parse_line, probe_file};
use runbook_step::LogStream;
use runbook_wire::{Body, Record};

use super::watch::ARRIVAL;
use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::{history, output};

const EXAMPLES: &str = "\
Examples:
  runbook logs                                 of the newest run, all steps
  runbook logs k7f3q 'broker[kafka4].joined'
  runbook logs -f k7f3q deploy";

/// Print what the steps of a run said.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Logs {
    /// The run [default: the newest].
    #[arg(add = crate::complete::runs())]
    run: Option<String>,
    /// Only this step (and what is below it), such as `deploy` or `broker[kafka4].joined`.
    step: Option<String>,
    /// Go on until the run ends.
    #[arg(short, long)]
    follow: bool,
}

/// How often the files of a followed run are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// A log file, as far as it has been printed.
struct Source {
    path: PathBuf,
    step: String,
    printed: usize,
}

pub(crate) fn run(logs: &Logs, global: &Global) -> Result<Exit, CommandError> {
    let journal = history::reading(global)?;
    let run = history::find(&journal, logs.run.as_deref(), |_| true)?;
    let folder = journal.log_folder(&run.id);
    let mut printer =
        Printer { folder, wanted: logs.step.clone(), sources: BTreeMap::new(), seen: false, global };
    if !logs.follow {
        let (_, records) = history::load(&journal, &run)?;
        printer.hear(&records);
        printer.print()?;
        return printer.end(&run.id);
    }
    follow(&journal, &run.id, &mut printer)?;
    printer.end(&run.id)
}

/// Files grow without telling, so a followed log is looked at a few times a second while the run goes on.
fn follow(journal: &Journal, run: &str, printer: &mut Printer<'_>) -> Result<(), CommandError> {
    let mut follow = journal.follow(run, 1);
    let mut arrived = false;
    // A detached run may take that many looks to find its executor.
    let mut patience = ARRIVAL.div_duration_f64(LOOK).ceil() as u32;
    loop {
        let news = follow.next(LOOK)?;
        match &news {
            News::Events(records) => {
                arrived |= records.iter().any(|record| record.seq > 1);
                printer.hear(records);
            }
            News::Attended => arrived = true,
            News::Nothing if !arrived => patience -= 1,
            News::Unattended | News::Nothing => {}
        }
        printer.print()?;
        output::still_read()?;
        if (news == News::Unattended && arrived) || patience == 0 {
            return Ok(());
        }
    }
}

struct Printer<'a> {
    folder: PathBuf,
    wanted: Option<String>,
    sources: BTreeMap<PathBuf, Source>,
    /// A step of the wanted name exists.
    seen: bool,
    global: &'a Global,
}

impl Printer<'_> {
    /// Finds the files that records speak of.
    fn hear(&mut self, records: &[Record]) {
        for record in records {
            let (task, file) = match &record.body {
                Body::Started { task, attempt, .. } | Body::Ended { task, attempt, .. } => {
                    (task, attempt_file(&self.folder, task.frame, task.node, *attempt))
                }
                Body::Checked { task, probe, .. } => {
                    (task, probe_file(&self.folder, task.frame, task.node, *probe))
                }
                _ => continue,
            };
            if self.wants(&task.path) {
                self.seen = true;
                let source = Source { path: file.clone(), step: task.path.clone(), printed: 0 };
                self.sources.entry(file).or_insert(source);
            }
        }
    }

    /// A step, or what is below it.
    fn wants(&self, path: &str) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| {
            path.strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Prints what is new, in the order of time.
    fn print(&mut self) -> Result<(), CommandError> {
        let mut fresh: Vec<(u64, String)> = Vec::new();
        for source in self.sources.values_mut() {
            let Some(text) = read_from(&source.path, source.printed)? else { continue };
            // A line that is still being written waits for its end.
            let whole = text.rfind('\n').map_or(0, |at| at + 1);
            source.printed += whole;
            for line in text[..whole].lines() {
                let Some(line) = parse_line(line) else { continue };
                fresh.push((
                    line.elapsed_ms,
                    shown(&source.step, line.elapsed_ms, line.stream, line.text, self.global),
                ));
            }
        }
        fresh.sort_by_key(|(at, _)| *at);
        for (_, line) in fresh {
            output::data_line(&line)?;
        }
        Ok(())
    }

    fn end(&self, run: &str) -> Result<Exit, CommandError> {
        match &self.wanted {
            Some(step) if !self.seen => {
                Err(CommandError::usage(format!("run {run} has no step {step} that began"))
                    .hint(format!("runbook show {run}")))
            }
            _ => Ok(Exit::SUCCESS),
        }
    }
}

/// What a file holds after these bytes; `None` where there is no file: the step said nothing.
fn read_from(path: &Path, start: usize) -> Result<Option<String>, CommandError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CommandError::unexpected(format!("{}: {error}", path.display()))),
    }
}

fn shown(step: &str, elapsed_ms: u64, stream: LogStream, text: &str, global: &Global) -> String {
    let name = match stream {
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
        LogStream::Note => "note",
    };
    match global.output {
        Format::Text => {
            let text = runbook_view::clean(text.to_owned());
            format!("{:>9.3}s {step} | {text}", elapsed_ms as f64 / 1e3)
        },
        Format::Json => {
            serde_json::json!({"version": 1, "type": "log", "step": step, "elapsed_ms": elapsed_ms, "stream": name, "text": text})
                .to_string()
        }
    }
}
