//! What the default controller concludes from the handshake, and from round-trip times that grow with each packet.

use crate::network::SEGMENT;
use rdt_proto::congestion::{Acknowledgement, BandwidthDelay, Congestion};
use rdt_proto::{Duration, Instant};

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

/// The segments of the first flight after a handshake of so many ms, which carried `bytes` one way.
fn first_flight(handshake_ms: u64, bytes: u32) -> u64 {
    let mut model = BandwidthDelay::new(SEGMENT);
    model.on_handshake(at(0), Duration::from_millis(handshake_ms), bytes);
    model.window() / u64::from(SEGMENT)
}

/// At 9,600 bit/s the small packets of the handshake take 125 ms. 32 full datagrams would take 32 s.
#[test]
fn a_first_flight_takes_18_s_at_the_rate_that_the_handshake_proves() {
    let after_small = |ms| first_flight(ms, 0);
    assert_eq!([0, 1, 20, 50].map(after_small), [32; 4]);
    assert_eq!([100, 125, 300, 10_000].map(after_small), [19, 15, 10, 10]);
    // A CONNECT as large as INFO shows a line that is faster than its round trip seems.
    let after_large = |ms| first_flight(ms, SEGMENT);
    assert_eq!([100, 500, 600, 1_000, 2_100].map(after_large), [32, 32, 30, 18, 10]);
}

/// Otherwise the first burst of jumbo frames would be six times as long as that of packets of 1,500 bytes.
#[test]
fn rfc6928_2_the_initial_window_of_large_segments_is_in_bytes() {
    let windows = [1_452, 1_500, 8_952, 62_020].map(|segment| BandwidthDelay::new(segment).window());
    assert_eq!(windows, [32 * 1_452, 48_000, 48_000, 4 * 62_020]);
    let after_slow_handshake = [1_452, 8_952].map(|segment| {
        let mut model = BandwidthDelay::new(segment);
        model.on_handshake(at(0), Duration::from_secs(2), 150);
        model.window()
    });
    assert_eq!(after_slow_handshake, [10 * 1_452, 4 * 8_952]);
}

/// A line on which each packet takes `packet_ms`, full from the first packet on. The way back is fast.
///
/// Returns the largest window, and the acknowledgements until the end of startup.
fn serial_line(handshake_ms: u64, packet_ms: u64) -> (u64, u64) {
    let mut model = BandwidthDelay::new(SEGMENT);
    model.on_handshake(at(0), Duration::from_millis(handshake_ms), 0);
    let (segment, mut sent_at, mut acknowledged) = (u64::from(SEGMENT), Vec::new(), 0);
    let mut most = model.window();
    while model.phase() == "startup" && acknowledged < 100 {
        let now = at(handshake_ms + acknowledged * packet_ms);
        while (sent_at.len() as u64 - acknowledged) * segment < model.window() {
            sent_at.push(now);
            model.on_sent(now, SEGMENT, (sent_at.len() as u64 - acknowledged) * segment);
        }
        let newest_sent_at = sent_at[usize::try_from(acknowledged).unwrap()];
        acknowledged += 1;
        let now = at(handshake_ms + acknowledged * packet_ms);
        let rtt = now.saturating_since(newest_sent_at);
        model.on_acknowledged(&Acknowledgement {
            now,
            bytes: segment,
            newest_sent_at,
            rtt: Some(rtt),
            srtt: rtt,
            in_flight: (sent_at.len() as u64 - acknowledged) * segment,
            delivered: acknowledged * segment,
            round_ended: acknowledged == 1,
            app_limited: false,
        });
        if model.phase() == "startup" {
            most = most.max(model.window());
        }
    }
    (most / segment, acknowledged)
}

/// Regression: the rises counted as jitter, and a round lasted as long as the queue. Startup went on for 36 s of 60.
#[test]
fn a_queue_that_grows_with_each_packet_ends_startup() {
    for (handshake, packet) in [(125, 1_017), (65, 508), (20, 170)] {
        let (most, acknowledged) = serial_line(handshake, packet);
        println!("{packet} ms for each packet: at most {most} in flight, {acknowledged} acknowledgements");
        assert!(most <= 33 && acknowledged <= 40, "{packet} ms: {most} in flight, {acknowledged} acknowledgements");
    }
}
