//! Files cut off and bytes flipped, at many places: a reader gets what was written, a beginning of it, or a named
//! damage, and never anything else.

use std::fs;
use std::path::Path;

use runbook_journal::Journal;
use runbook_wire::Record;

use crate::sample::{created, fact, finished, ignore, plan, record};

const RUNS: [&str; 2] = ["aaaaa", "bbbbb"];

/// Two runs in many commits: some in the main file, some in the WAL.
fn write(folder: &Path) -> Vec<Vec<Record>> {
    let journal = Journal::open(folder).unwrap();
    let mut all = Vec::new();
    for run in RUNS {
        let mut executor = journal.create(run, plan(), ignore).unwrap();
        let mut records = vec![record(1, 1, created(run))];
        records.extend((2..40).map(|seq| record(seq, 1, fact(seq))));
        records.push(record(40, 1, finished()));
        for batch in records.chunks(3) {
            let seq = executor.append(batch).unwrap();
            executor.wait_durable(seq).unwrap();
        }
        all.push(records);
        if run == RUNS[0] {
            let connection = rusqlite::Connection::open(folder.join("journal.db")).unwrap();
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
    }
    all
}

/// What a damaged copy turned out to be.
#[derive(Debug, Default)]
struct Tally {
    whole: u32,
    beginning: u32,
    named: u32,
}

struct Trial {
    folder: tempfile::TempDir,
    main: Vec<u8>,
    wal: Vec<u8>,
    written: Vec<Vec<Record>>,
    tally: Tally,
}

impl Trial {
    fn new() -> Trial {
        let folder = tempfile::tempdir().unwrap();
        let written = write(folder.path());
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        let (main, wal) = (read("journal.db"), read("journal.db-wal"));
        assert!(
            main.len() > 20_000 && wal.len() > 20_000,
            "both hold something: {} {}",
            main.len(),
            wal.len()
        );
        Trial { main, wal, written, tally: Tally::default(), folder: tempfile::tempdir().unwrap() }
    }

    /// Opens a copy with these files, reads all of it, and writes to it.
    fn open(&mut self, what: &str, main: &[u8], wal: &[u8]) {
        let place = |name: &str| self.folder.path().join(name);
        let _ = fs::remove_file(place("journal.db-shm"));
        fs::write(place("journal.db"), main).unwrap();
        fs::write(place("journal.db-wal"), wal).unwrap();
        match self.examine() {
            Ok(true) => self.tally.whole += 1,
            Ok(false) => self.tally.beginning += 1,
            Err(Wrong::Named) => self.tally.named += 1,
            Err(Wrong::Unseen(how)) => panic!("{what}: {how}"),
        }
    }

    /// `true`: as it was written; `false`: a consistent beginning.
    fn examine(&self) -> Result<bool, Wrong> {
        let journal = Journal::open(self.folder.path())?;
        let verified = journal.verify_all(None)?;
        let mut whole = true;
        let mut problem = None;
        for (run, written) in RUNS.iter().zip(&self.written) {
            let mut read = Vec::new();
            for next in journal.events(run, 1) {
                match next {
                    Ok(record) => read.push(record),
                    Err(error) => problem = Some(error.to_string()),
                }
            }
            if !written.starts_with(&read) {
                return Err(Wrong::Unseen(format!("{run}: other events than were written")));
            }
            whole &= read.len() == written.len();
            if !read.is_empty() && journal.plan("p1")?.is_none_or(|found| found != plan()) {
                return Err(Wrong::Unseen("another plan".to_owned()));
            }
        }
        if !verified.damage.is_empty() {
            return Err(Wrong::Named);
        }
        // A run that is not there yet is a beginning too.
        match problem {
            Some(problem) if whole => Err(Wrong::Unseen(problem)),
            _ => Ok(whole),
        }
    }
}

enum Wrong {
    Named,
    Unseen(String),
}

impl<E: std::error::Error> From<E> for Wrong {
    fn from(_: E) -> Self {
        Wrong::Named
    }
}

/// A fixed sequence that looks random.
fn places(end: usize, count: usize) -> impl Iterator<Item = usize> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % end as u64).unwrap()
    })
    .take(count)
}

#[test]
fn a_cut_wal_leaves_a_beginning() {
    let mut trial = Trial::new();
    let (main, wal) = (trial.main.clone(), trial.wal.clone());
    trial.open("as it is", &main, &wal);
    assert_eq!(trial.tally.whole, 1);
    for end in (0..wal.len()).step_by(4096).chain(places(wal.len(), 60)) {
        trial.open(&format!("WAL cut at {end}"), &main, &wal[..end]);
    }
    assert_eq!(trial.tally.named, 0, "a torn tail is no damage: {:?}", trial.tally);
    assert!(trial.tally.beginning > 60, "{:?}", trial.tally);
}

#[test]
fn flipped_bytes_are_named_or_without_effect() {
    let mut trial = Trial::new();
    let (main, wal) = (trial.main.clone(), trial.wal.clone());
    for at in places(wal.len(), 60) {
        let mut copy = wal.clone();
        copy[at] ^= 1 << (at % 8);
        trial.open(&format!("WAL flipped at {at}"), &main, &copy);
    }
    assert!(trial.tally.beginning > 30, "{:?}", trial.tally);
    for at in (0..100).step_by(3).chain(places(main.len(), 150)) {
        let mut copy = main.clone();
        copy[at] ^= 1 << (at % 8);
        trial.open(&format!("main file flipped at {at}"), &copy, &[]);
    }
    assert!(trial.tally.named > 20, "{:?}", trial.tally);
}

#[test]
fn a_cut_main_file_is_named() {
    let mut trial = Trial::new();
    let main = trial.main.clone();
    for end in
        (1..main.len() / 4096).map(|page| page * 4096).chain(places(main.len() - 1, 40).map(|at| at + 1))
    {
        trial.open(&format!("main file cut at {end}"), &main[..end], &[]);
    }
    assert_eq!((trial.tally.whole, trial.tally.beginning), (0, 0), "{:?}", trial.tally);
}
