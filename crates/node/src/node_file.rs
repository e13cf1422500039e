//! `node.json` in the data folder: one line that says that this node runs, and where.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const NAME: &str = "node.json";

/// What a running node tells about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFile {
    /// Its process.
    pub pid: u32,
    /// Its overlay address.
    pub peer_id: String,
    /// Its version.
    pub version: String,
    /// Its namespace.
    pub namespace: String,
    /// Package that it was started from.
    #[serde(default)]
    pub package: Option<String>,
    /// Addresses that it listens on.
    pub listen: Vec<String>,
    /// Where its control port is.
    pub rpc: String,
}

impl NodeFile {
    /// Writes it into `data`, whole or not at all.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        let part = data.join(format!(".{NAME}.{}", self.pid));
        let mut line = serde_json::to_string(self)?;
        line.push('\n');
        fs::write(&part, line)?;
        fs::rename(&part, path(data))
    }

    /// The file of the node that runs, or ran until it was killed, in `data`.
    pub fn read(data: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path(data))?)?)
    }

    /// Removes it, when it is this process's.
    pub fn remove(&self, data: &Path) {
        if Self::read(data).is_ok_and(|found| found.pid == self.pid)
            && let Err(error) = fs::remove_file(path(data))
        {
            tracing::warn!(path = %path(data).display(), %error, "node file not removed");
        }
    }
}

/// Where it lies.
pub fn path(data: &Path) -> PathBuf {
    data.join(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(pid: u32) -> NodeFile {
        NodeFile {
            pid,
            peer_id: "12D3".into(),
            version: "0.1.0".into(),
            namespace: "demo".into(),
            package: None,
            listen: vec![],
            rpc: "127.0.0.1:4651".into(),
        }
    }

    #[test]
    fn it_begins_with_the_pid_and_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        file(7).write(folder.path()).unwrap();
        let text = fs::read_to_string(path(folder.path())).unwrap();
        assert!(text.starts_with("{\"pid\":7,") && text.ends_with("}\n") && text.lines().count() == 1, "{text}");
        assert_eq!(NodeFile::read(folder.path()).unwrap(), file(7));
    }

    #[test]
    fn the_file_of_another_node_stays() {
        let folder = tempfile::tempdir().unwrap();
        file(7).write(folder.path()).unwrap();
        file(8).remove(folder.path());
        assert!(path(folder.path()).exists());
        file(7).remove(folder.path());
        assert!(!path(folder.path()).exists());
    }
}
