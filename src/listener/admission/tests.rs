//! Tests of admission over all combinations of small counts and limits.

use super::*;

const BOTH: [bool; 2] = [false, true];
const RETRIES: [Retry; 3] = [Retry::Auto, Retry::Always, Retry::Never];
const VICTIMS: [Option<Victim>; 3] = [None, Some(Victim::Pending(1)), Some(Victim::Peer(2))];
const HOST_LIMIT: Admission = Admission::Drop(DropReason::HostLimit);
const ADDRESS_LIMIT: Admission = Admission::Drop(DropReason::AddressLimit);
const BACKLOG_FULL: Admission = Admission::Drop(DropReason::BacklogFull);

/// Every pair of numbers up to `most`.
fn pairs(most: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    (0..=most).flat_map(move |a| (0..=most).map(move |b| (a, b)))
}

/// Every request with counts up to 2.
fn requests() -> impl Iterator<Item = Request> {
    let flags = BOTH.into_iter().flat_map(|a| BOTH.into_iter().flat_map(move |b| BOTH.map(|c| (a, b, c))));
    let counts = pairs(2).flat_map(|host| pairs(2).flat_map(move |open| (0..=2).map(move |here| (host, open, here))));
    flags.flat_map(move |(has_cookie, is_extended, has_predecessor)| {
        counts.clone().flat_map(move |((validated, unvalidated), (pending, half_open), at_address)| {
            let entries = |count| u32::try_from(count).unwrap();
            let host = Entries { validated: entries(validated), unvalidated: entries(unvalidated) };
            VICTIMS.map(|victim| Request {
                has_cookie,
                is_extended,
                host,
                at_address,
                has_predecessor,
                victim,
                pending,
                half_open,
            })
        })
    })
}

/// Every set of limits up to 2.
fn limits() -> impl Iterator<Item = Limits> {
    pairs(2).flat_map(|(per_host, per_address)| {
        pairs(2).flat_map(move |(peers, backlog)| {
            RETRIES.map(|retry| Limits { peers, backlog, per_host, per_address, retry })
        })
    })
}

fn for_all(mut check: impl FnMut(&Request, &Limits, Admission)) {
    let limits: std::vec::Vec<_> = limits().collect();
    for request in requests() {
        limits.iter().for_each(|limits| check(&request, limits, request.decide(limits)));
    }
}

/// The decision by the table in the documentation of the module.
fn by_the_table(request: &Request, limits: &Limits) -> Admission {
    let Request { has_cookie, is_extended, has_predecessor, victim, at_address, pending, half_open, .. } = *request;
    let (validated, all) = (request.host.validated as usize, request.host.all() as usize);
    let (quota_full, host_full) = (validated >= limits.per_host, all >= limits.per_host);
    let address_full = at_address >= limits.per_address;
    let demanded = limits.retry == Retry::Always || 2 * half_open + 1 >= limits.backlog.min(limits.peers);
    let can_retry = !has_cookie && is_extended && limits.retry != Retry::Never;
    let evicts_pending = address_full && matches!(victim, Some(Victim::Pending(_)));
    let evicts = Admission::QueueEvicting(victim.unwrap_or(Victim::Peer(0)));
    let rules = [
        (quota_full && !has_predecessor, HOST_LIMIT),
        (can_retry && (demanded || host_full || address_full), Admission::Retry),
        (!has_cookie && host_full, HOST_LIMIT),
        (address_full && (!has_cookie || victim.is_none()), ADDRESS_LIMIT),
        (pending >= limits.backlog + usize::from(evicts_pending && pending > 0), BACKLOG_FULL),
        ((!has_cookie || quota_full) && half_open >= limits.backlog, BACKLOG_FULL),
        (address_full, evicts),
        (true, Admission::Queue),
    ];
    rules.into_iter().find(|&(applies, _)| applies).map(|(_, admission)| admission).unwrap()
}

#[test]
fn admission_follows_the_table() {
    for_all(|request, limits, admission| {
        assert_eq!(admission, by_the_table(request, limits), "{request:?}, {limits:?}");
    });
}

#[test]
fn a_queued_handshake_exceeds_no_limit() {
    for_all(|request, limits, admission| {
        let (gone, pending_gone) = match admission {
            Admission::Queue => (0, 0),
            Admission::QueueEvicting(Victim::Pending(_)) => (1, 1),
            Admission::QueueEvicting(Victim::Peer(_)) => (1, 0),
            Admission::Retry | Admission::Drop(_) => return,
        };
        let at_address = (request.at_address + 1).saturating_sub(gone);
        let pending = (request.pending + 1).saturating_sub(pending_gone);
        assert!(at_address <= limits.per_address.max(request.at_address), "{request:?}, {limits:?}");
        assert!(pending <= limits.backlog.max(request.pending), "{request:?}, {limits:?}");
        if request.counts_as_validated(limits) {
            assert!((request.host.validated as usize) < limits.per_host, "{request:?}, {limits:?}");
        } else {
            assert!(request.half_open < limits.backlog, "{request:?}, {limits:?}");
        }
    });
}

#[test]
fn unvalidated_entries_keep_out_no_validated_client() {
    for_all(|request, limits, admission| {
        // The same request without entries of unvalidated addresses.
        let alone = Request { half_open: 0, host: Entries { unvalidated: 0, ..request.host }, ..*request };
        if request.counts_as_validated(limits) {
            assert_eq!(admission, alone.decide(limits), "{request:?}, {limits:?}");
        }
    });
}

#[test]
fn only_a_client_with_a_valid_cookie_evicts() {
    for_all(|request, limits, admission| {
        if let Admission::QueueEvicting(victim) = admission {
            assert!(request.has_cookie && request.victim == Some(victim), "{request:?}, {limits:?}");
        }
    });
}

#[test]
fn retry_answers_only_clients_that_can_use_it() {
    for_all(|request, limits, admission| {
        if admission == Admission::Retry {
            assert!(request.is_extended && !request.has_cookie && limits.retry != Retry::Never);
        }
    });
}
