//! Bodies of type `multipart/form-data` (REQ-06 to REQ-08), read whole: files are for media, which this version lacks.

use std::str;

use actix_multipart::{Field, Multipart};
use actix_web::HttpRequest;
use actix_web::web::Bytes;
use bson::Bson;
use futures_util::{StreamExt as _, stream};

use super::payload::{Fields, PayloadError};
use crate::domain::Settings;
use crate::domain::convert::{JsonTextError, parse_counted, parse_json};

/// The fields of a form, which are texts, or JSON if the domain says so.
pub async fn read(request: &HttpRequest, body: Bytes, settings: &Settings) -> Result<Fields, PayloadError> {
    let mut parts = Multipart::new(request.headers(), stream::iter([Ok(body)]));
    let mut fields = Fields::new(settings.auto_collapse_multi_keys);
    while let Some(part) = parts.next().await {
        let part = match part {
            Ok(part) => part,
            // Of what is no form at all, nothing was supplied.
            Err(_) if fields.members.is_empty() => return Err(PayloadError::EmptyMultipart),
            Err(error) => return Err(PayloadError::Multipart(error.to_string())),
        };
        let disposition = part.content_disposition();
        let name = disposition.and_then(|disposition| disposition.get_name()).unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(PayloadError::Multipart("a part has no name".to_owned()));
        }
        if disposition.is_some_and(|it| it.get_filename().is_some() || it.get_filename_ext().is_some()) {
            return Err(PayloadError::File(name));
        }
        let text = text(part).await?;
        let value = match settings.multipart_form_fields_as_json {
            true => json(&name, text, &mut fields.left)?,
            false => Bson::String(text),
        };
        fields.add(name, value)?;
    }
    fields.filled().ok_or(PayloadError::EmptyMultipart)
}

async fn text(mut part: Field) -> Result<String, PayloadError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| PayloadError::Multipart(error.to_string()))?);
    }
    String::from_utf8(bytes).map_err(|_| PayloadError::Form)
}

/// REQ-08: as JSON, or else as the inside of a JSON string. `left`: how many values it may bring.
fn json(name: &str, text: String, left: &mut usize) -> Result<Bson, PayloadError> {
    match parse_counted(text.as_bytes(), left) {
        Err(JsonTextError::Syntax(_)) => {}
        parsed => return Ok(parsed?),
    }
    let quoted = format!("\"{text}\"");
    parse_json(quoted.as_bytes()).map_err(|_| PayloadError::FieldNotJson(name.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bson::bson;

    use super::*;

    /// REQ-08.
    #[test]
    fn a_field_is_json_or_the_inside_of_a_json_string() {
        let read = |text: &str| super::json("a", text.to_owned(), &mut 100);
        assert_eq!(read("\"abc\"").unwrap(), bson!("abc"));
        assert_eq!(read("abc").unwrap(), bson!("abc"));
        assert_eq!(read("[1, {\"b\": null}]").unwrap(), bson!([1, { "b": null }]));
        assert_eq!(read("").unwrap(), bson!(""));
        assert_eq!(read("a\\u00e4").unwrap(), bson!("aä"));
        assert_eq!(read("a\"b"), Err(PayloadError::FieldNotJson("a".to_owned())));
        assert_eq!(read(&format!("[{}0]", "0,".repeat(200))), Err(PayloadError::TooManyValues));
    }
}
