//! What only Linux has, and what stands in for it elsewhere.

use std::collections::BTreeSet;
use std::io;

use rustix::process::Pid;

/// A process that was found by the key in its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) pid: Pid,
    pub(crate) group: Pid,
}

#[cfg(not(target_os = "linux"))]
pub use elsewhere::own_group;
#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::*;
#[cfg(target_os = "linux")]
pub use linux::own_group;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::os::fd::OwnedFd;

    use rustix::process::{PidfdFlags, getpid, pidfd_open};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::*;

    /// Ends when the child has exited; leaves it to be reaped. Costs no thread.
    pub(crate) async fn exited(pid: Pid) -> io::Result<()> {
        let fd: OwnedFd = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
        #[expect(
            deprecated,
            reason = "an `OwnedFd` always names the same file, and the successor is an unsafe function"
        )]
        let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
        fd.readable().await.map(drop)
    }

    /// When the process started, in clock ticks since the machine did: with the pid, its identity. `None` if there is
    /// no such process, or it has exited.
    pub(crate) fn start_time(pid: Pid) -> Option<u64> {
        stat(pid).filter(|stat| !stat.exited).map(|stat| stat.start_time)
    }

    /// When the process started, and its session, also if it has exited and was not reaped yet. The session is 0 if it
    /// was begun outside our pid namespace (a container that somebody entered).
    pub(crate) fn start_and_session(pid: Pid) -> Option<(u64, u32)> {
        stat(pid).map(|stat| (stat.start_time, stat.session))
    }

    /// The process group of this process. `None` if it was begun outside our pid namespace, where it has no number:
    /// `getpgrp` returns 0 there, which rustix takes for impossible.
    pub fn own_group() -> Option<Pid> {
        stat(getpid())?.group
    }

    /// Whether a process of the group has not exited yet.
    pub(crate) fn group_alive(group: Pid) -> bool {
        pids().any(|pid| stat(pid).is_some_and(|stat| stat.group == Some(group) && !stat.exited))
    }

    /// Of the processes in a group whose leader has gone: their session, and when the oldest one started. `None` if
    /// there are none, or they are of several sessions.
    pub(crate) fn orphans(group: Pid) -> Option<(u32, u64)> {
        let mut members = pids().filter_map(stat).filter(|stat| stat.group == Some(group) && !stat.exited);
        let first = members.next()?;
        members.try_fold((first.session, first.start_time), |(session, oldest), member| {
            (member.session == session).then_some((session, oldest.min(member.start_time)))
        })
    }

    /// Whether a process that has exited, and was not reaped yet, never became the program that it was started for: a
    /// signal ended it between `clone` and `exec`.
    pub(crate) fn never_became(pid: Pid) -> bool {
        /// `PF_FORKNOEXEC` of the kernel's `include/linux/sched.h`.
        const FORKED_AND_NOT_EXECUTED: u64 = 0x40;
        stat(pid).is_some_and(|stat| stat.exited && stat.flags & FORKED_AND_NOT_EXECUTED != 0)
    }

    /// Processes whose environment holds one of these entries (`NAME=value`). Other users' are not seen.
    pub(crate) fn with_environment(entries: &BTreeSet<String>) -> Vec<Found> {
        let holds = |environ: &[u8]| {
            environ
                .split(|byte| *byte == 0)
                .any(|entry| std::str::from_utf8(entry).is_ok_and(|entry| entries.contains(entry)))
        };
        pids()
            .filter(|pid| {
                fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()))
                    .is_ok_and(|environ| holds(&environ))
            })
            .filter_map(|pid| {
                let stat = stat(pid).filter(|stat| !stat.exited)?;
                Some(Found { pid, group: stat.group? })
            })
            .collect()
    }

    struct Stat {
        exited: bool,
        group: Option<Pid>,
        session: u32,
        flags: u64,
        start_time: u64,
    }

    /// Fields of `/proc/PID/stat`; the name before them may hold anything, so they are counted from its last `)`.
    fn stat(pid: Pid) -> Option<Stat> {
        let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        Some(Stat {
            exited: matches!(*fields.first()?, "Z" | "X" | "x"),
            group: Pid::from_raw(fields.get(2)?.parse().ok()?),
            session: fields.get(3)?.parse().ok()?,
            flags: fields.get(6)?.parse().ok()?,
            start_time: fields.get(19)?.parse().ok()?,
        })
    }

    fn pids() -> impl Iterator<Item = Pid> {
        let names = fs::read_dir("/proc").into_iter().flatten().flatten();
        names.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use rustix::process::{WaitId, WaitIdOptions, getpgrp, test_kill_process_group, waitid};

    use super::*;

    /// Ends when the child has exited; leaves it to be reaped. Costs a thread.
    pub(crate) async fn exited(pid: Pid) -> io::Result<()> {
        let wait = move || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        tokio::task::spawn_blocking(wait).await.map_err(io::Error::other)??;
        Ok(())
    }

    /// Not known here: a leftover is told by its group alone.
    pub(crate) fn start_time(_pid: Pid) -> Option<u64> {
        None
    }

    /// Not known here.
    pub(crate) fn start_and_session(_pid: Pid) -> Option<(u64, u32)> {
        None
    }

    /// The process group of this process.
    #[expect(clippy::disallowed_methods, reason = "there are no pid namespaces here")]
    pub fn own_group() -> Option<Pid> {
        Some(getpgrp())
    }

    /// Whether a process of the group is there. (A group of which only zombies are left refuses the signal.)
    pub(crate) fn group_alive(group: Pid) -> bool {
        test_kill_process_group(group).is_ok()
    }

    /// Not known here: a group whose leader has gone is found by nothing.
    pub(crate) fn orphans(_group: Pid) -> Option<(u32, u64)> {
        None
    }

    /// Not known here.
    pub(crate) fn never_became(_pid: Pid) -> bool {
        false
    }

    /// Other processes' environments cannot be read here.
    pub(crate) fn with_environment(_entries: &BTreeSet<String>) -> Vec<Found> {
        Vec::new()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_found_by_its_environment_and_known_by_its_start() {
        let entry = format!("RUNBOOK_TEST_KEY=k{}", std::process::id());
        let (name, value) = entry.split_once('=').unwrap();
        let mut child = Command::new("/bin/sleep").arg("60").env(name, value).spawn().unwrap();
        let pid = Pid::from_child(&child);
        // Until it has called exec it has our own environment.
        let found = loop {
            let found = with_environment(&BTreeSet::from([entry.clone()]));
            if !found.is_empty() {
                break found;
            }
        };
        assert_eq!(found.iter().map(|found| found.pid).collect::<Vec<_>>(), [pid]);
        assert_eq!(Some(found[0].group), own_group());
        assert!(start_time(pid).unwrap() > 0);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(start_time(pid), None);
    }
}
