//! How often INFO packets ask for an acknowledgement, and how the receiver follows.

use harness::extended::*;
use rdt_proto::congestion::Controller;
use rdt_proto::connection::{Config, HeapStorage};
use rdt_proto::wire::{AckRequest, Framing, Packet};
use rdt_proto::{Duration, Seq};

/// INFO `number` of one byte that asks for one SACK for `infos` packets, or after `millis`.
fn asking(number: u32, infos: u32, millis: u64) -> Packet<'static> {
    let request = AckRequest::new(infos, Duration::from_millis(millis));
    Packet::Info { number: Seq::new(number), body: b"x", request }
}

/// The request of the next INFO.
fn next_request(client: &mut ExtendedTrace) -> AckRequest {
    let sent = client.next_datagram().expect("an INFO is due");
    let Ok(Packet::Info { request, .. }) = Framing::tagged(PEER).decode(&sent) else { panic!("{sent:?}") };
    request
}

/// The requests of all INFO that are due.
fn requests(client: &mut ExtendedTrace) -> Vec<AckRequest> {
    let due = core::iter::from_fn(|| client.next_datagram());
    due.map(|sent| match Framing::tagged(PEER).decode(&sent) {
        Ok(Packet::Info { request, .. }) => request,
        other => panic!("{other:?}"),
    })
    .collect()
}

#[test]
fn a_sack_follows_as_many_infos_as_the_last_one_asks_for() {
    let mut client = ExtendedTrace::established(Config::default());
    (0..7).for_each(|number| client.peer_sends(asking(number, 8, 10)));
    client.expect_nothing();
    client.peer_sends(asking(7, 8, 10));
    client.expect_sack(8, &[]);
    (8..11).for_each(|number| client.peer_sends(asking(number, 8, 10)));
    client.expect_nothing();
    client.peer_sends(asking(11, 4, 10));
    client.expect_sack(12, &[]);
}

#[test]
fn a_sack_follows_after_the_delay_asked_for() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(asking(0, 8, 20));
    client.sleep(20, 20);
    client.expect_sack(1, &[]);
    client.peer_sends(asking(1, 8, 20));
    client.peer_sends(asking(2, 8, 5));
    client.sleep(5, 5);
    client.expect_sack(3, &[]);
}

#[test]
fn no_request_delays_a_sack_beyond_40_ms() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(asking(0, 384, 40_960));
    client.sleep(40, 40);
    client.expect_sack(1, &[]);
}

#[test]
fn gaps_and_duplicates_count_as_two_infos() {
    let mut client = ExtendedTrace::established(Config::default());
    let gap_opens = [0, 2];
    // Arrivals behind an open gap are no news.
    let behind = [3, 4, 5, 6];
    gap_opens.into_iter().chain(behind).for_each(|number| client.peer_sends(asking(number, 8, 10)));
    client.expect_nothing();
    client.peer_sends(asking(7, 8, 10));
    client.expect_sack(1, &[2, 3, 4, 5, 6, 7]);
    let (gap_closes, duplicates) = ([1], [5, 6]);
    gap_closes.into_iter().chain(duplicates).for_each(|number| client.peer_sends(asking(number, 8, 10)));
    client.expect_nothing();
    client.peer_sends(asking(7, 8, 10));
    client.expect_sack(8, &[]);
}

/// The bitmap of a SACK: its first number, and how many it covers.
fn bitmap_of(sent: &[u8]) -> (u32, usize) {
    let Ok(Packet::Sack(sack)) = Framing::tagged(PEER).decode(sent) else { panic!("{sent:?}") };
    (sack.base.value(), sack.bitmap.len() * 8)
}

/// On a narrow way back, the bits of what was reported long ago would delay the next SACK.
#[test]
fn a_bitmap_covers_the_packets_of_eight_sacks() {
    let config = Config::default();
    let mut client = ExtendedTrace::established_with(config, storage(&config, 1_024, 1_024));
    client.peer_sends(asking(0, 16, 10));
    for sack in 0..32 {
        (0..16).for_each(|info| client.peer_sends(asking(2 + 16 * sack + info, 16, 10)));
        let sent = bitmap_of(&client.next_datagram().expect("a SACK is due"));
        let end = 2 + 16 * (sack + 1);
        println!("after INFO {}: {sent:?}", end - 1);
        if sack >= 9 {
            assert_eq!(sent, (end - 8 * 16, 8 * 16));
        }
    }
    client.peer_sends(Packet::Probe { nonce: 1, for_window: true, padding: &[] });
    let answer = client.next_datagram().expect("a SACK is due");
    assert_eq!(bitmap_of(&answer), (1, 520), "the peer may have missed all earlier ones");
}

/// Where much is lost, repeats fill gaps far behind. If their only SACK was lost, they would be sent once more.
#[test]
fn a_bitmap_covers_all_where_more_than_an_eighth_is_news() {
    // A gap opens with one number in 4, or in 12.
    for (gap, expected) in [(4, (1, 480)), (12, (304, 8 * 22))] {
        let config = Config::default();
        let mut client = ExtendedTrace::established_with(config, storage(&config, 1_024, 1_024));
        client.peer_sends(asking(0, 24, 10));
        let arrives = |number: &u32| *number > 1 && !number.is_multiple_of(gap);
        let mut last = (0, 0);
        for number in (2..=480).filter(arrives) {
            client.peer_sends(asking(number, 24, 10));
            last = client.next_datagram().map_or(last, |sent| bitmap_of(&sent));
        }
        assert_eq!(last, expected, "one of {gap} is missing");
    }
}

/// Regression: duplicates at both ends of a window of 16,384 numbers brought a SACK for each 1,024 numbers between.
#[test]
fn two_duplicates_bring_at_most_two_sacks() {
    let config = Config::default();
    let mut client = ExtendedTrace::established_with(config, storage(&config, 16_384, 16));
    for number in 1..16_384 {
        client.peer_sends(asking(number, 64, 10));
        while client.next_datagram().is_some() {}
    }
    client.elapse(50);
    while client.next_datagram().is_some() {}
    client.peer_sends(asking(1, 2, 5));
    client.peer_sends(asking(16_383, 2, 5));
    let answers = core::iter::from_fn(|| client.next_datagram()).count();
    assert!((1..=2).contains(&answers), "{answers} SACKs");
}

#[test]
fn a_gap_is_reported_at_once_to_a_sender_that_asks_for_each_second() {
    let mut client = ExtendedTrace::established(Config::default());
    client.peer_sends(asking(1, 2, 5));
    client.expect_sack(0, &[1]);
    client.peer_sends(asking(2, 2, 5));
    client.expect_nothing();
    client.peer_sends(asking(3, 2, 5));
    client.expect_sack(0, &[1, 2, 3]);
}

/// A client with the default controller that has many bodies to send. INFO 0 was acknowledged after `millis`.
fn busy_client(millis: u64) -> ExtendedTrace {
    let config = Config::default();
    let storage = HeapStorage::<Controller>::on_heap_with(&config, 64, Controller::new).unwrap();
    let mut client = ExtendedTrace::client_with(config, storage);
    client.learns_tag();
    client.peer_sends_connack(PARAMETERS);
    client.expect(info(0, b""));
    client.elapse(millis);
    client.peer_sends(sack(1, 0, 1, &[]));
    while client.machine.send(&[7; 1_200]).is_ok_and(|count| count > 0) {}
    client
}

#[test]
fn one_sack_for_a_seventh_of_the_flight_or_a_quarter_round_trip() {
    let mut client = busy_client(100);
    let asked = requests(&mut client);
    assert!(asked.len() >= 30, "{}", asked.len());
    for (before, request) in asked.iter().enumerate() {
        let seventh = AckRequest::new(u32::try_from(before + 1).unwrap() / 7, Duration::from_millis(25));
        let expected = if seventh.infos() > 2 { seventh } else { AckRequest::DEFAULT };
        assert_eq!(*request, expected, "{before} are in flight");
    }
    let last = asked.last().unwrap();
    assert!(last.infos() >= 4 && last.delay() == Duration::from_millis(20), "{last:?}");
}

#[test]
fn a_short_round_trip_gets_a_sack_for_two() {
    let mut client = busy_client(15);
    let asked = requests(&mut client);
    assert!(asked.len() >= 30 && asked.iter().all(|request| *request == AckRequest::DEFAULT), "{asked:?}");
}

#[test]
fn a_controller_that_does_not_pace_gets_a_sack_for_two() {
    let config = Config::default();
    let mut client = ExtendedTrace::established_with(config, storage(&config, 64, 64));
    while client.machine.send(&[7; 1_200]).is_ok_and(|count| count > 0) {}
    let all = requests(&mut client);
    assert!(all.len() > 30 && all.iter().all(|request| request.with_at_once(false) == AckRequest::DEFAULT), "{all:?}");
}

#[test]
fn the_end_of_the_data_asks_once_within_the_delay() {
    let mut client = ExtendedTrace::established(Config::default());
    client.elapse(5);
    (0..3).for_each(|_| client.machine.send_segment(b"x").unwrap());
    assert!(!next_request(&mut client).at_once && !next_request(&mut client).at_once);
    assert!(next_request(&mut client).at_once, "the last of the flight");
    client.machine.send_segment(b"x").unwrap();
    assert!(!next_request(&mut client).at_once, "another has just asked");
}

#[test]
fn a_window_of_one_datagram_is_asked_at_once() {
    let config = Config::default();
    let mut client = ExtendedTrace::established_with(config, storage(&config, 64, 1));
    client.machine.send(&[7; 5_000]).unwrap();
    assert!(next_request(&mut client).at_once, "the window permits no other");
    client.expect_nothing();
}
