//! What so many failures cost: pure rules over one counter.

use std::time::Duration;

/// The longest delay for one name from one network (F-041); told as well where only an admin can help.
pub const LONGEST: Duration = Duration::from_secs(900);
/// The longest delay for one name from anywhere (F-042).
pub const LONGEST_FOR_NAME: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(86_400);
/// A run of failures is remembered for a day after the first, for one more with each further one, and no longer than this:
/// names tried once soon leave the store, and patience gains nothing.
const RUN: u32 = 30;
/// Until an admin acts (F-043).
const CLOSED: Duration = Duration::from_secs(86_400 * 3650);

/// How a counter of failures makes its next attempt wait. A counter's entry lives as long as it matters: what is left of its
/// life tells what is left of the wait, by the store's clock alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// From failure `free` on each one costs 1 s, then twice as long each time, up to `longest`; forgotten a window after
    /// that.
    Delay { free: u32, longest: Duration },
    /// With failure `free` nothing is tried until the window is over that the first one opened.
    Window { free: u32 },
    /// With failure `free` in a row it is closed.
    Close { free: u32 },
}

impl Rule {
    /// The life of an entry once it counts `failures`; `None`: it keeps the life it has.
    pub fn life(self, failures: u32, window: Duration) -> Option<Duration> {
        match self {
            Rule::Delay { free, longest } if failures >= free => Some(delay(failures - free, longest) + window),
            Rule::Delay { .. } | Rule::Window { .. } => (failures <= 1).then_some(window),
            Rule::Close { free } if failures >= free => Some(CLOSED),
            Rule::Close { .. } => Some(DAY * failures.clamp(1, RUN)),
        }
    }

    /// How long the next attempt must wait for a counter at `failures` with `left` of its life.
    pub fn wait(self, failures: u32, left: Duration, window: Duration) -> Duration {
        match self {
            Rule::Delay { free, longest } if failures >= free => left.saturating_sub(window).min(longest),
            Rule::Window { free } if failures >= free => left,
            Rule::Close { free } if failures >= free => LONGEST,
            _ => Duration::ZERO,
        }
    }

    /// Whether `failures` close it.
    pub fn closes(self, failures: u32) -> bool {
        matches!(self, Rule::Close { free } if failures >= free)
    }
}

fn delay(step: u32, longest: Duration) -> Duration {
    Duration::from_secs(1 << step.min(20)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(900);

    fn seconds(duration: Duration) -> u64 {
        duration.as_secs()
    }

    /// F-041: the fifth failure costs 1 s, each further one twice as much, up to 900 s.
    #[test]
    fn delays_double_from_one_second_to_the_longest() {
        let rule = Rule::Delay { free: 5, longest: LONGEST };
        let wait = |failures| seconds(rule.wait(failures, rule.life(failures, WINDOW).unwrap_or(WINDOW), WINDOW));
        let waits: Vec<u64> = (1..=18).map(wait).collect();
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]);
        assert_eq!(wait(u32::MAX), 900);
        let rule = Rule::Delay { free: 10, longest: LONGEST_FOR_NAME };
        let longest =
            (1..200).map(|failures| rule.wait(failures, rule.life(failures, WINDOW).unwrap_or(WINDOW), WINDOW));
        assert_eq!(longest.max(), Some(Duration::from_secs(60)), "F-042");
    }

    /// F-041: a delay runs out; its step is remembered for a window more, and then all is forgotten.
    #[test]
    fn a_delay_ends_before_its_memory() {
        let rule = Rule::Delay { free: 5, longest: LONGEST };
        assert_eq!(rule.life(7, WINDOW), Some(WINDOW + Duration::from_secs(4)));
        assert_eq!(rule.wait(7, WINDOW + Duration::from_secs(3), WINDOW), Duration::from_secs(3));
        assert_eq!(rule.wait(7, WINDOW, WINDOW), Duration::ZERO);
        assert_eq!((rule.life(1, WINDOW), rule.life(2, WINDOW)), (Some(WINDOW), None));
    }

    /// F-041: a network waits for the end of the window that its first failure opened.
    #[test]
    fn a_networks_failures_last_for_one_window() {
        let rule = Rule::Window { free: 50 };
        assert_eq!((rule.life(1, WINDOW), rule.life(50, WINDOW)), (Some(WINDOW), None));
        assert_eq!(rule.wait(49, WINDOW, WINDOW), Duration::ZERO);
        assert_eq!(rule.wait(50, Duration::from_secs(321), WINDOW), Duration::from_secs(321));
    }

    /// F-043: a run of failures outlives pauses, and what it closes stays closed.
    #[test]
    fn a_run_of_failures_is_remembered_longer_with_each() {
        let rule = Rule::Close { free: 100 };
        assert_eq!(rule.life(1, WINDOW), Some(DAY));
        assert_eq!((rule.life(30, WINDOW), rule.life(99, WINDOW)), (Some(DAY * 30), Some(DAY * 30)));
        assert!(rule.life(100, WINDOW) > Some(DAY * 3000));
        assert!(!rule.closes(99) && rule.closes(100));
        assert_eq!((rule.wait(99, DAY, WINDOW), rule.wait(100, DAY, WINDOW)), (Duration::ZERO, LONGEST));
    }
}
