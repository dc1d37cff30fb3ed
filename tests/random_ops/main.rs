//! Any calls in any order. Except for `ftp`, the calls come from random bytes, and a fuzz target runs them for longer.

mod connection;
mod connection_pair;
mod files;
mod ftp;
mod listener;
mod socket_tcp;
