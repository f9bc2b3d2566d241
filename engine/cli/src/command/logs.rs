//! `runbook logs RUN [STEP]`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::PathBuf;
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

pub(crate) fn run(logs: &Logs, global: &Global) -> Result<Exit, CommandError> {
    let journal = history::reading(global)?;
    let run = history::find(&journal, logs.run.as_deref(), |_| true)?;
    let folder = journal.log_folder(&run.id);
    let mut printer =
        Printer { folder, wanted: logs.step.clone(), sources: BTreeMap::new(), seen: false, global };
    if logs.follow {
        follow(&journal, &run.id, &mut printer)?;
    } else {
        for record in journal.events(&run.id, 1) {
            printer.hear(&[record?]);
        }
        printer.print()?;
    }
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

/// So much is printed at once, in bytes.
const FULL: usize = 1 << 16;

/// So many files are kept open, where steps speak at the same time.
const OPEN: usize = 64;

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
                self.sources.entry(file.clone()).or_insert_with(|| Source::new(file, &task.path));
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

    /// Prints what is new, in the order of time. Logs may be far larger than the memory: of each file there is one line of
    /// it at a time.
    fn print(&mut self) -> Result<(), CommandError> {
        let mut sources: Vec<&mut Source> = self.sources.values_mut().collect();
        let mut next = BinaryHeap::new();
        for (n, source) in sources.iter_mut().enumerate() {
            next.extend(source.advance()?.map(|at| Reverse((at, n))));
            source.close();
        }
        let (mut out, mut open) = (String::new(), BTreeSet::new());
        while let Some(Reverse((_, n))) = next.pop() {
            let source = &mut *sources[n];
            out.push_str(&shown(&source.step, &source.line, self.global));
            out.push('\n');
            if out.len() > FULL {
                output::data(&std::mem::take(&mut out))?;
            }
            // Steps beside each other are a few; those of a run may be more than a process may have files open.
            if open.insert(n) && open.len() > OPEN {
                open.iter().filter(|other| **other != n).for_each(|other| sources[*other].close());
                open = BTreeSet::from([n]);
            }
            match sources[n].advance()? {
                Some(at) => next.push(Reverse((at, n))),
                None => {
                    sources[n].close();
                    open.remove(&n);
                }
            }
        }
        output::data(&out)
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

/// A line of a log, to be printed.
struct Line {
    elapsed_ms: u64,
    stream: LogStream,
    text: String,
}

/// A log file, as far as it has been read.
struct Source {
    path: PathBuf,
    step: String,
    file: Option<BufReader<File>>,
    /// Bytes of it that were read.
    read: u64,
    /// The last line of them.
    line: Line,
}

impl Source {
    fn new(path: PathBuf, step: &str) -> Source {
        let line = Line { elapsed_ms: 0, stream: LogStream::Note, text: String::new() };
        Source { path, step: step.to_owned(), file: None, read: 0, line }
    }

    /// Goes on to the next line that is whole, and says when it was written. One that is still being written waits for its
    /// end; without a file the step has said nothing.
    fn advance(&mut self) -> Result<Option<u64>, CommandError> {
        let fault =
            |error: std::io::Error| CommandError::unexpected(format!("{}: {error}", self.path.display()));
        if self.file.is_none() {
            let mut file = match File::open(&self.path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                opened => opened.map_err(fault)?,
            };
            if file.metadata().map_err(fault)?.len() <= self.read {
                return Ok(None);
            }
            file.seek(SeekFrom::Start(self.read)).map_err(fault)?;
            self.file = Some(BufReader::new(file));
        }
        let Some(file) = &mut self.file else { return Ok(None) };
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = file.read_until(b'\n', &mut bytes).map_err(fault)?;
            if bytes.pop() != Some(b'\n') {
                return Ok(None);
            }
            self.read += read as u64;
            let text = String::from_utf8_lossy(&bytes);
            // A crash may have torn it.
            let Some(line) = parse_line(&text) else { continue };
            self.line = Line { elapsed_ms: line.elapsed_ms, stream: line.stream, text: line.text.to_owned() };
            return Ok(Some(line.elapsed_ms));
        }
    }

    fn close(&mut self) {
        self.file = None;
    }
}

fn shown(step: &str, line: &Line, global: &Global) -> String {
    let Line { elapsed_ms, stream, text } = line;
    let name = match stream {
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
        LogStream::Note => "note",
    };
    match global.output {
        Format::Text => {
            let text = runbook_view::clean(text.clone());
            format!("{:>9.3}s {step} | {text}", *elapsed_ms as f64 / 1e3)
        }
        Format::Json => serde_json::json!({
            "version": 1, "type": "log", "step": step, "elapsed_ms": elapsed_ms, "stream": name, "text": text,
        })
        .to_string(),
    }
}
