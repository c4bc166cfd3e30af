//! Opening the ledger: the directory, the database, its version.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use rustix::fs::{FlockOperation, flock};

use crate::{Ledger, LedgerError};

/// The schema's version. A newer one is refused, an older one migrated (there is none yet).
const SCHEMA: i64 = 1;

/// 3.51.3 mended the WAL-reset bug, which corrupts exactly what several processes share.
const SQLITE_AT_LEAST: i32 = 3_051_003;

impl Ledger {
    /// Opens the ledger in `dir`, and makes both where they are missing. `entropy` comes from the system's random
    /// source and names the installation when the ledger is made; it is not used otherwise.
    ///
    /// # Errors
    /// When the directory is open to others or on a network file system, when the database was written by a newer
    /// Runcord, and when anything cannot be read or written.
    pub fn open(dir: &Path, entropy: [u8; 16]) -> Result<Self, LedgerError> {
        if rusqlite::version_number() < SQLITE_AT_LEAST {
            return Err(LedgerError::OldSqlite);
        }
        directory(dir)?;
        directory(&dir.join("runs"))?;
        on_local_disk(dir)?;
        let lock = private_file(&dir.join("ledger.lock"), "lock file")?;
        // Held until the schema stands: switching to WAL and migrating are not for two at once.
        flock(&lock, FlockOperation::LockExclusive).map_err(|e| file("lock file", e.into()))?;
        let database = dir.join("ledger.db");
        // Made here and not by SQLite, which would leave it as open as the umask says.
        drop(private_file(&database, "database")?);
        let mut connection = Connection::open(&database)?;
        configure(&connection)?;
        let installation = migrate(&mut connection, entropy)?;
        Ok(Self::new(connection, dir, installation))
    }
}

fn configure(connection: &Connection) -> Result<(), LedgerError> {
    connection.busy_timeout(Duration::from_secs(5))?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(LedgerError::NetworkFileSystem);
    }
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")?;
    Ok(())
}

fn migrate(connection: &mut Connection, entropy: [u8; 16]) -> Result<String, LedgerError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > SCHEMA {
        return Err(LedgerError::Newer { found, known: SCHEMA });
    }
    if found == 0 {
        tx.execute_batch(include_str!("schema.sql"))?;
        let hex: String = entropy.iter().map(|b| format!("{b:02x}")).collect();
        tx.execute("INSERT INTO installation (id, name) VALUES (1, ?1)", [format!("ins_{hex}")])?;
        tx.pragma_update(None, "user_version", SCHEMA)?;
    }
    let name = installation(&tx)?;
    tx.commit()?;
    Ok(name)
}

fn installation(tx: &Transaction<'_>) -> Result<String, LedgerError> {
    let name = tx.query_row("SELECT name FROM installation", [], |row| row.get(0)).optional()?;
    name.ok_or(LedgerError::Corrupt { what: "installation" })
}

/// Makes the directory, closed to others, or checks that it is so.
fn directory(dir: &Path) -> Result<(), LedgerError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| file("directory", e))?;
    let meta = fs::metadata(dir).map_err(|e| file("directory", e))?;
    let ours = meta.uid() == rustix::process::geteuid().as_raw();
    if ours && meta.mode() & 0o077 == 0 { Ok(()) } else { Err(LedgerError::Exposed) }
}

/// Opens the file for reading and writing, made closed to others where it is missing.
pub(crate) fn private_file(path: &Path, what: &'static str) -> Result<File, LedgerError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(|e| file(what, e))
}

pub(crate) fn file(what: &'static str, source: std::io::Error) -> LedgerError {
    LedgerError::File { what, source }
}

#[cfg(target_os = "linux")]
fn on_local_disk(dir: &Path) -> Result<(), LedgerError> {
    let stat = rustix::fs::statfs(dir).map_err(|e| file("directory", e.into()))?;
    // The kernel's numbers are 32 bits, and the field is wider and signed on some machines.
    let magic = u32::try_from(i128::from(stat.f_type) & 0xffff_ffff).unwrap_or(0);
    if is_network(magic) { Err(LedgerError::NetworkFileSystem) } else { Ok(()) }
}

#[cfg(target_os = "linux")]
fn is_network(magic: u32) -> bool {
    NETWORK.contains(&magic)
}

/// Superblock magics of `linux/magic.h` and the kernel's file systems: NFS, SMB, CIFS, SMB2, AFS (two), Coda, NCP,
/// 9P, Ceph, GFS2, OCFS2, Lustre, and FUSE, behind which anything may be.
#[cfg(target_os = "linux")]
const NETWORK: [u32; 14] = [
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x5346_414f,
    0x6b41_4653,
    0x7375_7245,
    0x564c,
    0x0102_1997,
    0x00c3_6400,
    0x0116_1970,
    0x7461_636f,
    0x0bd0_0bd0,
    0x6573_5546,
];

#[cfg(target_os = "macos")]
fn on_local_disk(dir: &Path) -> Result<(), LedgerError> {
    /// `MNT_LOCAL` of `sys/mount.h`.
    const LOCAL: u32 = 0x1000;
    let stat = rustix::fs::statfs(dir).map_err(|e| file("directory", e.into()))?;
    if stat.f_flags & LOCAL != 0 { Ok(()) } else { Err(LedgerError::NetworkFileSystem) }
}

/// Elsewhere it cannot be told, so it is refused.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn on_local_disk(_: &Path) -> Result<(), LedgerError> {
    Err(LedgerError::NetworkFileSystem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_is_written_before_an_answer_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let connection = Connection::open(dir.path().join("x.db")).unwrap();
        configure(&connection).unwrap();
        let pragma =
            |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        assert_eq!(pragma("synchronous").unwrap(), 2, "FULL");
        assert_eq!(pragma("foreign_keys").unwrap(), 1);
        assert_eq!(pragma("busy_timeout").unwrap(), 5000);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn network_file_systems_are_refused() {
        // NFS and FUSE against ext4 and tmpfs.
        assert!(is_network(0x6969) && is_network(0x6573_5546));
        assert!(!is_network(0xef53) && !is_network(0x0102_1994));
        assert!(on_local_disk(Path::new("/proc")).is_ok());
    }
}
