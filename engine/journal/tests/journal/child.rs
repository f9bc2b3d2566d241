//! The test program as another process.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::str::FromStr;

use runbook_journal::{ClaimError, Fault, Journal, Wake};

use crate::sample::{created, fact, plan, record};

/// How the child is told its folder: as one more filter, which the test harness finds no test for.
const TOLD: &str = "execute:";

/// A child that executes the run `k7f3q`, and what it says.
pub(crate) struct Writer {
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
}

/// What a child says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Says {
    /// It executes the run, from this epoch and event on.
    Has {
        epoch: u32,
        next: u64,
    },
    /// Somebody else does: that process.
    Held(u32),
    /// Everything up to this event is on disk.
    Durable(u64),
    Fault(String),
    /// After a fault: the last event that can be read, if the record is consistent.
    Left(u64),
}

impl Writer {
    pub(crate) fn start(folder: &Path) -> Writer {
        Writer::start_after(&["/bin/sh"], "", folder)
    }

    /// Starts one from this shell, after this script (in which `$1` is the folder).
    pub(crate) fn start_after(shell: &[&str], script: &str, folder: &Path) -> Writer {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", &format!("{script}\nexec \"$0\" --exact child::execute --nocapture \"{TOLD}$1\"")])
            .arg(program)
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        Writer { child, says }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Iterator for Writer {
    type Item = Says;

    /// The next thing it says; also after its death, what it had said before.
    fn next(&mut self) -> Option<Says> {
        // A line that was torn by its death ends the output.
        self.says.by_ref().map_while(Result::ok).find_map(|line| line.parse().ok())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl FromStr for Says {
    type Err = ();

    fn from_str(line: &str) -> Result<Says, ()> {
        let (word, rest) = line.strip_prefix("> ").and_then(|line| line.split_once(' ')).ok_or(())?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| ());
        match word {
            "has" => {
                let (epoch, next) = rest.split_once(' ').ok_or(())?;
                Ok(Says::Has { epoch: number(epoch)? as u32, next: number(next)? })
            }
            "held" => Ok(Says::Held(number(rest)? as u32)),
            "durable" => Ok(Says::Durable(number(rest.strip_suffix('.').ok_or(())?)?)),
            "left" => Ok(Says::Left(number(rest)?)),
            "fault" => Ok(Says::Fault(rest.to_owned())),
            _ => Err(()),
        }
    }
}

/// What the child does: takes the run and appends for ever, in batches of 1 to 5, a few commits ahead of the disk. Run as a
/// test like the others, nobody has told it to.
#[test]
fn execute() {
    let Some(folder) = std::env::args().find_map(|arg| arg.strip_prefix(TOLD).map(PathBuf::from)) else {
        return;
    };
    let journal = Journal::open(&folder).unwrap();
    let tell = |wake| match wake {
        Wake::Durable(seq) => println!("> durable {seq}."),
        Wake::Fault(fault) => println!("> fault {fault}"),
        Wake::Nudged => {}
    };
    let taken = match journal.claim("k7f3q", tell) {
        Err(ClaimError::NoSuchRun(_)) => journal.create("k7f3q", plan(), tell),
        other => other,
    };
    let mut executor = match taken {
        Ok(executor) => executor,
        Err(ClaimError::Held { holder, .. }) => {
            return println!("> held {}", holder.pid);
        }
        Err(error) => panic!("{error}"),
    };
    let mut next = executor.next_seq();
    println!("> has {} {next}", executor.epoch());
    loop {
        let batch: Vec<_> = (next..=next + next % 5)
            .map(|seq| record(seq, executor.epoch(), if seq == 1 { created("k7f3q") } else { fact(seq) }))
            .collect();
        next += batch.len() as u64;
        if executor.append(&batch).is_err() {
            break;
        }
        // Not too far ahead of the disk: a few commits' worth.
        if executor.wait_durable(next.saturating_sub(16)).is_err() {
            break;
        }
    }
    let again = executor.append(&[record(executor.next_seq(), executor.epoch(), fact(1))]);
    assert!(again.is_err(), "accepted after {:?}", executor.durable());
    assert!(!matches!(executor.durable(), Ok(_) | Err(Fault::WriterGone)));
    let reader = Journal::open_read_only(&folder).unwrap();
    let left = reader.verify("k7f3q", None).unwrap();
    assert_eq!(left.damage, []);
    println!("> left {}", left.events);
}
