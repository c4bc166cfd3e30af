//! `runcord runbook`: checks runbook files, shows one, prints the schema for editors, looks for drift.

use std::path::{Path, PathBuf};

use miette::Report;
use runcord_model::RunbookName;
use runcord_runbooks::{Checker, Runbook};
use runcord_runtime::entry::{self, Entry};
use runcord_runtime::settings::Origin;
use serde_json::{Value, json};

use crate::around::Around;
use crate::drift;
use crate::failure::Failure;
use crate::files;
use crate::output::{Answer, Mood, columns, word};
use crate::servers;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Check runbook files: shape, types, every CEL expression, every step against its server
    Check {
        /// Files or folders [default: those that are configured]
        #[arg(value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
    },
    /// One runbook: its parameters, its limits, its file
    Show {
        /// Its name
        name: RunbookName,
    },
    /// The JSON Schema of runbook files, for editors
    Schema,
    /// Look whether a live target still is what the runbooks need; changes nothing
    #[command(after_help = drift::EXAMPLES)]
    Drift(drift::Args),
}

pub(crate) async fn run(command: &Command, around: &Around) -> Result<Answer, Failure> {
    match command {
        Command::Check { paths } => check(&texts(paths, around)?),
        Command::Show { name } => show(name, &texts(&[], around)?),
        Command::Schema => {
            let schema = runcord_runbooks::schema();
            Ok(Answer::done(format!("{schema:#}"), schema))
        }
        Command::Drift(args) => drift::run(args, around).await,
    }
}

type Texts = Vec<(String, String)>;

/// The runbook files that were named, or else those that are configured, the optional ones among them whether or not
/// they are loaded.
fn texts(paths: &[PathBuf], around: &Around) -> Result<Texts, Failure> {
    if !paths.is_empty() {
        return from_paths(paths);
    }
    match around.settings()?.runbooks {
        Origin::Folder(folder) => from_paths(&[folder]),
        Origin::Shipped => Ok(runcord_runbooks::shipped()
            .iter()
            .chain(runcord_runbooks::optional())
            .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
            .collect()),
    }
}

fn from_paths(paths: &[PathBuf]) -> Result<Texts, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() { folder(path, &mut found)? } else { found.push(path.clone()) }
    }
    found.into_iter().map(|path| Ok((path.display().to_string(), files::read(&path)?))).collect()
}

/// The YAML files of a folder and of those in it, in order; as the servers read them, links and hidden folders are
/// passed over.
fn folder(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unread = |error| {
        Failure::surroundings(
            format!("cannot read the folder {}", path.display()),
            "check the path and its permissions",
        )
        .because(error)
    };
    let entries: Result<Vec<_>, _> = std::fs::read_dir(path).map_err(unread)?.collect();
    let mut entries = entries.map_err(unread)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().map_err(unread)?);
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if kind.is_dir() && !hidden {
            folder(&path, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            found.push(path);
        }
    }
    Ok(())
}

/// One file, checked against the server that it is for.
enum Checked {
    Good(Box<Entry>),
    /// It parses, and is for a server that this command does not know.
    Unknown {
        server: String,
    },
    Bad(Vec<Report>),
}

fn check_one(file: &str, text: &str) -> Checked {
    let parsed = match Runbook::parse(file, text) {
        Ok(parsed) => parsed,
        Err(report) => return Checked::Bad(vec![report.into()]),
    };
    let server = parsed.server().to_owned();
    let Some(catalog) = servers::catalogs().into_iter().find(|catalog| catalog.server == server) else {
        return Checked::Unknown { server };
    };
    match entry::one(file, text, &Checker::thorough(catalog)) {
        Ok(Some(entry)) => Checked::Good(Box::new(entry)),
        Ok(None) => Checked::Unknown { server },
        Err(problems) => Checked::Bad(problems),
    }
}

fn check(texts: &Texts) -> Result<Answer, Failure> {
    if texts.is_empty() {
        return Err(Failure::refused(
            "there are no runbook files there",
            "runbooks are files that end in .yaml or .yml",
        ));
    }
    let (mut rows, mut listed, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (file, text) in texts {
        match check_one(file, text) {
            Checked::Good(entry) => {
                let (name, version) = (entry.runbook.name().to_string(), entry.runbook.version().to_owned());
                listed.push(json!({"file": file, "name": name, "version": version, "digest": entry.reference().digest}));
                rows.push([word(Mood::Good, "ok"), file.clone(), name, version]);
            }
            Checked::Unknown { server } => {
                let there_are: Vec<_> = servers::catalogs().iter().map(|catalog| catalog.server).collect();
                problems.push(miette::miette!(
                    help = format!("the servers there are: {}", there_are.join(", ")),
                    "{file}: there is no server named {}",
                    runcord_model::text::visible(&server, 64)
                ));
            }
            Checked::Bad(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        return Ok(Answer::done(columns(&rows), json!({"holds": true, "runbooks": listed})));
    }
    let what = format!("{} of {} runbook files", texts.len() - rows.len(), texts.len());
    Err(Failure::files(what, problems))
}

fn show(name: &RunbookName, texts: &Texts) -> Result<Answer, Failure> {
    let found = texts.iter().find_map(|(file, text)| match check_one(file, text) {
        Checked::Good(entry) if entry.runbook.name() == name => Some(entry),
        Checked::Good(_) | Checked::Unknown { .. } | Checked::Bad(_) => None,
    });
    let entry = found.ok_or_else(|| {
        Failure::refused(
            format!("there is no runbook {name} that holds"),
            "`runcord runbook check` lists those there are, and what is wrong with the others",
        )
    })?;
    let runbook = &entry.runbook;
    let reviewed = runbook.reviewed().map_or_else(
        || "not said".to_owned(),
        |reviewed| format!("by {}, until {}", reviewed.by.join(", "), reviewed.until),
    );
    let page = format!(
        "{} — {}\n\ntool        {}\nversion     {}, {}\nowner       {}\nreviewed    {reviewed}\nfile        {}\n\n{}\n\n{}",
        runbook.name(),
        runbook.title(),
        runbook.tool_name(),
        runbook.version(),
        entry.reference().digest.short(),
        runbook.owner(),
        entry.file,
        runbook.description().trim(),
        runbook.text().trim_end()
    );
    Ok(Answer::done(page, shown_json(&entry)))
}

fn shown_json(entry: &Entry) -> Value {
    let runbook = &entry.runbook;
    json!({
        "runbook": entry.reference(), "tool": runbook.tool_name(), "title": runbook.title(), "owner": runbook.owner(),
        "effect": runbook.effect(), "description": runbook.description(), "input_schema": runbook.input_schema(),
        "file": entry.file, "text": runbook.text(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_holds() {
        let texts: Texts = runcord_runbooks::shipped()
            .iter()
            .chain(runcord_runbooks::optional())
            .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
            .collect();
        let answer = check(&texts).unwrap();
        assert_eq!(answer.json["runbooks"].as_array().unwrap().len(), texts.len());
    }

    #[test]
    fn a_broken_file_is_refused_with_its_place() {
        let texts =
            vec![("x.yaml".to_owned(), "apiVersion: runcord.dev/v1\nkind: Runbook\nspek: {}\n".to_owned())];
        let failure = check(&texts).unwrap_err();
        assert_eq!(failure.exit(), crate::Exit::Refused);
        let at = &failure.to_json()["error"]["details"]["problems"][0]["at"];
        assert_eq!(at["file"], "x.yaml");
        assert!(at["line"].as_u64().unwrap() >= 1);
    }
}
