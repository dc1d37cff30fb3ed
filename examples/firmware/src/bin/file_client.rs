//! A client that uploads a file over selective repeat.
#![no_std]
#![no_main]

use firmware::{CONFIG, DATAGRAM, ECHO, LENGTH, Link, byte_at};
use rdt_proto::Instant;
use rdt_proto::arq::{Block, SelectiveRepeat};
use rdt_proto::congestion::{FixedWindow, Unpaced};
use rdt_proto::connection::{CloseReason, Connection, Memory, SendError, Storage, blocks_for};
use rdt_proto::ftp::{Answer, Client, ClientConfig, Name, Outcome, Output, Request, Session, Unasked};
use rdt_proto::store::{RecvSlots, SendSlots, StoreError};

firmware::main!(run, FileServer);

/// The name of the file. The compiler checks it.
#[allow(clippy::panic, reason = "the panic is an error of the compiler")]
const NAME: Name<'static> = match Name::new("log.bin") {
    Ok(name) => name,
    Err(_) => panic!("the name breaks a rule"),
};
/// The maximum number of unacknowledged packets.
const WINDOW: u32 = 16;
/// The maximum number of received packets that are not yet read.
const ANSWERS: u32 = 4;
/// Every path carries the small bodies whole, so the store need not cut them.
type Bodies<'m> = SendSlots<&'m mut [u8], false>;
type Arq<'m> = SelectiveRepeat<&'m mut [Block], Unpaced<FixedWindow>>;
type Stream<'m> = Connection<Storage<Bodies<'m>, RecvSlots<&'m mut [u8]>, Arq<'m>>>;

fn run(link: &mut impl Link) -> bool {
    let mut memory = Memory {
        send: [0; CONFIG.send_bytes(WINDOW)],
        recv: [0; CONFIG.recv_bytes(ANSWERS)],
        blocks: [Block::EMPTY; blocks_for(WINDOW)],
    };
    let Ok(mut connection) = connect(link, &mut memory) else { return false };
    let mut session = Client::upload(ClientConfig::default(), NAME, LENGTH.into());

    let mut buf = [0; DATAGRAM];
    loop {
        if pump(&mut connection, &mut session, link.now()).is_err() {
            return false;
        }
        while let Ok(Some(transmit)) = connection.poll_transmit(link.now(), &mut buf) {
            link.send(ECHO, buf.get(..transmit.len).unwrap_or_default());
        }
        if connection.is_drained() {
            return session.outcome() == Some(Outcome::Stored);
        }
        if let Some((_, datagram)) = link.recv(connection.poll_timeout(), &mut buf) {
            connection.handle_datagram(link.now(), datagram);
        } else {
            connection.handle_timeout(link.now()); // only when no datagram waits
        }
    }
}

fn connect<'m, S: AsMut<[u8]>, R: AsMut<[u8]>, B: AsMut<[Block]>>(
    link: &mut impl Link,
    Memory { send, recv, blocks }: &'m mut Memory<S, R, B>,
) -> Result<Stream<'m>, StoreError> {
    let lent = Memory { send: send.as_mut(), recv: recv.as_mut(), blocks: blocks.as_mut() };
    let window = |datagram| Unpaced(FixedWindow::new(u64::from(WINDOW) * u64::from(datagram)));
    let storage = Storage::selective_repeat(&CONFIG, lent, window)?.map_send(SendSlots::uncut);
    Connection::connect(link.now(), CONFIG, link.entropy::<32>(), storage)
}

/// Passes data between the connection and the session until neither can make progress.
fn pump(connection: &mut Stream<'_>, session: &mut Client, now: Instant) -> Result<(), Unasked> {
    loop {
        let taken = session.handle_input(now, connection.recv_chunk());
        connection.consume(taken);
        if connection.is_finished_reading() {
            match connection.ended() {
                None | Some(CloseReason::Finished | CloseReason::PeerLeft) => session.handle_peer_closed(),
                Some(_) => session.handle_lost(),
            }
        }
        if !read(connection, session, now)? && !write(connection, session)? && taken == 0 {
            return Ok(());
        }
    }
}

/// Reads file data into the send buffer of the connection. Returns whether the session requested a read.
fn read(connection: &mut Stream<'_>, session: &mut Client, now: Instant) -> Result<bool, Unasked> {
    let slot = connection.send_slot().unwrap_or_default();
    let Some(Request::Read { offset, len }) = session.poll_request(slot.len()) else { return Ok(false) };
    for (at, byte) in (offset as u32..).zip(slot.iter_mut().take(len)) {
        *byte = byte_at(at);
    }
    let answer = if connection.commit(len).is_ok() { len } else { 0 };
    session.handle_answer(now, Answer::Read(answer))?;
    Ok(true)
}

/// Passes one output of the session to the connection. Returns whether the session made progress.
fn write(connection: &mut Stream<'_>, session: &mut Client) -> Result<bool, Unasked> {
    match session.poll_output() {
        None => return Ok(false),
        Some(Output::Header(header)) => match connection.send_segment(header) {
            Ok(()) => {
                let len = header.len();
                session.header_sent(len)?;
            }
            Err(SendError::Full) => return Ok(false), // the session returns the header again
            Err(_) => session.handle_lost(),
        },
        Some(Output::Close) => connection.close(),
        Some(Output::Abort(code)) => connection.abort(code.value()),
    }
    Ok(true)
}
