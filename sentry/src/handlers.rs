//! The emulated calls: what the sentry does on behalf of a caller once it is decided. One file a subject.
//!
//! Called by `court`. A handler must not see another handler, `notify` or `audit`: it acts on what it is given and
//! returns a verdict, or an error, which `court` turns into a refusal.

pub(crate) mod connect;
pub(crate) mod hostname;
pub(crate) mod mount;
pub(crate) mod sysinfo;
