//! The words of `--mode` and `--interceptor`. Called by `cli`.

use clap::ValueEnum;
use lazaret::options::{Interceptor, Mode};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeName {
    Native,
    Sandbox,
    Strict,
}

impl ModeName {
    /// The mode.
    pub(crate) fn mode(self) -> Mode {
        match self {
            Self::Native => Mode::Native,
            Self::Sandbox => Mode::Sandbox,
            Self::Strict => Mode::Strict,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InterceptorName {
    Auto,
    Notify,
    Ptrace,
}

impl InterceptorName {
    /// The interceptor.
    pub(crate) fn interceptor(self) -> Interceptor {
        match self {
            Self::Auto => Interceptor::Auto,
            Self::Notify => Interceptor::Notify,
            Self::Ptrace => Interceptor::Ptrace,
        }
    }
}
