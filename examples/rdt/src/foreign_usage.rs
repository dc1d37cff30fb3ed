//! What to write instead of the commands, options and orders of `scp`, `cp`, `rsync` and `ls`.

use crate::server_address::{self, ServerAddress};
use std::net::IpAddr;
use std::path::Path;

/// What to write instead of a command that this program does not have.
pub(crate) fn command(name: &str) -> Option<String> {
    let put = "rdt put FILE… HOST";
    let get = "rdt get NAME… HOST";
    Some(match name {
        "cp" | "scp" | "rsync" | "copy" | "sync" => {
            format!("there is no {name}: write {put} to send, and {get} to fetch")
        }
        "send" | "upload" | "push" | "store" => format!("there is no {name}: write {put}"),
        "fetch" | "download" | "pull" | "receive" | "recv" => format!("there is no {name}: write {get}"),
        "list" | "dir" | "ll" => format!("there is no {name}: write rdt ls HOST, or rdt ls HOST/FOLDER"),
        "server" | "daemon" | "listen" | "start" => format!("there is no {name}: write rdt serve --root DIR"),
        "rm" | "del" | "delete" | "unlink" | "rmdir" | "mv" | "move" | "rename" | "mkdir" => format!(
            "there is no {name}: a client only adds, replaces and reads files (put, get, ls), and put makes folders"
        ),
        _ => return None,
    })
}

/// What to write instead of an option that `command` does not have.
pub(crate) fn option(command: &str, option: &str) -> Option<String> {
    let why = match (command, option) {
        ("put" | "get", "-p" | "--preserve") => {
            "times and permissions come along anyway (--no-preserve leaves them out)"
        }
        ("put" | "get", "-a" | "--archive") => "folders, times and permissions come along anyway",
        ("put" | "get", "-u") => "write --update, to skip files that are the same on the other side",
        ("put" | "get", "-c" | "--checksum") => "write --verify, to skip files with the same content on the other side",
        ("put" | "get", "-C" | "-z" | "--compress") => "nothing is compressed; leave it out",
        ("put" | "get", "-l" | "--bwlimit") => "write --rate, as in --rate 20M (bits per second)",
        ("put", "-o" | "--output") => "write --name for the path at the server",
        ("get", "-n" | "--name") => "write --output for the place on this machine",
        ("put" | "get" | "ls", "-P" | "-p" | "--port") => "write HOST:PORT",
        ("put" | "get" | "ls", "-i") => "there are no keys and no passwords; leave it out",
        ("put" | "get" | "ls" | "serve", "-q") => "write --quiet",
        ("ls", "-l" | "-a" | "-h" | "-A" | "-1") => "lengths, times and hidden files are listed anyway",
        ("ls", "-R") => "write -r or --recursive",
        ("serve", "-p" | "-P" | "--port") => "write --bind 0.0.0.0:PORT, or --bind 127.0.0.1:PORT",
        ("serve", "-d" | "--dir" | "--directory" | "--folder") => "write --root DIR",
        _ => return None,
    };
    Some(format!("there is no {option}: {why}"))
}

/// What is missing beside the only word of `put`.
pub(crate) fn beside_word_of_put(word: &str) -> String {
    if is_server(word) {
        return format!("the file is missing: write rdt put FILE {word}");
    }
    "the server is missing: give FILE ADDR".into()
}

/// What is missing beside the only word of `get`, which is no URL.
pub(crate) fn beside_word_of_get(word: &str) -> String {
    match of_scp(word) {
        _ if is_server(word) => {
            format!("the name is missing: write rdt get NAME {word} (rdt ls {word} shows them, and . is everything)")
        }
        Some((host, path)) => format!("the server comes last: write rdt get {path} {host}"),
        None => "the server is missing: give NAME ADDR, or rdt://host:port/name".into(),
    }
}

/// What is wrong with the order of the words of `put`, if it is that of another program: the server comes last.
///
/// The last word may be the name of a host, so it is looked up if the others suggest that it is none.
pub(crate) fn order_of_put(words: &[String]) -> Option<String> {
    let [first, .., last] = words else { return None };
    let is_here = |word: &str| word == "-" || Path::new(word).symlink_metadata().is_ok();
    let is_suspect = match is_here(first) {
        true => is_here(last),
        false => is_here(last) || is_server(first) || of_scp(first).is_some(),
    };
    if !is_suspect || is_known(last) {
        return None;
    }
    if !is_here(first) {
        return match of_scp(first) {
            Some((host, path)) => {
                Some(format!("put sends files: to fetch, write rdt get {path} {host} --output {last}"))
            }
            None if is_server(first) || is_known(first) => Some(last_comes(&words[1..], first)),
            None => Some(format!("{first} is not here, and the server is missing: it comes last")),
        };
    }
    Some(format!("the server comes last, and {last} is on this machine: write rdt put {} HOST", words.join(" ")))
}

fn last_comes(files: &[String], server: &str) -> String {
    format!("the server comes last: write rdt put {} {server}", files.join(" "))
}

/// The same for `get`.
pub(crate) fn order_of_get(words: &[String]) -> Option<String> {
    let [names @ .., last] = words else { return None };
    let first = names.first()?;
    let is_here = Path::new(last).symlink_metadata().is_ok();
    if !is_here && !is_server(first) && of_scp(first).is_none() || is_known(last) {
        return None;
    }
    if is_server(first) && !is_here {
        let names = [&names[1..], std::slice::from_ref(last)].concat().join(" ");
        return Some(format!("the server comes last: write rdt get {names} {first}"));
    }
    if names.len() == 1 && is_server(first) {
        return Some(format!("the name is missing: write rdt get NAME {first} --output {last}"));
    }
    Some(instead_of_place(names, last))
}

/// What to write instead of `host:path place`, `host path place` and `path place`.
pub(crate) fn instead_of_place(names: &[String], place: &str) -> String {
    let (host, paths) = host_and_paths(names);
    format!("the server comes last, and {place} is none: write rdt get {paths} {host} --output {place}")
}

/// The host and the paths in words without their destination.
fn host_and_paths(words: &[String]) -> (&str, String) {
    let of_scp: Option<Vec<_>> = words.iter().map(|word| of_scp(word)).collect();
    if let Some(all) = of_scp.filter(|all| all.windows(2).all(|pair| pair[0].0 == pair[1].0))
        && let Some((host, _)) = all.first()
    {
        return (host, all.iter().map(|(_, path)| *path).collect::<Vec<_>>().join(" "));
    }
    match words {
        [server, paths @ ..] if is_server(server) && !paths.is_empty() => (server, paths.join(" ")),
        [path] => ("HOST", path.clone()),
        [paths @ .., host] => (host, paths.join(" ")),
        [] => ("HOST", String::new()),
    }
}

/// What is wrong with the words of `ls`: a path follows its server without a space.
pub(crate) fn order_of_ls(server: &str, others: &[String]) -> Option<String> {
    let [last] = others else {
        return (!others.is_empty()).then(|| "one list at a time: write rdt ls HOST/FOLDER".into());
    };
    let is_host = |word: &str| is_server(word) || server_address::is_url(word);
    let (host, path) = match (is_host(server), is_host(last)) {
        (true, _) => (server, last.as_str()),
        (false, true) => (last.as_str(), server),
        (false, false) => return Some("a path stands behind its server: write rdt ls HOST/FOLDER".into()),
    };
    let path = path.trim_start_matches("./").trim_start_matches('/');
    let path = if path == "." { "" } else { path };
    Some(format!("a path stands behind its server: write rdt ls {}/{path}", host.trim_end_matches('/')))
}

/// Whether the word can hardly be the name of a file: an address with a port, one of numbers, or this machine.
fn is_server(word: &str) -> bool {
    let host = word.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map(|(host, _)| host);
    let is_address = |host: &str| host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let is_server = host.is_some_and(|host| !host.is_empty()) || is_address(word) || word == "localhost";
    is_server && ServerAddress::parse(word).is_ok()
}

/// Whether the word names a host that is known.
fn is_known(word: &str) -> bool {
    server_address::is_url(word) || ServerAddress::parse(word).is_ok_and(|address| address.resolve().is_ok())
}

/// The host and the path of `host:path` or `user@host:path`. Servers have no users, and paths begin in their folder.
fn of_scp(word: &str) -> Option<(&str, &str)> {
    if server_address::is_url(word) || is_server(word) {
        return None;
    }
    // A port may stand between them.
    let ends: Vec<_> = word.match_indices(':').map(|(at, _)| at).take(2).collect();
    let with_port = ends.get(1).and_then(|end| word.get(..*end)).filter(|host| is_server(host)).map(str::len);
    let end = with_port.or(ends.first().copied())?;
    let (host, path) = (word.get(..end)?, word.get(end + 1..)?);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let path = path.trim_start_matches("~/").trim_start_matches('/');
    (!host.is_empty() && !host.contains('/')).then_some((host, if path.is_empty() { "." } else { path }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_a_place_is_no_name() {
        for server in ["10.0.0.1", "10.0.0.1:7000", "host:7000", "[::1]:7000", "::1", "localhost"] {
            assert!(is_server(server) && of_scp(server).is_none(), "{server}");
        }
        for name in ["host", "a.txt", "host:path", "user@host:path", ":7000", "rdt://host:7000/a"] {
            assert!(!is_server(name), "{name}");
        }
        assert_eq!(of_scp("user@host:~/a/b"), Some(("host", "a/b")));
        assert_eq!(of_scp("host:"), Some(("host", ".")));
        assert_eq!(of_scp("host:7000:a:b"), Some(("host:7000", "a:b")));
        assert_eq!(of_scp("a/b:c"), None);
    }

    #[test]
    fn every_form_of_words_names_its_host() {
        for (words, host, paths) in [
            ("host:a", "host", "a"),
            ("host:a host:b", "host", "a b"),
            ("host:a other:b", "other:b", "host:a"),
            ("a b host", "host", "a b"),
            ("10.0.0.1:7000 a b", "10.0.0.1:7000", "a b"),
            ("a", "HOST", "a"),
        ] {
            let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
            assert_eq!(host_and_paths(&words), (host, paths.to_owned()), "{words:?}");
        }
    }
}
