//! At start: collections and indexes as the domain wants them. Indexes that somebody else made stay.

use std::collections::HashSet;

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::error::Error;
use shared::store::StoreError;
use shared::store::mongo::{code, duplicate};

use super::MongoDocuments;
use crate::domain::{Collections, Index, IndexDirection};

/// Where transactions that look for a vacancy meet.
pub(super) const LOCKS: &str = "evergate_lock";
/// After so many seconds no transaction needs its lock any more.
const LOCK_LIFE: i64 = 3600;

const NAMESPACE_EXISTS: i32 = 48;
const INDEX_NOT_FOUND: i32 = 27;
const NOT_ON_A_VIEW: i32 = 166;
/// IndexOptionsConflict, IndexKeySpecsConflict: another index has the name or the keys.
const OTHER_INDEX: [i32; 2] = [85, 86];
/// What the names of indexes begin with that no one but this service makes.
const OWN_INDEXES: [&str; 2] = ["unique_", "look_up_"];

impl MongoDocuments {
    pub(super) async fn prepare_all(&self, collections: &Collections<'_>) -> Result<(), StoreError> {
        self.mongo.claim_version("documents", 1).await?;
        let expires = Index {
            name: "expires".to_owned(),
            keys: vec![("at".to_owned(), IndexDirection::Ascending)],
            unique: false,
            sparse: false,
            options: doc! { "expireAfterSeconds": LOCK_LIFE },
        };
        self.prepare_collection(LOCKS, &[expires]).await?;
        for (source, indexes) in collections {
            self.prepare_collection(source, indexes).await?;
        }
        Ok(())
    }

    async fn prepare_collection(&self, source: &str, indexes: &[Index]) -> Result<(), StoreError> {
        // A transaction may not be able to make it.
        let made = self.mongo.database().create_collection(source).await;
        if let Err(error) = made
            && code(&error) != Some(NAMESPACE_EXISTS)
        {
            return Err(error.into());
        }
        let known = match self.mongo.collection::<Document>(source).list_index_names().await {
            Ok(known) => known,
            // It has no indexes but those of what it shows, and takes no writes.
            Err(error) if code(&error) == Some(NOT_ON_A_VIEW) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let (mut names, mut doubled, mut wanted) = (HashSet::new(), Vec::new(), Vec::<(&Index, Document)>::new());
        for index in indexes {
            if wanted.iter().any(|(known, _)| known.keys == index.keys && known.options == index.options) {
                continue;
            }
            let mut name = index.name.clone();
            for number in 2.. {
                if names.insert(name.clone()) {
                    break;
                }
                name = format!("{}_{number}", index.name);
            }
            wanted.push((index, definition(index, &name)));
        }
        for name in known.iter().filter(|name| !names.contains(*name)) {
            if OWN_INDEXES.iter().any(|own| name.starts_with(own)) {
                self.drop_index(source, name).await?;
            }
        }
        for (index, definition) in wanted {
            if self.make(source, index, definition).await? == Made::Doubled {
                doubled.push(index);
            }
        }
        self.doubled.set(source, &doubled);
        Ok(())
    }

    /// An index may take long to build: the driver's answer is waited for.
    async fn make(&self, source: &str, index: &Index, mut definition: Document) -> Result<Made, StoreError> {
        let mut error = match self.create(source, &definition).await {
            Ok(()) => return Ok(Made::AsWanted),
            Err(error) => error,
        };
        if code(&error).is_some_and(|code| OTHER_INDEX.contains(&code)) {
            for other in self.in_the_way(source, &definition).await? {
                log::info!("{source}: index {other} is made again as {}", index.name);
                self.drop_index(source, &other).await?;
            }
            error = match self.create(source, &definition).await {
                Ok(()) => return Ok(Made::AsWanted),
                Err(error) => error,
            };
        }
        if duplicate(&error).is_some() {
            let field = index.keys.first().map_or("", |(path, _)| path);
            log::warn!("{source}: values of {field} are stored more than once, though unique");
            definition.remove("unique");
            return match self.create(source, &definition).await {
                Ok(()) => Ok(Made::Doubled),
                Err(error) => Err(error.into()),
            };
        }
        // The deployment can't be reached; or it can't have this index.
        let why = StoreError::from(error.clone());
        if code(&error).is_none() {
            return Err(why);
        }
        log::warn!("{source}: index {} is left out: {why}", index.name);
        Ok(if index.unique { Made::Doubled } else { Made::AsWanted })
    }

    /// Another instance that starts may be before this one.
    async fn drop_index(&self, source: &str, name: &str) -> Result<(), StoreError> {
        match self.collection(source).drop_index(name).await {
            Err(error) if code(&error) != Some(INDEX_NOT_FOUND) => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn create(&self, source: &str, definition: &Document) -> Result<(), Error> {
        self.mongo.database().run_command(doc! { "createIndexes": source, "indexes": [definition] }).await.map(drop)
    }

    /// The names of the indexes that have the name or the keys.
    async fn in_the_way(&self, source: &str, definition: &Document) -> Result<Vec<String>, StoreError> {
        let (name, keys) = (definition.get_str("name").ok(), definition.get_document("key").ok());
        let known = self.mongo.collection::<Document>(source).list_indexes().await?;
        let known: Vec<_> = known.try_collect().await?;
        Ok(known
            .into_iter()
            .filter_map(|index| {
                let its = index.options.and_then(|options| options.name)?;
                let same = Some(its.as_str()) == name || keys.is_some_and(|keys| same_keys(keys, &index.keys));
                (same && its != "_id_").then_some(its)
            })
            .collect())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Made {
    AsWanted,
    /// Not unique, though it should be.
    Doubled,
}

/// As `createIndexes` takes it.
fn definition(index: &Index, name: &str) -> Document {
    let direction = |direction: &IndexDirection| match direction {
        IndexDirection::Ascending => Bson::Int32(1),
        IndexDirection::Descending => Bson::Int32(-1),
        IndexDirection::Special(kind) => Bson::String(kind.clone()),
    };
    let keys: Document = index.keys.iter().map(|(path, way)| (path.clone(), direction(way))).collect();
    let mut definition = index.options.clone();
    definition.remove("unique");
    definition.remove("sparse");
    definition.insert("key", keys);
    definition.insert("name", name);
    if index.unique {
        definition.insert("unique", true);
    }
    if index.sparse {
        definition.insert("sparse", true);
    }
    definition
}

/// Directions are numbers of any type.
fn same_keys(one: &Document, two: &Document) -> bool {
    let number = |value: &Bson| match value {
        Bson::Int32(number) => Some(f64::from(*number)),
        Bson::Int64(number) => Some(*number as f64),
        Bson::Double(number) => Some(*number),
        _ => None,
    };
    one.len() == two.len()
        && one.iter().zip(two).all(|((path, way), (other, their))| {
            path == other && (way == their || number(way).is_some_and(|way| number(their) == Some(way)))
        })
}
