//! The modes: which walls stand around a container.

use lazaret_profiles::syscalls::Column;

/// How a container is confined (design: "Modes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The bundle as written, as runc would run it.
    Native,
    /// Own user namespace, all namespaces, filter, Landlock, sentry, policy on the bundle.
    #[default]
    Sandbox,
    /// The sandbox with the smaller system call table and Landlock's path rules: for code known to be hostile.
    Strict,
}

impl Mode {
    /// Every mode, the looser first.
    pub const ALL: &[Self] = &[Self::Native, Self::Sandbox, Self::Strict];

    /// Whether lazaret's own walls stand around the container, whatever its bundle says.
    #[must_use]
    pub fn is_confined(self) -> bool {
        self != Self::Native
    }

    /// Whether it confines less than `other`.
    #[must_use]
    pub fn is_looser_than(self, other: Self) -> bool {
        let rank = |mode: Self| Self::ALL.iter().position(|known| *known == mode);
        rank(self) < rank(other)
    }

    /// The stricter of two.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        if self.is_looser_than(other) { other } else { self }
    }

    /// The column of the system call table that holds; none in native mode.
    #[must_use]
    pub fn column(self) -> Option<Column> {
        match self {
            Self::Native => None,
            Self::Sandbox => Some(Column::Sandbox),
            Self::Strict => Some(Column::Strict),
        }
    }

    /// The word of `--mode`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Sandbox => "sandbox",
            Self::Strict => "strict",
        }
    }
}
