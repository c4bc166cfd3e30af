//! Why a process gave no result.

use std::io;
use std::time::Duration;

use crate::{Finished, Pid};

/// Why a process gave no result. Messages name the program and nothing that it wrote.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// A relative program would be looked for on some PATH.
    #[error("{program}: not started, since its path is not absolute")]
    NotAbsolute {
        /// The program's name.
        program: String,
    },
    /// The operating system did not start it.
    #[error("{program}: could not be started")]
    Start {
        /// The program's name.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was started, and then reading, writing or waiting failed: what became of it is not known.
    #[error("{program}: was started, but could not be followed")]
    Follow {
        /// The program's name.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It did not end in time, was interrupted, and has ended since.
    #[error("{program}: did not end within {limit:?} and was stopped")]
    TimedOut {
        /// The program's name.
        program: String,
        /// The limit.
        limit: Duration,
        /// How it ended, and what it wrote. An exit status of 0 here is no success.
        finished: Box<Finished>,
    },
    /// It did not end in time, ignored SIGINT, and was left running as the caller asked.
    #[error("{program}: did not end within {limit:?} and is still running as process {pid}")]
    LeftRunning {
        /// The program's name.
        program: String,
        /// The limit.
        limit: Duration,
        /// The process.
        pid: Pid,
    },
    /// The file for its output could not be opened.
    #[error("{program}: the file for its output could not be opened")]
    Output {
        /// The program's name.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The process could not leave the session it was started in.
    #[error("could not begin a session of our own")]
    Session {
        /// Why.
        #[source]
        source: io::Error,
    },
}
