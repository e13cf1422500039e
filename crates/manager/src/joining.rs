//! What a manager makes sure of when it joins a database: that it can open the others' secrets, and that
//! nodes know all managers by one identity.

use anyhow::{Context as _, bail};
use p2ppool_model::Time;
use p2ppool_overlay::libp2p::Identity;
use p2ppool_store::{SecretScope, Store};

use crate::folders::{Folders, write_private};
use crate::secrets::{KEY_FILE_ENV, Secrets};

/// What every manager of a database must be able to open.
const KEY_CHECK: &str = "key_check";
/// The identity by which nodes know the managers of a database.
const OPERATOR_KEY: &str = "operator_key";

/// Joins the managers of a database, or refuses.
///
/// # Errors
/// When this manager's key file is not the others', or the database can't be asked.
pub async fn join(folders: &Folders, secrets: &Secrets, store: &Store) -> anyhow::Result<()> {
    check_key(secrets, store).await?;
    if store.is_shared() {
        share_identity(folders, secrets, store).await?;
    }
    Ok(())
}

/// The first manager seals a word; all others must be able to open it.
async fn check_key(secrets: &Secrets, store: &Store) -> anyhow::Result<()> {
    let Err(error) = kept_once(secrets, store, KEY_CHECK, b"p2ppool").await? else { return Ok(()) };
    bail!(
        "the secrets in this database were sealed with another key than that of {}: {error}. \
         Give this manager a copy of the others' key file, and say where it is by {KEY_FILE_ENV}",
        secrets.path().display()
    )
}

/// One identity for all: packages name it, so each manager would else make packages of its own.
async fn share_identity(folders: &Folders, secrets: &Secrets, store: &Store) -> anyhow::Result<()> {
    let path = folders.operator_key();
    Identity::load_or_create(&path)?;
    let ours = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let shared = kept_once(secrets, store, OPERATOR_KEY, &ours).await??;
    if shared != ours {
        write_private(&path, &shared).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Keeps a secret of all managers, unless there is one; answers the one that is there then.
async fn kept_once(
    secrets: &Secrets,
    store: &Store,
    name: &str,
    plain: &[u8],
) -> anyhow::Result<Result<Vec<u8>, crate::secrets::SecretsError>> {
    let place = format!("{}/{name}", SecretScope::Manager);
    let sealed = secrets.seal(&place, plain)?;
    let stored = store.put_secret_once(SecretScope::Manager, name, &sealed, Time::now()).await?;
    Ok(secrets.open(&place, &stored).map(|plain| plain.to_vec()))
}
