//! What a client says that its user has stopped.

use super::outcome::Outcomes;
use super::skip::{FileOptions, Skip};
use crate::progress::Step;
use indicatif::HumanBytes;
use rdt_proto::files::BLOCK_BYTES;

/// What becomes of content that is not transferred whole, and what the user can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// No content has moved.
    Nothing,
    GoesOn(Command, Condition),
    /// The server has the files that are whole, and no command can skip them.
    AllAgain,
    /// No part is kept.
    NothingKept,
    OutputIncomplete,
}

/// The command that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Same,
    WithUpdate,
    WithVerify,
    VerifyInsteadOfUpdate,
}

/// What the server does not tell, and the command depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    None,
    KeepsParts,
    ShowsFiles,
}

impl After {
    /// The words behind how much was transferred.
    fn text(self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::GoesOn(command, condition) => {
                let command = match command {
                    Command::Same => "the same command goes on",
                    Command::WithUpdate => "the same command with --update goes on",
                    Command::WithVerify => "the same command with --verify goes on",
                    Command::VerifyInsteadOfUpdate => "the same command goes on with --verify instead of --update",
                };
                let unless = match condition {
                    Condition::None => "",
                    Condition::KeepsParts => ", unless the server keeps no parts",
                    Condition::ShowsFiles => ", unless the server shows no files (--write-only)",
                };
                format!(": {command}{unless}")
            }
            Self::AllAgain => ": the server shows no files, and the same command sends all of them again".into(),
            Self::NothingKept => ", and nothing of it is kept".into(),
            Self::OutputIncomplete => ": the standard output is incomplete".into(),
        }
    }

    /// Whether it is true as well of content that may be stored whole.
    fn is_true_of_whole(self) -> bool {
        match self {
            Self::GoesOn(..) | Self::AllAgain | Self::OutputIncomplete => true,
            Self::Nothing | Self::NothingKept => false,
        }
    }

    /// Whether the words say what the user can do.
    fn has_advice(self) -> bool {
        match self {
            Self::GoesOn(..) | Self::AllAgain => true,
            Self::Nothing | Self::NothingKept | Self::OutputIncomplete => false,
        }
    }
}

/// How far the transfer has come. `after` says what becomes of that.
pub(crate) fn text(title: &str, step: &Step, after: impl FnOnce(u64) -> After) -> String {
    match *step {
        Step::Transferring { done: done @ 1.., total, .. } => {
            let of = total.map_or(String::new(), |total| format!(" of {}", HumanBytes(total)));
            format!("stopped: {}{of} of {title} were transferred{}", HumanBytes(done), after(done).text())
        }
        Step::Storing { total } => {
            let after =
                Some(after(total)).filter(|after| after.is_true_of_whole()).map(After::text).unwrap_or_default();
            format!("stopped: {} of {title} were transferred, and perhaps stored{after}", HumanBytes(total))
        }
        Step::Asking | Step::Transferring { .. } => {
            format!("stopped: nothing of {title} was transferred{}", after(0).text())
        }
    }
}

/// The user has stopped a client whose file takes its name.
pub(crate) fn while_storing(title: &str) -> String {
    format!("stopped while storing {title}: look what is there")
}

/// How much was sent of content that cannot be stored, since its end did not leave. `after` says what becomes of that.
pub(crate) fn unsent(done: u64, total: Option<u64>, after: After) -> String {
    let again = if after.has_advice() { "" } else { "; send it again" };
    let after = after.text();
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

/// Whether a server shows which files it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// It was not asked.
    Unknown,
    Files,
    Nothing,
}

/// By what the next command knows the files that both sides have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Those that the user has given.
    pub(super) options: FileOptions,
    /// Whether a record of the copy makes the same command skip files with the same time.
    pub(super) has_record: bool,
    pub(super) shows: Shows,
}

impl Known {
    /// The command that goes on with many files.
    fn command(self) -> Command {
        match (self.options.skip, self.options.preserves) {
            (Skip::SameContent, _) | (Skip::SameTime, true) => Command::Same,
            (Skip::Nothing, true) if self.has_record => Command::Same,
            (Skip::Nothing, true) => Command::WithUpdate,
            (Skip::Nothing, false) => Command::WithVerify,
            (Skip::SameTime, false) => Command::VerifyInsteadOfUpdate,
        }
    }
}

/// What becomes of `done` bytes after a request to stop.
pub(super) fn after_stop(known: Known, outcomes: &Outcomes, done: u64, part: Part) -> After {
    if done == 0 {
        return After::Nothing;
    }
    if outcomes.is_single() {
        return match part {
            Part::Here if done >= BLOCK_BYTES => After::GoesOn(Command::Same, Condition::None),
            Part::AtServer if done >= BLOCK_BYTES => After::GoesOn(Command::Same, Condition::KeepsParts),
            Part::Nowhere | Part::Here | Part::AtServer => After::NothingKept,
        };
    }
    match known.shows {
        Shows::Files => After::GoesOn(known.command(), Condition::None),
        Shows::Unknown => After::GoesOn(known.command(), Condition::ShowsFiles),
        Shows::Nothing => After::AllAgain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress_line::PathView;
    use crate::session::outcome::Speech;
    use rdt_proto::ftp::Transfer;

    const GOES_ON: After = After::GoesOn(Command::Same, Condition::None);

    #[test]
    fn content_without_its_end_has_a_share_or_an_amount() {
        assert_eq!(unsent(0, Some(7), After::Nothing), "nothing was sent; send it again");
        assert_eq!(unsent(23, Some(99), GOES_ON), "23 % were sent: the same command goes on");
        assert_eq!(unsent(7, None, GOES_ON), "7 B were sent: the same command goes on");
        assert_eq!(unsent(7, None, After::NothingKept), "7 B were sent, and nothing of it is kept; send it again");
    }

    /// Regression: a part was promised of content that nobody keeps, and --update where times are not kept. A drop box
    /// was said to go on with many files, and an option that was not given was to be replaced.
    #[test]
    fn only_what_goes_on_is_said_to() {
        let [single, many] = [true, false].map(|one| Outcomes::new(Transfer::Upload, "a".into(), one, Speech::Nothing));
        let options = FileOptions { skip: Skip::Nothing, preserves: true };
        let known = Known { options, has_record: false, shows: Shows::Files };
        let of_one = |part, done| after_stop(known, &single, done, part).text();
        assert_eq!(of_one(Part::Here, 5 << 20), ": the same command goes on");
        assert!(of_one(Part::AtServer, 5 << 20).ends_with(" goes on, unless the server keeps no parts"));
        for (part, done) in [(Part::Nowhere, 5 << 20), (Part::Here, 5), (Part::AtServer, 5)] {
            assert_eq!(of_one(part, done), ", and nothing of it is kept");
        }
        assert_eq!(of_one(Part::Here, 0), "");
        let of_many = |known| after_stop(known, &many, 1, Part::Nowhere).text();
        for (skip, has_record, preserves, expected) in [
            (Skip::Nothing, false, true, ": the same command with --update goes on"),
            (Skip::Nothing, true, true, ": the same command goes on"),
            (Skip::Nothing, false, false, ": the same command with --verify goes on"),
            (Skip::Nothing, true, false, ": the same command with --verify goes on"),
            (Skip::SameTime, false, true, ": the same command goes on"),
            (Skip::SameTime, true, false, ": the same command goes on with --verify instead of --update"),
            (Skip::SameContent, false, false, ": the same command goes on"),
        ] {
            assert_eq!(of_many(Known { options: FileOptions { skip, preserves }, has_record, ..known }), expected);
        }
        let drop_box = ": the server shows no files, and the same command sends all of them again";
        assert_eq!(of_many(Known { shows: Shows::Nothing, ..known }), drop_box);
        let unknown = ": the same command with --update goes on, unless the server shows no files (--write-only)";
        assert_eq!(of_many(Known { shows: Shows::Unknown, ..known }), unknown);
    }

    #[test]
    fn a_client_that_is_stopped_says_how_far_it_came() {
        let path = PathView::default();
        let after = |done| if done > 0 { GOES_ON } else { After::Nothing };
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
        let stored = |after| text("\"a\"", &Step::Storing { total: 7 }, |_| after);
        assert_eq!(stored(After::NothingKept), "stopped: 7 B of \"a\" were transferred, and perhaps stored");
        assert!(stored(After::OutputIncomplete).ends_with("perhaps stored: the standard output is incomplete"));
    }
}
