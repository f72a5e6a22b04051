//! The rules of sandbox mode as data: what of the host a container must never see, and what engines hand in all the
//! same. Every row has its reason; [`super::sandbox`] applies them.

pub mod capabilities;
pub mod devices;
pub mod engines;
pub mod kernel_filesystems;
pub mod openings;
pub mod sensitive;
