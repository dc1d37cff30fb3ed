//! The address of a server, as the user writes it: `host`, `host:port`, or `rdt://host:port/name`.
//!
//! ```text
//! ADDR = [ "rdt://" ] HOST [ ":" PORT ] [ "/" [ NAME ] ]        the slash and NAME only after "rdt://"
//! HOST = a name | an IPv4 address | "[" IPV6 [ "%" ZONE ] "]"   without a port also IPV6 [ "%" ZONE ]
//! ```
//!
//! In a URL, `%` and two digits stand for a byte (RFC 3986 §2.1), and `%25` for the `%` of a zone (RFC 6874 §2).

use crate::remote_path;
use crate::shell_words::word;
use rdt_proto::files::FilePathBox;
use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// The default port of a server.
const PORT: u16 = 6969;
const SCHEME: &str = "rdt://";

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
        let Some(rest) = without_scheme(text)? else { return Self::of(text, text, false, None) };
        let (authority, name) = match rest.split_once('/') {
            None | Some((_, "")) => (rest.trim_end_matches('/'), None),
            Some((authority, path)) => {
                let path = decode_path(path)?;
                let name = remote_path::parse(path.trim_end_matches('/'))?;
                (authority, Some(name))
            }
        };
        Self::of(text, authority, true, name)
    }

    /// The same for an address with a path behind it, with or without a scheme.
    pub(crate) fn parse_with_path(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((authority, path)) if !is_url(text) => {
                let path = path.trim_end_matches('/');
                let path = if path.is_empty() { None } else { Some(remote_path::parse(path)?) };
                Self::of(text, authority, false, path)
            }
            Some(_) | None => Self::parse(text),
        }
    }

    /// The same for a command that has no use for a name.
    pub(crate) fn parse_without_name(text: &str) -> Result<Self, String> {
        let address = Self::parse(text)?;
        if address.name.is_some() { Err("a name of a file has no meaning here".into()) } else { Ok(address) }
    }

    fn of(text: &str, authority: &str, is_url: bool, name: Option<FilePathBox>) -> Result<Self, String> {
        if let Some(hint) = of_scp(authority) {
            return Err(hint);
        }
        if let Some((host, path)) = authority.split_once('/') {
            return Err(format!("a path needs rdt:// in front: write {}", url(host, path)));
        }
        if let Some(host) = authority.strip_suffix(':').filter(|host| !host.contains(':')) {
            return Err(format!("no port follows the colon: write {}", word(host)));
        }
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

/// Whether the text is a URL, and not the name of a file.
pub(crate) fn is_url(text: &str) -> bool {
    text.contains("://")
}

/// The URL of a path at a host, as a word of a shell.
pub(crate) fn url(host: &str, path: &str) -> String {
    word(&format!("{SCHEME}{host}/{}", encode(path))).into_owned()
}

/// A path as it stands in a URL: what has a meaning there, and a blank, is a `%` and two digits.
pub(crate) fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for char in path.chars() {
        match char {
            ' ' | '%' | '?' | '#' => encoded.push_str(&format!("%{:02X}", u32::from(char))),
            char => encoded.push(char),
        }
    }
    encoded
}

/// Checks the form of an address to listen on.
pub(crate) fn parse_bind(text: &str) -> Result<String, String> {
    let (host, _) = split(text, false)?;
    if is_number(&host) {
        return Err(format!("a number is no address: write 0.0.0.0:{host} if it is the port, or 127.0.0.1:{host}"));
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

/// What to write instead of `user@host`, `host:path` and `user@host:path`, as `scp` has them.
fn of_scp(text: &str) -> Option<String> {
    let (user, place) = text.split_once('@').map_or((None, text), |(user, place)| (Some(user), place));
    let (host, path) = place.split_once(':').unwrap_or((place, ""));
    let port = path.split('/').next().unwrap_or_default();
    let is_port = path.is_empty() || !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_simple = !host.is_empty() && !host.contains(['[', '/', '@']) && !path.contains([':', '@', ']']);
    let path = path.trim_start_matches('/').trim_start_matches("~/");
    match (user, is_port) {
        _ if !is_simple => None,
        (Some(user), true) => Some(format!("there are no users, so that {user}@ has no place: write {}", word(place))),
        (Some(user), false) => Some(format!(
            "there are no users, so that {user}@ has no place, and a path needs a URL: write {}",
            url(host, path)
        )),
        (None, false) => {
            let url = url(host, path);
            Some(format!("{path:?} is not a port from 1 to 65535, and a path needs a URL: write {url}"))
        }
        (None, true) => None,
    }
}

/// Splits a host from its port.
fn split(authority: &str, is_url: bool) -> Result<(String, Option<u16>), String> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("the bracket of the IPv6 address is not closed")?;
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
        return Err("it names no host".into());
    }
    let is_wrong = |char: char| char.is_whitespace() || char.is_control() || "/\\@?#[]\"<>".contains(char);
    if let Some(wrong) = host.chars().find(|char| is_wrong(*char)) {
        return Err(format!("{wrong:?} has no place in a host"));
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
        Some("") => Err("the network interface after % is missing".into()),
        Some(zone) => Ok(format!("{address}%{zone}")),
    }
}

/// Decodes each part of a path.
fn decode_path(path: &str) -> Result<String, String> {
    let parts: Vec<_> = path.split('/').map(decode).collect::<Result<_, _>>()?;
    match parts.iter().any(|part| part.contains('/')) {
        true => Err("%2F in a name cannot be stored".into()),
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
    String::from_utf8(bytes).map_err(|_| "the name is not UTF-8".into())
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
        return Err("it has no address".into());
    }
    // Prefer IPv4, on which a server listens by default.
    addresses.sort_by_key(|address| matches!(address.ip(), IpAddr::V6(_)));
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, u16, Option<String>) {
        let address = ServerAddress::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        let name = address.name.map(|name| name.to_string());
        (address.host, address.port, name)
    }

    #[test]
    fn every_form_of_an_address_is_understood() {
        for (text, host, port, name) in [
            ("host", "host", PORT, None),
            ("host:1", "host", 1, None),
            ("192.0.2.1", "192.0.2.1", PORT, None),
            ("::1", "::1", PORT, None),
            ("[::1]", "::1", PORT, None),
            ("[::1]:65535", "::1", 65_535, None),
            ("fe80::1%eth0", "fe80::1%eth0", PORT, None),
            ("[fe80::1%eth0]:1", "fe80::1%eth0", 1, None),
            ("[fe80::1%25]:1", "fe80::1%25", 1, None),
            ("rdt://host", "host", PORT, None),
            ("RDT://host:1/", "host", 1, None),
            ("rdt://host:1/a", "host", 1, Some("a")),
            ("rdt://[::1]:1/a%20b%25%C3%a9", "::1", 1, Some("a b%\u{e9}")),
            ("rdt://host/a/b%3f/c/", "host", PORT, Some("a/b?/c")),
            ("rdt://[fe80::1%eth0]/a", "fe80::1%eth0", PORT, Some("a")),
            ("rdt://[fe80::1%25eth0]:1/a", "fe80::1%eth0", 1, Some("a")),
        ] {
            assert_eq!(parsed(text), (host.into(), port, name.map(Into::into)), "{text}");
        }
    }

    #[test]
    fn a_malformed_address_names_what_is_wrong() {
        for (text, why) in [
            ("", "it names no host"),
            (":1", "it names no host"),
            ("rdt://", "it names no host"),
            ("rdt:///a", "it names no host"),
            ("host:", "no port follows the colon: write host"),
            ("7000", "a number is no host: write HOST:7000 if it is the port"),
            ("host:port", "\"port\" is not a port from 1 to 65535, and a path needs a URL: write rdt://host/port"),
            ("host:/a/b", "\"a/b\" is not a port from 1 to 65535, and a path needs a URL: write rdt://host/a/b"),
            ("host:+1", "\"+1\" is not a port from 1 to 65535, and a path needs a URL: write rdt://host/+1"),
            ("host:0", "\"0\" is not a port from 1 to 65535"),
            ("host:65536", "\"65536\" is not a port from 1 to 65535"),
            ("host/a", "a path needs rdt:// in front: write rdt://host/a"),
            ("host:1/a", "a path needs rdt:// in front: write rdt://host:1/a"),
            ("host/a b?", "a path needs rdt:// in front: write 'rdt://host/a%20b%3F'"),
            ("host:*.jpg", "\"*.jpg\" is not a port from 1 to 65535, and a path needs a URL: write 'rdt://host/*.jpg'"),
            ("user@host", "there are no users, so that user@ has no place: write host"),
            ("u@host:7", "there are no users, so that u@ has no place: write host:7"),
            ("u@host:a/b", "there are no users, so that u@ has no place, and a path needs a URL: write rdt://host/a/b"),
            ("a host", "' ' has no place in a host"),
            ("[::1", "the bracket of the IPv6 address is not closed"),
            ("[::1]1", "\"1\" follows the bracket, and not : and a port"),
            ("[host]:1", "\"host\" is not an IPv6 address; with a port it is written as [::1]:6969"),
            ("a:b:c", "\"a:b:c\" is not an IPv6 address; with a port it is written as [::1]:6969"),
            ("[fe80::1%]:1", "the network interface after % is missing"),
            ("http://host/a", "only URLs that begin with rdt:// are understood"),
            ("rdt://host/a//b", "// has no place in a path: write a/b"),
            ("rdt://host/a/%2e%2E", ".. has no place in a path: the path begins in the folder of the server"),
            ("rdt://host/a%2Fb", "%2F in a name cannot be stored"),
            ("rdt://host/a?b", "? in a name is written as %3F"),
            ("rdt://host/a%zz", "% in a name is written as %25"),
            ("rdt://host/a%", "% in a name is written as %25"),
            ("rdt://host/a%\u{e9}\u{e9}", "% in a name is written as %25"),
            ("rdt://host/a%ff", "the name is not UTF-8"),
        ] {
            assert_eq!(ServerAddress::parse(text), Err(why.into()), "{text}");
        }
        assert!(ServerAddress::parse_without_name("rdt://host/a").is_err());
        assert_eq!(parse_bind("[::]:0"), Ok("[::]:0".into()));
        assert!(parse_bind("rdt://host").is_err());
    }

    /// Loopback has the number 1.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_zone_is_the_name_or_the_number_of_an_interface() {
        for text in ["[fe80::1%lo]:1", "fe80::1%1", "rdt://[fe80::1%25lo]"] {
            let SocketAddr::V6(address) = ServerAddress::parse(text).unwrap().first().unwrap() else {
                panic!("{text}")
            };
            assert_eq!((address.ip().to_string().as_str(), address.scope_id()), ("fe80::1", 1), "{text}");
        }
        let none = ServerAddress::parse("[fe80::1%none]:1").unwrap().first();
        let expected =
            "cannot use [fe80::1%none]:1 as the server: this machine has no network interface \"none\" for it";
        assert_eq!(none, Err(expected.into()));
        let missing = ServerAddress::parse("[fe80::1]:1").unwrap().first();
        assert!(missing.unwrap_err().ends_with("needs the network interface, as in [fe80::1%eth0]"));
    }
}
