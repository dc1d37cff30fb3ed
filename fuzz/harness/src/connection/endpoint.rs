//! One side of a pair: a connection with its application.

use super::choice::{Machine, Part, ROOM, Stores, replace};
use super::tags::{Tags, base_and_next};
use rdt_proto::connection::{CloseReason, Config, Connection, Event, Handled, HandshakeParameters, Mode, SendError};
use rdt_proto::wire::{Packet, Tag};
use rdt_proto::{Duration, Instant, Seq};

/// A connection with its application.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) config: Config,
    /// The storage for a server that does not exist yet.
    pub(super) storage: Option<Stores>,
    pub(super) machine: Option<Machine>,
    /// The tag that this side has announced as a server.
    tag: Option<Tag>,
    /// Selects the bytes that the application writes.
    pattern: u64,
    pub(super) written: u64,
    pub(super) read: u64,
    pub(super) bytes_in: usize,
    pub(super) bytes_out: usize,
    /// Whether the peer's address is validated: a datagram under the tag of this side was accepted.
    pub(super) validated: bool,
    pub(super) aborted: bool,
    pub(super) reported: Option<CloseReason>,
}

impl Endpoint {
    pub(super) fn new(config: Config, pattern: u64, storage: Stores) -> Self {
        Self {
            config,
            storage: Some(storage),
            machine: None,
            tag: None,
            pattern,
            written: 0,
            read: 0,
            bytes_in: 0,
            bytes_out: 0,
            validated: false,
            aborted: false,
            reported: None,
        }
    }

    pub(super) fn wake(&mut self, now: Instant) {
        if let Some(machine) = &mut self.machine {
            machine.handle_timeout(now);
        }
    }

    /// Writes the next datagram, and checks that it was due.
    pub(super) fn transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        let machine = self.machine.as_mut()?;
        let due = machine.poll_timeout().is_some_and(|due| due <= now);
        let mut datagram = vec![0; ROOM];
        let transmit = machine.poll_transmit(now, &mut datagram);
        assert!(transmit.is_ok(), "{transmit:?}");
        let transmit = transmit.ok()??;
        assert!(due, "a datagram must not leave before poll_timeout is due");
        assert!(transmit.len <= self.config.max_datagram_len());
        datagram.truncate(transmit.len);
        self.bytes_out += transmit.len;
        Some(datagram)
    }

    pub(super) fn receive(&mut self, now: Instant, datagram: &[u8]) {
        self.bytes_in += datagram.len();
        if let Some(machine) = &mut self.machine {
            let tagged = self.tag.is_some_and(|tag| datagram.starts_with(tag.as_bytes()));
            self.validated |= machine.handle_datagram(now, datagram) == Handled::Accepted && tagged;
        } else if let Ok(Packet::Connect(options)) = self.config.framing.decode(datagram)
            && (self.config.mode != Mode::Extended || options.tag().is_some())
            && let Some(storage) = self.storage.take()
        {
            let parameters = HandshakeParameters::from_options(&options).with_datagram_len(datagram.len());
            self.machine = Connection::accept(now, self.config, [4; 32], parameters, storage).ok();
            let tag_of = |machine| Tags::of_new(machine, now, self.config.framing, parameters.tag).ours();
            self.tag = self.machine.as_ref().and_then(tag_of);
        }
    }

    /// The next `len` bytes that the application writes.
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

    /// Reads, and checks the bytes against the pattern of the peer.
    pub(super) fn read(&mut self, room: usize) -> usize {
        let mut buf = [0; ROOM];
        let Some(machine) = &mut self.machine else { return 0 };
        let len = machine.recv(buf.get_mut(..room.min(ROOM)).unwrap_or_default());
        for &read in buf.get(..len).unwrap_or_default() {
            assert_eq!(
                read,
                byte(self.pattern ^ PATTERN_DIFFERENCE, self.read),
                "byte {} must be the one that was written",
                self.read
            );
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

    pub(super) fn replace(&mut self, part: Part, places: u8) {
        if let Some(machine) = &mut self.machine {
            replace(machine, part, places);
        }
    }

    pub(super) fn promise(&mut self, window: u32) {
        if let Some(machine) = &mut self.machine {
            machine.promise(window);
        }
    }

    pub(super) fn check_events(&mut self) {
        let Some(machine) = &mut self.machine else { return };
        while let Some(event) = machine.poll_event() {
            assert_eq!(self.reported, None, "no event must follow Closed: {event:?}");
            if let Event::Closed(reason) = event {
                assert_eq!(machine.ended(), Some(reason));
                self.reported = Some(reason);
            }
        }
    }

    /// Checks that the next deadline lies in the future after a timeout and a drain.
    ///
    /// It works on a copy, so that the check does not add steps to the run.
    pub(super) fn check_deadlines(&self, now: Instant) {
        let mut copy = self.clone();
        copy.wake(now);
        let mut count = 0;
        while copy.transmit(now).is_some() {
            count += 1;
            assert!(count < 1_000, "poll_transmit must return None within 1,000 datagrams");
        }
        let due = copy.machine.and_then(|machine| machine.poll_timeout());
        assert!(due.is_none_or(|due| due > now), "after a drain at {now:?} the deadline {due:?} must be later");
    }

    /// Whether this side may never learn that its peer has ended.
    ///
    /// True in extended mode, if keep-alive is off and no answer is awaited.
    pub(super) fn may_wait_forever(&self) -> bool {
        self.config.keep_alive == Duration::MAX
            && self.machine.as_ref().is_some_and(|machine| machine.is_extended() && machine.is_all_acknowledged())
    }

    /// Checks that `peer` has read or keeps all acknowledged data of this side.
    pub(super) fn check_kept_by(&self, peer: &Self) {
        assert!(peer.read <= self.written, "the peer must not read more than was written");
        let Some(machine) = &self.machine else { return };
        let (base, _) = base_and_next(machine);
        let next = peer.machine.as_ref().map_or(Seq::ZERO, |peer| base_and_next(peer).1);
        assert!(
            !next.precedes(base),
            "the peer must have received all that it acknowledged: up to {base:?}, but received up to {next:?}"
        );
        if machine.is_all_acknowledged() && peer.read != self.written {
            let mut copy = peer.clone();
            while copy.read(ROOM) > 0 {}
            assert_eq!(copy.read, self.written, "the peer must keep acknowledged data");
        }
    }
}

/// The difference between the patterns of the two sides.
const PATTERN_DIFFERENCE: u64 = 0x5151 ^ 0xEAEA;

fn byte(pattern: u64, index: u64) -> u8 {
    let [byte, ..] = (index ^ pattern).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    byte
}
