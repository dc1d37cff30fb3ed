//! The arguments of a transfer.

use crate::common_args::Common;
use crate::server_address::{self, ServerAddress};
use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};
use rdt_proto::ftp::NameBuf;
use std::path::PathBuf;

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
        if self.common.json && self.output.as_deref().is_some_and(|output| output.as_os_str() == "-") {
            return Err("--json and the content cannot both go to the standard output: give --output FILE");
        }
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
