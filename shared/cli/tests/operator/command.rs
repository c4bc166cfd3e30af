//! The built command in a home of its own: from nothing to an installation, and what it refuses on the way.

use crate::home::Home;
use serde_json::Value;

#[test]
fn from_nothing_to_an_installation() {
    let home = Home::new();
    let made = home.json(0, "init --approver ana --agent claude --no-passphrase");
    assert_eq!(states(&made), ["made"; 6], "{made}");
    let servers = &made["client"]["claude_desktop"]["mcpServers"];
    assert!(servers["runcord-kubectl"]["command"].is_string());
    assert_eq!(servers["runcord-terraform"]["args"][2], "--root");
    assert_eq!(servers["runcord-ansible"]["args"][2], "--project");
    assert_eq!(home.mode("state/runcord"), 0o700);
    assert_eq!(home.mode("config/runcord/keys/ana"), 0o600);

    let again = home.json(0, "init");
    assert_eq!(states(&again), ["there"; 4], "run again, it changes nothing: {again}");
    let other = home.json(0, "init --approver bob");
    assert!(other["warnings"][0].as_str().unwrap().contains("bob cannot approve yet"), "{other}");

    let well = home.json(0, "doctor --offline");
    assert_eq!(well["ok"], true, "{well}");
    assert_eq!(home.json(0, "activate --yes")["changed"], false);
    assert_eq!(home.json(0, "runbook check")["holds"], true);
    assert_eq!(home.json(0, "policy check")["approvers"][0], "ana");
    assert_eq!(home.json(0, "plan list")["plans"], Value::Array(Vec::new()));
    assert_eq!(home.json(0, "run list")["runs"], Value::Array(Vec::new()));
}

#[test]
fn without_a_cluster_the_surroundings_have_failed() {
    let home = Home::ready();
    let doctor = home.json(3, "doctor");
    let target = doctor["checks"].as_array().unwrap().iter().find(|check| check["what"] == "target").unwrap();
    assert_eq!(target["state"], "unreachable", "{doctor}");
    assert!(target["mend"].is_string());
}

#[test]
fn a_changed_policy_is_not_in_force_until_an_approver_signs() {
    let home = Home::ready();
    home.append("config/runcord/policy/targets.yaml", "# a comment is a change too\n");
    assert_eq!(home.json(1, "doctor --offline")["ok"], false);
    home.json(2, "activate");
    let activated = home.json(0, "activate --yes");
    assert_eq!((&activated["changed"], &activated["by"]), (&Value::Bool(true), &Value::from("ana")));
    assert_eq!(activated["parts"][0]["part"], "targets");
    assert_eq!(activated["parts"][0]["lines"][0], "+ targets.yaml: # a comment is a change too");
    home.json(0, "doctor --offline");
}

#[test]
fn what_is_declared_is_put_in_force_with_the_targets() {
    for (file, declared) in [("modules.yaml", "modules: {}"), ("playbooks.yaml", "playbooks: {}")] {
        let home = Home::ready();
        let path = format!("config/runcord/policy/{file}");
        home.append(&path, "# one more word\n");
        assert_eq!(home.json(1, "doctor --offline")["ok"], false);
        let activated = home.json(0, "activate --yes");
        assert_eq!(activated["parts"][0]["part"], "targets");
        assert_eq!(activated["parts"][0]["lines"][0], format!("+ {file}: # one more word"));

        std::fs::remove_file(home.path(&path)).unwrap();
        assert_eq!(home.json(1, "doctor --offline")["ok"], false, "leaving it out is a change");
        home.json(0, "activate --yes");
        assert_eq!(home.json(0, "doctor --offline")["ok"], true, "a folder without it is a policy");
        home.json(0, "init");
        assert!(home.read(&path).contains(declared), "written like the others");
    }
}

#[test]
fn a_mistake_in_what_is_declared_is_found_with_its_place() {
    for (file, mistake) in [
        ("modules.yaml", "modules:\n  network: {directroy: live}\n"),
        ("playbooks.yaml", "playbooks:\n  restart_web: {playbok: {shipped: restart_service}}\n"),
    ] {
        let home = Home::ready();
        std::fs::write(home.path(&format!("config/runcord/policy/{file}")), mistake).unwrap();
        let refused = home.json(1, "policy check");
        let at = &refused["error"]["details"]["problems"][0]["at"];
        assert_eq!((at["file"].as_str(), at["line"].as_u64()), (Some(file), Some(2)), "{refused}");
        assert_eq!(home.json(1, "doctor --offline")["ok"], false);
    }
}

#[test]
fn only_an_approver_in_force_signs_the_next_authority() {
    let home = Home::ready();
    home.keygen("eve");
    let eve = home.read("eve.pub");
    home.append(
        "config/runcord/policy/approvers",
        &format!("eve namespaces=\"runcord-approval,runcord-authority\" {eve}"),
    );
    home.replace(
        "config/runcord/policy/people.yaml",
        "\npeople:\n",
        "\npeople:\n  eve: {groups: [approvers]}\n",
    );
    let refused = home.json(1, "activate --yes --key eve --as eve");
    assert_eq!(refused["error"]["code"], "approval_invalid", "{refused}");
    assert_eq!(home.json(1, "doctor --offline")["ok"], false);
    home.json(0, "activate --yes");
    home.append("config/runcord/policy/targets.yaml", "# eve may sign now\n");
    assert_eq!(home.json(0, "activate --yes --key eve")["by"], "eve");
}

#[test]
fn an_authority_that_nobody_could_follow_is_refused() {
    let home = Home::ready();
    home.replace(
        "config/runcord/policy/approvers",
        "runcord-approval,runcord-authority\" ssh",
        "runcord-approval\" ssh",
    );
    assert_eq!(home.json(1, "activate --yes")["error"]["code"], "refused");
    assert_eq!(home.json(1, "doctor --offline")["ok"], false, "nothing was put in force");
}

#[test]
fn a_key_in_the_agent_signs_as_well() {
    let home = Home::ready();
    let agent = home.agent_with("config/runcord/keys/ana");
    home.remove("config/runcord/keys/ana");
    home.remove("config/runcord/keys/ana.pub");
    home.json(0, "cord pull --reason smoke");
    assert_eq!(home.json(1, "cord reset --reason mended")["error"]["code"], "refused", "no key at hand");
    assert_eq!(home.with_agent(&agent).json(0, "cord reset --reason mended")["by"], "ana");
}

#[test]
fn a_broken_policy_is_refused_with_its_place() {
    let home = Home::ready();
    home.replace(
        "config/runcord/policy/20-blast.cedar",
        "context.blast.pods_lost",
        "context.blast.podz_lost",
    );
    let refused = home.json(1, "policy check");
    let at = &refused["error"]["details"]["problems"][0]["at"];
    assert_eq!(at["file"], "20-blast.cedar", "{refused}");
    assert!(at["line"].as_u64().unwrap() > 1);
    home.json(1, "activate --yes");
    let cord = home.json(0, "cord pull --reason smoke");
    assert_eq!(cord["state"], "pulled", "the cord works when policy does not");
}

#[test]
fn the_cord_is_reset_by_a_signature_only() {
    let home = Home::ready();
    assert_eq!(home.json(0, "cord status")["state"], "armed");
    home.json(0, "cord pull --reason smoke");
    let pulled = home.json(0, "cord status");
    assert_eq!(
        (&pulled["state"], &pulled["pulled"][0]["reason"]),
        (&Value::from("pulled"), &Value::from("smoke"))
    );
    home.json(1, "doctor --offline");

    home.keygen("eve");
    home.json(1, "cord reset --reason mine --key eve");
    assert_eq!(home.json(1, "cord reset --reason mine --key eve --as ana")["error"]["code"], "refused");
    assert_eq!(home.json(0, "cord status")["state"], "pulled", "a refused reset resets nothing");
    assert_eq!(home.json(0, "cord reset --reason mended")["by"], "ana");
    assert_eq!(home.json(0, "cord status")["state"], "armed");
    let records = home.json(0, "log list");
    let controls: Vec<_> = records["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["statement"]["predicate"]["control"])
        .collect();
    assert_eq!(controls, ["authority", "cord_pulled", "cord_reset_signed", "cord_reset"]);
}

#[test]
fn the_log_says_that_it_holds_and_that_it_is_unsigned() {
    let home = Home::ready();
    let verified = home.json(0, "log verify");
    assert_eq!((&verified["holds"], &verified["signed"]), (&Value::Bool(true), &Value::Bool(false)));
    assert_eq!(verified["records"], 1);
    home.json(0, "log export --out log.json");
    assert_eq!(
        home.json(3, "log export --out log.json")["error"]["code"],
        "surroundings",
        "never written over"
    );
    assert!(home.page(0, "log verify").contains("not signed yet"));
}

#[test]
fn what_is_not_there_is_said_with_what_to_do() {
    let home = Home::new();
    assert_eq!(
        home.json(3, "plan list")["error"]["next"],
        "run `runcord init`, or name the right folder with --state"
    );
    assert_eq!(home.json(2, "init")["error"]["code"], "usage", "no approver is made up");
    home.json(2, "init --approver ana");
    assert!(!home.exists("config/runcord"), "what was refused left nothing behind");
    home.page(2, "fly");
    let home = Home::ready();
    assert_eq!(home.json(1, "plan show pln_aaaaaaaaaaaaaaaaaaaaaaaaaa")["error"]["code"], "refused");
    home.json(1, "approve pln_aaaaaaaaaaaaaaaaaaaaaaaaaa --yes");
    home.json(2, "approve nothing --yes");
}

#[test]
fn the_shipped_runbooks_are_shown_and_a_broken_one_is_refused() {
    let home = Home::ready();
    assert_eq!(home.json(0, "runbook show drain_node")["tool"], "plan_drain_node");
    assert!(home.json(0, "runbook schema")["properties"]["spec"].is_object());
    home.write("bad.yaml", "apiVersion: runcord.dev/v1\nkind: Runbook\nmetadata: {}\n");
    assert_eq!(home.json(1, "runbook check bad.yaml")["error"]["code"], "does_not_hold");
}

fn states(answer: &Value) -> Vec<&str> {
    answer["steps"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect()
}

/// The names of the runbooks that are loaded with these options.
fn loaded(home: &Home, options: &str) -> String {
    let page = home.page(0, &format!("kubectl rbac {options}"));
    page.lines().next().unwrap().to_owned()
}

#[test]
fn an_optional_runbook_is_loaded_only_where_the_configuration_names_it() {
    let home = Home::ready();
    let configuration = "config/runcord/runcord.yaml";
    let without = home.read(configuration);
    assert!(!loaded(&home, "").contains("purge_queue"));
    assert!(home.page(0, "runbook check").contains("purge_queue"), "it is checked all the same");
    assert!(home.page(0, "runbook show purge_queue").contains("action: purge_queue"));

    home.append(configuration, "\noptional_runbooks: [purge_queue]\n");
    assert!(loaded(&home, "").contains("drain_node") && loaded(&home, "").contains("purge_queue"));
    home.json(0, "policy check");
    assert_eq!(home.json(1, "doctor --offline")["ok"], false, "another set than the one in force");
    home.json(0, "activate --yes");
    home.json(0, "doctor --offline");

    home.write(configuration, &format!("{without}\noptional_runbooks: [purge_quue]\n"));
    let refused = home.json(1, "kubectl rbac");
    assert!(refused.to_string().contains("no optional runbook purge_quue"), "{refused}");
}

/// Whoever points at a copy of the shipped library gets no more than the shipped library.
#[test]
fn a_folder_of_runbooks_has_its_optional_ones_too() {
    let home = Home::ready();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../runbooks/kubectl");
    assert!(!loaded(&home, &format!("--runbooks {shipped}")).contains("purge_queue"));
    std::fs::create_dir_all(home.path("mine/kubectl/optional")).unwrap();
    std::fs::copy(format!("{shipped}/drain_node.yaml"), home.path("mine/kubectl/drain_node.yaml")).unwrap();
    std::fs::copy(
        format!("{shipped}/optional/purge_queue.yaml"),
        home.path("mine/kubectl/optional/purge_queue.yaml"),
    )
    .unwrap();
    assert_eq!(loaded(&home, "--runbooks mine"), "# The permissions of: drain_node");
    home.append("config/runcord/runcord.yaml", "\noptional_runbooks: [purge_queue]\n");
    assert_eq!(loaded(&home, "--runbooks mine"), "# The permissions of: drain_node, purge_queue");
    let refused = home.json(1, "kubectl rbac --runbooks mine/kubectl/optional");
    assert!(
        refused.to_string().contains("no optional runbook purge_queue"),
        "moved up, it is no optional one"
    );
}
