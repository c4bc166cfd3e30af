//! Configurations on disk, and what becomes of them there.

use std::os::unix::fs::symlink;

use super::*;

const MAIN: &str = "live/net/main.tf";
const SCRIPT: &str = "live/net/run.sh";

struct Bed {
    dir: tempfile::TempDir,
    store: Store,
}

impl Bed {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("stored"));
        Self { dir, store }
    }

    fn beside(&self) -> PathBuf {
        self.dir.path().join("beside")
    }

    fn names(&self) -> usize {
        fs::read_dir(self.dir.path().join("stored")).unwrap().count()
    }
}

fn tree(text: &str) -> Tree {
    let mut tree = Tree::default();
    tree.put(MAIN, Runs::No, text.into()).unwrap();
    tree.put(SCRIPT, Runs::Yes, b"#!/bin/sh\n".to_vec()).unwrap();
    tree.put("modules/vpc/main.tf", Runs::No, b"# a vpc\n".to_vec()).unwrap();
    tree
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_is_stored_is_read_only_its_owners_alone_and_comes_back() {
    let bed = Bed::new();
    let digest = bed.store.store(&tree("# main\n")).unwrap();
    assert_eq!(digest, tree("# main\n").digest());
    assert_eq!(bed.store.open(&digest).unwrap(), tree("# main\n"));
    let at = bed.store.place(&digest);
    for folder in ["", "live", "live/net", "modules", "modules/vpc", SCRIPT] {
        assert_eq!(mode(&at.join(folder)), 0o500, "{folder}");
    }
    assert_eq!((mode(&at.join(MAIN)), mode(at.parent().unwrap())), (0o400, 0o700));
    assert_eq!(bed.store.store(&tree("# main\n")).unwrap(), digest, "it is there already");
    assert_eq!(bed.names(), 1, "nothing unfinished stays");
}

#[test]
fn of_several_that_store_at_once_one_stays() {
    let bed = Bed::new();
    let many = |_| {
        let store = bed.store.clone();
        std::thread::spawn(move || store.store(&tree("# main\n")).unwrap())
    };
    for thread in (0..8).map(many).collect::<Vec<_>>() {
        assert_eq!(thread.join().unwrap(), tree("# main\n").digest());
    }
    assert_eq!(bed.names(), 1, "nothing unfinished stays");
}

#[test]
fn what_was_changed_is_not_used() {
    type Change = fn(&Path);
    fn write(path: &Path, text: &str) {
        let mode = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, mode).unwrap();
    }
    /// Something new in a folder, whose own mode stays.
    fn within(folder: &Path, make: impl Fn(&Path)) {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        make(folder);
        fs::set_permissions(folder, fs::Permissions::from_mode(0o500)).unwrap();
    }
    fn sealed(path: &Path) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o400)).unwrap();
    }
    let changes: [(&str, Change); 11] = [
        ("a byte", |at| write(&at.join(SCRIPT), "#!/bin/zz\n")),
        ("another mode", |at| {
            fs::set_permissions(at.join(SCRIPT), fs::Permissions::from_mode(0o400)).unwrap();
        }),
        ("others may read it", |at| {
            fs::set_permissions(at.join(MAIN), fs::Permissions::from_mode(0o444)).unwrap();
        }),
        ("others may write to it", |at| fs::set_permissions(at, fs::Permissions::from_mode(0o770)).unwrap()),
        ("a file more", |at| {
            within(&at.join("live/net"), |dir| {
                fs::write(dir.join("z.tf"), "").unwrap();
                sealed(&dir.join("z.tf"));
            });
        }),
        ("a file that would be left out of a working tree", |at| {
            within(&at.join("live/net"), |dir| {
                fs::write(dir.join("terraform.tfstate"), "").unwrap();
                sealed(&dir.join("terraform.tfstate"));
            });
        }),
        ("an empty folder more", |at| {
            within(&at.join("live/net"), |dir| {
                fs::create_dir(dir.join(".terraform")).unwrap();
                fs::set_permissions(dir.join(".terraform"), fs::Permissions::from_mode(0o500)).unwrap();
            });
        }),
        ("a link", |at| {
            within(&at.join("live/net"), |dir| symlink("/etc/passwd", dir.join("a.tf")).unwrap())
        }),
        ("a link to what it was", |at| {
            within(&at.join("live/net"), |dir| {
                fs::rename(dir.join("main.tf"), at.parent().unwrap().join("was.tf")).unwrap();
                symlink(at.parent().unwrap().join("was.tf"), dir.join("main.tf")).unwrap();
            });
        }),
        ("a file that has another name too", |at| {
            fs::hard_link(at.join(MAIN), at.parent().unwrap().join("same.tf")).unwrap();
        }),
        ("a file less", |at| {
            within(&at.join("live/net"), |dir| fs::remove_file(dir.join("main.tf")).unwrap())
        }),
    ];
    for (what, change) in changes {
        let bed = Bed::new();
        let digest = bed.store.store(&tree("# main\n")).unwrap();
        change(&bed.store.place(&digest));
        assert!(matches!(bed.store.open(&digest), Err(ContentError::Tampered)), "{what}");
        assert!(matches!(bed.store.store(&tree("# main\n")), Err(ContentError::Tampered)), "{what}");
    }
}

#[test]
fn a_link_in_its_place_is_not_used() {
    let bed = Bed::new();
    let digest = bed.store.store(&tree("# main\n")).unwrap();
    let (place, moved) = (bed.store.place(&digest), bed.dir.path().join("moved"));
    disk::set_mode(&place, 0o700).unwrap();
    fs::rename(&place, &moved).unwrap();
    disk::set_mode(&moved, 0o500).unwrap();
    symlink(&moved, &place).unwrap();
    assert!(matches!(bed.store.open(&digest), Err(ContentError::Tampered)));
    fs::remove_file(&place).unwrap();
    assert!(matches!(bed.store.open(&digest), Err(ContentError::NotStored)));
}

#[test]
fn what_nobody_asked_for_is_swept_away_with_what_is_beside_it() {
    let bed = Bed::new();
    let (used, unused) =
        (bed.store.store(&tree("# used\n")).unwrap(), bed.store.store(&tree("# unused\n")).unwrap());
    for digest in [&used, &unused] {
        fs::create_dir_all(bed.beside().join(disk::hex(digest))).unwrap();
    }
    // What a process left behind that ended while it wrote.
    let unfinished = disk::unfinished(&bed.dir.path().join("stored")).unwrap();
    fs::create_dir(&unfinished).unwrap();
    let sweep = |in_use: &BTreeSet<Digest>, now| {
        bed.store.sweep(in_use, now).unwrap();
        bed.store.sweep_beside(&bed.beside(), in_use, now).unwrap();
    };
    let (in_use, later) =
        (BTreeSet::from([used.clone()]), SystemTime::now() + KEPT + Duration::from_secs(60));
    sweep(&in_use, SystemTime::now());
    assert!(bed.store.place(&unused).exists() && unfinished.exists(), "it was asked for just now");
    sweep(&in_use, later);
    assert!(bed.store.place(&used).exists() && bed.beside().join(disk::hex(&used)).exists());
    assert!(!bed.store.place(&unused).exists() && !bed.beside().join(disk::hex(&unused)).exists());
    assert!(!unfinished.exists());
    // A tool applies in it.
    let inside = bed.store.place(&used).join("live/net");
    disk::set_mode(&inside, 0o700).unwrap();
    sweep(&BTreeSet::new(), later);
    assert!(inside.exists());
    disk::set_mode(&inside, 0o500).unwrap();
    sweep(&BTreeSet::new(), later);
    assert!(!inside.exists());
}
