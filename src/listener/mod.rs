//! Many peers on one socket.
