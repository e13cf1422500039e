//! Bundles: uploaded software.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use p2ppool_model::bundle::Bundle;
use p2ppool_model::role::Role;
use tokio::io::AsyncWriteExt;

use crate::accounts::Viewer;
use crate::app::App;
use crate::bundles::BundlesError;
use crate::service::Error;

/// Longest file name, bytes.
const NAME_MAX: usize = 255;
/// Longest silence of an uploading client.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Longest upload as a whole.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(3_600);

/// Every bundle, newest first.
pub async fn list(app: &App) -> Result<Vec<Bundle>, Error> {
    Ok(app.store.bundles().await?)
}

/// Takes an archive of at most `limit` bytes, checks it and keeps it. What is refused leaves nothing behind.
pub async fn upload<E: std::fmt::Display>(
    app: &App,
    viewer: &Viewer,
    name: &str,
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    limit: u64,
) -> Result<Bundle, Error> {
    if !viewer.is_at_least(Role::Publisher) {
        return Err(Error::Forbidden { what: "uploading a bundle", needs: Role::Publisher, or_owner: false });
    }
    let right = !name.is_empty()
        && name.len() <= NAME_MAX
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control);
    if !right {
        return Err(Error::field("name", format!("must be a file name of 1 to {NAME_MAX} bytes")));
    }
    let _slot = app.uploads.try_acquire().map_err(|_| Error::Busy)?;
    let file = tempfile::NamedTempFile::new_in(app.folders.uploads()).map_err(Error::internal)?;
    let receive = receive(&file, body, limit);
    tokio::time::timeout(UPLOAD_DEADLINE, receive)
        .await
        .map_err(|_| Error::BadRequest("the upload took too long".into()))??;
    app.bundles.keep(file.path(), name).await.map_err(Error::from)
}

async fn receive<E: std::fmt::Display>(
    file: &tempfile::NamedTempFile,
    mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    limit: u64,
) -> Result<(), Error> {
    let mut out = tokio::fs::File::from_std(file.reopen().map_err(Error::internal)?);
    let mut size = 0_u64;
    loop {
        let silence = |_| Error::BadRequest(format!("nothing arrived for {} s", SILENCE_MAX.as_secs()));
        let Some(part) = tokio::time::timeout(SILENCE_MAX, body.next()).await.map_err(silence)? else { break };
        let part = part.map_err(|error| Error::BadRequest(format!("the upload broke off: {error}")))?;
        size += part.len() as u64;
        if size > limit {
            return Err(Error::TooLarge { what: "the bundle", limit });
        }
        out.write_all(&part).await.map_err(Error::internal)?;
    }
    out.flush().await.map_err(Error::internal)
}

impl From<BundlesError> for Error {
    fn from(error: BundlesError) -> Self {
        match error {
            BundlesError::Refused { .. } | BundlesError::NoKind(_) => Self::field("bundle", error.to_string()),
            BundlesError::Store(error) => error.into(),
            error => Self::internal(error),
        }
    }
}
