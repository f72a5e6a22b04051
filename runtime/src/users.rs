//! The host's user names, for what people read. Used by `list` and `ps`, and to find the ids that are given to a user.

/// The account database of passwd(5). Read directly: a static binary has no name service modules.
const PASSWD: &str = "/etc/passwd";

/// The name of `uid` on the host, or `#UID` for one without a name.
pub(crate) fn name(uid: u32) -> String {
    match std::fs::read_to_string(PASSWD) {
        Ok(accounts) => name_in(&accounts, uid),
        Err(error) => {
            tracing::debug!(%error, "user names cannot be read");
            numbered(uid)
        }
    }
}

fn name_in(accounts: &str, uid: u32) -> String {
    let account = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    };
    accounts.lines().find_map(account).unwrap_or_else(|| numbered(uid))
}

fn numbered(uid: u32) -> String {
    format!("#{uid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_the_nameless_are_numbered() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nbroken\nme:x:1000:1000::/home/me:\n";
        assert_eq!(name_in(accounts, 0), "root");
        assert_eq!(name_in(accounts, 1000), "me");
        assert_eq!(name_in(accounts, 7), "#7");
    }
}
