//! The text that Prometheus reads: families of samples with labels. Pure.

use std::fmt::{Display, Formatter, Write as _};
use std::time::Duration;

/// The kind of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Goes up alone.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bounds.
    Histogram,
}

/// Labels of a sample, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels(Vec<(&'static str, String)>);

impl Labels {
    /// These.
    pub(super) fn new(labels: impl Iterator<Item = (&'static str, String)>) -> Self {
        Self(labels.collect())
    }

    /// With one more.
    pub(super) fn and(&self, name: &'static str, value: &str) -> Self {
        let more = self.0.iter().cloned().chain(std::iter::once((name, value.to_owned())));
        Self(more.collect())
    }
}

impl Display for Labels {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        for (at, (name, value)) in self.0.iter().enumerate() {
            write!(formatter, "{}{name}=\"", if at == 0 { '{' } else { ',' })?;
            for character in value.chars() {
                match character {
                    '\\' => formatter.write_str("\\\\")?,
                    '"' => formatter.write_str("\\\"")?,
                    '\n' => formatter.write_str("\\n")?,
                    other => formatter.write_char(other)?,
                }
            }
            formatter.write_char('"')?;
        }
        formatter.write_char('}')
    }
}

/// One name with its samples. Without a sample nothing is printed.
#[derive(Debug)]
pub(super) struct Family {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    samples: String,
}

impl Family {
    /// An empty one. `help` has neither a backslash nor a line end.
    pub(super) fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, kind, help, samples: String::new() }
    }

    /// One value.
    pub(super) fn sample(&mut self, labels: &Labels, value: impl Display) {
        self.line("", labels, value);
    }

    /// A histogram: how many fell under each bound and over the one before (the last has none), and the sum of all.
    pub(super) fn histogram(&mut self, labels: &Labels, buckets: &[(Option<Duration>, u64)], sum: Duration) {
        let mut so_far = 0_u64;
        for (bound, count) in buckets {
            so_far = so_far.saturating_add(*count);
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.as_secs_f64().to_string());
            self.line("_bucket", &labels.and("le", &bound), so_far);
        }
        self.line("_sum", labels, sum.as_secs_f64());
        self.line("_count", labels, so_far);
    }

    fn line(&mut self, suffix: &str, labels: &Labels, value: impl Display) {
        self.samples.push_str(&format!("{}{suffix}{labels} {value}\n", self.name));
    }
}

impl Display for Family {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        if self.samples.is_empty() {
            return Ok(());
        }
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        write!(formatter, "# HELP {0} {1}\n# TYPE {0} {kind}\n{2}", self.name, self.help, self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_reads_as_prometheus_wants_it() {
        let mut family = Family::new("a_total", Kind::Counter, "Help.");
        assert_eq!(family.to_string(), "");
        let labels = Labels::new([("pod", "x\"y\\z\n".to_owned())].into_iter());
        family.sample(&labels.and("n", "1"), 7);
        family.sample(&Labels::default(), 8);
        let expected =
            "# HELP a_total Help.\n# TYPE a_total counter\na_total{pod=\"x\\\"y\\\\z\\n\",n=\"1\"} 7\na_total 8\n";
        assert_eq!(family.to_string(), expected);
    }

    #[test]
    fn buckets_of_a_histogram_add_up() {
        let mut family = Family::new("t", Kind::Histogram, "H.");
        let bound = |micros| Some(Duration::from_micros(micros));
        family.histogram(&Labels::default(), &[(bound(1), 2), (bound(2), 0), (None, 3)], Duration::from_millis(1500));
        let text = family.to_string();
        for line in [
            "t_bucket{le=\"0.000001\"} 2",
            "t_bucket{le=\"0.000002\"} 2",
            "t_bucket{le=\"+Inf\"} 5",
            "t_sum 1.5",
            "t_count 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }
}
