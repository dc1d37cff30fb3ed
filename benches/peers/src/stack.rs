//! The traits that a stack implements to be measured.
//!
//! Each command drives pairs of [`Endpoint`]s in virtual time.

/// Virtual time, in nanoseconds since the pair was made.
pub type Nanos = u64;

pub const MICRO: Nanos = 1_000;
pub const MILLI: Nanos = 1_000_000;
pub const SECOND: Nanos = 1_000_000_000;

/// The settings of a pair.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The largest datagram that `Endpoint::output` may return, in bytes.
    pub datagram: usize,
    /// The window of flow control, or the constant window, in payload bytes.
    pub window: usize,
    /// The congestion control.
    pub control: Control,
    /// The number of the variant, below the stack's `variants`.
    pub variant: u8,
}

/// The choice of congestion control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The default of the stack.
    Default,
    /// The controller of the stack that loses the least throughput to random loss.
    Tolerant,
}

/// Takes bytes that arrived in order. Returns how many it took. The stack keeps the rest.
pub type Take<'t> = &'t mut dyn FnMut(&[u8]) -> usize;

/// The datagrams that `Endpoint::output` wrote to the start of a buffer. The rest of the buffer has old content.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// The number of bytes of all datagrams together.
    pub len: usize,
    /// The number of bytes of each datagram. The last datagram may be shorter.
    pub segment: usize,
}

impl Output {
    /// A single datagram of `len` bytes.
    pub fn one(len: usize) -> Self {
        Output { len, segment: len }
    }
}

/// One end of a connected pair.
pub trait Endpoint {
    /// Whether the handshake is complete, so that data can be written.
    fn ready(&mut self) -> bool {
        true
    }
    /// Writes bytes. Returns how many were accepted.
    fn write(&mut self, now: Nanos, data: &[u8]) -> usize;
    /// Reads bytes that arrived in order into `out`. Returns how many were read.
    fn read(&mut self, now: Nanos, out: &mut [u8]) -> usize;
    /// Handles one datagram from the other end.
    ///
    /// A stack may lend in-order bytes directly from the datagram to `take`, if no earlier bytes wait for `read`.
    fn input(&mut self, now: Nanos, datagram: &[u8], take: Take<'_>);
    /// Runs after a batch of calls to `input` or `write`, before `output`.
    fn service(&mut self, now: Nanos);
    /// Replaces the content of `out` by one datagram, or by several of one size. The last may be shorter.
    ///
    /// The capacity of `out` should be used again.
    fn output(&mut self, now: Nanos, out: &mut Vec<u8>) -> Option<Output>;
    /// The time at which `tick` must be called if nothing else happens.
    fn deadline(&mut self, now: Nanos) -> Option<Nanos>;
    /// Handles due timers.
    fn tick(&mut self, now: Nanos);
    /// Frees memory that only this harness needs, before the memory is counted.
    fn trim(&mut self) {}
}

/// A reliable-transfer implementation.
pub trait Stack: Send + Sync {
    /// The short name for the tables.
    fn name(&self) -> &'static str;
    /// A description of the settings, for readers of the tables.
    fn options(&self, control: Control) -> String;
    /// The size of the headers of IP and UDP, which a real network adds to each datagram.
    fn lower_headers(&self) -> usize {
        28
    }
    /// The largest datagram that the stack can make, in bytes.
    fn largest_datagram(&self) -> usize {
        65_507
    }
    /// The window for `memory`, in bytes. `memory` uses at least eight datagrams.
    ///
    /// It is the best of 64 KiB to 4 MiB with datagrams of 1,400 bytes. Small windows stay in the caches.
    fn memory_window(&self) -> usize {
        64 * 1024
    }
    /// Whether the tolerant congestion control differs from the default.
    fn has_tolerant(&self) -> bool {
        false
    }
    /// The number of variants of the settings. `simulate` tries all and keeps the best.
    fn variants(&self, _control: Control) -> u8 {
        1
    }
    /// Whether `footprint` measures the stack. An end must then contain only what a connection needs.
    fn has_footprint(&self) -> bool {
        true
    }
    /// The size of the connection's type in bytes. `None` if it is not useful.
    fn connection_bytes(&self) -> Option<usize> {
        None
    }
    /// The size of the buffers that the caller lends for these settings, used or not, in bytes.
    fn lent_bytes(&self, _settings: &Settings) -> usize {
        0
    }
    /// Whether `simulate` measures the stack.
    fn is_simulated(&self) -> bool {
        true
    }
    /// Whether `paths` and `short` measure the stack. `is_serial` is true on a serial line.
    fn takes_paths(&self, _is_serial: bool) -> bool {
        self.is_simulated()
    }
    /// The size in bytes that a datagram must be able to have.
    fn smallest_datagram(&self) -> usize {
        64
    }
    /// Whether only the window limits sending, because there is no congestion control.
    ///
    /// `simulate` then tries several windows and keeps the best.
    fn window_limited(&self, control: Control) -> bool;
    /// Makes two ends before their handshake: the client, which sends the data, and the server.
    ///
    /// `None` if the stack does not support the settings.
    fn pair(&self, settings: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)>;
    /// The same with the stack's default limits on handshake and silence, for `short`.
    ///
    /// A stack may derive the intervals of its handshake from such a limit.
    fn pair_with_limits(&self, settings: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        self.pair(settings)
    }
}
