//! `runcord init`: state, a policy folder, a first approver and a first authority. Run again, it says what is there
//! and changes nothing.

mod client;
mod place;
mod policy_folder;

use std::path::{Path, PathBuf};

use runcord_ledger::Ledger;
use runcord_model::{AgentName, PersonName};
use runcord_runtime::settings::{Options, Settings, login};
use runcord_runtime::{authority, clock};
use serde::Serialize;
use serde_json::json;

use crate::activate::{self, Set};
use crate::around::keys_folder;
use crate::failure::Failure;
use crate::files;
use crate::keys::{self, KeyArgs};
use crate::output::{Answer, Mood, columns, word};
use crate::sign::{self, Passphrase};
use crate::terminal::{Terminal, ask, terminal};
use crate::{servers, snapshot};

use place::Place;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first approver: a person other than you, unless you use a security key
    #[arg(long, value_name = "NAME")]
    approver: Option<PersonName>,
    /// The approver's public key [default: a new ed25519 key in the folder `keys` beside the configuration file]
    #[arg(long, value_name = "FILE.pub")]
    key: Option<PathBuf>,
    /// The agent that this installation serves [default: agent]
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// Make the new key without a passphrase: then whoever can read its file can approve
    #[arg(long)]
    no_passphrase: bool,
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  runcord init --approver ana                              make a key for ana; ssh-keygen asks for its passphrase
  runcord init --approver ana --key ana.pub                ana has a key: in a file, in the ssh-agent, or a security key
  runcord init --approver ana --agent claude --policy ./policy";

/// One thing that init looked after.
#[derive(Debug, Serialize)]
struct Step {
    what: &'static str,
    state: Made,
    says: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Made {
    Made,
    There,
}

/// What was looked after, and what the person has to know.
#[derive(Debug, Default)]
struct Told {
    steps: Vec<Step>,
    warnings: Vec<String>,
}

impl Told {
    fn step(&mut self, what: &'static str, state: Made, says: impl Into<String>) {
        self.steps.push(Step { what, state, says: says.into() });
    }
}

pub(crate) async fn run(args: &Args, options: &Options) -> Result<Answer, Failure> {
    // Everything that can be refused is, before the first file is written.
    sign::ssh_keygen()?;
    let place = Place::find(args.agent.as_ref(), options)?;
    let newcomer = newcomer(args, &place)?;
    let mut told = Told::default();
    place.write_config(&mut told)?;
    let settings = place.settings(options)?;
    policy_folder::write(
        &place,
        &login(),
        newcomer.as_ref().map(|new| &new.name),
        &settings.agent,
        &mut told,
    )?;
    if let Some(new) = &newcomer {
        enrol(new, &place, &mut told).await?;
    }
    let ledger = ledger(&settings, &mut told)?;
    let set = Set::of(&servers::library(&settings)?)?;
    first_authority(args, &settings, &ledger, &set, &mut told).await?;
    warn(&set, &settings, args.approver.as_ref(), &mut told);
    Ok(answer(&settings, &told))
}

/// Somebody who is to become the first approver.
struct Newcomer {
    name: PersonName,
    key: KeySource,
}

/// Where a newcomer's key comes from.
enum KeySource {
    /// Its public half is in this file.
    Given(PathBuf),
    /// `ssh-keygen` makes it.
    Make { file: PathBuf, passphrase: Passphrase },
}

/// Who is to become the first approver; nobody when there is one.
fn newcomer(args: &Args, place: &Place) -> Result<Option<Newcomer>, Failure> {
    if !keys::owners(&place.approvers_text()?).is_empty() {
        return Ok(None);
    }
    let name = match &args.approver {
        Some(name) => name.clone(),
        None if terminal() == Terminal::Absent => {
            return Err(Failure::usage(
                "the first approver has to be named",
                "runcord init --approver NAME; somebody other than you, since nobody approves what their own agent asks",
            ));
        }
        None => ask("Who is to approve (somebody other than you)?")?.parse().map_err(
            |error: runcord_model::id::BadName| {
                Failure::usage(error.to_string(), "run it again with another name")
            },
        )?,
    };
    let made = place.keys().join(name.as_str());
    let key = match &args.key {
        Some(file) => {
            keys::public_half(file)?;
            KeySource::Given(file.clone())
        }
        None if made.exists() => KeySource::Given(made),
        None => KeySource::Make { passphrase: passphrase(args)?, file: made },
    };
    Ok(Some(Newcomer { name, key }))
}

fn passphrase(args: &Args) -> Result<Passphrase, Failure> {
    match (args.no_passphrase, terminal()) {
        (true, Terminal::Present | Terminal::Absent) => Ok(Passphrase::None),
        (false, Terminal::Present) => Ok(Passphrase::Asked),
        (false, Terminal::Absent) => Err(Failure::usage(
            "there is no terminal to ask for the new key's passphrase",
            "name a key with --key FILE.pub, or say --no-passphrase: then whoever can read its file can approve",
        )),
    }
}

/// Makes the newcomer's key where there is none, and adds the line to `approvers` that lets them sign.
async fn enrol(new: &Newcomer, place: &Place, told: &mut Told) -> Result<(), Failure> {
    let file = match &new.key {
        KeySource::Given(file) => {
            told.step("key", Made::There, file.display().to_string());
            file.clone()
        }
        KeySource::Make { file, passphrase } => {
            files::private_folder(&place.keys())?;
            sign::make_key(file, new.name.as_str(), *passphrase).await?;
            told.step("key", Made::Made, file.display().to_string());
            if *passphrase == Passphrase::None {
                told.warnings.push(format!(
                    "The key of {} has no passphrase: whoever can read {} can approve. Give it one with `ssh-keygen -p -f {}`.",
                    new.name, file.display(), file.display()
                ));
            }
            file.clone()
        }
    };
    let line = format!(
        "{} namespaces=\"runcord-approval,runcord-authority\" {}\n",
        new.name,
        keys::public_half(&file)?
    );
    let mut text = place.approvers_text()?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    files::replace(&place.policy().join("approvers"), &(text + &line))?;
    told.step("approver", Made::Made, new.name.to_string());
    Ok(())
}

fn ledger(settings: &Settings, told: &mut Told) -> Result<Ledger, Failure> {
    let made = if settings.state.exists() { Made::There } else { Made::Made };
    let ledger = Ledger::open(&settings.state, clock::entropy()?)?;
    told.step(
        "ledger",
        made,
        format!("{}, installation {}", settings.state.display(), ledger.installation()),
    );
    Ok(ledger)
}

/// Signs the first authority; one that is there is left to `activate`.
async fn first_authority(
    args: &Args,
    settings: &Settings,
    ledger: &Ledger,
    set: &Set,
    told: &mut Told,
) -> Result<(), Failure> {
    if ledger.authority()?.is_some() {
        match authority::in_force(ledger, &set.loaded) {
            Ok(_) => told.step("authority", Made::There, "in force is what is loaded"),
            Err(refusal) => {
                told.step("authority", Made::There, refusal.message);
                told.warnings
                    .push("What is loaded is not in force: an approver runs `runcord activate`.".to_owned());
            }
        }
        return Ok(());
    }
    let who = KeyArgs { key: args.key.clone(), person: args.approver.clone() };
    let signer = keys::choose(&who, &set.approvers, &sign::at_hand(&keys_folder(settings)).await)?;
    let signed = activate::put_in_force(ledger, set, None, &signer, &clock::now()?).await?;
    snapshot::keep(&settings.state, &set.loaded.digests, &set.parts)?;
    told.step("authority", Made::Made, format!("signed by {}", signed.by));
    Ok(())
}

/// What would keep the first plan from being approved.
fn warn(set: &Set, settings: &Settings, asked_for: Option<&PersonName>, told: &mut Told) {
    let people = set.loaded.policies.people();
    let approvers: Vec<&PersonName> = people.approvers().collect();
    let me = people.person(&login()).ok();
    if approvers.len() == 1 && approvers.first().copied() == me.as_ref() {
        told.warnings.push(
            "You are the only approver, and your agent asks on your behalf: an ordinary key of yours cannot approve its plans. \
             Add a second person to people.yaml and approvers, or use a security key (ssh-keygen -t ed25519-sk); then `runcord activate`."
                .to_owned(),
        );
    }
    if let Some(name) = asked_for.filter(|name| !approvers.contains(name)) {
        told.warnings.push(format!(
            "{name} cannot approve yet: there was a policy folder already, and it is not changed. Add {name} to people.yaml (groups: [approvers]) and to approvers, then `runcord activate`."
        ));
    }
    if let Err(error) = set.loaded.policies.principal(&login(), settings.agent.as_str()) {
        let why = runcord_runtime::chain(&error);
        told.warnings.push(format!(
            "The server would not start: {why}. List the agent {} in people.yaml, then `runcord activate`.",
            settings.agent
        ));
    }
}

fn answer(settings: &Settings, told: &Told) -> Answer {
    let client = client::Client::of(&settings.config);
    let rows: Vec<[String; 3]> = told
        .steps
        .iter()
        .map(|step| {
            let state = match step.state {
                Made::Made => word(Mood::Good, "made"),
                Made::There => word(Mood::Quiet, "there"),
            };
            [state, step.what.to_owned(), step.says.clone()]
        })
        .collect();
    let mut page = columns(&rows);
    for warning in &told.warnings {
        page.push_str(&format!("\n\n{} {warning}", word(Mood::Bad, "Mind:")));
    }
    page.push_str(&format!("\n\n{}\n\nNext: runcord doctor", client.page()));
    let json = json!({
        "steps": told.steps, "warnings": told.warnings, "config": settings.config, "client": client.to_json(),
        "next": "runcord doctor",
    });
    Answer::done(page, json)
}

/// An absolute path, so that it means the same wherever the server is started.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| {
        Failure::surroundings(format!("cannot tell where {} is", path.display()), "name an absolute path")
            .because(error)
    })
}
