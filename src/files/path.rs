//! Relative paths, checked before any storage request.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
use core::fmt;
use core::ops::Deref;

use heapless::String;
use thiserror::Error;

/// The maximum length of a path in bytes of UTF-8.
pub const MAX_PATH: usize = 1_024;
/// The maximum length of one component of a path in bytes: most file systems allow no more.
pub const MAX_COMPONENT: usize = 255;

/// Why a path is not allowed.
///
/// These rules keep every path beneath its folder, on every system. A system that cannot store a name refuses it by
/// itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum PathError {
    /// The path is longer than [`MAX_PATH`] bytes, or a component than [`MAX_COMPONENT`].
    #[error("the path or a part of it is too long")]
    TooLong,
    /// The path is not UTF-8.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// A component is empty: the path is empty or absolute, ends with `/`, or contains `//`.
    #[error("a part of the path is empty")]
    EmptyComponent,
    /// A component is `.` or `..`.
    #[error("a part of the path is a relative folder")]
    RelativeFolder,
    /// The path contains a NUL byte.
    #[error("the path contains a NUL byte")]
    Nul,
}

/// A relative path that satisfies every rule of [`PathError`], with `/` between its components.
///
/// ```
/// use rdt_proto::files::{FilePath, PathError};
///
/// let path = FilePath::new("photos/2026/a.jpg")?;
/// assert_eq!(path.components().last(), Some("a.jpg"));
/// assert_eq!(FilePath::new("photos/../../a.jpg"), Err(PathError::RelativeFolder));
/// assert_eq!(FilePath::new("/etc/passwd"), Err(PathError::EmptyComponent));
/// # Ok::<(), PathError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath<'a>(&'a str);

impl<'a> FilePath<'a> {
    /// Checks `path` against the rules.
    ///
    /// # Errors
    /// A rule that `path` breaks.
    pub fn new(path: &'a str) -> Result<Self, PathError> {
        if path.len() > MAX_PATH {
            return Err(PathError::TooLong);
        }
        for component in path.split('/') {
            match component {
                "" => return Err(PathError::EmptyComponent),
                "." | ".." => return Err(PathError::RelativeFolder),
                _ if component.len() > MAX_COMPONENT => return Err(PathError::TooLong),
                _ if component.contains('\0') => return Err(PathError::Nul),
                _ => {}
            }
        }
        Ok(Self(path))
    }

    /// Checks the bytes of a path from the network against the rules.
    ///
    /// # Errors
    /// A rule that `path` breaks.
    pub fn from_bytes(path: &'a [u8]) -> Result<Self, PathError> {
        Self::new(core::str::from_utf8(path).map_err(|_| PathError::NotUtf8)?)
    }

    /// The path as it is on the wire.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// The components, from the outermost folder to the name of the file.
    pub fn components(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.split('/')
    }
}

impl fmt::Debug for FilePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for FilePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A path of a request, as it arrived. Its rules are [checked](Self::check) for each request, so that one that breaks
/// them ends only its request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawPath<'a>(&'a [u8]);

impl<'a> RawPath<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The path.
    ///
    /// # Errors
    /// A rule that it breaks.
    pub fn check(self) -> Result<FilePath<'a>, PathError> {
        FilePath::from_bytes(self.0)
    }

    /// The bytes on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> From<FilePath<'a>> for RawPath<'a> {
    fn from(path: FilePath<'a>) -> Self {
        Self(path.0.as_bytes())
    }
}

impl fmt::Debug for RawPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match core::str::from_utf8(self.0) {
            Ok(text) => text.fmt(f),
            Err(_) => self.0.fmt(f),
        }
    }
}

/// A [`FilePath`] that owns its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePathBuf(String<MAX_PATH>);

impl FilePathBuf {
    /// Borrows the path.
    #[must_use]
    pub fn as_path(&self) -> FilePath<'_> {
        FilePath(&self.0)
    }
}

impl From<FilePath<'_>> for FilePathBuf {
    fn from(path: FilePath<'_>) -> Self {
        // A path is never longer than the capacity.
        Self(String::try_from(path.0).unwrap_or_default())
    }
}

impl Deref for FilePathBuf {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FilePathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FilePathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_path(), f)
    }
}

/// A [`FilePath`] on the heap, which takes as much memory as it is long.
#[cfg(feature = "alloc")]
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePathBox(Box<str>);

#[cfg(feature = "alloc")]
impl FilePathBox {
    /// Borrows the path.
    #[must_use]
    pub const fn as_path(&self) -> FilePath<'_> {
        FilePath(&self.0)
    }
}

#[cfg(feature = "alloc")]
impl From<FilePath<'_>> for FilePathBox {
    fn from(path: FilePath<'_>) -> Self {
        Self(path.0.into())
    }
}

#[cfg(feature = "alloc")]
impl Deref for FilePathBox {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(feature = "alloc")]
impl fmt::Display for FilePathBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(feature = "alloc")]
impl fmt::Debug for FilePathBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_path(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};

    #[test]
    fn a_path_stays_beneath_its_folder() {
        for (path, error) in [
            ("", PathError::EmptyComponent),
            ("/a", PathError::EmptyComponent),
            ("a/", PathError::EmptyComponent),
            ("a//b", PathError::EmptyComponent),
            (".", PathError::RelativeFolder),
            ("a/../b", PathError::RelativeFolder),
            ("a/.", PathError::RelativeFolder),
            ("a\0b", PathError::Nul),
        ] {
            assert_eq!(FilePath::new(path), Err(error), "{path:?}");
        }
        assert_eq!(FilePath::from_bytes(b"\xff"), Err(PathError::NotUtf8));
        for path in ["a", "a/b", "...", ".a/b.", "a b", "c:x", "a\\b", "line\nfeed", "é"] {
            let path = FilePath::new(path).unwrap();
            assert_eq!(path.components().collect::<std::vec::Vec<_>>().join("/"), path.to_string());
        }
    }

    #[test]
    fn lengths_are_limited() {
        let name = "x".repeat(MAX_COMPONENT);
        let longest = [&*name; 4].join("/") + "/";
        assert_eq!(FilePath::new(&name).map(|path| path.as_str().len()), Ok(MAX_COMPONENT));
        assert_eq!(FilePath::new(&(name.clone() + "x")), Err(PathError::TooLong));
        let path: String = longest.trim_end_matches('/').into();
        assert_eq!(path.len(), MAX_PATH - 1);
        assert_eq!(FilePathBuf::from(FilePath::new(&path).unwrap()).as_path().as_str(), path);
        assert_eq!(FilePath::new(&(longest + "yy")), Err(PathError::TooLong));
    }
}
