//! Ending what earlier executors left running, see `docs/design/processes.md`.
//!
//! An attempt whose end nobody recorded may still have processes. They are found by the group that was recorded, if its
//! leader is still the same process (by its start time; where that cannot be read, nothing is ended on its number
//! alone); or, where the leader has gone, if what is in the group belongs to the same session and is no older: while a
//! group has a member the system gives its number to nobody else. And, where the machine lets us look, by the
//! idempotency key in their environment: that also finds a group whose record was lost between its start and the disk.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::time::{Instant, sleep};

use crate::platform;
use crate::process::environment::IDEMPOTENCY_KEY;

/// What an attempt may have left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Leftover {
    /// The machine that it was begun on.
    pub(crate) host: String,
    pub(crate) key: String,
    pub(crate) groups: Vec<Group>,
}

/// A process group that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    /// Its leader's pid, and its own number.
    pub(crate) leader: u32,
    /// Of its leader; 0 where that cannot be read.
    pub(crate) start_time: u64,
    /// Of its leader; 0 where that cannot be read, or the session was begun outside our pid namespace.
    pub(crate) session: u32,
}

impl Group {
    /// The group of this process, which has just been started.
    pub(crate) fn led_by(leader: Pid) -> Group {
        let (start_time, session) = platform::start_and_session(leader).unwrap_or((0, 0));
        Group { leader: leader.as_raw_nonzero().get().unsigned_abs(), start_time, session }
    }

    /// Its number, if it is still there and still the same.
    fn found(self) -> Option<i32> {
        let number = i32::try_from(self.leader).ok()?;
        let leader = Pid::from_raw(number)?;
        let same = match platform::start_time(leader) {
            // A number alone is no proof: it may be somebody else's by now.
            Some(start_time) => start_time == self.start_time,
            None if self.start_time == 0 => false,
            None => platform::orphans(leader)
                .is_some_and(|(session, oldest)| session == self.session && oldest >= self.start_time),
        };
        same.then_some(number)
    }
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
    let ours = platform::own_group();
    let recorded = leftovers.iter().flat_map(|leftover| &leftover.groups).filter_map(|group| group.found());
    let entries: BTreeSet<String> = leftovers
        .iter()
        .filter(|leftover| !leftover.key.is_empty())
        .map(|leftover| format!("{IDEMPOTENCY_KEY}={}", leftover.key))
        .collect();
    let by_key = if entries.is_empty() { Vec::new() } else { platform::with_environment(&entries) };
    let by_key = by_key.into_iter().map(|found| found.group.as_raw_nonzero().get());
    // Never ourselves: a command that a step started has that step's key.
    recorded.chain(by_key).filter(|group| Pid::from_raw(*group) != ours).collect()
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
            .env(IDEMPOTENCY_KEY, key)
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
        assert_eq!(end(child, Leftover { key, ..Leftover::default() }).await, (1, vec![]));
    }

    #[tokio::test]
    async fn a_group_whose_leader_is_gone_is_found_too() {
        let key = key("orphan");
        let mut child = start("trap '' TERM; (trap '' TERM; echo ready; exec sleep 60) & exit 0", &key);
        let group = Pid::from_child(&child);
        child.wait().unwrap();
        let leftover = Leftover { key, ..Leftover::default() };
        assert!(platform::group_alive(group));
        assert_eq!(end_all(&[leftover], Duration::from_millis(100)).await, (1, vec![]));
        assert!(!platform::group_alive(group));
    }

    /// As `sudo` and `env -i` leave it: no key in its environment.
    #[tokio::test]
    async fn a_recorded_group_whose_leader_is_gone_is_known_by_its_session() {
        let mut child = start("(echo ready; exec env -i /bin/sleep 60) & exit 0", "");
        let pid = Pid::from_child(&child);
        // However quickly it has ended: it is not reaped before.
        let group = Group::led_by(pid);
        child.wait().unwrap();
        let left = |group| [Leftover { groups: vec![group], ..Leftover::default() }];
        for other in [
            Group { session: group.session + 1, ..group },
            // Who was there before it is not of it.
            Group { start_time: u64::MAX, ..group },
        ] {
            assert_eq!(end_all(&left(other), Duration::ZERO).await, (0, vec![]));
        }
        assert!(platform::group_alive(pid));
        assert_eq!(end_all(&left(group), Duration::from_millis(200)).await, (1, vec![]));
        assert!(!platform::group_alive(pid));
    }

    #[tokio::test]
    async fn a_recorded_group_is_ended_if_it_is_the_same_one() {
        let child = start("echo ready; sleep 60", "");
        let group = Group::led_by(Pid::from_child(&child));
        let other = Group { start_time: group.start_time + 1, ..group };
        let other = Leftover { groups: vec![other], ..Leftover::default() };
        assert_eq!(
            end_all(&[other], Duration::ZERO).await,
            (0, vec![]),
            "another process of the same number"
        );
        let same = Leftover { groups: vec![group], ..Leftover::default() };
        assert_eq!(end(child, same).await, (1, vec![]));
    }
}
