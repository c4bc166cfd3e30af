//! Where this server keeps its files, below the state folder: nobody else's, and each made once.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runcord_content::{Scrap, Scraps, disk, forget};
use serde::{Deserialize, Serialize};

use crate::act::RunBatch;
use crate::names::LookId;

/// How long is known what a run did, and with it its way back.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// More than the record of any batch has.
const RECORD_BYTES: u64 = 64 << 20;
/// More than Ansible says within our bounds.
const EVENT_BYTES: u64 = 512 << 20;

/// The folders.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    folder: PathBuf,
    scraps: Scraps,
}

/// What is written before a batch begins. It stays, so that no batch begins twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// When, in seconds since 1970.
    pub(crate) began: i64,
    pub(crate) act: RunBatch,
}

/// The new files for what Ansible says of one batch.
#[derive(Debug)]
pub(crate) struct Outputs {
    pub(crate) events: PathBuf,
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
}

/// A batch that was begun, with what Ansible has said of it so far.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) record: Record,
    pub(crate) events: Vec<u8>,
}

impl Desk {
    /// Makes what is not there yet.
    pub(crate) fn make(folder: &Path) -> io::Result<Self> {
        for name in ["", "home", "temporary", "batches", "modules"] {
            disk::private_folder(&folder.join(name))?;
        }
        let scraps = Scraps::make(folder.join("scraps"))?;
        forget(&folder.join("batches"), KEPT)?;
        Ok(Self { folder: folder.to_owned(), scraps })
    }

    /// A home in which nobody has left anything.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Ansible's temporary files, and the sockets of its connections.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.folder.join("temporary")
    }

    /// Where the contents are.
    pub(crate) fn contents(&self) -> PathBuf {
        self.folder.join("contents")
    }

    /// A temporary file. Secrets may be in it.
    pub(crate) fn scrap(&self, ending: &str) -> Scrap {
        self.scraps.scrap(ending)
    }

    /// A temporary file with this in it, which only its owner may read.
    pub(crate) fn written(&self, ending: &str, bytes: &[u8]) -> io::Result<Scrap> {
        let scrap = self.scrap(ending);
        create(scrap.path())?.write_all(bytes)?;
        Ok(scrap)
    }

    /// Makes it known for good that a batch begins. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`]: it was begun before, by whomever. Or the folder cannot be written.
    pub(crate) fn begin(&self, record: &Record) -> io::Result<Outputs> {
        let folder = self.folder.join("batches");
        let name = format!("{}-{}", record.act.look, record.act.number);
        let (unfinished, mut file) = disk::fresh(&folder)?;
        // Its name comes last, and only where nobody has it: half a record would say that the batch was begun, and not how.
        let written = file
            .write_all(&serde_json::to_vec(record)?)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::hard_link(&unfinished, folder.join(format!("{name}{RECORD}"))));
        let removed = fs::remove_file(&unfinished);
        written.and(removed)?;
        disk::sync_folder(&folder)?;
        Ok(Outputs {
            events: folder.join(format!("{name}{EVENTS}")),
            stdout: folder.join(format!("{name}.stdout.log")),
            stderr: folder.join(format!("{name}.stderr.log")),
        })
    }

    /// The batches of a look that were begun, by number.
    ///
    /// # Errors
    /// The folder or a record in it cannot be read: what was begun is not known then.
    pub(crate) fn begun(&self, look: &LookId) -> io::Result<BTreeMap<u32, Begun>> {
        let folder = self.folder.join("batches");
        let mut begun = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let Some(name) = name.strip_suffix(RECORD).filter(|name| name.starts_with(look.as_str())) else {
                continue;
            };
            let record: Record =
                serde_json::from_slice(&read(&folder.join(format!("{name}{RECORD}")), RECORD_BYTES)?)?;
            let events = match read(&folder.join(format!("{name}{EVENTS}")), EVENT_BYTES) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                read => read?,
            };
            begun.insert(record.act.number, Begun { record, events });
        }
        Ok(begun)
    }

    /// What modules say of themselves, as it was kept under this name.
    pub(crate) fn modules(&self, name: &str) -> Option<Vec<u8>> {
        read(&self.folder.join("modules").join(name), RECORD_BYTES).ok()
    }

    /// Keeps that. Where it cannot be kept it is asked for again.
    pub(crate) fn keep_modules(&self, name: &str, said: &[u8]) {
        if let Err(error) = disk::replace(&self.folder.join("modules"), name, said) {
            tracing::warn!(%error, "what modules say of themselves cannot be kept");
        }
    }
}

/// How the names of records and of files of events end.
const RECORD: &str = ".json";
const EVENTS: &str = ".events.jsonl";

fn create(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let bytes = disk::open_path(path).and_then(|file| disk::read(file, most))?;
    bytes.ok_or_else(|| io::Error::other("a file of ours is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act;

    #[test]
    fn a_batch_begins_once_whoever_asks() {
        let dir = tempfile::tempdir().unwrap();
        let desk = Desk::make(&dir.path().join("ansible")).unwrap();
        let record = Record { began: 7, act: act::sample(&["web1"], 1, 2) };
        let look = record.act.look.clone();
        assert!(desk.begun(&look).unwrap().is_empty());
        let outputs = desk.begin(&record).unwrap();
        let again = Desk::make(&dir.path().join("ansible")).unwrap().begin(&record).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        let names: Vec<_> = fs::read_dir(dir.path().join("ansible/batches")).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing unfinished stays: {names:?}");
        let begun = desk.begun(&look).unwrap();
        assert_eq!((begun.len(), &begun[&1].record, begun[&1].events.as_slice()), (1, &record, &b""[..]));
        fs::write(outputs.events, "x").unwrap();
        assert_eq!(desk.begun(&look).unwrap()[&1].events, b"x");
        assert!(desk.begun(&"0".repeat(32).parse().unwrap()).unwrap().is_empty(), "another look");
    }

    #[test]
    fn what_was_begun_is_not_known_where_a_record_cannot_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let desk = Desk::make(&dir.path().join("ansible")).unwrap();
        let record = Record { began: 7, act: act::sample(&["web1"], 1, 1) };
        desk.begin(&record).unwrap();
        fs::write(dir.path().join("ansible/batches").join(format!("{}-1.json", record.act.look)), "{")
            .unwrap();
        assert!(desk.begun(&record.act.look).is_err());
    }
}
