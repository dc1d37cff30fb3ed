//! Starts a server: its folder, its sockets, its restriction, its threads.

use crate::access::{Networks, announcement};
use crate::args::resolve;
use crate::binding;
use crate::driver::Driver;
use crate::files::{Folder, Space, SpaceLimits};
use crate::limits::Limits;
use crate::loss::Loss;
use crate::messages::{self, error_text};
use crate::reset_keys::ResetKeys;
use crate::serve_args::ServeArgs;
use crate::server::{FileServer, Store};
use crate::{open_folder, output, settings, threads, watch};
use rdt_proto::ftp::ServerConfig;
use std::process::ExitCode;

pub(crate) fn serve(args: &ServeArgs) -> Result<ExitCode, String> {
    let address = resolve(&args.bind)?;
    if !args.root.exists() {
        // If this fails, opening the folder reports the error.
        let _ = std::fs::create_dir(&args.root);
    }
    let defaults = ServerConfig::default();
    let session_config = ServerConfig {
        max_upload_length: args.max_size.unwrap_or(defaults.max_upload_length),
        read_only: args.read_only,
        allow_replace: !args.no_replace,
        ..defaults
    };
    let limits = Limits {
        clients: args.max_peers,
        per_host: args.per_host,
        retry: args.retry.into(),
        memory: args.memory.map_or(settings::MEMORY, |bytes| bytes.try_into().unwrap_or(usize::MAX)),
    };
    let space = SpaceLimits { total: args.max_unfinished, per_host: args.max_unfinished_per_host };
    let (access, networks) = (args.access(), Networks::new(&args.allow));
    let store = Store { access, folder: open_folder(&args.root)?, space: Space::new(space) };
    let settings = args.common.settings();
    let fail = |error: std::io::Error| format!("cannot listen on {address}: {}", error_text(&error));
    let sockets = binding::bind_together(address, args.threads).map_err(fail)?;
    let bound = sockets[0].local_addr().map_err(fail)?;
    let keys = match ResetKeys::load(args.state.as_deref()) {
        Ok(keys) => Some(keys),
        Err(why) if args.state.is_some() => return Err(why),
        Err(why) => {
            messages::to_stderr(format_args!("{why}; clients of a restarted server will wait for their --timeout"));
            None
        }
    };
    let restriction = restrict(&store.folder, args);
    // Here the first thread starts.
    output::start().map_err(|error| format!("cannot start: {}", error_text(&error)))?;
    let stop = watch()?;
    if !args.common.quiet {
        messages::to_stderr(restriction);
        messages::to_stderr(announcement(access, !args.no_replace, &networks, &[bound], &args.root));
    }
    messages::to_stdout(format_args!("serving {} on {bound}", args.root.display()));
    let serve = |driver: &Driver, thread| {
        let quiet = args.common.quiet;
        let server =
            FileServer::new(driver.now(), settings, limits, session_config, store.clone(), driver.waker(), quiet)?
                .with_networks(driver.now(), &networks)?;
        Ok(match keys.as_ref().and_then(|keys| keys.of(thread)) {
            Some(key) => server.with_reset_key(key),
            None => server,
        })
    };
    let loss = |thread| Loss::new(args.common.loss, args.common.seed + thread);
    let bytes = settings.config.max_datagram_len();
    threads::run(sockets, &stop, serve, |socket, thread| {
        Driver::on(socket, bytes, loss(thread), stop.clone())?.fragmenting(&settings.config)
    })?;
    // To be stopped is the only orderly end of a server.
    Ok(ExitCode::SUCCESS)
}

/// Restricts the program to the folder of the server. Returns a line that says how far.
///
/// A server has no other files: its log goes to streams that are open.
#[cfg(target_os = "linux")]
fn restrict(folder: &Folder, args: &ServeArgs) -> String {
    use crate::sandbox::{self, Restriction};
    let may = args.access().needs();
    let root = args.root.display();
    match sandbox::restrict(&[(folder.as_fd(), args.access())]) {
        Ok(Restriction::Whole) => format!("restricted by Landlock: may only {may} beneath {root}"),
        Ok(Restriction::Partial) => {
            format!("restricted by Landlock, as far as this kernel can: may only {may} beneath {root}")
        }
        Ok(Restriction::None) => "not restricted to its folder by the kernel, which has no Landlock".into(),
        Err(error) => format!("not restricted to its folder by the kernel: {}", error_text(&error)),
    }
}

#[cfg(not(target_os = "linux"))]
fn restrict(_folder: &Folder, _args: &ServeArgs) -> String {
    "not restricted to its folder by the system, which has no Landlock".into()
}
