//! One of two connections, with its application.

use super::choice::{Machine, ROOM, Stores};
use crate::arq::Arq;
use crate::connection::{Config, Connection, Event, Handled, Hello, Reason, SendError};
use crate::wire::Packet;
use crate::{Duration, Instant, Seq};
use std::vec::Vec;

/// One end with its application.
#[derive(Clone)]
pub(super) struct Party {
    pub(super) config: Config,
    /// What a server that was not called yet will be made of.
    pub(super) storage: Option<Stores>,
    pub(super) machine: Option<Machine>,
    /// What it writes follows from this.
    pattern: u64,
    pub(super) written: u64,
    pub(super) read: u64,
    pub(super) bytes_in: usize,
    pub(super) bytes_out: usize,
    /// Something under its tag has come: its peer is where it says it is.
    pub(super) proven: bool,
    pub(super) aborted: bool,
    pub(super) told: Option<Reason>,
}

impl Party {
    pub(super) fn new(config: Config, pattern: u64, storage: Stores) -> Self {
        Self {
            config,
            storage: Some(storage),
            machine: None,
            pattern,
            written: 0,
            read: 0,
            bytes_in: 0,
            bytes_out: 0,
            proven: false,
            aborted: false,
            told: None,
        }
    }

    pub(super) fn wake(&mut self, now: Instant) {
        if let Some(machine) = &mut self.machine {
            machine.handle_timeout(now);
        }
    }

    /// What was sent was due.
    pub(super) fn transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        let machine = self.machine.as_mut()?;
        let due = machine.poll_timeout().is_some_and(|due| due <= now);
        let mut datagram = std::vec![0; ROOM];
        let transmit = machine.poll_transmit(now, &mut datagram);
        assert!(transmit.is_ok(), "{transmit:?}");
        let transmit = transmit.ok()??;
        assert!(due, "poll_timeout kept silent about what was to be sent");
        assert!(transmit.len <= self.config.max_datagram_len());
        datagram.truncate(transmit.len);
        self.bytes_out += transmit.len;
        Some(datagram)
    }

    pub(super) fn receive(&mut self, now: Instant, datagram: &[u8]) {
        self.bytes_in += datagram.len();
        if let Some(machine) = &mut self.machine {
            let tagged = machine.dialect.tag().is_some_and(|tag| datagram.starts_with(tag.as_bytes()));
            self.proven |= machine.handle_datagram(now, datagram) == Handled::Accepted && tagged;
        } else if let Ok(Packet::Connect(options)) = self.config.framing.decode(datagram)
            && self.config.accepts(&Hello::from_options(&options))
            && let Some(storage) = self.storage.take()
        {
            let hello = Hello::from_options(&options);
            self.machine = Some(Connection::accept(now, self.config, [4; 32], hello, storage));
        }
    }

    /// The next `len` bytes that it writes.
    fn piece(&self, len: usize) -> Vec<u8> {
        (self.written..).map(|index| byte(self.pattern, index)).take(len).collect()
    }

    fn on_written(&mut self, count: usize) {
        self.written += u64::try_from(count).unwrap_or(0);
    }

    pub(super) fn send(&mut self, len: usize) {
        let piece = self.piece(len);
        let count = self.machine.as_mut().and_then(|machine| machine.send(&piece).ok());
        self.on_written(count.unwrap_or(0));
    }

    pub(super) fn send_segment(&mut self, len: usize) {
        let piece = self.piece(len);
        match self.machine.as_mut().map(|machine| machine.send_segment(&piece)) {
            Some(Ok(())) => self.on_written(len),
            Some(Err(SendError::TooLarge { limit, .. })) => assert!(limit < len),
            Some(Err(_)) | None => {}
        }
    }

    pub(super) fn fill(&mut self, len: usize) {
        let piece = self.piece(len);
        let Some(machine) = &mut self.machine else { return };
        let Ok(slot) = machine.send_slot() else { return };
        let count = slot.len().min(len);
        slot.iter_mut().zip(piece).for_each(|(place, byte)| *place = byte);
        if machine.commit(count).is_ok() {
            self.on_written(count);
        }
    }

    /// Reads; the peer's pattern is what is expected.
    pub(super) fn read(&mut self, room: usize) -> usize {
        let mut buf = [0; ROOM];
        let Some(machine) = &mut self.machine else { return 0 };
        let len = machine.recv(buf.get_mut(..room.min(ROOM)).unwrap_or_default());
        for &read in buf.get(..len).unwrap_or_default() {
            assert_eq!(read, byte(self.pattern ^ PEER, self.read), "byte {} is wrong", self.read);
            self.read += 1;
        }
        len
    }

    pub(super) fn close(&mut self) {
        if let Some(machine) = &mut self.machine {
            machine.close();
        }
    }

    pub(super) fn abort(&mut self, code: u8) {
        if let Some(machine) = self.machine.as_mut().filter(|machine| machine.ended().is_none()) {
            machine.abort(code);
            self.aborted = true;
        }
    }

    pub(super) fn check_events(&mut self) {
        let Some(machine) = &mut self.machine else { return };
        while let Some(event) = machine.poll_event() {
            assert_eq!(self.told, None, "{event:?} after the last event");
            if let Event::Closed(reason) = event {
                assert_eq!(machine.ended(), Some(reason));
                self.told = Some(reason);
            }
        }
    }

    /// After a timeout and a drain the next deadline lies in the future: on a copy, so that the steps stay as described.
    pub(super) fn check_deadlines(&self, now: Instant) {
        let mut copy = self.clone();
        copy.wake(now);
        let mut count = 0;
        while copy.transmit(now).is_some() {
            count += 1;
            assert!(count < 1_000, "sends without end");
        }
        let due = copy.machine.and_then(|machine| machine.poll_timeout());
        assert!(due.is_none_or(|due| due > now), "due at {due:?} after everything was done at {now:?}");
    }

    /// In extended mode, and without keep-alive, whoever has nothing outstanding never learns that its peer gave up.
    pub(super) fn may_wait_for_ever(&self) -> bool {
        self.config.keep_alive == Duration::MAX
            && self.machine.as_ref().is_some_and(|machine| machine.is_extended() && machine.is_all_acknowledged())
    }

    /// What `peer` has acknowledged it has read, or keeps.
    pub(super) fn check_kept_by(&self, peer: &Self) {
        assert!(peer.read <= self.written, "read what was not written");
        let Some(machine) = &self.machine else { return };
        let base = machine.storage.arq.base();
        let next = peer.machine.as_ref().map_or(Seq::ZERO, |peer| peer.storage.arq.next());
        assert!(!next.precedes(base), "acknowledged up to {base:?}, the peer has what is before {next:?}");
        if machine.is_all_acknowledged() && peer.read != self.written {
            let mut copy = peer.clone();
            while copy.read(ROOM) > 0 {}
            assert_eq!(copy.read, self.written, "acknowledged and not kept");
        }
    }
}

/// What tells the patterns of the two sides apart.
const PEER: u64 = 0x5151 ^ 0xEAEA;

fn byte(pattern: u64, index: u64) -> u8 {
    let [byte, ..] = (index ^ pattern).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    byte
}
