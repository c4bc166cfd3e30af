//! The playbooks that ship, built into the binary.

use crate::names::ShippedName;

macro_rules! playbooks {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../runbooks/ansible/playbooks/", $name, ".yml")))),*]
    };
}

/// Every playbook with its text, by name.
static SHIPPED: [(&str, &str); 22] = playbooks![
    "clean_disk.verify",
    "clean_disk",
    "disk_usage",
    "host_facts",
    "patch_hosts.look",
    "patch_hosts.undo",
    "patch_hosts.verify",
    "patch_hosts",
    "pool_member.undo",
    "pool_member.verify",
    "pool_member",
    "push_config.undo",
    "push_config.verify",
    "push_config",
    "reboot_hosts.verify",
    "reboot_hosts",
    "restart_service.verify",
    "restart_service",
    "rotate_host_certificate.undo",
    "rotate_host_certificate.verify",
    "rotate_host_certificate",
    "service_status",
];

/// The text of one.
pub fn text(name: &ShippedName) -> Option<&'static str> {
    all().find_map(|(one, text)| (one == name.as_str()).then_some(text))
}

/// All of them, by name.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    SHIPPED.iter().copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_playbook_of_the_folder_is_built_in_under_a_name_of_its_grammar() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../runbooks/ansible/playbooks");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let built: BTreeSet<String> = all().map(|(name, _)| format!("{name}.yml")).collect();
        assert_eq!(built, files);
        for (name, text) in all() {
            assert_eq!(super::text(&name.parse().unwrap()), Some(text));
        }
    }
}
