//! Uploaded bundles: what is known of them. Their bytes lie in the manager's folder.

use p2ppool_model::bundle::Bundle;
use p2ppool_model::{Digest, Time};

use crate::Store;
use crate::db::{execute, on};
use crate::error::{Result, StoreError, Tried as _, referenced};
use crate::text::{clean, clean_opt, from_json, int, parse, to_json, uint};

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT digest, name, kind, size, program, version, arch, files, created FROM bundles ", $rest)
    };
}

#[derive(sqlx::FromRow)]
struct Row {
    digest: String,
    name: String,
    kind: String,
    size: i64,
    program: String,
    version: Option<String>,
    arch: Option<String>,
    files: String,
    created: i64,
}

impl Row {
    fn bundle(self) -> Result<Bundle> {
        let what = |field| format!("{field} of bundle {}", self.digest);
        Ok(Bundle {
            kind: parse(&what("kind"), &self.kind)?,
            files: from_json(&what("files"), &self.files)?,
            digest: parse("digest of a bundle", &self.digest)?,
            name: self.name,
            size: uint(self.size),
            program: self.program,
            version: self.version,
            arch: self.arch,
            created: Time(self.created),
        })
    }
}

impl Store {
    /// Stores what is known of a bundle. The same bytes again are the same bundle: the one that is
    /// stored already is answered, with its name and date.
    pub async fn put_bundle(&self, bundle: &Bundle) -> Result<Bundle> {
        let files = to_json("files of a bundle", &bundle.files)?;
        let mut tx = self.db.begin().await?;
        execute!(
            tx.conn(),
            "INSERT INTO bundles (digest, name, kind, size, program, version, arch, files, created)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (digest) DO NOTHING",
            bundle.digest.as_str(),
            clean(&bundle.name),
            bundle.kind.as_str(),
            int(bundle.size),
            clean(&bundle.program),
            clean_opt(bundle.version.as_deref()),
            clean_opt(bundle.arch.as_deref()),
            &files,
            bundle.created.0,
        )
        .tried("store a bundle")?;
        tx.commit().await?;
        self.bundle(&bundle.digest).await
    }

    /// The bundle with this digest.
    pub async fn bundle(&self, digest: &Digest) -> Result<Bundle> {
        let row: Option<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(select!("WHERE digest = $1")).bind(digest.as_str()).fetch_optional(conn).await
        })
        .tried("read a bundle")?;
        row.ok_or_else(|| no_bundle(digest))?.bundle()
    }

    /// Every bundle, newest first.
    pub async fn bundles(&self) -> Result<Vec<Bundle>> {
        let rows: Vec<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(select!("ORDER BY created DESC, digest")).fetch_all(conn).await
        })
        .tried("list bundles")?;
        rows.into_iter().map(Row::bundle).collect()
    }

    /// Forgets a bundle. [`StoreError::Conflict`] while a pool runs it.
    pub async fn delete_bundle(&self, digest: &Digest) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let deleted = execute!(tx.conn(), "DELETE FROM bundles WHERE digest = $1", digest.as_str());
        let gone = match referenced(deleted, "delete a bundle", String::new) {
            Err(StoreError::NotFound { .. }) => {
                return Err(StoreError::conflict(format!("bundle {} is used by a pool", digest.short())));
            }
            other => other?,
        };
        if gone == 0 {
            return Err(no_bundle(digest));
        }
        tx.commit().await
    }
}

fn no_bundle(digest: &Digest) -> StoreError {
    StoreError::not_found(format!("bundle {}", digest.short()))
}
