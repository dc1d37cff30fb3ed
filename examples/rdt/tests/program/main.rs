//! Tests of the program `rdt` from outside: with processes, real sockets, files, exit codes and printed output.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod access;
#[cfg(target_os = "linux")]
mod addresses;
#[cfg(target_os = "linux")]
mod base_mode;
mod bench;
#[cfg(target_os = "linux")]
mod broken_trees;
#[cfg(target_os = "linux")]
mod crashes;
mod destinations;
mod failures;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod folder_copies;
#[cfg(target_os = "linux")]
mod folders;
#[cfg(target_os = "linux")]
mod group_commit;
#[cfg(target_os = "linux")]
mod growing_files;
#[cfg(target_os = "linux")]
mod interrupted;
mod json;
#[cfg(target_os = "linux")]
mod kills;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod links;
#[cfg(target_os = "linux")]
mod lists;
#[cfg(target_os = "linux")]
mod log_file;
#[cfg(target_os = "linux")]
mod lost_folder;
#[cfg(target_os = "linux")]
mod lost_parts;
mod many_clients;
#[cfg(target_os = "linux")]
mod one_event;
#[cfg(target_os = "linux")]
mod pipes;
#[cfg(unix)]
mod port_change;
mod printed;
#[cfg(unix)]
mod replaced_files;
mod runner;
#[cfg(target_os = "linux")]
mod screens;
#[cfg(target_os = "linux")]
mod service_manager;
#[cfg(target_os = "linux")]
mod several_names;
#[cfg(unix)]
mod signals;
#[cfg(target_os = "linux")]
mod slow_disk;
mod socket_tcp;
#[cfg(unix)]
mod space;
#[cfg(target_os = "linux")]
mod stalled_clients;
#[cfg(unix)]
mod trace;
mod transfers;
mod user_errors;
