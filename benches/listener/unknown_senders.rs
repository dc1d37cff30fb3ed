//! The cost of a datagram of an unknown sender, which is dropped or answered with RETRY.

use super::population::{Server, connect, tag};
use criterion::{BatchSize, Criterion};
use rdt_proto::Instant;
use rdt_proto::listener::{Dispatch, ListenerConfig, Retry};
use std::hint::black_box;

const NOW: Instant = Instant::ZERO;

fn server(retry: Retry) -> Server {
    Server::new(NOW, ListenerConfig { retry, backlog: 8, ..ListenerConfig::default() }, [7; 48])
}

pub(crate) fn rejected(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reject");
    let mut row = |name: &str, server: &mut Server, datagrams: &[Vec<u8>], expected: fn(Dispatch) -> bool| {
        let mut next = 0;
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    next = (next + 1) % datagrams.len();
                    (u32::try_from(next).unwrap() + 100, &datagrams[next])
                },
                |(from, datagram)| {
                    let dispatch = server.handle_datagram(NOW, black_box(from), black_box(datagram));
                    assert!(expected(dispatch), "{dispatch:?}");
                    server.poll_transmit(NOW, &mut [0; 64]).unwrap()
                },
                BatchSize::SmallInput,
            );
        });
    };
    let connects: Vec<_> = (0..1_000).map(|client| connect(tag(client), None)).collect();
    let forged: Vec<_> = (0..1_000).map(|client| connect(tag(client), Some(b"twelve bytes"))).collect();
    let wrong_tag: Vec<_> = (0..1_000_u32).map(|client| [&[9; 4], &client.to_be_bytes()[..], &[4]].concat()).collect();

    let mut full = server(Retry::Never);
    for client in 0..8 {
        assert_eq!(full.handle_datagram(NOW, client, &connect(tag(client), None)), Dispatch::Queued);
    }
    row("CONNECT, the backlog is full", &mut full, &connects, |dispatch| matches!(dispatch, Dispatch::Dropped(_)));
    let mut always = server(Retry::Always);
    row("CONNECT, answered with RETRY", &mut always, &connects, |dispatch| dispatch == Dispatch::Retried);
    row("CONNECT with a forged cookie, answered with RETRY", &mut always, &forged, |dispatch| {
        dispatch == Dispatch::Retried
    });
    row("a datagram with a wrong tag", &mut always, &wrong_tag, |dispatch| matches!(dispatch, Dispatch::Dropped(_)));
    let malformed: Vec<_> = connects.iter().map(|datagram| datagram[..40].to_vec()).collect();
    row("a malformed CONNECT", &mut always, &malformed, |dispatch| matches!(dispatch, Dispatch::Dropped(_)));
}
