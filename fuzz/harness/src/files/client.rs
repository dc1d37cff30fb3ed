//! Calls on a client.

use super::{Call, Host, Own};
use crate::files::sample::{Sample, path};
use arbitrary::{Arbitrary as _, Unstructured};
use rdt_proto::files::{FileClient, FileSession as _, Flags, Metadata, Peaks, PutRequest, SessionEvent};
use rdt_proto::ftp::ErrorCode;

/// Makes any calls on a client. Each request has one answer, or counts as unanswered.
///
/// # Panics
///
/// If a law does not hold.
pub fn client(bytes: &[u8]) {
    let Ok(calls) = Vec::<Call<'_>>::arbitrary_take_rest(Unstructured::new(bytes)) else { return };
    let mut host = Host::new(FileClient::new());
    host.call(&Call::Message(Sample::Version, 0));
    let (mut asked, mut answered, mut ended) = (0, 0, None);
    for call in &calls {
        match *call {
            Call::Own(Own::Event) => note(host.session.poll_event(), &mut answered, &mut ended),
            Call::Own(own) => asked += usize::from(start(&mut host.session, own)),
            _ => host.call(call),
        }
    }
    host.end();
    while let Some(event) = host.session.poll_event() {
        note(Some(event), &mut answered, &mut ended);
        host.read();
    }
    host.end();
    assert!(host.session.is_done(), "{:?}", host.session);
    assert_eq!(Some(asked), ended.map(|unanswered: usize| answered + unanswered), "{answered} answers");
}

fn note(event: Option<SessionEvent<'_>>, answered: &mut usize, ended: &mut Option<usize>) {
    assert!(event.is_none() || ended.is_none(), "an event after the last one: {event:?}");
    match event {
        None | Some(SessionEvent::Entry { .. } | SessionEvent::Leaving { .. }) => {}
        Some(SessionEvent::Ended { unanswered, .. }) => *ended = Some(unanswered),
        Some(_) => *answered += 1,
    }
}

/// Starts a request. Returns whether one has started.
fn start(client: &mut FileClient, own: Own) -> bool {
    let was_ready = client.is_ready();
    let started = match own {
        Own::Put { flags, kind, length, offset } => client.put(&PutRequest {
            path: path(),
            kind,
            metadata: Metadata::default(),
            length: length.map(Into::into),
            offset: offset.into(),
            flags: Flags::from_bits_retain(flags),
        }),
        Own::Get => client.get(path(), Peaks::NONE),
        Own::Resume => client.get(path(), Peaks::new(3, &[1; 64]).unwrap_or(Peaks::NONE)),
        Own::Stat => client.stat(path(), Flags::empty()),
        Own::List => client.list(None, None, Flags::empty()),
        Own::Cancel => {
            client.cancel_put(ErrorCode::Cancelled);
            return false;
        }
        Own::Finish => {
            client.finish();
            return false;
        }
        Own::KeepPlace => {
            // It may come earlier than a request, since content may leave.
            let _ = client.keep_place();
            return false;
        }
        Own::Event | Own::Leave => return false,
    };
    assert_eq!(started.is_ok(), was_ready);
    was_ready
}
