//! The host script and how it is started.

/// The program that runs on hosts. It is sent with each session, so nothing of ours has to be
/// there before, and a host never runs an old one.
pub const HOST_SCRIPT: &str = include_str!("../../scripts/host.sh");

/// What is sent before the script: bash reads what it runs byte by byte, so it takes the script as a whole.
const BY_BASH: &str = "case ${BASH_VERSION-} in ?*) s=$(head -c \"$3\") && eval \"$s\"; exit ;; esac\n";

/// The line for the login shell. It becomes a shell that runs what it reads from its standard
/// input, so that start-up files run once; the script itself isn't an argument, because some
/// servers take no long command (dropbear: 9,000 bytes) and csh takes no line breaks in a word.
/// The last word is the number of bytes of the script.
pub(crate) fn serve_command(script: &str, install_path: &str) -> String {
    format!("exec sh -s serve {} {}", quote(install_path), script.len())
}

/// What has to be sent to such a command before the first request. Shells read ahead, so nothing
/// more may be sent before the script's hello; its last line must not leave anything to be read.
pub(crate) fn sent_script(script: &str) -> Vec<u8> {
    // a last line without its end would never be run
    let end = if script.ends_with('\n') { "" } else { "\n" };
    [BY_BASH, script, end].concat().into_bytes()
}

/// How many bytes such a command reads before the first request.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn script_bytes(command: &str) -> usize {
    let number = command.rsplit(' ').next().and_then(|number| number.parse::<usize>().ok());
    number.map_or(0, |script| BY_BASH.len() + script)
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
        let sent = sent_script(HOST_SCRIPT);
        assert_eq!(script_bytes(&command), sent.len());
        // it is written before anything is read: the smallest pipe on the way has to hold it
        assert!(sent.len() < 64 * 1024);
    }

    #[test]
    fn every_shell_runs_what_is_sent_and_loses_no_request() {
        use std::io::{BufRead, BufReader, Write};
        use std::process::{Command, Stdio};

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it's here");
        let command = serve_command(HOST_SCRIPT, path.to_str().unwrap());
        for shell in ["dash", "bash", "bash --posix", "busybox sh"] {
            let mut child = Command::new("sh")
                .args(["-c", &command.replace("exec sh ", &format!("exec {shell} "))])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            let mut lines = BufReader::new(stdout).lines();
            stdin.write_all(&sent_script(HOST_SCRIPT)).unwrap();
            assert!(lines.next().unwrap().unwrap().starts_with("{\"hello\":"), "{shell}");
            stdin.write_all(b"'status'\n'usage'\n'bye'\n").unwrap();
            let answers: Vec<String> = lines.map(Result::unwrap).collect();
            assert_eq!(answers.len(), 2, "{shell}: {answers:?}");
            assert!(answers[0].starts_with("{\"step\":\"status\",\"ok\":true"), "{shell}: {answers:?}");
            assert!(answers[1].starts_with("{\"step\":\"usage\",\"ok\":true"), "{shell}: {answers:?}");
            assert!(child.wait().unwrap().success(), "{shell}");
        }
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
