//! What to write instead of the commands, options and orders of `scp`, `cp`, `rsync` and `ls`.

mod options;

use crate::remote_path;
use crate::server_address::{self, ServerAddress};
use crate::shell_words::{command as command_of, word as shell_word};
pub(crate) use options::option;
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

/// What is missing beside the only word of `put`.
pub(crate) fn beside_word_of_put(word: &str, name: Option<&str>) -> String {
    let option = name.map(|name| ("--name", name));
    if is_server(word) || server_address::is_url(word) {
        return format!("the file is missing: write {}", command_of("put", ["FILE", word], option));
    }
    if word == "-" {
        let option = option.or(Some(("--name", "NAME")));
        return format!("the server is missing: write {}", command_of("put", [word, "HOST"], option));
    }
    if is_here(word) {
        return format!("the server is missing: write {}", command_of("put", [word, "HOST"], option));
    }
    match place(word) {
        Some((host, path)) => {
            let (url, get) = (server_address::url(&host, &path), command_of("get", [&*path, &*host], None));
            format!("the file is missing: write rdt put FILE {}, or to fetch, {get}", shell_word(&url))
        }
        None => {
            let put = command_of("put", ["FILE", word], option);
            format!("{word} is not on this machine: if it is the server, write {put}")
        }
    }
}

/// What is missing beside the only word of `get`, which is no URL.
pub(crate) fn beside_word_of_get(word: &str, output: Option<&str>) -> String {
    let get = |name: &str, host: &str| command_of("get", [name, host], to(output));
    if is_server(word) {
        let list = command_of("ls", [word], None);
        return format!("the name is missing: write {} ({list} shows them, and . is everything)", get("NAME", word));
    }
    match place(word) {
        Some((host, path)) => format!("the server comes last: write {}", get(&path, &host)),
        None => format!("a name and a server are needed: write {}, or {}", get(word, "HOST"), get("NAME", word)),
    }
}

/// What is wrong with the order of the words of `put`, if it is that of another program: the server comes last.
///
/// The last word may be the name of a host, so it is looked up if the others suggest that it is none.
pub(crate) fn order_of_put(words: &[String], name: Option<&str>) -> Option<String> {
    let [files @ .., last] = words else { return None };
    let first = files.first()?;
    let option = name.map(|name| ("--name", name));
    let put = |files: &[String], host: &str| command_of("put", texts(files).chain([host]), option);
    if let Some(put) = with_name_behind(files, last, option) {
        return Some(format!("the server comes last: write {put}"));
    }
    if is_here(first) {
        let is_suspect = is_here(last) && !is_known(last);
        return is_suspect.then(|| format!("the server comes last, and {}: write {}", none(last), put(words, "HOST")));
    }
    let may_be_server = ServerAddress::parse(last).is_ok();
    if is_known(last) {
        return None;
    }
    if of_scp(first).is_some() {
        let get = instead(files, Some(last));
        return Some(format!("put sends files, and {first} is not on this machine: to fetch, write {get}"));
    }
    if (may_be_server || is_here(last)) && (is_server(first) || is_known(first)) {
        return Some(format!("the server comes last: write {}", put(&words[1..], first)));
    }
    if is_here(last) {
        return Some(format!("{first} is not on this machine, and the server is missing: it comes last"));
    }
    may_be_server.then(|| {
        let taken = "which is in the place of the server";
        format!("{first} is not on this machine, and no address is known for {last}, {taken}")
    })
}

/// The command to write instead of one whose server stands in front of the name that the file shall have there.
fn with_name_behind(words: &[String], last: &str, option: Option<(&str, &str)>) -> Option<String> {
    let [files @ .., server] = words else { return None };
    let may_be_meant = !files.is_empty() && !is_here(server) && (is_server(server) || is_known(server));
    if !may_be_meant || is_known(last) {
        return None;
    }
    let name = remote_path::cleaned(last);
    let option = option.or((!name.is_empty()).then_some(("--name", &*name)));
    Some(command_of("put", texts(files).chain([&**server]), option))
}

/// The same for `get`.
pub(crate) fn order_of_get(words: &[String], output: Option<&str>) -> Option<String> {
    let [names @ .., last] = words else { return None };
    let first = names.first()?;
    let host = place(first).map(|(host, _)| host);
    let is_place = is_place(last);
    let get_url = |url: &str, last| command_of("get", [url], to(output.or(last)));
    if server_address::is_url(first) {
        let place = (is_place || !is_known(last)).then_some(last.as_str());
        let is_pair = names.len() == 1 && !server_address::is_url(last);
        return is_pair.then(|| format!("a URL names the server already: write {}", get_url(first, place)));
    }
    if let ([name], Some((server, path))) = (names, of_ls(first))
        && (is_place || !is_known(last))
        && !is_here(name)
    {
        let get = get_url(&server_address::url(&server, &path), Some(last));
        return Some(format!("a path needs rdt:// in front: write {get}"));
    }
    if !is_place && !is_here(last) && !is_server(first) && host.is_none() || is_known(last) {
        return None;
    }
    if names.len() == 1 && is_server(first) && is_place {
        let get = command_of("get", ["NAME", first], to(output.or(Some(last))));
        return Some(format!("the name is missing: write {get}"));
    }
    if is_server(first) && !is_place && (names.len() == 1 || !Path::new(last).is_dir()) {
        let names: Vec<_> = words[1..].iter().map(|name| there(name)).collect();
        let get = command_of("get", texts(&names).chain([&**first]), to(output));
        return Some(format!("the server comes last: write {get}"));
    }
    let get = instead(names, output.or(Some(last)));
    match host {
        Some(host) if names.iter().filter_map(|name| place(name)).any(|(other, _)| other != host) => {
            Some(format!("one server at a time, and it comes last: write {get}"))
        }
        // A name may have a colon, and then the last word is a host that is not known now.
        Some(host) if !is_place && !is_here(last) && !is_known(&host) => {
            let unknown = format!("no address is known for {last}, which is in the place of the server");
            Some(format!("{unknown}: check the name and the network, or if the server is {host}, write {get}"))
        }
        _ if !is_place && output.is_some() => None,
        _ => Some(format!("the server comes last, and {}: write {get}", none(last))),
    }
}

/// Why a word is no server.
fn none(place: &str) -> String {
    match (is_place(place) || ServerAddress::parse(place).is_err(), is_here(place)) {
        (true, true) if place != "-" => format!("{place} is on this machine"),
        (true, _) => format!("{place} is none"),
        (false, true) => format!("no address is known for {place}, which is on this machine"),
        (false, false) => format!("no address is known for {place}"),
    }
}

/// The command to write instead of `host:path`, `host path` and `path`, for one server.
fn instead(names: &[String], output: Option<&str>) -> String {
    let (host, paths) = host_and_paths(names);
    let paths: Vec<_> = paths.iter().map(|path| there(path)).collect();
    command_of("get", texts(&paths).chain([&*host]), to(output))
}

/// The host and the paths in words without their destination.
fn host_and_paths(words: &[String]) -> (String, Vec<String>) {
    let places: Option<Vec<_>> = words.iter().map(|word| place(word)).collect();
    if let Some(all) = places
        && let Some((host, _)) = all.first().cloned()
    {
        // A command has one server.
        return (host.clone(), all.into_iter().filter(|(other, _)| *other == host).map(|(_, path)| path).collect());
    }
    match words {
        [server, paths @ ..] if is_server(server) && !paths.is_empty() => (server.clone(), paths.to_vec()),
        [paths @ .., host] if !paths.is_empty() && !is_here(host) => (host.clone(), paths.to_vec()),
        paths => ("HOST".into(), paths.to_vec()),
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
    let path = remote_path::cleaned(path);
    let path = if server_address::is_url(host) { server_address::encode(&path) } else { path };
    let list = command_of("ls", [&*format!("{}/{path}", host.trim_end_matches('/'))], None);
    Some(format!("a path stands behind its server: write {list}"))
}

fn to(output: Option<&str>) -> Option<(&str, &str)> {
    output.map(|output| ("--output", output))
}

fn texts(words: &[String]) -> impl Iterator<Item = &str> {
    words.iter().map(String::as_str)
}

fn is_here(word: &str) -> bool {
    word == "-" || Path::new(word).symlink_metadata().is_ok()
}

/// Whether the word can be no server, but a place on this machine, or the standard output.
fn is_place(word: &str) -> bool {
    let starts_so = ["/", "./", "../", "~"].iter().any(|start| word.starts_with(start));
    matches!(word, "-" | "." | "..") || starts_so || word.ends_with('/') && !server_address::is_url(word)
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

/// A path as a server has it, and `.` for all of its folder.
fn there(path: &str) -> String {
    let cleaned = remote_path::cleaned(path);
    if cleaned.is_empty() { ".".into() } else { cleaned }
}

/// The host and the path in a word of another program, or of `rdt ls`.
fn place(word: &str) -> Option<(String, String)> {
    of_ls(word).or_else(|| of_scp(word))
}

/// The host and the path of `host/path`, if the host can hardly be a folder.
fn of_ls(word: &str) -> Option<(String, String)> {
    let (host, path) = word.split_once('/')?;
    (is_server(host) && !path.is_empty()).then(|| (host.to_owned(), there(path)))
}

/// The host and the path of `host:path` or `user@host:path`. Servers have no users, and paths begin in their folder.
fn of_scp(word: &str) -> Option<(String, String)> {
    if server_address::is_url(word) || is_server(word) || of_ls(word).is_some() {
        return None;
    }
    // A port may stand between them.
    let ends: Vec<_> = word.match_indices(':').map(|(at, _)| at).take(2).collect();
    let with_port = ends.get(1).and_then(|end| word.get(..*end)).filter(|host| is_server(host)).map(str::len);
    let end = with_port.or(ends.first().copied())?;
    let (host, path) = (word.get(..end)?, word.get(end + 1..)?);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let path = there(path.trim_start_matches("~/"));
    (!host.is_empty() && !host.contains('/')).then(|| (host.to_owned(), path))
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
        for (word, expected) in [
            ("user@host:~/a/b", Some(("host", "a/b"))),
            ("host:", Some(("host", "."))),
            ("host:/", Some(("host", "."))),
            ("host:../a//b/", Some(("host", "a/b/"))),
            ("host:7000:a:b", Some(("host:7000", "a:b"))),
            ("localhost:7000/a", None),
            ("a/b:c", None),
        ] {
            let found = of_scp(word);
            assert_eq!(found.as_ref().map(|(host, path)| (&**host, &**path)), expected, "{word}");
        }
        assert_eq!(of_ls("localhost:7000/../a/b"), Some(("localhost:7000".into(), "a/b".into())));
        assert_eq!(of_ls("folder/a"), None);
    }

    #[test]
    fn every_form_of_words_names_its_host() {
        for (words, host, paths) in [
            ("host:a", "host", "a"),
            ("host:a host:b", "host", "a b"),
            ("host:a other:b host:c", "host", "a c"),
            ("a b host", "host", "a b"),
            ("10.0.0.1:7000 a b", "10.0.0.1:7000", "a b"),
            ("a", "HOST", "a"),
        ] {
            let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
            let paths = paths.split(' ').map(str::to_owned).collect();
            assert_eq!(host_and_paths(&words), (host.to_owned(), paths), "{words:?}");
        }
    }
}
