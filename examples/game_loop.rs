//! A game at 60 ticks a second, with many players on one non-blocking socket. A tick reads, runs timers and sends.
//! Chat uses reliable streams. Positions use the game's own datagrams on the same socket, and only the newest counts.
//! `cargo run --release --example game_loop` runs a server and eight players in one thread, with 10 % loss.

use rdt_proto::connection::{Config, Connection, Event, Handled, HeapStorage, Ignored, SendError, Storage};
use rdt_proto::listener::{HeapPeers, Listener, ListenerConfig, PeerId};
use rdt_proto::wire::DecodeError;
use rdt_proto::{Duration, Instant};
use std::collections::HashMap;
use std::error::Error;
use std::net::{SocketAddr, UdpSocket};

const PLAYERS: usize = 8;
const TICK: Duration = Duration::from_micros(16_667);
/// The tick at which the chat ends, counted from the tick in which all players are on the server.
const PLAYED: usize = 120;
/// The number of further ticks, in which the last lines arrive before the players leave.
const QUIET: usize = 60;
/// The number of packets that a stream buffers each way: a few ticks of chat.
const WINDOW: u32 = 64;
/// The maximum length of a line in bytes, without its newline.
const LINE: usize = 256;
const LOSS: f32 = 0.1;

/// A socket that is read once a tick, with artificial loss.
struct Link {
    socket: UdpSocket,
    random: oorandom::Rand32,
    buf: Vec<u8>,
}

impl Link {
    fn bind(seed: u64) -> Result<Self, Box<dyn Error>> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, random: oorandom::Rand32::new(seed), buf: vec![0; 2_048] })
    }

    /// Returns the next waiting datagram.
    fn receive(&mut self) -> Option<(SocketAddr, &[u8])> {
        loop {
            let (len, from) = self.socket.recv_from(&mut self.buf).ok()?;
            if self.random.rand_float() >= LOSS {
                return Some((from, &self.buf[..len]));
            }
        }
    }
}

/// The configuration. Streams are driven once a tick, and pacing makes good what a tick is late for.
fn config() -> Config {
    Config::default()
}

/// Reads complete lines from a stream. Bytes beyond the longest line are dropped.
fn read_lines(connection: &mut Connection<HeapStorage>, inbox: &mut Vec<u8>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(&byte) = connection.recv_chunk().first() {
        connection.consume(1);
        match byte {
            b'\n' => lines.push(String::from_utf8_lossy(&std::mem::take(inbox)).into_owned()),
            _ if inbox.len() < LINE => inbox.push(byte),
            _ => {}
        }
    }
    lines
}

#[derive(Default)]
struct Avatar {
    inbox: Vec<u8>,
    x: u16,
    y: u16,
}

struct Server {
    link: Link,
    listener: Listener<HeapPeers<SocketAddr>>,
    avatars: HashMap<PeerId, Avatar>,
    tick: u32,
}

impl Server {
    fn tick(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        while let Some((from, datagram)) = self.link.receive() {
            self.listener.handle_datagram(now, from, datagram);
        }
        self.listener.handle_timeout(now);
        self.play(now)?;
        while let Some((to, transmit)) = self.listener.poll_transmit(now, &mut self.link.buf)? {
            self.link.socket.send_to(&self.link.buf[..transmit.len], to).ok(); // lost if the socket has no room
        }
        // Each player gets one datagram with all positions, beside the streams.
        let mut positions = [&b"POS"[..], &self.tick.to_be_bytes()].concat();
        self.avatars
            .values()
            .for_each(|avatar| positions.extend([avatar.x.to_be_bytes(), avatar.y.to_be_bytes()].concat()));
        for to in self.avatars.keys().filter_map(|&id| self.listener.address(id)) {
            self.link.socket.send_to(&positions, to).ok(); // the next tick sends newer positions
        }
        self.tick += 1;
        Ok(())
    }

    fn play(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        while let Some(incoming) = self.listener.poll_incoming() {
            let config = self.listener.config().connection;
            if let Ok(id) = self.listener.accept(now, incoming, entropy()?, || Storage::on_heap(&config, WINDOW)) {
                self.avatars.insert(id, Avatar::default());
            }
        }
        let (mut chat, mut gone) = (Vec::new(), Vec::new());
        while let Some((id, event)) = self.listener.poll_event() {
            let (Some(connection), Some(avatar)) = (self.listener.peer_mut(id), self.avatars.get_mut(&id)) else {
                continue;
            };
            chat.extend(read_lines(connection, &mut avatar.inbox));
            if connection.is_finished_reading() {
                connection.close();
            }
            if let Event::Closed(_) = event {
                gone.push(id);
            }
        }
        for (&id, avatar) in &mut self.avatars {
            (avatar.x, avatar.y) = (avatar.x.wrapping_add(3), avatar.y.wrapping_add(5));
            let Some(connection) = self.listener.peer_mut(id) else { continue };
            // If a player does not read the chat, the server's send buffer for it fills. The player is then removed.
            let mut sent = chat.iter().map(|line| connection.send_segment(format!("{line}\n").as_bytes()));
            if sent.any(|result| result == Err(SendError::Full)) {
                gone.push(id);
            }
        }
        for id in gone {
            self.listener.release(now, id);
            self.avatars.remove(&id);
        }
        Ok(())
    }
}

struct Player {
    link: Link,
    server: SocketAddr,
    connection: Connection<HeapStorage>,
    inbox: Vec<u8>,
    said: usize,
    heard: usize,
    /// The newest tick whose positions have arrived.
    seen: u32,
    /// The number of received position datagrams that were newer than all before them.
    updates: usize,
}

impl Player {
    fn tick(&mut self, now: Instant, line: Option<String>) -> Result<(), Box<dyn Error>> {
        while let Some((from, datagram)) = self.link.receive() {
            if from != self.server {
                continue;
            }
            // A datagram that is not a packet of the stream belongs to the game.
            if self.connection.handle_datagram(now, datagram)
                == Handled::Ignored(Ignored::Malformed(DecodeError::Prefix))
                && let Some((tick, _positions)) =
                    datagram.strip_prefix(b"POS").and_then(|rest| rest.split_first_chunk())
                && u32::from_be_bytes(*tick) > self.seen
            {
                self.seen = u32::from_be_bytes(*tick);
                self.updates += 1;
            }
        }
        self.connection.handle_timeout(now);
        self.heard += read_lines(&mut self.connection, &mut self.inbox).len();
        if let Some(line) = line {
            // A player that the server has removed says nothing more.
            self.said += usize::from(self.connection.send_segment(line.as_bytes()).is_ok());
        }
        while let Some(transmit) = self.connection.poll_transmit(now, &mut self.link.buf)? {
            self.link.socket.send_to(&self.link.buf[..transmit.len], self.server).ok(); // lost if there is no room
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let started = std::time::Instant::now();
    let listener_config = ListenerConfig { connection: config(), peers: PLAYERS, ..ListenerConfig::default() };
    let listener = Listener::new(Instant::ZERO, listener_config, entropy()?);
    let mut server = Server { link: Link::bind(0)?, listener, avatars: HashMap::new(), tick: 0 };
    let address = server.link.socket.local_addr()?;
    let mut players = Vec::new();
    for seed in 1..=PLAYERS {
        let connection =
            Connection::connect(Instant::ZERO, config(), entropy()?, Storage::on_heap(&config(), WINDOW)?)?;
        let link = Link::bind(seed.try_into()?)?;
        let inbox = Vec::new();
        players.push(Player { link, server: address, connection, inbox, said: 0, heard: 0, seen: 0, updates: 0 });
    }
    let (mut next, mut played) = (Instant::ZERO, 0);
    while players.iter().any(|player| player.connection.ended().is_none()) {
        let now = Instant::ZERO + started.elapsed().into();
        server.tick(now)?;
        // The game starts once all players are on the server. It goes on without those that leave.
        let has_left = players.iter().any(|player| player.connection.ended().is_some());
        played += usize::from(played > 0 || has_left || server.avatars.len() == PLAYERS);
        for (number, player) in players.iter_mut().enumerate() {
            let talks = (1..PLAYED).contains(&played) && played % 10 == number;
            player.tick(now, talks.then(|| format!("player {number} at tick {}\n", server.tick)))?;
            if played == PLAYED + QUIET {
                player.connection.close();
            }
        }
        next = next + TICK;
        std::thread::sleep(next.saturating_since(Instant::ZERO + started.elapsed().into()).into());
    }
    let said: usize = players.iter().map(|player| player.said).sum();
    println!("{} ticks in {:.1} s, {said} lines said", server.tick, started.elapsed().as_secs_f32());
    for (number, player) in players.iter().enumerate() {
        let Player { heard, updates, connection, .. } = player;
        let repeated = connection.stats().infos_repeated;
        println!(
            "player {number} heard {heard} lines, saw {updates} positions, repeated {repeated}: {:?}",
            connection.ended()
        );
    }
    Ok(())
}

/// Returns unpredictable bytes.
fn entropy<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map(|()| bytes)
}
