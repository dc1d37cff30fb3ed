//! Signals that ask the program to end, or to open its log again.

use std::io;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C: SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal was closed, or a log file was moved.
    Hangup,
}

/// Calls `handle` for each signal, on a thread of its own.
#[cfg(unix)]
pub(crate) fn watch(mut handle: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let run = move || {
        for signal in signals.forever() {
            handle(match signal {
                SIGTERM => Signal::Terminate,
                SIGHUP => Signal::Hangup,
                _ => Signal::Interrupt,
            });
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(run)?;
    Ok(())
}

/// Calls `handle` for Ctrl-C and the like, on a thread of its own.
#[cfg(not(unix))]
pub(crate) fn watch(mut handle: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || handle(Signal::Interrupt)).map_err(io::Error::other)
}
