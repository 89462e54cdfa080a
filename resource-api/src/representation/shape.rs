//! What becomes of each member of a resource's documents under one projection: decided once, used for every document.

use std::collections::HashSet;

use super::json::write_string;
use super::links::Relation;
use crate::domain::{Domain, Resource};
use crate::query::Fields;

/// The members that documents of a resource have, in the order they are usually stored in.
#[derive(Debug, Clone)]
pub struct Shape {
    members: Vec<Member>,
    pub fields: Fields,
}

/// One top-level field.
#[derive(Debug, Clone)]
pub struct Member {
    key: String,
    /// `, "key": `
    pub written: Vec<u8>,
    pub role: Role,
    pub share: Share,
    pub relation: Option<Relation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Id,
    LastUpdated,
    DateCreated,
    Etag,
    /// The owner's field where the schema does not have it (URRA-04).
    Owner,
    /// Named like `_links` and `_status`, which an answer has of its own (POST-07).
    Links,
    Status,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    Whole,
    Part,
    Nothing,
}

impl Shape {
    pub fn new(domain: &Domain, resource: &Resource, fields: Fields) -> Self {
        let names = &domain.settings.names;
        let mut known = HashSet::new();
        let keys =
            ["_id"].into_iter().chain(resource.schema.keys().map(String::as_str)).chain(resource.auth_field.as_deref());
        let keys = keys.chain([names.last_updated.as_str(), &names.date_created, &names.etag]);
        let keys = keys.chain([names.links.as_str(), &names.status]);
        let members = keys.filter(|key| known.insert(*key)).map(|key| {
            let role = if key == resource.id_field {
                Role::Id
            } else if key == names.last_updated {
                Role::LastUpdated
            } else if key == names.date_created {
                Role::DateCreated
            } else if key == names.etag {
                Role::Etag
            } else if key == names.links {
                Role::Links
            } else if key == names.status {
                Role::Status
            } else if resource.auth_field.as_deref() == Some(key) && !resource.schema.contains_key(key) {
                Role::Owner
            } else {
                Role::Other
            };
            let share = match fields.cut().field(key) {
                Some(cut) if cut.is_whole() => Share::Whole,
                Some(_) => Share::Part,
                None => Share::Nothing,
            };
            let relation =
                resource.schema.get(key).filter(|_| resource.hateoas).and_then(|rules| rules.data_relation());
            let relation = relation.and_then(|relation| Relation::new(domain, resource, relation));
            Member { key: key.to_owned(), written: written(key), role, share, relation }
        });
        Self { members: members.collect(), fields }
    }

    /// The member of this name, and where to expect the next one. `expected` is where this one was expected.
    pub fn find(&self, expected: usize, key: &str) -> Option<(&Member, usize)> {
        if let Some(member) = self.members.get(expected)
            && member.key == key
        {
            return Some((member, expected + 1));
        }
        let place = self.members.iter().position(|member| member.key == key)?;
        Some((&self.members[place], place + 1))
    }
}

/// `, "key": `: the comma is left out at the beginning of an object.
pub fn written(key: &str) -> Vec<u8> {
    let mut written = b", ".to_vec();
    write_string(key, &mut written);
    written.extend_from_slice(b": ");
    written
}

/// Appends a key as [`written`] made it.
pub fn write_key(written: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(if out.last() == Some(&b'{') { &written[2..] } else { written });
}
