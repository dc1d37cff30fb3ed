//! What a client says that its user has stopped.

use super::outcome::Outcomes;
use super::skip::Skip;
use crate::progress::Step;
use indicatif::HumanBytes;
use rdt_proto::files::BLOCK_BYTES;

/// What becomes of content of which no part is kept.
pub(crate) const NOTHING_KEPT: &str = ", and nothing of it is kept";
/// What has become of the standard output.
pub(crate) const OUTPUT_INCOMPLETE: &str = ": the standard output is incomplete";

/// How far the transfer has come. `after` says what becomes of that, and what the user can do.
pub(crate) fn text(title: &str, step: &Step, after: impl FnOnce(u64) -> &'static str) -> String {
    match *step {
        Step::Transferring { done: done @ 1.., total, .. } => {
            let of = total.map_or(String::new(), |total| format!(" of {}", HumanBytes(total)));
            format!("stopped: {}{of} of {title} were transferred{}", HumanBytes(done), after(done))
        }
        Step::Storing { total } => {
            // What is not stored may not be kept.
            let after = Some(after(total)).filter(|after| after.starts_with(':')).unwrap_or_default();
            format!("stopped: {} of {title} were transferred, and perhaps stored{after}", HumanBytes(total))
        }
        Step::Asking | Step::Transferring { .. } => format!("stopped: nothing of {title} was transferred{}", after(0)),
    }
}

/// The user has stopped a client whose file takes its name.
pub(crate) fn while_storing(title: &str) -> String {
    format!("stopped while storing {title}: look what is there")
}

/// How much was sent of content that cannot be stored, since its end did not leave. `after` says what becomes of that.
pub(crate) fn unsent(done: u64, total: Option<u64>, after: &str) -> String {
    // What goes on says so.
    let again = if after.starts_with(':') { "" } else { "; send it again" };
    match total {
        _ if done == 0 => "nothing was sent; send it again".into(),
        Some(total) => format!("{} % were sent{after}{again}", u128::from(done) * 100 / u128::from(total.max(1))),
        None => format!("{} were sent{after}{again}", HumanBytes(done)),
    }
}

/// Which side keeps what has arrived of the last file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Nowhere,
    Here,
    /// The server, unless its options forbid it, which it does not tell.
    AtServer,
}

/// Whether the same command goes on. `preserves`: files get their times, by which --update knows them.
pub(super) fn after_stop((skip, preserves): (Skip, bool), outcomes: &Outcomes, done: u64, part: Part) -> &'static str {
    match (outcomes.is_single(), skip) {
        (_, _) if done == 0 => "",
        (true, _) => match part {
            Part::Here if done >= BLOCK_BYTES => ": the same command goes on",
            Part::AtServer if done >= BLOCK_BYTES => ": the same command goes on, unless the server keeps no parts",
            Part::Nowhere | Part::Here | Part::AtServer => NOTHING_KEPT,
        },
        (false, Skip::Nothing) if preserves => ": the same command with --update goes on",
        (false, Skip::Nothing) => ": the same command with --verify goes on",
        (false, Skip::SameTime) if !preserves => ": the same command goes on with --verify instead of --update",
        (false, Skip::SameTime | Skip::SameContent) => ": the same command goes on",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress_line::PathView;
    use crate::session::outcome::Speech;
    use rdt_proto::ftp::Transfer;

    #[test]
    fn content_without_its_end_has_a_share_or_an_amount() {
        let after = ": the same command goes on";
        assert_eq!(unsent(0, Some(7), ""), "nothing was sent; send it again");
        assert_eq!(unsent(23, Some(99), after), "23 % were sent: the same command goes on");
        assert_eq!(unsent(7, None, after), "7 B were sent: the same command goes on");
        let kept = ", and nothing of it is kept";
        assert_eq!(unsent(7, None, kept), "7 B were sent, and nothing of it is kept; send it again");
    }

    /// Regression: a part was promised of content that nobody keeps, and --update where times are not kept.
    #[test]
    fn only_what_goes_on_is_said_to() {
        let [single, many] = [true, false].map(|one| Outcomes::new(Transfer::Upload, "a".into(), one, Speech::Nothing));
        let of_one = |part, done| after_stop((Skip::Nothing, true), &single, done, part);
        assert_eq!(of_one(Part::Here, 5 << 20), ": the same command goes on");
        assert!(of_one(Part::AtServer, 5 << 20).ends_with(" goes on, unless the server keeps no parts"));
        for (part, done) in [(Part::Nowhere, 5 << 20), (Part::Here, 5), (Part::AtServer, 5)] {
            assert_eq!(of_one(part, done), ", and nothing of it is kept");
        }
        assert_eq!(of_one(Part::Here, 0), "");
        for (skip, preserves, expected) in [
            (Skip::Nothing, true, ": the same command with --update goes on"),
            (Skip::Nothing, false, ": the same command with --verify goes on"),
            (Skip::SameTime, true, ": the same command goes on"),
            (Skip::SameTime, false, ": the same command goes on with --verify instead of --update"),
            (Skip::SameContent, false, ": the same command goes on"),
        ] {
            assert_eq!(after_stop((skip, preserves), &many, 1, Part::Nowhere), expected);
        }
    }

    #[test]
    fn a_client_that_is_stopped_says_how_far_it_came() {
        let path = PathView::default();
        let after = |done| if done > 0 { ": the same command goes on" } else { "" };
        for (step, expected) in [
            (Step::Asking, "stopped: nothing of \"a\" was transferred"),
            (Step::Transferring { done: 0, total: Some(5), path }, "stopped: nothing of \"a\" was transferred"),
            (
                Step::Transferring { done: 3 << 20, total: Some(5 << 20), path },
                "stopped: 3.00 MiB of 5.00 MiB of \"a\" were transferred: the same command goes on",
            ),
            (
                Step::Transferring { done: 7, total: None, path },
                "stopped: 7 B of \"a\" were transferred: the same command goes on",
            ),
            (
                Step::Storing { total: 7 },
                "stopped: 7 B of \"a\" were transferred, and perhaps stored: the same command goes on",
            ),
        ] {
            assert_eq!(text("\"a\"", &step, after), expected);
        }
    }
}
