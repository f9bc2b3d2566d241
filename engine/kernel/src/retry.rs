//! `retry`: whether a failure is tried again, and when. Pure.

use crate::program::{Ms, Retry, RetryOnly, TaskId};
use crate::{Ended, FailureClass};

impl Retry {
    /// Whether a failure of this class, after so many attempts, is tried again.
    pub(crate) fn allows(&self, class: FailureClass, tries: u32) -> bool {
        tries < self.max_attempts
            && class != FailureClass::Cancelled
            && (self.only.is_empty() || self.only.iter().any(|only| only.matches(class)))
    }

    /// How long to wait after the `tries`th attempt: `delay · backoff^(tries-1)`, at most `max_delay` (0: no limit), and
    /// then up to the jitter's share of that on top.
    pub(crate) fn pause(&self, seed: u64, task: TaskId, attempt: u32, tries: u32) -> Ms {
        let cap = if self.max_delay == 0 { Ms::MAX } else { self.max_delay };
        let mut delay = u128::from(self.delay.min(cap));
        // Where the factor does not change it any more, no further round does.
        for _ in 1..tries {
            let next = (delay * u128::from(self.backoff_milli) / 1000).min(cap.into());
            if next == delay {
                break;
            }
            delay = next;
        }
        let delay = Ms::try_from(delay).unwrap_or(Ms::MAX);
        let span = u128::from(delay) * u128::from(self.jitter_milli) / 1000;
        let share = (u128::from(hash(seed, task, attempt)) * (span + 1)) >> 64;
        delay.saturating_add(Ms::try_from(share).unwrap_or(Ms::MAX))
    }
}

impl RetryOnly {
    pub(crate) fn matches(self, class: FailureClass) -> bool {
        match (self, class) {
            (RetryOnly::Timeout, FailureClass::Timeout)
            | (RetryOnly::Connect, FailureClass::Connect)
            | (RetryOnly::Lost, FailureClass::Lost)
            | (RetryOnly::Check, FailureClass::Check)
            | (RetryOnly::Inconclusive, FailureClass::Inconclusive)
            | (RetryOnly::Error, FailureClass::Error) => true,
            (RetryOnly::Exit(code), FailureClass::Exit(was)) => code.is_none_or(|code| code == was),
            (RetryOnly::Signal(signal), FailureClass::Signal(was)) => {
                signal.is_none_or(|signal| signal == was)
            }
            (RetryOnly::Http(status), FailureClass::Http(was)) => status.is_none_or(|status| status == was),
            (RetryOnly::HttpClass(class), FailureClass::Http(was)) => was / 100 == u16::from(class),
            _ => false,
        }
    }
}

impl Ended {
    /// The failure's class; `None` where it was done.
    pub(crate) fn class(self) -> Option<FailureClass> {
        match self {
            Ended::Done { .. } => None,
            Ended::Failed(class) | Ended::NotDone(class) | Ended::Unknown(class) => Some(class),
        }
    }
}

/// SplitMix64 over the seed and the identity of the attempt.
fn hash(seed: u64, task: TaskId, attempt: u32) -> u64 {
    let words = [u64::from(task.frame) << 32 | u64::from(task.node.0), attempt.into()];
    words.into_iter().fold(seed, |state, word| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}
