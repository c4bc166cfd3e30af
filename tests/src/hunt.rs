//! The hunt for secrets through everything that is kept.

use std::path::Path;

use anyhow::Result;

/// Every file below a folder that holds one of these texts, with the text.
///
/// # Errors
///
/// The folder cannot be read.
pub fn files_with(folder: &Path, texts: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_with(&path, texts)?);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let holds = |text: &String| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            found.extend(
                texts.iter().filter(|text| holds(text)).map(|text| format!("{text} in {}", path.display())),
            );
        }
    }
    Ok(found)
}
