//! A stop-and-wait client: sends bytes to a server that echoes them, and checks what comes back.
#![no_std]
#![no_main]

use firmware::{Check, DATAGRAM, ECHO, Link, SEGMENT, fill};
use rdt_proto::connection::{Config, Connection, Storage};
use rdt_proto::store::{RecvSlots, SendSlots, StoreError, slot_bytes};

firmware::main!(run, EchoServer);

fn run(link: &mut impl Link) -> bool {
    echo(link).is_ok_and(|check| check.is_whole())
}

fn echo(link: &mut impl Link) -> Result<Check, StoreError> {
    let (mut send, mut recv) = ([0; slot_bytes(SEGMENT)], [0; slot_bytes(SEGMENT)]);
    let storage =
        Storage::stop_and_wait(SendSlots::new(&mut send[..], SEGMENT)?, RecvSlots::new(&mut recv[..], SEGMENT)?);
    let mut connection = Connection::connect(link.now(), Config::default(), link.entropy(), storage);

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
        }
        connection.handle_timeout(link.now());
    }
}
