//! The action that only looks: what hosts report. Their words leave only under `untrusted`.

use std::collections::BTreeMap;

use runcord_model::{Refusal, Untrusted};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::actions::{Action, Play};
use crate::declared;
use crate::names::{GroupName, HostName, PlaybookName};
use crate::probe::{self, On, Prober};
use crate::ran::Ran;
use crate::refuse::{internal, precondition};
use crate::seen::Verified;
use crate::standing;
use crate::vet::Purpose;

/// Hosts of which a report is shown.
const LISTED: usize = 50;
/// Bytes of all reports together, and of the smallest that one is cut to.
const REPORTS: usize = 6 * 1024;
const SMALLEST: usize = 256;

/// What `read_playbook` returns.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The playbook.
    pub playbook: PlaybookName,
    /// The group that its hosts are in.
    pub group: GroupName,
    /// How many hosts were asked.
    pub asked: usize,
    /// How many of them answered in full.
    pub answered: usize,
    /// What each host reports; not always all: those that did not answer come first.
    pub hosts: Vec<HostAnswer>,
}

/// What one host reports.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct HostAnswer {
    /// The host.
    pub host: HostName,
    /// Whether it answered.
    pub answer: Answered,
    /// Its report as JSON, on one line, cut where it is long; or what it says of why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub untrusted: Option<Untrusted>,
}

/// Whether a host answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Answered {
    /// It did not, or not to the end.
    Unreachable,
    /// A task failed on it.
    Failed,
    /// In full.
    Whole,
}

/// Carries out an action that only looks.
pub(crate) async fn read(prober: &Prober, action: &Action) -> Result<Value, Refusal> {
    let play = match action {
        Action::ReadPlaybook(play) => play,
        Action::RunPlaybook(_) | Action::TakeBack(_) => {
            return Err(internal("an action that changes hosts was asked to look"));
        }
    };
    serde_json::to_value(answer(prober, action, play).await?)
        .map_err(|_| internal("an answer could not be written"))
}

async fn answer(prober: &Prober, action: &Action, play: &Play) -> Result<Answer, Refusal> {
    let content = prober.contents.assemble(&prober.project).await?;
    let declared = declared::playbook(&prober.policy, action)?;
    let session = prober.tool.at(&content, &declared);
    let given = declared::given(play, &declared, &content)?;
    let (inventory, version) =
        tokio::try_join!(prober.inventory(session, &declared, &content), prober.tool.version())?;
    let named = play.host.clone().map(|host| [host].into());
    let hosts = inventory
        .choose(&play.group, named.as_ref())
        .map_err(|why| precondition(why.to_string(), "Look into the inventory that playbooks.yaml names."))?;
    prober.vetted(session, &content, &declared, &version, &declared.playbook, Purpose::Reads).await?;
    let now = probe::now()?;
    let none = BTreeMap::new();
    let on = On {
        content: &content,
        declared: &declared,
        inventory: &inventory,
        hosts: &hosts,
        given: &given,
        pinned: &none,
        planned: now,
        since: now,
    };
    let ran = prober.read(on, &declared.playbook, &play.tags).await?;
    Ok(told(play, &hosts, &ran, &probe::cleaner(on)))
}

fn told(play: &Play, hosts: &[HostName], ran: &Ran, cleaner: &runcord_model::text::Cleaner) -> Answer {
    let mut answers: Vec<_> = standing::verified(hosts, ran)
        .into_iter()
        .map(|(host, verified)| {
            let answer = match verified {
                Verified::Holds => Answered::Whole,
                Verified::Fails => Answered::Failed,
                Verified::Unknown => Answered::Unreachable,
            };
            (answer, host)
        })
        .collect();
    answers.sort();
    let answered = answers.iter().filter(|(answer, _)| *answer == Answered::Whole).count();
    let limit = (REPORTS / answers.len().clamp(1, LISTED)).max(SMALLEST);
    let of_host = |(answer, host): (Answered, HostName)| {
        let said = match answer {
            Answered::Whole => ran.reports.get(&host).map(Value::to_string),
            Answered::Failed | Answered::Unreachable => why(ran, &host),
        };
        HostAnswer { answer, untrusted: said.map(|said| cleaner.clean(&said, limit)), host }
    };
    Answer {
        playbook: play.playbook.clone(),
        group: play.group.clone(),
        asked: hosts.len(),
        answered,
        hosts: answers.into_iter().take(LISTED).map(of_host).collect(),
    }
}

fn why(ran: &Ran, host: &HostName) -> Option<String> {
    let mut failed = ran.failed().filter(|(failed, ..)| *failed == host);
    failed.find_map(|(_, task, on)| on.message.as_ref().map(|message| format!("{}: {message}", task.name)))
}
