//! A stop-and-wait client that sends bytes to an echo server, and checks the echo.
#![no_std]
#![no_main]

use firmware::{CONFIG, Check, DATAGRAM, ECHO, Link, SEGMENT, fill};
use rdt_proto::connection::{Connection, Storage};
use rdt_proto::store::{SendSlots, StoreError};

firmware::main!(run, EchoServer);

fn run(link: &mut impl Link) -> bool {
    echo(link).is_ok_and(|check| check.is_whole())
}

fn echo(link: &mut impl Link) -> Result<Check, StoreError> {
    let (mut send, mut recv) = ([0; CONFIG.send_bytes(1)], [0; CONFIG.recv_bytes(1)]);
    let storage = Storage::stop_and_wait(&CONFIG, &mut send[..], &mut recv[..])?.map_send(SendSlots::uncut);
    let mut connection = Connection::connect(link.now(), CONFIG, link.entropy::<32>(), storage)?;

    let (mut sent, mut check) = (0, Check::NOTHING);
    let mut buf = [0; DATAGRAM];
    loop {
        if let Ok(slot) = connection.send_slot() {
            let count = fill(slot, sent);
            sent += count as u32;
            let _ = connection.commit(count);
        }
        while !connection.recv_chunk().is_empty() {
            check.take(connection.recv_chunk());
            connection.consume(SEGMENT.into());
        }
        if check.is_whole() {
            connection.close();
        }
        while let Ok(Some(transmit)) = connection.poll_transmit(link.now(), &mut buf) {
            link.send(ECHO, buf.get(..transmit.len).unwrap_or_default());
        }
        if connection.is_drained() {
            return Ok(check);
        }
        if let Some((_, datagram)) = link.recv(connection.poll_timeout(), &mut buf) {
            connection.handle_datagram(link.now(), datagram);
        } else {
            connection.handle_timeout(link.now()); // only when no datagram waits
        }
    }
}
