//! The policy and the runbooks that are loaded, and what they would need to be in force.
//!
//! Both are read anew whenever their files change. A set that cannot be read leaves the last good one in
//! place, loudly; at start there is no last good one, and the server does not start.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use miette::{Diagnostic, Report};
use runcord_model::{Catalog, Digest, RunbookName};
use runcord_policy::Policies;
use runcord_runbooks::Checker;
use serde::{Deserialize, Serialize};

use crate::entry::{self, Entry};
use crate::optional;
use crate::settings::{Origin, Settings};
use crate::stamp::Stamp;
use crate::tools::Tool;

/// The digests of all that an approver's signature puts in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// The Cedar files and their schema.
    pub rules: Digest,
    /// `people.yaml`.
    pub people: Digest,
    /// `approvers`.
    pub approvers: Digest,
    /// `targets.yaml`, and `modules.yaml` and `playbooks.yaml` where there are such.
    pub targets: Digest,
    /// All runbook files.
    pub runbooks: Digest,
}

/// One loaded set: immutable, shared by all that one call does.
#[derive(Debug)]
pub struct Loaded {
    /// The policy.
    pub policies: Policies,
    /// The text of `approvers`, for verifying signatures.
    pub approvers: runcord_seal::Approvers,
    /// The runbooks of this server, by name.
    pub runbooks: BTreeMap<RunbookName, Arc<Entry>>,
    /// The tools that they declare, and those that every server has.
    pub tools: Vec<Tool>,
    /// What an authority must say to put this set in force.
    pub digests: Digests,
}

/// Files that could not be loaded: every problem found, each as a report with file, line and column.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{} cannot be used", .what)]
pub struct LoadError {
    /// `the policy in …` or `the runbooks in …`.
    pub what: String,
    /// The problems.
    #[related]
    pub problems: Vec<Report>,
}

/// A file by name, with its text: what ships is in this program already.
pub type Text = (String, Cow<'static, str>);

/// The files of a set as they were read, before anything is made of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// The policy folder.
    pub policy: Vec<Text>,
    /// The runbooks of every server.
    pub runbooks: Vec<Text>,
}

/// The loaded set with where it came from, so that it can be read anew.
#[derive(Debug)]
pub struct Library {
    settings: Settings,
    catalog: &'static Catalog,
    current: RwLock<Held>,
}

/// What is in use, and what it was made of.
#[derive(Debug)]
struct Held {
    /// Of the files as they were before they were read; none where a change might not show.
    stamp: Option<Stamp>,
    texts: Texts,
    loaded: Arc<Loaded>,
}

impl Library {
    /// Loads policy and runbooks for the server that `catalog` describes.
    ///
    /// # Errors
    /// Any file that cannot be read or does not check: without a valid set nothing is served.
    pub fn load(settings: &Settings, catalog: &'static Catalog) -> Result<Self, LoadError> {
        let stamp = Stamp::of(settings);
        let texts = read(settings)?;
        let loaded = Arc::new(check(&texts, settings, catalog)?);
        let held = Held { stamp, texts, loaded };
        Ok(Self { settings: settings.clone(), catalog, current: RwLock::new(held) })
    }

    /// The set in use now: read anew when a file changed, the last good one when that fails.
    pub fn current(&self) -> Arc<Loaded> {
        match self.reload() {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::error!(
                    error = %error,
                    problems = ?error.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "the changed files cannot be used; the last good set stays in use"
                );
                self.last_good()
            }
        }
    }

    /// The set that was loaded last, with the very texts it was made of: for showing what an authority would change.
    pub fn with_texts(&self) -> (Texts, Arc<Loaded>) {
        let held = self.held();
        (held.texts.clone(), Arc::clone(&held.loaded))
    }

    /// Checks more than a server does when it starts: the fields of all steps against their published schemas, and that
    /// every schema of every tool compiles.
    ///
    /// # Errors
    /// All that does not hold.
    pub fn check_thoroughly(&self) -> Result<(), LoadError> {
        let (texts, loaded) = self.with_texts();
        runbooks(&texts, &Checker::thorough(self.catalog), |_| true)?;
        let broken = loaded.tools.iter().filter(|tool| !tool.has_schemas());
        let problems: Vec<Report> =
            broken.map(|tool| miette::miette!("{}: its schemas do not compile", tool.spec.name)).collect();
        if problems.is_empty() { Ok(()) } else { Err(LoadError { what: "the runbooks".into(), problems }) }
    }

    /// The catalog of the server this library is for.
    pub fn catalog(&self) -> &'static Catalog {
        self.catalog
    }

    /// The set that was loaded last, without a look at the files.
    pub fn last_good(&self) -> Arc<Loaded> {
        Arc::clone(&self.held().loaded)
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn reload(&self) -> Result<Arc<Loaded>, LoadError> {
        if self.settings.policy == Origin::Shipped && self.settings.runbooks == Origin::Shipped {
            return Ok(self.last_good());
        }
        let stamp = Stamp::of(&self.settings);
        if stamp.is_some() && self.held().stamp == stamp {
            return Ok(self.last_good());
        }
        let texts = read(&self.settings)?;
        let loaded = if self.held().texts == texts {
            self.last_good()
        } else {
            let loaded = Arc::new(check(&texts, &self.settings, self.catalog)?);
            tracing::info!("policy or runbooks changed and were loaded anew");
            loaded
        };
        let mut held = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *held = Held { stamp, texts, loaded: Arc::clone(&loaded) };
        Ok(loaded)
    }
}

/// The policy files by name: all of them, or none of them is policy.
const POLICY_FILES: [&str; 4] = ["schema.cedarschema", "people.yaml", "approvers", "targets.yaml"];

/// Policy files that a folder may do without: one that is older than they are stays valid.
const OPTIONAL_POLICY_FILES: [&str; 2] = ["modules.yaml", "playbooks.yaml"];

/// Whether this policy file counts as one of the targets: what they are called, or how far one may be acted on.
pub fn is_of_targets(file: &str) -> bool {
    file == "targets.yaml" || OPTIONAL_POLICY_FILES.contains(&file)
}

fn is_policy(file: &str) -> bool {
    file.ends_with(".cedar") || POLICY_FILES.contains(&file) || OPTIONAL_POLICY_FILES.contains(&file)
}

fn read(settings: &Settings) -> Result<Texts, LoadError> {
    let policy = match &settings.policy {
        Origin::Shipped => runcord_policy::shipped_files()
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Cow::Borrowed(*text)))
            .collect(),
        Origin::Folder(dir) => folder(dir, "policy", is_policy)?,
    };
    let runbooks = match &settings.runbooks {
        Origin::Shipped => runcord_runbooks::shipped()
            .iter()
            .chain(runcord_runbooks::optional())
            .map(|(name, text)| ((*name).to_owned(), Cow::Borrowed(*text)))
            .collect(),
        Origin::Folder(dir) => {
            folder(dir, "runbooks", |name| name.ends_with(".yaml") || name.ends_with(".yml"))?
        }
    };
    let runbooks = optional::chosen(runbooks, &settings.optional_runbooks).map_err(|missing| LoadError {
        what: "the runbooks".into(),
        problems: vec![miette::miette!(
            help = "mend optional_runbooks in the configuration file",
            "there is no optional runbook {missing}: no file of that name in a folder `optional`"
        )],
    })?;
    Ok(Texts { policy, runbooks })
}

/// The wanted files of a folder, of the folders directly in it and of their folders `optional`, by name, in order.
fn folder(dir: &Path, what: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<Text>, LoadError> {
    let mut found = Vec::new();
    gather(dir, "", &wanted, &mut found).map_err(|(path, error)| LoadError {
        what: format!("the {what} folder {}", dir.display()),
        problems: vec![miette::miette!(
            help = "check that it exists and can be read",
            "{}: {error}",
            path.display()
        )],
    })?;
    found.sort();
    Ok(found)
}

/// A place in a folder, and what is wrong with it.
type Unread = (std::path::PathBuf, String);

/// Links to files are followed (a mounted ConfigMap is made of them): what counts is what is read, and its digest. A
/// wanted file that cannot be read is an error and never left out: it may be the one that forbids.
fn gather(
    dir: &Path,
    prefix: &str,
    wanted: &impl Fn(&str) -> bool,
    found: &mut Vec<Text>,
) -> Result<(), Unread> {
    let at = |path: &Path| {
        let path = path.to_path_buf();
        move |error: std::io::Error| (path, error.to_string())
    };
    for entry in std::fs::read_dir(dir).map_err(at(dir))? {
        let path = entry.map_err(at(dir))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else {
            return Err((path, "its name is not UTF-8".to_owned()));
        };
        if name.starts_with('.') {
            continue;
        }
        let kind = std::fs::metadata(&path).map_err(at(&path))?;
        if kind.is_dir()
            && (prefix.is_empty() || (name == optional::FOLDER && prefix.matches('/').count() == 1))
        {
            gather(&path, &format!("{name}/"), wanted, found)?;
        } else if kind.is_dir() {
            return Err((path, "a folder this deep is not read; move its files up".to_owned()));
        } else if wanted(&name) {
            let text = std::fs::read_to_string(&path).map_err(at(&path))?;
            found.push((format!("{prefix}{name}"), Cow::Owned(text)));
        }
    }
    Ok(())
}

fn check(texts: &Texts, settings: &Settings, catalog: &Catalog) -> Result<Loaded, LoadError> {
    let digests = digests(texts);
    let policies = policies(texts)?;
    let approvers =
        runcord_seal::Approvers::parse(text_of(&texts.policy, "approvers")).map_err(|e| LoadError {
            what: "the policy".into(),
            problems: vec![miette::miette!("approvers: {}", crate::refuse::chain(&e))],
        })?;
    // Of what ships, the folder tells whose it is (a test holds that): a server has no use for the others'.
    let folder = format!("{}/", catalog.server);
    let (checker, whose) = match &settings.runbooks {
        Origin::Shipped => (Checker::shipped(catalog), folder.as_str()),
        Origin::Folder(_) => (Checker::quick(catalog), ""),
    };
    let runbooks = runbooks(texts, &checker, |file| file.starts_with(whose))?;
    let tools = crate::tools::all(&runbooks, catalog);
    Ok(Loaded { policies, approvers, runbooks, tools, digests })
}

fn policies(texts: &Texts) -> Result<Policies, LoadError> {
    let error = |problems| LoadError { what: "the policy".into(), problems };
    for name in POLICY_FILES {
        if !texts.policy.iter().any(|(file, _)| file == name) {
            return Err(error(vec![miette::miette!(
                help = "`runcord init` writes a complete policy folder",
                "{name} is missing"
            )]));
        }
    }
    let named = |name: &str| (name.to_owned(), text_of(&texts.policy, name).to_owned());
    let source = runcord_policy::Source {
        rules: texts
            .policy
            .iter()
            .filter(|(file, _)| file.ends_with(".cedar"))
            .map(|(file, text)| (file.clone(), text.clone().into_owned()))
            .collect(),
        schema: named("schema.cedarschema"),
        people: named("people.yaml"),
        approvers: named("approvers"),
        targets: named("targets.yaml"),
        digest: tree(&texts.policy),
    };
    Policies::load(source).map_err(error)
}

fn text_of<'a>(files: &'a [Text], name: &str) -> &'a str {
    files.iter().find(|(file, _)| file == name).map_or("", |(_, text)| text)
}

fn tree<'a>(files: impl IntoIterator<Item = &'a Text>) -> Digest {
    let files: Vec<_> = files.into_iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    runcord_seal::digest_tree(&files)
}

fn digests(texts: &Texts) -> Digests {
    let of = |wanted: &dyn Fn(&str) -> bool| tree(texts.policy.iter().filter(|(name, _)| wanted(name)));
    Digests {
        rules: of(&|name| name.ends_with(".cedar") || name == "schema.cedarschema"),
        people: of(&|name| name == "people.yaml"),
        approvers: of(&|name| name == "approvers"),
        targets: of(&is_of_targets),
        runbooks: tree(&texts.runbooks),
    }
}

/// The runbooks of the checker's server. Those of other servers must parse, but are theirs to check.
fn runbooks(
    texts: &Texts,
    checker: &Checker<'_>,
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<RunbookName, Arc<Entry>>, LoadError> {
    let (mut good, mut problems) = (BTreeMap::new(), Vec::new());
    for (file, text) in texts.runbooks.iter().filter(|(file, _)| wanted(file)) {
        match entry::one(file, text, checker) {
            Ok(Some(entry)) => {
                let name = entry.runbook.name().clone();
                if good.insert(name.clone(), Arc::new(entry)).is_some() {
                    problems.push(miette::miette!(
                        help = "rename one of them",
                        "{file}: a second runbook named {name}"
                    ));
                }
            }
            Ok(None) => {}
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(good) } else { Err(LoadError { what: "the runbooks".into(), problems }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy folder that ships, without some of its files, as it is read.
    fn texts(without: &[&str]) -> Texts {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in runcord_policy::shipped_files().iter().filter(|(name, _)| !without.contains(name))
        {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        std::fs::write(dir.path().join("notes.yaml"), "not policy").unwrap();
        Texts { policy: folder(dir.path(), "policy", is_policy).unwrap(), runbooks: Vec::new() }
    }

    #[test]
    fn a_folder_from_before_something_could_be_declared_is_still_a_policy() {
        let older = texts(&OPTIONAL_POLICY_FILES);
        let is_there = |file: &str| older.policy.iter().any(|(name, _)| name == file);
        assert!(!OPTIONAL_POLICY_FILES.into_iter().any(is_there) && !is_there("notes.yaml"));
        policies(&older).unwrap();
        assert!(policies(&texts(&["targets.yaml"])).is_err(), "the other files are needed");
        let alone: Vec<_> = older.policy.iter().filter(|(name, _)| name == "targets.yaml").cloned().collect();
        assert_eq!(digests(&older).targets, tree(&alone));
    }

    #[test]
    fn what_is_declared_is_put_in_force_with_the_targets() {
        let now = texts(&[]);
        for file in OPTIONAL_POLICY_FILES {
            let mut changed = now.clone();
            let declared = changed.policy.iter_mut().find(|(name, _)| name == file).unwrap();
            declared.1.to_mut().push_str("# another word\n");
            let (before, after) = (digests(&now), digests(&changed));
            assert_ne!(before.targets, after.targets, "{file}");
            assert_eq!(Digests { targets: before.targets.clone(), ..after }, before, "nothing else changes");
            assert_ne!(
                tree(&now.policy),
                tree(&changed.policy),
                "plans made under the other one are outdated"
            );
            assert_ne!(before.targets, digests(&texts(&[file])).targets, "leaving {file} out is a change");
        }
    }
}
