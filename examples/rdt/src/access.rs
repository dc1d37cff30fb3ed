//! What clients may do, and which addresses are admitted.

use ipnet::{IpNet, Ipv4Net};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// What clients may do with the files of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Access {
    #[default]
    ReadWrite,
    ReadOnly,
    /// A drop box: clients add files. No answer says which files are there.
    WriteOnly,
}

impl Access {
    /// What the program does with files, for the line about its restriction.
    #[cfg(target_os = "linux")]
    pub(crate) fn needs(self) -> &'static str {
        match self {
            Self::ReadWrite => "read and write files",
            Self::ReadOnly => "read files",
            Self::WriteOnly => "add files",
        }
    }

    fn verb(self, replaces: bool) -> &'static str {
        match (self, replaces) {
            (Self::ReadWrite, true) => "read, add and replace",
            (Self::ReadWrite, false) => "read and add",
            (Self::ReadOnly, _) => "read",
            (Self::WriteOnly, _) => "add",
        }
    }
}

/// What a server refuses to each client, whatever the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barred {
    Uploads,
    Downloads,
    /// Folders, and files in them.
    Folders,
}

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uploads => "--read-only",
            Self::Downloads | Self::Folders => "--write-only",
        })
    }
}

impl std::error::Error for Barred {}

impl From<Barred> for io::Error {
    fn from(barred: Barred) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, barred)
    }
}

/// The networks whose addresses are admitted. If there are none, all addresses are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Networks(Arc<[IpNet]>);

impl Networks {
    pub(crate) fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    /// Whether all addresses are admitted.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `address` is admitted. An IPv4-mapped address counts as its IPv4 address.
    pub(crate) fn admit(&self, address: IpAddr) -> bool {
        self.is_empty() || self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }
}

/// Reads a network in CIDR notation, or one address.
pub(crate) fn parse_network(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => IpNet::from(text.parse::<IpAddr>().map_err(|_| "not a network, such as 192.168.0.0/16, or address")?),
    };
    /// The length of the prefix of IPv4-mapped addresses (RFC 4291 §2.5.5.2).
    const MAPPED: u8 = 96;
    let network = match network {
        IpNet::V6(mapped) => match (mapped.addr().to_ipv4_mapped(), mapped.prefix_len().checked_sub(MAPPED)) {
            (Some(address), Some(len)) => Ipv4Net::new(address, len).map_or(network, IpNet::V4),
            (None, _) | (_, None) => network,
        },
        IpNet::V4(_) => network,
    };
    Ok(network.trunc())
}

/// Says what reaches the server, and what it can do with the files. `replaces`: whether uploads replace files.
pub(crate) fn announcement(
    access: Access,
    replaces: bool,
    networks: &Networks,
    bound: &[SocketAddr],
    root: &Path,
) -> String {
    let what = format!("{} files in {}", access.verb(replaces), root.display());
    let what = if access == Access::WriteOnly { format!("add files to {}", root.display()) } else { what };
    let list = networks.0.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", ");
    if bound.iter().all(|address| address.ip().to_canonical().is_loopback()) {
        if !bound.iter().any(|address| networks.admit(address.ip())) {
            return format!(
                "nobody reaches the server: only this machine could, and no address of it is in {list}: give another \
                 --bind or --allow"
            );
        }
        return format!(
            "only this machine reaches the server (--bind opens it to others): each of its users and programs can {what}"
        );
    }
    let warning = "there is no password and no encryption";
    if networks.is_empty() {
        return format!("anyone who reaches the port can {what}: {warning}");
    }
    format!("anyone with an address in {list} can {what}: {warning}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(list: &[&str]) -> Networks {
        Networks::new(&list.iter().map(|text| parse_network(text).unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn only_addresses_of_the_networks_are_admitted() {
        let networks = networks(&["10.0.0.7/8", "192.0.2.1", "2001:db8::/32", "::ffff:198.51.100.0/120"]);
        let admits = |address: &str| networks.admit(address.parse().unwrap());
        for address in ["10.255.0.1", "::ffff:10.1.2.3", "192.0.2.1", "2001:db8:1::1", "198.51.100.9"] {
            assert!(admits(address), "{address}");
        }
        for address in ["11.0.0.1", "192.0.2.2", "::ffff:11.0.0.1", "::10.0.0.1", "2001:db9::1", "198.51.101.9", "::1"]
        {
            assert!(!admits(address), "{address}");
        }
    }

    #[test]
    fn without_networks_all_addresses_are_admitted() {
        assert!(networks(&[]).admit([203, 0, 113, 1].into()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "host", "10.0.0.1:6969", "::/129", "fe80::1%eth0"] {
            assert!(parse_network(text).is_err(), "{text}");
        }
        assert_eq!(parse_network("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        // No prefix of IPv6 alone admits addresses of IPv4.
        assert!(!networks(&["::/0"]).admit([203, 0, 113, 1].into()));
    }

    #[test]
    fn the_announcement_names_each_danger() {
        let say = |access, replaces, list: &[&str], bound: &[&str]| {
            let bound: Vec<_> = bound.iter().map(|address| address.parse().unwrap()).collect();
            announcement(access, replaces, &networks(list), &bound, Path::new("/srv"))
        };
        let any = "0.0.0.0:6969";
        assert_eq!(
            say(Access::ReadWrite, true, &[], &[any]),
            "anyone who reaches the port can read, add and replace files in /srv: there is no password and no encryption"
        );
        assert!(say(Access::ReadWrite, false, &[], &[any]).contains("can read and add files in"));
        assert!(say(Access::ReadOnly, true, &[], &[any]).contains("can read files in /srv: there"));
        assert!(say(Access::WriteOnly, true, &[], &[any]).contains("can add files to /srv: there"));
        let allowed = say(Access::ReadOnly, true, &["10.0.0.0/8", "::1"], &[any]);
        assert!(allowed.starts_with("anyone with an address in 10.0.0.0/8, ::1/128 can read"), "{allowed}");
        for local in ["127.0.0.1:6969", "[::1]:6969", "[::ffff:127.0.0.1]:6969"] {
            assert!(say(Access::ReadOnly, true, &[], &[local]).starts_with("only this machine reaches"), "{local}");
        }
        let excluded = say(Access::ReadOnly, true, &["10.0.0.0/8"], &["127.0.0.1:6969"]);
        assert!(
            excluded.starts_with("nobody reaches the server: ") && excluded.contains(" is in 10.0.0.0/8: "),
            "{excluded}"
        );
        assert!(say(Access::ReadOnly, true, &["127.0.0.0/8"], &["127.0.0.1:6969"]).starts_with("only this machine"));
        assert!(say(Access::ReadOnly, true, &[], &["127.0.0.1:6969", any]).starts_with("anyone"));
    }
}
