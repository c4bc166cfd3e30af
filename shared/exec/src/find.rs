//! Finding a program.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The absolute path of the first executable file called `name` on our PATH. Relative folders on it are
/// passed over: what they hold depends on where we happen to be.
pub fn find_program(name: &str) -> Option<PathBuf> {
    find_on(&std::env::var_os("PATH")?, name)
}

pub(crate) fn find_on(path: &std::ffi::OsStr, name: &str) -> Option<PathBuf> {
    if name.is_empty() || name.contains('/') {
        return None;
    }
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
