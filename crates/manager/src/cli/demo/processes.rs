//! What of the demo still runs on this machine.

use std::path::Path;

/// Processes (pid and command line) that name something under `folder`, this one excluded.
pub(super) fn under(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy();
    let own = std::process::id().to_string();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()) && *pid != own)
        .filter_map(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(&*folder).then(|| format!("{pid} {}", line.chars().take(200).collect::<String>()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each takes some milliseconds.
    const LOOKS_MAX: usize = 1000;

    #[test]
    fn a_process_under_the_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert!(under(folder.path()).is_empty());
        let mut child = std::process::Command::new("sleep").arg0_path(folder.path()).spawn().unwrap();
        // the kernel shows the new command line a moment after the child has begun
        let mut looks = std::iter::repeat_with(|| under(folder.path())).take(LOOKS_MAX);
        let found = looks.find(|found| !found.is_empty()).unwrap_or_default();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
    }

    trait Arg0 {
        fn arg0_path(&mut self, folder: &Path) -> &mut Self;
    }

    impl Arg0 for std::process::Command {
        fn arg0_path(&mut self, folder: &Path) -> &mut Self {
            use std::os::unix::process::CommandExt;
            self.arg0(folder.join("node")).arg("60")
        }
    }
}
