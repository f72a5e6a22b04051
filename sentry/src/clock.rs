//! The time as audit records write it: RFC 3339, UTC, nanoseconds.
//!
//! Called by `audit`. Must not know about records.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, such as `2026-01-31T23:59:59.000000001Z`.
#[must_use]
pub fn now() -> String {
    // A clock before 1970 is shown as 1970: a record with a wrong time beats none.
    rfc3339(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// `since_epoch` as a date and time of the proleptic Gregorian calendar.
fn rfc3339(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let second_of_day = seconds % 86_400;
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    let nanoseconds = since_epoch.subsec_nanos();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z")
}

/// Year, month and day of the day that many days after 1970-01-01.
///
/// Counts in years that begin on 1 March, so that the leap day is the last day of one: 400 years have 146 097 days, and
/// the months from March on have 153 days in each five.
fn date(days: u64) -> (u64, u64, u64) {
    // 719 468 days lie between 0000-03-01 and 1970-01-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_right() {
        // Second numbers from date(1) -d ... +%s.
        let moments = [
            (0, 0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_399, 1, "2000-02-28T23:59:59.000000001Z"),
            (951_782_400, 0, "2000-02-29T00:00:00.000000000Z"),
            (1_709_251_199, 999_999_999, "2024-02-29T23:59:59.999999999Z"),
            (1_735_689_599, 5, "2024-12-31T23:59:59.000000005Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000000Z"),
        ];
        for (seconds, nanoseconds, text) in moments {
            assert_eq!(rfc3339(Duration::new(seconds, nanoseconds)), text);
        }
    }

    #[test]
    fn days_follow_each_other_for_four_hundred_years() {
        let mut before = date(0);
        for day in 1..=146_097 {
            let after = date(day);
            let next_day = after == (before.0, before.1, before.2 + 1);
            let next_month = after == (before.0, before.1 + 1, 1) && before.2 >= 28;
            let next_year = after == (before.0 + 1, 1, 1) && (before.1, before.2) == (12, 31);
            assert!(next_day || next_month || next_year, "{before:?} then {after:?}");
            before = after;
        }
        assert_eq!(before, (2370, 1, 1));
    }
}
