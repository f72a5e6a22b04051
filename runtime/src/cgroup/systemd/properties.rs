//! Limits as properties of a systemd unit (systemd.resource-control(5)), so that systemd, which rewrites the files of its
//! units when it reloads, writes what was asked for. What it has no property for is written to the files alone. Pure;
//! used by the driver.

use crate::cgroup::limits::Setting;

/// One property of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) value: Value,
}

/// Its value, by D-Bus type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// `s`.
    Text(String),
    /// `b`.
    Flag(bool),
    /// `t`; the greatest number is "infinity".
    Number(u64),
    /// `au`.
    Processes(Vec<u32>),
    /// `ay`: one bit for each processor or memory node, the lowest first.
    Bits(Vec<u8>),
}

/// The kernel's file and the property with the same meaning and the same scale.
const SAME: &[(&str, &str)] = &[
    ("cpu.weight", "CPUWeight"),
    ("io.weight", "IOWeight"),
    ("memory.max", "MemoryMax"),
    ("memory.high", "MemoryHigh"),
    ("memory.low", "MemoryLow"),
    ("memory.min", "MemoryMin"),
    ("memory.swap.max", "MemorySwapMax"),
    ("pids.max", "TasksMax"),
];
/// systemd rounds a quota to whole per cents; the file is written with the exact one afterwards.
const PERCENT: u64 = 10_000;
const SECOND: u64 = 1_000_000;

/// Whether the properties of these limits depend on systemd's version: [`of`] wants to know then.
pub(super) fn need_version(settings: &[Setting]) -> bool {
    settings.iter().any(|setting| asks(setting, "cpu.idle", "1"))
}

/// The properties of the limits that systemd knows. `version` is its first number; before 252 it has none for idle.
pub(super) fn of(settings: &[Setting], version: u32) -> Vec<Property> {
    let idle = version >= 252 && settings.iter().any(|setting| asks(setting, "cpu.idle", "1"));
    let mut properties = Vec::new();
    for (file, value) in settings.iter().flat_map(|setting| &setting.choices) {
        match file.as_ref() {
            "cpu.max" => properties.extend(quota(value)),
            "cpuset.cpus" => properties.extend(bits("AllowedCPUs", value)),
            "cpuset.mems" => properties.extend(bits("AllowedMemoryNodes", value)),
            // The weight of an idle unit is 0, and it has one weight.
            "cpu.weight" if idle => {}
            "cpu.idle" if idle && value == "1" => {
                properties.push(Property { name: "CPUWeight", value: Value::Number(0) });
            }
            file => {
                let name = SAME.iter().find(|(known, _)| *known == file).map(|(_, name)| *name);
                properties.extend(
                    name.zip(number(value)).map(|(name, number)| Property { name, value: Value::Number(number) }),
                );
            }
        }
    }
    properties
}

fn asks(setting: &Setting, file: &str, value: &str) -> bool {
    setting.choices.iter().any(|(have, text)| have == file && text.trim() == value)
}

/// `max`, a number, or a number of bytes with a suffix as the kernel takes them. `None` for anything else, such as a weight
/// of one device: the kernel judges it.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    if text == "max" {
        return Some(u64::MAX);
    }
    let shift = match text.chars().last()?.to_ascii_lowercase() {
        'k' => 10,
        'm' => 20,
        'g' => 30,
        't' => 40,
        _ => return text.parse().ok(),
    };
    text.get(..text.len() - 1)?.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// `QUOTA PERIOD`, or the quota alone.
fn quota(text: &str) -> Vec<Property> {
    let mut words = text.split_ascii_whitespace();
    let (Some(quota), period) = (words.next(), words.next().map_or(Ok(100_000), str::parse::<u64>)) else {
        return Vec::new();
    };
    let Some((quota, period)) = number(quota).zip(period.ok()).filter(|(_, period)| *period > 0) else {
        return Vec::new();
    };
    let per_second = match quota {
        u64::MAX => u64::MAX,
        quota => (quota.saturating_mul(SECOND) / period).next_multiple_of(PERCENT),
    };
    vec![
        Property { name: "CPUQuotaPeriodUSec", value: Value::Number(period) },
        Property { name: "CPUQuotaPerSecUSec", value: Value::Number(per_second) },
    ]
}

/// A list such as `0-3,7` as bits.
fn bits(name: &'static str, list: &str) -> Option<Property> {
    let mut bytes = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        for number in first.parse::<u16>().ok()?..=last.parse::<u16>().ok()? {
            let index = usize::from(number / 8);
            if bytes.len() <= index {
                bytes.resize(index + 1, 0);
            }
            *bytes.get_mut(index)? |= 1_u8 << (number % 8);
        }
    }
    Some(Property { name, value: Value::Bits(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::hierarchy::tests::pure_v2;
    use crate::cgroup::limits;
    use crate::spec::resources::Resources;

    fn properties(resources: &Resources, version: u32) -> Vec<Property> {
        of(&limits::plan(resources, &pure_v2()).unwrap(), version)
    }

    fn numbers(pairs: &[(&'static str, u64)]) -> Vec<Property> {
        pairs.iter().map(|&(name, value)| Property { name, value: Value::Number(value) }).collect()
    }

    #[test]
    fn limits_have_the_names_and_scales_of_systemd() {
        let resources = Resources {
            cpu_shares: Some(1024),
            cpu_quota: Some(33_333),
            cpu_period: Some(100_000),
            memory_limit: Some(1 << 20),
            memory_swap: Some(-1),
            pids_limit: Some(-1),
            io_weight: Some(100),
            unified: [("memory.high".into(), "2M".into()), ("memory.min".into(), "nonsense".into())].into(),
            ..Resources::default()
        };
        let expected = numbers(&[
            ("CPUWeight", 100),
            ("CPUQuotaPeriodUSec", 100_000),
            ("CPUQuotaPerSecUSec", 340_000),
            ("MemoryMax", 1 << 20),
            ("MemorySwapMax", u64::MAX),
            ("TasksMax", u64::MAX),
            ("IOWeight", 910),
            ("MemoryHigh", 2 << 20),
        ]);
        assert_eq!(properties(&resources, 252), expected);
    }

    #[test]
    fn an_idle_unit_has_weight_0_where_systemd_knows_it() {
        let resources = Resources { cpu_idle: Some(true), cpu_shares: Some(1024), ..Resources::default() };
        assert_eq!(properties(&resources, 252), numbers(&[("CPUWeight", 0)]));
        assert_eq!(properties(&resources, 251), numbers(&[("CPUWeight", 100)]));
        assert!(need_version(&limits::plan(&resources, &pure_v2()).unwrap()));
    }

    #[test]
    fn lists_are_bits() {
        let value = |list| bits("AllowedCPUs", list).map(|property| property.value);
        assert_eq!(value("0-3,9"), Some(Value::Bits(vec![0b1111, 0b10])));
        assert_eq!(value("nonsense"), None);
        let unlimited = Resources { cpu_quota: Some(-1), ..Resources::default() };
        assert_eq!(properties(&unlimited, 0)[1].value, Value::Number(u64::MAX));
    }
}
