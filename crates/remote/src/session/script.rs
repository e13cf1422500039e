//! The host script and how it is started.

/// The program that runs on hosts. It is sent with each session, so nothing of ours has to be
/// there before, and a host never runs an old one.
pub const HOST_SCRIPT: &str = include_str!("../../scripts/host.sh");

/// The line for the login shell. It becomes a shell that reads the script from its standard input
/// and runs it, so that start-up files run once; the script itself isn't an argument, because some
/// servers take no long command (dropbear: 9,000 bytes) and csh takes no line breaks in a word.
pub(crate) fn serve_command(script: &str, install_path: &str) -> String {
    let read_and_run = format!("s=$(head -c {}) && eval \"$s\"", script.len());
    format!("exec sh -c {} p2ppool-host serve {}", quote(&read_and_run), quote(install_path))
}

/// How many bytes of script such a command reads before the first request.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn script_bytes(command: &str) -> usize {
    let after = command.split_once("head -c ").map_or("", |(_, rest)| rest);
    after.split(')').next().and_then(|number| number.parse().ok()).unwrap_or(0)
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
    fn the_command_is_short_and_names_the_length_of_the_script() {
        let command = serve_command(HOST_SCRIPT, "/it's/here");
        assert!(command.len() < 200 && !command.contains('\n'), "{command}");
        assert_eq!(script_bytes(&command), HOST_SCRIPT.len());
        // it is written before anything is read: the smallest pipe on the way has to hold it
        assert!(HOST_SCRIPT.len() < 64 * 1024);
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
