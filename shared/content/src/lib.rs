//! Configurations: all that a tool runs with, in one read-only folder that is named by its digest. What was planned with is
//! what is applied with, whatever happens to the working tree meanwhile.
//!
//! The files are read once, into memory, without following a link ([`read_all`], [`read_folders`]: a [`Tree`]); they are
//! written beside their place and renamed, and read back and compared with their digest whenever they are used ([`Store`]).
//! Which names belong to a configuration each server says itself ([`Names`]). The program and its libraries, which stay where
//! they are, are compared by digest too ([`Binaries`]). Underneath is [`disk`], for all other files that a server keeps.
//!
//! Nothing here waits for anything but the disk, and nothing knows of a run time: callers that must not be held up call it
//! from a thread of their own.

mod binaries;
mod error;
mod rules;
mod scraps;
mod store;
mod tree;
mod walk;

pub mod disk;

pub use binaries::Binaries;
pub use error::ContentError;
pub use rules::{DEPTH, FILE_BYTES, FILES, Names, Rule, TREE_BYTES, Verdict};
pub use scraps::{Scrap, Scraps, forget};
pub use store::{KEPT, Store};
pub use tree::{Entry, Runs, Tree};
pub use walk::{read_all, read_file, read_folders};
