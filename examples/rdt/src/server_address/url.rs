//! The URL of a path at a server.

use crate::remote_path;

pub(super) const SCHEME: &str = "rdt://";

/// Whether the text is a URL, and not the name of a file.
pub(crate) fn is_url(text: &str) -> bool {
    text.contains("://")
}

/// The URL of a path at a host. The path is written as a user of another program has it.
pub(crate) fn url(host: &str, path: &str) -> String {
    format!("{SCHEME}{host}/{}", encode(&remote_path::cleaned(path)))
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
