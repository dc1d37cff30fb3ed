//! Commands in messages. They can be pasted into a shell.

use std::borrow::Cow;

/// The word as a POSIX shell reads it. Words without a character that is special there stay as they are.
pub(crate) fn word(text: &str) -> Cow<'_, str> {
    // No argument contains NUL, the only error.
    shlex::try_quote(text).unwrap_or(Cow::Borrowed(text))
}

/// The command `rdt name word…`, with an option and its value behind.
pub(crate) fn command<'w>(
    name: &str,
    words: impl IntoIterator<Item = &'w str>,
    option: Option<(&str, &str)>,
) -> String {
    let words: Vec<_> = words.into_iter().collect();
    let looks_like_option = |text: &str| text.starts_with('-') && text != "-";
    let option = option.map(|(name, value)| {
        // It would be taken for another option.
        let separator = if looks_like_option(value) { "=" } else { " " };
        format!("{name}{separator}{}", word(value))
    });
    let is_ambiguous = words.iter().any(|text| looks_like_option(text));
    let words = words.into_iter().map(|text| word(text).into_owned());
    let begin = ["rdt", name].map(str::to_owned).into_iter();
    let all: Vec<_> = if is_ambiguous {
        begin.chain(option).chain(["--".into()]).chain(words).collect()
    } else {
        begin.chain(words).chain(option).collect()
    };
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted() {
        let output = |place| Some(("--output", place));
        for (words, option, expected) in [
            (vec!["a.txt", "host:6969"], None, "rdt get a.txt host:6969"),
            (vec!["my file", "host"], output("new copy"), "rdt get 'my file' host --output 'new copy'"),
            (vec!["*.jpg", "it's", "[::1]:7000"], None, "rdt get '*.jpg' \"it's\" '[::1]:7000'"),
            (vec!["$HOME", "~/a", ""], output("-"), "rdt get '$HOME' '~/a' '' --output -"),
            (vec!["-a", "host"], output("-b"), "rdt get --output=-b -- -a host"),
            (vec!["-", "host"], None, "rdt get - host"),
        ] {
            let command = command("get", words.iter().copied(), option);
            assert_eq!(command, expected);
            let read = shlex::split(&command).unwrap();
            assert!(words.iter().all(|text| read.iter().any(|read| read == text)), "{command}");
        }
    }
}
