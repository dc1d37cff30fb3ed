//! Several server threads on one port. Each thread has its own socket, listener and files, and shares none of them.

use crate::driver::Driver;
use crate::local_failure::{at_start, of_network};
use crate::server::FileServer;
use crate::stop::Stop;
use std::io;
use std::net::UdpSocket;

/// Serves on these sockets until a stop is requested. The end of one thread ends all threads.
pub(crate) fn run(
    mut sockets: Vec<UdpSocket>,
    stop: &Stop,
    serve: impl Fn(&Driver, u64) -> io::Result<FileServer> + Sync,
    drive: impl Fn(UdpSocket, u64) -> io::Result<Driver> + Sync,
) -> Result<(), String> {
    let threads = sockets.len();
    let one = |socket, thread| {
        // A panic in one thread also ends the other threads.
        let _guard = StopAtEnd(stop);
        let mut driver = drive(socket, thread).map_err(at_start)?;
        let mut server = serve(&driver, thread).map_err(at_start)?;
        let ran = driver.run(&mut server).map_err(of_network);
        // A server that fails has served as well, and lines may wait to be summed up.
        server.print_totals((threads > 1).then_some(thread));
        ran
    };
    std::thread::scope(|scope| {
        let others: Vec<_> =
            (1..).zip(sockets.drain(1..)).map(|(thread, socket)| scope.spawn(move || one(socket, thread))).collect();
        let mut done = sockets.pop().map_or(Ok(()), |socket| one(socket, 0));
        for thread in others {
            done = done.and(thread.join().unwrap_or_else(|_| Err("a thread failed".into())));
        }
        done
    })
}

/// Ends all threads when dropped.
struct StopAtEnd<'s>(&'s Stop);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        if self.0.count() == 0 {
            self.0.request();
        }
    }
}
