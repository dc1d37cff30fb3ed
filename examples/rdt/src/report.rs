//! What a client says about its request: the progress, the result, and what became of the local file.

use crate::destination::advice;
use crate::files::Detail;
use crate::json::{self, Record};
use crate::local_failure::{SEND_AGAIN, SHRUNK, cannot_send, cannot_write, cannot_write_output};
use crate::messages::{self, to_stderr, to_stdout};
use crate::progress::Progress;
use crate::session::stopped::After;
use rdt_proto::Duration;
use rdt_proto::ftp::{StorageError, Transfer};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What a request sends or stores on this machine.
#[derive(Clone, Debug)]
pub(crate) enum Local {
    File(PathBuf),
    StandardOutput,
    /// A load test compares the content with what it sent.
    Memory,
}

impl Local {
    fn path(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::StandardOutput => "-".into(),
            Self::Memory => String::new(),
        }
    }
}

pub(crate) struct Report {
    pub(crate) progress: Progress,
    local: Local,
    /// Whether to print the result of a success.
    announces: bool,
}

impl Report {
    pub(crate) fn new(progress: Progress, local: Local, announces: bool) -> Self {
        Self { progress, local, announces }
    }

    /// Prints the result of a success.
    pub(crate) fn succeed(&self, transfer: Transfer, name: &str, server: SocketAddr, bytes: u64, took: Duration) {
        if !self.announces {
            return;
        }
        if json::is_chosen() {
            let (request, file) = (messages::command(transfer), self.local.path());
            let (server, seconds) = (server.to_string(), json::seconds(took));
            return Record::Result { request, name, file, server, bytes, seconds }.print();
        }
        let what = messages::transferred(transfer, &format!("\"{name}\""), server);
        let line = format!("{what}: {}", messages::amount(bytes, took));
        match self.local {
            // Nothing but the content goes there.
            Local::StandardOutput => to_stderr(line),
            Local::File(_) | Local::Memory => to_stdout(line),
        }
    }

    /// What has become of the content after a failure, and what the user can do.
    pub(crate) fn aftermath(&self, transfer: Transfer) -> &'static str {
        match (transfer, &self.local) {
            (Transfer::Upload, _) => "it may be stored there or not; send it again",
            (Transfer::Download, Local::StandardOutput) => "the standard output is incomplete; try again",
            (Transfer::Download, Local::File(_) | Local::Memory) => "nothing was kept; try again",
        }
    }

    /// What becomes of the content of a request that is stopped, or was not sent whole.
    pub(crate) fn after_stop(&self) -> After {
        match self.local {
            Local::StandardOutput => After::OutputIncomplete,
            Local::File(_) | Local::Memory => After::NothingKept,
        }
    }

    /// The failure of a file that became shorter while it was sent.
    pub(crate) fn shrunk(&self) -> String {
        cannot_send(&self.local.path(), SHRUNK, SEND_AGAIN)
    }

    /// A failure of this machine: what it could not do, why, and what the user can do.
    pub(crate) fn storage_failure(&self, transfer: Transfer, error: StorageError, detail: Option<&Detail>) -> String {
        let why = detail.map_or_else(|| error.to_string(), |detail| detail.text.clone());
        match (&self.local, transfer) {
            (Local::File(path), Transfer::Upload) => cannot_send(&path.display(), &why, SEND_AGAIN),
            (Local::File(path), Transfer::Download) => cannot_write(&path.display(), &why, advice(error)),
            (Local::StandardOutput, _) => cannot_write_output(&why),
            (Local::Memory, _) => format!("the check of the content failed: {why}"),
        }
    }
}
