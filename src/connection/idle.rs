//! How long the peer has been silent.
//!
//! ```text
//!           a packet leaves that the peer has to answer
//!  ANSWERED --------------------------------------------> WAITING, since then
//!           <--------------------------------------------    | any packet of the peer:
//!           everything is answered                           v waiting begins anew
//! ```

use crate::Instant;

/// When the peer was last heard, and whether it owes an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum IdleTimer {
    /// The peer owes nothing.
    Answered { heard: Instant },
    /// The peer owes an answer since it was asked, or since it was last heard if that is later.
    Waiting { heard: Instant, since: Instant },
}

impl IdleTimer {
    pub(super) const fn new(now: Instant) -> Self {
        Self::Answered { heard: now }
    }

    /// A sign of life has come from the peer.
    pub(super) fn on_heard(&mut self, now: Instant) {
        *self = match self {
            Self::Answered { .. } => Self::Answered { heard: now },
            Self::Waiting { .. } => Self::Waiting { heard: now, since: now },
        };
    }

    /// A packet that the peer has to answer has left.
    pub(super) fn on_asked(&mut self, now: Instant) {
        match *self {
            Self::Answered { heard } => *self = Self::Waiting { heard, since: now },
            Self::Waiting { .. } => {}
        }
    }

    /// The peer owes nothing any more.
    pub(super) fn on_answered(&mut self) {
        *self = Self::Answered { heard: self.heard() };
    }

    /// When the peer was last heard.
    pub(super) const fn heard(&self) -> Instant {
        match *self {
            Self::Answered { heard } | Self::Waiting { heard, .. } => heard,
        }
    }

    /// Since when the peer owes an answer.
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
    fn each_sign_of_life_begins_the_waiting_anew() {
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
    fn the_state_takes_no_room_beside_the_two_times() {
        assert_eq!(size_of::<IdleTimer>(), 16);
    }
}
