//! Processes that die, and disks that fail.

use std::sync::atomic::{AtomicBool, Ordering};

use runbook_journal::{Journal, RunStatus};

use crate::child::{Says, Writer};
use crate::sample::{created, ignore, plan, record};

#[test]
fn whatever_was_told_durable_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 1..=25 {
        let mut writer = Writer::start(folder.path());
        let Some(Says::Has { epoch, next }) = writer.next() else {
            panic!("round {round}: it does not have the run")
        };
        assert_eq!(epoch, round, "the epoch rises with each executor");
        assert!(next > acknowledged, "round {round}: {acknowledged} was acknowledged, and {next} comes next");
        for _ in 0..(round * round * 7) % 40 + 1 {
            writer.next().unwrap();
        }
        writer.kill();
        for said in writer.by_ref() {
            if let Says::Durable(seq) = said {
                acknowledged = acknowledged.max(seq);
            }
        }
        let journal = Journal::open_read_only(folder.path()).unwrap();
        let run = journal.run("k7f3q").unwrap().unwrap();
        assert_eq!(run.status, RunStatus::Interrupted, "at once, without a timeout");
        // Each is checked against the chain; the whole chain at the end.
        let read = journal.events("k7f3q", next.saturating_sub(20)).map(Result::unwrap).last().unwrap();
        assert_eq!(read.seq, run.last_seq);
        assert!(
            run.last_seq >= acknowledged,
            "round {round}: {acknowledged} was acknowledged, {} is there",
            run.last_seq
        );
    }
    let journal = Journal::open(folder.path()).unwrap();
    let found = journal.verify_all(None).unwrap();
    assert_eq!(found.damage, [], "{found}");
    assert!(found.events > 500, "something was written: {found}");
    println!("{found}");
}

#[test]
fn of_several_processes_one_has_the_run() {
    let folder = tempfile::tempdir().unwrap();
    drop(Journal::open(folder.path()).unwrap());
    let mut writers: Vec<_> = (0..6).map(|_| Writer::start(folder.path())).collect();
    let said: Vec<_> =
        writers.iter_mut().map(|writer| writer.find(|said| !matches!(said, Says::Durable(_)))).collect();
    let has: Vec<usize> = (0..6).filter(|at| matches!(said[*at], Some(Says::Has { .. }))).collect();
    let [winner] = has[..] else { panic!("{said:?}") };
    let pid = writers[winner].pid();
    let others = said.iter().enumerate().filter(|(at, _)| *at != winner);
    for (_, said) in others {
        assert_eq!(said, &Some(Says::Held(pid)));
    }
    let journal = Journal::open(folder.path()).unwrap();
    writers[winner].find(|said| matches!(said, Says::Durable(_))).unwrap();
    assert!(
        matches!(journal.run("k7f3q").unwrap().unwrap().status, RunStatus::Running(holder) if holder.pid == pid)
    );
    writers[winner].kill();
    assert_eq!(journal.claim("k7f3q", ignore).unwrap().epoch(), 2);
}

#[test]
fn a_look_at_a_lock_does_not_keep_it_from_being_taken() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let mut executor = journal.create("k7f3q", plan(), ignore).unwrap();
    executor.append(&[record(1, 1, created("k7f3q"))]).unwrap();
    drop(executor);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let reader = Journal::open_read_only(folder.path()).unwrap();
                while !done.load(Ordering::Relaxed) {
                    reader.holder("k7f3q").unwrap();
                }
            });
        }
        let claims: Vec<_> =
            (0..200).map(|_| journal.claim("k7f3q", ignore).map(|executor| executor.epoch())).collect();
        done.store(true, Ordering::Relaxed);
        assert_eq!(claims, (2..202).map(Ok).collect::<Vec<_>>());
    });
}

/// Runs a child until its journal fails; returns the fault.
fn run_into_a_fault(mut writer: Writer) -> String {
    let mut acknowledged = 0;
    let fault = writer.find_map(|said| match said {
        Says::Durable(seq) => {
            acknowledged = seq;
            None
        }
        Says::Fault(fault) => Some(fault),
        _ => None,
    });
    let Some(Says::Left(left)) = writer.next() else { panic!("told something after the fault {fault:?}") };
    assert!(acknowledged > 100, "it wrote for a while: {acknowledged}");
    assert!(left >= acknowledged, "{acknowledged} was acknowledged, {left} is there");
    assert_eq!(writer.next(), None, "nothing is told after a fault");
    fault.unwrap()
}

/// A limit on the size of files makes writing fail in the middle, as a dying disk would.
#[test]
fn a_failed_write_stops_everything_and_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::start_after(&["/bin/sh"], "trap '' XFSZ; ulimit -f 1000", folder.path());
    let fault = run_into_a_fault(writer);
    assert!(fault.starts_with("the journal could not be read or written: disk I/O error"), "{fault}");
    let journal = Journal::open(folder.path()).unwrap();
    assert_eq!(journal.verify_all(None).unwrap().damage, []);
    assert_eq!(journal.run("k7f3q").unwrap().unwrap().status, RunStatus::Interrupted);
}

/// On a file system of 800 kB, in a mount namespace of its own.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_reported_as_such() {
    let shell = ["unshare", "--user", "--map-root-user", "--mount", "/bin/sh"];
    let allowed = std::process::Command::new(shell[0]).args(&shell[1..]).args(["-c", "true"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        return runbook_testbed::skip("this system does not let its users make mount namespaces");
    }
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::start_after(&shell, "mount -t tmpfs -o size=800k tmpfs \"$1\"", folder.path());
    assert_eq!(run_into_a_fault(writer), "no space is left on the disk that holds the journal");
}
