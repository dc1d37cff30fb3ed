//! Any calls in any order, from random bytes. The fuzz targets run the same operations for longer.

mod connection;
mod connection_pair;
mod ftp;
mod listener;
mod socket_tcp;
