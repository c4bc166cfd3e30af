//! What stands around the server has no say in what Ansible does.

use std::fs;

use anyhow::Result;
use runcord_tests::fleet::oldest_playbook_assets;
use serde_json::json;

use crate::story::{MAKE, apply, approve, make, making, verified};

#[tokio::test]
async fn the_environment_the_home_and_the_project_steer_nothing() -> Result<()> {
    let bed = making(2, MAKE, "")?;
    let marker = bed.path("marker");
    let plugin = format!("open({:?}, 'a').close()\n", marker);
    let folder = |name: &str| -> Result<String> {
        let folder = bed.path("hostile").join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder.display().to_string())
    };
    // Plugins and modules of the names that are used; Python's own way of running something first.
    let plugins = folder("plugins")?;
    for name in ["copy", "linear", "runcord_events", "core", "ssh", "default"] {
        fs::write(format!("{plugins}/{name}.py"), &plugin)?;
    }
    let python = folder("python")?;
    fs::write(format!("{python}/sitecustomize.py"), &plugin)?;
    fs::write(format!("{python}/yaml.py"), &plugin)?;
    let config = format!(
        "[defaults]\nhost_key_checking = False\ncallbacks_enabled = default\nstdout_callback = default\n\
         callback_plugins = {plugins}\naction_plugins = {plugins}\nstrategy_plugins = {plugins}\nfilter_plugins = {plugins}\n\
         library = {plugins}\nstrategy = free\ninventory = /etc/passwd\nforce_handlers = True\n[diff]\nalways = False\n"
    );
    fs::create_dir_all(bed.path("home"))?;
    fs::write(bed.path("home").join(".ansible.cfg"), &config)?;
    fs::write(bed.path("ansible.cfg"), &config)?;
    bed.write("ansible.cfg", &config)?;
    bed.write("live/ansible.cfg", &config)?;
    let config = bed.path("ansible.cfg").display().to_string();
    let session = bed
        .session_with(&[
            ("ANSIBLE_CONFIG", config.as_str()),
            ("ANSIBLE_HOST_KEY_CHECKING", "False"),
            ("ANSIBLE_CHECK_MODE_MARKERS", "1"),
            ("ANSIBLE_STRATEGY", "free"),
            ("ANSIBLE_STRATEGY_PLUGINS", &plugins),
            ("ANSIBLE_ACTION_PLUGINS", &plugins),
            ("ANSIBLE_CALLBACK_PLUGINS", &plugins),
            ("ANSIBLE_FILTER_PLUGINS", &plugins),
            ("ANSIBLE_CONNECTION_PLUGINS", &plugins),
            ("ANSIBLE_LIBRARY", &plugins),
            ("ANSIBLE_STDOUT_CALLBACK", "default"),
            ("ANSIBLE_INVENTORY", "/etc/passwd"),
            ("ANSIBLE_RUN_TAGS", "nothing"),
            ("ANSIBLE_SKIP_TAGS", "all"),
            ("ANSIBLE_ANY_ERRORS_FATAL", "False"),
            ("ANSIBLE_SSH_COMMON_ARGS", "-o ProxyCommand=false"),
            ("ANSIBLE_SSH_EXECUTABLE", "/bin/false"),
            ("ANSIBLE_REMOTE_USER", "nobody"),
            ("ANSIBLE_BECOME_PASSWORD_FILE", "/etc/hostname"),
            ("ANSIBLE_VAULT_PASSWORD_FILE", "/etc/hostname"),
            ("ANSIBLE_PYTHON_INTERPRETER", "/bin/false"),
            ("ANSIBLE_DEBUG", "1"),
            ("PYTHONPATH", &python),
            ("PYTHONSTARTUP", &format!("{python}/sitecustomize.py")),
            ("PYTHONHOME", "/nonexistent"),
            ("VIRTUAL_ENV", &python),
            ("LD_PRELOAD_TEST", "x"),
            ("http_proxy", "http://127.0.0.1:1"),
        ])
        .await?;
    let plan = make(&session, json!({})).await?.done()?;
    assert_eq!(plan.content["blast_radius"]["hosts"], 2);
    verified(&bed, &session, &plan).await?;
    assert!(!marker.exists(), "something of the surroundings was loaded");
    assert_eq!(bed.fleet.read("web2", "/srv/made")?, "made\n");
    Ok(())
}

#[tokio::test]
async fn the_oldest_ansible_is_told_apart_and_does_the_same() -> Result<()> {
    let bed = making(2, MAKE, "")?;
    let session = bed.session().await?;
    let newest = make(&session, json!({})).await?.done()?;
    approve(&bed, &newest)?;
    session.close().await?;
    let oldest = oldest_playbook_assets()?.display().to_string();
    let session = bed.session_with(&[("RUNCORD_ANSIBLE", &oldest)]).await?;
    assert_eq!(apply(&session, &newest).await?.refusal()?, "plan_drifted", "planned with another Ansible");
    let plan = make(&session, json!({})).await?.done()?;
    let end = verified(&bed, &session, &plan).await?;
    let back = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?.done()?;
    verified(&bed, &session, &back).await?;
    assert!(!bed.fleet.has("web1", "/srv/made")? && !bed.fleet.has("web2", "/srv/made")?);
    Ok(())
}

#[tokio::test]
async fn a_host_whose_key_is_not_the_known_one_is_not_talked_to() -> Result<()> {
    let bed = making(2, MAKE, "")?;
    let known = fs::read_to_string(bed.fleet.known_hosts())?;
    let (first, second) = (bed.fleet.address("web1")?, bed.fleet.address("web2")?);
    let key = known.lines().find_map(|line| line.strip_prefix(&format!("{second} "))).unwrap_or_default();
    fs::write(bed.fleet.known_hosts(), format!("{first} {key}\n{second} {key}\n"))?;
    let session = bed.session_with(&[("ANSIBLE_HOST_KEY_CHECKING", "False")]).await?;
    let refused = make(&session, json!({})).await?;
    assert_eq!(refused.refusal()?, "precondition_failed", "{:#}", refused.content);
    assert!(refused.str("/message")?.contains("web1"), "{:#}", refused.content);
    assert!(!bed.fleet.has("web1", "/srv/made")?);
    Ok(())
}

#[tokio::test]
async fn nothing_secret_is_on_a_command_line() -> Result<()> {
    // Whatever runs while a plan is made is looked at, again and again.
    let bed = making(1, MAKE, "    variables: {word: {string: {pattern: \"^[a-z]*$\", max_length: 40}}}\n")?;
    let secret = "plain-but-nobodys-business";
    let inventory = bed.inventory()?.replace(
        "    ansible_user: root\n",
        &format!("    ansible_user: root\n    app_password: {secret}\n"),
    );
    bed.write("hosts.yaml", &inventory)?;
    let session = bed.session().await?;
    let planning = make(&session, json!({"word": "unmistakable"}));
    let watching = async {
        let mut seen = Vec::new();
        loop {
            for words in [secret, "unmistakable"] {
                seen.extend(runcord_tests::processes::processes(&[words])?);
            }
            if !seen.is_empty() {
                return anyhow::Ok(seen);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        planned = planning => { planned?.done()?; }
        seen = watching => anyhow::bail!("on the command line of {:?}", seen?),
    }
    Ok(())
}
