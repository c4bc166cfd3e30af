//! The playbooks of the library, each for real: check mode changes nothing, a run changes what it says, its verification
//! sees that (and sees when it did not), and there is a way back. With the newest Ansible; the oldest runs them once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use runcord_tests::Fleet;
use runcord_tests::fleet::{BALANCER, oldest_playbook_assets, playbook_assets};
use serde_json::{Map, Value, json};

/// Hosts, one Ansible, and what is given to every playbook.
struct Stage {
    fleet: Fleet,
    ansible: PathBuf,
    given: Map<String, Value>,
}

/// How a playbook is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Check,
    Real,
}

/// Hosts behind a balancer, and the newest Ansible.
fn stage(hosts: usize) -> Result<Stage> {
    stage_with(hosts, playbook_assets()?)
}

fn stage_with(hosts: usize, ansible: PathBuf) -> Result<Stage> {
    let given = Map::from_iter([
        ("runcord_serial".to_owned(), json!([1, 2, 5])),
        ("runcord_become".to_owned(), json!(false)),
        ("service".to_owned(), unsafe_text("nginx")),
    ]);
    Ok(Stage { fleet: Fleet::balanced(hosts)?, ansible, given })
}

/// As a server hands values over: nothing in them is ever a template.
fn unsafe_text(text: &str) -> Value {
    json!({"__ansible_unsafe": text})
}

fn seconds() -> Result<String> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().to_string())
}

impl Stage {
    fn give(&mut self, values: &[(&str, &str)]) {
        self.given.extend(values.iter().map(|(name, value)| ((*name).to_owned(), unsafe_text(value))));
    }

    fn run(&self, playbook: &str, hosts: &str, run: Run) -> Result<Output> {
        fs::write(self.fleet.path("given.json"), serde_json::to_vec(&self.given)?)?;
        let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks/ansible/playbooks");
        let path = library.join(playbook);
        let path = path.to_str().context("a path of ASCII")?;
        let check: &[&str] = match run {
            Run::Check => &["--check", "--diff"],
            Run::Real => &[],
        };
        let args = [&["--limit", hosts, "--extra-vars", "@given.json", path], check].concat();
        self.fleet.ansible_playbook(&self.ansible, &args)
    }

    /// What a run printed that must succeed.
    fn succeeds(&self, playbook: &str, hosts: &str, run: Run) -> Result<String> {
        let output = self.run(playbook, hosts, run)?;
        let said = said(&output);
        assert!(output.status.success(), "{playbook} {run:?}: {said}");
        Ok(said)
    }

    /// What a run printed that must fail.
    fn fails(&self, playbook: &str, hosts: &str) -> Result<String> {
        let output = self.run(playbook, hosts, Run::Real)?;
        assert!(!output.status.success(), "{playbook}: {}", said(&output));
        Ok(said(&output))
    }

    fn pid(&self, host: &str) -> Result<String> {
        self.fleet.read(host, "/run/nginx.pid")
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn restart_service() -> Result<()> {
    let mut stage = stage(3)?;
    stage.give(&[("service_port", "80"), ("pid_file", "/run/nginx.pid"), ("runcord_since", &seconds()?)]);
    let before = stage.pid("web1")?;
    stage.succeeds("restart_service.yml", "web", Run::Check)?;
    assert_eq!(stage.pid("web1")?, before);
    // A second at least lies between the start of the hosts and that of the run.
    std::thread::sleep(std::time::Duration::from_secs(2));
    stage.give(&[("runcord_since", &seconds()?)]);
    let said = stage.fails("restart_service.verify.yml", "web")?;
    assert!(said.contains("was not restarted"), "{said}");
    stage.succeeds("restart_service.yml", "web", Run::Real)?;
    assert_ne!(stage.pid("web1")?, before);
    stage.succeeds("restart_service.verify.yml", "web", Run::Real)?;
    // What stands still is not started.
    stage.fleet.said_on("web2", &["/etc/init.d/nginx", "stop"])?;
    stage.fails("restart_service.yml", "web")?;
    assert!(stage.fleet.on("web2", &["pgrep", "nginx"])?.stdout.is_empty());
    Ok(())
}

#[test]
fn a_canary_that_fails_or_is_unreachable_keeps_the_rest_untouched() -> Result<()> {
    let mut stage = stage(4)?;
    stage.give(&[("service_port", "80")]);
    let pids = |stage: &Stage| ["web2", "web3", "web4"].map(|host| stage.pid(host).unwrap());
    let before = pids(&stage);
    // The service of the first does not come up with what is on its disk.
    let site = stage.fleet.read("web1", "/etc/nginx/conf.d/site.conf")?;
    stage.fleet.write("web1", "/etc/nginx/conf.d/site.conf", "nonsense")?;
    stage.fails("restart_service.yml", "web")?;
    assert_eq!(pids(&stage), before);
    stage.fleet.write("web1", "/etc/nginx/conf.d/site.conf", &site)?;
    stage.fleet.on("web1", &["/etc/init.d/nginx", "start"])?;
    // Ansible itself would go on with the second batch.
    stage.fleet.cut("web1")?;
    let said = stage.fails("restart_service.yml", "web")?;
    assert!(said.contains("fatal: [web1]: UNREACHABLE!"), "{said}");
    assert_eq!(pids(&stage), before);
    stage.fleet.mend("web1")?;
    stage.succeeds("restart_service.yml", "web", Run::Real)?;
    assert!(pids(&stage).iter().zip(&before).all(|(after, before)| after != before));
    Ok(())
}

#[test]
fn push_config() -> Result<()> {
    let path = "/etc/nginx/nginx.conf";
    let mut stage = stage(2)?;
    let old = stage.fleet.read("web1", path)?;
    let new = format!("{old}\n# pushed by a test\n");
    let source = stage.fleet.path("nginx.conf");
    fs::write(&source, &new)?;
    let digest = digest_of(&source)?;
    stage.give(&[
        ("config_source", source.to_str().context("a path of ASCII")?),
        ("config_digest", &digest),
        ("config_path", path),
        ("config_check", "/usr/sbin/nginx -t -c %s"),
        ("pid_file", "/run/nginx.pid"),
    ]);
    let said = stage.succeeds("push_config.yml", "web", Run::Check)?;
    assert!(said.contains("+# pushed by a test"), "{said}");
    assert_eq!(stage.fleet.read("web1", path)?, old);
    stage.fails("push_config.verify.yml", "web")?;

    stage.succeeds("push_config.yml", "web", Run::Real)?;
    assert_eq!(stage.fleet.read("web2", path)?, new);
    assert_eq!(stage.fleet.read("web2", "/etc/nginx/nginx.conf.previous")?, old);
    stage.succeeds("push_config.verify.yml", "web", Run::Real)?;

    stage.succeeds("push_config.undo.yml", "web", Run::Real)?;
    assert_eq!(stage.fleet.read("web2", path)?, old);
    // The file as it is to be, and nobody has loaded it: the handler that was lost.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    stage.fleet.write("web1", path, &new)?;
    let said = stage.fails("push_config.verify.yml", "web1")?;
    assert!(said.contains("has not loaded it"), "{said}");
    let said = stage.succeeds("push_config.yml", "web1", Run::Check)?;
    assert!(said.contains("changed=0"), "check mode sees nothing of it: {said}");
    // What the service would not take is not put in place.
    fs::write(&source, "nonsense\n")?;
    stage.give(&[("config_digest", &digest_of(&source)?)]);
    stage.fails("push_config.yml", "web1")?;
    assert_eq!(stage.fleet.read("web1", path)?, new);
    Ok(())
}

#[test]
fn rotate_host_certificate() -> Result<()> {
    let mut stage = stage(2)?;
    stage.give(&[
        ("certificate", "site"),
        ("certificate_version", "second"),
        ("certificate_days", "30"),
        ("certificate_port", "443"),
    ]);
    let old = stage.fleet.read("web1", "/etc/ssl/site/current/cert.pem")?;
    stage.succeeds("rotate_host_certificate.yml", "web", Run::Check)?;
    assert!(!stage.fleet.has("web1", "/etc/ssl/site/second")?);
    stage.succeeds("rotate_host_certificate.yml", "web", Run::Real)?;
    assert_ne!(stage.fleet.read("web1", "/etc/ssl/site/current/cert.pem")?, old);
    assert_eq!(stage.fleet.read("web1", "/etc/ssl/site/previous/cert.pem")?, old);
    let modes = stage
        .fleet
        .said_on("web1", &["stat", "-c", "%a", "/etc/ssl/site/second", "/etc/ssl/site/second/key.pem"])?;
    assert_eq!(modes, "700\n600\n");
    stage.succeeds("rotate_host_certificate.verify.yml", "web", Run::Real)?;

    stage.succeeds("rotate_host_certificate.undo.yml", "web", Run::Real)?;
    assert_eq!(stage.fleet.read("web1", "/etc/ssl/site/current/cert.pem")?, old);
    stage.give(&[("certificate_version", "first")]);
    stage.succeeds("rotate_host_certificate.verify.yml", "web", Run::Real)?;
    // Changed over, and nobody has loaded it.
    stage.fleet.said_on("web1", &["ln", "-sfn", "second", "/etc/ssl/site/current"])?;
    stage.give(&[("certificate_version", "second")]);
    stage.fails("rotate_host_certificate.verify.yml", "web1")?;
    Ok(())
}

#[test]
fn pool_member() -> Result<()> {
    let mut stage = stage(2)?;
    let status = format!("http://{}:8404/stats;csv", stage.fleet.address(BALANCER)?);
    stage.give(&[("membership_file", "/srv/pool/in"), ("balancer_status", &status), ("membership", "out")]);
    stage.succeeds("pool_member.yml", "web2", Run::Check)?;
    assert!(stage.fleet.has("web2", "/srv/pool/in")?);
    stage.fails("pool_member.verify.yml", "web2")?;
    stage.succeeds("pool_member.yml", "web2", Run::Real)?;
    stage.succeeds("pool_member.verify.yml", "web2", Run::Real)?;
    assert_eq!(answering(&stage)?, ["web1"]);

    stage.succeeds("pool_member.undo.yml", "web2", Run::Real)?;
    stage.fails("pool_member.verify.yml", "web2")?;
    stage.give(&[("membership", "in")]);
    stage.succeeds("pool_member.verify.yml", "web", Run::Real)?;
    assert_eq!(answering(&stage)?, ["web1", "web2"]);
    Ok(())
}

/// Who answers behind the balancer.
fn answering(stage: &Stage) -> Result<Vec<String>> {
    let ask =
        "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1/').read().decode().strip())";
    let answers = (0..8).map(|_| stage.fleet.said_on(BALANCER, &["/usr/bin/python3", "-c", ask]));
    let mut names = answers.map(|name| Ok(name?.trim().to_owned())).collect::<Result<Vec<_>>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}

#[test]
fn patch_hosts() -> Result<()> {
    let mut stage = stage(2)?;
    for host in ["web1", "web2"] {
        stage.fleet.said_on(host, &["apt-get", "update", "-qq"])?;
    }
    stage.given.insert("package_names".to_owned(), json!([unsafe_text("fleet-greeting")]));
    stage.given.insert("packages".to_owned(), json!([unsafe_text("fleet-greeting=1.1")]));
    stage.given.insert("packages_before".to_owned(), json!([unsafe_text("fleet-greeting=1.0")]));
    let said = stage.succeeds("patch_hosts.look.yml", "web1", Run::Real)?;
    assert!(
        said.contains(r#""fleet-greeting": "1.0""#) && said.contains(r#""fleet-greeting": "1.1""#),
        "{said}"
    );
    let greeting = |stage: &Stage| stage.fleet.read("web1", "/usr/share/fleet-greeting/greeting");
    stage.succeeds("patch_hosts.yml", "web", Run::Check)?;
    assert_eq!(greeting(&stage)?, "hello from 1.0\n");
    stage.fails("patch_hosts.verify.yml", "web")?;
    stage.succeeds("patch_hosts.yml", "web", Run::Real)?;
    assert_eq!(greeting(&stage)?, "hello from 1.1\n");
    stage.succeeds("patch_hosts.verify.yml", "web", Run::Real)?;
    stage.succeeds("patch_hosts.undo.yml", "web", Run::Real)?;
    assert_eq!(greeting(&stage)?, "hello from 1.0\n");
    // What is not installed is not installed, and what apt does not have is refused while planning.
    stage.fleet.said_on("web1", &["dpkg", "--purge", "fleet-greeting"])?;
    stage.fails("patch_hosts.yml", "web1")?;
    assert!(!stage.fleet.has("web1", "/usr/share/fleet-greeting")?);
    stage.given.insert("packages".to_owned(), json!([unsafe_text("fleet-greeting=9")]));
    let output = stage.run("patch_hosts.yml", "web2", Run::Check)?;
    assert!(said_none(&output), "{}", self::said(&output));
    Ok(())
}

fn said_none(output: &Output) -> bool {
    !output.status.success() && said(output).contains("no available installation candidate")
}

#[test]
fn clean_disk() -> Result<()> {
    let old = ["/var/cache/reports/old-1.csv", "/var/cache/reports/old-2.csv"];
    let mut stage = stage(2)?;
    stage.give(&[("area", "reports"), ("older_than_days", "7"), ("runcord_planned", &seconds()?)]);
    let said = stage.succeeds("clean_disk.yml", "web", Run::Check)?;
    assert!(said.contains("\"bytes\": 4096") && old.iter().all(|path| said.contains(path)), "{said}");
    assert!(stage.fleet.has("web1", old[0])?);
    stage.fails("clean_disk.verify.yml", "web")?;
    stage.succeeds("clean_disk.yml", "web", Run::Real)?;
    for path in old {
        assert!(!stage.fleet.has("web1", path)?, "{path}");
    }
    assert!(stage.fleet.has("web1", "/var/cache/reports/new.csv")?);
    stage.succeeds("clean_disk.verify.yml", "web", Run::Real)?;
    stage.give(&[("area", "/etc")]);
    stage.fails("clean_disk.yml", "web")?;
    Ok(())
}

#[test]
fn reboot_hosts() -> Result<()> {
    let id = "/proc/sys/kernel/random/boot_id";
    let mut stage = stage(2)?;
    let before = stage.fleet.read("web1", id)?;
    stage.give(&[("runcord_since", &seconds()?)]);
    stage.succeeds("reboot_hosts.yml", "web1", Run::Check)?;
    assert_eq!(stage.fleet.read("web1", id)?, before);
    std::thread::sleep(std::time::Duration::from_secs(2));
    stage.give(&[("runcord_since", &seconds()?)]);
    stage.fails("reboot_hosts.verify.yml", "web1")?;
    let other = stage.fleet.read("web2", id)?;
    stage.succeeds("reboot_hosts.yml", "web1", Run::Real)?;
    assert_ne!(stage.fleet.read("web1", id)?, before);
    assert_eq!(stage.fleet.read("web2", id)?, other);
    stage.succeeds("reboot_hosts.verify.yml", "web1", Run::Real)?;
    Ok(())
}

#[test]
fn what_only_reads_tells_what_is_there() -> Result<()> {
    let mut stage = stage(2)?;
    stage.fleet.said_on("web2", &["/etc/init.d/nginx", "stop"])?;
    let said = stage.succeeds("service_status.yml", "web1", Run::Real)?;
    assert!(said.contains(r#""state": "running""#), "{said}");
    let said = stage.succeeds("service_status.yml", "web2", Run::Real)?;
    assert!(said.contains(r#""state": "stopped""#), "{said}");
    let said = stage.succeeds("host_facts.yml", "web1", Run::Real)?;
    assert!(said.contains(r#""service_manager": "sysvinit""#), "{said}");
    let said = stage.succeeds("disk_usage.yml", "web1", Run::Real)?;
    assert!(said.contains("\"free_bytes\": {\n            \"/\": "), "{said}");
    stage.give(&[("service", "nosuch")]);
    let said = stage.succeeds("service_status.yml", "web1", Run::Real)?;
    assert!(said.contains(r#""known": false"#), "{said}");
    Ok(())
}

#[test]
fn a_value_with_a_template_in_it_runs_nothing() -> Result<()> {
    let mut stage = stage(1)?;
    let marker = stage.fleet.path("marker");
    stage.give(&[("service", &format!("{{{{ lookup('pipe', 'touch {}') }}}}", marker.display()))]);
    let said = stage.fails("service_status.yml", "web1")?;
    assert!(said.contains("Assertion failed"), "{said}");
    assert!(!marker.exists());
    Ok(())
}

/// The SHA-256 of a file, in hexadecimal digits.
fn digest_of(path: &Path) -> Result<String> {
    let output = std::process::Command::new("sha256sum").arg(path).output()?;
    let said = String::from_utf8(output.stdout)?;
    Ok(said.split_whitespace().next().context("it says the digest first")?.to_owned())
}

#[test]
fn the_oldest_ansible_takes_the_whole_library() -> Result<()> {
    let mut stage = stage_with(2, oldest_playbook_assets()?)?;
    for host in ["web1", "web2"] {
        stage.fleet.said_on(host, &["apt-get", "update", "-qq"])?;
    }
    let source = stage.fleet.path("nginx.conf");
    fs::write(&source, stage.fleet.read("web1", "/etc/nginx/nginx.conf")? + "# pushed\n")?;
    let status = format!("http://{}:8404/stats;csv", stage.fleet.address(BALANCER)?);
    stage.give(&[
        ("service_port", "80"),
        ("pid_file", "/run/nginx.pid"),
        ("config_source", source.to_str().context("a path of ASCII")?),
        ("config_digest", &digest_of(&source)?),
        ("config_path", "/etc/nginx/nginx.conf"),
        ("config_check", "/usr/sbin/nginx -t -c %s"),
        ("certificate", "site"),
        ("certificate_version", "second"),
        ("certificate_days", "30"),
        ("certificate_port", "443"),
        ("membership", "out"),
        ("membership_file", "/srv/pool/in"),
        ("balancer_status", &status),
        ("area", "reports"),
        ("older_than_days", "7"),
        ("runcord_planned", &seconds()?),
    ]);
    stage.given.insert("package_names".to_owned(), json!([unsafe_text("fleet-greeting")]));
    stage.given.insert("packages".to_owned(), json!([unsafe_text("fleet-greeting=1.1")]));
    stage.given.insert("packages_before".to_owned(), json!([unsafe_text("fleet-greeting=1.0")]));
    for reading in ["host_facts.yml", "service_status.yml", "disk_usage.yml", "patch_hosts.look.yml"] {
        stage.succeeds(reading, "web", Run::Real)?;
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    stage.give(&[("runcord_since", &seconds()?)]);
    for changing in [
        "restart_service",
        "push_config",
        "rotate_host_certificate",
        "pool_member",
        "patch_hosts",
        "clean_disk",
    ] {
        stage.succeeds(&format!("{changing}.yml"), "web", Run::Check)?;
        stage.fails(&format!("{changing}.verify.yml"), "web")?;
        stage.succeeds(&format!("{changing}.yml"), "web", Run::Real)?;
        stage.succeeds(&format!("{changing}.verify.yml"), "web", Run::Real)?;
    }
    for back in ["push_config", "rotate_host_certificate", "pool_member", "patch_hosts"] {
        stage.succeeds(&format!("{back}.undo.yml"), "web", Run::Real)?;
        stage.fails(&format!("{back}.verify.yml"), "web")?;
    }
    stage.fails("reboot_hosts.verify.yml", "web")?;
    stage.succeeds("reboot_hosts.yml", "web", Run::Real)?;
    stage.succeeds("reboot_hosts.verify.yml", "web", Run::Real)?;
    Ok(())
}
