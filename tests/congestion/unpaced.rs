//! A controller without its pacing rate.

use rdt_proto::arq::{Arq, Block, Jitter, Rtt, SelectiveRepeat, Sending};
use rdt_proto::congestion::{Congestion, FixedWindow, Pacer, Unpaced};
use rdt_proto::{Duration, Instant, Seq};

/// How many datagrams of 1,000 bytes leave at once.
fn burst(controller: impl Congestion) -> u32 {
    let pacer = Pacer::new(Duration::ZERO, 1_000);
    let mut machine = SelectiveRepeat::new([Block::EMPTY], controller, pacer).unwrap();
    let mut rtt = Rtt::new(Duration::from_secs(60), Jitter::new(1));
    let (now, end, mut count) = (Instant::ZERO, Seq::new(60), 0);
    while let Some(number) = machine.next_info(now, end) {
        machine.on_info_sent(Sending { now, number, counter: 0, bytes: 1_000, end }, &mut rtt);
        count += 1;
    }
    count
}

#[test]
fn without_pacing_the_window_alone_is_the_limit() {
    let paced = FixedWindow::new(10_000).paced(1_000);
    assert!(burst(paced) < 10);
    assert_eq!(burst(Unpaced(paced)), 10);
}
