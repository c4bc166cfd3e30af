//! Real processes, none of them a shell.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::find::find_on;
use crate::{AfterGrace, Command, ExecError, Status, Stdin, find_program, own_session};

fn program(name: &str) -> Command {
    Command::new(&find_program(name).unwrap())
}

/// This test program again, running only the ignored test `name`, which plays the process that is started.
fn ourselves(name: &str) -> Command {
    let test = format!("tests::{name}");
    Command::new(&std::env::current_exe().unwrap()).args(["--exact", &test, "--ignored", "--nocapture"])
}

#[tokio::test]
async fn the_environment_is_only_what_was_allowed() {
    assert!(std::env::var_os("PATH").is_some());
    let run = program("env").env("GREETING", "hello").keep_env(&["NO_SUCH_VARIABLE_HERE"]).run();
    assert_eq!(run.await.unwrap().stdout, b"GREETING=hello\n");
    let kept = program("env").keep_env(&["PATH"]).run().await.unwrap();
    assert!(kept.stdout.starts_with(b"PATH=") && kept.stdout.iter().filter(|b| **b == b'\n').count() == 1);
}

#[tokio::test]
async fn arguments_reach_the_program_as_they_are() {
    let run = program("printf").args(["%s|", "$HOME", "a b", "; rm -rf /", "*"]).run().await.unwrap();
    assert_eq!(run.stdout, b"$HOME|a b|; rm -rf /|*|");
}

#[tokio::test]
async fn input_is_what_was_given_and_nothing_else() {
    let echoed = program("cat").stdin(Stdin::Bytes(b"line".to_vec())).run().await.unwrap();
    assert_eq!((echoed.stdout.as_slice(), echoed.status), (b"line".as_slice(), Status::Exited(0)));
    assert!(program("cat").run().await.unwrap().stdout.is_empty());
}

#[tokio::test]
async fn more_output_than_allowed_is_dropped_and_said_to_be() {
    let bytes = vec![b'x'; 300_000];
    let run =
        program("cat").stdin(Stdin::Bytes(bytes)).limits(Duration::from_secs(20), 1000).run().await.unwrap();
    assert_eq!((run.stdout.len(), run.truncated, run.status.success()), (1000, true, true));
    let run =
        program("cat").stdin(Stdin::Bytes(vec![b'x'; 1000])).limits(Duration::from_secs(20), 1000).run();
    assert!(!run.await.unwrap().truncated);
}

#[tokio::test]
async fn a_failure_is_a_result_and_a_missing_program_an_error() {
    assert_eq!(program("false").run().await.unwrap().status, Status::Exited(1));
    let missing = Command::new(Path::new("/nowhere/at-all")).run().await.unwrap_err();
    assert!(matches!(missing, ExecError::Start { .. }), "{missing}");
}

#[tokio::test]
async fn a_program_without_an_absolute_path_is_not_started() {
    let error = Command::new(Path::new("env")).run().await.unwrap_err();
    assert!(matches!(error, ExecError::NotAbsolute { .. }), "{error}");
}

#[tokio::test]
async fn a_time_out_sends_sigint_first() {
    let run = program("sleep").arg("60").limits(Duration::from_millis(200), 10).run().await;
    let Err(ExecError::TimedOut { finished, .. }) = run else { panic!("{run:?}") };
    assert_eq!(finished.status, Status::Signalled(2));
}

/// Whoever starts us with SIGINT ignored (a shell's `&`, `nohup`) or blocked means us and not what we start.
#[tokio::test]
async fn what_we_ignore_or_block_is_not_passed_on() {
    let run = deaf(&ourselves("print_signals")).keep_env(&["PATH"]).run().await.unwrap();
    let out = String::from_utf8(run.stdout).unwrap();
    for line in ["we: ignored 4006, blocked 4006", "a child: ignored 0, blocked 0"] {
        assert!(out.contains(line), "{out}");
    }
    assert!(out.contains("a child that took too long: Signalled(2)"), "{out}");
    assert!(out.contains("we ourselves still ignore it"), "{out}");
}

#[tokio::test]
#[ignore = "is run by another test, as a process"]
async fn print_signals() {
    println!("we: {}", endings(&std::fs::read_to_string("/proc/thread-self/status").unwrap()));
    let child = program("cat").arg("/proc/self/status").run().await.unwrap();
    println!("a child: {}", endings(&String::from_utf8(child.stdout).unwrap()));
    let run = program("sleep").arg("60").limits(Duration::from_millis(200), 10).run().await;
    let Err(ExecError::TimedOut { finished, .. }) = run else { panic!("{run:?}") };
    println!("a child that took too long: {:?}", finished.status);
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        rustix::process::kill_process(rustix::process::getpid(), signal).unwrap();
    }
    println!("we ourselves still ignore it");
}

/// Which of SIGINT (2), SIGQUIT (3) and SIGTERM (15) a process ignores and blocks, as `/proc` writes sets of signals.
fn endings(status: &str) -> String {
    let of = |field: &str| {
        let set = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        u64::from_str_radix(set.trim(), 16).unwrap() & 0x4006
    };
    format!("ignored {:x}, blocked {:x}", of("SigIgn:"), of("SigBlk:"))
}

#[tokio::test]
async fn who_is_followed_writes_to_private_new_files_and_ends_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let mut echo = program("echo").arg("hello").follow(&out, &err).unwrap();
    assert_eq!(echo.ended().await.unwrap(), Status::Exited(0));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "hello\n");
    assert_eq!(out.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = program("echo").follow(&out, &err);
    assert!(matches!(again, Err(ExecError::Output { .. })), "what another has written is not overwritten");
}

#[tokio::test]
async fn who_is_followed_is_interrupted_and_outlives_whoever_follows() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let mut asleep = program("sleep").arg("60").follow(&file("a"), &file("b")).unwrap();
    asleep.interrupt();
    assert_eq!(asleep.ended().await.unwrap(), Status::Signalled(2));
    let left = program("sleep").arg("60").follow(&file("c"), &file("d")).unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(left.pid().get()).unwrap()).unwrap();
    drop(left);
    tokio::time::sleep(Duration::from_millis(50)).await;
    rustix::process::test_kill_process(pid).unwrap();
    rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).unwrap();
}

/// `env` from coreutils starts it with the signals that end a process ignored and blocked.
fn deaf(command: &Command) -> Command {
    program("env")
        .args(["--ignore-signal=INT,QUIT,TERM", "--block-signal=INT,QUIT,TERM"])
        .arg(&command.program)
        .args(&command.arguments)
}

#[tokio::test]
async fn who_ignores_sigint_is_killed_where_that_is_allowed() {
    let run = stubborn().after_time_out(Duration::from_millis(300), AfterGrace::Kill).run().await;
    let Err(ExecError::TimedOut { finished, .. }) = run else { panic!("{run:?}") };
    assert_eq!(finished.status, Status::Signalled(9));
}

#[tokio::test]
async fn who_may_not_be_killed_is_left_running() {
    let run = stubborn().after_time_out(Duration::from_millis(300), AfterGrace::Leave).run().await;
    let Err(ExecError::LeftRunning { pid, .. }) = run else { panic!("{run:?}") };
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid.get()).unwrap()).unwrap();
    rustix::process::test_kill_process(pid).unwrap();
    rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).unwrap();
}

/// `env` from coreutils starts `sleep` with SIGINT ignored.
fn stubborn() -> Command {
    program("env")
        .keep_env(&["PATH"])
        .args(["--ignore-signal=INT", "sleep", "60"])
        .limits(Duration::from_millis(500), 10)
}

#[tokio::test]
async fn a_child_that_keeps_the_pipe_open_does_not_keep_us() {
    let begun = Instant::now();
    let run = program("setsid").keep_env(&["PATH"]).args(["--fork", "sleep", "5"]).run().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4) && run.truncated);
}

#[tokio::test]
async fn each_process_has_a_group_of_its_own() {
    let run = ourselves("print_group").run().await.unwrap();
    let out = String::from_utf8(run.stdout).unwrap();
    assert!(out.contains("leads its group"), "{out}");
}

#[test]
#[ignore = "is run by another test, as a process"]
fn print_group() {
    if rustix::process::getpgrp() == rustix::process::getpid() {
        println!("leads its group");
    }
}

#[tokio::test]
async fn the_worker_has_its_own_session_and_writes_to_private_files() {
    let folder = tempfile::tempdir().unwrap();
    let outputs = folder.path().join("run");
    let pid = ourselves("print_session").spawn_detached(&outputs, "run_a").unwrap();
    let text = wait_for(&outputs.join("run_a.stdout.log"), "session ").await;
    assert!(text.contains(&format!("session {pid}")), "{text}");
    for file in ["run_a.stdout.log", "run_a.stderr.log"] {
        assert_eq!(outputs.join(file).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    ourselves("print_session").spawn_detached(&outputs, "run_a").unwrap();
    let appended = wait_for_count(&outputs.join("run_a.stdout.log"), "session ", 2).await;
    assert!(appended.starts_with(&text), "{appended}");
}

#[test]
#[ignore = "is run by another test, as a process"]
fn print_session() {
    own_session().unwrap();
    println!("session {}", rustix::process::getsid(None).unwrap().as_raw_nonzero());
}

#[tokio::test]
async fn output_stays_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let error = program("env").spawn_detached(&folder.path().join("in"), "../out").unwrap_err();
    assert!(matches!(error, ExecError::Output { .. }), "{error}");
}

#[tokio::test]
async fn output_does_not_follow_a_link() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), folder.path().join("run_a.stdout.log"))
        .unwrap();
    let error = program("env").spawn_detached(folder.path(), "run_a").unwrap_err();
    assert!(matches!(error, ExecError::Output { .. }), "{error}");
}

async fn wait_for(file: &Path, text: &str) -> String {
    wait_for_count(file, text, 1).await
}

async fn wait_for_count(file: &Path, text: &str, count: usize) -> String {
    for _ in 0..400 {
        let read = std::fs::read_to_string(file).unwrap_or_default();
        if read.matches(text).count() >= count {
            return read;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{text:?} never came")
}

#[test]
fn programs_are_found_on_absolute_folders_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tool");
    std::fs::write(&file, "").unwrap();
    let path = |folders: &[&Path]| std::env::join_paths(folders).unwrap();
    assert_eq!(find_on(&path(&[folder.path()]), "tool"), None, "not executable");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(find_on(&path(&[Path::new("."), folder.path()]), "tool"), Some(file));
    assert_eq!(find_on(OsStr::new("src:."), "lib.rs"), None::<PathBuf>);
    assert_eq!(find_on(&path(&[folder.path()]), "../tool"), None);
}
