//! The largest datagram that the path carries to the peer (RFC 8899).
//!
//! ```text
//!            512                 shown                 refused    wanted + 1
//!   ----------|--------------------|----------------------|-----------|----> bytes
//!   every path |  known to arrive  |  unknown: searched   | does not arrive
//! ```
//!
//! New bodies fill datagrams of the size shown. A PROBE with padding tests a larger size, and its ECHO shows that the
//! size arrives. The first probe has the wanted size. Each later one halves what is unknown, until less than 32 bytes
//! are left. A size is refused after five probes without an ECHO, or at once if the kernel does not take it.
//!
//! The search has no timer. It runs only while data is acknowledged: an idle connection needs no larger size. A probe
//! counts as lost once the peer reports datagrams that were sent well after the probe (RFC 8985 judges INFO in the same
//! way).
//!
//! How the size moves:
//!
//! - *It begins* with what the handshake has shown: the length of a CONNECT that was answered, or of the shortest
//!   CONNACK. At another address it begins again with 512 bytes.
//! - *It grows* by each ECHO.
//! - *It shrinks* to 512 bytes when data times out three times in a row while the peer is heard (RFC 8899 §4.3), or
//!   when the kernel refuses a datagram. The search then starts again below the size that failed.
//! - *It ages*: a search that ended below the wanted size starts again after 100,000 datagrams. RFC 8899 §5.1.1 waits
//!   ten minutes instead, which needs a timer.
//!
//! INFO keeps its bytes when it is repeated. A body that was sent in a datagram too large for the path therefore never
//! arrives, and the connection ends as [`NoProgress`](super::CloseReason::NoProgress). This is why bodies use no size
//! before it was shown.

/// A datagram size that every path must carry, in bytes. Larger sizes have to be shown.
pub(super) const MIN_SIZE: u16 = 512;

/// The number of probes of one size before the size counts as refused.
///
/// RFC 8899 §5.1.2 recommends three. Where a fifth of the packets is lost each way, three probes in a row or their
/// answers fail once in twenty cases, five once in 160.
const MAX_PROBES: u8 = 5;

/// The search ends when the size shown and the size refused are closer than this. A smaller gain is not worth a probe.
const RESOLUTION: u16 = 32;

/// A probe is lost if a datagram that was sent so many datagrams later has arrived (RFC 8985 §6.2). A late ECHO still
/// counts.
const REORDERING: u32 = 3;

/// The number of datagrams after which a search that ended below the wanted size starts again.
const RAISE_AFTER: u32 = 100_000;

/// The datagram size of the path, and the search for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PathSize {
    /// The size that the search aims for; 0 in base mode.
    wanted: u16,
    /// The largest size that is known to arrive.
    shown: u16,
    /// The least size that is known not to arrive; `u16::MAX` if none is.
    refused: u16,
    /// The counter of the first probe of the present candidate.
    first: u32,
    /// The counter of the last probe.
    counter: u32,
    search: Search,
    /// The probes of the present candidate that were lost.
    lost: u8,
    /// Whether a body that was not sent yet may be larger, because it could not be cut.
    is_exceeded: bool,
}

/// The probe of the present candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Search {
    /// No probe is due. An acknowledgement of data makes one due.
    Idle,
    Due,
    /// A probe is in flight.
    Sent,
}

impl PathSize {
    /// A path that is not searched.
    pub(super) const NONE: Self = Self {
        wanted: 0,
        shown: 0,
        refused: 0,
        first: 0,
        counter: 0,
        search: Search::Idle,
        lost: 0,
        is_exceeded: false,
    };

    /// A path to be searched up to `wanted` bytes. A datagram of `shown` bytes has arrived.
    pub(super) fn new(wanted: u16, shown: u16) -> Self {
        let shown = shown.min(wanted).max(MIN_SIZE);
        Self { wanted, shown, refused: u16::MAX, ..Self::NONE }
    }

    /// The size that the search aims for; 0 in base mode.
    pub(super) const fn wanted(&self) -> u16 {
        self.wanted
    }

    /// The largest datagram to send in new bodies.
    pub(super) fn size(&self) -> u16 {
        self.shown.min(self.wanted)
    }

    /// Whether a body that was not sent yet may be larger than the size.
    pub(super) const fn is_exceeded(&self) -> bool {
        self.is_exceeded
    }

    pub(super) const fn set_exceeded(&mut self, is_exceeded: bool) {
        self.is_exceeded = is_exceeded;
    }

    /// The size of the next probe; `None` if the search has ended.
    fn candidate(&self) -> Option<u16> {
        if self.shown >= self.wanted {
            None
        } else if self.refused > self.wanted {
            Some(self.wanted)
        } else {
            let unknown = self.refused.saturating_sub(self.shown);
            (unknown >= RESOLUTION).then(|| self.shown + unknown / 2)
        }
    }

    /// The size of the probe that is due.
    pub(super) fn probe_due(&self) -> Option<u16> {
        match self.search {
            Search::Due => self.candidate(),
            Search::Idle | Search::Sent => None,
        }
    }

    /// Makes a probe due if the search has not ended.
    pub(super) fn search(&mut self) {
        if self.search == Search::Idle && self.candidate().is_some() {
            self.search = Search::Due;
        }
    }

    /// Records that the probe has left with this counter.
    pub(super) fn on_probe_sent(&mut self, counter: u32) {
        self.counter = counter;
        if self.lost == 0 {
            self.first = counter;
        }
        self.search = Search::Sent;
    }

    /// Handles the ECHO of the PROBE of a size with this counter. Returns whether the size has grown.
    pub(super) fn on_echo(&mut self, counter: u32) -> bool {
        let is_probed = self.search == Search::Sent || self.lost > 0;
        let is_answer = is_probed && counter.wrapping_sub(self.first) <= self.counter.wrapping_sub(self.first);
        let Some(size) = self.candidate().filter(|_| is_answer) else { return false };
        self.shown = size;
        self.start_candidate();
        self.search();
        true
    }

    /// Records that new data was acknowledged. `latest` is the counter of a datagram that has arrived.
    pub(super) fn on_acknowledged(&mut self, latest: u32) {
        let later = latest.wrapping_sub(self.counter).cast_signed();
        match self.search {
            Search::Sent if later >= REORDERING.cast_signed() => {
                self.search = Search::Idle;
                self.lost = self.lost.saturating_add(1);
                if self.lost >= MAX_PROBES
                    && let Some(size) = self.candidate()
                {
                    self.on_refused(size);
                }
            }
            Search::Idle if later >= RAISE_AFTER.cast_signed() && self.has_ended_low() => self.refused = u16::MAX,
            Search::Idle | Search::Due | Search::Sent => {}
        }
        self.search();
    }

    const fn start_candidate(&mut self) {
        (self.search, self.lost) = (Search::Idle, 0);
    }

    /// Records that datagrams of the present size probably no longer arrive. Returns whether the size has shrunk.
    pub(super) fn on_black_hole(&mut self) -> bool {
        self.shown > MIN_SIZE && self.on_refused(self.size())
    }

    /// Whether the search has ended below the wanted size.
    fn has_ended_low(&self) -> bool {
        self.shown < self.wanted && self.candidate().is_none()
    }

    /// Records that datagrams of `size` bytes do not arrive. Returns whether the size has shrunk.
    ///
    /// A size that is larger than needed, or that was refused before, is no news.
    pub(super) fn on_refused(&mut self, size: u16) -> bool {
        if size > self.wanted || size >= self.refused {
            return false;
        }
        self.refused = self.refused.min(size.max(MIN_SIZE + 1));
        self.start_candidate();
        let shrinks = self.shown >= self.refused;
        if shrinks {
            self.shown = MIN_SIZE;
        }
        shrinks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a path that carries `mtu` bytes. Returns the probes, while nothing else is lost.
    fn search(path: &mut PathSize, counter: &mut u32, mtu: u16) -> std::vec::Vec<u16> {
        let mut probes = std::vec::Vec::new();
        path.search();
        while let Some(size) = path.probe_due() {
            probes.push(size);
            path.on_probe_sent(*counter);
            if size <= mtu {
                assert!(path.on_echo(*counter));
            } else {
                *counter += REORDERING;
                path.on_acknowledged(*counter);
            }
            *counter += 1;
        }
        probes
    }

    #[test]
    fn the_search_finds_every_size_within_the_resolution() {
        for mtu in MIN_SIZE..=1_500 {
            let mut path = PathSize::new(1_452, 0);
            let probes = search(&mut path, &mut 7, mtu);
            assert!(path.size() <= mtu && mtu.min(1_452) - path.size() < RESOLUTION, "{mtu}: {path:?}");
            assert!(probes.len() <= 6 * usize::from(MAX_PROBES), "{mtu}: {probes:?}");
        }
    }

    #[test]
    fn the_wanted_size_is_probed_first_and_then_halves_of_the_rest() {
        let probes = search(&mut PathSize::new(1_219, 0), &mut 0, 1_100);
        assert_eq!(probes, [&[1_219; 5][..], &[865, 1_042], &[1_130; 5], &[1_086], &[1_108; 5]].concat());
    }

    #[test]
    fn a_size_shown_by_the_handshake_is_not_probed() {
        let mut path = PathSize::new(1_219, 1_219);
        path.search();
        assert_eq!((path.size(), path.probe_due()), (1_219, None));
        let mut small = PathSize::new(300, 0);
        small.search();
        assert_eq!((small.size(), small.probe_due()), (300, None), "every path carries 300 bytes");
    }

    #[test]
    fn a_late_echo_of_an_earlier_candidate_shows_nothing() {
        let mut path = PathSize::new(1_219, 0);
        path.search();
        path.on_probe_sent(1);
        assert!(!path.on_echo(0) && !path.on_echo(2));
        path.on_refused(1_219);
        assert!(!path.on_echo(1), "the kernel has refused the size meanwhile");
        assert_eq!(path.size(), MIN_SIZE);
    }

    #[test]
    fn a_late_echo_of_an_earlier_probe_counts() {
        let mut path = PathSize::new(1_219, 0);
        path.search();
        path.on_probe_sent(1);
        path.on_acknowledged(1 + REORDERING);
        assert_eq!(path.probe_due(), Some(1_219));
        assert!(path.on_echo(1));
        assert_eq!(path.size(), 1_219);
    }

    #[test]
    fn the_search_starts_again_after_many_datagrams() {
        let (mut path, mut counter) = (PathSize::new(1_219, 0), 0);
        search(&mut path, &mut counter, 600);
        assert!((569..=600).contains(&path.size()), "{path:?}");
        path.on_acknowledged(counter + RAISE_AFTER / 2);
        assert_eq!(path.probe_due(), None);
        counter += RAISE_AFTER;
        path.on_acknowledged(counter);
        assert_eq!(search(&mut path, &mut counter, 1_500), [1_219]);
    }

    /// Regression: the raise cancelled the shrink that came long after the last probe.
    #[test]
    fn a_black_hole_after_many_datagrams_is_searched_below_its_size() {
        let mut path = PathSize::new(1_452, 1_452);
        path.on_acknowledged(120_000);
        assert!(path.on_black_hole());
        path.on_acknowledged(120_001);
        assert_eq!((path.size(), path.probe_due()), (MIN_SIZE, Some(982)));
    }

    /// Regression: a second report about the same size discarded the probe in flight.
    #[test]
    fn a_report_without_news_leaves_the_probe_in_flight() {
        let mut path = PathSize::new(1_220, 0);
        assert!(!path.on_refused(1_220));
        path.search();
        assert_eq!(path.probe_due(), Some(866));
        path.on_probe_sent(5);
        for size in [1_220, 1_221, 9_000] {
            assert!(!path.on_refused(size));
        }
        assert!(path.on_echo(5));
        assert_eq!(path.size(), 866);
    }
}
