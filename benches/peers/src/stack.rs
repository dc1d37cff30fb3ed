//! The small trait that a stack implements to be measured.
//! `memory` and `simulate` drive two [`Endpoint`]s with a clock of their own.

/// Virtual time, in nanoseconds since the pair was made.
pub type Nanos = u64;

pub const MICRO: Nanos = 1_000;
pub const MILLI: Nanos = 1_000_000;
pub const SECOND: Nanos = 1_000_000_000;

/// How a pair is to be set up.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Largest datagram, in bytes as `Endpoint::output` yields it.
    pub datagram: usize,
    /// Flow-control or fixed window, in payload bytes.
    pub window: usize,
    /// Which congestion control.
    pub control: Control,
    /// Which of the stack's `variants`.
    pub variant: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// What the stack does when not told otherwise.
    Default,
    /// The stack's choice that suffers least from random loss.
    Tolerant,
}

/// Takes bytes that arrived in order and returns how many it took; the stack keeps the rest.
pub type Take<'t> = &'t mut dyn FnMut(&[u8]) -> usize;

/// What `Endpoint::output` put at the start of a buffer. What follows is old content.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// How many bytes.
    pub len: usize,
    /// Of each datagram in them but the last, which may be shorter.
    pub segment: usize,
}

impl Output {
    /// One datagram.
    pub fn one(len: usize) -> Self {
        Output { len, segment: len }
    }
}

/// One end of a connected pair.
pub trait Endpoint {
    /// True once data can be written (the handshake is over).
    fn ready(&mut self) -> bool {
        true
    }
    /// Offers bytes; returns how many were taken.
    fn write(&mut self, now: Nanos, data: &[u8]) -> usize;
    /// Takes bytes that arrived, in order; returns how many were put in `out`.
    fn read(&mut self, now: Nanos, out: &mut [u8]) -> usize;
    /// Takes in one datagram from the other end. A stack that can lend bytes that are in order straight out of the datagram
    /// may give them to `take`, before anything that `read` would return.
    fn input(&mut self, now: Nanos, datagram: &[u8], take: Take<'_>);
    /// Called after a batch of `input`s or `write`s, before `output`.
    fn service(&mut self, now: Nanos);
    /// Replaces what `out` holds (old bytes, capacity worth keeping) by one
    /// datagram, or several of one size (the last may be shorter).
    fn output(&mut self, now: Nanos, out: &mut Vec<u8>) -> Option<Output>;
    /// When `tick` wants to be called if nothing else happens.
    fn deadline(&mut self, now: Nanos) -> Option<Nanos>;
    /// Runs timers.
    fn tick(&mut self, now: Nanos);
    /// Drops what only this harness needs, before memory is counted.
    fn trim(&mut self) {}
}

/// A reliable-transfer implementation.
pub trait Stack: Send + Sync {
    /// Short name for the tables.
    fn name(&self) -> &'static str;
    /// What was set, for the reader of the tables.
    fn options(&self, control: Control) -> String;
    /// Bytes that a real network adds to each datagram (IP and UDP headers).
    fn lower_headers(&self) -> usize {
        28
    }
    /// Largest datagram that the stack can make.
    fn largest_datagram(&self) -> usize {
        65_507
    }
    /// Window for `memory`, in bytes: the best of 64 KiB to 4 MiB at datagrams of
    /// 1400 (small ones stay in the caches). At least eight datagrams are used.
    fn memory_window(&self) -> usize {
        64 * 1024
    }
    /// Whether the tolerant congestion control differs from the default.
    fn has_tolerant(&self) -> bool {
        false
    }
    /// Other settings worth trying in `simulate`, which keeps the best.
    fn variants(&self, _control: Control) -> u8 {
        1
    }
    /// Whether `footprint` measures it: it keeps what a connection needs, and nothing else.
    fn has_footprint(&self) -> bool {
        true
    }
    /// How large the type of a connection is, where that says something.
    fn connection_bytes(&self) -> Option<usize> {
        None
    }
    /// The buffers that a caller lends to it for these settings, whether they are used or not.
    fn lent_bytes(&self, _settings: &Settings) -> usize {
        0
    }
    /// Whether `simulate` runs it.
    fn is_simulated(&self) -> bool {
        true
    }
    /// True when the window is all that limits sending (no congestion control):
    /// `simulate` then tries several windows and keeps the best.
    fn window_limited(&self, control: Control) -> bool;
    /// Two ends, client (sender) first, handshake not yet run. `None` if the
    /// stack has no in-memory form.
    fn pair(&self, settings: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)>;
}
