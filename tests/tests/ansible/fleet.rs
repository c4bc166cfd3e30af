//! That the hosts of a fleet are hosts, each alone, and that nothing is left of them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use runcord_tests::Fleet;
use runcord_tests::fleet::playbook_assets;

/// The main process of a host's nginx.
fn nginx(fleet: &Fleet, host: &str) -> Result<String> {
    fleet.read(host, "/run/nginx.pid")
}

/// What `ansible-playbook` printed for these arguments, and its exit code.
fn play(fleet: &Fleet, playbook: &str, args: &[&str]) -> Result<(i32, String)> {
    fs::write(fleet.path("play.yml"), playbook)?;
    let output = fleet.ansible_playbook(&playbook_assets()?, &[&["play.yml"], args].concat())?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Ok((output.status.code().context("it ended by itself")?, said.into_owned()))
}

const RESTART: &str = "
- hosts: web
  gather_facts: false
  tasks:
    - ansible.builtin.service: {name: nginx, state: restarted}
";

#[test]
fn a_service_of_one_host_is_restarted_and_the_others_are_untouched() -> Result<()> {
    let fleet = Fleet::start(4)?;
    let before = fleet.names().iter().map(|host| nginx(&fleet, host)).collect::<Result<Vec<_>>>()?;
    let (code, said) = play(&fleet, RESTART, &["--limit", "web3"])?;
    assert_eq!(code, 0, "{said}");
    let after = fleet.names().iter().map(|host| nginx(&fleet, host)).collect::<Result<Vec<_>>>()?;
    let changed = before.iter().zip(&after).map(|(before, after)| before != after);
    assert_eq!(changed.collect::<Vec<_>>(), [false, false, true, false]);
    Ok(())
}

#[test]
fn hosts_share_neither_files_nor_processes_nor_names() -> Result<()> {
    let fleet = Fleet::start(2)?;
    fleet.write("web1", "/etc/app/made/by.test", "one")?;
    assert_eq!(fleet.read("web1", "/etc/app/made/by.test")?, "one");
    assert!(!fleet.has("web2", "/etc/app/made/by.test")?);
    assert!(!Path::new("/etc/app/made/by.test").exists(), "nor is it the machine's");
    fleet.said_on("web1", &["/etc/init.d/nginx", "stop"])?;
    assert!(fleet.on("web1", &["pgrep", "nginx"])?.stdout.is_empty());
    assert!(!fleet.on("web2", &["pgrep", "nginx"])?.stdout.is_empty());
    assert_eq!(fleet.said_on("web2", &["hostname"])?.trim(), "web2");
    fleet.remove("web1", "/etc/app")?;
    assert!(!fleet.has("web1", "/etc/app")?);
    Ok(())
}

#[test]
fn a_host_off_the_net_is_unreachable_and_goes_on_running() -> Result<()> {
    let fleet = Fleet::start(2)?;
    let before = nginx(&fleet, "web2")?;
    fleet.cut("web2")?;
    let (code, said) = play(&fleet, RESTART, &[])?;
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("fatal: [web2]: UNREACHABLE!"), "{said}");
    assert!(said.contains("changed: [web1]"), "{said}");
    assert_eq!(nginx(&fleet, "web2")?, before);
    fleet.mend("web2")?;
    let (code, said) = play(&fleet, RESTART, &["--limit", "web2"])?;
    assert_eq!(code, 0, "{said}");
    assert_ne!(nginx(&fleet, "web2")?, before);
    Ok(())
}

#[test]
fn a_host_whose_key_is_not_the_known_one_is_not_talked_to() -> Result<()> {
    let fleet = Fleet::start(2)?;
    let known = fs::read_to_string(fleet.known_hosts())?;
    // web1 has the key of web2.
    let (first, second) = (fleet.address("web1")?, fleet.address("web2")?);
    let key =
        known.lines().find_map(|line| line.strip_prefix(&format!("{second} "))).context("it is known")?;
    fs::write(fleet.known_hosts(), format!("{first} {key}\n{second} {key}\n"))?;
    let before = nginx(&fleet, "web1")?;
    let (code, said) = play(&fleet, RESTART, &[])?;
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("fatal: [web1]: UNREACHABLE!"), "{said}");
    assert_eq!(nginx(&fleet, "web1")?, before);
    Ok(())
}

#[test]
fn a_host_that_dies_in_the_middle_comes_back_with_its_disk() -> Result<()> {
    let mut fleet = Fleet::start(2)?;
    fs::write(
        fleet.path("slow.yml"),
        "
- hosts: web1
  gather_facts: false
  tasks:
    - ansible.builtin.command: sh -c 'echo begun >/srv/begun; sleep 60; echo ended >/srv/ended'
",
    )?;
    let assets = playbook_assets()?;
    let output = std::thread::scope(|scope| -> Result<_> {
        let playing = scope.spawn(|| fleet.ansible_playbook(&assets, &["slow.yml"]));
        seen("it has begun", || fleet.has("web1", "/srv/begun"))?;
        fleet.kill("web1")?;
        playing.join().ok().context("it does not panic")?
    })?;
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(!fleet.is_alive("web1")? && fleet.is_alive("web2")?);
    assert!(fleet.read("web1", "/srv/begun").is_err(), "nobody is there to ask");
    fleet.bring_back("web1")?;
    assert_eq!(fleet.read("web1", "/srv/begun")?, "begun\n");
    assert!(!fleet.has("web1", "/srv/ended")?);
    Ok(())
}

#[test]
fn nothing_is_left_of_a_fleet_that_was_dropped() -> Result<()> {
    let fleet = Fleet::start(2)?;
    let (code, said) = play(&fleet, RESTART, &[])?;
    assert_eq!(code, 0, "{said}");
    let (folder, link) = (fleet.path(""), link(&fleet)?);
    assert!(Path::new(&link).exists());
    drop(fleet);
    gone(&folder, &link)
}

/// Run by the test below as a process of its own, which is killed.
#[test]
#[ignore = "it waits to be killed"]
fn has_a_fleet_and_waits() -> Result<()> {
    let fleet = Fleet::start(2)?;
    let told = std::env::var_os("RUNCORD_TEST_TELL").context("the other test tells where to")?;
    fs::write(&told, format!("{}\n{}", fleet.path("").display(), link(&fleet)?))?;
    sleep(Duration::from_secs(60));
    Ok(())
}

#[test]
fn nothing_is_left_of_a_fleet_whose_test_was_killed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let told = folder.path().join("told");
    let mut test = Command::new(std::env::current_exe()?)
        .args(["--ignored", "--exact", "fleet::has_a_fleet_and_waits"])
        .env("RUNCORD_TEST_TELL", &told)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let wrote =
        seen("it has a fleet", || Ok(fs::read_to_string(&told).is_ok_and(|told| told.contains('\n'))));
    test.kill()?;
    test.wait()?;
    wrote?;
    let text = fs::read_to_string(&told)?;
    let (folder, link) = text.split_once('\n').context("it told both")?;
    let left = gone(Path::new(folder), link);
    fs::remove_dir_all(folder)?; // a process that is killed removes no files
    left
}

#[test]
fn hosts_are_named_in_the_order_of_the_inventory() -> Result<()> {
    let fleet = Fleet::start(4)?;
    assert_eq!(fleet.names(), ["web1", "web2", "web3", "web4"]);
    Ok(())
}

/// The machine's link to a fleet.
fn link(fleet: &Fleet) -> Result<String> {
    let address = fleet.address("web1")?;
    let network = address.split('.').nth(2).context("an address has four parts")?;
    Ok(format!("/sys/class/net/runcord-{network}"))
}

/// Whether no process names a fleet's folder any more (its inits do, and masters of ssh), and its link is gone.
fn gone(folder: &Path, link: &str) -> Result<()> {
    let folder = folder.to_str().context("a folder of ASCII")?.trim_end_matches('/');
    seen("it is gone", || {
        let processes = fs::read_dir("/proc")?.filter_map(|entry| Some(entry.ok()?.path().join("cmdline")));
        let left = processes.filter_map(|file| fs::read(file).ok());
        let left = left.filter(|line| String::from_utf8_lossy(line).contains(folder)).count();
        Ok(left == 0 && !Path::new(link).exists())
    })
}

fn seen(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so()? {
        ensure!(Instant::now() < until, "not seen in time: {what}");
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
