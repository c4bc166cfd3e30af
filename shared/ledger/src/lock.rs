//! The lock on a run: whoever holds it is its worker.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};

use runcord_model::RunId;
use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use crate::open::{file, private_file};
use crate::{Ledger, LedgerError};

/// The operating system's lock on one run, held until this is dropped, or until every process that inherited it is
/// gone. A free lock, never an elapsed lease, lets another worker take the run up.
#[derive(Debug)]
pub struct RunLock {
    run: RunId,
    file: File,
    /// The epoch of this lock's claim; 0 before it.
    epoch: AtomicU64,
}

impl Ledger {
    /// The lock on the run; `None` while somebody else has it.
    pub fn lock_run(&self, run: &RunId) -> Result<Option<RunLock>, LedgerError> {
        let lock = private_file(&self.runs_dir().join(format!("{run}.lock")), "run lock")?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(RunLock { run: run.clone(), file: lock, epoch: AtomicU64::new(0) })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(file("run lock", error.into())),
        }
    }
}

impl RunLock {
    /// The run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Lets the processes that this one starts from now on inherit the lock: it is free only once they are gone too.
    /// For a worker; a server that looks for runs to take up must not, or a child of its own would hold them.
    pub fn let_children_inherit(&self) -> Result<(), LedgerError> {
        fcntl_setfd(&self.file, FdFlags::empty()).map_err(|e| file("run lock", e.into()))
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    pub(crate) fn claimed(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::SeqCst);
    }
}
