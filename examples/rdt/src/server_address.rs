//! The address of a server, as the user writes it: `host`, `host:port`, or `rdt://host:port/name`.
//!
//! ```text
//! ADDR = [ "rdt://" ] HOST [ ":" PORT ] [ "/" [ NAME ] ]        the slash and NAME only after "rdt://"
//! HOST = a name | an IPv4 address | "[" IPV6 [ "%" ZONE ] "]"   without a port also IPV6 [ "%" ZONE ]
//! ```
//!
//! In a URL, `%` and two digits stand for a byte (RFC 3986 §2.1), and `%25` for the `%` of a zone (RFC 6874 §2).

mod foreign;
mod url;

use crate::remote_path;
use crate::shell_words::word;
use foreign::{Advice, ForeignAddress, Suffix};
use rdt_proto::files::FilePathBox;
use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use url::SCHEME;
pub(crate) use url::{encode, is_url, url};

/// The default port of a server.
const PORT: u16 = 6969;

/// The address of a server, and perhaps the name of a file there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAddress {
    text: String,
    /// A name, or an address without brackets.
    host: String,
    port: u16,
    name: Option<FilePathBox>,
    /// Whether the path ends with a slash.
    names_folder: bool,
}

impl ServerAddress {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = without_scheme(text)? else {
            return match ForeignAddress::of(text) {
                Some(foreign) => Err(Self::instead(&foreign.advice())),
                None => Self::of(text, text, false, None),
            };
        };
        if let Some(foreign) = ForeignAddress::of(rest).filter(|foreign| !foreign.has_path_behind_slash()) {
            return Err(Self::instead(&foreign.advice_in_url()));
        }
        let (authority, name) = match rest.split_once('/') {
            None | Some((_, "")) => (rest.trim_end_matches('/'), None),
            Some((authority, path)) => {
                let path = decode_path(path)?;
                let whole = |path: &str| url(authority, path);
                let name = remote_path::parse_within(path.trim_end_matches('/'), whole)?;
                (authority, Some(name))
            }
        };
        Self::of(text, authority, true, name)
    }

    /// The same for an address with a path behind it, with or without a scheme.
    pub(crate) fn parse_with_path(text: &str) -> Result<Self, String> {
        if is_url(text) {
            return Self::parse(text);
        }
        if let Some(foreign) = ForeignAddress::of(text).filter(|foreign| !foreign.has_path_behind_slash()) {
            return Err(Self::instead(&foreign.advice()));
        }
        match text.split_once('/') {
            Some((authority, path)) => {
                let path = path.trim_end_matches('/');
                let path = if path.is_empty() {
                    None
                } else {
                    Some(remote_path::parse_within(path, |path| format!("{authority}/{path}"))?)
                };
                Self::of(text, authority, false, path)
            }
            None => Self::of(text, text, false, None),
        }
    }

    /// The same for a command that has no use for a name.
    pub(crate) fn parse_without_name(text: &str) -> Result<Self, String> {
        let rest = without_scheme(text)?;
        // A URL may end with a slash.
        let place = rest.map_or(text, |rest| rest.trim_end_matches('/'));
        let foreign = ForeignAddress::of(place);
        let Some(ForeignAddress { host, path: Some(path), .. }) = foreign.filter(ForeignAddress::has_path) else {
            return Self::parse(text);
        };
        Self::of(host, host, false, None)?;
        let wrong_port = match path {
            Suffix::BehindColon { path, has_port: false } => format!("{path:?} is not a port from 1 to 65535, and "),
            Suffix::BehindColon { .. } | Suffix::BehindSlash(_) => String::new(),
        };
        Err(format!("{wrong_port}a path has no meaning here: write {}", word(host)))
    }

    /// The advice, or what is wrong with it.
    fn instead(Advice { what, instead }: &Advice) -> String {
        Self::parse(instead).err().unwrap_or_else(|| format!("{what}: write {}", word(instead)))
    }

    fn of(text: &str, authority: &str, is_url: bool, name: Option<FilePathBox>) -> Result<Self, String> {
        let (host, port) = split(authority, is_url)?;
        if is_number(&host) {
            return Err(format!("a number is no host: write HOST:{host} if it is the port"));
        }
        if port == Some(0) {
            return Err("\"0\" is not a port from 1 to 65535".into());
        }
        let names_folder = name.is_some() && text.ends_with('/');
        Ok(Self { text: text.into(), host, port: port.unwrap_or(PORT), name, names_folder })
    }

    /// The name of the file, if the address has one.
    pub(crate) fn name(&self) -> Option<&FilePathBox> {
        self.name.as_ref()
    }

    /// The host and the port, without a name.
    pub(crate) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Whether the name is that of a folder: it ends with a slash.
    pub(crate) fn names_folder(&self) -> bool {
        self.names_folder
    }

    /// Resolves the address. There is at least one.
    ///
    /// The unspecified address is for listening only. A datagram to it may reach this host, but the answer comes from
    /// another address and is ignored.
    pub(crate) fn resolve(&self) -> Result<Vec<SocketAddr>, String> {
        let explain = |why: &str| format!("cannot use {self} as the server: {why}");
        let addresses = resolve(&self.host, self.port).map_err(|why| explain(&why))?;
        if addresses.iter().any(|address| address.ip().to_canonical().is_unspecified()) {
            return Err(explain("it names no host; for this one, give 127.0.0.1 or ::1"));
        }
        let needs_zone = |address: &SocketAddr| match address {
            SocketAddr::V6(address) => address.ip().is_unicast_link_local() && address.scope_id() == 0,
            SocketAddr::V4(_) => false,
        };
        if addresses.iter().any(needs_zone) {
            return Err(explain("a link-local address needs the network interface, as in [fe80::1%eth0]"));
        }
        Ok(addresses)
    }

    /// The first address.
    pub(crate) fn first(&self) -> Result<SocketAddr, String> {
        Ok(self.resolve()?[0])
    }
}

impl Display for ServerAddress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Checks the form of an address to listen on.
pub(crate) fn parse_bind(text: &str) -> Result<String, String> {
    let (host, _) = split(text, false)?;
    if is_number(&host) {
        return Err(format!(
            "a number is no address: if it is the port, write 127.0.0.1:{host} for this machine alone, or 0.0.0.0:{host} for \
             everyone who reaches this machine"
        ));
    }
    Ok(text.to_owned())
}

/// The address to listen on, which has the form of [`parse_bind`].
pub(crate) fn resolve_bind(text: &str) -> Result<SocketAddr, String> {
    let explain = |why: String| format!("cannot use the address {text}: {why}");
    let (host, port) = split(text, false).map_err(explain)?;
    Ok(resolve(&host, port.unwrap_or(PORT)).map_err(explain)?[0])
}

/// Whether it is a number, which the system takes for an address as well.
fn is_number(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_digit())
}

/// What follows the scheme. `None` without a scheme.
fn without_scheme(text: &str) -> Result<Option<&str>, String> {
    match text.get(..SCHEME.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => Ok(text.get(SCHEME.len()..)),
        _ if is_url(text) => Err("only URLs that begin with rdt:// are understood".into()),
        _ => Ok(None),
    }
}

/// Splits a host from its port.
fn split(authority: &str, is_url: bool) -> Result<(String, Option<u16>), String> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("the bracket of the IPv6 address is not closed: add ]")?;
        let port = match after.strip_prefix(':') {
            None if after.is_empty() => None,
            None => return Err(format!("{after:?} follows the bracket, and not : and a port")),
            Some(port) => Some(port),
        };
        (ipv6(host, is_url)?, port)
    } else {
        match authority.matches(':').count() {
            0 => (authority.to_owned(), None),
            1 => {
                let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
                (host.to_owned(), Some(port))
            }
            _ => (ipv6(authority, is_url)?, None),
        }
    };
    if host.is_empty() {
        return Err("it names no host: give one, or host:port".into());
    }
    let is_wrong = |char: char| char.is_whitespace() || char.is_control() || "/\\@?#[]\"<>".contains(char);
    if let Some(wrong) = host.chars().find(|char| is_wrong(*char)) {
        return Err(format!("{wrong:?} has no place in a host: leave it out"));
    }
    let port = port.map(|port| {
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let number = port.parse().ok().filter(|_| is_number);
        number.ok_or_else(|| format!("{port:?} is not a port from 1 to 65535"))
    });
    Ok((host, port.transpose()?))
}

/// An IPv6 address, perhaps with a zone.
fn ipv6(text: &str, is_url: bool) -> Result<String, String> {
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    if address.parse::<Ipv6Addr>().is_err() {
        return Err(format!("{address:?} is not an IPv6 address; with a port it is written as [::1]:{PORT}"));
    }
    match zone.map(|zone| zone.strip_prefix("25").filter(|rest| is_url && !rest.is_empty()).unwrap_or(zone)) {
        None => Ok(address.into()),
        Some("") => Err("the network interface after % is missing: add it, as in [fe80::1%eth0]".into()),
        Some(zone) => Ok(format!("{address}%{zone}")),
    }
}

/// Decodes each part of a path.
fn decode_path(path: &str) -> Result<String, String> {
    let parts: Vec<_> = path.split('/').map(decode).collect::<Result<_, _>>()?;
    match parts.iter().any(|part| part.contains('/')) {
        true => Err("%2F in a name cannot be stored: give another name".into()),
        false => Ok(parts.join("/")),
    }
}

/// Replaces `%` and two hexadecimal digits by their byte.
fn decode(path: &str) -> Result<String, String> {
    if let Some(wrong) = path.chars().find(|char| "?#".contains(*char)) {
        return Err(format!("{wrong} in a name is written as %{:X}", u32::from(wrong)));
    }
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or("% in a name is written as %25")?);
        bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| "the name is not UTF-8: give another name".into())
}

/// The addresses of a host. There is at least one.
fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    // The resolver of the system knows the names of zones.
    let found = (host, port).to_socket_addrs().map_err(|error| match host.split_once('%') {
        Some((_, zone)) => format!("this machine has no network interface {zone:?} for it"),
        None => {
            let why = error.to_string();
            let why = why.rsplit_once(": ").map_or(why.as_str(), |(_, why)| why).to_lowercase();
            format!("no address is known for this host ({why}): check the name and the network")
        }
    });
    let mut addresses: Vec<_> = found?.collect();
    if addresses.is_empty() {
        return Err("it has no address: check the name and the network".into());
    }
    // Prefer IPv4, on which a server listens by default.
    addresses.sort_by_key(|address| matches!(address.ip(), IpAddr::V6(_)));
    Ok(addresses)
}

#[cfg(test)]
mod tests;
