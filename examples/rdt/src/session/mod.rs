//! Sessions with many requests on one connection: files, folders, parts of interrupted transfers, digests.
//!
//! | module | subject |
//! |---|---|
//! | `exchange` | joins a connection, a session and its storage, for client and server |
//! | `receive`, `send` | its two halves |
//! | `ended` | what has become of content |
//! | `unread` | where the next bytes of the stream are |
//! | `content` | what is read, and what takes content |
//! | `chunk` | a part of content in memory |
//! | `filling` | content on its way to the disk |
//! | `sending`, `receiving` | reads ahead, writes behind |
//! | `committer` | makes many files durable with one flush |
//! | `place`, `beneath`, `destinations` | where the files are: at a server, at a client |
//! | `client`, `answer` | the endpoint of a client, and what its server answers |
//! | `keep_place` | when a client says that it works |
//! | `put`, `get`, `list`, `skip` | what a client asks for |
//! | `source` | what a client sends, compared with what the server has |
//! | `cause` | causes that many files share |
//! | `failure_text` | why a file was not fetched |
//! | `wanted` | a file to fetch, and what this side has of it |
//! | `folders` | the folders that a client makes |
//! | `items` | the files that arguments name |
//! | `run` | runs a client on the event loop |
//! | `outcome`, `count`, `note`, `stopped` | what a client says about its requests, and when its user stops it |

mod answer;
mod beneath;
mod cause;
mod chunk;
mod client;
mod committer;
mod content;
mod count;
mod destinations;
mod ended;
mod exchange;
mod failure_text;
mod filling;
mod folders;
mod get;
mod items;
mod keep_place;
mod list;
mod note;
mod outcome;
mod place;
mod put;
mod receive;
mod receiving;
mod run;
mod send;
mod sending;
mod skip;
mod source;
pub(crate) mod stopped;
mod unread;
mod wanted;

pub(crate) use beneath::Beneath;
pub(crate) use chunk::Chunk;
pub(crate) use committer::Committer;
pub(crate) use content::{Content, NotStored, Opened, Stored};
pub(crate) use count::{Count, One};
pub(crate) use destinations::{Destination, Destinations};
pub(crate) use ended::{Ended, Failure, Kind, Success};
pub(crate) use exchange::SessionExchange;
pub(crate) use get::{Get, Matching};
pub(crate) use items::{Items, own_name};
pub(crate) use list::List;
pub(crate) use note::Note;
pub(crate) use outcome::{Outcomes, Speech};
pub(crate) use place::Place;
pub(crate) use put::{Item, Put};
pub(crate) use receiving::RecvFile;
pub(crate) use run::{Done, Run};
pub(crate) use sending::SendFile;
pub(crate) use skip::{FileOptions, Skip};
pub(crate) use wanted::Wanted;
