//! Addresses as other programs have them: `user@host`, `host:path`, `host:port:path`, `host/path`.

use super::url::{SCHEME, url};
use std::net::Ipv6Addr;

/// An address with a user, with a path, or with a colon too many.
pub(super) struct ForeignAddress<'t> {
    user: Option<&'t str>,
    /// The host, and its port.
    pub(super) host: &'t str,
    pub(super) path: Option<Suffix<'t>>,
}

/// What follows the host and its port.
#[derive(Clone, Copy)]
pub(super) enum Suffix<'t> {
    /// As `scp` has it. Only without a port the path may be a wrong port.
    BehindColon {
        path: &'t str,
        has_port: bool,
    },
    BehindSlash(&'t str),
}

/// What is wrong with an address, and the address to write instead.
pub(super) struct Advice {
    pub(super) what: String,
    pub(super) instead: String,
}

impl<'t> ForeignAddress<'t> {
    /// `None` for `host`, `host:port`, addresses of IPv6, and what has no host. The text has no scheme.
    pub(super) fn of(text: &'t str) -> Option<Self> {
        // A password may follow the user, as in a URL.
        let authority = text.get(..text.find('/').unwrap_or(text.len()))?;
        let user = authority.rfind('@').and_then(|at| text.split_at_checked(at));
        let (user, place) = user.map_or((None, text), |(user, place)| (Some(user), &place[1..]));
        let authority = place.get(..place.find('/').unwrap_or(place.len()))?;
        let host_end = match place.strip_prefix('[') {
            Some(_) => place.find(']')? + 1,
            None if is_ipv6(authority) => authority.len(),
            None => authority.find(':').unwrap_or(authority.len()),
        };
        let (host, after) = place.split_at_checked(host_end)?;
        if host.is_empty() || may_be_ipv6(host, after) {
            return None;
        }
        let (host_end, path) = match (after.strip_prefix(':'), after.strip_prefix('/')) {
            (Some(after), _) => {
                let port = after.split([':', '/']).next().unwrap_or_default();
                let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
                match after.get(port.len()..).unwrap_or_default() {
                    _ if !is_port => (host_end, Some(Suffix::BehindColon { path: after, has_port: false })),
                    "" => (place.len(), None),
                    rest => {
                        let end = place.len() - rest.len();
                        let colon = rest.strip_prefix(':').map(|path| Suffix::BehindColon { path, has_port: true });
                        (end, colon.or(rest.strip_prefix('/').map(Suffix::BehindSlash)))
                    }
                }
            }
            (None, Some(path)) => (host_end, Some(Suffix::BehindSlash(path))),
            (None, None) if after.is_empty() => (host_end, None),
            (None, None) => return None,
        };
        let is_foreign = user.is_some() || path.is_some();
        is_foreign.then_some(Self { user, host: place.get(..host_end)?, path })
    }

    /// Whether more than a colon follows the host and its port.
    pub(super) fn has_path(&self) -> bool {
        !matches!(self.path, None | Some(Suffix::BehindColon { path: "", .. }))
    }

    /// Whether a URL may have this form, and the argument of `rdt ls`.
    pub(super) fn has_path_behind_slash(&self) -> bool {
        self.user.is_none() && matches!(self.path, Some(Suffix::BehindSlash(_)))
    }

    /// What is wrong, and the address to write instead.
    pub(super) fn advice(&self) -> Advice {
        self.with(|path| url(self.host, path))
    }

    /// The same for what follows the scheme of a URL, whose path is encoded already.
    pub(super) fn advice_in_url(&self) -> Advice {
        self.with(|path| format!("{SCHEME}{}/{path}", self.host))
    }

    fn with(&self, url_of: impl Fn(&str) -> String) -> Advice {
        let path = match self.path {
            None | Some(Suffix::BehindColon { path: "", .. }) => None,
            Some(Suffix::BehindColon { path, .. } | Suffix::BehindSlash(path)) => {
                Some(path.trim_start_matches('/').trim_start_matches("~/"))
            }
        };
        let what = match (self.user, self.path, path) {
            (Some(user), _, None) => format!("there are no users, so that {user}@ has no place"),
            (Some(user), _, Some(_)) => {
                format!("there are no users, so that {user}@ has no place, and a path needs a URL")
            }
            (None, Some(Suffix::BehindColon { has_port: false, .. }), Some(path)) => {
                format!("{path:?} is not a port from 1 to 65535, and a path needs a URL")
            }
            (None, Some(Suffix::BehindColon { .. }), Some(_)) => "a path needs a URL".into(),
            (None, Some(Suffix::BehindColon { .. }), None) => "no port follows the colon".into(),
            (None, Some(Suffix::BehindSlash(_)) | None, _) => format!("a path needs {SCHEME} in front"),
        };
        Advice { what, instead: path.map_or(self.host.to_owned(), url_of) }
    }
}

/// Whether it is an address of IPv6 without brackets, perhaps with a zone.
fn is_ipv6(text: &str) -> bool {
    text.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// Whether it may be an address of IPv6 without brackets, perhaps a wrong one.
fn may_be_ipv6(host: &str, after: &str) -> bool {
    let is_hexadecimal =
        |text: &str, others: &[char]| text.chars().all(|char| char.is_ascii_hexdigit() || others.contains(&char));
    let after = after.split('%').next().unwrap_or_default();
    after.matches(':').count() > 1 && host.len() <= 4 && is_hexadecimal(host, &[]) && is_hexadecimal(after, &[':', '.'])
}
