//! `people.yaml` and the names in `approvers`: who there is, who may ask for whom, and who may approve.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::{AgentName, PersonName, Principal};
use serde::Deserialize;

use crate::problem::{Problem, Text, nearest};

/// Who there is.
#[derive(Debug, Clone, Default)]
pub struct People {
    pub(crate) people: BTreeMap<PersonName, Person>,
    pub(crate) agents: BTreeMap<AgentName, Agent>,
    /// Groups with a word about each; empty when the file declares none.
    declared: BTreeMap<String, String>,
    may_approve: BTreeMap<PersonName, Keys>,
}

/// How the keys in `approvers` are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    Ordinary,
    /// At least one security key among them.
    Security,
}

/// A person who is listed.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    login: String,
    pub(crate) groups: BTreeSet<String>,
}

/// An agent, and on whose behalf it may ask.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub(crate) groups: BTreeSet<String>,
    sponsors: Sponsors,
}

#[derive(Debug, Clone)]
enum Sponsors {
    Any,
    Only(BTreeSet<PersonName>),
}

/// Why nobody can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPrincipal {
    /// The operating-system user's name cannot be a person's.
    #[error("the operating-system user's name is not a person's name")]
    Login(#[source] runcord_model::id::BadName),
    /// The user bears the name of a listed person who logs in under another one.
    #[error("the operating-system user bears the name of somebody else in people.yaml")]
    SomebodyElse,
    /// No such agent is listed.
    #[error("no such agent in people.yaml")]
    Agent,
    /// The agent may not ask on this person's behalf.
    #[error("people.yaml does not let this agent ask on this person's behalf")]
    Sponsor,
}

impl People {
    /// The agent `agent` on behalf of the operating-system user `os_user`.
    ///
    /// # Errors
    /// The agent is not listed, or may not ask on that person's behalf.
    pub fn principal(&self, os_user: &str, agent: &str) -> Result<Principal, UnknownPrincipal> {
        let sponsor = self.person(os_user)?;
        let requester: AgentName = agent.parse().map_err(|_| UnknownPrincipal::Agent)?;
        let principal = Principal { requester, sponsor };
        self.recognise(&principal)?;
        Ok(principal)
    }

    /// The person of an operating-system user: the listed one who logs in so, else one of that name without groups.
    ///
    /// # Errors
    /// The name is no person's, or a listed person's who logs in under another one.
    pub fn person(&self, os_user: &str) -> Result<PersonName, UnknownPrincipal> {
        if let Some((name, _)) = self.people.iter().find(|(_, person)| person.login == os_user) {
            return Ok(name.clone());
        }
        let name: PersonName = os_user.parse().map_err(UnknownPrincipal::Login)?;
        if self.people.contains_key(&name) {
            return Err(UnknownPrincipal::SomebodyElse);
        }
        Ok(name)
    }

    /// Everybody who is listed and stands in `approvers`.
    pub fn approvers(&self) -> impl Iterator<Item = &PersonName> {
        self.may_approve.keys().filter(|name| self.people.contains_key(*name))
    }

    /// Whoever stands in `approvers` but is not listed, so that their approval counts for nothing.
    pub fn unlisted_approvers(&self) -> impl Iterator<Item = &PersonName> {
        self.may_approve.keys().filter(|name| !self.people.contains_key(*name))
    }

    /// Who could approve what is asked on behalf of `sponsor`: every approver, the sponsor only with a security key.
    pub(crate) fn approvers_for(&self, sponsor: &PersonName) -> impl Iterator<Item = &PersonName> {
        self.approvers()
            .filter(move |name| *name != sponsor || self.may_approve.get(*name) == Some(&Keys::Security))
    }

    /// The groups that a person is in; none for somebody who is not listed.
    pub fn groups_of(&self, person: &PersonName) -> impl Iterator<Item = &str> {
        self.people.get(person).into_iter().flat_map(|person| person.groups.iter().map(String::as_str))
    }

    /// The same agents with other people, all of their keys ordinary ones: for policy tests.
    pub(crate) fn with(
        &self,
        people: &BTreeMap<PersonName, BTreeSet<String>>,
        approvers: BTreeSet<PersonName>,
    ) -> Self {
        let person = |(name, groups): (&PersonName, &BTreeSet<String>)| {
            (name.clone(), Person { login: name.as_str().to_owned(), groups: groups.clone() })
        };
        Self {
            people: people.iter().map(person).collect(),
            may_approve: approvers.into_iter().map(|name| (name, Keys::Ordinary)).collect(),
            ..self.clone()
        }
    }

    /// Checks a principal that came from elsewhere, such as a plan made under an older file.
    pub(crate) fn recognise(&self, principal: &Principal) -> Result<&Agent, UnknownPrincipal> {
        let agent = self.agents.get(&principal.requester).ok_or(UnknownPrincipal::Agent)?;
        match &agent.sponsors {
            Sponsors::Any => Ok(agent),
            Sponsors::Only(people) if people.contains(&principal.sponsor) => Ok(agent),
            Sponsors::Only(_) => Err(UnknownPrincipal::Sponsor),
        }
    }

    /// Every group that the file names.
    pub(crate) fn groups(&self) -> BTreeSet<&str> {
        let of_people = self.people.values().flat_map(|person| &person.groups);
        let of_agents = self.agents.values().flat_map(|agent| &agent.groups);
        of_people.chain(of_agents).chain(self.declared.keys()).map(String::as_str).collect()
    }

    pub(crate) fn parse(people: &Text<'_>, approvers: &Text<'_>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let may_approve = names_of_approvers(approvers, &mut problems);
        let read = serde_saphyr::from_str::<File>(people.text).map_err(|e| Problem::from_yaml(people, &e));
        match read {
            Ok(read) => {
                let found = Self { may_approve, ..read.into_people() };
                found.check(people, &mut problems);
                if problems.is_empty() { Ok(found) } else { Err(problems) }
            }
            Err(problem) => {
                problems.push(problem);
                Err(problems)
            }
        }
    }

    fn check(&self, file: &Text<'_>, problems: &mut Vec<Problem>) {
        let mut logins = BTreeSet::new();
        for (name, person) in &self.people {
            if !logins.insert(&person.login) {
                let message = format!("a second person with the login of `{name}`");
                problems.push(Problem::at(file, file.find(name.as_str()), message));
            }
        }
        if !self.declared.is_empty() {
            for group in self.groups().into_iter().filter(|group| !self.declared.contains_key(*group)) {
                let mut problem =
                    Problem::at(file, file.find(group), format!("group `{group}` is not declared"));
                problem.hint = nearest(group, self.declared.keys().map(String::as_str))
                    .or_else(|| Some("declare it under `groups`".to_owned()));
                problems.push(problem);
            }
        }
    }
}

/// The first column of allowed_signers: names, separated by commas, and whether a security key stands on the line.
/// Patterns are refused, since an approval is one person's.
fn names_of_approvers(file: &Text<'_>, problems: &mut Vec<Problem>) -> BTreeMap<PersonName, Keys> {
    let security = ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"];
    let mut names = BTreeMap::new();
    let mut offset = 0;
    for line in file.text.split_inclusive('\n') {
        let wanted = line.trim();
        if !wanted.is_empty() && !wanted.starts_with('#') {
            let is_security = wanted.split_ascii_whitespace().skip(1).any(|word| security.contains(&word));
            for name in wanted.split_ascii_whitespace().next().unwrap_or("").split(',') {
                match name.parse() {
                    Ok(name) => {
                        let keys = names.entry(name).or_insert(Keys::Ordinary);
                        if is_security {
                            *keys = Keys::Security;
                        }
                    }
                    Err(error) => {
                        let error: runcord_model::id::BadName = error;
                        problems.push(Problem::at(file, offset, "not a person's name").with_hint(error.rule));
                    }
                }
            }
        }
        offset += line.len();
    }
    names
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    groups: BTreeMap<String, String>,
    #[serde(default)]
    people: BTreeMap<PersonName, PersonEntry>,
    #[serde(default)]
    agents: BTreeMap<AgentName, AgentEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonEntry {
    login: Option<String>,
    #[serde(default)]
    groups: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentEntry {
    #[serde(default)]
    groups: BTreeSet<String>,
    sponsors: SponsorsEntry,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`any`, or a list of people")]
enum SponsorsEntry {
    Word(AnyWord),
    List(BTreeSet<PersonName>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum AnyWord {
    Any,
}

impl File {
    fn into_people(self) -> People {
        let person = |(name, entry): (PersonName, PersonEntry)| {
            let login = entry.login.unwrap_or_else(|| name.as_str().to_owned());
            (name, Person { login, groups: entry.groups })
        };
        let agent = |(name, entry): (AgentName, AgentEntry)| {
            let sponsors = match entry.sponsors {
                SponsorsEntry::Word(AnyWord::Any) => Sponsors::Any,
                SponsorsEntry::List(people) => Sponsors::Only(people),
            };
            (name, Agent { groups: entry.groups, sponsors })
        };
        People {
            people: self.people.into_iter().map(person).collect(),
            agents: self.agents.into_iter().map(agent).collect(),
            declared: self.groups,
            may_approve: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(people: &str, approvers: &str) -> Result<People, Vec<Problem>> {
        People::parse(
            &Text { name: "people.yaml", text: people },
            &Text { name: "approvers", text: approvers },
        )
    }

    const PEOPLE: &str = "people: {ann: {login: a1, groups: [approvers]}, bob: {}}\n\
                          agents: {agent: {groups: [agents], sponsors: any}, picky: {sponsors: [bob]}}\n";

    #[test]
    fn the_kernel_says_who_and_people_yaml_says_for_whom() {
        let people = parse(PEOPLE, "").unwrap();
        assert_eq!(people.principal("a1", "agent").unwrap().sponsor.as_str(), "ann");
        assert_eq!(people.principal("bob", "picky").unwrap().sponsor.as_str(), "bob");
        assert_eq!(
            people.principal("carl", "agent").unwrap().sponsor.as_str(),
            "carl",
            "not listed: no groups"
        );
        assert_eq!(people.principal("a1", "picky"), Err(UnknownPrincipal::Sponsor));
        assert_eq!(people.principal("a1", "nobody"), Err(UnknownPrincipal::Agent));
        assert!(matches!(people.principal("DOM\\u", "agent"), Err(UnknownPrincipal::Login(_))));
    }

    #[test]
    fn nobody_becomes_a_listed_person_by_bearing_their_name() {
        let people = parse(PEOPLE, "").unwrap();
        assert_eq!(people.principal("ann", "agent"), Err(UnknownPrincipal::SomebodyElse));
    }

    #[test]
    fn approvers_are_names_that_are_listed() {
        let people =
            parse(PEOPLE, "# keys\n\nann ssh-ed25519 AAAA\ncarl,bob namespaces=\"x\" ssh-ed25519 AAAA")
                .unwrap();
        assert_eq!(people.approvers().map(PersonName::as_str).collect::<Vec<_>>(), ["ann", "bob"]);
        assert_eq!(people.unlisted_approvers().map(PersonName::as_str).collect::<Vec<_>>(), ["carl"]);
        for pattern in ["* ssh-ed25519 AAAA", "!ann ssh-ed25519 AAAA", "\"ann\" ssh-ed25519 AAAA"] {
            assert_eq!(parse(PEOPLE, pattern).unwrap_err().len(), 1, "{pattern}");
        }
    }

    #[test]
    fn a_sponsor_could_approve_only_with_a_security_key() {
        let key = |kind: &str| format!("ann {kind} AAAA\nbob ssh-ed25519 AAAA");
        let could = |approvers: &str| -> Vec<String> {
            let people = parse(PEOPLE, approvers).unwrap();
            people.approvers_for(&"ann".parse().unwrap()).map(ToString::to_string).collect()
        };
        assert_eq!(could(&key("ssh-ed25519")), ["bob"]);
        assert_eq!(could(&key("sk-ssh-ed25519@openssh.com")), ["ann", "bob"]);
    }

    #[test]
    fn mistakes_are_found_where_they_are() {
        for (text, says) in [
            ("people: {ann: {login: x}, bob: {login: x}}", "second person"),
            ("groups: {sre: on call}\npeople: {ann: {groups: [srr]}}", "`srr` is not declared"),
            ("people: {ann: {grops: []}}", "grops"),
            ("agents: {agent: {sponsors: everybody}}", "any"),
            ("agents: {agent: {groups: []}}", "sponsors"),
            ("people: {ann: {}, ann: {}}", "duplicate"),
        ] {
            let problems = parse(text, "").unwrap_err();
            assert!(problems.iter().any(|p| p.message.contains(says)), "{text}: {problems:?}");
        }
    }
}
