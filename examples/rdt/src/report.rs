//! What a client says about its request: the progress, the result, and what became of the local file.

use crate::destination::advice;
use crate::files::Detail;
use crate::json::{self, Record};
use crate::messages::{self, to_stderr, to_stdout};
use crate::progress::Progress;
use crate::request_line;
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
            let (request, file) = (request_line::command(transfer), self.local.path());
            let (server, seconds) = (server.to_string(), json::seconds(took));
            return Record::Result { request, name, file, server, bytes, seconds }.print();
        }
        let what = match transfer {
            Transfer::Upload => format!("stored \"{name}\" on {server}"),
            Transfer::Download => format!("received \"{name}\" from {server}"),
        };
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

    /// The state of the content after a request that was stopped.
    pub(crate) fn stopped(&self, name: &str) -> String {
        match &self.local {
            Local::StandardOutput => {
                format!("stopped: \"{name}\" was not transferred: the standard output is incomplete")
            }
            Local::File(_) | Local::Memory => format!("stopped: \"{name}\" was not transferred"),
        }
    }

    /// The failure of a file that became shorter while it was sent.
    pub(crate) fn shrunk(&self, name: &str) -> String {
        let which = match &self.local {
            Local::File(path) => format!("{} on this machine", path.display()),
            Local::StandardOutput | Local::Memory => format!("\"{name}\""),
        };
        format!("{which} became shorter while it was sent: it is not stored; send it again")
    }

    /// A failure of this machine: what it could not do, why, and what the user can do.
    pub(crate) fn storage_failure(&self, transfer: Transfer, error: StorageError, detail: Option<&Detail>) -> String {
        let why = detail.map_or_else(|| error.to_string(), |detail| detail.text.clone());
        match (&self.local, transfer) {
            (Local::File(path), Transfer::Upload) => {
                // Base mode announces the length first.
                let has_grown = detail.is_some_and(|detail| detail.has_grown);
                let advice = if has_grown { "copy it, and send the copy" } else { "send it again" };
                format!("cannot read {} on this machine: {why}: it is not stored; {advice}", path.display())
            }
            (Local::File(path), Transfer::Download) => {
                format!("cannot write {} on this machine: {why}: {}", path.display(), advice(error))
            }
            (Local::StandardOutput, _) => {
                format!("cannot write to the standard output: {why}: it is incomplete")
            }
            (Local::Memory, _) => format!("the check of the content failed: {why}"),
        }
    }
}
