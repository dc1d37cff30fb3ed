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

/// Whether the same command goes on. `is_part` says whether the receiver may keep a part of the last file.
pub(super) fn after_stop(skip: Skip, outcomes: &Outcomes, done: u64, is_part: bool) -> &'static str {
    match (outcomes.is_single(), skip) {
        (_, _) if done == 0 => "",
        (true, _) if is_part && done >= BLOCK_BYTES => ": the same command goes on",
        (true, _) => NOTHING_KEPT,
        (false, Skip::Nothing) => ": the same command with --update goes on",
        (false, Skip::SameTime | Skip::SameContent) => ": the same command goes on",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress_line::PathView;

    #[test]
    fn content_without_its_end_has_a_share_or_an_amount() {
        let after = ": the same command goes on";
        assert_eq!(unsent(0, Some(7), ""), "nothing was sent; send it again");
        assert_eq!(unsent(23, Some(99), after), "23 % were sent: the same command goes on");
        assert_eq!(unsent(7, None, after), "7 B were sent: the same command goes on");
        let kept = ", and nothing of it is kept";
        assert_eq!(unsent(7, None, kept), "7 B were sent, and nothing of it is kept; send it again");
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
