//! The policy folder: the files that ship, with the people of this installation in `people.yaml`.

use runcord_model::{AgentName, PersonName};

use super::place::Place;
use super::{Made, Told};
use crate::failure::Failure;
use crate::files::{self, Readers};

/// The line of the shipped `people.yaml` that takes the first people.
const NOBODY: &str = "people: {}\n";

/// Writes the files that are missing. Those that are there stay as they are, but for a `people.yaml` that still
/// lists nobody.
pub(super) fn write(
    place: &Place,
    login: &str,
    approver: Option<&PersonName>,
    agent: &AgentName,
    told: &mut Told,
) -> Result<(), Failure> {
    let folder = place.policy();
    files::private_folder(folder)?;
    let mut written = 0;
    for (name, text) in runcord_policy::shipped_files() {
        let file = folder.join(name);
        if let Some(above) = file.parent() {
            files::private_folder(above)?;
        }
        if !file.exists() {
            files::write_new(&file, text, Readers::Everybody)?;
            written += 1;
        }
    }
    if let Some(approver) = approver {
        let file = folder.join("people.yaml");
        let text = files::read(&file)?;
        if let Some(listed) = with_people(&text, login, approver, agent) {
            files::replace(&file, &listed)?;
        }
    }
    let made = if written == 0 { Made::There } else { Made::Made };
    told.step("policy", made, format!("{}, {written} files written", folder.display()));
    Ok(())
}

/// The text with the sponsor, the approver and the agent listed; none when somebody is listed already.
fn with_people(text: &str, login: &str, approver: &PersonName, agent: &AgentName) -> Option<String> {
    if !text.contains(NOBODY) {
        return None;
    }
    let mut people = format!("people:\n  \"{approver}\": {{groups: [approvers]}}\n");
    // A login that cannot be a person's name is left to the person who keeps the file.
    if let Ok(me) = login.parse::<PersonName>()
        && me != *approver
    {
        people.push_str(&format!("  \"{me}\": {{groups: []}}\n"));
    }
    let mut text = text.replacen(NOBODY, &people, 1);
    if !["agent", "claude"].contains(&agent.as_str()) {
        // `agents:` is the last key of the shipped file; the test below holds that.
        text.push_str(&format!("  \"{agent}\": {{groups: [agents], sponsors: any}}\n"));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use runcord_model::Digest;
    use runcord_policy::{Policies, shipped, shipped_files};

    use super::*;

    fn policies(people: String) -> Policies {
        let mut source = shipped(Digest::from_bytes([0; 32]));
        source.people.1 = people;
        source.approvers.1 = "ana ssh-ed25519 AAAA\n".to_owned();
        Policies::load(source).unwrap()
    }

    fn shipped_people() -> &'static str {
        shipped_files().iter().find(|(name, _)| *name == "people.yaml").unwrap().1
    }

    #[test]
    fn the_first_people_are_listed_as_policy_reads_them() {
        let (ana, codex) = ("ana".parse().unwrap(), "codex".parse().unwrap());
        let policies = policies(with_people(shipped_people(), "bo", &ana, &codex).unwrap());
        assert_eq!(policies.people().approvers().map(PersonName::as_str).collect::<Vec<_>>(), ["ana"]);
        assert_eq!(policies.people().groups_of(&ana).collect::<Vec<_>>(), ["approvers"]);
        assert_eq!(policies.principal("bo", "codex").unwrap().sponsor.as_str(), "bo");
    }

    #[test]
    fn names_that_yaml_would_read_as_something_else_are_names() {
        let odd = "true".parse().unwrap();
        let text = with_people(shipped_people(), "123", &odd, &"1.5".parse().unwrap()).unwrap();
        let policies = policies(text);
        assert_eq!(policies.people().groups_of(&odd).collect::<Vec<_>>(), ["approvers"]);
        assert!(policies.principal("123", "1.5").is_ok());
    }

    #[test]
    fn a_file_that_lists_somebody_is_left_alone() {
        let ana = "ana".parse().unwrap();
        assert!(with_people("people: {eve: {}}\n", "bo", &ana, &"agent".parse().unwrap()).is_none());
    }
}
