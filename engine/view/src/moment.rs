//! Times and lengths of time, as people read them.

use jiff::{Timestamp, tz::TimeZone};

use crate::Holder;

/// When a record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    pub seq: u64,
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// Milliseconds of run-elapsed time.
    pub elapsed_ms: u64,
}

/// The reader's moment. Views have no clock: whoever renders says when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// Whether a process holds the run (the operating system's lock knows); `None`: nobody looked, the records decide.
    pub executor_alive: Option<bool>,
    /// The run that holds the lock which this one wants, where it is unfinished and nobody executes it.
    pub holder: Option<Holder>,
}

impl Now {
    /// This moment, believing what the records say about the executor.
    pub fn at(wall_ms: u64) -> Now {
        Now { wall_ms, executor_alive: None, holder: None }
    }
}

/// A length of time: `80ms`, `1.2s`, `41s`, `5m00s`, `1h04m`, `2d03h`.
pub fn length(ms: u64) -> String {
    let s = ms / 1000;
    match ms {
        0..1000 => format!("{ms}ms"),
        1000..10_000 => format!("{}.{}s", s, ms % 1000 / 100),
        10_000..60_000 => format!("{s}s"),
        60_000..3_600_000 => format!("{}m{:02}s", s / 60, s % 60),
        3_600_000..86_400_000 => format!("{}h{:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d{:02}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// A length of time that runs, in whole seconds, so that it does not flicker: `0s`, `41s`, `5m00s`.
pub fn running(ms: u64) -> String {
    if ms < 60_000 { format!("{}s", ms / 1000) } else { length(ms) }
}

/// The run's elapsed time: `00:41:12`.
pub fn clock(ms: u64) -> String {
    let s = ms / 1000;
    format!("{:02}:{:02}:{:02}", s / 3600, s % 3600 / 60, s % 60)
}

/// Time of day for the reader: `02:51:37`.
pub fn time_of_day(wall_ms: u64, zone: &TimeZone) -> String {
    zoned(wall_ms, zone).strftime("%H:%M:%S").to_string()
}

/// Date and time for the reader, with the offset: `2026-11-22 02:51:37 +01:00`.
pub fn date_time(wall_ms: u64, zone: &TimeZone) -> String {
    zoned(wall_ms, zone).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// RFC 3339 in UTC, with milliseconds: `2026-11-22T01:51:37.000Z`.
pub fn rfc3339(wall_ms: u64) -> String {
    zoned(wall_ms, &TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// How long ago, or how far ahead: `4m12s ago`, `in 30s`, `now`.
pub fn relative(wall_ms: u64, now_ms: u64) -> String {
    match (now_ms.saturating_sub(wall_ms), wall_ms.saturating_sub(now_ms)) {
        (0..1000, 0..1000) => "now".into(),
        (0..1000, ahead) => format!("in {}", running(ahead)),
        (ago, _) => format!("{} ago", running(ago)),
    }
}

fn zoned(wall_ms: u64, zone: &TimeZone) -> jiff::Zoned {
    // Beyond what a calendar holds (the year 9999) the last moment stands in: a record with such a time is damaged
    // anyway, and a view must still show the rest.
    let ms = i64::try_from(wall_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX).to_zoned(zone.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_well() {
        let all =
            [0, 80, 999, 1000, 1260, 9999, 41_000, 300_000, 2_472_000, 3_600_000, 3_840_000, 183_600_000];
        let texts: Vec<String> = all.into_iter().map(length).collect();
        insta::assert_snapshot!(texts.join(" "), @"0ms 80ms 999ms 1.0s 1.2s 9.9s 41s 5m00s 41m12s 1h00m 1h04m 2d03h");
        assert_eq!(clock(2_472_000), "00:41:12");
        assert_eq!(clock(400_000_000), "111:06:40");
        assert_eq!(running(900), "0s");
    }

    #[test]
    fn wall_times_are_the_readers() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(date_time(1_795_312_297_000, &zone), "2026-11-22 03:51:37 +02:00");
        assert_eq!(rfc3339(1_795_312_297_004), "2026-11-22T01:51:37.004Z");
        assert_eq!(time_of_day(u64::MAX, &TimeZone::UTC).len(), 8);
        assert_eq!(relative(5000, 5400), "now");
        assert_eq!(relative(5000, 65_000), "1m00s ago");
        assert_eq!(relative(65_000, 5000), "in 1m00s");
    }
}
