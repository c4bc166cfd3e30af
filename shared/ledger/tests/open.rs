//! Opening the ledger.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use common::Bed;
use runcord_ledger::{Ledger, LedgerError};

#[test]
fn an_installation_is_named_once() {
    let bed = Bed::bare();
    assert_eq!(bed.ledger.installation(), format!("ins_{}", "07".repeat(16)));
    assert_eq!(bed.again().installation(), bed.ledger.installation());
}

#[test]
fn many_may_open_a_new_ledger_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let names = std::thread::scope(|scope| {
        let threads: Vec<_> = (0u8..8)
            .map(|n| {
                scope.spawn({
                    let state = &state;
                    move || Ledger::open(state, [n; 16])
                })
            })
            .collect();
        let opened = threads.into_iter().map(|thread| thread.join().unwrap().unwrap());
        opened.map(|ledger| ledger.installation().to_owned()).collect::<std::collections::BTreeSet<_>>()
    });
    assert_eq!(names.len(), 1);
}

#[test]
fn files_are_closed_to_others() {
    let bed = Bed::new();
    bed.begun(1, &[]);
    let state = bed.dir.path().join("state");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&state), mode(&state.join("runs"))), (0o700, 0o700));
    let entries = [&state, &state.join("runs")].map(|dir| std::fs::read_dir(dir).unwrap());
    let files: Vec<_> = entries
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    assert!(files.len() >= 4, "{files:?}");
    for path in files {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_directory_open_to_others_is_refused() {
    let bed = Bed::bare();
    let state = bed.dir.path().join("state");
    set_permissions(&state, Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(Ledger::open(&state, [0; 16]).unwrap_err(), LedgerError::Exposed));
}

#[test]
fn a_newer_schema_is_refused() {
    let bed = Bed::bare();
    bed.database().pragma_update(None, "user_version", 2).unwrap();
    let state = bed.dir.path().join("state");
    let error = Ledger::open(&state, [0; 16]).unwrap_err();
    assert!(matches!(error, LedgerError::Newer { found: 2, known: 1 }), "{error}");
}

#[test]
fn a_database_that_is_none_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    drop(Ledger::open(&state, [0; 16]).unwrap());
    std::fs::write(state.join("ledger.db"), vec![b'x'; 8192]).unwrap();
    assert!(Ledger::open(&state, [0; 16]).is_err());
}

#[test]
fn what_is_written_is_noticed_whoever_wrote_it() {
    let bed = Bed::bare();
    let write = |ledger: &Ledger| {
        ledger.record(runcord_model::RecordKind::Denial, serde_json::json!({}), &common::at(1)).unwrap();
    };
    let before = bed.ledger.writing().unwrap();
    bed.ledger.records(0, 1).unwrap();
    assert_eq!(bed.ledger.writing().unwrap(), before, "nothing was written");
    write(&bed.again());
    let between = bed.ledger.writing().unwrap();
    assert_ne!(between, before, "by another process");
    write(&bed.ledger);
    assert_ne!(bed.ledger.writing().unwrap(), between, "by this one");
}
