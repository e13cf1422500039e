//! Request bodies, query strings and paths: read within limits, errors name the field.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::service::Error;

/// Largest JSON body, bytes.
pub const JSON_MAX: usize = 1024 * 1024;
/// Largest host list, bytes: the most hosts with long lines.
pub const HOST_LIST_MAX: usize = 8 * 1024 * 1024;
/// Largest bundle, bytes.
pub const BUNDLE_MAX: u64 = 512 * 1024 * 1024;
/// Largest private key file, bytes.
pub const KEY_MAX: usize = 64 * 1024;

/// A JSON body. An empty one counts as `{}`.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let is_json = is_json(request.headers());
        let bytes = read(request, state).await?;
        if bytes.is_empty() {
            return parse(b"{}").map(Self);
        }
        if !is_json {
            return Err(Error::BadRequest("the body must be JSON, with `Content-Type: application/json`".to_owned()));
        }
        parse(&bytes).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

/// A text body in UTF-8.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let bytes = read(request, state).await?;
        let text = String::from_utf8(bytes.into())
            .map_err(|error| Error::BadRequest(format!("the text is not UTF-8: {}", error.utf8_error())))?;
        Ok(Self(text))
    }
}

/// The limit is the route's `DefaultBodyLimit`.
async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            Error::BodyTooLarge
        } else {
            Error::BadRequest(rejection.body_text())
        }
    })
}

/// Parses a JSON object; a value that does not fit is an error on its field.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // serde would take an array for an object without names.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Error::field("body", "must be an object, not an array"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        if error.inner().is_data() {
            wrong_field(&error.path().to_string(), &error.inner().to_string())
        } else {
            Error::BadRequest(format!("the body is not JSON: {}", error.inner()))
        }
    })?;
    json.end().map_err(|error| Error::BadRequest(format!("the body is not JSON: {error}")))?;
    Ok(value)
}

/// Like [`parse`], for a value that was taken apart before.
pub(crate) fn parse_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| wrong_field(&error.path().to_string(), &error.inner().to_string()))
}

fn wrong_field(path: &str, reason: &str) -> Error {
    // serde names a missing or unknown field only in its sentence: missing field `name` at line …
    let named = ["missing field `", "unknown field `"].iter().find_map(|start| {
        let rest = reason.strip_prefix(start)?;
        rest.split_once('`').map(|(field, _)| field)
    });
    let path = path.trim_matches('.');
    let field = match (named, path) {
        (Some(named), "" | "?") => named.to_owned(),
        (Some(named), path) if path == named || path.ends_with(&format!(".{named}")) => path.to_owned(),
        (Some(named), path) => format!("{path}.{named}"),
        (None, "") => "body".to_owned(),
        (None, path) => path.to_owned(),
    };
    let reason = reason.split(" at line ").next().unwrap_or(reason);
    // Types that know their field say so themselves: `name: … is not …`.
    let reason = reason.strip_prefix(&format!("{field}: ")).unwrap_or(reason);
    Error::field(field, reason)
}

/// The query string.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let pairs = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(
            parts.uri.query().unwrap_or_default().as_bytes(),
        ));
        serde_path_to_error::deserialize(pairs)
            .map(Self)
            .map_err(|error| wrong_field(&error.path().to_string(), &error.inner().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use p2ppool_model::pool::PoolSettings;

    use super::*;

    fn field_of(json: &str) -> (String, String) {
        match parse::<PoolSettings>(json.as_bytes()) {
            Err(Error::Fields(fields)) => (fields[0].field.clone(), fields[0].reason.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_wrong_field_is_named_with_its_path() {
        assert_eq!(field_of(r#"{"ports":{"tcp":70000,"udp":1,"rpc":2}}"#).0, "ports.tcp");
        assert_eq!(field_of(r#"{"ports":{"tcp":7}}"#).0, "ports.rpc");
        assert_eq!(field_of(r#"{"prots":{}}"#).0, "prots");
        assert_eq!(field_of(r#"{"kind":"chord"}"#).0, "kind");
        assert_eq!(field_of("[]").0, "body");
    }

    #[test]
    fn what_is_no_json_is_a_bad_request() {
        assert!(matches!(parse::<PoolSettings>(b"{"), Err(Error::BadRequest(_))));
        assert!(matches!(parse::<PoolSettings>(b"{} x"), Err(Error::BadRequest(_))));
    }
}
