//! Which key signs, and whose it is. Nothing here decides whether a signature counts: that is for the verifier.

use std::path::{Path, PathBuf};

use runcord_model::PersonName;

use crate::failure::Failure;

/// The options of every command that signs.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct KeyArgs {
    /// The key to sign with: its file, or its public half when the ssh-agent holds it [default: the one that init made, or the one in the ssh-agent, that stands in `approvers`]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Who signs [default: whoever the key stands for in `approvers`]
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) person: Option<PersonName>,
}

/// Who signs, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signer {
    pub(crate) person: PersonName,
    pub(crate) key: Key,
}

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// In this file, or in the agent when the file is its public half.
    File(PathBuf),
    /// In the agent: its public half, as OpenSSH writes it.
    Agent(String),
}

/// A line of `approvers`: a person, and the key that stands for them (`type blob`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) person: PersonName,
    pub(crate) key: String,
}

/// A key that could sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its public half (`type blob`).
    pub(crate) public: String,
    /// Where it is.
    pub(crate) key: Key,
}

/// The people and keys of an `approvers` text. Lines that cannot be read are passed over: the verifier refuses
/// the whole file for them.
pub(crate) fn owners(approvers: &str) -> Vec<Owner> {
    let owner = |line: &str| {
        let (person, rest) = line.split_once(char::is_whitespace)?;
        Some(Owner { person: person.parse().ok()?, key: public_part(rest)? })
    };
    approvers.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter_map(owner).collect()
}

/// `type blob` out of a public key's line, whatever stands before and after it.
pub(crate) fn public_part(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_type =
        |word: &&str| ["ssh-", "sk-ssh-", "sk-ecdsa-", "ecdsa-"].iter().any(|start| word.starts_with(start));
    let at = words.iter().position(is_type)?;
    Some(format!("{} {}", words.get(at)?, words.get(at + 1)?))
}

/// Chooses who signs and with what: the key that was named, or else the first candidate that stands in `approvers`.
///
/// # Errors
/// No key stands for anybody (or for the person named), or the candidates stand for several people.
pub(crate) fn choose(args: &KeyArgs, approvers: &str, candidates: &[Candidate]) -> Result<Signer, Failure> {
    let owners = owners(approvers);
    match &args.key {
        Some(file) => named(args, &owners, file),
        None => found(args, &owners, candidates),
    }
}

fn named(args: &KeyArgs, owners: &[Owner], file: &Path) -> Result<Signer, Failure> {
    let key = Key::File(file.to_owned());
    if let Some(person) = &args.person {
        return Ok(Signer { person: person.clone(), key });
    }
    let public = public_half(file)?;
    let owner = owners.iter().find(|owner| owner.key == public).ok_or_else(|| {
        Failure::refused(
            format!("the key {} stands for nobody in the approvers file", file.display()),
            "name another key with --key; a new approver is added to `approvers` and `people.yaml`, and put in force with `runcord activate`",
        )
    })?;
    Ok(Signer { person: owner.person.clone(), key })
}

fn found(args: &KeyArgs, owners: &[Owner], candidates: &[Candidate]) -> Result<Signer, Failure> {
    let mut signers = candidates.iter().filter_map(|candidate| {
        let owner = owners.iter().find(|owner| owner.key == candidate.public)?;
        let wanted = args.person.as_ref().is_none_or(|person| *person == owner.person);
        wanted.then(|| Signer { person: owner.person.clone(), key: candidate.key.clone() })
    });
    let Some(first) = signers.next() else {
        let who = args
            .person
            .as_ref()
            .map_or_else(|| "anybody in the approvers file".to_owned(), ToString::to_string);
        return Err(Failure::refused(
            format!("none of the keys at hand stands for {who}"),
            "name your key with --key FILE, or add it to your ssh-agent with `ssh-add`",
        ));
    };
    match signers.find(|other| other.person != first.person) {
        None => Ok(first),
        Some(other) => Err(Failure::usage(
            format!("keys of several people are at hand: {}, {}", first.person, other.person),
            "say who signs with --as NAME",
        )),
    }
}

/// The public half of a key file: of itself when it is one, else of the file beside it.
pub(crate) fn public_half(file: &Path) -> Result<String, Failure> {
    let public =
        if file.extension().is_some_and(|end| end == "pub") { file.to_owned() } else { beside(file) };
    let text = crate::files::read(&public)?;
    public_part(&text).ok_or_else(|| {
        Failure::refused(
            format!("{} holds no OpenSSH public key", public.display()),
            "name an ed25519, ed25519-sk, ecdsa-sk or ecdsa P-256 key made with ssh-keygen",
        )
    })
}

/// The keys of a folder, by their public halves. A folder that is not there holds none.
pub(crate) fn in_folder(folder: &Path) -> Vec<Candidate> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let candidate = |file: PathBuf| {
        let public = (file.extension()? == "pub").then(|| public_half(&file).ok()).flatten()?;
        Some(Candidate { public, key: Key::File(file) })
    };
    files.into_iter().filter_map(candidate).collect()
}

/// The keys that `ssh-add -L` listed.
pub(crate) fn listed_by_agent(listing: &str) -> Vec<Candidate> {
    let candidate = |line: &str| {
        let public = public_part(line)?;
        Some(Candidate { key: Key::Agent(public.clone()), public })
    };
    listing.lines().filter_map(candidate).collect()
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPROVERS: &str = "# keys\n\nana namespaces=\"runcord-approval\" ssh-ed25519 AAAAana laptop\nbob sk-ssh-ed25519@openssh.com AAAAbob\n";

    fn agent(lines: &str) -> Vec<Candidate> {
        listed_by_agent(lines)
    }

    #[test]
    fn owners_are_read_whatever_the_options() {
        let names: Vec<_> = owners(APPROVERS).into_iter().map(|o| (o.person.to_string(), o.key)).collect();
        let bob = "sk-ssh-ed25519@openssh.com AAAAbob".to_owned();
        assert_eq!(names, [("ana".to_owned(), "ssh-ed25519 AAAAana".to_owned()), ("bob".to_owned(), bob)]);
    }

    #[test]
    fn the_key_says_who_signs() {
        let signer =
            choose(&KeyArgs::default(), APPROVERS, &agent("ssh-ed25519 AAAAx y\nssh-ed25519 AAAAana z"))
                .unwrap();
        assert_eq!(signer.person.as_str(), "ana");
        assert_eq!(signer.key, Key::Agent("ssh-ed25519 AAAAana".into()));
    }

    #[test]
    fn several_people_are_not_guessed_between() {
        let both = agent("ssh-ed25519 AAAAana\nsk-ssh-ed25519@openssh.com AAAAbob");
        assert_eq!(choose(&KeyArgs::default(), APPROVERS, &both).unwrap_err().exit(), crate::Exit::Usage);
        let bob = KeyArgs { person: Some("bob".parse().unwrap()), ..KeyArgs::default() };
        assert_eq!(choose(&bob, APPROVERS, &both).unwrap().person.as_str(), "bob");
    }

    #[test]
    fn a_key_of_nobody_is_refused() {
        let failure = choose(&KeyArgs::default(), APPROVERS, &agent("ssh-ed25519 AAAAeve")).unwrap_err();
        assert_eq!(failure.exit(), crate::Exit::Refused);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("eve.pub");
        std::fs::write(&file, "ssh-ed25519 AAAAeve eve").unwrap();
        let args = KeyArgs { key: Some(file), person: None };
        assert_eq!(choose(&args, APPROVERS, &[]).unwrap_err().exit(), crate::Exit::Refused);
    }
}
