//! The command line.

use crate::server_address::{self, ServerAddress};
use crate::settings::{self, Congestion, Mechanism, PeerMethod, Profile, Settings};
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use rdt_proto::Duration;
use rdt_proto::connection::{Config, Peer};
use rdt_proto::ftp::NameBuf;
use rdt_proto::listener;
use std::path::PathBuf;

/// Reliable file transfer over UDP.
#[derive(Parser)]
#[command(name = "rdt", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the files of a folder, and store what is put into it
    Serve(ServeArgs),
    /// Send a file to a server
    Put(PutArgs),
    /// Fetch a file from a server
    Get(GetArgs),
    /// Run server and client in one process: send a file up and down through loss, and compare
    Demo(DemoArgs),
    /// Run many clients at once: each sends its own content to a server, fetches it again and compares. The server
    /// keeps it under the names load-0, load-1 and so on
    Load(LoadArgs),
    /// Speak the other protocol, SocketTCP: messages in text segments of 16 bytes
    #[command(subcommand)]
    SocketTcp(SocketTcpCommand),
}

#[derive(Subcommand)]
pub(crate) enum SocketTcpCommand {
    /// Print each message received, from any number of clients. Up to 32 MiB of messages wait for what reads them; a
    /// message beyond that is reported as lost
    Listen(ListenArgs),
    /// Send standard input as one message
    Send {
        /// The listener: host or host:port
        #[arg(value_name = "ADDR", value_parser = ServerAddress::parse_without_name)]
        server: ServerAddress,
        /// Which side closes: this side once the message has arrived (active), or the listener (passive)
        #[arg(long, value_enum, default_value_t = CloseRole::Active)]
        close: CloseRole,
        /// With --report: send the content in pieces of 2 bytes, which the report's code recognizes when they are
        /// repeated. It takes eight times the datagrams. Success is no proof that the report's code has the message
        /// unchanged, and its application must read the whole message in one call
        #[arg(long, requires = "report")]
        pairs: bool,
        #[command(flatten)]
        common: SocketTcpArgs,
    },
}

#[derive(Args)]
pub(crate) struct ListenArgs {
    /// The address to listen on: host, host:port, or port 0 for any free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6969", value_parser = server_address::parse_bind)]
    pub(crate) bind: String,
    /// The largest message to accept, in bytes (or with K, M, G for powers of 1024)
    #[arg(long, value_name = "BYTES", default_value = "16M", value_parser = parse_size)]
    pub(crate) max_size: u64,
    /// Which side closes: this side after each message (active), or the client (passive)
    #[arg(long, value_enum, default_value_t = CloseRole::Passive)]
    pub(crate) close: CloseRole,
    #[command(flatten)]
    pub(crate) common: SocketTcpArgs,
}

#[derive(Args)]
pub(crate) struct SocketTcpArgs {
    /// The other end is the report's own code: use its timeouts, and let it send first where both send at once. Not for
    /// two instances of this program
    #[arg(long)]
    pub(crate) report: bool,
    /// Lose this percentage of sent datagrams, to exercise loss recovery
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = parse_percent)]
    pub(crate) loss: f64,
    /// With --loss: the seed that selects the lost datagrams
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// The role of this side in the close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CloseRole {
    /// Closes
    Active,
    /// Waits for the other side to close
    Passive,
}

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on: host, host:port, or port 0 for any free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6969", value_parser = server_address::parse_bind)]
    pub(crate) bind: String,
    /// The folder, created if it does not exist. Nothing outside of it is read or written
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) root: PathBuf,
    /// The largest file to store, in bytes (or with K, M, G for powers of 1024)
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    pub(crate) max_size: Option<u64>,
    /// The disk space that unfinished uploads may take in all, by their announced lengths, in bytes (or with K, M, G
    /// for powers of 1024). An upload beyond it is refused, as is one for which the disk has no space. By default only
    /// the free space of the disk limits them
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    pub(crate) max_unfinished: Option<u64>,
    /// The part of that space that one host may take. The default is seven eighths
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    pub(crate) max_unfinished_per_host: Option<u64>,
    /// Store nothing
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Refuse to store a file under an existing name
    #[arg(long)]
    pub(crate) no_replace: bool,
    /// The number of clients that each thread serves at once. Further clients wait
    #[arg(long, value_name = "CLIENTS", default_value_t = 1_024, value_parser = parse_count)]
    pub(crate) max_peers: usize,
    /// The number of connections that one host may have at once, for each thread. A connection counts until about a
    /// second after its end
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 256, value_parser = parse_count)]
    pub(crate) per_host: usize,
    /// The memory for packets of all clients, beyond the first 256 packets each way of each client, for each thread, in
    /// bytes (or with K, M, G for powers of 1024). When it is spent, windows no longer grow. The default is 256M
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    pub(crate) memory: Option<u64>,
    /// When a client must validate its address before the server keeps any state for it: always, never, or only while
    /// the addresses of many clients are not validated
    #[arg(long, value_enum, default_value_t = Retry::Auto)]
    pub(crate) retry: Retry,
    /// The number of threads. Each has its own socket on the same port, and shares nothing: the system assigns a client
    /// to a thread by its address and port. A client whose address or port changes during a transfer (a new mapping
    /// of a NAT) may reach another thread, which ignores it until the client's --timeout. With one thread the
    /// transfer continues
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) threads: u8,
    /// The folder of the file `reset-keys`, by which a restarted server tells its clients that it does not know them.
    /// The server makes the file, only its owner can read it, and it stays until it is deleted. The default is `rdt` in
    /// the user's state folder, on Linux `~/.local/state`
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// When a client must validate its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Retry {
    Auto,
    Always,
    Never,
}

impl From<Retry> for listener::Retry {
    fn from(retry: Retry) -> Self {
        match retry {
            Retry::Auto => Self::Auto,
            Retry::Always => Self::Always,
            Retry::Never => Self::Never,
        }
    }
}

#[derive(Args)]
pub(crate) struct PutArgs {
    /// The file to send
    #[arg(value_parser = PathBufValueParser::new().try_map(not_a_pipe))]
    pub(crate) file: PathBuf,
    /// The server: host, host:port, or rdt://host:port with the name after a slash. The first address of the host that
    /// answers gets the file
    #[arg(value_name = "ADDR", value_parser = ServerAddress::parse)]
    pub(crate) server: ServerAddress,
    /// The name to store it under, by default that of the file
    #[arg(long, value_parser = parse_name)]
    name: Option<NameBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
pub(crate) struct GetArgs {
    /// The name of the file at the server, or rdt://host:port/name without ADDR
    #[arg(value_name = "NAME", value_parser = parse_wanted)]
    wanted: Wanted,
    /// The server: host or host:port
    #[arg(value_name = "ADDR", value_parser = ServerAddress::parse)]
    server: Option<ServerAddress>,
    /// The file or the folder to store it in, by default the current folder, or - for the standard output. An existing
    /// file is replaced once the download is complete, and keeps its permissions. A symbolic link to a file is itself
    /// replaced
    #[arg(long, short, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// A file at a server.
#[derive(Clone, Debug)]
enum Wanted {
    Name(NameBuf),
    At(ServerAddress),
}

fn parse_wanted(text: &str) -> Result<Wanted, String> {
    if server_address::is_url(text) {
        ServerAddress::parse(text).map(Wanted::At)
    } else {
        parse_name(text).map(Wanted::Name)
    }
}

impl Cli {
    /// Checks what no argument shows on its own. The error names the command.
    pub(crate) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        match &self.command {
            Command::Put(args) => args.name().map(|_| ()).map_err(|why| ("put", why)),
            Command::Get(args) => args.request().map(|_| ()).map_err(|why| ("get", why)),
            Command::Serve(_) | Command::Demo(_) | Command::Load(_) | Command::SocketTcp(_) => Ok(()),
        }
    }
}

impl PutArgs {
    /// The name to store the file under. `None` for that of the file.
    pub(crate) fn name(&self) -> Result<Option<&NameBuf>, &'static str> {
        match (&self.name, self.server.name()) {
            (Some(_), Some(_)) => Err("the address has a name already: leave --name out"),
            (name, None) => Ok(name.as_ref()),
            (None, name) => Ok(name),
        }
    }
}

impl GetArgs {
    /// The name of the file, and its server.
    pub(crate) fn request(&self) -> Result<(&NameBuf, &ServerAddress), &'static str> {
        match (&self.wanted, &self.server) {
            (Wanted::Name(_), None) => Err("the server is missing: give NAME ADDR, or rdt://host:port/name"),
            (Wanted::Name(_), Some(server)) if server.name().is_some() => Err("the address has a name already"),
            (Wanted::Name(name), Some(server)) => Ok((name, server)),
            (Wanted::At(_), Some(_)) => Err("a URL names the server already: leave ADDR out"),
            (Wanted::At(server), None) => {
                let name = server.name().ok_or("the URL has no name of a file: give rdt://host:port/name")?;
                Ok((name, server))
            }
        }
    }
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// The file to send, by default 4 MiB of random bytes
    pub(crate) file: Option<PathBuf>,
    /// The percentage of datagrams lost, each way
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = parse_percent)]
    pub(crate) loss: f64,
    /// The seed that selects the lost datagrams
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Args)]
pub(crate) struct LoadArgs {
    /// The server: host or host:port. A client that finds no place there (--max-peers, --per-host) tries again until
    /// its --timeout
    #[arg(value_name = "ADDR", value_parser = ServerAddress::parse_without_name)]
    pub(crate) server: ServerAddress,
    /// The number of clients
    #[arg(long, default_value_t = 100, value_parser = parse_count)]
    pub(crate) clients: usize,
    /// The number of bytes that each client sends and fetches (or with K, M, G for powers of 1024)
    #[arg(long, value_name = "BYTES", default_value = "1M", value_parser = parse_size)]
    pub(crate) size: u64,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
pub(crate) struct Common {
    /// The implementation at the other end
    #[arg(long, value_enum, default_value_t = Profile::Note)]
    profile: Profile,
    /// With --profile rostov: the retransmission mechanism of the other end, which is not visible on the wire
    #[arg(long, value_enum, default_value_t = PeerMethod::SelectiveRepeat)]
    peer_method: PeerMethod,
    /// Give up after this silence of the other side, in seconds, or twice as long where no answer is pending. The
    /// default is 10 for the first answer (16 with --profile rostov and selective repeat), then 30 and 60
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: Option<u64>,
    /// The retransmission mechanism. The default is selective-repeat, or stop-and-wait if the other end uses it: it
    /// takes one packet at a time
    #[arg(long, value_enum)]
    arq: Option<Mechanism>,
    /// The congestion controller, which bounds the data in flight
    #[arg(long, value_enum, default_value_t = Congestion::BandwidthDelay)]
    congestion: Congestion,
    /// The largest number of packets buffered each way until they are acknowledged or read. A connection begins with
    /// 256 and takes more as it needs them. The default is 16384. It is 2048 with --profile rostov, and with
    /// --congestion fixed, where it is also the number of packets in flight. It is 4 with --peer-method stop-and-wait
    #[arg(long, value_name = "PACKETS", value_parser = parse_window)]
    window: Option<u32>,
    /// The largest body of a packet in bytes, both sent and received. The connection finds out what the path carries,
    /// and sends less if it must. The default is 1432, for datagrams that fill a packet of 1500 bytes. It is 1200 with
    /// --profile rostov. On Linux it is 62000 with --peer-method stop-and-wait, which reads one packet each 0.1 s
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(64..))]
    segment: Option<u16>,
    /// Lose this percentage of sent datagrams, to exercise loss recovery
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = parse_percent)]
    pub(crate) loss: f64,
    /// With --loss: the seed that selects the lost datagrams
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print errors only (a server still prints its address)
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print each packet, timer, loss and state of each connection to the standard error output
    #[arg(short, long)]
    verbose: bool,
}

impl Common {
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
        Settings { config, arq, congestion, window, is_verbose: self.verbose }
    }
}

fn parse_name(text: &str) -> Result<NameBuf, String> {
    NameBuf::new(text).map_err(|error| error.to_string())
}

/// The length of a pipe is not known in advance.
fn not_a_pipe(file: PathBuf) -> Result<PathBuf, &'static str> {
    if file.as_os_str() == "-" {
        return Err("standard input has no known length, and is not supported yet: write it to a file, and send that \
                    (a file named - is ./-)");
    }
    Ok(file)
}

fn parse_window(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(packets) if (1..=65_536).contains(&packets) => Ok(packets),
        _ => Err("not a number from 1 to 65536".into()),
    }
}

fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=1_000_000).contains(&count) => Ok(count),
        _ => Err("not a number from 1 to 1000000".into()),
    }
}

fn parse_percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("not a number from 0 to 100".into()),
    }
}

fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((end, 'k' | 'K')) => (&text[..end], 10),
        Some((end, 'm' | 'M')) => (&text[..end], 20),
        Some((end, 'g' | 'G')) => (&text[..end], 30),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| "not a number of bytes, such as 5000000 or 64M")?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large a number".into())
}
