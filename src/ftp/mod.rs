//! The file session: upload and download over any reliable byte stream.
