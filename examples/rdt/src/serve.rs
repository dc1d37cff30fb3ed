//! Starts a server: its folder, its sockets, its restriction, its threads.

use crate::access::{Networks, announcement};
use crate::args::resolve;
use crate::binding;
use crate::driver::Driver;
use crate::files::{Folder, Space, SpaceLimits};
use crate::lifecycle::Threads;
use crate::limits::Limits;
use crate::loss::Loss;
use crate::messages::{self, error_text};
use crate::reset_keys::ResetKeys;
use crate::serve_args::ServeArgs;
use crate::server::{FileServer, Store};
use crate::service_manager::{self, ServiceManager, Watchdog};
use crate::stop::Stop;
use crate::{open_folder, output, settings, threads};
use rdt_proto::Duration;
use rdt_proto::ftp::ServerConfig;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn serve(args: &ServeArgs) -> Result<ExitCode, String> {
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
        drain: Duration::from_secs(args.drain),
        memory: args.memory.map_or(settings::MEMORY, |bytes| bytes.try_into().unwrap_or(usize::MAX)),
    };
    let space = SpaceLimits { total: args.max_unfinished, per_host: args.max_unfinished_per_host };
    let (access, networks) = (args.access(), Networks::new(&args.allow));
    let store = Store { access, folder: open_folder(&args.root)?, space: Space::new(space) };
    let settings = args.common.settings();
    let (sockets, bound) = listen(args)?;
    let manager = Arc::new(ServiceManager::of_environment(sockets.len()));
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
    let stop = Stop::on_signals_of_server(|| false).map_err(|error| format!("cannot watch for signals: {error}"))?;
    let together = Threads::new(sockets.len(), stop.clone());
    if !args.common.quiet {
        messages::to_stderr(restriction);
        messages::to_stderr(announcement(access, !args.no_replace, &networks, &bound, &args.root));
    }
    let list = bound.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ");
    let serving = format!("serving {} on {list}", args.root.display());
    messages::to_stdout(&serving);
    manager.ready(&serving);
    let serve = |driver: &Driver, thread| {
        let quiet = args.common.quiet;
        let server =
            FileServer::new(driver.now(), settings, limits, session_config, store.clone(), driver.waker(), quiet)?
                .with_networks(driver.now(), &networks)?
                .with_threads(together.clone())
                .with_watchdog(Watchdog::new(driver.now(), manager.clone(), thread));
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

/// The sockets of the server, one for each thread, and their addresses. They are those of the service manager, if it
/// passes any.
fn listen(args: &ServeArgs) -> Result<(Vec<UdpSocket>, Vec<SocketAddr>), String> {
    let passed = service_manager::passed_sockets()?;
    let address = resolve(&args.bind)?;
    let fail = |error: io::Error| format!("cannot listen on {address}: {}", error_text(&error));
    let sockets = match passed.len() {
        0 => binding::bind_together(address, args.threads).map_err(fail)?,
        // The threads share nothing, so that they cannot share a socket either.
        count if args.threads > 1 && usize::from(args.threads) != count => {
            return Err(format!(
                "--threads {} needs as many sockets, but the service manager passes {count}: repeat ListenDatagram= with \
                 ReusePort=yes, or leave --threads out",
                args.threads
            ));
        }
        _ => {
            let adopt = |socket| binding::adopt(socket).map_err(|error| error_text(&error));
            let adopted: Result<Vec<_>, _> = passed.into_iter().map(adopt).collect();
            adopted.map_err(|why| format!("cannot use a socket of the service manager: {why}"))?
        }
    };
    let bound: io::Result<Vec<_>> = sockets.iter().map(UdpSocket::local_addr).collect();
    let mut bound = bound.map_err(fail)?;
    bound.dedup();
    Ok((sockets, bound))
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
