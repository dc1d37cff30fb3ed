//! The line of a transfer on a terminal, which never wraps: a narrow terminal has less of it.

use crate::escape::escape;
use console::{measure_text_width, truncate_str};
use rdt_proto::Duration;
use std::borrow::Cow;

/// The width that the name keeps while the necessary fields find room, and while the others do.
const LEAST_NAME: [usize; 2] = [4, 16];
/// The least and the largest width of the bar.
const BAR: (usize, usize) = (12, 42);
const GAP: &str = "  ";

/// What a connection knows about its path.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PathView {
    pub(crate) round_trip: Option<Duration>,
    /// The percentage of sent packets that were lost. A receiver does not know it.
    pub(crate) loss: Option<f64>,
    /// How long nothing has come from the peer, if that is known.
    pub(crate) unheard: Option<Duration>,
}

/// The time from which on it is shown. A timeout in the midst of a transfer is shorter.
const LEAST_UNHEARD: Duration = Duration::from_secs(3);

/// Content that moves now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moving<'n> {
    pub(crate) name: Cow<'n, str>,
    pub(crate) done: u64,
    /// The length of all, if it is known.
    pub(crate) total: Option<u64>,
    pub(crate) path: PathView,
}

/// The state of a transfer with content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'n> {
    pub(crate) name: &'n str,
    pub(crate) done: u64,
    /// The length of all, if it is known.
    pub(crate) total: Option<u64>,
    /// Bytes per second, if that is known.
    pub(crate) rate: Option<u64>,
    pub(crate) path: PathView,
}

impl View<'_> {
    /// The line for a terminal of this width. It leaves the last column free, since some terminals wrap after it.
    pub(crate) fn line(&self, columns: usize) -> String {
        let room = columns.saturating_sub(1);
        // What moved before says nothing then.
        let unheard = self.path.unheard.filter(|unheard| *unheard >= LEAST_UNHEARD);
        let unheard = unheard.map(|unheard| format!("silent for {} s", unheard.as_micros() / 1_000_000));
        // In the order of the line. The number is the rank: the first fields find room first.
        let mut fields = match self.total {
            Some(total) => vec![
                (0, format!("{} %", u128::from(self.done) * 100 / u128::from(total.max(1)))),
                (4, format!("{} of {}", short(self.done), short(total))),
            ],
            None => vec![(0, short(self.done))],
        };
        match unheard {
            Some(unheard) => fields.push((1, unheard)),
            None => {
                fields.push((1, self.rate()));
                fields.extend(self.total.map(|total| (2, self.left(total))));
            }
        }
        fields.extend(self.path.round_trip.map(|time| (3, format!("RTT {}", round_trip(time)))));
        fields.extend(self.path.loss.map(|loss| (3, format!("loss {loss:.1} %"))));

        let name = escape(self.name);
        let name_width = measure_text_width(&name);
        let mut used = 0;
        let mut chosen = vec![false; fields.len()];
        for rank in 0..=4 {
            let room = room.saturating_sub(name_width.min(LEAST_NAME[usize::from(rank > 2)]));
            for (index, (of, text)) in fields.iter().enumerate() {
                let width = GAP.len() + measure_text_width(text);
                if *of == rank && used + width <= room {
                    (chosen[index], used) = (true, used + width);
                }
            }
        }
        let rest = room.saturating_sub(used);
        let mut parts = vec![cut(&name, rest)];
        let rest = rest.saturating_sub(name_width);
        if let Some(total) = self.total
            && chosen.iter().all(|chosen| *chosen)
            && rest >= GAP.len() + BAR.0
        {
            parts.push(self.bar(total, (rest - GAP.len()).min(BAR.1)));
        }
        let shown = fields.into_iter().zip(chosen).filter(|(_, chosen)| *chosen);
        parts.extend(shown.map(|((_, text), _)| text));
        fit(&parts.join(GAP), columns)
    }

    fn rate(&self) -> String {
        self.rate.map_or("-- B/s".into(), |rate| format!("{}/s", short(rate)))
    }

    fn left(&self, total: u64) -> String {
        /// A transfer that takes longer has no time that means anything.
        const LONGEST: u64 = 359_999;
        let rest = total.saturating_sub(self.done);
        let seconds = self.rate.filter(|rate| *rate > 0).map(|rate| rest.div_ceil(rate));
        let Some(seconds) = seconds.filter(|seconds| *seconds <= LONGEST) else { return "--:-- left".into() };
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        match hours {
            0 => format!("{minutes}:{seconds:02} left"),
            _ => format!("{hours}:{minutes:02}:{seconds:02} left"),
        }
    }

    /// A bar of this width, which is at least that of its ends.
    fn bar(&self, total: u64, width: usize) -> String {
        let inner = width.saturating_sub(2);
        let done = u128::from(self.done) * inner as u128 / u128::from(total.max(1));
        let done = usize::try_from(done).unwrap_or(inner).min(inner);
        let head = if done < inner { ">" } else { "" };
        format!("[{}{head}{}]", "=".repeat(done), " ".repeat(inner - done - head.len()))
    }
}

/// The text, cut to a terminal of this width.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    cut(&escape(text), columns.saturating_sub(1))
}

fn cut(text: &str, width: usize) -> String {
    if width == 0 { String::new() } else { truncate_str(text, width, "…").into_owned() }
}

/// An amount with three digits.
fn short(bytes: u64) -> String {
    const NAMES: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let power = bytes.checked_ilog2().unwrap_or(0) / 10;
    let (unit, name) = (1_u128 << (10 * power), usize::try_from(power).ok().and_then(|power| NAMES.get(power)));
    let name = name.copied().unwrap_or_default();
    let hundredths = u128::from(bytes) * 100 / unit;
    match hundredths {
        _ if unit == 1 => format!("{bytes} {name}"),
        0..1_000 => format!("{}.{:02} {name}", hundredths / 100, hundredths % 100),
        1_000..10_000 => format!("{}.{} {name}", hundredths / 100, hundredths / 10 % 10),
        _ => format!("{} {name}", hundredths / 100),
    }
}

fn round_trip(time: Duration) -> String {
    match time.as_micros() {
        0..100 => "<0.1 ms".into(),
        micros @ 100..10_000 => format!("{}.{} ms", micros / 1_000, micros / 100 % 10),
        micros => format!("{} ms", micros / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(name: &str) -> View<'_> {
        let path = PathView { round_trip: Some(Duration::from_millis(100)), loss: Some(1.25), unheard: None };
        View { name, done: 450 << 20, total: Some(1 << 30), rate: Some(8 << 20), path }
    }

    #[test]
    fn a_wider_terminal_shows_more() {
        let lines = [40, 80, 120, 200].map(|columns| view("archive.tar.gz").line(columns));
        let expected = [
            "archive.t…  43 %  8.00 MiB/s  1:12 left",
            "archive.tar.gz  43 %  8.00 MiB/s  1:12 left  RTT 100 ms  loss 1.2 %",
            "archive.tar.gz  [===========>               ]  43 %  450 MiB of 1.00 GiB  8.00 MiB/s  1:12 left  RTT 100 ms  loss 1.2 %",
            "archive.tar.gz  [=================>                      ]  43 %  450 MiB of 1.00 GiB  8.00 MiB/s  1:12 left  RTT 100 ms  loss 1.2 %",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn no_line_wraps_at_any_width() {
        for name in ["", "a", "archive.tar.gz", &"long".repeat(60), &"\u{6587}".repeat(40), "\u{1b}[2J\r"] {
            for columns in 0..250 {
                for (done, total, rate) in [(0, 0, Some(0)), (u64::MAX - 1, u64::MAX, Some(u64::MAX)), (1, 2, None)] {
                    let line = View { done, total: Some(total), rate, ..view(name) }.line(columns);
                    assert!(measure_text_width(&line) < columns.max(1), "{columns}: {line}");
                    assert!(!line.contains(char::is_control), "{line:?}");
                }
                assert!(measure_text_width(&fit(&name.repeat(3), columns)) < columns.max(1));
            }
        }
    }

    #[test]
    fn content_of_unknown_length_has_an_amount_and_a_rate() {
        let line = View { total: None, ..view("-") }.line(80);
        assert_eq!(line, "-  450 MiB  8.00 MiB/s  RTT 100 ms  loss 1.2 %");
    }

    #[test]
    fn a_silent_peer_has_neither_rate_nor_time_left() {
        let line = |micros, columns| {
            let path = PathView { unheard: Some(Duration::from_micros(micros)), ..PathView::default() };
            View { path, ..view("a") }.line(columns)
        };
        assert_eq!(line(2_999_999, 40), "a  43 %  8.00 MiB/s  1:12 left");
        assert_eq!(line(5_900_000, 40), "a  43 %  silent for 5 s");
        assert!(line(29_000_000, 80).ends_with("]  43 %  450 MiB of 1.00 GiB  silent for 29 s"));
    }

    #[test]
    fn an_amount_has_three_digits() {
        let expected = ["1023 B", "1.00 KiB", "99.9 KiB", "1023 KiB", "1.50 GiB", "15.9 EiB"];
        assert_eq!([1_023, 1_024, 102_390, (1 << 20) - 1, 3 << 29, u64::MAX].map(short), expected);
    }

    #[test]
    fn a_stalled_transfer_has_no_time_left() {
        let view = View { rate: Some(0), ..view("a") };
        let left = |view: View<'_>| view.left(1 << 30);
        assert_eq!((view.rate(), left(view)), ("0 B/s".into(), "--:-- left".into()));
        assert_eq!(left(View { rate: Some(1), ..view }), "--:-- left", "it takes years");
        assert_eq!(left(View { rate: Some(100 << 10), ..view }), "1:37:58 left");
    }
}
