//! The validation state of an address, and the quotas that its connection or handshake counts for.
//!
//! ```text
//!                     a valid cookie starts here
//!                             |
//!  CONNECT          INFO 0    v
//! ---------> HALF-OPEN ---> VALIDATED ---+
//!                |            ^          | evicted
//!  handshake over|            | INFO 0   v
//!                +-----> UNVALIDATED -> EVICTED
//! ```
//!
//! INFO 0 validates an address only in extended mode. It carries the tag from CONNACK, so the client has received
//! CONNACK. Base mode has no such secret.
//!
//! | state | quota of its host | quota of the backlog | handshake over | validated | evicted |
//! |---|---|---|---|---|---|
//! | half-open | unvalidated | yes | unvalidated | validated | evicted |
//! | unvalidated | unvalidated | no | – | validated | evicted |
//! | validated | validated | no | – | – | evicted |
//! | evicted | none | no | – | – | – |
//!
//! "–" means that the state does not change. Only this module changes a state.

/// The state of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddressState(State);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    HalfOpen,
    Unvalidated,
    Validated,
    Evicted,
}

/// An event that changes the state of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transition {
    /// The connection was confirmed, has ended, or was released.
    HandshakeOver,
    /// The peer has shown that it receives at its address: by a cookie, or by INFO 0 in extended mode.
    Validated,
    /// The entry is evicted or removed, and stops counting for quotas.
    Evicted,
}

/// The host's quota for which an entry counts.
///
/// Unvalidated addresses may be forged, so they have a separate quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostQuota {
    Validated,
    Unvalidated,
}

/// All quotas for which an entry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quotas {
    pub(super) host: Option<HostQuota>,
    /// Whether the entry counts for the backlog: its handshake is open and its address is not validated.
    pub(super) backlog: bool,
}

impl AddressState {
    /// The state of a new handshake, with or without a valid cookie.
    pub(super) const fn new(has_cookie: bool) -> Self {
        Self(if has_cookie { State::Validated } else { State::HalfOpen })
    }

    pub(super) const fn apply(&mut self, transition: Transition) {
        self.0 = match (self.0, transition) {
            (State::HalfOpen, Transition::HandshakeOver) => State::Unvalidated,
            (State::HalfOpen | State::Unvalidated, Transition::Validated) => State::Validated,
            (State::HalfOpen | State::Unvalidated | State::Validated, Transition::Evicted) => State::Evicted,
            (state @ (State::Unvalidated | State::Validated | State::Evicted), Transition::HandshakeOver)
            | (state @ (State::Validated | State::Evicted), Transition::Validated)
            | (state @ State::Evicted, Transition::Evicted) => state,
        };
    }

    pub(super) const fn quotas(self) -> Quotas {
        match self.0 {
            State::HalfOpen => Quotas { host: Some(HostQuota::Unvalidated), backlog: true },
            State::Unvalidated => Quotas { host: Some(HostQuota::Unvalidated), backlog: false },
            State::Validated => Quotas { host: Some(HostQuota::Validated), backlog: false },
            State::Evicted => Quotas { host: None, backlog: false },
        }
    }

    /// Whether the handshake is open and the address is not validated.
    pub(super) const fn is_half_open(self) -> bool {
        matches!(self.0, State::HalfOpen)
    }

    /// Whether the address is validated, and counts for the validated quota.
    pub(super) const fn is_validated(self) -> bool {
        matches!(self.0, State::Validated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 4] = [State::HalfOpen, State::Unvalidated, State::Validated, State::Evicted];

    fn after(state: State, transition: Transition) -> State {
        let mut address = AddressState(state);
        address.apply(transition);
        address.0
    }

    #[test]
    fn transitions_are_those_of_the_table() {
        use State::{Evicted, Unvalidated, Validated};
        let row = |transition| STATES.map(|state| after(state, transition));
        assert_eq!(row(Transition::HandshakeOver), [Unvalidated, Unvalidated, Validated, Evicted]);
        assert_eq!(row(Transition::Validated), [Validated, Validated, Validated, Evicted]);
        assert_eq!(row(Transition::Evicted), [Evicted; 4]);
    }

    #[test]
    fn quotas_are_those_of_the_table() {
        let quotas = STATES.map(|state| AddressState(state).quotas()).map(|quotas| (quotas.host, quotas.backlog));
        let (validated, unvalidated) = (Some(HostQuota::Validated), Some(HostQuota::Unvalidated));
        assert_eq!(quotas, [(unvalidated, true), (unvalidated, false), (validated, false), (None, false)]);
    }

    #[test]
    fn no_transition_adds_an_entry_to_the_backlog() {
        for state in STATES {
            for transition in [Transition::HandshakeOver, Transition::Validated, Transition::Evicted] {
                let (before, after) = (AddressState(state), AddressState(after(state, transition)));
                assert!(before.quotas().backlog || !after.quotas().backlog, "{state:?}, {transition:?}");
            }
        }
    }
}
