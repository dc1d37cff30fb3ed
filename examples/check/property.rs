//! The properties of every state, and of final states.

use crate::endpoint::Endpoint;
use crate::scenario::Scenario;
use crate::side::Side;
use crate::world::{NOW, World};
use rdt_proto::Duration;
use rdt_proto::connection::CloseReason;

/// A violated property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation(String);

impl Violation {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn no_memory() -> Self {
        Self::new("the memory of the scenario is too small to open a connection")
    }

    /// The violation, preceded by the trace that led to it.
    pub(crate) fn after(self, trace: &str) -> Self {
        Self(format!("{trace}\n\nviolated: {}", self.0))
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The time for which a connection without a deadline must stay idle.
const LONG: Duration = Duration::from_secs(86_400);

/// The maximum number of deadlines after the last call of an application.
///
/// One fault causes few deadlines, because a retransmission repairs it long before a limit ends the connection.
const MAX_DEADLINES: u8 = 16;
/// The same maximum in a scenario with aborts, if a side has ended for another reason than `Finished`.
///
/// The other side then retransmits its unanswered packets until the idle limit.
const MAX_DEADLINES_ABORTED: u8 = 100;

/// Checks the properties of every state.
pub(crate) fn check_state<E: Endpoint>(world: &World<E>, scenario: &Scenario) -> Result<(), Violation> {
    for side in world.sides() {
        all_reported(side)?;
        idle_before_timeout(side)?;
    }
    let server = world.server.as_ref();
    peer_has_acknowledged(&world.client, server)?;
    if let Some(server) = server {
        peer_has_acknowledged(server, Some(&world.client))?;
    }
    let aborted = scenario.aborts
        && world
            .sides()
            .any(|side| side.app.aborted || side.app.ended.is_some_and(|reason| reason != CloseReason::Finished));
    let most = if aborted { MAX_DEADLINES_ABORTED } else { MAX_DEADLINES };
    if world.wakes() > most {
        return Err(Violation::new(format!("{most} deadlines have passed, but the connections have not ended")));
    }
    Ok(())
}

/// Checks the properties of a final state.
///
/// No deadline is set in a final state, and only a delayed datagram can still arrive.
pub(crate) fn check_end<E: Endpoint>(world: &World<E>, scenario: &Scenario) -> Result<(), Violation> {
    // In a scenario with aborts the limits are short. So the quiet limit or the idle limit may end a connection before
    // its application closes.
    let aborted = scenario.aborts
        && world
            .sides()
            .any(|side| side.app.aborted || matches!(side.app.ended, Some(CloseReason::Quiet | CloseReason::TimedOut)));
    for side in world.sides() {
        let role = side.role;
        let Some(reason) = side.app.ended else {
            return Err(Violation::new(format!("no event is left, but the {role} has not ended")));
        };
        if !side.machine.is_drained() {
            return Err(Violation::new(format!("no event is left, but the {role} is not drained")));
        }
        if !aborted && reason != CloseReason::Finished {
            return Err(Violation::new(format!("without an abort the {role} must finish, but it ended by: {reason}")));
        }
    }
    let Some(server) = &world.server else {
        return if aborted { Ok(()) } else { Err(Violation::new("no CONNECT has opened a server")) };
    };
    for (from, to) in [(&world.client, server), (server, &world.client)] {
        if !aborted && to.app.read != from.app.written {
            let (written, read) = (from.app.written, to.app.read);
            return Err(Violation::new(format!(
                "the {} wrote {written} bytes, but the {} read {read}",
                from.role, to.role
            )));
        }
    }
    Ok(())
}

/// Checks that events have reported everything that the application can observe.
fn all_reported<E: Endpoint>(side: &Side<E>) -> Result<(), Violation> {
    let (machine, app, role) = (&side.machine, &side.app, side.role);
    let unreported = if machine.is_established() && !app.connected {
        "is established"
    } else if machine.ended() != app.ended {
        "has ended"
    } else if machine.is_readable() && !app.readable {
        "has something to read"
    } else if machine.is_finished_reading() && app.ended.is_none() && !app.peer_closed {
        "has read all that the peer sent"
    } else if app.blocked && machine.clone().write(0) {
        "has room to write"
    } else if machine.is_drained() && app.ended.is_none() {
        "is drained"
    } else {
        return Ok(());
    };
    Err(Violation::new(format!("the {role} {unreported}, and no event has reported it")))
}

/// Checks that the connection sends nothing and reports no event before `poll_timeout`.
///
/// If `poll_timeout` is `None`, the connection must stay idle for `LONG`.
fn idle_before_timeout<E: Endpoint>(side: &Side<E>) -> Result<(), Violation> {
    let role = side.role;
    let timeout = side.machine.poll_timeout();
    if timeout == Some(NOW) {
        // The other side has just acted. The deadline of this side is due at the same time, and is handled next.
        return Ok(());
    }
    let before = timeout.map_or(NOW + LONG, |at| at - Duration::from_micros(1));
    if before < NOW {
        return Err(Violation::new(format!("poll_timeout of the {role} lies in the past")));
    }
    let mut machine = side.machine.clone();
    machine.handle_timeout(before);
    if machine.poll_transmit(before).is_some() {
        return Err(Violation::new(format!("the {role} sends before poll_timeout: {timeout:?}, now is {NOW:?}")));
    }
    if let Some(event) = machine.poll_event() {
        return Err(Violation::new(format!("the {role} reports {event:?} before poll_timeout")));
    }
    // The deadline may move to a later time, since a wake-up without effect is allowed.
    let after = machine.poll_timeout();
    if after.is_some_and(|after| timeout.is_none_or(|at| after < at)) {
        return Err(Violation::new(format!(
            "without input, poll_timeout of the {role} moved to an earlier time: from {timeout:?} to {after:?}"
        )));
    }
    Ok(())
}

/// Checks that the peer has read or can read all acknowledged bytes, and no more bytes than were written.
fn peer_has_acknowledged<E: Endpoint>(from: &Side<E>, to: Option<&Side<E>>) -> Result<(), Violation> {
    let written = usize::from(from.app.written);
    let unread = |to: &Side<E>| if to.machine.is_readable() { to.machine.clone().read().len() } else { 0 };
    let has = to.map_or(0, |to| usize::from(to.app.read) + unread(to));
    let acknowledged = if from.machine.is_all_acknowledged() { written } else { 0 };
    if has < acknowledged || has > written {
        let role = from.role;
        return Err(Violation::new(format!(
            "the {role} wrote {written} bytes, {acknowledged} are acknowledged, and its peer has {has}"
        )));
    }
    Ok(())
}
