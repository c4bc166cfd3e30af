//! Looks at hosts. A look runs the playbook in check mode: nothing else tells what would change. Checking changes nothing but
//! our own files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use runcord_model::text::Cleaner;
use runcord_model::{Digest, Refusal};
use runcord_runtime::mask::MaskFile;
use runcord_runtime::settings::Origin;
use serde_json::{Value, json};

use crate::actions::{Action, Play, TakeBack};
use crate::content::{Content, Contents, HostsFrom};
use crate::declared;
use crate::desk::Desk;
use crate::inventory::{Inventory, Share, Unusable};
use crate::names::{GroupName, HostName, LookId, ModuleFqcn, VariableName};
use crate::normalise::Normalise;
use crate::playbooks::{Playbook, Source, Variable};
use crate::ran::Ran;
use crate::refuse::{internal, not_declared, precondition, unusable};
use crate::seen::{Look, RestsOn, Standing};
use crate::standing;
use crate::tool::{Mode, Run, Session, Tool};
use crate::vars::{self, Around, Privileged};
use crate::vet::{Finding, Modules, Purpose, Question, Vetted, loaded, vet};

/// How long a look, or a verification, may take.
const LOOKING: Duration = Duration::from_secs(15 * 60);
/// How long one of its tasks may.
const LOOKING_TASK: Duration = Duration::from_secs(5 * 60);

type Pins = BTreeMap<HostName, BTreeMap<VariableName, Vec<String>>>;

/// What looks.
#[derive(Debug)]
pub(crate) struct Prober {
    pub(crate) tool: Tool,
    /// The folder of the project: absolute, without links.
    pub(crate) project: PathBuf,
    pub(crate) policy: Origin,
    pub(crate) contents: Contents,
    pub(crate) desk: Desk,
    pub(crate) mask: MaskFile,
}

/// Hosts, and all that Ansible is given to run on exactly these.
#[derive(Debug, Clone, Copy)]
pub(crate) struct On<'a> {
    pub(crate) content: &'a Content,
    pub(crate) declared: &'a Playbook,
    pub(crate) inventory: &'a Inventory,
    pub(crate) hosts: &'a [HostName],
    pub(crate) given: &'a BTreeMap<VariableName, Value>,
    pub(crate) pinned: &'a Pins,
    /// When it was looked, and when the run began, in seconds since 1970.
    pub(crate) planned: i64,
    pub(crate) since: i64,
}

/// What a step comes to before any host was asked.
struct Meant {
    declared: Playbook,
    source: Source,
    verify: Option<Source>,
    given: BTreeMap<VariableName, Value>,
    /// The hosts by name; none where all of the group are meant.
    named: Option<BTreeSet<HostName>>,
    /// What each host is given, where that is known already.
    pinned: Option<Pins>,
}

impl Prober {
    /// Looks at what one step is concerned with, as things are now.
    pub(crate) async fn look(&self, action: &Action) -> Result<Look, Refusal> {
        let content = self.contents.assemble(&self.project).await?;
        let meant = self.meant(action, &content)?;
        let declared = &meant.declared;
        let session = self.tool.at(&content, declared);
        let (inventory, version) =
            tokio::try_join!(self.inventory(session, declared, &content), self.tool.version())?;
        let hosts = inventory.choose(action.group(), meant.named.as_ref()).map_err(|why| {
            precondition(why.to_string(), "Look into the inventory that playbooks.yaml names.")
        })?;
        // Vetted before anything of it runs, in check mode too.
        let vetted =
            self.vetted(session, &content, declared, &version, &meant.source, Purpose::Changes).await?;
        if let Some(verify) = &meant.verify {
            self.vetted(session, &content, declared, &version, verify, Purpose::Reads).await?;
        }
        let at = now()?;
        let none = Pins::new();
        let on = On {
            content: &content,
            declared,
            inventory: &inventory,
            hosts: &hosts,
            given: &meant.given,
            pinned: &none,
            planned: at,
            since: at,
        };
        let pinned = match meant.pinned {
            Some(pinned) => only_of(pinned, &hosts),
            None => self.pinned(on, session, &version).await?,
        };
        let on = On { pinned: &pinned, ..on };
        let checked = self.check(on, action, &meant.source).await?;
        let inventory_mark = self.mask.open()?.digest(&inventory.of_hosts(&hosts));
        Ok(Look {
            action: action.clone(),
            id: fresh()?,
            source: meant.source,
            verify: meant.verify,
            rests_on: RestsOn { content: content.digest.clone(), inventory: inventory_mark, version },
            shares: shares(&inventory, declared, action, &hosts),
            given: meant.given.clone(),
            pinned,
            at,
            vetted,
            checked,
            standing: Standing::default(),
            hosts,
            declared: meant.declared,
        })
    }

    fn meant(&self, action: &Action, content: &Content) -> Result<Meant, Refusal> {
        let declared = declared::playbook(&self.policy, action)?;
        match action {
            Action::RunPlaybook(play) | Action::ReadPlaybook(play) => self.meant_by(play, declared, content),
            Action::TakeBack(back) => self.meant_back(back, declared),
        }
    }

    fn meant_by(&self, play: &Play, declared: Playbook, content: &Content) -> Result<Meant, Refusal> {
        Ok(Meant {
            source: declared.playbook.clone(),
            verify: declared.verification(),
            given: declared::given(play, &declared, content)?,
            named: play.host.clone().map(|host| BTreeSet::from([host])),
            pinned: None,
            declared,
        })
    }

    /// The hosts that a run has touched, and what it gave them.
    fn meant_back(&self, back: &TakeBack, declared: Playbook) -> Result<Meant, Refusal> {
        let source = declared.way_back().ok_or_else(|| {
            not_declared(
                format!("playbook: {} has no way back", back.playbook),
                "Look at the hosts, and choose the runbook that mends what you see.",
            )
        })?;
        let begun = self.desk.begun(&back.look).map_err(|_| internal("what a run did cannot be read"))?;
        let mask = self.mask.open()?;
        let mut standing = Standing::default();
        let mut pinned = Pins::new();
        let mut given = None;
        for (number, one) in begun {
            standing.batches.insert(number, standing::batch(&one, mask));
            let act = one.record.act;
            if act.action.playbook() != &back.playbook || act.action.group() != &back.group {
                return Err(not_declared(
                    "look: it is another playbook's or group's",
                    "Use undo_plan on the run.",
                ));
            }
            pinned.extend(act.pinned);
            given = Some(act.given);
        }
        let touched: BTreeSet<HostName> = standing.touched().cloned().collect();
        let given = given.filter(|_| !touched.is_empty()).ok_or_else(|| {
            precondition(
                "no host is known that the run has changed",
                "There is nothing to take back; look at the hosts with a runbook that only looks.",
            )
        })?;
        Ok(Meant { declared, source, verify: None, given, named: Some(touched), pinned: Some(pinned) })
    }

    /// The inventory, asked once.
    pub(crate) async fn inventory(
        &self,
        session: Session<'_>,
        declared: &Playbook,
        content: &Content,
    ) -> Result<Inventory, Refusal> {
        let from = content.hosts_from(&declared.inventory);
        if from == HostsFrom::Nowhere {
            return Err(precondition(
                format!("the project has no inventory {}", declared.inventory),
                "Put it there, or mend playbooks.yaml.",
            ));
        }
        // As it reads what lies beside the playbook, Ansible would load code from there too.
        if let source @ Source::Project(_) = &declared.playbook {
            let code = loaded(&content.to_vet(source).1);
            if !code.is_empty() {
                return Err(may_not_run(&code.iter().collect::<Vec<_>>()));
            }
        }
        let unusable = |why: Unusable| precondition(why.to_string(), "Mend the inventory, then plan again.");
        let inventory =
            Inventory::parse(&session.inventory(&declared.inventory, from).await?).map_err(unusable)?;
        match from {
            HostsFrom::Files | HostsFrom::Nowhere => Ok(inventory),
            HostsFrom::Elsewhere => inventory.distrusted().map_err(unusable),
        }
    }

    /// Vets a playbook with all that it includes; nothing of it runs before that, and nothing at all if something is found
    /// that is not let through.
    pub(crate) async fn vetted(
        &self,
        session: Session<'_>,
        content: &Content,
        declared: &Playbook,
        version: &str,
        source: &Source,
        purpose: Purpose,
    ) -> Result<Vetted, Refusal> {
        let (path, files) = content.to_vet(source);
        let missing = || {
            precondition(
                "a playbook that playbooks.yaml names is not there",
                "Put it into the project, or mend playbooks.yaml.",
            )
        };
        let playbook = path.parse().map_err(|_| missing())?;
        if !files.contains_key(&path) {
            return Err(missing());
        }
        let (enumerated, named) = (declared.enumerated(), declared.named_tasks());
        let named = if *source == declared.playbook { named } else { BTreeSet::new() };
        let question = |modules| {
            vet(&Question {
                files: &files,
                playbook: &playbook,
                modules,
                purpose,
                enumerated: &enumerated,
                named: &named,
            })
        };
        let none = Modules::default();
        let used: BTreeSet<ModuleFqcn> = question(&none).tasks.into_iter().map(|task| task.module).collect();
        let modules = self.modules(session, version, &content.digest, &used).await?;
        let vetted = question(&modules);
        let refused = vetted.refused(declared);
        if refused.is_empty() { Ok(vetted) } else { Err(may_not_run(&refused)) }
    }

    /// What these modules say of themselves. They are asked once for each Ansible and content.
    async fn modules(
        &self,
        session: Session<'_>,
        version: &str,
        content: &Digest,
        used: &BTreeSet<ModuleFqcn>,
    ) -> Result<Modules, Refusal> {
        let of_project = |module: &ModuleFqcn| !module.as_str().starts_with("ansible.builtin.");
        // Those that come with Ansible say the same whatever the project is.
        let content = used.iter().any(of_project).then_some(content);
        let key = json!([version, self.tool.venv(), content, used]).to_string();
        let name = crate::content::hexadecimal(key.as_bytes());
        let parse = |said: &[u8]| Modules::parse(&String::from_utf8_lossy(said)).ok();
        if let Some(known) = self.desk.modules(&name).and_then(|said| parse(&said)) {
            return Ok(known);
        }
        let said = session.documented(used).await?;
        let known = parse(&said).ok_or_else(|| {
            unusable(
                "the documentation of modules is not in the form that is known",
                "Run `ansible-doc -j` to see why.",
            )
        })?;
        self.desk.keep_modules(&name, &said);
        Ok(known)
    }

    /// What the hosts report of what is pinned.
    async fn pinned(&self, on: On<'_>, session: Session<'_>, version: &str) -> Result<Pins, Refusal> {
        let mut pins = Pins::new();
        let mut reports: BTreeMap<&Source, Ran> = BTreeMap::new();
        for (name, variable) in &on.declared.variables {
            let Variable::Pinned(pinned) = variable else { continue };
            if !reports.contains_key(&pinned.by) {
                self.vetted(session, on.content, on.declared, version, &pinned.by, Purpose::Reads).await?;
                let ran = self.read(on, &pinned.by, &BTreeSet::new()).await?;
                reports.insert(&pinned.by, ran);
            }
            let Some(ran) = reports.get(&pinned.by) else { continue };
            for host in on.hosts {
                let values = ran.reports.get(host).and_then(|report| named_versions(report, &pinned.fields));
                let values = values.filter(|values| !values.is_empty()).ok_or_else(|| {
                    precondition(
                        format!("host {host} does not report what is to be pinned of {name}"),
                        "Look at the host with a runbook that only looks.",
                    )
                })?;
                pins.entry(host.clone()).or_default().insert(name.clone(), values);
            }
        }
        Ok(pins)
    }

    /// The playbook in check mode on exactly these hosts, which Ansible has to list too.
    async fn check(&self, on: On<'_>, action: &Action, source: &Source) -> Result<Ran, Refusal> {
        let tags = match action {
            Action::RunPlaybook(play) | Action::ReadPlaybook(play) => play.tags.clone(),
            Action::TakeBack(_) => BTreeSet::new(),
        };
        let files = self.files(on)?;
        let session = self.tool.at(on.content, on.declared);
        let playbook = on.content.playbook(source);
        let run = Run {
            playbook: &playbook,
            inventory: files.inventory.path(),
            variables: files.variables.path(),
            tags: &tags,
            mode: Mode::Check,
            task: LOOKING_TASK,
            events: files.events.path(),
        };
        let check = async { session.run(&run, LOOKING).await.map_err(|error| unfinished(&error)) };
        let (listed, _) = tokio::try_join!(session.list_hosts(&run), check)?;
        if listed != on.hosts.iter().cloned().collect() {
            return Err(precondition(
                "Ansible would run the playbook on other hosts than those of the inventory that were chosen",
                "Let every play of it have `hosts: all`: it is given exactly the hosts of the run.",
            ));
        }
        self.ran(on, &files)
    }

    /// A playbook that only reads, for real, on exactly these hosts.
    pub(crate) async fn read(
        &self,
        on: On<'_>,
        source: &Source,
        tags: &BTreeSet<crate::names::Tag>,
    ) -> Result<Ran, Refusal> {
        let files = self.files(on)?;
        let session = self.tool.at(on.content, on.declared);
        let playbook = on.content.playbook(source);
        let run = Run {
            playbook: &playbook,
            inventory: files.inventory.path(),
            variables: files.variables.path(),
            tags,
            mode: Mode::Real,
            task: LOOKING_TASK,
            events: files.events.path(),
        };
        session.run(&run, LOOKING).await.map_err(|error| unfinished(&error))?;
        self.ran(on, &files)
    }

    fn ran(&self, on: On<'_>, files: &Files) -> Result<Ran, Refusal> {
        let text = match std::fs::read(files.events.path()) {
            Ok(text) => text,
            // It did not come as far as its first play.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(_) => return Err(internal("what Ansible said cannot be read")),
        };
        let normalise = Normalise::new(&on.declared.normalise);
        let folder = on.content.project();
        let folder = folder.parent().unwrap_or(&folder).to_string_lossy().into_owned();
        Ok(Ran::read(&text, &folder, &normalise, self.mask.open()?).cleaned(&cleaner(on)))
    }

    /// The files that Ansible is given. They are gone when these are dropped.
    pub(crate) fn files(&self, on: On<'_>) -> Result<Files, Refusal> {
        let unwritten = |_| internal("a temporary file cannot be written");
        let around = Around { hosts: on.hosts.len(), planned: on.planned, since: on.since };
        let privileged = if on.declared.as_root { Privileged::Yes } else { Privileged::No };
        let inventory = vars::inventory(on.inventory.of_hosts(on.hosts), on.pinned);
        Ok(Files {
            inventory: self.desk.written(".json", &inventory).map_err(unwritten)?,
            variables: self
                .desk
                .written(".json", &vars::variables(on.given, privileged, around))
                .map_err(unwritten)?,
            events: self.desk.scrap(".events.jsonl"),
        })
    }
}

/// What Ansible is given, and what it writes.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) inventory: runcord_content::Scrap,
    pub(crate) variables: runcord_content::Scrap,
    events: runcord_content::Scrap,
}

/// A playbook with these findings, one at least, may not run.
fn may_not_run(findings: &[&Finding]) -> Refusal {
    let (first, more) = match findings {
        [] => (String::new(), String::new()),
        [only] => (only.to_string(), String::new()),
        [first, more @ ..] => (first.to_string(), format!(", and {} more findings", more.len())),
    };
    let instead = findings.first().map_or("Mend it.", |first| first.kind.rule().instead);
    precondition(format!("the playbook may not run: {first}{more}"), instead)
        .with_details(json!({"findings": findings.iter().map(ToString::to_string).collect::<Vec<_>>()}))
}

fn unfinished(error: &runcord_exec::ExecError) -> Refusal {
    tracing::error!(error = error as &dyn std::error::Error, "Ansible did not come to its end");
    unusable("Ansible did not come to its end", "Look which host does not answer, then plan again.")
}

/// How much of each declared group is touched. One of a single host, such as the first of a group, says nothing of how many
/// are left to go on, unless it is the one that is named.
fn shares(
    inventory: &Inventory,
    declared: &Playbook,
    action: &Action,
    hosts: &[HostName],
) -> BTreeMap<GroupName, Share> {
    let mut shares = inventory.shares(&declared.groups, hosts);
    shares.retain(|group, share| share.of > 1 || group == action.group());
    shares
}

/// It knows the credentials of the hosts, and those that Ansible is given in its environment.
pub(crate) fn cleaner(on: On<'_>) -> Cleaner {
    let mut cleaner = Cleaner::default();
    on.inventory.credentials(on.hosts).iter().for_each(|secret| cleaner.learn(secret));
    let given = on.declared.environment.iter().filter_map(|name| std::env::var(name).ok());
    given.for_each(|secret| cleaner.learn(&secret));
    cleaner
}

fn only_of(pinned: Pins, hosts: &[HostName]) -> Pins {
    pinned.into_iter().filter(|(host, _)| hosts.contains(host)).collect()
}

/// `NAME=VERSION` of every name in these fields of a report; of a name the first field counts that has it.
fn named_versions(report: &Value, fields: &[String]) -> Option<Vec<String>> {
    let mut found: BTreeMap<&str, &str> = BTreeMap::new();
    for field in fields {
        for (name, version) in report.get(field)?.as_object()? {
            found.entry(name).or_insert(version.as_str()?);
        }
    }
    Some(found.into_iter().map(|(name, version)| format!("{name}={version}")).collect())
}

/// An id that no other look has.
fn fresh() -> Result<LookId, Refusal> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| internal("there is no randomness"))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.parse().map_err(|_| internal("an id is not of its grammar"))
}

/// In seconds since 1970.
pub(crate) fn now() -> Result<i64, Refusal> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.ok().and_then(|since| i64::try_from(since.as_secs()).ok());
    since.ok_or_else(|| internal("the clock stands before 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_name_the_first_field_counts_that_has_it() {
        let report = json!({"newer": {"a": "2"}, "installed": {"a": "1", "b": "1"}});
        let fields = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(named_versions(&report, &fields(&["newer", "installed"])).unwrap(), ["a=2", "b=1"]);
        assert_eq!(named_versions(&report, &fields(&["installed"])).unwrap(), ["a=1", "b=1"]);
        assert_eq!(named_versions(&report, &fields(&["other"])), None);
        assert_eq!(named_versions(&json!({"x": {"a": 1}}), &fields(&["x"])), None);
    }

    #[test]
    fn no_two_looks_have_one_id() {
        assert_ne!(fresh().unwrap(), fresh().unwrap());
    }
}
