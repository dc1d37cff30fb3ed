//! A path at a server, as the user writes it.

use crate::shell_words::word;
use rdt_proto::files::{FilePath, FilePathBox, PathError};

/// Reads a path. The error says which part is wrong, and what to write instead.
pub(crate) fn parse(text: &str) -> Result<FilePathBox, String> {
    parse_within(text, str::to_owned)
}

/// The same for a path within a word, which `whole` makes of the path.
pub(crate) fn parse_within(text: &str, whole: impl Fn(&str) -> String) -> Result<FilePathBox, String> {
    FilePath::new(text).map(FilePathBox::from).map_err(|error| explain(text, error, whole))
}

fn explain(text: &str, error: PathError, whole: impl Fn(&str) -> String) -> String {
    const BEGINS: &str = "the path begins in the folder of the server";
    let why = match error {
        _ if text.is_empty() => return "the path is empty".into(),
        PathError::EmptyComponent if text.starts_with('/') => format!("{BEGINS}, and not with /"),
        PathError::EmptyComponent => "// has no place in a path".into(),
        PathError::RelativeFolder => {
            let part = text.split('/').find(|part| matches!(*part, "." | "..")).unwrap_or_default();
            format!("{part} has no place in a path: {BEGINS}")
        }
        // The enum may grow.
        _ => return error.to_string(),
    };
    match plain(text) {
        Some(path) => format!("{why}: write {}", word(&whole(&path))),
        None => why,
    }
}

/// The path without what is wrong in it, if anything is left.
pub(crate) fn plain(text: &str) -> Option<String> {
    let path = cleaned(text.trim_end_matches('/'));
    FilePath::new(&path).is_ok().then_some(path)
}

/// The path without empty parts, `.` and `..`. A slash at its end stays.
pub(crate) fn cleaned(text: &str) -> String {
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if text.ends_with('/') && !parts.is_empty() {
        parts.push("");
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_in_a_path_is_named() {
        for (text, why) in [
            ("", "the path is empty"),
            ("/", "the path begins in the folder of the server, and not with /"),
            ("/etc/passwd", "the path begins in the folder of the server, and not with /: write etc/passwd"),
            ("a b//c", "// has no place in a path: write 'a b/c'"),
            ("a//b", "// has no place in a path: write a/b"),
            ("..", ".. has no place in a path: the path begins in the folder of the server"),
            ("../a", ".. has no place in a path: the path begins in the folder of the server: write a"),
            ("a/../b", ".. has no place in a path: the path begins in the folder of the server: write b"),
            ("./a", ". has no place in a path: the path begins in the folder of the server: write a"),
            ("a\0", "the path contains a NUL byte"),
        ] {
            assert_eq!(parse(text), Err(why.into()), "{text}");
        }
        assert_eq!(&*parse("a/b").unwrap(), "a/b");
    }
}
