//! The host script and how it is started.

/// The program that runs on hosts. It is sent with each session, so nothing of ours has to be
/// there before, and a host never runs an old one.
pub const HOST_SCRIPT: &str = include_str!("../../scripts/host.sh");

/// Linux takes no single argument longer than this (`MAX_ARG_STRLEN`), bytes.
#[cfg(test)]
const ARGUMENT_MAX: usize = 128 * 1024;

/// The line for the login shell: it becomes the script, so that start-up files run once.
pub(crate) fn serve_command(script: &str, install_path: &str) -> String {
    format!("exec sh -c {} p2ppool-host serve {}", quote(script), quote(install_path))
}

/// A request line: shell words that the script reads back by `eval "set -- $line"`.
pub(crate) fn request_line(step: &str, words: &[String]) -> String {
    let mut line = quote(step);
    for word in words {
        line.push(' ');
        line.push_str(&quote(word));
    }
    line.push('\n');
    line
}

/// One shell word. Line breaks would end a request early and can't be part of any argument.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_fits_into_one_argument() {
        let command = serve_command(HOST_SCRIPT, &"/long".repeat(200));
        assert!(command.len() < ARGUMENT_MAX, "{} bytes", command.len());
    }

    #[test]
    fn a_shell_reads_every_word_back() {
        for word in ["", "plain", "two words", "it's", "$HOME `id` \\ \"q\" *", "'", "--"] {
            let line = request_line("step", &[word.to_owned()]);
            let out = std::process::Command::new("sh")
                .args(["-c", "eval \"set -- $1\"; printf %s \"$2\"", "sh", line.trim_end()])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&out.stdout), word);
        }
    }
}
