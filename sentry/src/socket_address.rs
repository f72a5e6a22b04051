//! A socket address as text, for records: `unix:/run/x.sock`, `unix:@name`, `inet:10.0.0.1:80`, `inet6:[::1]:80`.
//!
//! Called by `copyin`, and by nobody who decides.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The text of a `struct sockaddr` as the caller gave it. Of other families, and of one that is too short, the family.
pub(crate) fn text(address: &[u8]) -> String {
    let Some((family, rest)) = address.split_first_chunk::<2>() else { return "none".to_owned() };
    let family = i32::from(u16::from_ne_bytes(*family));
    let known = match family {
        libc::AF_UNIX => Some(unix(rest)),
        libc::AF_INET => inet(rest),
        libc::AF_INET6 => inet6(rest),
        libc::AF_UNSPEC => Some("none".to_owned()),
        _ => None,
    };
    known.unwrap_or_else(|| format!("family {family}"))
}

/// unix(7): a path ends at its first NUL; an abstract name begins with one.
fn unix(rest: &[u8]) -> String {
    match rest.split_first() {
        None => "unix:".to_owned(),
        Some((0, name)) => format!("unix:@{}", String::from_utf8_lossy(name)),
        Some(_) => {
            let path = rest.split(|byte| *byte == 0).next().unwrap_or_default();
            format!("unix:{}", String::from_utf8_lossy(path))
        }
    }
}

/// ip(7).
fn inet(rest: &[u8]) -> Option<String> {
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let address = rest.first_chunk::<4>()?;
    Some(format!("inet:{}:{}", Ipv4Addr::from(*address), u16::from_be_bytes(*port)))
}

/// ipv6(7): port, flow information, address.
fn inet6(rest: &[u8]) -> Option<String> {
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let address = rest.get(4..)?.first_chunk::<16>()?;
    Some(format!("inet6:[{}]:{}", Ipv6Addr::from(*address), u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(family: i32, rest: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(family).unwrap().to_ne_bytes().to_vec();
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn families_are_told_apart() {
        assert_eq!(text(&address(libc::AF_UNIX, b"/run/x.sock\0rest")), "unix:/run/x.sock");
        assert_eq!(text(&address(libc::AF_UNIX, b"\0name")), "unix:@name");
        assert_eq!(text(&address(libc::AF_UNIX, b"")), "unix:");
        assert_eq!(text(&address(libc::AF_INET, &[0, 80, 10, 0, 0, 1])), "inet:10.0.0.1:80");
        let mut six = vec![0x1f, 0x90, 0, 0, 0, 0];
        six.extend_from_slice(&Ipv6Addr::LOCALHOST.octets());
        assert_eq!(text(&address(libc::AF_INET6, &six)), "inet6:[::1]:8080");
        assert_eq!(text(&address(libc::AF_INET, &[0])), "family 2");
        assert_eq!(text(&address(libc::AF_NETLINK, &[])), "family 16");
        assert_eq!((text(&[]), text(&[1])), ("none".to_owned(), "none".to_owned()));
    }
}
