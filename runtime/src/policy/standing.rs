//! How what a bundle binds stands to the tree or socket that a rule is about: a part of every refusal's words.

/// How the thing that is bound stands to the tree that the rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is the tree.
    Same,
    /// It lies within.
    Within(&'static str),
    /// It holds it.
    Holds(String),
}

impl std::fmt::Display for Standing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Same => Ok(()),
            Self::Within(tree) => write!(formatter, ", within {tree},"),
            Self::Holds(tree) => write!(formatter, ", which holds {tree},"),
        }
    }
}
