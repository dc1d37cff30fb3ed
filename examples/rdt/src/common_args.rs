//! Arguments of several commands.

use crate::bit_rate::BitRate;
use crate::local_failure::at_start;
use crate::numbers::{parse_percent, within};
use crate::observers::Verbosity;
use crate::qlog::VantagePoint;
use crate::settings::{self, Congestion, Mechanism, PeerMethod, Profile, Settings};
use crate::trace_file::TraceFile;
use clap::{ArgAction, Args, ValueHint};
use rdt_proto::Duration;
use rdt_proto::connection::{Config, Peer};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Common {
    /// The implementation at the other end. A server reaches only clients with the same profile
    #[arg(long, value_enum, default_value_t = Profile::Note)]
    profile: Profile,
    /// With --profile rostov: the retransmission mechanism of the other end, which is not visible on the wire
    #[arg(long, value_enum, default_value_t = PeerMethod::SelectiveRepeat)]
    peer_method: PeerMethod,
    /// Give up after this silence of the other side, in seconds, or twice as long where no answer is pending. The
    /// default is 10 for the first answer (16 with --profile rostov and selective repeat), then 30 and 60
    #[arg(long, value_name = "SECONDS", value_parser = within(1..=3_600_u64))]
    timeout: Option<u64>,
    /// The retransmission mechanism. The default is selective-repeat, or stop-and-wait if the other end uses it: it
    /// takes one packet at a time
    #[arg(long, value_enum)]
    arq: Option<Mechanism>,
    /// The congestion controller, which bounds the data in flight
    #[arg(long, value_enum, default_value_t = Congestion::BandwidthDelay)]
    congestion: Congestion,
    /// The largest number of packets buffered each way until they are acknowledged or read. A connection begins with
    /// 64, or 8 large ones, and takes more as it needs them. The default is 16384. It is 2048 with --profile rostov, and
    /// with --congestion fixed, where it is also the number of packets in flight. It is 4 with --peer-method stop-and-wait.
    /// Packets larger than 1500 bytes are fewer: they take 64 MiB
    #[arg(long, value_name = "PACKETS", value_parser = within(1..=65_536_u32))]
    window: Option<u32>,
    /// The largest body of a packet in bytes, both sent and received. The connection finds out what the path carries,
    /// and sends less if it must. The default is 1432, for datagrams that fill a packet of 1500 bytes, or 62000 within
    /// this machine. It is 1200 with --profile rostov. On Linux it is 62000 with --peer-method stop-and-wait, which reads
    /// one packet each 0.1 s
    #[arg(long, value_name = "BYTES", value_parser = within(64..=u16::MAX))]
    segment: Option<u16>,
    /// Lose this percentage of sent datagrams, to exercise loss recovery
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = parse_percent)]
    pub(crate) loss: f64,
    /// With --loss: the seed that selects the lost datagrams
    #[arg(long, default_value_t = 1, value_parser = within(0..=u64::MAX))]
    pub(crate) seed: u64,
    /// Print errors only (a server still prints its address). With --json: no progress, and a server prints no requests.
    /// A --log has them anyway
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Print objects to the standard output, one a line: progress, results, requests and errors
    #[arg(long)]
    pub(crate) json: bool,
    /// Explain on the standard error output what each connection does: a few lines a second at most. Twice (-vv), print
    /// each packet, timer, loss and state instead
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    /// The most that this side sends, in bits per second, or with k, M, G for powers of 1000: 20M. It counts the
    /// datagrams with content, without the headers of UDP and IP. The limit of a server is for each client. A download
    /// with a limit takes its content at this rate. By default there is none
    #[arg(long, value_name = "RATE", value_parser = BitRate::parse)]
    pub(crate) rate: Option<BitRate>,
    /// Write what the connections do to this file, as qlog (version 0.3, JSON text sequences), which viewers such as
    /// qvis open. Its usual ending is .sqlog. An earlier trace is replaced, no other file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) trace: Option<PathBuf>,
}

impl Common {
    /// Whether the other end speaks base mode only, and so the session with one request.
    pub(crate) fn is_base_mode(&self) -> bool {
        self.settings().config.framing.is_base_only()
    }

    /// Starts the trace of a client, if there is one.
    pub(crate) fn start_trace(&self) -> Result<(), String> {
        let Some(path) = &self.trace else { return Ok(()) };
        let started = TraceFile::create(path, None)?.start(VantagePoint::Client);
        started.map_err(at_start)
    }

    pub(crate) fn settings(&self) -> Settings {
        let config = settings::config(self.profile, self.peer_method, self.timeout.map(Duration::from_secs));
        // Only one packet is in flight towards this peer, with any mechanism and window.
        let is_single = config.peer == Peer::RostovStopAndWait;
        let single_segment = settings::SINGLE_SEGMENT.filter(|_| is_single);
        let default = if config.framing.is_base_only() { config.segment } else { settings::SEGMENT };
        let segment = self.segment.or(single_segment).unwrap_or(default);
        // The public implementation sends bodies as large as a datagram, even if this side sends shorter ones.
        let recv_segment = if config.framing.is_base_only() { config.recv_segment } else { segment };
        let config = Config { segment, recv_segment, ..config };
        let congestion = self.congestion;
        let is_fixed = config.framing.is_base_only() || congestion == Congestion::Fixed;
        let (arq, window) = match (is_single, is_fixed) {
            (true, _) => (Mechanism::StopAndWait, settings::SINGLE_WINDOW),
            (false, true) => (Mechanism::SelectiveRepeat, settings::FIXED_WINDOW),
            (false, false) => (Mechanism::SelectiveRepeat, settings::WINDOW),
        };
        let (arq, window) = (self.arq.unwrap_or(arq), self.window.unwrap_or(window));
        let max_rate = self.rate.map(BitRate::bytes_per_second);
        let verbosity = Verbosity::of(self.verbose);
        // A constant window is chosen in packets of 1,500 bytes.
        let has_local_segment = self.segment.is_none() && !is_fixed;
        Settings { config, arq, congestion, has_local_segment, window, max_rate, verbosity, ..Settings::default() }
    }
}
