//! A controller without its pacing rate.

use rdt_proto::arq::{Arq, Block, Jitter, Rtt, SelectiveRepeat, Sending};
use rdt_proto::congestion::{Acknowledgement, Congestion, FixedWindow, Loss, Pacer, Unpaced};
use rdt_proto::{ClockShift, Duration, Instant, Seq};

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

/// A controller that has a pacing rate, and says that it has none.
struct Ignored(FixedWindow);

impl Congestion for Ignored {
    fn may_pace() -> bool {
        false
    }

    fn on_sent(&mut self, now: Instant, bytes: u32, in_flight: u64) {
        self.0.on_sent(now, bytes, in_flight);
    }

    fn on_acknowledged(&mut self, ack: &Acknowledgement) {
        self.0.on_acknowledged(ack);
    }

    fn on_lost(&mut self, loss: &Loss) {
        self.0.on_lost(loss);
    }

    fn on_timeout(&mut self, now: Instant) {
        self.0.on_timeout(now);
    }

    fn window(&self) -> u64 {
        self.0.window()
    }

    fn pacing_rate(&self) -> Option<u64> {
        self.0.pacing_rate()
    }

    fn rebase(&mut self, shift: ClockShift) {
        self.0.rebase(shift);
    }
}

#[test]
fn the_sender_asks_no_pacer_if_the_controller_never_paces() {
    let paced = FixedWindow::new(10_000).paced(1_000);
    assert!(Ignored(paced).pacing_rate().is_some());
    assert_eq!(burst(Ignored(paced)), 10);
}

#[test]
fn without_pacing_the_window_alone_is_the_limit() {
    let paced = FixedWindow::new(10_000).paced(1_000);
    assert!(burst(paced) < 10);
    assert_eq!(burst(Unpaced(paced)), 10);
}
