//! Any calls in any order, from random bytes: what the fuzz targets explore for longer.

mod connection;
mod connection_pair;
mod ftp;
mod listener;
mod socket_tcp;
