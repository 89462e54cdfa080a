//! Where to go after signing in (E-007).

use url::Url;

/// The longest path kept with a login, in bytes.
const LONGEST: usize = 4096;

/// `wanted` as a path with query on `origin`, or `/` when it would lead anywhere else.
pub fn safe(origin: &str, wanted: Option<&str>) -> String {
    wanted.and_then(|wanted| on_origin(origin, wanted)).unwrap_or_else(|| "/".to_owned())
}

fn on_origin(origin: &str, wanted: &str) -> Option<String> {
    // Browsers read a backslash as a slash, and drop tabs and line ends inside URLs.
    let plain = wanted.starts_with('/')
        && !wanted.starts_with("//")
        && !wanted.contains('\\')
        && !wanted.chars().any(char::is_control)
        && wanted.len() <= LONGEST;
    if !plain {
        return None;
    }
    let own = Url::parse(origin).ok()?;
    let url = own.join(wanted).ok()?;
    if url.origin() != own.origin() || url.path().starts_with("//") {
        return None;
    }
    Some(match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E-007.
    #[test]
    fn only_paths_of_this_origin_are_targets() {
        let safe = |wanted| safe("https://app.test:5000", Some(wanted));
        for good in ["/", "/data/people", "/data/people?sort=-name&page=2", "/data/%2F%2Fevil.test"] {
            assert_eq!(safe(good), good);
        }
        assert_eq!(safe("/data/a b"), "/data/a%20b");
        assert_eq!(safe("/a/../b#part"), "/b");
        for bad in [
            "",
            "data",
            "//evil.test",
            "/\\evil.test",
            "\\/evil.test",
            "/\t/evil.test",
            "/\n/evil.test",
            "/a\u{0}",
            "/a\\b",
            "https://evil.test/",
            "https://app.test:5000/",
            "javascript:alert(1)",
            "/..//evil.test",
            "/.//evil.test",
            "@evil.test",
        ] {
            assert_eq!(safe(bad), "/", "{bad:?}");
        }
    }
}
