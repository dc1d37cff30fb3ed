//! One side: a connection, and the application that uses it.

use crate::endpoint::Endpoint;
use crate::property::Violation;
use crate::trace::Trace;
use crate::world::Role;
use rdt_proto::Instant;
use rdt_proto::connection::{CloseReason, Event};

/// The state of the application: its calls so far, and the events that it has received.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct App {
    /// The number of bytes that the application may still write.
    pub(crate) left: u8,
    /// The number of bytes written. In each direction, the byte at position n has the value n.
    pub(crate) written: u8,
    /// The number of bytes read.
    pub(crate) read: u8,
    /// Whether a write found no room, and no event has reported room since.
    pub(crate) blocked: bool,
    pub(crate) closed: bool,
    pub(crate) aborted: bool,
    pub(crate) connected: bool,
    /// Whether an event has reported data that is not read yet.
    pub(crate) readable: bool,
    pub(crate) peer_closed: bool,
    pub(crate) ended: Option<CloseReason>,
    /// The number of deadlines that have passed while a required call was outstanding. A write, a read, and a deadline
    /// without an outstanding call reset it.
    waits: u8,
}

/// One side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Side<E> {
    pub(crate) role: Role,
    pub(crate) machine: E,
    pub(crate) app: App,
}

/// A call of an application to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Write,
    Read,
    Close,
    Abort,
}

impl<E: Endpoint> Side<E> {
    pub(crate) fn new(role: Role, machine: E, writes: u8) -> Self {
        let app = App {
            left: writes,
            written: 0,
            read: 0,
            blocked: false,
            closed: false,
            aborted: false,
            connected: false,
            readable: false,
            peer_closed: false,
            ended: None,
            waits: 0,
        };
        Self { role, machine, app }
    }

    /// The required calls, which the application must make eventually.
    pub(crate) fn duties(&self) -> impl Iterator<Item = Call> {
        let App { left, blocked, closed, readable, ended, .. } = self.app;
        let open = !closed && ended.is_none();
        let write = (open && left > 0 && !blocked).then_some(Call::Write);
        let read = readable.then_some(Call::Read);
        let close = open.then_some(Call::Close);
        [write, read, close].into_iter().flatten()
    }

    /// Whether another deadline may pass before the next required call.
    pub(crate) fn is_patient(&self, patience: u8) -> bool {
        self.app.waits < patience || self.duties().next().is_none()
    }

    /// Counts a deadline if a required call is outstanding. Otherwise resets the count.
    pub(crate) fn wait(&mut self) {
        let has_duties = self.duties().next().is_some();
        self.app.waits = if has_duties { self.app.waits.saturating_add(1) } else { 0 };
    }

    pub(crate) fn call(&mut self, call: Call, trace: &mut Trace) -> Result<(), Violation> {
        match call {
            Call::Write => {
                let byte = self.app.written;
                let taken = self.machine.write(byte);
                trace.says(|| format!("{} writes {byte}{}", self.role, if taken { "" } else { ": no room" }));
                self.app.waits = 0;
                self.app.blocked = !taken;
                self.app.written += u8::from(taken);
                self.app.left -= u8::from(taken);
            }
            Call::Read => {
                let bytes = self.machine.read();
                trace.says(|| format!("{} reads {bytes:?}", self.role));
                self.app.waits = 0;
                self.app.readable = false;
                for byte in bytes {
                    if byte != self.app.read {
                        return Err(Violation::new(format!("{} read {byte} instead of {}", self.role, self.app.read)));
                    }
                    self.app.read += 1;
                }
            }
            Call::Close => {
                trace.says(|| format!("{} closes", self.role));
                self.machine.close();
                (self.app.closed, self.app.left) = (true, 0);
            }
            Call::Abort => {
                trace.says(|| format!("{} aborts", self.role));
                self.machine.abort();
                (self.app.aborted, self.app.left) = (true, 0);
            }
        }
        Ok(())
    }

    /// Does what a driver does after each call: sends datagrams, handles a due timeout, and polls events.
    ///
    /// Returns the datagrams that were sent.
    pub(crate) fn drive(&mut self, now: Instant, trace: &mut Trace) -> Result<Vec<Vec<u8>>, Violation> {
        let mut sent = Vec::new();
        self.transmit(now, &mut sent)?;
        if self.is_due(now) {
            self.machine.handle_timeout(now);
            self.transmit(now, &mut sent)?;
            if self.is_due(now) {
                return Err(Violation::new(format!(
                    "poll_timeout of the {} is still due after handle_timeout and a drained poll_transmit",
                    self.role
                )));
            }
        }
        while let Some(event) = self.machine.poll_event() {
            trace.says(|| format!("{} gets {event:?}", self.role));
            self.on_event(event)?;
        }
        Ok(sent)
    }

    fn is_due(&self, now: Instant) -> bool {
        self.machine.poll_timeout().is_some_and(|at| at <= now)
    }

    fn transmit(&mut self, now: Instant, sent: &mut Vec<Vec<u8>>) -> Result<(), Violation> {
        loop {
            let is_due = self.is_due(now);
            let Some(datagram) = self.machine.poll_transmit(now) else { return Ok(()) };
            if !is_due {
                return Err(Violation::new(format!("the {} sent a datagram before poll_timeout was due", self.role)));
            }
            sent.push(datagram);
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), Violation> {
        let app = &mut self.app;
        let is_unexpected = match event {
            _ if app.ended.is_some() => true,
            Event::Connected => std::mem::replace(&mut app.connected, true),
            Event::Readable => {
                app.readable = true;
                false
            }
            Event::Writable => !std::mem::replace(&mut app.blocked, false),
            Event::PeerClosed => std::mem::replace(&mut app.peer_closed, true),
            Event::Closed(reason) => {
                (app.ended, app.blocked) = (Some(reason), false);
                false
            }
            _ => {
                return Err(Violation::new(format!(
                    "the {} received an event unknown to the explorer: {event:?}",
                    self.role
                )));
            }
        };
        if is_unexpected {
            let role = self.role;
            let text =
                format!("the {role} received {event:?} twice, after Closed, or as Writable without a blocked write");
            return Err(Violation::new(text));
        }
        Ok(())
    }
}
