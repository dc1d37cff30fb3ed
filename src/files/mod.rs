//! File sessions with many requests: files, folders, interrupted transfers, digests. For extended mode.

mod client;
mod incoming;
mod message;
mod outgoing;
mod path;
mod request;
mod server;
mod stream;

pub use client::{Client, Event, Failure, MAX_OPEN_REQUESTS};
pub use message::{
    DATA_HEADER, Digest, Encoded, Entry, Kind, MAX_MESSAGE, Message, MessageError, Metadata, Prefix, Wish, data_header,
};
pub use path::{FilePath, FilePathBuf, MAX_COMPONENT, MAX_PATH, PathError};
pub use request::{Answer, Output, Request, Session};
pub use server::{Access, MAX_OPEN_PUTS, Server, ServerConfig};

mod sealed {
    /// A session of this module.
    pub trait Sealed {}
}
