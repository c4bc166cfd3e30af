//! Writing files so that nobody ever sees half of one.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::failure::Failure;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Its owner alone: 0600.
    Owner,
    /// Everybody: 0644.
    Everybody,
}

/// Makes a folder that is its owner's alone (0700), with those above it; one that is there is left as it is.
pub(crate) fn private_folder(path: &Path) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| unwritable(path, e))
}

/// Writes a new file; one that is there is never written over.
pub(crate) fn write_new(path: &Path, text: &str, readers: Readers) -> Result<(), Failure> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    };
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|e| unwritable(path, e))
}

/// Replaces a file as a whole, through a new one beside it.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut new =
        tempfile::Builder::new().prefix(".runcord-").tempfile_in(folder).map_err(|e| unwritable(path, e))?;
    let written = new.write_all(text.as_bytes()).and_then(|()| new.as_file().sync_all());
    written.map_err(|e| unwritable(path, e))?;
    if let Ok(old) = std::fs::metadata(path) {
        std::fs::set_permissions(new.path(), old.permissions()).map_err(|e| unwritable(path, e))?;
    }
    new.persist(path).map(|_| ()).map_err(|e| unwritable(path, e.error))
}

/// Reads a file that a person named.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::surroundings(format!("cannot read {}", path.display()), "check the path and its permissions")
            .because(error)
    })
}

fn unwritable(path: &Path, error: std::io::Error) -> Failure {
    let help = if error.kind() == std::io::ErrorKind::AlreadyExists {
        "nothing is written over: name another file, or move the one that is there away"
    } else {
        "check that its folder exists and may be written to"
    };
    Failure::surroundings(format!("cannot write {}", path.display()), help).because(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_there_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        write_new(&file, "one", Readers::Owner).unwrap();
        let refused = write_new(&file, "two", Readers::Owner).unwrap_err();
        let help = miette::Diagnostic::help(&refused).unwrap().to_string();
        assert!(help.contains("move the one that is there away"), "{help}");
        assert_eq!(read(&file).unwrap(), "one");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        replace(&file, "three").unwrap();
        assert_eq!(read(&file).unwrap(), "three");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
