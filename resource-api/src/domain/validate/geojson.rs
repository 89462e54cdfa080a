//! The shapes of GeoJSON, as loosely as Eve checks them (VAL-38).

use bson::Bson;

/// Whether a value is an object of this kind.
pub fn is(kind: &str, value: &Bson, custom: bool) -> bool {
    let Bson::Document(object) = value else { return false };
    let Some(written) = object.get("type") else { return false };
    if !custom && object.len() != 2 {
        return false;
    }
    let members = |name: &str| object.get(name).and_then(Bson::as_array);
    let all = |name: &str, test: &dyn Fn(&Bson) -> bool| members(name).is_some_and(|items| items.iter().all(test));
    let geometry = |value: &Bson| {
        let kind = value.as_document().and_then(|inner| inner.get_str("type").ok());
        kind.is_some_and(|kind| GEOMETRIES.contains(&kind) && is(kind, value, custom))
    };
    match kind {
        // Only a point's own name is compared.
        "Point" => written.as_str() == Some(kind) && object.get("coordinates").is_some_and(is_position),
        "MultiPoint" | "LineString" => all("coordinates", &is_position),
        "Polygon" | "MultiLineString" => all("coordinates", &|line| every(line, &is_position)),
        "MultiPolygon" => all("coordinates", &|polygon| every(polygon, &|line| every(line, &is_position))),
        "GeometryCollection" => all("geometries", &geometry),
        "Feature" => object.get("geometry").is_some_and(geometry),
        "FeatureCollection" => all("features", &|feature| is("Feature", feature, custom)),
        _ => false,
    }
}

const GEOMETRIES: [&str; 7] =
    ["GeometryCollection", "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"];

fn every(value: &Bson, test: &dyn Fn(&Bson) -> bool) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(test))
}

fn is_position(value: &Bson) -> bool {
    let number = |value: &Bson| matches!(value, Bson::Double(_) | Bson::Int32(_) | Bson::Int64(_) | Bson::Boolean(_));
    value.as_array().is_some_and(|items| items.len() > 1 && items.iter().all(number))
}
