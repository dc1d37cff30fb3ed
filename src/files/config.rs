//! What a server permits.

/// The limits of a [`FileServer`](super::FileServer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileServerConfig {
    /// The maximum length of an uploaded file in bytes. Default: 2^40 (1 TiB).
    ///
    /// A longer file is refused as [`ErrorCode::TooLarge`](crate::ftp::ErrorCode::TooLarge) as soon as its length is
    /// known.
    pub max_length: u64,
    /// The maximum number of bytes that are dropped of the content of a refused PUT. Default: 64 MiB.
    ///
    /// A client cuts the content short when ERROR arrives. If more bytes come, the server aborts the connection.
    pub drain_limit: u64,
    /// The maximum number of WORKING messages in a row. Default: 1,440.
    ///
    /// With one each 10 s, as the program sends them, a client may work for four hours between two other messages. At
    /// the next one the server aborts the connection with [`ErrorCode::Malformed`](crate::ftp::ErrorCode::Malformed),
    /// the code of a connection without progress.
    pub max_working: u16,
    /// What clients may do. Default: everything.
    pub access: Access,
}

impl Default for FileServerConfig {
    fn default() -> Self {
        Self { max_length: 1 << 40, drain_limit: 64 << 20, max_working: 1_440, access: Access::ReadWrite }
    }
}

/// What the clients of a server may do. Anything else is refused as
/// [`ErrorCode::NoUploads`](crate::ftp::ErrorCode::NoUploads) or
/// [`ErrorCode::NoDownloads`](crate::ftp::ErrorCode::NoDownloads).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// PUT, GET, STAT and LIST.
    ReadWrite,
    /// GET, STAT and LIST.
    ReadOnly,
    /// PUT.
    WriteOnly,
}

impl Access {
    pub(super) const fn may_read(self) -> bool {
        matches!(self, Self::ReadWrite | Self::ReadOnly)
    }

    pub(super) const fn may_write(self) -> bool {
        matches!(self, Self::ReadWrite | Self::WriteOnly)
    }
}
