//! Files and standard input, bounded.

use std::io::Read;
use std::path::Path;

use super::error::CliError;

/// Longest text that is read: a host list of the largest size.
const TEXT_MAX: u64 = 8 * 1024 * 1024;

/// The text of a file, or of standard input for `-`.
pub(super) fn read_text(path: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let result = if path == Path::new("-") {
        std::io::stdin().lock().take(TEXT_MAX + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(TEXT_MAX + 1).read_to_string(&mut text))
    };
    result.map_err(|error| CliError::file(path, error))?;
    if text.len() as u64 > TEXT_MAX {
        return Err(CliError::Other(format!("{}: longer than {TEXT_MAX} bytes", path.display())));
    }
    Ok(text)
}

/// Asks a person to type `word`; anything else is a no.
pub(super) fn confirm(question: &str, word: &str) -> Result<(), CliError> {
    eprint!("{question}\nType {word} to go on: ");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    if line.trim() == word {
        return Ok(());
    }
    Err(CliError::Other("nothing was done".to_owned()))
}
