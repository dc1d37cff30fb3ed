//! The idle timer: how long the peer has been silent.
//!
//! ```text
//!           a packet is sent that the peer has to answer
//!  ANSWERED --------------------------------------------> WAITING
//!           <--------------------------------------------    | a valid packet of the peer
//!           everything is answered                           v restarts the wait
//! ```

use crate::{ClockShift, Duration, Instant};

/// The time of the peer's last packet, and whether an answer is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum IdleTimer {
    /// No answer is awaited.
    Answered { heard: Instant },
    /// An answer is awaited. `since` is the time of the first unanswered packet, or of the peer's last packet if that
    /// is later.
    Waiting { heard: Instant, since: Instant },
}

impl IdleTimer {
    pub(super) const fn new(now: Instant) -> Self {
        Self::Answered { heard: now }
    }

    /// Records a valid packet of the peer.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn on_heard(&mut self, now: Instant) {
        *self = match self {
            Self::Answered { .. } => Self::Answered { heard: now },
            Self::Waiting { .. } => Self::Waiting { heard: now, since: now },
        };
    }

    /// Records that a packet was sent that the peer has to answer.
    pub(super) fn on_asked(&mut self, now: Instant) {
        match *self {
            Self::Answered { heard } => *self = Self::Waiting { heard, since: now },
            Self::Waiting { .. } => {}
        }
    }

    /// Records that the peer has answered everything.
    pub(super) fn on_answered(&mut self) {
        *self = Self::Answered { heard: self.heard() };
    }

    /// Moves all times to another clock. `longest`: the maximum age at which `heard` still has an effect.
    pub(super) fn rebase(&mut self, shift: ClockShift, longest: Duration) {
        match self {
            Self::Answered { heard } => *heard = shift.aged(*heard, longest),
            Self::Waiting { heard, since } => {
                *heard = shift.aged(*heard, longest);
                *since = shift.apply(*since);
            }
        }
    }

    /// When the last valid packet of the peer arrived, or the connection started.
    pub(super) const fn heard(&self) -> Instant {
        match *self {
            Self::Answered { heard } | Self::Waiting { heard, .. } => heard,
        }
    }

    /// The start of the wait for an answer; `None` if no answer is awaited.
    pub(super) const fn waiting_since(&self) -> Option<Instant> {
        match *self {
            Self::Answered { .. } => None,
            Self::Waiting { since, .. } => Some(since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn each_packet_of_the_peer_restarts_the_wait() {
        let mut idle = IdleTimer::new(at(0));
        idle.on_asked(at(10));
        idle.on_asked(at(20));
        assert_eq!((idle.heard(), idle.waiting_since()), (at(0), Some(at(10))));
        idle.on_heard(at(30));
        assert_eq!((idle.heard(), idle.waiting_since()), (at(30), Some(at(30))));
        idle.on_answered();
        assert_eq!((idle.heard(), idle.waiting_since()), (at(30), None));
    }

    #[test]
    fn the_timer_is_no_larger_than_two_times() {
        assert_eq!(size_of::<IdleTimer>(), 16);
    }
}
