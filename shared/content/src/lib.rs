//! Folders that are named by their content, and files on disk handled with care: for every server whose tool runs with files.
//!
//! Nothing here waits for anything but the disk, and nothing knows of a run time: callers that must not be held up call it
//! from a thread of their own.

pub mod disk;
