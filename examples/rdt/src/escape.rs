//! Control characters of names and messages, which a terminal would execute.

use std::borrow::Cow;

/// The text on one line: each character that a terminal executes, or that changes the order of the text around it, is
/// escaped as in a Rust string, such as `\u{1b}`.
///
/// Names come from the peer, from the command line and from the disk. All output passes here.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_unprintable(char) { escaped.extend(char.escape_default()) } else { escaped.push(char) }
    }
    escaped.into()
}

/// The same for text of several lines, such as the message about a wrong command line.
pub(crate) fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

/// Control characters, separators of lines and paragraphs, the marks of bidirectional text (UAX #9 §2), and what has no
/// width: with it two names look alike.
pub(crate) fn is_unprintable(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0001}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_executes_is_escaped() {
        let cases = [
            ("plain \u{e9} \u{6587} \\", "plain \u{e9} \u{6587} \\"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\r\nb\tc\u{7}\u{7f}", "a\\r\\nb\\tc\\u{7}\\u{7f}"),
            ("\u{9b}2J\u{85}", "\\u{9b}2J\\u{85}"),
            ("a\u{200b}b\u{200d}\u{2060}\u{feff}", "a\\u{200b}b\\u{200d}\\u{2060}\\u{feff}"),
            ("soft\u{ad}\u{180e}\u{206a}\u{fff9}\u{e0041}", "soft\\u{ad}\\u{180e}\\u{206a}\\u{fff9}\\u{e0041}"),
            ("exe\u{202e}txt\u{2028}\u{2066}", "exe\\u{202e}txt\\u{2028}\\u{2066}"),
        ];
        for (text, expected) in cases {
            assert_eq!(escape(text), expected);
        }
        assert_eq!(escape_lines("one\u{1b}\ntwo\n"), "one\\u{1b}\ntwo\n");
    }
}
