//! Files in the database, in parts, for managers that share nothing else.

use p2ppool_model::Time;

use crate::Store;
use crate::db::{execute, on, write_one};
use crate::error::{Result, StoreError, Tried as _};
use crate::text::{clean, containing, int, uint};

/// Bytes per part: one row, and what is held in memory of a file.
pub const FILE_PART_BYTES: usize = 1 << 20;
/// Largest file, in parts.
const FILE_PARTS_MAX: u32 = 4_096;

/// A file that is kept in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its path, `/` between parts.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Time,
}

impl Store {
    /// Begins a file that is not to be seen until [`Store::finish_file`]: its parts go under this name.
    pub async fn begin_file(&self, part_name: &str) -> Result<()> {
        let mut tx = self.db.begin().await?;
        execute!(tx.conn(), "DELETE FROM files WHERE path = $1", clean(part_name)).tried("begin a file")?;
        let now = tx.now().await?;
        execute!(tx.conn(), "INSERT INTO files (path, size, modified) VALUES ($1, -1, $2)", clean(part_name), now.0)
            .tried("begin a file")?;
        tx.commit().await
    }

    /// Adds the next part, at most [`FILE_PART_BYTES`].
    pub async fn add_file_part(&self, part_name: &str, number: u32, bytes: &[u8]) -> Result<()> {
        if number >= FILE_PARTS_MAX {
            return Err(StoreError::conflict(format!(
                "the file is larger than {} bytes",
                u64::from(FILE_PARTS_MAX) * FILE_PART_BYTES as u64
            )));
        }
        write_one!(
            self.db,
            "write a part of a file",
            "INSERT INTO file_parts (path, number, bytes) VALUES ($1, $2, $3)",
            clean(part_name),
            i64::from(number),
            bytes,
        );
        Ok(())
    }

    /// The file is whole: it takes the place of one that is there.
    pub async fn finish_file(&self, part_name: &str, path: &str, size: u64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        execute!(tx.conn(), "DELETE FROM files WHERE path = $1", clean(path)).tried("finish a file")?;
        let now = tx.now().await?;
        execute!(
            tx.conn(),
            "INSERT INTO files (path, size, modified) VALUES ($1, $2, $3)",
            clean(path),
            int(size),
            now.0
        )
        .tried("finish a file")?;
        execute!(tx.conn(), "UPDATE file_parts SET path = $1 WHERE path = $2", clean(path), clean(part_name))
            .tried("finish a file")?;
        execute!(tx.conn(), "DELETE FROM files WHERE path = $1", clean(part_name)).tried("finish a file")?;
        tx.commit().await
    }

    /// What is known of a file.
    pub async fn stored_file(&self, path: &str) -> Result<Option<StoredFile>> {
        let row: Option<(String, i64, i64)> = on!(self.db.read(), conn => {
            sqlx::query_as("SELECT path, size, modified FROM files WHERE path = $1 AND size >= 0")
                .bind(clean(path))
                .fetch_optional(conn)
                .await
        })
        .tried("look for a file")?;
        Ok(row.map(|(path, size, modified)| StoredFile { path, size: uint(size), modified: Time(modified) }))
    }

    /// A part of a file; `None` after the last one.
    pub async fn file_part(&self, path: &str, number: u32) -> Result<Option<Vec<u8>>> {
        on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT bytes FROM file_parts WHERE path = $1 AND number = $2")
                .bind(clean(path))
                .bind(i64::from(number))
                .fetch_optional(conn)
                .await
        })
        .tried("read a part of a file")
    }

    /// Files whose path begins like this, by path.
    pub async fn stored_files(&self, prefix: &str, most: u32) -> Result<Vec<StoredFile>> {
        // the pattern finds the text anywhere; the beginning is looked at here
        let rows: Vec<(String, i64, i64)> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT path, size, modified FROM files
                 WHERE size >= 0 AND lower(path) LIKE $1 ESCAPE '!' ORDER BY path LIMIT $2",
            )
            .bind(containing(prefix))
            .bind(i64::from(most))
            .fetch_all(conn)
            .await
        })
        .tried("list files")?;
        let file = |(path, size, modified): (String, i64, i64)| StoredFile {
            path,
            size: uint(size),
            modified: Time(modified),
        };
        Ok(rows.into_iter().map(file).filter(|file| file.path.starts_with(prefix)).collect())
    }

    /// Deletes a file. Fine when there is none.
    pub async fn delete_stored_file(&self, path: &str) -> Result<()> {
        write_one!(self.db, "delete a file", "DELETE FROM files WHERE path = $1", clean(path));
        Ok(())
    }
}
