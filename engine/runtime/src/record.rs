//! Between the kernel's facts and the wire's records, for what both have: the words are the wire's.

use runbook_kernel as kernel;
use runbook_kernel::{FailureClass, NodeId, TaskId};
use runbook_step::FailureKind;
use runbook_wire as wire;

pub(crate) fn id(task: &wire::Task) -> TaskId {
    TaskId { frame: task.frame, node: NodeId(task.node) }
}

pub(crate) fn probe(probe: kernel::Probe) -> wire::Probe {
    match probe {
        kernel::Probe::Until => wire::Probe::Until,
        kernel::Probe::Verify => wire::Probe::Verify,
        kernel::Probe::NotDone => wire::Probe::NotDone,
        kernel::Probe::Guard(n) => wire::Probe::Guard(n),
    }
}

pub(crate) fn probe_back(probe: wire::Probe) -> kernel::Probe {
    match probe {
        wire::Probe::Until => kernel::Probe::Until,
        wire::Probe::Verify => kernel::Probe::Verify,
        wire::Probe::NotDone => kernel::Probe::NotDone,
        wire::Probe::Guard(n) => kernel::Probe::Guard(n),
    }
}

pub(crate) fn purpose(purpose: kernel::TimerPurpose) -> wire::Timer {
    match purpose {
        kernel::TimerPurpose::Retry => wire::Timer::Retry,
        kernel::TimerPurpose::Deadline => wire::Timer::Deadline,
        kernel::TimerPurpose::Timeout => wire::Timer::Timeout,
        kernel::TimerPurpose::Wait => wire::Timer::Wait,
        kernel::TimerPurpose::Poll(of) => wire::Timer::Poll(probe(of)),
        kernel::TimerPurpose::GiveUp(of) => wire::Timer::GiveUp(of.map(probe)),
    }
}

pub(crate) fn purpose_back(timer: wire::Timer) -> kernel::TimerPurpose {
    match timer {
        wire::Timer::Retry => kernel::TimerPurpose::Retry,
        wire::Timer::Deadline => kernel::TimerPurpose::Deadline,
        wire::Timer::Timeout => kernel::TimerPurpose::Timeout,
        wire::Timer::Wait => kernel::TimerPurpose::Wait,
        wire::Timer::Poll(of) => kernel::TimerPurpose::Poll(probe_back(of)),
        wire::Timer::GiveUp(of) => kernel::TimerPurpose::GiveUp(of.map(probe_back)),
    }
}

/// `name` puts the path to a task.
pub(crate) fn about(about: kernel::About, name: &dyn Fn(TaskId) -> wire::Task) -> wire::About {
    match about {
        kernel::About::Human(task) => wire::About::Human(name(task)),
        kernel::About::InDoubt(task) => wire::About::InDoubt(name(task)),
        kernel::About::Warning(task) => wire::About::Warning(name(task)),
        kernel::About::Rollback(task) => wire::About::Rollback(task.map(name)),
        kernel::About::AfterPivot => wire::About::AfterPivot,
        kernel::About::Drift(task) => wire::About::Drift(name(task)),
    }
}

pub(crate) fn about_back(about: &wire::About) -> kernel::About {
    match about {
        wire::About::Human(task) => kernel::About::Human(id(task)),
        wire::About::InDoubt(task) => kernel::About::InDoubt(id(task)),
        wire::About::Warning(task) => kernel::About::Warning(id(task)),
        wire::About::Rollback(task) => kernel::About::Rollback(task.as_ref().map(id)),
        wire::About::AfterPivot => kernel::About::AfterPivot,
        wire::About::Drift(task) => kernel::About::Drift(id(task)),
    }
}

pub(crate) fn seen(grade: wire::Grade) -> kernel::Seen {
    match grade {
        wire::Grade::Pass => kernel::Seen::Pass,
        wire::Grade::Fail => kernel::Seen::Fail,
        wire::Grade::Inconclusive => kernel::Seen::Inconclusive,
    }
}

/// How an attempt ended, as the kernel counts it. An end without a class (of a newer version) is an error like any other.
pub(crate) fn ended(result: wire::Result, failure: Option<&wire::Failure>, warning: bool) -> kernel::Ended {
    let class = failure.and_then(|failure| failure.class.parse().ok()).map_or(FailureClass::Error, class);
    match result {
        wire::Result::Done => kernel::Ended::Done { warning },
        wire::Result::Failed => kernel::Ended::Failed(class),
        wire::Result::NotDone => kernel::Ended::NotDone(class),
        wire::Result::Unknown => kernel::Ended::Unknown(class),
    }
}

fn class(kind: FailureKind) -> FailureClass {
    match kind {
        FailureKind::Timeout => FailureClass::Timeout,
        FailureKind::Exit(code) => FailureClass::Exit(code),
        FailureKind::Signal(number) => FailureClass::Signal(number),
        FailureKind::Connect => FailureClass::Connect,
        FailureKind::Lost => FailureClass::Lost,
        FailureKind::Http(status) => FailureClass::Http(status),
        FailureKind::Check => FailureClass::Check,
        FailureKind::Inconclusive => FailureClass::Inconclusive,
        FailureKind::Invalid => FailureClass::Invalid,
        FailureKind::Cancelled => FailureClass::Cancelled,
        FailureKind::Error => FailureClass::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(task: TaskId) -> wire::Task {
        wire::Task { frame: task.frame, node: task.node.0, path: "p".into() }
    }

    #[test]
    fn what_goes_to_the_wire_comes_back() {
        let probes =
            [kernel::Probe::Until, kernel::Probe::Verify, kernel::Probe::NotDone, kernel::Probe::Guard(3)];
        for of in probes {
            assert_eq!(probe_back(probe(of)), of);
            for timer in [kernel::TimerPurpose::Poll(of), kernel::TimerPurpose::GiveUp(Some(of))] {
                assert_eq!(purpose_back(purpose(timer)), timer);
            }
        }
        use kernel::TimerPurpose::{Deadline, GiveUp, Retry, Timeout, Wait};
        for timer in [Retry, Deadline, Timeout, Wait, GiveUp(None)] {
            assert_eq!(purpose_back(purpose(timer)), timer);
        }
        let task = TaskId { frame: 2, node: NodeId(7) };
        use kernel::About::{AfterPivot, Drift, Human, InDoubt, Rollback, Warning};
        for of in [
            Human(task),
            InDoubt(task),
            Warning(task),
            Rollback(None),
            Rollback(Some(task)),
            AfterPivot,
            Drift(task),
        ] {
            assert_eq!(about_back(&about(of, &name)), of);
        }
    }

    #[test]
    fn every_class_reads_back_from_its_word() {
        use FailureClass as Class;
        let kinds = [
            (FailureKind::Timeout, Class::Timeout),
            (FailureKind::Exit(75), Class::Exit(75)),
            (FailureKind::Signal(9), Class::Signal(9)),
            (FailureKind::Connect, Class::Connect),
            (FailureKind::Lost, Class::Lost),
            (FailureKind::Http(503), Class::Http(503)),
            (FailureKind::Check, Class::Check),
            (FailureKind::Inconclusive, Class::Inconclusive),
            (FailureKind::Invalid, Class::Invalid),
            (FailureKind::Cancelled, Class::Cancelled),
            (FailureKind::Error, Class::Error),
        ];
        for (kind, wanted) in kinds {
            let failure = wire::Failure { class: kind.to_string(), message: String::new(), hint: None };
            let ended = ended(wire::Result::Failed, Some(&failure), false);
            assert_eq!(ended, kernel::Ended::Failed(wanted));
        }
    }
}
