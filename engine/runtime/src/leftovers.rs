//! Ending what earlier executors left running, see `docs/design/processes.md`.
//!
//! An attempt whose end nobody recorded may still have processes. They are found by the group that was recorded, if its
//! leader is still the same process (by its start time; where that cannot be read, nothing is ended on its number
//! alone), and, where the machine lets us look, by the idempotency key in their environment: that also finds a group whose record was lost between its start and the disk, and one whose leader
//! has gone.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpgrp, kill_process_group};
use tokio::time::{Instant, sleep};

use crate::platform;

/// What an attempt may have left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub(crate) key: String,
    /// Process groups: the leader's id and start time.
    pub(crate) groups: Vec<(u32, u64)>,
}

/// Ends everything that is left: TERM, the grace, KILL. Returns how many groups there were, and those (by number) that
/// could not be ended.
pub(crate) async fn end_all(leftovers: &[Leftover], grace: Duration) -> (usize, Vec<i32>) {
    let mut groups = find(leftovers);
    let found = groups.len();
    signal(&groups, Signal::TERM);
    let mut deadline = Instant::now() + grace;
    let mut killed = false;
    let mut turn = Duration::from_millis(2);
    loop {
        // Looked for anew each time: a process that forks just now belongs to it as well.
        groups = find(leftovers).into_iter().chain(groups).filter(|group| alive(*group)).collect();
        if groups.is_empty() {
            return (found, Vec::new());
        }
        if Instant::now() >= deadline {
            if killed {
                return (found, groups.into_iter().collect());
            }
            signal(&groups, Signal::KILL);
            killed = true;
            deadline = Instant::now() + Duration::from_secs(5);
        }
        sleep(turn).await;
        turn = (turn * 2).min(Duration::from_millis(100));
    }
}

fn find(leftovers: &[Leftover]) -> BTreeSet<i32> {
    let ours = getpgrp().as_raw_nonzero().get();
    let recorded = leftovers.iter().flat_map(|leftover| &leftover.groups).filter_map(|(pid, start_time)| {
        let pid = Pid::from_raw(i32::try_from(*pid).ok()?)?;
        // A number alone is no proof: it may be somebody else's by now.
        (platform::start_time(pid) == Some(*start_time)).then(|| pid.as_raw_nonzero().get())
    });
    let entries: BTreeSet<String> = leftovers
        .iter()
        .filter(|leftover| !leftover.key.is_empty())
        .map(|leftover| format!("RUNBOOK_IDEMPOTENCY_KEY={}", leftover.key))
        .collect();
    let by_key = if entries.is_empty() { Vec::new() } else { platform::with_environment(&entries) };
    let by_key = by_key.into_iter().map(|found| found.group.as_raw_nonzero().get());
    // Never ourselves: a command that a step started has that step's key.
    recorded.chain(by_key).filter(|group| *group != ours).collect()
}

fn alive(group: i32) -> bool {
    Pid::from_raw(group).is_some_and(platform::group_alive)
}

fn signal(groups: &BTreeSet<i32>, signal: Signal) {
    for group in groups.iter().filter_map(|group| Pid::from_raw(*group)) {
        // Gone meanwhile is what we want; not permitted shows as a group that does not end.
        let _ = kill_process_group(group, signal);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests: a panic is how they fail")]

    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// Starts a script in a group of its own and waits until it has printed a line.
    fn start(script: &str, key: &str) -> Child {
        let mut child = Command::new("/bin/bash")
            .args(["-c", script])
            .env("RUNBOOK_IDEMPOTENCY_KEY", key)
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        child
    }

    fn key(name: &str) -> String {
        format!("{name}-{}", std::process::id())
    }

    /// Ends it all while a thread stands in for the parent that is gone and would not reap.
    async fn end(mut child: Child, leftover: Leftover) -> (usize, Vec<i32>) {
        let reaper = std::thread::spawn(move || child.wait().unwrap());
        let ended = end_all(&[leftover], Duration::from_millis(200)).await;
        if ended.0 > 0 {
            reaper.join().unwrap();
        }
        ended
    }

    #[tokio::test]
    async fn a_group_is_found_by_its_key_alone() {
        let key = key("by-key");
        let child = start("echo ready; sleep 60 & wait", &key);
        assert_eq!(end(child, Leftover { key, groups: Vec::new() }).await, (1, vec![]));
    }

    #[tokio::test]
    async fn a_group_whose_leader_is_gone_is_found_too() {
        let key = key("orphan");
        let mut child = start("trap '' TERM; (trap '' TERM; echo ready; exec sleep 60) & exit 0", &key);
        let group = Pid::from_child(&child);
        child.wait().unwrap();
        let leftover = Leftover { key, groups: vec![(child.id(), 1)] };
        assert!(platform::group_alive(group));
        assert_eq!(end_all(&[leftover], Duration::from_millis(100)).await, (1, vec![]));
        assert!(!platform::group_alive(group));
    }

    #[tokio::test]
    async fn a_recorded_group_is_ended_if_it_is_the_same_one() {
        let child = start("echo ready; sleep 60", "");
        let (pid, group) = (child.id(), Pid::from_child(&child));
        let start_time = platform::start_time(group).unwrap();
        let other = Leftover { key: String::new(), groups: vec![(pid, start_time + 1)] };
        assert_eq!(
            end_all(&[other], Duration::ZERO).await,
            (0, vec![]),
            "another process of the same number"
        );
        let same = Leftover { key: String::new(), groups: vec![(pid, start_time)] };
        assert_eq!(end(child, same).await, (1, vec![]));
    }
}
