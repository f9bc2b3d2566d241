//! Opening: new, shared, newer, foreign, damaged.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use runbook_journal::{Journal, OpenError, StoreError, open_log};

use crate::sample::{created, ignore, plan, record};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn begin(folder: &Path) -> runbook_journal::Executor {
    let journal = Journal::open(folder).unwrap();
    let mut executor = journal.create("k7f3q", plan(), ignore).unwrap();
    executor.append(&[record(1, 1, created("k7f3q"))]).unwrap();
    executor.wait_durable(1).unwrap();
    executor
}

#[test]
fn a_folder_of_ours_is_private_and_a_teams_folder_stays_the_teams() {
    let parent = tempfile::tempdir().unwrap();
    let ours = parent.path().join("state/runbook");
    let _executor = begin(&ours);
    assert_eq!(mode(&ours), 0o700);
    assert_eq!(mode(&ours.join("journal.db")), 0o600);

    let teams = parent.path().join("team");
    fs::create_dir(&teams).unwrap();
    fs::set_permissions(&teams, fs::Permissions::from_mode(0o2770)).unwrap();
    let _executor = begin(&teams);
    for file in ["journal.db", "journal.db-wal", "journal.db-shm", "runs/k7f3q.lock", "runs/k7f3q.sock"] {
        assert_eq!(mode(&teams.join(file)), 0o660, "{file}");
    }
    let journal = Journal::open(&teams).unwrap();
    journal.make_log_folder("k7f3q").unwrap();
    let log = journal.log_folder("k7f3q").join("0-0-1.log");
    drop(open_log(&log).unwrap());
    assert_eq!(mode(&log), 0o660);
    for folder in ["runs", "logs", "logs/k7f3q"] {
        assert_eq!(mode(&teams.join(folder)), 0o2770, "{folder}");
    }
}

#[test]
fn many_may_make_it_at_once() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new");
    std::thread::scope(|scope| {
        for n in 0..8 {
            let folder = &folder;
            scope.spawn(move || {
                let journal = Journal::open(folder).unwrap();
                let run = format!("a000{n}");
                let mut executor = journal.create(&run, plan(), ignore).unwrap();
                executor.append(&[record(1, 1, created(&run))]).unwrap();
                executor.wait_durable(1).unwrap();
            });
        }
    });
    let found = Journal::open(&folder).unwrap().verify_all(None).unwrap();
    assert_eq!((found.runs, found.damage), (8, vec![]));
}

#[test]
fn what_is_not_a_journal_of_this_version_is_refused_and_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    let with = |name: &str, statements: &str| {
        let folder = parent.path().join(name);
        drop(Journal::open(&folder).unwrap());
        rusqlite::Connection::open(folder.join("journal.db")).unwrap().execute_batch(statements).unwrap();
        folder
    };
    let newer = with("newer", "PRAGMA user_version = 99");
    let error = Journal::open(&newer).unwrap_err();
    assert_eq!(error, OpenError::Newer { folder: newer.clone(), found: 99 });
    assert_eq!(Journal::open_read_only(&newer).unwrap_err(), error);
    insta::assert_snapshot!(
        error.to_string().replace(&newer.display().to_string(), "FOLDER"),
        @"the journal in FOLDER has format 99, which a newer version of runbook wrote; this version reads up to format 1: use the newer one"
    );
    let foreign = with("foreign", "PRAGMA application_id = 7");
    assert_eq!(Journal::open(&foreign).unwrap_err(), OpenError::Foreign(foreign.join("journal.db")));

    let garbage = parent.path().join("garbage");
    fs::create_dir(&garbage).unwrap();
    fs::write(garbage.join("journal.db"), "not a database, but long enough to be taken for one".repeat(50))
        .unwrap();
    let before = fs::read(garbage.join("journal.db")).unwrap();
    let error = Journal::open(&garbage).unwrap_err();
    assert!(matches!(&error, OpenError::Store { error: StoreError::Damaged(_), .. }), "{error}");
    assert_eq!(fs::read(garbage.join("journal.db")).unwrap(), before);

    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Journal::open(&file).is_err());
}

#[test]
fn a_reader_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    drop(begin(folder.path()));
    let reader = Journal::open_read_only(folder.path()).unwrap();
    assert!(reader.claim("k7f3q", ignore).is_err());
    assert!(reader.create("m7f3q", plan(), ignore).is_err());
    assert_eq!(reader.run("k7f3q").unwrap().unwrap().last_seq, 1);
}

#[test]
fn a_database_that_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("journal.db")).unwrap();
    let told = |error: OpenError| error.to_string().replace(&folder.path().display().to_string(), "FOLDER");
    let wanted = "FOLDER: the journal could not be read or written: Is a directory (os error 21)";
    assert_eq!(told(Journal::open(folder.path()).unwrap_err()), wanted);
    assert_eq!(told(Journal::open_read_only(folder.path()).unwrap_err()), wanted);
}

#[test]
fn a_folder_that_cannot_be_looked_into_is_not_one_without_a_journal() {
    let parent = tempfile::tempdir().unwrap();
    let loops = parent.path().join("loops");
    std::os::unix::fs::symlink(&loops, &loops).unwrap();
    let error = Journal::open_read_only(&loops).unwrap_err();
    assert!(matches!(&error, OpenError::Store { error: StoreError::Io(_), .. }), "{error}");
}
