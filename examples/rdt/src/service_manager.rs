//! The service manager (systemd): the sockets that it passes, and the notices that it gets.
//!
//! Everything here reads the environment, so it runs before the first thread starts. It also runs before the program is
//! restricted: the socket for notices is connected then, and stays usable wherever it leads.

use rdt_proto::{Duration, Instant};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What sends a notice.
type Send = Box<dyn Fn(&str) + std::marker::Send + Sync>;

/// The service manager, as the threads of a server see it.
pub(crate) struct ServiceManager {
    /// `None` if no service manager waits for notices.
    send: Option<Send>,
    /// The time within which the service manager must hear that the program works.
    watchdog: Option<Duration>,
    threads: Box<[Thread]>,
}

#[derive(Default)]
struct Thread {
    /// Whether the thread has worked since the last notice.
    worked: AtomicBool,
    ended: AtomicBool,
}

impl ServiceManager {
    /// Connects to the service manager, if there is one, on behalf of this number of threads.
    pub(crate) fn of_environment(threads: usize) -> Self {
        let (send, watchdog) = connect();
        Self { send, watchdog, threads: (0..threads).map(|_| Thread::default()).collect() }
    }

    /// The program serves now.
    pub(crate) fn ready(&self, status: &str) {
        self.notify(&format!("READY=1\n{}", status_line(status)));
    }

    /// The program ends soon.
    pub(crate) fn stopping(&self, status: &str) {
        self.notify(&format!("STOPPING=1\n{}", status_line(status)));
    }

    /// The interval at which each thread reports that it [works](Self::works). `None` without a watchdog.
    ///
    /// The last of the threads causes the notice. So the longest time between two notices is two intervals, half of
    /// what the service manager allows.
    pub(crate) fn interval(&self) -> Option<Duration> {
        let watchdog = self.watchdog.filter(|_| self.send.is_some())?;
        Some(Duration::from_micros(watchdog.as_micros() / 4).max(Duration::from_millis(1)))
    }

    /// This thread works. The service manager gets a notice when all threads have worked since the last one.
    pub(crate) fn works(&self, thread: usize) {
        if let Some(thread) = self.threads.get(thread) {
            thread.worked.store(true, Ordering::Relaxed);
        }
        let is_well = |thread: &Thread| thread.worked.load(Ordering::Relaxed) || thread.ended.load(Ordering::Relaxed);
        if self.threads.iter().all(is_well) {
            self.threads.iter().for_each(|thread| thread.worked.store(false, Ordering::Relaxed));
            self.notify("WATCHDOG=1\n");
        }
    }

    /// This thread has ended. No notice waits for it any more.
    fn ended(&self, thread: usize) {
        if let Some(thread) = self.threads.get(thread) {
            thread.ended.store(true, Ordering::Relaxed);
        }
    }

    fn notify(&self, text: &str) {
        if let Some(send) = &self.send {
            send(text);
        }
    }
}

/// When a thread tells the service manager next that it works.
#[derive(Default)]
pub(crate) struct Watchdog {
    manager: Option<Arc<ServiceManager>>,
    thread: usize,
    next: Option<Instant>,
}

impl Watchdog {
    /// The watchdog of the thread with this index.
    pub(crate) fn new(now: Instant, manager: Arc<ServiceManager>, thread: u64) -> Self {
        let thread = usize::try_from(thread).unwrap_or(usize::MAX);
        let next = manager.interval().map(|_| now);
        Self { manager: Some(manager), thread, next }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let (Some(manager), Some(next)) = (&self.manager, self.next)
            && next <= now
        {
            manager.works(self.thread);
            self.next = manager.interval().map(|interval| now + interval);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    pub(crate) fn stopping(&self, status: &str) {
        if let Some(manager) = &self.manager {
            manager.stopping(status);
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some(manager) = &self.manager {
            manager.ended(self.thread);
        }
    }
}

/// A control character would end the line, and begin another notice.
fn status_line(status: &str) -> String {
    format!("STATUS={}\n", status.replace(char::is_control, "?"))
}

#[cfg(target_os = "linux")]
fn connect() -> (Option<Send>, Option<Duration>) {
    let watchdog = sd_notify::watchdog_enabled().and_then(|limit| limit.as_micros().try_into().ok());
    let send = connect_notices().map(|socket| -> Send {
        // A notice that finds no room is lost.
        Box::new(move |text| drop(socket.send(text.as_bytes())))
    });
    (send, watchdog.map(Duration::from_micros))
}

/// Connects to the socket that `NOTIFY_SOCKET` names: a path, or an abstract name after `@`.
#[cfg(target_os = "linux")]
fn connect_notices() -> Option<std::os::unix::net::UnixDatagram> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let name = std::env::var_os("NOTIFY_SOCKET")?;
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&name),
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect_addr(&address.ok()?).ok()?;
    Some(socket)
}

#[cfg(not(target_os = "linux"))]
fn connect() -> (Option<Send>, Option<Duration>) {
    (None, None)
}

/// The sockets that the service manager passes. There are none if it passes nothing.
#[cfg(unix)]
pub(crate) fn passed_sockets() -> Result<Vec<UdpSocket>, String> {
    let mut passed = listenfd::ListenFd::from_env();
    let sockets = (0..passed.len()).filter_map(|index| passed.take_udp_socket(index).transpose());
    let sockets: Result<Vec<_>, _> = sockets.collect();
    sockets.map_err(|error| format!("cannot use a socket of the service manager: {error}; use ListenDatagram="))
}

#[cfg(not(unix))]
pub(crate) fn passed_sockets() -> Result<Vec<UdpSocket>, String> {
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn recorded(threads: usize) -> (Arc<ServiceManager>, Arc<Mutex<String>>) {
        let sent = Arc::new(Mutex::new(String::new()));
        let log = sent.clone();
        let send: Send = Box::new(move |text| *log.lock().unwrap() += text);
        let threads = (0..threads).map(|_| Thread::default()).collect();
        (Arc::new(ServiceManager { send: Some(send), watchdog: Some(Duration::from_secs(2)), threads }), sent)
    }

    #[test]
    fn the_watchdog_hears_only_of_all_threads_together() {
        let (manager, sent) = recorded(2);
        assert_eq!(manager.interval(), Some(Duration::from_millis(500)));
        (0..9).for_each(|_| manager.works(0));
        assert_eq!(*sent.lock().unwrap(), "");
        manager.works(1);
        assert_eq!(*sent.lock().unwrap(), "WATCHDOG=1\n");
        manager.works(1);
        assert_eq!(*sent.lock().unwrap(), "WATCHDOG=1\n");
        // A thread that has ended is not waited for.
        drop(Watchdog::new(Instant::ZERO, manager.clone(), 0));
        manager.works(1);
        assert_eq!(*sent.lock().unwrap(), "WATCHDOG=1\nWATCHDOG=1\n");
    }

    #[test]
    fn a_status_is_one_line() {
        let (manager, sent) = recorded(1);
        manager.ready("serving a\nWATCHDOG=1");
        assert_eq!(*sent.lock().unwrap(), "READY=1\nSTATUS=serving a?WATCHDOG=1\n");
    }
}
