//! The playbooks that ship: nothing in them is denied, and what is doubted is known.

use std::fs;
use std::path::Path;

use super::*;

#[test]
fn the_playbooks_that_ship_are_vetted_and_hold_two_doubts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runbooks/ansible/playbooks");
    let files: BTreeMap<String, String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect();
    let mut doubts = Vec::new();
    for name in files.keys() {
        let looks = ["disk_usage.yml", "host_facts.yml", "service_status.yml"].contains(&name.as_str());
        let reads = looks || name.ends_with(".verify.yml") || name.ends_with(".look.yml");
        let vetted = vet(&Question {
            files: &files,
            playbook: &name.parse().unwrap(),
            modules: &modules(),
            purpose: if reads { Purpose::Reads } else { Purpose::Changes },
            enumerated: &BTreeSet::new(),
            named: &BTreeSet::new(),
        });
        assert!(!vetted.tasks.is_empty(), "{name}");
        let unsettled =
            vetted.findings.into_iter().filter(|finding| finding.kind.rule().verdict <= Verdict::Doubted);
        doubts.extend(unsettled.map(|finding| (finding.file, finding.kind)));
    }
    let known = [("push_config.yml", Kind::ComputedSource), ("rotate_host_certificate.yml", Kind::Command)];
    assert_eq!(doubts, known.map(|(file, kind)| (file.to_owned(), kind)));
}
