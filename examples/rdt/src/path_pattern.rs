//! What is a pattern and what is a name, among the paths of a server: `*`, `?`, `[a-z]`, and `**` for any folders.
//!
//! A path without a wildcard is a name, and so is one that is wrong as a pattern. A pattern also matches the name that is
//! written as it is.

use rdt_proto::files::{FilePath, FilePathBox};

/// A path with wildcards.
#[derive(Clone, Debug)]
pub(crate) struct PathPattern {
    text: String,
    pattern: glob::Pattern,
    folder: Option<FilePathBox>,
    is_recursive: bool,
}

/// The first wildcard of a path.
fn wildcard(path: &str) -> Option<usize> {
    path.find(['*', '?', '['])
}

/// Why a path with a wildcard is a name: what is wrong with it as a pattern.
pub(crate) fn fault(path: &str) -> Option<&'static str> {
    wildcard(path)?;
    glob::Pattern::new(path).err().map(|error| error.msg)
}

impl PathPattern {
    /// `None` if the path is a name.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let wildcard = wildcard(path)?;
        let pattern = glob::Pattern::new(path).ok()?;
        let (folder, rest) = match path.get(..wildcard).and_then(|start| start.rfind('/')) {
            Some(slash) => (path.get(..slash), path.get(slash + 1..).unwrap_or_default()),
            None => (None, path),
        };
        let folder = folder.map(FilePath::new).transpose().ok()?.map(FilePathBox::from);
        let is_recursive = rest.contains('/') || rest.contains("**");
        Some(Self { text: path.into(), pattern, folder, is_recursive })
    }

    /// As the user wrote it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The folder in front of the first component with a wildcard; `None` for the outermost one.
    pub(crate) fn folder(&self) -> Option<&FilePathBox> {
        self.folder.as_ref()
    }

    /// Whether entries of the folders in it may match.
    pub(crate) fn is_recursive(&self) -> bool {
        self.is_recursive
    }

    /// Whether the path matches, or a folder above it does.
    pub(crate) fn covers(&self, path: &str) -> bool {
        let above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        self.matches(path) || above.into_iter().any(|folder| self.matches(folder))
    }

    /// A file may also have the pattern as its name.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
        path == self.text || self.pattern.matches_with(path, options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_begins_in_the_folder_in_front_of_the_first_wildcard() {
        for (path, folder, is_recursive) in [
            ("*.jpg", None, false),
            ("a/*.jpg", Some("a"), false),
            ("a/b/c*/d?", Some("a/b"), true),
            ("a[b]/c", None, true),
            ("**/x", None, true),
            ("a/**", Some("a"), true),
        ] {
            let pattern = PathPattern::of(path).unwrap();
            assert_eq!((pattern.folder().map(|folder| &**folder), pattern.is_recursive()), (folder, is_recursive));
        }
    }

    #[test]
    fn a_path_that_is_wrong_as_a_pattern_is_a_name() {
        for (path, fault_of_it) in [
            ("a/b", None),
            ("[a", Some("invalid range pattern")),
            ("a/[z-a", Some("invalid range pattern")),
            ("a**", Some("recursive wildcards must form a single path component")),
        ] {
            assert!(PathPattern::of(path).is_none() && fault(path) == fault_of_it, "{path}: {:?}", fault(path));
        }
        assert!(PathPattern::of("[z-a]").is_some() && fault("[z-a]").is_none());
    }

    #[test]
    fn a_wildcard_matches_no_slash_and_a_name_matches_itself() {
        for (pattern, path, is_match) in [
            ("*.jpg", "a.jpg", true),
            ("*.jpg", "a/b.jpg", false),
            ("*.jpg", "a.JPG", false),
            ("[a-z].jpg", "A.jpg", false),
            ("*", ".hidden", true),
            ("a/**/*.jpg", "a/b/c/d.jpg", true),
            ("a[1].txt", "a1.txt", true),
            ("a[1].txt", "a[1].txt", true),
            ("a[1].txt", "a[2].txt", false),
        ] {
            assert_eq!(PathPattern::of(pattern).unwrap().matches(path), is_match, "{pattern} {path}");
        }
    }
}
