//! The maximum rate at which a download takes its content.
//!
//! The receive window is what tells the server: it opens as content is taken.

use crate::settings::AnyStorage;
use rdt_proto::congestion::Pacer;
use rdt_proto::connection::Connection;
use rdt_proto::{Duration, Instant};

/// The longest burst, as a duration at the rate.
const GRANULARITY: Duration = Duration::from_millis(10);
/// The least number of bytes that are taken together.
const LEAST_PIECE: u64 = 1_400;
/// The number of pieces in a second. Small pieces keep the flow even, and each has a cost.
const PIECES_PER_SECOND: u64 = 2_000;

/// How content is taken from a connection, whatever session it is of.
pub(crate) struct Intake {
    /// `None`: all of it.
    limit: Option<Limit>,
}

impl Intake {
    /// `rate` is in bytes per second. `None`: without a limit.
    pub(crate) fn new(rate: Option<u64>) -> Self {
        Self { limit: rate.map(Limit::new) }
    }

    pub(crate) const fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// Gives `take` as many unread bytes as may be taken now. It returns how many it has taken.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        connection: &mut Connection<AnyStorage>,
        take: impl FnOnce(&[u8]) -> usize,
    ) -> usize {
        if connection.ended().is_some() {
            // What has arrived does not cross the network any more.
            self.limit = None;
        }
        let unread = connection.recv_chunk();
        let offered = self.limit.as_mut().map_or(unread.len(), |limit| limit.offer(now, unread.len()));
        let taken = take(unread.get(..offered).unwrap_or(unread));
        connection.consume(taken);
        if let Some(limit) = &mut self.limit {
            limit.on_taken(taken);
        }
        taken
    }

    /// When more may be taken.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.limit.as_ref().and_then(Limit::poll_timeout)
    }
}

/// How much of the content may be taken.
struct Limit {
    /// The library's token bucket.
    pacer: Pacer,
    /// The number of bytes taken together.
    piece: u32,
    /// The bytes that may be taken, and were not yet.
    offered: usize,
    /// When more may be taken; `None` if nothing waits for that.
    due: Option<Instant>,
}

impl Limit {
    /// Creates a limit of `rate` bytes per second.
    fn new(rate: u64) -> Self {
        let piece = u32::try_from((rate / PIECES_PER_SECOND).max(LEAST_PIECE)).unwrap_or(u32::MAX);
        let mut pacer = Pacer::new(GRANULARITY, piece);
        pacer.update_rate(Instant::ZERO, Some(rate));
        Self { pacer, piece, offered: 0, due: None }
    }

    /// How many of `unread` bytes may be taken now. What was permitted once stays permitted.
    fn offer(&mut self, now: Instant, unread: usize) -> usize {
        while self.offered < unread && self.pacer.allows(now, 1) {
            let piece = (unread - self.offered).min(self.piece as usize);
            self.pacer.on_sent(now, u32::try_from(piece).unwrap_or(self.piece));
            self.offered += piece;
        }
        let waits = self.offered < unread;
        self.pacer.set_waiting(waits);
        self.due = waits.then(|| self.pacer.ready_at(1));
        self.offered.min(unread)
    }

    /// Records that bytes were taken.
    fn on_taken(&mut self, len: usize) {
        self.offered = self.offered.saturating_sub(len);
    }

    /// When more may be taken.
    const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes taken in 10 s from a stream that always has more.
    fn taken(rate: u64, mut now: Instant) -> u64 {
        let (mut limit, mut sum, end) = (Limit::new(rate), 0, now + Duration::from_secs(10));
        while now < end {
            let offered = limit.offer(now, 1 << 20);
            limit.on_taken(offered);
            sum += offered as u64;
            now = limit.poll_timeout().unwrap();
        }
        sum
    }

    #[test]
    fn content_is_taken_at_the_rate() {
        for rate in [2_000, 125_000, 2_500_000, 125_000_000] {
            let percent = taken(rate, Instant::from_millis(5)) * 100 / (rate * 10);
            assert!((98..=121).contains(&percent), "{rate}: {percent} %");
            assert!(rate < 100_000 || percent <= 101, "{rate}: {percent} %");
        }
    }

    #[test]
    fn what_was_permitted_stays_permitted() {
        let mut limit = Limit::new(125_000);
        let offered = limit.offer(Instant::ZERO, 100_000);
        assert!(offered > 0 && offered < 100_000 && limit.poll_timeout().is_some());
        assert_eq!(limit.offer(Instant::ZERO, 100_000), offered, "storage has taken nothing yet");
        limit.on_taken(offered);
        assert_eq!(limit.offer(Instant::ZERO, 100_000 - offered), 0);
        assert_eq!((limit.offer(Instant::ZERO, 0), limit.poll_timeout()), (0, None));
    }
}
