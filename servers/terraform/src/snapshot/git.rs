//! The files of a commit, as git keeps them: nothing is checked out, so no filter, hook or attribute of the repository has
//! a say, and nothing is fetched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runcord_content::{FILE_BYTES, FILES, Names, Rule, Runs, TREE_BYTES, Tree, Verdict};
use runcord_exec::{Command, Finished, Status, Stdin, find_program};

use super::folders;
use super::rules::{SUBMODULE, verdict};
use super::unfit::SnapshotError;
use crate::modules::Module;
use crate::names::{Commit, Directory};

/// What a listing may be long: 5,000 files with paths of a kilobyte, and those that are left out.
const LISTING: usize = 16 << 20;
/// All contents together, and a line before each.
const CONTENTS: usize = TREE_BYTES as usize + FILES * 128;

/// The files of a module's folders at a commit, by the rules for configurations.
pub(super) async fn commit_tree(
    root: &Path,
    commit: &Commit,
    module: &Module,
) -> Result<Tree, SnapshotError> {
    let folders = folders(module);
    let git = Git { program: find_program("git").ok_or(SnapshotError::NoGit)?, root: root.to_owned() };
    let prefix = git.prefix().await?;
    git.make_sure_of(commit).await?;
    let listing = git.list(commit, &prefix, &folders).await?;
    let own = |path: &str| verdict(path, &module.directory);
    let blobs = blobs(&listing, &prefix, &folders, Names::new(&own))?;
    git.contents(blobs).await
}

/// One file of a commit: where, and which object.
#[derive(Debug, PartialEq, Eq)]
struct Blob {
    path: String,
    runs: Runs,
    object: String,
}

struct Git {
    program: PathBuf,
    root: PathBuf,
}

impl Git {
    /// Where the folder of all root modules is in its repository: empty, or a path that ends in `/`.
    async fn prefix(&self) -> Result<String, SnapshotError> {
        let told = self.run(["rev-parse", "--show-prefix"], Stdin::Null, 64 << 10).await?;
        if !told.status.success() {
            return Err(SnapshotError::NoRepository);
        }
        let text = String::from_utf8(told.stdout).map_err(|_| SnapshotError::RootName)?;
        Ok(text.strip_suffix('\n').ok_or(SnapshotError::Git)?.to_owned())
    }

    /// Objects come into a repository from many sides. One that what is checked out came from was reviewed like that.
    async fn make_sure_of(&self, commit: &Commit) -> Result<(), SnapshotError> {
        let kind = self.run(["cat-file", "-t", commit.as_str()], Stdin::Null, 1 << 10).await?;
        if !kind.status.success() || kind.stdout != b"commit\n" {
            return Err(SnapshotError::NoCommit);
        }
        let asked = ["merge-base", "--is-ancestor", commit.as_str(), "HEAD"];
        match self.run(asked, Stdin::Null, 1 << 10).await?.status {
            Status::Exited(0) => Ok(()),
            Status::Exited(_) => Err(SnapshotError::NoCommit),
            Status::Signalled(_) => Err(SnapshotError::Git),
        }
    }

    async fn list(
        &self,
        commit: &Commit,
        prefix: &str,
        folders: &[&Directory],
    ) -> Result<String, SnapshotError> {
        let fixed = ["ls-tree", "-r", "-z", "-l", "--full-tree", commit.as_str(), "--"];
        let paths = folders.iter().map(|folder| format!("{prefix}{folder}"));
        let arguments = fixed.into_iter().map(str::to_owned).chain(paths);
        let told = self.run(arguments, Stdin::Null, LISTING).await?;
        if told.truncated {
            return Err(SnapshotError::unfit(".", Rule::Count));
        }
        if !told.status.success() {
            return Err(SnapshotError::Git);
        }
        String::from_utf8(told.stdout).map_err(|_| SnapshotError::unfit(".", Rule::Name))
    }

    async fn contents(&self, blobs: Vec<Blob>) -> Result<Tree, SnapshotError> {
        let asked: String = blobs.iter().map(|blob| format!("{}\n", blob.object)).collect();
        let told = self.run(["cat-file", "--batch"], Stdin::Bytes(asked.into_bytes()), CONTENTS).await?;
        if told.truncated || !told.status.success() {
            return Err(SnapshotError::Git);
        }
        read_batch(&told.stdout, blobs)
    }

    /// Git with nothing of our environment, no configuration but the repository's own, and nothing that it would start.
    async fn run<A: Into<std::ffi::OsString>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        stdin: Stdin,
        most: usize,
    ) -> Result<Finished, SnapshotError> {
        let command = Command::new(&self.program)
            .args(["--no-pager", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
            .args(arguments)
            .directory(&self.root)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_ALLOW_PROTOCOL", "")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .stdin(stdin)
            .limits(Duration::from_secs(60), most);
        Ok(command.run().await?)
    }
}

/// Reads a listing: `MODE TYPE OBJECT SIZE<tab>PATH<nul>` for each file.
fn blobs(
    listing: &str,
    prefix: &str,
    folders: &[&Directory],
    names: Names<'_>,
) -> Result<Vec<Blob>, SnapshotError> {
    let mut found = BTreeMap::new();
    for line in listing.split_terminator('\0') {
        let (facts, whole) = line.split_once('\t').ok_or(SnapshotError::Git)?;
        let path = whole.strip_prefix(prefix).ok_or(SnapshotError::Git)?;
        if let Some(blob) = blob(facts, path, names)? {
            found.insert(path.to_owned(), blob);
        }
        if found.len() > FILES {
            return Err(SnapshotError::unfit(path, Rule::Count));
        }
    }
    for folder in folders {
        // With its slash: a file or a link of the folder's name is no folder.
        let inside = format!("{folder}/");
        if !found.keys().any(|path| path.starts_with(&inside)) {
            return Err(SnapshotError::unfit(folder.as_str(), Rule::Missing));
        }
    }
    Ok(found.into_values().collect())
}

fn blob(facts: &str, path: &str, names: Names<'_>) -> Result<Option<Blob>, SnapshotError> {
    let unfit = |rule| Err(SnapshotError::unfit(path, rule));
    match names.verdict(path) {
        Verdict::Kept => {}
        Verdict::LeftOut => return Ok(None),
        Verdict::Refused(rule) => return unfit(rule),
    }
    let words: Vec<&str> = facts.split_ascii_whitespace().collect();
    let &[mode, kind, object, size] = words.as_slice() else { return Err(SnapshotError::Git) };
    let runs = match (mode, kind) {
        ("100644" | "100664", "blob") => Runs::No,
        ("100755", "blob") => Runs::Yes,
        ("120000", _) => return unfit(Rule::Link),
        ("160000", _) => return unfit(SUBMODULE),
        _ => return unfit(Rule::Special),
    };
    if size.parse::<u64>().map_err(|_| SnapshotError::Git)? > FILE_BYTES {
        return unfit(Rule::FileSize);
    }
    if object.parse::<Commit>().is_err() {
        return Err(SnapshotError::Git);
    }
    Ok(Some(Blob { path: path.to_owned(), runs, object: object.to_owned() }))
}

/// Reads `OBJECT blob SIZE<newline>CONTENT<newline>` for each, in the order in which they were asked for.
fn read_batch(mut told: &[u8], blobs: Vec<Blob>) -> Result<Tree, SnapshotError> {
    let mut tree = Tree::default();
    for blob in blobs {
        let end = told.iter().position(|byte| *byte == b'\n').ok_or(SnapshotError::Git)?;
        let (header, rest) = told.split_at_checked(end).ok_or(SnapshotError::Git)?;
        let header = std::str::from_utf8(header).map_err(|_| SnapshotError::Git)?;
        let size = header.strip_prefix(&format!("{} blob ", blob.object)).ok_or(SnapshotError::Git)?;
        let size: usize = size.parse().map_err(|_| SnapshotError::Git)?;
        let rest = rest.strip_prefix(b"\n").ok_or(SnapshotError::Git)?;
        let (content, rest) = rest.split_at_checked(size).ok_or(SnapshotError::Git)?;
        told = rest.strip_prefix(b"\n").ok_or(SnapshotError::Git)?;
        tree.put(&blob.path, blob.runs, content.to_vec())?;
    }
    if told.is_empty() { Ok(tree) } else { Err(SnapshotError::Git) }
}

#[cfg(test)]
mod tests {
    use runcord_content::ContentError;

    use super::super::rules::OVERRIDE;
    use super::*;

    const OBJECT: &str = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0";

    fn listed(line: &str) -> Result<Vec<Blob>, SnapshotError> {
        let net: Directory = "net".parse().unwrap();
        let own = |path: &str| verdict(path, &net);
        let whole = format!("100644 blob {OBJECT}       5\tlive/net/main.tf\0{line}");
        blobs(&whole, "live/", &[&net], Names::new(&own))
    }

    #[test]
    fn a_listing_is_read_by_the_rules() {
        let found = listed(&format!("100755 blob {OBJECT} 5\tlive/net/run.sh\0")).unwrap();
        assert_eq!(found.iter().map(|blob| blob.runs).collect::<Vec<_>>(), [Runs::No, Runs::Yes]);
        for (line, rule) in [
            (format!("120000 blob {OBJECT} 5\tlive/net/link\0"), Rule::Link),
            (format!("160000 commit {OBJECT} -\tlive/net/sub\0"), SUBMODULE),
            (format!("040000 tree {OBJECT} -\tlive/net/sub\0"), Rule::Special),
            (format!("100644 blob {OBJECT} 4194305\tlive/net/large\0"), Rule::FileSize),
            (format!("100644 blob {OBJECT} 5\tlive/net/../../x\0"), Rule::Name),
            (format!("100644 blob {OBJECT} 5\tlive//etc/passwd\0"), Rule::Name),
            (format!("100644 blob {OBJECT} 5\tlive/net/x_override.tf\0"), OVERRIDE),
        ] {
            let refused = listed(&line).unwrap_err();
            let of_the_rule = matches!(
                &refused,
                SnapshotError::Content(ContentError::Unfit { rule: found, .. }) if *found == rule
            );
            assert!(of_the_rule, "{line}: {refused}");
        }
        let elsewhere = listed(&format!("100644 blob {OBJECT} 5\tother/net/x\0"));
        assert!(matches!(elsewhere, Err(SnapshotError::Git)));
        assert!(matches!(listed("100644 blob -x 5\tlive/net/x\0"), Err(SnapshotError::Git)));
    }

    #[test]
    fn contents_are_taken_by_their_length() {
        let blobs = || vec![Blob { path: "net/a".into(), runs: Runs::No, object: OBJECT.into() }];
        let whole = format!("{OBJECT} blob 3\na\nb\n");
        assert_eq!(read_batch(whole.as_bytes(), blobs()).unwrap().get("net/a").unwrap().content, b"a\nb");
        for bad in [
            format!("{OBJECT} missing\n"),
            format!("{OBJECT} tree 3\na\nb\n"),
            format!("{OBJECT} blob 9\na\nb\n"),
            format!("{OBJECT} blob 3\na\nb\nmore"),
            format!("{OBJECT} blob 2\na\nb\n"),
            String::new(),
        ] {
            assert!(matches!(read_batch(bad.as_bytes(), blobs()), Err(SnapshotError::Git)), "{bad}");
        }
    }
}
