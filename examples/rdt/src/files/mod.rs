//! Files of a folder. They are read in order, and stored completely or not at all. All calls here may block.
//!
//! | module | subject |
//! |---|---|
//! | `folder` | which entries of a folder are read or replaced |
//! | `opening` | opens files without waiting |
//! | `space` | the disk space that unfinished uploads may take |
//! | `tree` | files beneath a folder, by path: digests, interrupted transfers, lists |
//! | `temporary` | a file without a name, or with a temporary one, and what a killed program leaves behind |
//!
//! A received file has no name until it is complete and on the disk. Then it takes its final name in one step. Before
//! this step the final name refers to the old content, even after SIGKILL. Where the system requires a temporary name,
//! for the whole time or just before this step, a killed program may leave a file with this name. The next start of the
//! program in this folder removes it.
//!
//! Regular files and symbolic links are replaced. The new file has the permissions of the old file. A link is itself
//! replaced, as by `mv`, and its target stays unchanged. Folders, pipes, sockets, devices, and links to such entries of
//! the same folder are never replaced. See [`IfTaken`] for what else may happen to a name that is taken.

mod folder;
mod opening;
mod space;
mod temporary;
mod tree;

pub(crate) use folder::{Folder, IfTaken};
pub(crate) use opening::without_waiting;
pub(crate) use space::{Space, SpaceLimits};
pub(crate) use tree::{
    BlockTree, Blocker, CommitError, Detail, EntryBuf, FollowedLinks, Incoming, LinkTarget, Outgoing, Page, PeaksBuf,
    SealError, Sealed, StatusBuf, Tree, TreeRules, Wanted, commit, folder_metadata, is_hidden, storage_error,
    time_text,
};
