//! `cargo dev bench`: what a durable run costs beside a tool that remembers nothing, in one run on one machine.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it tells its own developers")]
//!
//! Ours and theirs take turns, and take turns in going first, so that a machine that gets slower gets slower for both; the
//! median of the ratios is what counts. A tool that did nothing is noticed: of ours every run's journal is read, of
//! theirs what it would execute. What is measured is a journal on a disk, so a temporary folder in memory is refused.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Measure against GNU make and rewrite the table in docs/performance.md.
#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// Pairs of runs per row.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// The binary to measure.
    #[arg(long, default_value = "target/release/runbook")]
    binary: PathBuf,
    /// Print the table, and leave the document alone.
    #[arg(long)]
    print: bool,
}

/// One comparison.
struct Row {
    work: &'static str,
    /// What the ratio must not exceed.
    aim: f64,
    steps: usize,
    runbook: String,
    makefile: String,
}

/// Seconds of each turn.
struct Measured {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

const START: &str = "<!-- figures: cargo dev bench -->";
const END: &str = "<!-- end of figures -->";

pub(crate) fn run(bench: &Bench) -> Result<(), String> {
    let binary = bench.binary.canonicalize().map_err(|error| {
        format!("{}: {error}; build it first: cargo build --release --bin runbook", bench.binary.display())
    })?;
    let kind = file_system(&std::env::temp_dir())?;
    let folder = std::env::temp_dir().join(format!("runbook-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let mut table = String::from(
        "| work | steps | ours, median | make -j2, median | ratio | aim | met |\n|---|---|---|---|---|---|---|\n",
    );
    let mut missed: Vec<String> = Vec::new();
    for row in rows() {
        eprintln!("measuring: {}", row.work);
        let measured = measure(&row, &binary, &folder, bench.rounds)?;
        let ratio =
            median(measured.ours.iter().zip(&measured.theirs).map(|(ours, theirs)| ours / theirs).collect());
        let met = ratio <= row.aim;
        if !met {
            missed.push(row.work.to_owned());
        }
        let per = |seconds: f64| {
            if row.steps == 1 {
                format!("{:.1} ms", seconds * 1e3)
            } else {
                format!("{:.0} µs a step", seconds * 1e6 / row.steps as f64)
            }
        };
        writeln!(
            table,
            "| {} | {} | {} | {} | {ratio:.2} | ≤ {} | {} |",
            row.work,
            row.steps,
            per(median(measured.ours)),
            per(median(measured.theirs)),
            row.aim,
            if met { "yes" } else { "no" }
        )
        .map_err(|error| error.to_string())?;
    }
    table.push('\n');
    table.push_str(&crate::hostile::table(&binary, &folder, &mut missed)?);
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    println!("{table}");
    if !bench.print {
        rewrite(Path::new("docs/performance.md"), &kind, &table)?;
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("not met: {}", missed.join("; "))) }
}

fn rows() -> Vec<Row> {
    let many = 1000;
    let shell = "SHELL := /bin/bash\n.SHELLFLAGS := -euo pipefail -c\n";
    let one = |work, aim, steps, step: &str, recipe: &str, head: &str| Row {
        work,
        aim,
        steps,
        runbook: runbook(steps, step),
        makefile: makefile(steps, recipe, head),
    };
    vec![
        one("`run: 'true'`, one step, from nothing to the prompt", 3.0, 1, "run: 'true'", "@true", shell),
        one("`run: 'true'`, independent, two at a time", 2.0, many, "run: 'true'", "@true", shell),
        one(
            "`argv: [/bin/true]`, independent, two at a time (make runs it without a shell too)",
            2.0,
            many,
            "argv: [/bin/true]",
            "@/bin/true",
            "",
        ),
    ]
}

/// Independent steps. Each is a write as far as the engine knows, so each has its intent and its result on disk.
fn runbook(steps: usize, step: &str) -> String {
    let mut text = String::from(
        "apiVersion: runbook/v1\nkind: Runbook\nname: bench\nsummary: Independent steps.\nsteps:\n",
    );
    for n in 0..steps {
        let _ = writeln!(
            text,
            "  - {{id: s{n}, needs: [], {step}, rollback: none, reason: leaves nothing behind}}"
        );
    }
    text
}

fn makefile(steps: usize, recipe: &str, head: &str) -> String {
    let names: Vec<String> = (0..steps).map(|n| format!("s{n}")).collect();
    let names = names.join(" ");
    format!("{head}.PHONY: all {names}\nall: {names}\n{names}:\n\t{recipe}\n")
}

fn measure(row: &Row, binary: &Path, folder: &Path, rounds: usize) -> Result<Measured, String> {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).map(|()| path).map_err(|error| error.to_string())
    };
    let runbook = write("bench.yaml", &row.runbook)?;
    let makefile = write("Makefile", &row.makefile)?;
    let state = folder.join("state");
    let ours = || {
        let mut command = Command::new(binary);
        command.arg("exec").arg(&runbook).args(["--no-input", "--max-parallel", "2", "--state"]).arg(&state);
        command
    };
    let theirs = || {
        let mut command = Command::new("make");
        command.args(["-s", "-j2", "-f"]).arg(&makefile);
        command
    };
    // One of each first: the journal exists, the programs are in the page cache.
    turn(ours())?;
    turn(theirs())?;
    every_step_is_made(theirs(), row.steps)?;
    let mut measured = Measured { ours: Vec::new(), theirs: Vec::new() };
    for round in 0..rounds {
        if round % 2 == 1 {
            measured.theirs.push(turn(theirs())?);
        }
        measured.ours.push(turn(ours())?);
        if round % 2 == 0 {
            measured.theirs.push(turn(theirs())?);
        }
        every_step_is_recorded(binary, &state, row.steps)?;
    }
    Ok(measured)
}

/// Seconds that a command takes.
fn turn(mut command: Command) -> Result<f64, String> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    let elapsed = start.elapsed().as_secs_f64();
    if status.success() { Ok(elapsed) } else { Err(format!("{command:?}: {status}")) }
}

/// Theirs has a recipe for each step.
fn every_step_is_made(mut command: Command, steps: usize) -> Result<(), String> {
    let output = command.arg("-n").output().map_err(|error| error.to_string())?;
    let recipes = String::from_utf8_lossy(&output.stdout).lines().count();
    if recipes == steps { Ok(()) } else { Err(format!("{steps} steps, but make has {recipes} recipes")) }
}

/// The last run's journal holds an intent and a result for each step.
fn every_step_is_recorded(binary: &Path, state: &Path, steps: usize) -> Result<(), String> {
    let run = |args: &[&str]| {
        let output = Command::new(binary)
            .args(args)
            .arg("--state")
            .arg(state)
            .output()
            .map_err(|error| error.to_string())?;
        String::from_utf8(output.stdout).map_err(|error| error.to_string())
    };
    let runs = run(&["runs", "--limit", "1", "-o", "json"])?;
    let first: serde_json::Value =
        serde_json::from_str(runs.lines().next().unwrap_or_default()).map_err(|error| error.to_string())?;
    let id = first["run"].as_str().ok_or("`runbook runs` named no run")?;
    let events = run(&["show", id, "--events", "-o", "json"])?;
    let events: Vec<serde_json::Value> = events
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("`runbook show`: {error}"))?;
    let tasks = |wanted: &dyn Fn(&serde_json::Value) -> bool| {
        let tasks =
            events.iter().filter(|event| wanted(event)).filter_map(|event| event["task"]["path"].as_str());
        tasks.collect::<BTreeSet<_>>().len()
    };
    let started = tasks(&|event| event["type"] == "started");
    let done = tasks(&|event| event["type"] == "ended" && event["result"] == "done");
    if (started, done) == (steps, steps) {
        Ok(())
    } else {
        Err(format!("{steps} steps, but {started} intents and {done} results"))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The kind of file system that the journal is on.
fn file_system(folder: &Path) -> Result<String, String> {
    let output = Command::new("stat").args(["-f", "-c", "%T"]).arg(folder).output();
    let output = output.map_err(|error| format!("stat: {error}"))?;
    let kind = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if ["tmpfs", "ramfs"].contains(&kind.as_str()) {
        let folder = folder.display();
        return Err(format!(
            "{folder} is in memory, where a sync costs nothing: set TMPDIR to a folder on a disk"
        ));
    }
    Ok(kind)
}

/// Replaces what stands between the two marks.
fn rewrite(document: &Path, file_system: &str, table: &str) -> Result<(), String> {
    let text =
        std::fs::read_to_string(document).map_err(|error| format!("{}: {error}", document.display()))?;
    let (Some(start), Some(end)) = (text.find(START), text.find(END)) else {
        return Err(format!("{} has no marks to write between", document.display()));
    };
    let machine = machine(file_system);
    let new = format!("{}{START}\n\n{machine}\n\n{table}\n{}", &text[..start], &text[end..]);
    std::fs::write(document, new).map_err(|error| error.to_string())
}

/// The machine and the versions, as far as ratios travel.
fn machine(file_system: &str) -> String {
    let first_line = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    let make = first_line("make", &["--version"]).unwrap_or_default();
    let rustc = first_line("rustc", &["--version"]).unwrap_or_default();
    format!("{cores} cores, {}, {file_system}; {make}; {rustc}.", std::env::consts::OS)
}
