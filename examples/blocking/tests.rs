//! Tests of each call and each time-out.

use super::*;
use std::sync::mpsc;

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(10);

fn bind() -> Socket {
    Socket::bind("127.0.0.1:0").unwrap()
}

fn address(acceptor: &Acceptor) -> SocketAddr {
    acceptor.0.borrow().socket.local_addr().unwrap()
}

/// Runs a server in a thread, and a client in the current one.
fn run(server: impl FnOnce(Acceptor) + Send, client: impl FnOnce(SocketAddr)) {
    thread::scope(|scope| {
        let (report, reported) = mpsc::channel();
        scope.spawn(move || {
            let acceptor = bind().listen(8).unwrap();
            report.send(address(&acceptor)).unwrap();
            server(acceptor);
        });
        client(reported.recv().unwrap());
    });
}

fn connect(address: SocketAddr) -> Stream {
    bind().connect(address, LONG).unwrap()
}

fn kind<T>(result: io::Result<T>) -> ErrorKind {
    result.map(drop).unwrap_err().kind()
}

#[test]
fn bind_takes_the_port_for_itself() {
    let Socket(socket) = bind();
    assert_eq!(kind(Socket::bind(socket.local_addr().unwrap())), ErrorKind::AddrInUse);
}

#[test]
fn listen_keeps_as_many_clients_as_its_backlog() {
    let acceptor = bind().listen(2).unwrap();
    let address = address(&acceptor);
    let call = move || kind(bind().connect(address, Duration::from_millis(200)));
    let clients: Vec<_> = (0..4).map(|_| thread::spawn(call)).collect();
    let mut port = acceptor.0.borrow_mut();
    let accepted: Option<()> = port.wait(Duration::from_millis(300), |_| None).unwrap();
    assert_eq!(accepted, None);
    let Machine::Server(listener) = &port.machine else { panic!("the port listens") };
    assert_eq!(listener.backlog_len(), 2);
    assert!(clients.into_iter().all(|client| client.join().unwrap() == ErrorKind::TimedOut));
}

#[test]
fn accept_returns_at_its_time_out() {
    let acceptor = bind().listen(1).unwrap();
    assert_eq!(kind(acceptor.accept(SHORT)), ErrorKind::TimedOut);
}

#[test]
fn connect_returns_at_its_time_out() {
    let Socket(silent) = bind();
    assert_eq!(kind(bind().connect(silent.local_addr().unwrap(), SHORT)), ErrorKind::TimedOut);
}

#[test]
fn bytes_go_both_ways_until_both_sides_close() {
    let server = |acceptor: Acceptor| {
        let stream = acceptor.accept(LONG).unwrap();
        let mut buf = [0; 5];
        assert_eq!(stream.recv(&mut buf, LONG).unwrap(), 5);
        assert_eq!(stream.send(&buf, LONG).unwrap(), 5);
        stream.close(LONG).unwrap();
    };
    run(server, |address| {
        let stream = connect(address);
        assert_eq!(stream.send(b"hello", LONG).unwrap(), 5);
        let mut buf = [0; 5];
        assert_eq!(stream.recv(&mut buf, LONG).unwrap(), 5);
        assert_eq!(&buf, b"hello");
        stream.close(LONG).unwrap();
    });
}

#[test]
fn recv_returns_the_count_so_far_at_its_time_out() {
    let server = |acceptor: Acceptor| {
        let stream = acceptor.accept(LONG).unwrap();
        stream.send(b"half", LONG).unwrap();
        assert_eq!(stream.recv(&mut [0], LONG).unwrap(), 0);
        stream.close(LONG).unwrap();
    };
    run(server, |address| {
        let stream = connect(address);
        let mut buf = [0; 8];
        assert_eq!(stream.recv(&mut buf[..1], LONG).unwrap(), 1);
        assert_eq!(stream.recv(&mut buf[1..], SHORT).unwrap(), 3);
        assert_eq!(&buf, b"half\0\0\0\0");
        assert_eq!(stream.recv(&mut buf, SHORT).unwrap(), 0);
        stream.close(LONG).unwrap();
    });
}

#[test]
fn recv_returns_the_count_so_far_at_the_end() {
    let server = |acceptor: Acceptor| {
        let stream = acceptor.accept(LONG).unwrap();
        assert_eq!(stream.recv(&mut [0; 8], LONG).unwrap(), 4);
        stream.close(LONG).unwrap();
    };
    run(server, |address| {
        let stream = connect(address);
        stream.send(b"last", LONG).unwrap();
        stream.close(LONG).unwrap();
    });
}

#[test]
fn send_returns_the_count_so_far_at_its_time_out() {
    let data: Vec<u8> = (0..=u8::MAX).cycle().take(4 << 20).collect();
    let (report, reported) = mpsc::channel();
    let server = |acceptor: Acceptor| {
        let stream = acceptor.accept(LONG).unwrap();
        report.send(stream.send(&data, Duration::from_millis(200)).unwrap()).unwrap();
        stream.close(LONG).unwrap();
    };
    run(server, |address| {
        let stream = connect(address);
        // No call drives this port meanwhile, so no data is acknowledged.
        let count = reported.recv().unwrap();
        assert!(0 < count && count < data.len(), "a part of the data must be accepted, not {count} bytes");
        let mut buf = vec![0; data.len()];
        assert_eq!(stream.recv(&mut buf, LONG).unwrap(), count);
        assert!(buf[..count] == data[..count]);
        stream.close(LONG).unwrap();
    });
}

#[test]
fn close_aborts_the_connection_at_its_time_out() {
    let server = |acceptor: Acceptor| {
        let stream = acceptor.accept(LONG).unwrap();
        let aborted: Option<()> = stream.wait(LONG, |connection| connection.ended().map(|_| Ok(()))).unwrap();
        assert_eq!(aborted, Some(()));
        assert_eq!(kind(stream.recv(&mut [0], LONG)), ErrorKind::ConnectionAborted);
        assert_eq!(kind(stream.send(b"late", LONG)), ErrorKind::BrokenPipe);
        assert_eq!(kind(stream.close(LONG)), ErrorKind::ConnectionAborted);
    };
    run(server, |address| assert_eq!(kind(connect(address).close(SHORT)), ErrorKind::TimedOut));
}

#[test]
fn a_call_drives_every_stream_of_its_port() {
    let data = [7; 100_000];
    let server = |acceptor: Acceptor| {
        let (first, second) = (acceptor.accept(LONG).unwrap(), acceptor.accept(LONG).unwrap());
        assert_eq!(second.recv(&mut [0], LONG).unwrap(), 1);
        let mut buf = [0; 100_000];
        assert_eq!(first.recv(&mut buf, LONG).unwrap(), buf.len());
        assert!(buf == data);
    };
    run(server, |address| {
        let (first, second) = (connect(address), connect(address));
        first.send(&data, LONG).unwrap();
        let all = |connection: &mut Connection<_>| connection.is_all_acknowledged().then_some(Ok(()));
        assert_eq!(first.wait(LONG, all).unwrap(), Some(()));
        second.send(&[1], LONG).unwrap();
    });
}
