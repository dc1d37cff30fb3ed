//! The interface of both mechanisms: inputs, outputs and timers.

use crate::timing::{Rtt, Timer};
use crate::wire::{AckRequest, MAX_BITMAP, Sack};
use crate::{ClockShift, Duration, Instant, Seq};

/// The longest delay of an acknowledgement in extended mode, whatever an INFO asks for.
///
/// The delay lets one SACK cover several arrivals. In base mode each INFO is acknowledged at once.
pub const MAX_ACK_DELAY: Duration = Duration::from_millis(40);

/// The receiver's decision about an INFO, made from its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// The number is the [next](Arq::next) one. Keep the INFO, and deliver it with all that follow without a gap. It
    /// will be acknowledged.
    Next,
    /// The number lies ahead of the next one. Keep the INFO until the gap is filled. It will be acknowledged.
    Early,
    /// The INFO is a duplicate. Drop it. It will be acknowledged again, since the first acknowledgement may be lost.
    Old,
    /// The number lies in the window, but the store has no room. Drop the INFO. It is not acknowledged, so the peer
    /// repeats it.
    NoRoom,
    /// The number lies beyond the window, or before the first number of the connection. Drop the INFO. It is not
    /// acknowledged.
    BeyondWindow,
}

/// An INFO that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReceivedInfo {
    /// The number of the INFO.
    pub number: Seq,
    /// The low 32 bits of the [counter](crate::wire#the-counter) of its datagram; 0 in base mode.
    pub counter: u32,
    /// When the sender wants an acknowledgement; [`AckRequest::DEFAULT`] in base mode.
    pub request: AckRequest,
}

/// The room in the receive store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// The first number without a slot in the store.
    pub limit: Seq,
    /// Whether the arriving body fits into its slot.
    pub fits: bool,
}

/// An acknowledgement in the format of the connection's mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ack<'b> {
    /// Base mode: an ACK of one number.
    Single(Seq),
    /// Extended mode: a SACK of many numbers, with the receive window.
    Selective(Sack<'b>),
}

/// Memory for the bitmap of a SACK. Pass `None`: [`Arq::ack`] fills it in if the SACK has a bitmap.
pub type Bitmap = Option<[u8; MAX_BITMAP]>;

/// The effect of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acknowledged {
    /// At least one number is acknowledged for the first time. [`Arq::base`] may have moved.
    New,
    /// No number is acknowledged for the first time.
    Old,
    /// The acknowledgement names a number that was never sent, and is ignored. In extended mode the peer has lied.
    NeverSent,
}

/// The transmission of one INFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sending {
    /// The time of the transmission.
    pub now: Instant,
    /// The number of the INFO.
    pub number: Seq,
    /// The low 32 bits of the [counter](crate::wire#the-counter) of its datagram.
    pub counter: u32,
    /// The size of its datagram in bytes.
    pub bytes: u16,
    /// The first number without a body.
    pub end: Seq,
}

/// Estimates of the path, and counters since the start of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArqSnapshot {
    /// Bytes sent, and neither acknowledged nor declared lost.
    pub in_flight: u64,
    /// The congestion window in bytes; `None` for stop-and-wait, which sends one datagram at a time.
    pub window: Option<u64>,
    /// The pacing rate in bytes per second; `None` without pacing.
    pub pacing_rate: Option<u64>,
    /// Bytes acknowledged, each counted once.
    pub delivered: u64,
    /// INFO packets declared lost.
    pub lost: u64,
    /// Retransmissions of all kinds: repairs, probes and proactive ones.
    pub retransmitted: u64,
    /// INFO packets that were declared lost, but were only late.
    pub spurious: u64,
    /// The [phase of the congestion controller](crate::congestion::Congestion::phase).
    pub phase: &'static str,
}

pub(super) mod sealed {
    /// Restricts [`Arq`](super::Arq) to the mechanisms of this crate.
    pub trait Sealed {}
}

/// Both halves of one side of a connection. They handle numbers and times only.
///
/// The trait is sealed, because a connection relies on rules that the signatures do not express.
///
/// The round-trip estimate is a parameter, because the handshake and the close of the connection use the same estimate.
pub trait Arq: sealed::Sealed {
    /// The timers that the mechanism may run.
    const TIMERS: &'static [Timer] = &Timer::OF_ARQ;

    /// The lowest number that the peer has not acknowledged.
    fn base(&self) -> Seq;

    /// The lowest number that was never sent.
    fn sent_end(&self) -> Seq;

    /// The number of the INFO to send now.
    ///
    /// Every number before `end` has a body. `None` while a window, pacing or a timer holds the next INFO back.
    fn next_info(&self, now: Instant, end: Seq) -> Option<Seq> {
        self.next_ready_info(now, end, |_| true)
    }

    /// As [`next_info`](Self::next_info), but repeats a body only if it [is
    /// ready](crate::store::SendStore::is_ready).
    ///
    /// If the body of the INFO to repeat first is not ready, new data may be sent before it.
    fn next_ready_info(&self, now: Instant, end: Seq, is_ready: impl Fn(Seq) -> bool) -> Option<Seq>;

    /// The number of the lost INFO to repeat first, even if the window or pacing does not allow it yet.
    fn next_lost(&self) -> Option<Seq>;

    /// For traces: the number that was declared lost last, or with `later`, the one before that number.
    ///
    /// `later` is a result of this call, with no other call since. Stop-and-wait remembers one number.
    fn lost_before(&self, later: Option<Seq>) -> Option<Seq>;

    /// The lowest number that was never sent.
    fn first_unsent(&self) -> Seq;

    /// When the peer is to acknowledge the INFO that is about to leave, the last of `count` that leave together.
    ///
    /// At once if nothing that follows would end the delay: the INFO is a tail loss probe, it leaves one INFO in flight
    /// and nothing more may be sent, or it ends the data.
    fn request(&self, sending: &Sending, count: u32) -> AckRequest;

    /// Records that an INFO named by [`next_info`](Self::next_info) has left.
    ///
    /// Returns whether it was a retransmission.
    fn on_info_sent(&mut self, sending: Sending, rtt: &mut Rtt) -> bool;

    /// Counts the new INFO packets that may leave `now` in a row.
    ///
    /// The count starts at the number that [`next_info`](Self::next_info) returns. It is at most `most` and excludes
    /// the last number before `end`. Each datagram has `bytes` bytes. One call replaces a call of `next_info` for each
    /// INFO. 0 means only that this shortcut does not apply: `next_info` may still return a number.
    fn next_run(&self, now: Instant, end: Seq, bytes: u16, most: u32) -> u32 {
        let _ = (now, end, bytes, most);
        0
    }

    /// Records that the first `count` INFO counted by [`next_run`](Self::next_run) have left.
    ///
    /// `sending` describes the first. The effect is that of [`on_info_sent`](Self::on_info_sent) for each.
    fn on_run_sent(&mut self, sending: Sending, count: u32, rtt: &mut Rtt) {
        for ahead in 0..count {
            let (number, counter) = (sending.number.add(ahead), sending.counter.wrapping_add(ahead));
            self.on_info_sent(Sending { number, counter, ..sending }, rtt);
        }
    }

    /// Processes an acknowledgement, and the receive window that a SACK carries.
    ///
    /// An acknowledgement of a number that was never sent is ignored as a whole.
    fn handle_ack(&mut self, now: Instant, ack: &Ack<'_>, rtt: &mut Rtt) -> Acknowledged;

    /// Switches to extended mode, as agreed in the handshake.
    ///
    /// The peer accepts numbers before `peer_limit`, which never decreases. Without this call the mode is base mode.
    fn start_extended(&mut self, peer_limit: Seq, rtt: &mut Rtt);

    /// Whether only a peer window of 0 prevents sending.
    ///
    /// No INFO is outstanding then, so no acknowledgement will open the window.
    fn is_stopped(&self, end: Seq) -> bool;

    /// Processes expired timers. Returns whether a retransmission or probe timer expired.
    fn handle_timeout(&mut self, now: Instant, rtt: &Rtt) -> bool;

    /// When `timer` expires; `None` while it does not run.
    ///
    /// Every number before `end` has a body. A body may be repeated only where `is_ready` returns true.
    fn deadline(&self, timer: Timer, end: Seq, is_ready: impl Fn(Seq) -> bool) -> Option<Instant>;

    /// The earliest deadline: when to call [`handle_timeout`](Self::handle_timeout) or when pacing permits a packet.
    ///
    /// The result may not include output that is already due. [`next_info`](Self::next_info) and
    /// [`ack_at`](Self::ack_at) report such output.
    fn poll_timeout(&self, end: Seq) -> Option<Instant> {
        Self::TIMERS.iter().filter_map(|&timer| self.deadline(timer, end, |_| true)).min()
    }

    /// Whether an INFO was sent or received.
    fn is_used(&self) -> bool;

    /// The lowest number that has not been received from the peer.
    fn next(&self) -> Seq;

    /// One after the highest number that has been received from the peer.
    fn reach(&self) -> Seq {
        self.next()
    }

    /// The largest receive window that is announced, in numbers, from `next` on.
    fn places(&self) -> u32;

    /// Announces a receive window of up to `window` numbers, even if the memory has fewer [places](Self::places).
    ///
    /// A number without a place is not acknowledged. The window that is announced never decreases. By default the call
    /// has no effect, because the memory cannot be replaced.
    fn promise(&mut self, window: u32) {
        let _ = window;
    }

    /// Processes the arrival of an INFO.
    ///
    /// The caller must keep the body on [`Arrival::Next`] and [`Arrival::Early`]. An INFO is acknowledged on these and
    /// on [`Arrival::Old`].
    fn handle_info(&mut self, now: Instant, info: ReceivedInfo, offer: Offer) -> Arrival;

    /// Makes an acknowledgement due at once, as a PROBE requests. Base mode has no PROBE, and the call has no effect.
    fn request_ack(&mut self);

    /// Makes an acknowledgement due at once, as a repeated FIN needs: the last one may be lost.
    ///
    /// Unless an INFO has arrived since, that of selective repeat gives no RTT sample.
    fn repeat_ack(&mut self) {
        self.request_ack();
    }

    /// When the next acknowledgement is due; an instant in the past if it is due at once.
    ///
    /// The store accepts numbers before `limit`.
    fn ack_at(&self, limit: Seq) -> Option<Instant>;

    /// The acknowledgement to send `now`. `bitmap` holds the bits of a SACK.
    ///
    /// The call does not change the state; [`on_ack_sent`](Self::on_ack_sent) does. A SACK may be sent at any time. In
    /// base mode the result is `None` while no acknowledgement is pending.
    fn ack<'b>(&self, now: Instant, limit: Seq, bitmap: &'b mut Bitmap) -> Option<Ack<'b>>;

    /// Records that the acknowledgement returned by [`ack`](Self::ack) has left.
    fn on_ack_sent(&mut self, limit: Seq);

    /// How lossy the path is in extended mode: 0 if few datagrams or none are known to be lost, at most 3.
    ///
    /// It rises by one where more than one byte is lost for each 32, 8 and 2 that arrive. The lossier direction counts.
    /// Stop-and-wait measures nothing.
    fn losses(&self) -> u8 {
        0
    }

    /// The bytes of acknowledged datagrams.
    fn delivered(&self) -> u64;

    /// Estimates and counters, for statistics and traces.
    fn snapshot(&self) -> ArqSnapshot;

    /// Makes a probe due at once, if something is outstanding: the peer has another address.
    fn probe(&mut self) {}

    /// Sends again what left before the datagram with the counter `received`, or all: the peer has left the path.
    fn abandon_flight(&mut self, received: Option<u32>) {
        let _ = received;
    }

    /// Forgets what the congestion controller knows of the path: the peer has moved to another address.
    fn start_path(&mut self, now: Instant) {
        let _ = now;
    }

    /// Translates every stored time to another clock.
    fn rebase(&mut self, shift: ClockShift);
}
