//! Policy as text: the files of a set, and the set that ships.

use runcord_model::Digest;

/// The files of a policy set, each as (name, text). Reading them is the caller's task.
#[derive(Debug, Clone)]
pub struct Source {
    /// The rules: every `*.cedar` file.
    pub rules: Vec<(String, String)>,
    /// `schema.cedarschema`: what rules may speak of.
    pub schema: (String, String),
    /// `people.yaml`: people, groups, agents and their sponsors.
    pub people: (String, String),
    /// `approvers`: OpenSSH allowed_signers. Only its column of names is read here; keys are the verifier's matter.
    pub approvers: (String, String),
    /// `targets.yaml`: what targets are called, and how much care they ask for.
    pub targets: (String, String),
    /// The digest of all of them.
    pub digest: Digest,
}

/// The policy set that ships, as (name, text): a complete policy folder.
pub fn shipped_files() -> &'static [(&'static str, &'static str)] {
    &[
        ("00-who.cedar", include_str!("../rules/00-who.cedar")),
        ("10-off-limits.cedar", include_str!("../rules/10-off-limits.cedar")),
        ("20-blast.cedar", include_str!("../rules/20-blast.cedar")),
        ("25-terraform.cedar", include_str!("../rules/25-terraform.cedar")),
        ("27-ansible.cedar", include_str!("../rules/27-ansible.cedar")),
        ("30-actions.cedar", include_str!("../rules/30-actions.cedar")),
        ("approvers", include_str!("../rules/approvers")),
        ("modules.yaml", include_str!("../rules/modules.yaml")),
        ("people.yaml", include_str!("../rules/people.yaml")),
        ("schema.cedarschema", include_str!("../rules/schema.cedarschema")),
        ("targets.yaml", include_str!("../rules/targets.yaml")),
    ]
}

/// The policy set that ships. `digest` is the digest of [`shipped_files`], which this crate does not compute.
pub fn shipped(digest: Digest) -> Source {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let named = |wanted: &str| {
        let found = shipped_files().iter().find(|(name, _)| *name == wanted);
        found.map_or_else(|| (wanted.to_owned(), String::new()), owned)
    };
    Source {
        rules: shipped_files().iter().filter(|(name, _)| name.ends_with(".cedar")).map(owned).collect(),
        schema: named("schema.cedarschema"),
        people: named("people.yaml"),
        approvers: named("approvers"),
        targets: named("targets.yaml"),
        digest,
    }
}
