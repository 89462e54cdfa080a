//! What a store holds, found out without changing it.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{Mongo, StoreError, StoreUrl};

/// The version of each component's data, by name: none in a store that no service has opened. `name` is the database where the URL
/// names none.
pub async fn components(url: &StoreUrl, name: &str) -> Result<BTreeMap<String, i64>, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => in_file(path),
        StoreUrl::Mongo(url) => Mongo::connect(url, name).await?.schema().await,
        StoreUrl::Redis(_) => Ok(BTreeMap::new()),
    }
}

fn in_file(path: &Path) -> Result<BTreeMap<String, i64>, StoreError> {
    if !path.exists() {
        return Err(StoreError::Unavailable(format!("there is no file {}", path.display())));
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let known = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'";
    if !connection.prepare(known)?.exists([])? {
        return Ok(BTreeMap::new());
    }
    let mut query = connection.prepare("SELECT component, version FROM schema_version")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
