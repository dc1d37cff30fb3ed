//! Patterns for the paths of a server: `*`, `?`, `[a-z]`, and `**` for any folders.

use crate::remote_path;
use rdt_proto::files::FilePathBox;

/// A path with wildcards.
#[derive(Clone, Debug)]
pub(crate) struct PathPattern {
    text: String,
    pattern: glob::Pattern,
    folder: Option<FilePathBox>,
    is_recursive: bool,
}

impl PathPattern {
    /// `None` if the path has no wildcard.
    pub(crate) fn of(path: &str) -> Option<Result<Self, String>> {
        let wildcard = path.find(['*', '?', '['])?;
        let (folder, rest) = match path.get(..wildcard).and_then(|start| start.rfind('/')) {
            Some(slash) => (path.get(..slash), path.get(slash + 1..).unwrap_or_default()),
            None => (None, path),
        };
        let folder = folder.map(remote_path::parse).transpose();
        Some(match (folder, glob::Pattern::new(path)) {
            (Err(why), _) => Err(why),
            (Ok(_), Err(error)) => Err(format!("cannot use the pattern {path}: {error}")),
            (Ok(folder), Ok(pattern)) => {
                let is_recursive = rest.contains('/') || rest.contains("**");
                Ok(Self { text: path.into(), pattern, folder, is_recursive })
            }
        })
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
            let pattern = PathPattern::of(path).unwrap().unwrap();
            assert_eq!((pattern.folder().map(|folder| &**folder), pattern.is_recursive()), (folder, is_recursive));
        }
        assert!(PathPattern::of("a/b").is_none());
        assert!(PathPattern::of("[a").is_some_and(|pattern| pattern.is_err()));
        assert!(PathPattern::of("../*").is_some_and(|pattern| pattern.is_err()));
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
            assert_eq!(PathPattern::of(pattern).unwrap().unwrap().matches(path), is_match, "{pattern} {path}");
        }
    }
}
