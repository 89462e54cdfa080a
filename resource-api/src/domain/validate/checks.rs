//! The named checks of `check_with` (contract 2.4).

use std::net::IpAddr;

use bson::Bson;

use crate::domain::Check;

/// What is wrong with a value; other kinds than strings pass, their type is another rule's business.
pub fn fault(check: Check, value: &Bson) -> Option<&'static str> {
    let Bson::String(text) = value else { return None };
    let (good, message) = match check {
        Check::Email => (is_email(text), "must be an email address"),
        Check::Url => (is_url(text), "must be an absolute URL"),
        Check::Uuid => (bson::Uuid::parse_str(text).is_ok(), "must be a UUID"),
        Check::Ip => (text.parse::<IpAddr>().is_ok(), "must be an IP address"),
        Check::Hostname => (is_hostname(text), "must be a host name"),
        Check::Slug => (is_slug(text), "must be a slug (letters, digits, '-' and '_')"),
    };
    (!good).then_some(message)
}

/// The shape browsers accept in an email input: the HTML standard's, not all that RFC 5322 allows.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    !local.is_empty() && local.len() <= 64 && local.bytes().all(atom) && is_hostname(domain)
}

fn is_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// RFC 1123, 2.1: labels of letters, digits and inner hyphens.
fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn is_slug(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contract 2.4: the named checks.
    #[test]
    fn each_check_knows_good_from_bad() {
        for (check, good, bad) in [
            (Check::Email, "a.b+c@example.org", "a@b@"),
            (Check::Email, "o'neil@mail", "two words@example.org"),
            (Check::Url, "https://example.org/a?b", "example.org"),
            (Check::Url, "http://[::1]:80/", "ftp://example.org"),
            (Check::Uuid, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810"),
            (Check::Ip, "2001:db8::1", "1.2.3.256"),
            (Check::Hostname, "a-1.example.org", "-a.example.org"),
            (Check::Slug, "a_b-9", "a b"),
        ] {
            assert_eq!(fault(check, &Bson::String(good.to_owned())), None, "{good}");
            assert!(fault(check, &Bson::String(bad.to_owned())).is_some(), "{bad}");
        }
        assert_eq!(fault(Check::Email, &Bson::Int32(1)), None);
    }
}
