//! The command line of a server.

use crate::access::{Access, parse_network};
use crate::common_args::Common;
use crate::files::TreeRules;
use crate::limits::Limits;
use crate::memory_file::BenchLimits;
use crate::numbers::{parse_count, parse_size, within};
use crate::server_address;
use crate::settings;
use crate::shell_words;
use clap::{Args, ValueHint};
use ipnet::IpNet;
use rdt_proto::ftp::ServerConfig;
use rdt_proto::{Duration, listener};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on: host, host:port, or port 0 for any free port. The default is for this machine alone.
    /// 0.0.0.0 (all addresses) opens the port to everyone who reaches this machine: see --allow. Not used if systemd
    /// passes sockets
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6969", value_parser = server_address::parse_bind)]
    pub(crate) bind: String,
    /// The folder, created if it does not exist. Nothing outside of it is read or written
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) root: PathBuf,
    /// The largest file to store, in bytes (or with K, M, G for powers of 1024)
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    pub(crate) max_size: Option<u64>,
    /// The disk space that unfinished uploads may take in all, by their announced lengths, in bytes (or with K, M, G
    /// for powers of 1024). An upload beyond it is refused, as is one for which the disk has no space. By default only
    /// the free space of the disk limits them
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    pub(crate) max_unfinished: Option<u64>,
    /// The part of --max-unfinished that one host may take, in bytes (or with K, M, G for powers of 1024). The default
    /// is seven eighths
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    pub(crate) max_unfinished_per_host: Option<u64>,
    /// How long the parts of interrupted uploads are kept, in hours, so that they can go on; 0 keeps none. They are in
    /// the hidden folder .rdt of DIR, and the oldest goes when an upload needs the space
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = within(0..=8_760_u64))]
    pub(crate) keep_parts: u64,
    /// Keep neither the times of modification nor the permissions of uploaded files
    #[arg(long)]
    pub(crate) no_preserve: bool,
    /// Store nothing
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Send nothing: a drop box. A file whose name is taken is stored beside the other, under a name such as
    /// report.5f3a9c2177e0d4b8.pdf, and its client is told the same as any other. So no client learns which names are
    /// there
    #[arg(long, conflicts_with_all = ["read_only", "no_replace"])]
    pub(crate) write_only: bool,
    /// Refuse to store a file under an existing name
    #[arg(long)]
    pub(crate) no_replace: bool,
    /// Admit only clients with addresses in this network, such as 192.168.0.0/16, or with this address. Give the option
    /// once for each network. By default all addresses are admitted
    #[arg(long, value_name = "CIDR", value_parser = parse_network)]
    pub(crate) allow: Vec<IpNet>,
    /// The number of clients that each thread serves at once. Further clients wait
    #[arg(long, value_name = "CLIENTS", default_value_t = 1_024, value_parser = parse_count)]
    pub(crate) max_peers: usize,
    /// The number of connections that one host may have at once, for each thread. A connection counts until about a
    /// second after its end
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 256, value_parser = parse_count)]
    pub(crate) per_host: usize,
    /// The memory for packets of all clients, beyond the first 64 packets each way of each client, for each thread, in
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
    /// transfer continues. If systemd passes sockets, each has one thread
    #[arg(long, default_value_t = 1, value_parser = within(1..=64_u8))]
    pub(crate) threads: u8,
    /// After SIGTERM, running transfers may go on for this time, in seconds, and new clients are told that the server
    /// is busy. A second SIGTERM, or Ctrl-C, cancels them at once, as 0 does. Container runtimes kill after 10 s
    #[arg(long, value_name = "SECONDS", default_value_t = 8, value_parser = within(0..=86_400_u64))]
    pub(crate) drain: u64,
    /// Let clients measure the path with `rdt bench`, from memory to memory. Anyone admitted can then fill the network
    /// and a processor for a while, as often as they ask
    #[arg(long, conflicts_with = "read_only")]
    pub(crate) bench: bool,
    /// With --bench: the largest number of bytes of one measurement (or with K, M, G for powers of 1024)
    #[arg(long, value_name = "BYTES", default_value = "64G", value_parser = parse_size, requires = "bench")]
    pub(crate) bench_bytes: u64,
    /// With --bench: the longest time of one measurement, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = within(1..=86_400_u64), requires = "bench")]
    pub(crate) bench_seconds: u64,
    /// Append a line for each request to this file, with its time (UTC), instead of printing it. SIGHUP opens the file
    /// again, for programs such as logrotate. Its folder must not be the served one, and must stay
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) log: Option<PathBuf>,
    /// The folder of the file `reset-keys`, by which a restarted server tells its clients that it does not know them.
    /// The server makes the file, only its owner can read it, and it stays until it is deleted. The default is `rdt` in
    /// the user's state folder, on Linux `~/.local/state`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) state: Option<PathBuf>,
    /// The folder without an option, as other servers have it
    #[arg(hide = true)]
    others: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl ServeArgs {
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.others.first() {
            Some(folder) => {
                let serve = shell_words::command("serve", [], Some(("--root", &folder.to_string_lossy())));
                Err(format!("the folder needs --root: write {serve}"))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            clients: self.max_peers,
            per_host: self.per_host,
            retry: self.retry.into(),
            drain: Duration::from_secs(self.drain),
            memory: self.memory.map_or(settings::MEMORY, |bytes| bytes.try_into().unwrap_or(usize::MAX)),
        }
    }

    pub(crate) fn bench_limits(&self) -> Option<BenchLimits> {
        let time = std::time::Duration::from_secs(self.bench_seconds.min(86_400));
        self.bench.then_some(BenchLimits { bytes: self.bench_bytes, time })
    }

    pub(crate) fn session_config(&self) -> ServerConfig {
        let defaults = ServerConfig::default();
        ServerConfig {
            max_upload_length: self.max_size.unwrap_or(defaults.max_upload_length),
            read_only: self.read_only,
            allow_replace: !self.no_replace,
            ..defaults
        }
    }

    pub(crate) fn tree_rules(&self) -> TreeRules {
        TreeRules {
            preserve: !self.no_preserve,
            keeps_parts: self.access() == Access::ReadWrite && !self.no_replace && self.keep_parts > 0,
            keep_parts_for: std::time::Duration::from_secs(self.keep_parts.saturating_mul(3_600)),
            ..TreeRules::default()
        }
    }

    pub(crate) fn access(&self) -> Access {
        match (self.read_only, self.write_only) {
            (true, _) => Access::ReadOnly,
            (false, true) => Access::WriteOnly,
            (false, false) => Access::ReadWrite,
        }
    }
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
