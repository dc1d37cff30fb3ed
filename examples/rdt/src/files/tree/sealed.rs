//! A file whose content is complete, and which has no name yet.

use super::super::folder::{IfTaken, other_name, replaceable};
use super::super::space::Reservation;
use super::super::temporary::{Temporary, rename_over};
use super::block_tree::BlockTree;
use super::names::{HIDDEN, check_target};
use super::part::{Key, Part};
use super::place::Place;
use super::remembered::{self, LEAST};
use super::{SealError, Tree, attributes};
use rdt_proto::files::{Digest, Metadata};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::SystemTime;

/// A complete file. Dropping it before [`commit`](super::commit()) removes it.
pub(crate) struct Sealed {
    tree: Tree,
    place: Place,
    if_taken: IfTaken,
    content: SealedContent,
    hashed: BlockTree,
    digest: Digest,
    /// The space on the disk, which is given back after the file has its name.
    _reservation: Option<Reservation>,
}

pub(super) enum SealedContent {
    Folder(Metadata),
    /// The target.
    Link(String),
    Unnamed(Temporary),
    Part(SealedPart),
}

impl SealedContent {
    pub(super) fn link(target: Vec<u8>, place: &Place) -> Result<Self, SealError> {
        let target = String::from_utf8(target).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
        check_target(&target, place.depth())?;
        Ok(Self::Link(target))
    }
}

/// A complete part.
pub(super) struct SealedPart {
    tree: Tree,
    key: Key,
    data: File,
}

impl SealedPart {
    pub(super) fn new(tree: &Tree, part: Part) -> io::Result<Self> {
        let files = tree.parts().seal(&part)?;
        Ok(Self { tree: tree.clone(), key: part.key, data: files.data })
    }

    /// Its path in the outermost folder.
    fn path(&self) -> String {
        Path::new(HIDDEN).join(self.key.data()).to_string_lossy().into_owned()
    }
}

impl Drop for SealedPart {
    fn drop(&mut self) {
        self.tree.parts().end_sealed(&self.key);
    }
}

impl Sealed {
    pub(super) fn new(
        tree: &Tree,
        place: Place,
        if_taken: IfTaken,
        content: SealedContent,
        (hashed, digest): (BlockTree, Digest),
        reservation: Option<Reservation>,
    ) -> Self {
        Self { tree: tree.clone(), place, if_taken, content, hashed, digest, _reservation: reservation }
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The file whose bytes have to be flushed before it takes its name.
    pub(super) fn file(&self) -> Option<&File> {
        match &self.content {
            SealedContent::Unnamed(file) => Some(file.file()),
            SealedContent::Part(part) => Some(&part.data),
            SealedContent::Folder(_) | SealedContent::Link(_) => None,
        }
    }

    /// Gives the file its name. Its bytes are durable. Returns the name if it is another than the one asked for.
    pub(super) fn take_name(&mut self) -> io::Result<Option<OsString>> {
        let (folder, name) = (&self.place.parent, self.place.name());
        if let SealedContent::Folder(metadata) = &self.content {
            if self.tree.folders().make_folder(&self.place)? {
                attributes::set_of_folder(folder, name, *metadata, true)?;
            } else if self.if_taken == IfTaken::Replace {
                // The files in it, which come first, may have made it. One of another user stays as it is.
                let _ = attributes::set_of_folder(folder, name, *metadata, false);
            }
            return Ok(None);
        }
        let mut other = None;
        match self.if_taken {
            IfTaken::Replace => replace(&mut self.content, &self.tree, &self.place)?,
            IfTaken::Refuse => link(&self.content, &self.tree, &self.place, name).map_err(|error| {
                // Something may have got the name since it was looked at.
                let taken = Some(&error).filter(|error| error.kind() == ErrorKind::AlreadyExists);
                taken.and_then(|_| replaceable(&self.place.parent, name, IfTaken::Refuse).err()).unwrap_or(error)
            })?,
            IfTaken::Rename => match link(&self.content, &self.tree, &self.place, name) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    let name = other.insert(other_name(name)?);
                    link(&self.content, &self.tree, &self.place, name)?;
                }
                linked => linked?,
            },
        }
        if other.is_none() && !matches!(self.content, SealedContent::Part(_)) {
            self.tree.parts().forget(self.place.path());
        }
        Ok(other)
    }

    /// Remembers the values of a large file that has its name. `before` is the time before it took the name.
    pub(super) fn remember(&self, before: SystemTime) {
        if let Some(file) = self.file().filter(|_| self.hashed.len() >= LEAST) {
            remembered::remember_stored(self.tree.remembered(), file, self.hashed.values(), self.digest, before);
        }
    }
}

/// Gives the name of `place`, and replaces what has it in the same step.
fn replace(content: &mut SealedContent, tree: &Tree, place: &Place) -> io::Result<()> {
    // Another process may have created an entry with this name meanwhile.
    let may_replace = || replaceable(&place.parent, place.name(), IfTaken::Replace).map(|_| ());
    match content {
        SealedContent::Unnamed(file) => file.replace(place.name(), tree.journal().forgets_names(), may_replace),
        SealedContent::Part(part) => {
            may_replace()?;
            rename_over(tree.folders().dir(), &part.path(), &place.parent, place.name())
        }
        SealedContent::Link(target) => {
            may_replace()?;
            let temporary = super::super::temporary::temporary_name()?;
            symlink(target, place, temporary.as_ref())?;
            let renamed = rename_over(&place.parent, &temporary, &place.parent, place.name());
            if renamed.is_err() {
                place.parent.remove_file(&temporary)?;
            }
            renamed
        }
        SealedContent::Folder(_) => Ok(()),
    }
}

/// Gives a name. Fails if it is taken, which is checked in the same step.
fn link(content: &SealedContent, tree: &Tree, place: &Place, name: &OsStr) -> io::Result<()> {
    match content {
        SealedContent::Unnamed(file) => file.link(name),
        // The drop removes the other name.
        SealedContent::Part(part) => tree.folders().dir().hard_link(part.path(), &place.parent, name),
        SealedContent::Link(target) => symlink(target, place, name),
        SealedContent::Folder(_) => Ok(()),
    }
}

#[cfg(unix)]
fn symlink(target: &str, place: &Place, name: &OsStr) -> io::Result<()> {
    Ok(rustix::fs::symlinkat(target, &*place.parent, name)?)
}

#[cfg(not(unix))]
fn symlink(_target: &str, _place: &Place, _name: &OsStr) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}
