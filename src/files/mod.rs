//! File sessions with many requests: files, folders, interrupted transfers, digests. For extended mode.

mod client;
mod config;
mod encoded;
mod event;
mod incoming;
mod message;
mod outgoing;
mod path;
mod request;
mod server;
mod stream;

pub use client::{Client, MAX_OPEN_REQUESTS};
pub use config::{Access, ServerConfig};
pub use encoded::{Encoded, MessageError, data_header};
pub use event::{Event, Failure};
pub use message::{DATA_HEADER, Digest, Entry, Kind, MAX_MESSAGE, Message, Metadata, Prefix, Wish};
pub use path::{FilePath, FilePathBuf, MAX_COMPONENT, MAX_PATH, PathError};
pub use request::{Answer, Output, Request, Session};
pub use server::{MAX_OPEN_PUTS, Server};

mod sealed {
    /// A session of this module.
    pub trait Sealed {}
}
