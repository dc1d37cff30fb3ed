//! Tests of addresses.

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
        ("", "it names no host: give one, or host:port"),
        (":1", "it names no host: give one, or host:port"),
        ("rdt://", "it names no host: give one, or host:port"),
        ("rdt:///a", "it names no host: give one, or host:port"),
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
        ("host/../a//b/", "a path needs rdt:// in front: write rdt://host/a/b/"),
        ("host/", "a path needs rdt:// in front: write rdt://host/"),
        ("host:.", "\".\" is not a port from 1 to 65535, and a path needs a URL: write rdt://host/"),
        ("host:99999/a", "\"99999\" is not a port from 1 to 65535"),
        ("a host:b", "' ' has no place in a host: leave it out"),
        ("7000/a", "a number is no host: write HOST:7000 if it is the port"),
        ("127.0.0.1:1:/tmp/x", "a path needs a URL: write rdt://127.0.0.1:1/tmp/x"),
        ("127.0.0.1:1:abc", "a path needs a URL: write rdt://127.0.0.1:1/abc"),
        ("127.0.0.1:1:", "no port follows the colon: write 127.0.0.1:1"),
        ("[::1]:1:a b", "a path needs a URL: write 'rdt://[::1]:1/a%20b'"),
        ("[::1]:a", "\"a\" is not a port from 1 to 65535, and a path needs a URL: write 'rdt://[::1]/a'"),
        ("rdt://127.0.0.1:1:/tmp/a%20b", "a path needs a URL: write 'rdt://127.0.0.1:1/tmp/a%20b'"),
        ("rdt://u@host/a", "there are no users, so that u@ has no place, and a path needs a URL: write rdt://host/a"),
        ("host:a:b", "\"a:b\" is not a port from 1 to 65535, and a path needs a URL: write rdt://host/a:b"),
        ("host:*.jpg", "\"*.jpg\" is not a port from 1 to 65535, and a path needs a URL: write 'rdt://host/*.jpg'"),
        ("user@host", "there are no users, so that user@ has no place: write host"),
        (
            "rdt://u:p@host/a",
            "there are no users, so that u:p@ has no place, and a path needs a URL: write rdt://host/a",
        ),
        ("u@host:7", "there are no users, so that u@ has no place: write host:7"),
        ("u@host:a/b", "there are no users, so that u@ has no place, and a path needs a URL: write rdt://host/a/b"),
        ("a host", "' ' has no place in a host: leave it out"),
        ("[::1", "the bracket of the IPv6 address is not closed: add ]"),
        ("[::1]1", "\"1\" follows the bracket, and not : and a port"),
        ("[host]:1", "\"host\" is not an IPv6 address; with a port it is written as [::1]:6969"),
        ("a:b:c", "\"a:b:c\" is not an IPv6 address; with a port it is written as [::1]:6969"),
        ("[fe80::1%]:1", "the network interface after % is missing: add it, as in [fe80::1%eth0]"),
        ("http://host/a", "only URLs that begin with rdt:// are understood"),
        ("rdt://host/a//b", "// has no place in a path: write rdt://host/a/b"),
        ("rdt://host/a/%2e%2E", ".. has no place in a path: the path begins in the folder of the server"),
        ("rdt://host/a%2Fb", "%2F in a name cannot be stored: give another name"),
        ("rdt://host/a?b", "? in a name is written as %3F"),
        ("rdt://host/a%zz", "% in a name is written as %25"),
        ("rdt://host/a%", "% in a name is written as %25"),
        ("rdt://host/a%\u{e9}\u{e9}", "% in a name is written as %25"),
        ("rdt://host/a%ff", "the name is not UTF-8: give another name"),
    ] {
        assert_eq!(ServerAddress::parse(text), Err(why.into()), "{text}");
    }
}

#[test]
fn an_address_without_or_with_a_path_names_what_is_wrong() {
    for (text, why) in [
        ("rdt://host/a", "a path has no meaning here: write host"),
        ("127.0.0.1:port", "\"port\" is not a port from 1 to 65535, and a path has no meaning here: write 127.0.0.1"),
        ("host:", "no port follows the colon: write host"),
        ("host:1:", "no port follows the colon: write host:1"),
        ("127.0.0.1:1/a", "a path has no meaning here: write 127.0.0.1:1"),
        ("u@[::1]:1:a", "a path has no meaning here: write '[::1]:1'"),
        ("host:99999/a", "\"99999\" is not a port from 1 to 65535"),
    ] {
        assert_eq!(ServerAddress::parse_without_name(text), Err(why.into()), "{text}");
    }
    for text in ["rdt://host/", "host:1", "::1"] {
        assert!(ServerAddress::parse_without_name(text).is_ok(), "{text}");
    }
    for (text, why) in [
        ("127.0.0.1:1:a", "a path needs a URL: write rdt://127.0.0.1:1/a"),
        ("host:/tmp/a", "\"tmp/a\" is not a port from 1 to 65535, and a path needs a URL: write rdt://host/tmp/a"),
    ] {
        assert_eq!(ServerAddress::parse_with_path(text), Err(why.into()), "{text}");
    }
    assert_eq!(parse_bind("[::]:0"), Ok("[::]:0".into()));
    assert!(parse_bind("rdt://host").is_err());
}

/// Loopback has the number 1.
#[cfg(target_os = "linux")]
#[test]
fn a_zone_is_the_name_or_the_number_of_an_interface() {
    for text in ["[fe80::1%lo]:1", "fe80::1%1", "rdt://[fe80::1%25lo]"] {
        let SocketAddr::V6(address) = ServerAddress::parse(text).unwrap().first().unwrap() else { panic!("{text}") };
        assert_eq!((address.ip().to_string().as_str(), address.scope_id()), ("fe80::1", 1), "{text}");
    }
    let none = ServerAddress::parse("[fe80::1%none]:1").unwrap().first();
    let expected = "cannot use [fe80::1%none]:1 as the server: this machine has no network interface \"none\" for it";
    assert_eq!(none, Err(expected.into()));
    let missing = ServerAddress::parse("[fe80::1]:1").unwrap().first();
    assert!(missing.unwrap_err().ends_with("needs the network interface, as in [fe80::1%eth0]"));
}

/// Regression: the part behind the first colon was taken as a path.
#[test]
fn an_ipv6_address_may_have_a_path_without_brackets() {
    for (text, host) in [("2001:db8::1/a", "2001:db8::1"), ("::1/a", "::1"), ("fd00::1/a", "fd00::1")] {
        for text in [text.to_owned(), format!("rdt://{text}")] {
            let address = ServerAddress::parse_with_path(&text).unwrap();
            assert_eq!(
                (address.host.as_str(), address.port, address.name.as_deref()),
                (host, PORT, Some("a")),
                "{text}"
            );
        }
    }
}
