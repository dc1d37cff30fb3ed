//! Starts a server: its folder, its sockets, its restriction, its threads.

use crate::access::{Access, Networks, announcement};
use crate::binding;
use crate::driver::Driver;
use crate::files::{Folder, Space, SpaceLimits, Tree};
use crate::lifecycle::Threads;
use crate::local_failure::at_start;
use crate::log;
use crate::loss::Loss;
use crate::messages::{self, error_text};
use crate::qlog::VantagePoint;
use crate::request_screen::SharedScreen;
use crate::reset_keys::ResetKeys;
use crate::serve_args::ServeArgs;
use crate::server::{self, FileServer, Store};
use crate::server_address;
use crate::service_manager::{self, ServiceManager, Watchdog};
use crate::stop::{Stop, Terminal};
use crate::trace_file::TraceFile;
use crate::{output, threads};
use cap_std::fs::Dir;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn serve(args: &ServeArgs) -> Result<ExitCode, String> {
    let (limits, session_config) = (args.limits(), args.session_config());
    let space = SpaceLimits { total: args.max_unfinished, per_host: args.max_unfinished_per_host };
    let (access, networks) = (args.access(), Networks::new(&args.allow));
    let folder = open_root(&args.root, access)?;
    if access != Access::ReadOnly {
        warn_unless_writable(&folder, &args.root);
    }
    let store = Store {
        access,
        bench: args.bench_limits(),
        tree: Tree::new(folder, args.tree_rules()),
        replaces: !args.no_replace,
        max_size: session_config.max_upload_length,
        space: Space::new(space),
    };
    let settings = args.common.settings();
    let (sockets, bound, is_fixed) = listen(args)?;
    let manager = Arc::new(ServiceManager::of_environment(sockets.len()));
    let keys = reset_keys(args, bound.first().copied().filter(|_| is_fixed))?;
    let log = match &args.log {
        Some(path) => log::open(path, &args.root)?,
        None => None,
    };
    let trace = args.common.trace.as_deref().map(|path| TraceFile::create(path, Some(&args.root))).transpose()?;
    let restriction = restrict(store.tree.folder(), log.as_ref(), args);
    let stop = start_threads(log.is_some(), trace)?;
    let together = Threads::new(sockets.len(), stop.clone());
    if !args.common.quiet {
        messages::to_stderr(restriction);
        messages::to_stderr(announcement(access, !args.no_replace, &networks, &bound, &absolute(&args.root)));
        if args.common.is_base_mode() {
            messages::to_stderr(BASE_MODE);
        }
    }
    let list = bound.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ");
    let serving = format!("serving {} on {list}", args.root.display());
    messages::serving(&args.root, &list);
    manager.ready(&serving);
    let screen = server::has_screen(settings.verbosity).then(SharedScreen::default);
    let serve = |driver: &Driver, thread| {
        let quiet = args.common.quiet;
        let server =
            FileServer::new(driver.now(), settings, limits, session_config, store.clone(), driver.waker(), quiet)?
                .with_networks(driver.now(), &networks)?
                .with_threads(together.clone())
                .with_screen(screen.clone())
                .with_watchdog(Watchdog::new(driver.now(), manager.clone(), thread));
        Ok(match keys.as_ref().and_then(|keys| keys.of(thread)) {
            Some(key) => server.with_reset_key(key),
            None => server,
        })
    };
    let loss = |thread| Loss::new(args.common.loss, args.common.seed + thread);
    let bytes = settings.largest_config().max_datagram_len();
    threads::run(sockets, &stop, serve, |socket, thread| {
        Driver::on(socket, bytes, loss(thread), stop.clone())?.fragmenting(&settings.config)
    })?;
    // To be stopped is the only orderly end of a server.
    Ok(ExitCode::SUCCESS)
}

/// Which clients a server in base mode has.
const BASE_MODE: &str = "base mode: the server answers only programs in base mode, such as rdt put FILE ADDR --profile \
                         rostov and rdt get NAME ADDR --profile rostov: one file each, no folders and no lists";

/// Opens the folder to serve, and makes it if it is missing.
fn open_root(root: &Path, access: Access) -> Result<Folder, String> {
    let made = if root.exists() { Ok(()) } else { std::fs::create_dir(root) };
    let fail = |what: &str, error: &io::Error, advice: &str| {
        Err(format!("cannot {what} the folder {} on this machine: {}: {advice}", root.display(), error_text(error)))
    };
    let folder = match (Folder::open(root), made) {
        (Ok(folder), _) => folder,
        (Err(error), _) if error.kind() == io::ErrorKind::NotADirectory => {
            return fail("serve", &error, "give --root with a folder, and to serve one file, the folder that it is in");
        }
        (Err(opened), Err(error)) if opened.kind() == io::ErrorKind::NotFound => {
            let advice = match error.kind() {
                io::ErrorKind::NotFound => "create the folder above it, or give another --root",
                io::ErrorKind::AlreadyExists => "it is a link to nothing: remove it, or give another --root",
                _ => "create it as a user who may, or give another --root",
            };
            return fail("create", &error, advice);
        }
        (Err(error), _) => return fail("serve", &error, advice_on_root(&error)),
    };
    if access != Access::WriteOnly
        && let Err(error) = std::fs::read_dir(root)
    {
        return fail("read", &error, advice_on_root(&error));
    }
    Ok(folder)
}

fn advice_on_root(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "give this user its permission, or another --root",
        _ => "look at the path (links, disk), or give another --root",
    }
}

/// The whole path, which says more than a dot. If it is not known, the path as it is.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A server whose folder takes no files still serves them, and stores in the folders of it that do.
fn warn_unless_writable(folder: &Folder, root: &Path) {
    if let Err(error) = folder.check_takes_files() {
        let (root, why) = (root.display(), error_text(&error));
        messages::to_stderr(format_args!("no file can be stored directly in {root} on this machine: {why}"));
    }
}

/// The keys of stateless resets. `None`: clients of a restarted server wait. A server at another address each time has
/// no clients of a predecessor.
fn reset_keys(args: &ServeArgs, bound: Option<SocketAddr>) -> Result<Option<ResetKeys>, String> {
    let Some(bound) = bound else { return ResetKeys::fresh().map(Some).map_err(at_start) };
    match ResetKeys::load(args.state.as_deref(), bound, &args.root) {
        Ok(keys) => Ok(Some(keys)),
        Err(why) if args.state.is_some() => Err(why),
        Err(why) => {
            messages::to_stderr(format_args!("{why}; clients of a restarted server will wait for their --timeout"));
            Ok(None)
        }
    }
}

/// Starts the threads that print, and that which watches for signals. They are the first threads of the program.
fn start_threads(has_log: bool, trace: Option<TraceFile>) -> Result<Stop, String> {
    output::start().and_then(|()| if has_log { output::start_log() } else { Ok(()) }).map_err(at_start)?;
    trace.map_or(Ok(()), |trace| trace.start(VantagePoint::Server)).map_err(at_start)?;
    let terminal = Terminal::at_start();
    let hangup = move || {
        log::reopen();
        terminal.is_gone()
    };
    Stop::on_signals_of_server(hangup).map_err(at_start)
}

/// The sockets of the server, one for each thread, their addresses, and whether a restarted server has the same. They
/// are those of the service manager, if it passes any.
fn listen(args: &ServeArgs) -> Result<(Vec<UdpSocket>, Vec<SocketAddr>, bool), String> {
    let passed = service_manager::passed_sockets()?;
    let address = server_address::resolve_bind(&args.bind)?;
    let fail = |error: io::Error| cannot_listen(address, &error);
    let is_fixed = !passed.is_empty() || address.port() != 0;
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
    Ok((sockets, bound, is_fixed))
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            ": another program has this port, perhaps another rdt serve: end that, or give --bind with another port"
        }
        io::ErrorKind::AddrNotAvailable => {
            ": it is no address of this machine: give --bind with one that it has, or with 0.0.0.0 for all, which opens \
             the port to everyone who reaches this machine"
        }
        io::ErrorKind::PermissionDenied => ": give --bind with a port from 1024 on",
        _ => "",
    };
    format!("cannot listen on {address}: {}{advice}", error_text(error))
}

/// The program alone keeps clients in the folder.
const UNRESTRICTED: &str = "only the program itself keeps clients to the folder, and the system does not help";

/// Restricts the program to the folder of the server, and of its log. Returns a line that says how far.
///
/// A server has no other files: the rest of its output goes to streams that are open.
#[cfg(target_os = "linux")]
fn restrict(folder: &Folder, log: Option<&Dir>, args: &ServeArgs) -> String {
    use crate::sandbox::{self, Restriction, Use};
    use std::os::fd::AsFd;
    let and = if log.is_some() { ", and append to its log" } else { "" };
    let log = log.map(|folder| (folder.as_fd(), Use::Log));
    let may = args.access().needs();
    let root = absolute(&args.root);
    let root = root.display();
    let folders: Vec<_> = [(folder.as_fd(), Use::Files(args.access()))].into_iter().chain(log).collect();
    match sandbox::restrict(&folders) {
        Ok(Restriction::Whole) => {
            format!("whatever a client sends, the kernel lets this server only {may} in {root}{and} (Landlock)")
        }
        Ok(Restriction::Partial) => format!(
            "whatever a client sends, the kernel lets this server only {may} in {root}{and}, as far as this old kernel \
             can (Landlock)"
        ),
        Ok(Restriction::None) => format!("{UNRESTRICTED}: it is too old, or has it switched off (Landlock)"),
        Err(error) => format!("{UNRESTRICTED} (Landlock: {})", error_text(&error)),
    }
}

#[cfg(not(target_os = "linux"))]
fn restrict(_folder: &Folder, _log: Option<&Dir>, _args: &ServeArgs) -> String {
    UNRESTRICTED.into()
}
