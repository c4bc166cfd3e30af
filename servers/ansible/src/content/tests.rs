use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn path(text: &str) -> ProjectPath {
    text.parse().unwrap()
}

async fn assembled(files: &[(&str, &str)]) -> (tempfile::TempDir, Content) {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().join("project");
    for (name, text) in files {
        let file = project.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        if text.starts_with("#!") {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    let contents = Contents::new(dir.path().join("contents"));
    let content = contents.assemble(&project).await.unwrap();
    assert_eq!(contents.open(&content.digest).await.unwrap().tree, content.tree);
    (dir, content)
}

#[tokio::test]
async fn what_is_ours_stands_beside_the_project_and_no_configuration_of_its_own_does() {
    let (_dir, content) =
        assembled(&[("live/web.yml", "x"), ("ansible.cfg", "[defaults]"), (".git/config", "")]).await;
    assert_eq!(fs::read_to_string(content.project().join("live/web.yml")).unwrap(), "x");
    assert!(!content.project().join("ansible.cfg").exists() && !content.project().join(".git").exists());
    let config = fs::read_to_string(content.config()).unwrap();
    assert!(
        config.contains("host_key_checking = True") && config.contains("stdout_callback = runcord_events")
    );
    let shipped = Source::Shipped("restart_service.verify".parse().unwrap());
    assert!(content.playbook(&shipped).is_file());
    let (playbook, files) = content.to_vet(&shipped);
    assert_eq!(files[&playbook], library::text(&"restart_service.verify".parse().unwrap()).unwrap());
    assert!(!files.contains_key("live/web.yml"), "the library does not see the project");
    assert_eq!(content.file(&path("live/web.yml")), Some(&b"x"[..]));
}

#[tokio::test]
async fn an_inventory_that_asks_somebody_is_told_from_one_that_is_written_down() {
    let (_dir, content) = assembled(&[
        ("hosts.yml", "all: {hosts: {web1: {}}}"),
        ("script", "#!/bin/sh\n"),
        ("cloud.yml", "# ours\nplugin: amazon.aws.aws_ec2\n"),
        ("quoted.yml", "\"plugin\": x\n"),
        ("folder/a.yml", "all: {}"),
        ("folder/b.yml", "plugin: x"),
    ])
    .await;
    for (inventory, from) in [
        ("hosts.yml", HostsFrom::Files),
        ("script", HostsFrom::Elsewhere),
        ("cloud.yml", HostsFrom::Elsewhere),
        ("quoted.yml", HostsFrom::Elsewhere),
        ("folder", HostsFrom::Elsewhere),
        ("none.yml", HostsFrom::Nowhere),
    ] {
        assert_eq!(content.hosts_from(&path(inventory)), from, "{inventory}");
    }
}

#[tokio::test]
async fn another_file_is_another_content() {
    let (_one, one) = assembled(&[("a", "x")]).await;
    let (_other, other) = assembled(&[("a", "y")]).await;
    assert_ne!(one.digest, other.digest);
}

#[tokio::test]
async fn what_runs_in_a_content_keeps_it_from_being_swept() {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().join("project");
    fs::create_dir(&project).unwrap();
    let contents = Contents::new(dir.path().join("contents"));
    let content = contents.assemble(&project).await.unwrap();
    let long_ago = || {
        let folder = fs::File::open(content.project().parent().unwrap()).unwrap();
        disk::set_modified(&folder, SystemTime::now() - 2 * runcord_content::KEPT).unwrap();
    };
    long_ago();
    contents.keep(&content.digest).unwrap();
    contents.sweep().unwrap();
    assert!(content.config().exists());
    long_ago();
    contents.sweep().unwrap();
    assert!(!content.config().exists() && contents.keep(&content.digest).is_err());
}
