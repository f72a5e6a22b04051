//! The policy of lazaret as data: which system call a workload may make, and the seccomp program that says so.
//!
//! The runtime and the sentry call it; it makes no system call, does no I/O and holds no `unsafe`. Everything here
//! is a pure function of its arguments, so that the policy can be tested on any machine, without root.
//!
//! # How it fits together
//!
//! ```text
//! syscalls::TABLE --plan::sandbox, strict--> Plan --bpf::emit--> Program --(kernel)--> what the workload gets
//! oci::Profile    --oci::plan--------------> Plan                    \--(interpret::run)--> the same answer, in tests
//! ```
//!
//! The programs of the table's own plans are written down in [`programs`], so that a start makes none.
//!
//! # Glossary
//!
//! * **row**: one line of the table ([`syscalls::Row`]): a system call's number, name, family, class, the errno of a
//!   refusal, and the reason for the choice.
//! * **class**: what a row decides ([`class::Class`]): native, argument-checked, emulated, refused with a witness,
//!   refused.
//! * **rule**: what an argument-checked row looks at ([`class::Rule`]). Its cases stand in [`rules`].
//! * **event**: the name of an escape technique ([`class::Event`]), for audit records.
//! * **witness**: who sees a refused call ([`plan::Witness`]): the sentry by seccomp notification, a tracer, nobody.
//! * **plan**: profile x table ([`plan::Plan`]): for every number an action, or checks that lead to one.
//! * **nested**: what a workload may mount where mounts are brokered ([`nested::FileSystem`]).
//! * **program**: the plan as classic BPF ([`bpf::Program`]), ready for seccomp(2).
//! * **profile**: what an OCI bundle asks for in `linux.seccomp` ([`oci::Profile`]).
//! * **schema**: the keys of a text that people write, and its strict reader ([`schema::read`]).

pub mod adjust;
pub mod bpf;
pub mod builtin;
mod cases;
pub mod check;
pub mod class;
pub mod document;
pub mod interpret;
pub mod nested;
pub mod oci;
pub mod plan;
pub mod programs;
pub mod rules;
pub mod schema;
pub mod syscalls;
mod word;
