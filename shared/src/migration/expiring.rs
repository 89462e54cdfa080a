//! What a service keeps in an [`ExpiringStore`]: all that some keep, and a part of what others do.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Holder, Mark, Record};
use crate::clock;
use crate::expiring::{Applied, ExpiringStore, Key, MongoExpiring, Op, RedisExpiring, SqliteExpiring, Whole};
use crate::store::{Mongo, Redis, Sqlite, StoreError, StoreUrl};

/// The only kind there is.
const KIND: &str = "expiring";
/// Nobody takes longer to move.
const LIFE_OF_A_MARK: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Entries that expire, in one store.
pub struct ExpiringHolder {
    store: Arc<dyn ExpiringStore>,
}

impl ExpiringHolder {
    /// The store at `url`, which is made where it is missing; `name` as for [`crate::expiring::open`]. Nothing is removed from it in
    /// the background.
    pub async fn open(url: &StoreUrl, name: &str) -> Result<Self, StoreError> {
        Ok(match url {
            StoreUrl::Sqlite(path) => Self::new(SqliteExpiring::new(Sqlite::open(path)?)?),
            StoreUrl::Mongo(url) => Self::new(MongoExpiring::new(Mongo::connect(url, name).await?.patient()).await?),
            StoreUrl::Redis(url) => Self::new(RedisExpiring::new(Redis::new(url, name)?)),
        })
    }

    pub fn new(store: impl ExpiringStore + 'static) -> Self {
        Self { store: Arc::new(store) }
    }

    /// Writes records, without a mark: the part of a service that keeps its mark elsewhere.
    pub async fn put(&self, records: &[Record]) -> Result<(), StoreError> {
        let entries = records.iter().map(|record| Whole::from_bytes(&record.body));
        self.store.import(entries.collect::<Result<_, _>>()?).await
    }
}

/// Of a move into this store that has not ended.
pub async fn mark(store: &dyn ExpiringStore) -> Result<Option<Mark>, StoreError> {
    let Some(kept) = store.get_many(&[mark_key()]).await?.pop().flatten() else { return Ok(None) };
    Mark::read(&String::from_utf8_lossy(&kept.value)).map(Some)
}

fn mark_key() -> Key {
    Key::new("migration", "mark")
}

#[async_trait]
impl Holder for ExpiringHolder {
    async fn kinds(&self) -> Result<Vec<String>, StoreError> {
        Ok(vec![KIND.to_owned()])
    }

    async fn count(&self, _kind: &str) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    async fn read(&self, _kind: &str, after: Option<&[u8]>, limit: usize) -> Result<Vec<Record>, StoreError> {
        let unreadable = |_| StoreError::Corrupt("the place of an entry is no key".to_owned());
        let after = after.map(<[u8; 32]>::try_from).transpose().map_err(unreadable)?.map(Key);
        let mut entries = self.store.export(after.as_ref(), limit).await?;
        if let [only] = &*entries
            && only.key == mark_key()
        {
            entries = self.store.export(Some(&mark_key()), limit).await?;
        }
        let record = |entry: &Whole| {
            Ok(Record { place: entry.key.0.to_vec(), body: entry.to_bytes()?, ends_at: Some(entry.expires_at) })
        };
        entries.iter().filter(|entry| entry.key != mark_key()).map(record).collect()
    }

    async fn write(&self, _kind: &str, records: Vec<Record>, mark: &Mark) -> Result<(), StoreError> {
        self.put(&records).await?;
        let life = i64::try_from(LIFE_OF_A_MARK.as_secs()).unwrap_or(i64::MAX);
        let mark = Whole {
            key: mark_key(),
            value: mark.to_text()?.into_bytes(),
            version: 1,
            claimed_at: None,
            note: Vec::new(),
            expires_at: (clock::now() + life) * 1000,
            owners: Vec::new(),
        };
        self.store.import(vec![mark]).await
    }

    /// A name of a secret, not the secret.
    fn name(&self, _kind: &str, record: &Record) -> String {
        <[u8; 32]>::try_from(&*record.place).map_or_else(|_| String::new(), |key| Key(key).to_string())
    }

    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        mark(&*self.store).await
    }

    async fn finish(&self) -> Result<(), StoreError> {
        match self.store.apply(vec![Op::Delete { key: mark_key() }]).await? {
            Applied::Done => Ok(()),
            Applied::Refused { .. } => Err(StoreError::Corrupt("a deletion was refused".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::expiring::Owner;
    use crate::migration::{MigrationError, Move, Watch, Work};
    use crate::store::servers::{self, Life, in_time};

    struct Nobody;

    impl Watch for Nobody {
        fn begin(&mut self, _kind: &str, _work: Work, _all: Option<u64>) {}
        fn advance(&mut self, _records: u64) {}
        fn end(&mut self) {}
    }

    async fn between(from: &StoreUrl, to: &StoreUrl) -> Move {
        let open = async |url: &StoreUrl| Box::new(ExpiringHolder::open(url, "unused").await.unwrap());
        Move { source: open(from).await, target: open(to).await, from: from.clone(), to: to.clone() }
    }

    /// From a file through all servers there are, back into a file.
    #[actix_rt::test]
    async fn entries_go_from_any_store_to_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| StoreUrl::Sqlite(folder.path().join(name));
        let (first, last) = (file("first.db"), file("last.db"));
        let of = |url: Option<crate::Secret>| url.map(|url| url.expose().parse::<StoreUrl>().unwrap());
        let stops = [Some(first), of(servers::redis()), of(servers::mongodb()), Some(last)];
        let stops: Vec<StoreUrl> = stops.into_iter().flatten().collect();
        let store = ExpiringHolder::open(&stops[0], "unused").await.unwrap().store;
        let insert = |n: usize| Op::Insert {
            key: Key::new("test", &n.to_string()),
            value: vec![7; n],
            ttl: Duration::from_secs(600),
            owners: vec![Owner::new("user", "u")],
        };
        assert_eq!(store.apply((0..50).map(insert).collect()).await.unwrap(), Applied::Done);
        let mut digests = Vec::new();
        for pair in stops.windows(2) {
            let one = between(&pair[0], &pair[1]).await;
            let moved = one.run(false, &mut Nobody).await.unwrap();
            assert!(one.is_begun().await.unwrap() && mark(&*store).await.unwrap().is_none());
            one.finish().await.unwrap();
            assert!(!one.is_begun().await.unwrap() && !moved.resumed);
            digests.extend(moved.kinds.into_iter().map(|kind| (kind.records, kind.digest)));
            let again = one.run(false, &mut Nobody).await;
            assert!(matches!(&again, Err(MigrationError::NotEmpty { kind, .. }) if kind == "expiring"), "{again:?}");
            assert!(one.run(true, &mut Nobody).await.unwrap().resumed, "what is whole is only compared");
        }
        assert!(digests.iter().all(|digest| *digest == digests[0] && digest.0 == 50), "{digests:?}");
    }

    /// What was written to either side meanwhile is told, each in its way.
    #[actix_rt::test]
    async fn what_is_on_one_side_only_is_a_difference_unless_it_ended() {
        in_time(Duration::from_millis(1500), one_ends_meanwhile).await;
    }

    async fn one_ends_meanwhile(short: Duration) -> Option<()> {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| StoreUrl::Sqlite(folder.path().join(name));
        let one = between(&file("a.db"), &file("b.db")).await;
        let insert = |id: &str, ttl| Op::Insert { key: Key::new("test", id), value: vec![], ttl, owners: vec![] };
        let store = async |url: &StoreUrl| ExpiringHolder::open(url, "unused").await.unwrap().store;
        let (source, target) = (store(&one.from).await, store(&one.to).await);
        let (long, life) = (Duration::from_secs(600), Life::of(short));
        assert_eq!(source.apply(vec![insert("a", long), insert("b", short)]).await.unwrap(), Applied::Done);
        let first = one.run(false, &mut Nobody).await;
        // It is still there on one side, as after a sweep of the other.
        assert_eq!(source.apply(vec![Op::Delete { key: Key::new("test", "b") }]).await.unwrap(), Applied::Done);
        let second = one.run(false, &mut Nobody).await;
        if !life.lasts() {
            return None;
        }
        assert_eq!(first.unwrap().kinds[0].records, 2);
        let told = second.unwrap_err().to_string();
        assert!(told.contains("expiring, only in the target: ") || told.contains("expiring, record "), "{told}");
        life.ends(Duration::ZERO).await;
        assert_eq!(one.run(false, &mut Nobody).await.unwrap().kinds[0].records, 1);
        assert_eq!(target.apply(vec![insert("c", long)]).await.unwrap(), Applied::Done);
        let told = one.run(false, &mut Nobody).await.unwrap_err().to_string();
        assert!(told.starts_with("not the same on both sides: expiring") && told.contains("begin again"), "{told}");
        Some(())
    }
}
