//! Real files, and what is taken of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;

struct Bed(tempfile::TempDir);

impl Bed {
    fn new() -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        bed.write("a/site.yml", "- hosts: all\n");
        bed.write("b/roles/web/run.sh", "#!/bin/sh\n");
        fs::set_permissions(bed.at("b/roles/web/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        bed.write("b/left out/x", "");
        bed.write("c", "");
        bed
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn all(&self) -> Result<Tree, ContentError> {
        read_all(self.0.path(), Names::new(&own))
    }

    fn of(&self, folders: &[&str]) -> Result<Tree, ContentError> {
        read_folders(self.0.path(), folders, Names::new(&own))
    }
}

/// The rules of a server.
fn own(path: &str) -> Verdict {
    match path {
        "b/left out" => Verdict::LeftOut,
        "b/refused" => Verdict::Refused(Rule::Own("not here")),
        _ => Verdict::Kept,
    }
}

fn paths(tree: &Tree) -> Vec<&str> {
    tree.files().map(|(path, _)| path).collect()
}

fn rule<T: std::fmt::Debug>(result: Result<T, ContentError>) -> (String, Rule) {
    let Err(ContentError::Unfit { path, rule }) = result else { panic!("{result:?}") };
    (path, rule)
}

#[test]
fn all_files_or_those_of_some_folders_are_taken_once() {
    let bed = Bed::new();
    let all = bed.all().unwrap();
    assert_eq!(paths(&all), ["a/site.yml", "b/roles/web/run.sh", "c"]);
    assert_eq!(all.get("a/site.yml").unwrap().content, b"- hosts: all\n");
    let runs = ["a/site.yml", "b/roles/web/run.sh"].map(|path| all.get(path).unwrap().runs);
    assert_eq!(runs, [Runs::No, Runs::Yes]);
    let some = bed.of(&["b/roles", "b/roles/web"]).unwrap();
    assert_eq!(paths(&some), ["b/roles/web/run.sh"], "by its path from the root");
    assert!(bed.of(&[]).unwrap().files().next().is_none());
}

#[test]
fn what_a_digest_could_not_cover_is_refused_by_name() {
    type Make = fn(&Bed);
    let cases: [(&str, Rule, Make); 8] = [
        ("a/link", Rule::Link, |bed| symlink(bed.at("c"), bed.at("a/link")).unwrap()),
        ("a/sub", Rule::Link, |bed| symlink(bed.at("b"), bed.at("a/sub")).unwrap()),
        ("a/pipe", Rule::Special, |bed| {
            rustix::fs::mkfifoat(rustix::fs::CWD, bed.at("a/pipe"), Mode::RWXU).unwrap();
        }),
        ("a/socket", Rule::Special, |bed| {
            drop(std::os::unix::net::UnixListener::bind(bed.at("a/socket")).unwrap());
        }),
        ("a/large", Rule::FileSize, |bed| {
            fs::File::create(bed.at("a/large")).unwrap().set_len(FILE_BYTES + 1).unwrap();
        }),
        ("a/a\nb", Rule::Name, |bed| bed.write("a/a\nb", "")),
        ("a/a\\b", Rule::Name, |bed| bed.write("a/a\\b", "")),
        ("b/refused", Rule::Own("not here"), |bed| bed.write("b/refused/x", "")),
    ];
    for (path, broken, make) in cases {
        let bed = Bed::new();
        make(&bed);
        assert_eq!(rule(bed.all()), (path.to_owned(), broken));
        assert_eq!(rule(bed.of(&["a", "b"])), (path.to_owned(), broken));
    }
}

#[test]
fn a_folder_is_there_and_is_not_reached_over_a_link() {
    let bed = Bed::new();
    symlink("b", bed.at("link")).unwrap();
    for (folder, broken) in
        [("none", Rule::Missing), ("c", Rule::Missing), ("link", Rule::Link), ("link/roles", Rule::Link)]
    {
        assert_eq!(rule(bed.of(&[folder])), (folder.to_owned(), broken));
    }
    let names = Names::new(&own);
    assert_eq!(rule(read_all(&bed.at("none"), names)), (".".to_owned(), Rule::Missing));
    assert!(read_all(&bed.at("link"), names).is_ok(), "whoever started us says where the files are");
}

#[test]
fn one_file_is_taken_by_the_same_rules() {
    let bed = Bed::new();
    let read = |folder, name| read_file(bed.0.path(), folder, name);
    assert_eq!(read("a", "site.yml").unwrap().unwrap().content, b"- hosts: all\n");
    assert_eq!(read("a", "none").unwrap(), None);
    symlink(bed.at("c"), bed.at("a/link")).unwrap();
    assert_eq!(rule(read("a", "link")), ("a/link".to_owned(), Rule::Link));
    assert_eq!(rule(read("b", "roles")), ("b/roles".to_owned(), Rule::Special));
    assert_eq!(rule(read("none", "site.yml")), ("none".to_owned(), Rule::Missing));
}

#[test]
fn too_many_files_or_folders_and_too_deep_ones_are_refused() {
    let bed = Bed::new();
    for n in 0..FILES {
        fs::write(bed.at(&format!("a/{n}")), "").unwrap();
    }
    assert_eq!(rule(bed.all()).1, Rule::Count);
    let bed = Bed::new();
    for n in 0..FILES {
        fs::create_dir(bed.at(&format!("a/{n}"))).unwrap();
    }
    assert_eq!(rule(bed.all()).1, Rule::Count);
    let bed = Bed::new();
    bed.write(&format!("a/{}x", "d/".repeat(DEPTH)), "");
    assert_eq!(rule(bed.all()).1, Rule::Depth);
}
