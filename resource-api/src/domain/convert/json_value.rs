//! Reading JSON straight into BSON's values: integers as small as they fit (DB-03), beyond 64 bits as doubles.

use std::fmt;
use std::marker::PhantomData;

use bson::{Bson, Document};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::integer;

/// What an object of JSON stands for.
pub trait Objects {
    /// The value that these members make.
    fn read<'de, A: MapAccess<'de>>(members: A) -> Result<Bson, A::Error>;
}

/// A value as it is read.
pub struct JsonValue<O> {
    pub value: Bson,
    objects: PhantomData<O>,
}

/// Every object is a document; no Extended JSON is looked for. The last of equal names counts.
pub struct Documents;

impl Objects for Documents {
    fn read<'de, A: MapAccess<'de>>(mut members: A) -> Result<Bson, A::Error> {
        let mut document = Document::new();
        while let Some((name, read)) = members.next_entry::<String, JsonValue<Self>>()? {
            document.insert(name, read.value);
        }
        Ok(Bson::Document(document))
    }
}

impl<'de, O: Objects> Deserialize<'de> for JsonValue<O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(ValueVisitor::<O>(PhantomData))?;
        Ok(Self { value, objects: PhantomData })
    }
}

struct ValueVisitor<O>(PhantomData<O>);

impl<'de, O: Objects> Visitor<'de> for ValueVisitor<O> {
    type Value = Bson;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Bson, E> {
        Ok(Bson::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Bson, E> {
        Ok(Bson::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Bson, E> {
        Ok(integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Bson, E> {
        Ok(i64::try_from(value).map_or(Bson::Double(value as f64), integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Bson, E> {
        Ok(Bson::Double(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Bson, E> {
        Ok(Bson::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Bson, E> {
        Ok(Bson::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bson, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element::<JsonValue<O>>()? {
            array.push(item.value);
        }
        Ok(Bson::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Bson, A::Error> {
        O::read(members)
    }
}
