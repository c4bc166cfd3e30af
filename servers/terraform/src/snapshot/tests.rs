//! Configurations of real files, and of commits of a real repository.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::modules::Modules;

/// A folder of root modules, and a state folder.
struct Bed {
    root: tempfile::TempDir,
    state: tempfile::TempDir,
}

const MAIN: &str = "live/net/main.tf";
const SCRIPT: &str = "live/net/run.sh";

impl Bed {
    fn new() -> Self {
        let bed = Self { root: tempfile::tempdir().unwrap(), state: tempfile::tempdir().unwrap() };
        bed.write(MAIN, "module \"vpc\" { source = \"../../modules/vpc\" }\n");
        bed.write(SCRIPT, "#!/bin/sh\n");
        bed.chmod(SCRIPT, 0o755);
        bed.write("modules/vpc/main.tf", "# a vpc\n");
        bed.write("elsewhere/main.tf", "# another root module\n");
        bed
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn store(&self) -> Store {
        Store::new(self.state.path())
    }

    fn root(&self) -> Root {
        Root::open(self.root.path()).unwrap()
    }

    async fn from(&self, source: &Source) -> Result<Configuration, Refusal> {
        self.store().assemble(&self.root(), &module(), source, &BTreeMap::new()).await
    }

    async fn assemble(&self) -> Configuration {
        self.from(&Source::WorkingTree).await.unwrap()
    }

    /// The refusal, which shows nothing of this machine.
    async fn refused(&self, source: &Source) -> Refusal {
        let refusal = self.from(source).await.unwrap_err();
        let told = serde_json::to_string(&refusal).unwrap();
        for ours in [self.root.path(), self.state.path()] {
            assert!(!told.contains(ours.to_str().unwrap()), "{told}");
        }
        refusal
    }

    fn git(&self, arguments: &[&str]) -> String {
        let told = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(self.root.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(told.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self) -> Source {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", "a commit"]);
        Source::Commit(self.git(&["rev-parse", "HEAD"]).parse().unwrap())
    }
}

fn module() -> Module {
    let text = "modules:\n  net:\n    directory: live/net\n    with: [modules/vpc]\n    workspaces: [default]\n    \
                backend: {type: local, config: {path: net.tfstate}}\n    variables:\n      zone: {value: a}\n      \
                region: {}\n      size: {value: 3, pool: {minimum: 1, maximum: 5}}\n";
    let modules = Modules::parse("modules.yaml", text).unwrap().modules;
    modules.into_values().next().unwrap()
}

fn set(name: &str, size: i64) -> BTreeMap<VariableName, i64> {
    BTreeMap::from([(name.parse().unwrap(), size)])
}

/// All that is in a folder: by relative path, with its mode.
fn listing(folder: &Path) -> BTreeMap<String, u32> {
    fn gather(top: &Path, folder: &Path, found: &mut BTreeMap<String, u32>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            found.insert(name, meta.permissions().mode() & 0o7777);
            if meta.is_dir() {
                gather(top, &path, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    gather(folder, folder, &mut found);
    found
}

/// The folder of a configuration that holds all of its files.
fn whole(bed: &Bed, configuration: &Configuration) -> PathBuf {
    bed.state.path().join("terraform/configurations").join(disk::hex(&configuration.digest))
}

fn json_at(path: PathBuf) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_configuration_is_the_declared_folders_and_two_files_of_ours() {
    let bed = Bed::new();
    for left_out in [".terraform/x", "terraform.tfstate", "terraform.tfstate.d/blue/terraform.tfstate"] {
        bed.write(&format!("live/net/{left_out}"), "x");
    }
    symlink("/etc", bed.at("live/net/.terraform/providers")).unwrap();
    let made = bed.assemble().await;
    assert_eq!(
        listing(&whole(&bed, &made)),
        BTreeMap::from([
            ("live".to_owned(), 0o500),
            ("live/net".to_owned(), 0o500),
            (MAIN.to_owned(), 0o400),
            (SCRIPT.to_owned(), 0o500),
            ("live/net/runcord.auto.tfvars.json".to_owned(), 0o400),
            ("live/net/runcord_override.tf.json".to_owned(), 0o400),
            ("modules".to_owned(), 0o500),
            ("modules/vpc".to_owned(), 0o500),
            ("modules/vpc/main.tf".to_owned(), 0o400),
        ])
    );
    assert_eq!(made.directory, whole(&bed, &made).join("live/net"));
    let values = json_at(made.directory.join("runcord.auto.tfvars.json"));
    assert_eq!(values, json!({"zone": "a", "size": 3}));
    let state = bed.root().path().join("net.tfstate");
    assert_eq!(
        json_at(made.directory.join("runcord_override.tf.json")),
        json!({"terraform": {"backend": {"local": {"path": state}}}})
    );
    assert_eq!(bed.store().open(&made.digest, &module()).await.unwrap(), made);
}

#[tokio::test]
async fn nothing_of_it_is_readable_by_others() {
    let bed = Bed::new();
    bed.assemble().await;
    let found = listing(&bed.state.path().join("terraform"));
    assert!(found.len() > 10);
    assert!(found.values().all(|mode| mode & 0o077 == 0), "{found:?}");
}

#[tokio::test]
async fn the_same_files_are_the_same_configuration_and_others_another() {
    let bed = Bed::new();
    let first = bed.assemble().await;
    bed.write("elsewhere/main.tf", "# changed\n");
    assert_eq!(bed.assemble().await, first, "that is no part of it");
    let mut seen = BTreeSet::from([first.digest]);
    let mut another = async |bed: &Bed, why: &str| {
        assert!(seen.insert(bed.assemble().await.digest), "{why}");
    };
    bed.chmod(SCRIPT, 0o644);
    another(&bed, "a script that cannot be run").await;
    bed.write(SCRIPT, "#!/bin/sh\nrm -r /\n");
    another(&bed, "a changed script").await;
    bed.write("modules/vpc/main.tf", "# changed\n");
    another(&bed, "a changed module").await;
    bed.write("live/net/more.tf", "");
    another(&bed, "an empty file more").await;
    let (root, size) = (bed.root(), set("size", 4));
    let set = bed.store().assemble(&root, &module(), &Source::WorkingTree, &size).await.unwrap();
    assert!(seen.insert(set.digest.clone()), "a set value");
    assert_eq!(json_at(set.directory.join("runcord.auto.tfvars.json"))["size"], 4);
    let mut elsewhere = module();
    elsewhere.backend.config.insert("path".to_owned(), json!("other.tfstate"));
    let moved = bed.store().assemble(&root, &elsewhere, &Source::WorkingTree, &size).await.unwrap();
    assert!(seen.insert(moved.digest), "another backend");
}

#[tokio::test]
async fn only_a_pool_is_set_and_only_within_its_bounds() {
    let bed = Bed::new();
    for bad in [set("size", 0), set("size", 6), set("region", 3), set("nothing", 3)] {
        let refusal =
            bed.store().assemble(&bed.root(), &module(), &Source::WorkingTree, &bad).await.unwrap_err();
        assert_eq!(refusal.code, runcord_model::refusal::Code::InvalidParams, "{bad:?}");
    }
}

#[tokio::test]
async fn what_the_digest_could_not_cover_is_refused_by_name() {
    type Make = fn(&Bed);
    let cases: [(&str, &str, Make); 9] = [
        ("live/net/link.tf", "link", |bed| symlink("/etc/passwd", bed.at("live/net/link.tf")).unwrap()),
        ("live/net/sub", "link", |bed| symlink(bed.at("elsewhere"), bed.at("live/net/sub")).unwrap()),
        ("live/net/pipe", "neither a file", |bed| {
            rustix::fs::mkfifoat(rustix::fs::CWD, bed.at("live/net/pipe"), rustix::fs::Mode::RWXU).unwrap();
        }),
        ("live/net/socket", "neither a file", |bed| {
            drop(std::os::unix::net::UnixListener::bind(bed.at("live/net/socket")).unwrap());
        }),
        ("live/net/large", "4 MB", |bed| {
            fs::File::create(bed.at("live/net/large")).unwrap().set_len((4 << 20) + 1).unwrap();
        }),
        ("live/net/a\\nb", "plain relative path", |bed| bed.write("live/net/a\nb", "")),
        ("live/net/z.auto.tfvars", "values", |bed| bed.write("live/net/z.auto.tfvars", "")),
        ("live/net/z_override.tf", "override", |bed| bed.write("live/net/z_override.tf", "")),
        ("modules/vpc", "no such folder", |bed| fs::remove_dir_all(bed.at("modules/vpc")).unwrap()),
    ];
    for (path, says, make) in cases {
        let bed = Bed::new();
        make(&bed);
        let refusal = bed.refused(&Source::WorkingTree).await;
        assert!(refusal.message.contains(says), "{path}: {refusal:?}");
        let shown = runcord_model::text::visible(path, 256);
        assert!(refusal.details["path"] == shown || path.contains("\\n"), "{path}: {refusal:?}");
        assert!(!bed.state.path().join("terraform/configurations").exists(), "nothing is stored");
    }
}

#[tokio::test]
async fn a_declared_folder_is_not_reached_over_a_link() {
    let bed = Bed::new();
    fs::rename(bed.at("modules"), bed.at("moved")).unwrap();
    symlink("moved", bed.at("modules")).unwrap();
    let refusal = bed.refused(&Source::WorkingTree).await;
    assert!(refusal.message.contains("link"), "{refusal:?}");
}

#[tokio::test]
async fn a_stored_configuration_that_was_changed_is_not_used() {
    let bed = Bed::new();
    let made = bed.assemble().await;
    let script = whole(&bed, &made).join(SCRIPT);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o400)).unwrap();
    let opened = bed.store().open(&made.digest, &module()).await.unwrap_err();
    assert!(opened.message.contains("not what it was"), "{opened:?}");
    assert_eq!(bed.refused(&Source::WorkingTree).await.message, opened.message);
    assert_eq!(bed.refused(&Source::Earlier(made.digest)).await.message, opened.message);
}

#[tokio::test]
async fn a_link_in_the_place_of_a_configuration_is_not_one() {
    let bed = Bed::new();
    let made = bed.assemble().await;
    let (place, moved) = (whole(&bed, &made), bed.state.path().join("moved"));
    fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).unwrap();
    fs::rename(&place, &moved).unwrap();
    fs::set_permissions(&moved, fs::Permissions::from_mode(0o500)).unwrap();
    symlink(&moved, &place).unwrap();
    assert!(bed.store().open(&made.digest, &module()).await.is_err());
    fs::remove_file(&place).unwrap();
    let gone = bed.store().open(&made.digest, &module()).await.unwrap_err();
    assert!(gone.message.contains("no such stored"), "{gone:?}");
}

/// Set for the second process of the test below.
const SECOND: &str = "RUNCORD_TEST_ASSEMBLES_IN";

#[tokio::test]
async fn two_processes_that_assemble_at_once_make_one_configuration() {
    if let Some(folders) = std::env::var_os(SECOND) {
        let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
        let (root, store) = (Root::open(&folders[0]).unwrap(), Store::new(&folders[1]));
        let (module, nothing) = (module(), BTreeMap::new());
        let made = store.assemble(&root, &module, &Source::WorkingTree, &nothing).await.unwrap();
        println!("made {}", made.digest);
        return;
    }
    let bed = Bed::new();
    for n in 0..50 {
        bed.write(&format!("live/net/{n}.tf"), &"#".repeat(n));
    }
    let folders = std::env::join_paths([bed.root.path(), bed.state.path()]).unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["two_processes_that_assemble_at_once", "--nocapture"])
            .env(SECOND, &folders)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let others: Vec<_> = (0..3).map(|_| start()).collect();
    let made = bed.assemble().await;
    for other in others {
        let told = other.wait_with_output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        assert!(told.contains(&format!("made {}", made.digest)), "{told}");
    }
    let stored = fs::read_dir(bed.state.path().join("terraform/configurations")).unwrap();
    assert_eq!(stored.count(), 1, "nothing unfinished stays");
}

#[tokio::test]
async fn a_commit_gives_its_own_files_and_todays_lock_file() {
    let bed = Bed::new();
    bed.git(&["init", "--quiet"]);
    bed.write("live/net/.terraform.lock.hcl", "# old\n");
    // What checking out would do is not done.
    bed.write(".gitattributes", "*.tf text eol=crlf ident export-subst filter=x\n");
    let then = bed.commit();
    let earlier = bed.assemble().await;
    assert_eq!(bed.from(&then).await.unwrap(), earlier, "the same files, the same configuration");
    bed.write(MAIN, "# new\n");
    bed.chmod(SCRIPT, 0o644);
    bed.write("live/net/new.tf", "");
    bed.write("live/net/.terraform.lock.hcl", "# new\n");
    bed.commit();
    let made = bed.from(&then).await.unwrap();
    assert_eq!(made.lock_file, LockFile::Todays);
    let read = |path: &str| fs::read_to_string(whole(&bed, &made).join(path)).unwrap();
    assert!(read(MAIN).contains("modules/vpc"));
    assert_eq!(read("live/net/.terraform.lock.hcl"), "# new\n");
    let files = listing(&whole(&bed, &made));
    assert_eq!(files[SCRIPT], 0o500);
    assert!(!files.contains_key("live/net/new.tf"));
    fs::remove_file(bed.at("live/net/.terraform.lock.hcl")).unwrap();
    assert_eq!(bed.from(&then).await.unwrap(), earlier, "without one, the commit's own");
}

#[tokio::test]
async fn a_commit_is_one_that_the_checked_out_one_came_from() {
    let bed = Bed::new();
    let none = Source::Commit("a".repeat(40).parse().unwrap());
    assert!(bed.refused(&none).await.message.contains("no git repository"));
    bed.git(&["init", "--quiet"]);
    assert!(bed.refused(&none).await.message.contains("history"));
    let first = bed.commit();
    assert!(bed.refused(&none).await.message.contains("history"));
    bed.git(&["checkout", "--quiet", "-b", "aside"]);
    let aside = bed.commit();
    bed.git(&["checkout", "--quiet", "-"]);
    assert!(bed.from(&first).await.is_ok());
    assert!(bed.refused(&aside).await.message.contains("history"), "nobody merged it");
    let tree = Source::Commit(bed.git(&["rev-parse", "HEAD^{tree}"]).parse().unwrap());
    assert!(bed.refused(&tree).await.message.contains("history"), "a tree is no commit");
}

#[tokio::test]
async fn links_and_submodules_of_a_commit_are_refused() {
    let bed = Bed::new();
    bed.git(&["init", "--quiet"]);
    symlink("/etc/passwd", bed.at("live/net/link.tf")).unwrap();
    let with_link = bed.commit();
    let refusal = bed.refused(&with_link).await;
    assert!(refusal.message.contains("link") && refusal.details["path"] == "live/net/link.tf", "{refusal:?}");
    let Source::Commit(id) = &with_link else { unreachable!() };
    bed.git(&["rm", "--quiet", "live/net/link.tf"]);
    bed.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},live/net/sub")]);
    bed.git(&["commit", "--quiet", "-m", "a submodule"]);
    let refusal = bed.refused(&Source::Commit(bed.git(&["rev-parse", "HEAD"]).parse().unwrap())).await;
    assert!(refusal.message.contains("submodule"), "{refusal:?}");
}

#[tokio::test]
async fn a_commit_is_read_below_the_folder_of_all_root_modules() {
    let outer = Bed::new();
    outer.git(&["init", "--quiet"]);
    let inner = "infra [1]/*";
    for path in [MAIN, SCRIPT, "modules/vpc/main.tf"] {
        outer.write(&format!("{inner}/{path}"), "# inner\n");
    }
    let commit = outer.commit();
    let root = Root::open(&outer.at(inner)).unwrap();
    let made = outer.store().assemble(&root, &module(), &commit, &BTreeMap::new()).await.unwrap();
    assert_eq!(fs::read_to_string(made.directory.join("main.tf")).unwrap(), "# inner\n");
}

#[tokio::test]
async fn an_earlier_configuration_comes_back_as_it_was() {
    let bed = Bed::new();
    let (root, store) = (bed.root(), bed.store());
    let before = store.assemble(&root, &module(), &Source::WorkingTree, &set("size", 5)).await.unwrap();
    bed.write(MAIN, "# new\n");
    let earlier = Source::Earlier(before.digest.clone());
    assert_eq!(bed.from(&earlier).await.unwrap(), before);
    let mut narrower = module();
    narrower.variables.values_mut().for_each(|one| one.pool.iter_mut().for_each(|pool| pool.maximum = 4));
    let mut moved = module();
    moved.backend.config.insert("path".to_owned(), json!("other.tfstate"));
    let mut other = module();
    other.directory = "elsewhere".parse().unwrap();
    for declared in [narrower, moved, other] {
        assert!(store.assemble(&root, &declared, &earlier, &BTreeMap::new()).await.is_err(), "{declared:?}");
    }
    let never = Source::Earlier(Digest::from_bytes([1; 32]));
    assert!(bed.refused(&never).await.message.contains("no such stored"));
}

#[tokio::test]
async fn what_nobody_asked_for_is_swept_away_with_its_data() {
    let bed = Bed::new();
    let store = bed.store();
    let used = bed.assemble().await;
    bed.write(MAIN, "# new\n");
    let unused = bed.assemble().await;
    for one in [&used, &unused] {
        fs::create_dir(&one.data).unwrap();
    }
    // What a process left behind that ended while it wrote.
    let unfinished = disk::unfinished(&bed.state.path().join("terraform/configurations")).unwrap();
    fs::create_dir(&unfinished).unwrap();
    let in_use = BTreeSet::from([used.digest.clone()]);
    store.sweep(in_use.clone()).await.unwrap();
    assert!(unused.directory.exists() && unfinished.exists(), "it was asked for just now");
    let later = SystemTime::now() + runcord_content::KEPT + Duration::from_secs(60);
    store.sweep_at(&in_use, later).unwrap();
    assert!(used.directory.exists() && used.data.exists());
    assert!(!whole(&bed, &unused).exists() && !unused.data.exists() && !unfinished.exists());
    assert!(store.open(&used.digest, &module()).await.is_ok());
    // The tool applies in it: however late it is, the only copy of a state may be left there.
    let applying = bed.assemble().await;
    let leaving = applying.let_leave_state().unwrap();
    store.sweep_at(&BTreeSet::new(), later).unwrap();
    assert!(applying.directory.exists());
    drop(leaving);
    store.sweep_at(&BTreeSet::new(), later).unwrap();
    assert!(!applying.directory.exists());
}
