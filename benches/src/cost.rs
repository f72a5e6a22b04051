//! What a sandbox costs those who do nothing forbidden: fixed work, timed inside, in every mode by turns.
//!
//! `bench-cost` is made of these rooms: [`row`] names the work and its limit, [`calls`] and [`applications`] do it,
//! [`subject`] is one container that does it on request, [`sentry`] watches the sentry meanwhile.

pub mod applications;
pub mod calls;
pub mod row;
pub mod sentry;
pub mod subject;
