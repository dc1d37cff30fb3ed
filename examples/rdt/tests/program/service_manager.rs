//! A server under a service manager (systemd): notices, the watchdog, and sockets that it takes over.

use crate::runner::{Place, Server, content, program};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The socket of a service manager, with the value of `NOTIFY_SOCKET` for it.
struct Manager {
    socket: UnixDatagram,
    name: String,
}

impl Manager {
    fn new(socket: UnixDatagram, name: String) -> Self {
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { socket, name }
    }

    fn at_path(place: &Place) -> Self {
        let path = place.client("notify");
        Self::new(UnixDatagram::bind(&path).unwrap(), path.display().to_string())
    }

    /// Landlock would forbid to connect to this socket later.
    fn abstract_name() -> Self {
        let name = format!("rdt-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        Self::new(UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}"))
    }

    fn serve(&self, place: &Place, options: &[&str]) -> Server {
        let mut command = program();
        command.env("NOTIFY_SOCKET", &self.name).env("WATCHDOG_USEC", "400000").env_remove("WATCHDOG_PID");
        place.serve_with(command, options)
    }

    fn receive(&self) -> String {
        let mut buf = [0; 4_096];
        let len = self.socket.recv(&mut buf).expect("a notice comes");
        String::from_utf8(buf[..len].to_vec()).unwrap()
    }
}

#[test]
fn notices_say_when_a_server_is_ready_works_and_stops() {
    let place = Place::new();
    for (manager, options) in [(Manager::at_path(&place), &[][..]), (Manager::abstract_name(), &["--threads", "2"])] {
        let server = manager.serve(&place, options);
        let expected = format!("READY=1\nSTATUS=serving {} on {}\n", place.server("").display(), server.address);
        assert_eq!(manager.receive(), expected);
        for _ in 0..3 {
            assert_eq!(manager.receive(), "WATCHDOG=1\n");
        }
        server.running.interrupt();
        let mut notice = manager.receive();
        while notice == "WATCHDOG=1\n" {
            notice = manager.receive();
        }
        assert!(notice.starts_with("STOPPING=1\nSTATUS="), "{notice}");
        server.running.expect_end(0, "");
    }
}

#[test]
fn without_a_service_manager_there_are_no_notices() {
    let place = Place::new();
    let mut command = program();
    // Nothing listens there.
    command.env("NOTIFY_SOCKET", place.client("absent")).env("WATCHDOG_USEC", "1");
    let server = place.serve_with(command, &[]);
    server.running.interrupt();
    server.running.expect_end(0, "");
}

/// A command that runs a server with these sockets as its third and fourth file.
fn with_sockets(place: &Place, first: OwnedFd, second: Option<OwnedFd>, options: &[&str]) -> Command {
    let count = 1 + usize::from(second.is_some());
    let mut shell = Command::new("sh");
    let script = format!(
        "exec 3<&0 4<&2 2>&1 </dev/null; export LISTEN_PID=$$ LISTEN_FDS={count}; exec \"$0\" serve --root \"$@\""
    );
    shell.args(["-c", &script]).arg(program().get_program()).arg(place.server("")).args(options);
    shell.stdin(first).stdout(Stdio::piped()).stderr(second.map_or(Stdio::null(), Stdio::from));
    shell
}

#[test]
fn a_server_uses_the_sockets_that_it_is_passed() {
    let place = Place::new();
    let bound = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = |socket: &UdpSocket| socket.local_addr().unwrap().to_string();
    for threads in [&[][..], &["--threads", "2"]] {
        let [one, two] = [bound(), bound()];
        let addresses = [address(&one), address(&two)];
        // The sockets of the service manager stay open, as those of systemd do.
        let passed = [&one, &two].map(|socket| OwnedFd::from(socket.try_clone().unwrap()));
        let [first, second] = passed;
        let server = place.serve_as_it_is(&mut with_sockets(&place, first, Some(second), threads));
        for (index, address) in addresses.iter().enumerate() {
            let (name, bytes) = (format!("file{index}"), content(100_000));
            std::fs::write(place.client(&name), &bytes).unwrap();
            place.put(&place.client(&name), address, &[]).expect_end(0, "stored");
            assert!(std::fs::read(place.server(&name)).unwrap() == bytes);
        }
        server.running.interrupt();
        let (code, said) = server.running.end();
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(&format!("on {}, {}", addresses[0], addresses[1])), "{said}");
        assert!(said.contains("only this machine reaches the server"), "{said}");
    }
}

/// A datagram that came before the server was started is not lost.
#[test]
fn a_client_may_start_before_the_server_that_its_datagrams_start() {
    let place = Place::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    std::fs::write(place.client("early"), "early").unwrap();
    let client = place.put(&place.client("early"), &socket.local_addr().unwrap().to_string(), &[]);
    // The service manager starts the server when a datagram waits.
    socket.peek(&mut [0; 1]).unwrap();
    let _server = place.serve_as_it_is(&mut with_sockets(&place, socket.into(), None, &[]));
    client.expect_end(0, "stored");
}

#[test]
fn sockets_that_do_not_fit_are_refused_with_the_reason() {
    let place = Place::new();
    let expect = |socket: OwnedFd, options: &[&str], why: &str| {
        let mut command = with_sockets(&place, socket, None, options);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(why), "{said}");
    };
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    expect(udp.into(), &["--threads", "3"], "--threads 3 needs as many sockets, but the service manager passes 1");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    expect(tcp.into(), &[], "cannot use a socket of the service manager: fd 3 is not a valid udp socket");
}
