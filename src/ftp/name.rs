//! File names, checked before any storage request.

use core::fmt;

use thiserror::Error;

/// The maximum length of a name in bytes of UTF-8.
///
/// Most file systems allow this many for one path component.
pub const MAX_NAME: usize = 255;

/// Why a name is not allowed.
///
/// Every rule applies on every platform, so that each peer can store a name that another peer accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty.
    #[error("the name is empty")]
    Empty,
    /// The name is longer than [`MAX_NAME`] bytes.
    #[error("the name is longer than {MAX_NAME} bytes")]
    TooLong,
    /// The name is not UTF-8.
    #[error("the name is not UTF-8")]
    NotUtf8,
    /// The name contains `/` or `\`, so it is not a single path component.
    #[error("the name contains a path separator")]
    Separator,
    /// The name contains `:`.
    ///
    /// On Windows, a path that ends in `c:x` leads out of its folder, and `a:b` names an alternate data stream of `a`.
    #[error("the name contains a colon")]
    Colon,
    /// The name contains NUL or another control character.
    #[error("the name contains a control character")]
    Control,
    /// The name is `.` or `..`.
    #[error("the name is a relative folder")]
    RelativeFolder,
    /// The name begins or ends with a space.
    #[error("the name begins or ends with a space")]
    OuterSpace,
    /// The name ends with a dot. Windows strips the dot, so two names would refer to one file.
    #[error("the name ends with a dot")]
    TrailingDot,
    /// The name is a Windows device name: `CON`, `NUL`, `COM1`, …
    ///
    /// The case and the extension do not matter.
    #[error("the name is reserved on Windows")]
    Reserved,
}

/// A name that satisfies every rule of [`NameError`].
///
/// ```
/// use rdt_proto::ftp::{Name, NameError};
///
/// assert_eq!(Name::new("a.txt")?.as_str(), "a.txt");
/// assert_eq!(Name::new("../a.txt"), Err(NameError::Separator));
/// // Does not compile with a name that breaks a rule:
/// const NAME: Name = match Name::new("b.txt") {
///     Ok(name) => name,
///     Err(_) => panic!("the name breaks a rule"),
/// };
/// # Ok::<(), NameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'a>(&'a str);

impl<'a> Name<'a> {
    /// Checks `name` against the rules.
    ///
    /// # Errors
    /// The first rule that `name` breaks.
    pub const fn new(name: &'a str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        let bytes = name.as_bytes();
        if matches!(bytes, b"." | b"..") {
            return Err(NameError::RelativeFolder);
        }
        let (mut before, mut rest) = (0, bytes);
        while let [byte, after @ ..] = rest {
            match *byte {
                b'/' | b'\\' => return Err(NameError::Separator),
                b':' => return Err(NameError::Colon),
                0..=0x1f | 0x7f => return Err(NameError::Control),
                // The UTF-8 of U+0080 to U+009F.
                0x80..=0x9f if before == 0xc2 => return Err(NameError::Control),
                _ => {}
            }
            (before, rest) = (*byte, after);
        }
        if before == b' ' || matches!(bytes, [b' ', ..]) {
            return Err(NameError::OuterSpace);
        }
        if before == b'.' {
            return Err(NameError::TrailingDot);
        }
        if is_reserved_on_windows(bytes) {
            return Err(NameError::Reserved);
        }
        Ok(Self(name))
    }

    /// Checks the bytes of a name from the network against the rules.
    ///
    /// # Errors
    /// The first rule that `name` breaks.
    pub fn from_bytes(name: &'a [u8]) -> Result<Self, NameError> {
        if name.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        Self::new(core::str::from_utf8(name).map_err(|_| NameError::NotUtf8)?)
    }

    /// The name as a string.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl AsRef<str> for Name<'_> {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

/// An owned [`Name`] of fixed capacity.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NameBuf(heapless::String<MAX_NAME>);

impl NameBuf {
    /// Checks `name` against the rules and copies it.
    ///
    /// # Errors
    /// The first rule that `name` breaks.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let mut owned = heapless::String::new();
        owned.push_str(Name::new(name)?.as_str()).map_err(|_| NameError::TooLong)?;
        Ok(Self(owned))
    }

    /// Borrows the name.
    #[must_use]
    pub fn as_name(&self) -> Name<'_> {
        Name(self.0.as_str())
    }
}

impl From<Name<'_>> for NameBuf {
    fn from(name: Name<'_>) -> Self {
        let mut owned = heapless::String::new();
        // The capacity is MAX_NAME, the limit of a `Name`.
        let _fits = owned.push_str(name.as_str());
        Self(owned)
    }
}

impl fmt::Debug for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_name(), f)
    }
}

impl fmt::Display for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_name(), f)
    }
}

/// Whether Windows reserves `name` for a device ("Naming Files, Paths, and Namespaces", Microsoft).
///
/// A device name is reserved with any extension, and spaces before the extension do not count. The only ASCII white
/// space in `name` is the space, since control characters are not allowed.
const fn is_reserved_on_windows(name: &[u8]) -> bool {
    let [a, b, c, rest @ ..] = before_dot(name).trim_ascii_end() else { return false };
    match (&[a.to_ascii_uppercase(), b.to_ascii_uppercase(), c.to_ascii_uppercase()], rest) {
        (b"CON" | b"PRN" | b"AUX" | b"NUL", []) => true,
        (b"CON", [b'I' | b'i', b'N' | b'n', b'$'] | [b'O' | b'o', b'U' | b'u', b'T' | b't', b'$']) => true,
        // The digits include ¹, ² and ³ in UTF-8.
        (b"COM" | b"LPT", [b'0'..=b'9'] | [0xc2, 0xb2 | 0xb3 | 0xb9]) => true,
        _ => false,
    }
}

/// The part of the name before the first dot.
const fn before_dot(name: &[u8]) -> &[u8] {
    let mut len = 0;
    loop {
        match name.split_at_checked(len) {
            Some((stem, [] | [b'.', ..])) => return stem,
            Some(_) => len += 1,
            None => return name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_break_no_rule_are_allowed() {
        for name in [
            "a",
            "hello.txt",
            ".profile",
            "a b",
            "...a",
            "año 2024.tar.gz",
            "a\u{a0}b",
            "\u{2085}",
            "файл",
            "COM",
            "COM10",
            "console",
            "nul-1",
        ] {
            assert_eq!(Name::new(name).map(Name::as_str), Ok(name));
            assert_eq!(NameBuf::new(name).as_ref().map(NameBuf::as_name), Ok(Name(name)));
        }
        let longest = std::string::String::from_utf8(std::vec![b'x'; MAX_NAME]).unwrap();
        assert!(Name::new(&longest).is_ok());
        assert_eq!(NameBuf::from(Name(&longest)).as_name(), Name(&longest));
    }

    #[test]
    fn each_rule_has_its_error() {
        for (name, error) in [
            ("", NameError::Empty),
            (".", NameError::RelativeFolder),
            ("..", NameError::RelativeFolder),
            ("a/b", NameError::Separator),
            ("..\\b", NameError::Separator),
            ("c:b", NameError::Colon),
            ("a\0b", NameError::Control),
            ("a\nb", NameError::Control),
            ("a\u{7f}", NameError::Control),
            ("a\u{85}", NameError::Control),
            ("\u{80}a", NameError::Control),
            ("\u{9f}a", NameError::Control),
            (" a", NameError::OuterSpace),
            ("a ", NameError::OuterSpace),
            ("a.", NameError::TrailingDot),
            ("...", NameError::TrailingDot),
        ] {
            assert_eq!(Name::new(name), Err(error), "{name:?}");
            assert_eq!(NameBuf::new(name), Err(error), "{name:?}");
        }
        assert_eq!(Name::from_bytes(&[b'a', 0xff]), Err(NameError::NotUtf8));
        assert_eq!(Name::from_bytes(&[b'a'; MAX_NAME + 1]), Err(NameError::TooLong));
        let too_long = std::string::String::from_utf8(std::vec![b'x'; MAX_NAME + 1]).unwrap();
        assert_eq!(Name::new(&too_long), Err(NameError::TooLong));
    }

    #[test]
    fn names_of_windows_devices_are_reserved() {
        for name in [
            "CON",
            "con",
            "Nul.txt",
            "aux.tar.gz",
            "prn .txt",
            "COM1",
            "lpt9.log",
            "com²",
            "LPT0",
            "conin$",
            "CONOUT$.x",
        ] {
            assert_eq!(Name::new(name), Err(NameError::Reserved), "{name:?}");
        }
    }
}
