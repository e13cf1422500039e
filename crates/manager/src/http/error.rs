//! The one place where an error becomes a status, and every error answer gets the same form.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::request_id::RequestId;
use crate::service::{Error, FieldError};

/// Longest text of a rejection by the framework that is repeated to the client, bytes.
const REJECTION_MAX: usize = 16 * 1024;

/// Form of every error answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorAnswer {
    /// What went wrong.
    pub error: Problem,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A word for programs, such as `not_found`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// JSON name of the (first) wrong field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Every wrong field, or every wrong line of a host list (`line`, `reason`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub details: Option<serde_json::Value>,
    /// Names this request in the manager's log.
    pub request_id: String,
}

impl Problem {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), field: None, details: None, request_id: String::new() }
    }
}

/// Carried beside an answer with status 500, for the log only.
#[derive(Clone)]
struct Cause(Arc<anyhow::Error>);

fn status_and_code(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        Error::WrongPassword => (StatusCode::UNAUTHORIZED, "wrong_password"),
        Error::NeedsSecondFactor => (StatusCode::UNAUTHORIZED, "needs_second_factor"),
        Error::WrongCode => (StatusCode::UNAUTHORIZED, "wrong_code"),
        Error::WrongToken => (StatusCode::UNAUTHORIZED, "wrong_token"),
        Error::Forbidden { .. } => (StatusCode::FORBIDDEN, "forbidden"),
        Error::Denied(_) => (StatusCode::FORBIDDEN, "forbidden"),
        Error::NoRule(_) => (StatusCode::INTERNAL_SERVER_ERROR, "no_rule"),
        Error::Csrf => (StatusCode::FORBIDDEN, "csrf"),
        Error::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        Error::ForeignHost(_) => (StatusCode::MISDIRECTED_REQUEST, "foreign_host"),
        Error::CrossSite => (StatusCode::FORBIDDEN, "cross_site"),
        Error::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, "throttled"),
        Error::NotFound { .. } | Error::Missing(_) => (StatusCode::NOT_FOUND, "not_found"),
        Error::Fields(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields"),
        Error::Hosts(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_hosts"),
        Error::Conflict { code, .. } => (StatusCode::CONFLICT, code),
        Error::TooLarge { .. } | Error::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        Error::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad_request"),
        Error::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = status_and_code(&self);
        let mut problem = Problem::new(code, self.to_string());
        let mut response = status.into_response();
        match self {
            Self::Fields(fields) => {
                problem.field = fields.first().map(|FieldError { field, .. }| field.clone());
                problem.details = serde_json::to_value(fields).ok();
            }
            Self::Hosts(lines) => {
                problem.field = Some("hosts".to_owned());
                problem.details = serde_json::to_value(lines).ok();
            }
            Self::Throttled(wait) | Self::TooMany(wait) => {
                let seconds = HeaderValue::from(wait.as_secs().max(1));
                response.headers_mut().insert(header::RETRY_AFTER, seconds);
            }
            Self::Busy => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Internal(cause) => {
                response.extensions_mut().insert(Cause(Arc::new(cause)));
            }
            _ => {}
        }
        response.extensions_mut().insert(problem);
        response
    }
}

/// What a handler that panicked answers.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    Error::Internal(anyhow::anyhow!("the handler panicked; the panic is above in the log")).into_response()
}

/// Middleware: writes the body of error answers, also of those that the framework made, and logs
/// what is our fault.
pub(crate) async fn write_errors(id: RequestId, request: Request, next: Next) -> Response {
    let for_api = request.uri().path().starts_with("/api/");
    let route = format!("{} {}", request.method(), without_secret(request.uri().path()));
    let mut response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    if let Some(Cause(cause)) = response.extensions_mut().remove::<Cause>() {
        tracing::error!(request.id = %id, "{route}: {cause:#}");
    }
    let problem = response.extensions_mut().remove::<Problem>();
    let (mut parts, body) = response.into_parts();
    let mut problem = match problem {
        Some(problem) => problem,
        None if for_api || status == StatusCode::MISDIRECTED_REQUEST => {
            Problem::new(framework_code(status), framework_text(status, body).await)
        }
        None => return Response::from_parts(parts, body),
    };
    problem.request_id = id.to_string();
    let kept: Vec<_> = [header::RETRY_AFTER, header::ALLOW, header::SET_COOKIE]
        .into_iter()
        .filter_map(|name| parts.headers.remove(&name).map(|value| (name, value)))
        .collect();
    let mut answer = (status, Json(ErrorAnswer { error: problem })).into_response();
    answer.headers_mut().extend(kept);
    answer
}

/// The path for the log: the secret of a share link stands in it.
fn without_secret(path: &str) -> &str {
    let share = ["/api/v1/share/", "/share/"].into_iter().find(|start| path.starts_with(start));
    share.unwrap_or(path)
}

fn framework_code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::REQUEST_TIMEOUT => "timeout",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        status if status.is_server_error() => "internal",
        _ => "bad_request",
    }
}

async fn framework_text(status: StatusCode, body: Body) -> String {
    let text = to_bytes(body, REJECTION_MAX).await.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    match text {
        Ok(text) if !text.trim().is_empty() => text,
        _ => status.canonical_reason().unwrap_or("the request failed").to_lowercase(),
    }
}
