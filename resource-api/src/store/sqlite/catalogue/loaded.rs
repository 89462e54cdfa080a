//! The sources as the file has them, read once and kept up.

use super::*;

/// All sources by name, for every thread.
#[derive(Debug, Default)]
pub(in crate::store::sqlite) struct Catalogue {
    sources: RwLock<HashMap<String, Arc<Source>>>,
}

impl Catalogue {
    pub(in crate::store::sqlite) fn load(connection: &Connection) -> Result<Self, StoreError> {
        let mut query = connection.prepare("SELECT name, number FROM document_source")?;
        let names = query
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        let mut sources = HashMap::with_capacity(names.len());
        for (name, number) in names {
            sources.insert(name, Arc::new(Source::load(connection, number)?));
        }
        Ok(Self { sources: RwLock::new(sources) })
    }

    pub(in crate::store::sqlite) fn get(&self, name: &str) -> Option<Arc<Source>> {
        self.sources.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(in crate::store::sqlite) fn all(&self) -> Vec<(String, Arc<Source>)> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        sources.iter().map(|(name, source)| (name.clone(), Arc::clone(source))).collect()
    }

    pub(in crate::store::sqlite) fn set(&self, name: &str, source: Source) {
        self.sources.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Arc::new(source));
    }
}
