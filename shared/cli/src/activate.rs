//! `runcord activate`: shows what would change in the authority, has an approver sign it, and puts it in force.

use std::sync::Arc;

use runcord_ledger::Ledger;
use runcord_model::Moment;
use runcord_runtime::authority::{self, AUTHORITY_NAMESPACE, Authority};
use runcord_runtime::library::{Library, Loaded};
use serde_json::{Value, json};

use crate::around::Around;
use crate::failure::Failure;
use crate::keys::{self, KeyArgs, Signer};
use crate::output::{Answer, Mood, when, word};
use crate::sign;
use crate::snapshot::{self, Part};
use crate::terminal::{Consent, insist, tell};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    key: KeyArgs,
    /// Do not ask; for scripts
    #[arg(long)]
    yes: bool,
}

/// How many lines of each part's changes are shown.
const LINES: usize = 40;

pub(crate) async fn run(args: &Args, around: &Around) -> Result<Answer, Failure> {
    let (settings, ledger, library) = (around.settings()?, around.ledger()?, around.library()?);
    let set = Set::of(&library)?;
    let before = in_force(&ledger)?;
    let changes = changes(&settings.state, before.as_ref(), &set);
    if changes.is_empty() {
        let page = "The authority in force is the one that is loaded. There is nothing to do.";
        return Ok(Answer::done(page, json!({"changed": false, "parts": []})));
    }
    tell(&changes_page(before.as_ref(), &changes));
    insist(Consent::from(args.yes), "Put this in force? [y/N]", &["y", "yes"])?;
    let approvers = before.as_ref().map_or_else(|| set.approvers.clone(), |before| before.approvers.clone());
    let at_hand = sign::at_hand(&around.keys_folder()?).await;
    let signer = keys::choose(&args.key, &approvers, &at_hand)?;
    let signed = put_in_force(&ledger, &set, before.as_ref(), &signer, &around.now()?).await?;
    snapshot::keep(&settings.state, &set.loaded.digests, &set.parts)?;
    let parts: Vec<Value> = changes.iter().map(Change::to_json).collect();
    let page = format!(
        "{} {} signed, and it is in force on this ledger.\nPlans that are open were made under the old one where policy changed, and have to be made again.",
        word(Mood::Good, "Done."),
        signed.by
    );
    Ok(Answer::done(page, json!({"changed": true, "by": signed.by, "at": signed.at, "parts": parts})))
}

/// A loaded set with its texts, which are those that its digests are of.
pub(crate) struct Set {
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) parts: Vec<(&'static str, Part)>,
    /// The text of `approvers`.
    pub(crate) approvers: String,
}

impl Set {
    /// The set that a library loaded.
    ///
    /// # Errors
    /// Its texts are not those that its digests are of: then nobody could know what they sign.
    pub(crate) fn of(library: &Library) -> Result<Self, Failure> {
        let (texts, loaded) = library.with_texts();
        let parts = snapshot::parts(&texts);
        let theirs = |(name, part): &(&str, Part)| {
            snapshot::part_of(&loaded.digests, name) == Some(&snapshot::digest_of(part))
        };
        if !parts.iter().all(theirs) {
            return Err(Failure::refused(
                "the loaded files are not those that their digests are of",
                "run it again",
            ));
        }
        let text = |(_, part): &(&str, Part)| part.first().map(|(_, text)| text.clone().into_owned());
        let approvers =
            parts.iter().find(|(name, _)| *name == "approvers").and_then(text).unwrap_or_default();
        Ok(Self { loaded, parts, approvers })
    }
}

/// The authority in force; none before the first.
pub(crate) fn in_force(ledger: &Ledger) -> Result<Option<Authority>, Failure> {
    let Some(kept) = ledger.authority()? else { return Ok(None) };
    let unreadable = |error| {
        Failure::refused(
            "the authority that this ledger holds cannot be read",
            "use the version of runcord that wrote it",
        )
        .because(error)
    };
    serde_json::from_str(&kept.statement).map(Some).map_err(unreadable)
}

/// Has `signer` sign the set, checks the signature as every server does, and puts it in force.
///
/// # Errors
/// The signature does not count; or the set leaves nobody who could sign the next one.
pub(crate) async fn put_in_force(
    ledger: &Ledger,
    set: &Set,
    before: Option<&Authority>,
    signer: &Signer,
    now: &Moment,
) -> Result<Authority, Failure> {
    if set.loaded.approvers.people_for(AUTHORITY_NAMESPACE, now.utc).is_empty() {
        return Err(Failure::refused(
            "nobody in `approvers` could sign the next authority",
            "add a person with namespaces=\"runcord-approval,runcord-authority\"; `runcord init --approver NAME` does it for a fresh folder",
        ));
    }
    let statement = Authority {
        installation: ledger.installation().to_owned(),
        digests: set.loaded.digests.clone(),
        by: signer.person.clone(),
        at: now.utc,
        approvers: set.approvers.clone(),
    };
    let text = canonical_text(&statement)?;
    let signature = sign::sign(AUTHORITY_NAMESPACE, signer, text.as_bytes()).await?;
    let signed = authority::verify(&text, &signature, before, now.utc)?;
    let digest = runcord_seal::digest_of(&signed.digests).map_err(uncanonical)?;
    ledger.put_authority(&digest, &text, &[signature], signed.by.as_str(), now)?;
    Ok(signed)
}

/// The one way to write a statement down: canonical JSON.
pub(crate) fn canonical_text(statement: &impl serde::Serialize) -> Result<String, Failure> {
    let bytes = runcord_seal::canonical(statement).map_err(uncanonical)?;
    String::from_utf8(bytes).map_err(|error| {
        Failure::surroundings("a statement could not be written down", "report this").because(error)
    })
}

pub(crate) fn uncanonical(error: runcord_seal::NotCanonical) -> Failure {
    Failure::surroundings("a statement could not be written down", "report this").because(error)
}

/// One part that would change.
#[derive(Debug)]
struct Change {
    part: &'static str,
    /// Digest in force, shortened; none before the first authority.
    from: Option<String>,
    to: String,
    /// What changes line by line, where the texts in force are known.
    lines: Option<Vec<String>>,
}

impl Change {
    fn to_json(&self) -> Value {
        json!({"part": self.part, "from": self.from, "to": self.to, "lines": self.lines})
    }
}

fn changes(state: &std::path::Path, before: Option<&Authority>, set: &Set) -> Vec<Change> {
    let differing = before.map(|before| authority::differing(&before.digests, &set.loaded.digests));
    let changed = |name: &str| differing.as_ref().is_none_or(|names| names.contains(&name));
    set.parts
        .iter()
        .filter(|(name, _)| changed(name))
        .map(|(name, part)| change(state, before, name, part))
        .collect()
}

fn change(state: &std::path::Path, before: Option<&Authority>, name: &'static str, part: &Part) -> Change {
    let digest = before.and_then(|before| snapshot::part_of(&before.digests, name));
    let known = digest.and_then(|digest| snapshot::kept(state, digest)).or_else(|| {
        // The authority itself carries the text of its approvers.
        let text = before.filter(|_| name == "approvers")?.approvers.clone();
        Some(vec![("approvers".to_owned(), text.into())])
    });
    Change {
        part: name,
        from: digest.map(|digest| digest.short().to_owned()),
        to: snapshot::digest_of(part).short().to_owned(),
        lines: known.map(|known| snapshot::changed_lines(&known, part, LINES)),
    }
}

fn changes_page(before: Option<&Authority>, changes: &[Change]) -> String {
    let mut page = match before {
        None => {
            "This ledger has no authority yet. Its first would put all that is loaded in force:\n".to_owned()
        }
        Some(before) => {
            format!("What would change in the authority that {} signed at {}:\n", before.by, when(before.at))
        }
    };
    for change in changes {
        let from = change.from.as_deref().unwrap_or("none");
        page.push_str(&format!("\n{}  {from} → {}\n", word(Mood::Quiet, change.part), change.to));
        match (&change.lines, &change.from) {
            (Some(lines), _) => lines.iter().for_each(|line| page.push_str(&format!("  {line}\n"))),
            (None, Some(_)) => {
                page.push_str("  the text in force is not at hand; compare with your version control\n")
            }
            (None, None) => {}
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_changes_and_what_cannot_be_shown() {
        let changes = [
            Change {
                part: "people",
                from: Some("aaa".into()),
                to: "bbb".into(),
                lines: Some(vec!["+ people.yaml: eve".into()]),
            },
            Change { part: "rules", from: Some("ccc".into()), to: "ddd".into(), lines: None },
        ];
        let page = changes_page(None, &changes);
        assert!(page.contains("no authority yet") && page.contains("+ people.yaml: eve"));
        assert!(page.contains("not at hand"));
    }
}
