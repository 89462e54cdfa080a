//! Resource indicators (RFC 8707): absolute URIs that become a token's audience.

use url::Url;

/// A request may name this many.
pub const MOST: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResourceFault {
    #[error("must be an absolute URI without a fragment")]
    Malformed,
    #[error("at most {MOST} resources can be asked for")]
    TooMany,
    #[error("a resource is unknown or not allowed")]
    NotAllowed,
}

/// Whether `resource` is an absolute URI without a fragment (RFC 8707 2).
pub fn check(resource: &str) -> Result<(), ResourceFault> {
    match Url::parse(resource) {
        Ok(url) if url.fragment().is_none() && !resource.contains([' ', '"', '\\', '\t', '\n']) => Ok(()),
        _ => Err(ResourceFault::Malformed),
    }
}

/// The asked-for resources if all of them are among `allowed`; `otherwise` when none was asked for (A-033, B-050, B-075).
pub fn choose<'a>(
    asked: impl Iterator<Item = &'a str>,
    allowed: impl Fn(&str) -> bool,
    otherwise: &[String],
) -> Result<Vec<String>, ResourceFault> {
    let mut chosen: Vec<String> = Vec::new();
    for (count, resource) in asked.enumerate() {
        if count == MOST {
            return Err(ResourceFault::TooMany);
        }
        check(resource)?;
        if !allowed(resource) {
            return Err(ResourceFault::NotAllowed);
        }
        if !chosen.iter().any(|one| one == resource) {
            chosen.push(resource.to_owned());
        }
    }
    Ok(if chosen.is_empty() { otherwise.to_vec() } else { chosen })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A-033, B-050: absolute, without fragment, allowed, at most five; none means all that may be had.
    #[test]
    fn asked_for_resources_must_be_allowed_and_few() {
        let held = ["https://api.example.org".to_owned(), "urn:example:files".to_owned()];
        let ask = |asked: &[&str]| choose(asked.iter().copied(), |one| held.iter().any(|held| held == one), &held);
        assert_eq!(ask(&[]), Ok(held.to_vec()));
        assert_eq!(ask(&["urn:example:files", "urn:example:files"]), Ok(vec!["urn:example:files".to_owned()]));
        assert_eq!(ask(&["https://other.example.org"]), Err(ResourceFault::NotAllowed));
        assert_eq!(ask(&["https://api.example.org#x"]), Err(ResourceFault::Malformed));
        assert_eq!(ask(&["/relative"]), Err(ResourceFault::Malformed));
        assert_eq!(ask(&["urn:example:files"; 6]), Err(ResourceFault::TooMany));
    }
}
