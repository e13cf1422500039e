//! Changing which key a user on a host accepts, without ever locking anybody out.

use std::time::Duration;

use p2ppool_model::{Cause, Step};

use crate::exec::exec_with;
use crate::{Deadlines, HostError, Target, Transport};

/// How long one change may take once the connection stands.
const CHANGE: Duration = Duration::from_secs(30);

/// What the script ends with when it refuses.
const REFUSED: u32 = 65;

/// `sh … MODE OLD NEW`.
const SCRIPT: &str = include_str!("../scripts/authorize.sh");

/// Adds `new` to the `authorized_keys` of the target's user, with the options that `old` has there.
/// Keys are lines of `authorized_keys`. Answers whether it was not there yet.
pub async fn authorize(
    transport: &dyn Transport,
    target: &Target,
    deadlines: &Deadlines,
    old: &str,
    new: &str,
) -> Result<bool, HostError> {
    change(transport, target, deadlines, "add", old, new).await
}

/// Takes `old` out of the `authorized_keys` of the target's user, if `new` is in it: to be asked by a
/// login with `new`, which proves that it works. Answers whether it was still there.
pub async fn withdraw(
    transport: &dyn Transport,
    target: &Target,
    deadlines: &Deadlines,
    old: &str,
    new: &str,
) -> Result<bool, HostError> {
    change(transport, target, deadlines, "remove", old, new).await
}

async fn change(
    transport: &dyn Transport,
    target: &Target,
    deadlines: &Deadlines,
    mode: &str,
    old: &str,
    new: &str,
) -> Result<bool, HostError> {
    let failed = |what: String| {
        let message = format!("{mode} a key in ~/.ssh/authorized_keys on {}: {what}", target.display());
        HostError::new(Cause::Other, Step::Configure, message)
    };
    let (old, new) = (bare(old).map_err(failed)?, bare(new).map_err(failed)?);
    let command = format!("exec sh -s {mode} '{old}' '{new}'");
    let done = exec_with(transport, target, &command, SCRIPT.as_bytes(), deadlines, CHANGE).await?;
    let said = done.stdout.text();
    match said.trim() {
        _ if done.exit == crate::Exit::Status(REFUSED) => Err(failed(done.stderr.text().trim().to_owned())),
        "changed" if done.is_success() => Ok(true),
        "unchanged" if done.is_success() => Ok(false),
        _ => Err(failed(format!("{}; it said `{}{}`", done.exit, said.trim(), done.stderr.text().trim()))),
    }
}

/// `algorithm base64` of a line; nothing else may come near a shell.
fn bare(line: &str) -> Result<String, String> {
    let key = crate::keys::read_public_key(line).map_err(|error| error.to_string())?;
    crate::keys::public_line(&key).map_err(|error| error.to_string())
}
