//! Errors of the system calls of an event loop.
//!
//! A server has many clients. An error that may pass, or that concerns one peer, ends none of their transfers: the
//! datagram counts as lost, or the call is repeated. Only a wrong call ends the program, because it never succeeds.
//!
//! | error | meaning | effect |
//! |---|---|---|
//! | `EAGAIN` | nothing to read, or no room | the loop waits |
//! | `EINTR` | a signal | the call is repeated |
//! | `EBADF`, `ENOTSOCK`, `EFAULT`, `EINVAL`, `ENOSYS`, `EOPNOTSUPP` | the call itself is wrong | the program ends |
//! | any other, such as `ENOMEM`, `ENOBUFS`, `EIO`, `EPERM`, `ENETDOWN`, `EHOSTUNREACH`, `EPROTO` | passes, or is about one peer | counted, reported, repeated after a pause |

use crate::messages::{error_text, to_stderr};
use crate::report_limit::ReportLimit;
use rdt_proto::{Duration, Instant};
use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind};

/// What an error means for the event loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// There is nothing to read, or no room to write.
    WouldBlock,
    /// A signal interrupted the call.
    Interrupted,
    /// The error may pass, or is about one peer.
    Passing,
    /// The call is wrong, and never succeeds.
    Fatal,
}

/// Classifies an error of a call that receives or waits.
///
/// An error of a call that sends is never fatal: `EINVAL` may come from the address of one peer.
pub(crate) fn severity(error: &io::Error) -> Severity {
    match error.kind() {
        ErrorKind::WouldBlock => Severity::WouldBlock,
        ErrorKind::Interrupted => Severity::Interrupted,
        _ if error.raw_os_error().is_some_and(|number| FATAL.contains(&number)) => Severity::Fatal,
        _ => Severity::Passing,
    }
}

#[cfg(unix)]
const FATAL: [i32; 6] = [libc::EBADF, libc::ENOTSOCK, libc::EFAULT, libc::EINVAL, libc::ENOSYS, libc::EOPNOTSUPP];
/// `WSAEBADF`, `WSAENOTSOCK`, `WSAEFAULT`, `WSAEINVAL`, `WSAEOPNOTSUPP`.
#[cfg(windows)]
const FATAL: [i32; 5] = [10_009, 10_038, 10_014, 10_022, 10_045];

/// Whether the path does not carry a datagram of this size: the MTU of the interface, or of an ICMP message.
pub(crate) fn is_too_large(error: &io::Error) -> bool {
    error.raw_os_error() == Some(TOO_LARGE)
}

#[cfg(unix)]
const TOO_LARGE: i32 = libc::EMSGSIZE;
/// `WSAEMSGSIZE`
#[cfg(windows)]
const TOO_LARGE: i32 = 10_040;

/// What the failure of a client says about the last error of its network, between these texts.
pub(crate) fn last_error(error: Option<&io::Error>, (before, behind): (&str, &str)) -> String {
    error.map_or(String::new(), |error| format!("{before}network: {}{behind}", error_text(error)))
}

/// The number of failures in a row after which calls pause.
///
/// An error about one peer is cleared by the call that reports it, and many may wait on some systems.
const AT_ONCE: u32 = 64;
/// The first pause. Each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause: the loop tries again 50 times a second.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The failures of a call since its last success. An error that persists does not make the loop spin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setbacks(u32);

impl Setbacks {
    pub(crate) fn succeed(&mut self) {
        self.0 = 0;
    }

    pub(crate) fn fail(&mut self) {
        self.0 = self.0.saturating_add(1);
    }

    /// The time until the next call. `None` while calls follow at once.
    pub(crate) fn pause(self) -> Option<Duration> {
        let doublings = self.0.checked_sub(AT_ONCE)?;
        Some(FIRST_PAUSE.saturating_mul(1 << doublings.min(7)).min(LONGEST_PAUSE))
    }
}

/// The system call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Receive,
    Send,
    Wait,
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receive => "receive",
            Self::Send => "send",
            Self::Wait => "wait for datagrams",
        })
    }
}

/// Counts the errors of a server's network, and prints one line a minute.
#[derive(Default)]
pub(crate) struct NetworkErrors {
    total: u64,
    limit: ReportLimit,
}

impl NetworkErrors {
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn handle(&mut self, now: Instant, call: Call, error: &io::Error) {
        self.total += 1;
        if let Some(more) = self.limit.handle(now, "network error") {
            to_stderr(format_args!("cannot {call}: {}{more}; transfers go on", error_text(error)));
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn only_wrong_calls_are_fatal() {
        let severity = |number| severity(&io::Error::from_raw_os_error(number));
        assert_eq!(severity(libc::EAGAIN), Severity::WouldBlock);
        assert_eq!(severity(libc::EINTR), Severity::Interrupted);
        for passing in [
            libc::ENOMEM,
            libc::ENOBUFS,
            libc::EIO,
            libc::EPERM,
            libc::EACCES,
            libc::ENETDOWN,
            libc::ENETUNREACH,
            libc::EHOSTDOWN,
            libc::EHOSTUNREACH,
            libc::ECONNREFUSED,
            libc::EPROTO,
            libc::EMSGSIZE,
        ] {
            assert_eq!(severity(passing), Severity::Passing, "{passing}");
        }
        for fatal in [libc::EBADF, libc::ENOTSOCK, libc::EFAULT, libc::EINVAL] {
            assert_eq!(severity(fatal), Severity::Fatal, "{fatal}");
        }
    }

    /// Regression: the number of the error was in brackets within brackets.
    #[test]
    fn the_last_error_has_no_number() {
        let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
        assert_eq!(last_error(Some(&refused), ("; ", "")), "; network: connection refused");
        assert_eq!(last_error(None, (" (", ")")), "");
    }

    #[test]
    fn a_persistent_error_pauses_longer_up_to_a_limit() {
        let mut setbacks = Setbacks::default();
        let pauses: Vec<_> = (0..80)
            .map(|_| {
                setbacks.fail();
                setbacks.pause().map(Duration::as_micros)
            })
            .collect();
        assert_eq!(pauses[..63], [None; 63]);
        assert_eq!(pauses[63..66], [Some(1_000), Some(2_000), Some(4_000)]);
        assert_eq!(pauses.last(), Some(&Some(20_000)));
        setbacks.succeed();
        assert_eq!(setbacks.pause(), None);
    }
}
