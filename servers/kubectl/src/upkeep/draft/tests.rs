use std::collections::BTreeMap;

use runcord_model::{Code, Measure, Refusal};
use runcord_runtime::target::{Draft, Settled};
use serde_json::{Value, json};

use crate::KubectlActions;
use crate::act::Act;
use crate::actions::Action;
use crate::canonical::canonical;
use crate::draft::draft;
use crate::dry_run::DryRun;
use crate::measure::measure;
use crate::samples::{budget, fixed, node, owner, pod, seen_drain, seen_workload, uid};
use crate::seen::{Charges, Keeper, Phase, Seen};
use crate::settle::settle;
use crate::upkeep::UpkeepAct;
use crate::upkeep::seen::{Condition, CronJob, History, Job, KeptRevision, Maker, OUT_OF_SERVICE, Vitals};

fn action(name: &str, with: &Value) -> Action {
    let with = with.as_object().cloned().unwrap();
    Action::read(&runcord_model::StepCall { id: "s".into(), action: name.into(), with }).unwrap()
}

fn drafted(name: &str, with: &Value, seen: &Seen) -> Draft<KubectlActions> {
    draft(&action(name, with), seen, &fixed()).unwrap()
}

fn refused(name: &str, with: &Value, seen: &Seen) -> String {
    let refusal: Refusal = draft(&action(name, with), seen, &fixed()).map(|d| d.summary).unwrap_err();
    assert_eq!(refusal.code, Code::PreconditionFailed);
    refusal.message
}

fn irreversible(draft: &Draft<KubectlActions>, seen: &Seen) -> Measure {
    measure(seen, std::slice::from_ref(&draft.acts), &DryRun::default()).blast_radius.irreversible
}

// --- rolling back

fn kept(number: i64, template: &str) -> KeptRevision {
    KeptRevision {
        number,
        name: format!("web-{number}").parse().unwrap(),
        uid: uid(&format!("rs-{number}")),
        template: template.to_owned(),
        images: BTreeMap::from([("main".to_owned(), format!("x:{template}"))]),
        charges: Charges::default(),
    }
}

fn rolled(template: &str, revisions: Vec<KeptRevision>) -> Seen {
    let mut seen = seen_workload(4, 4);
    let workload = seen.focus.workloads[0].clone();
    seen.focus.upkeep.histories = vec![workload.clone()];
    seen.upkeep.histories = vec![History { workload, template: template.to_owned(), revisions }];
    seen
}

fn web() -> Value {
    json!({"kind": "Deployment", "namespace": "shop", "name": "web"})
}

fn web_at(revision: i64) -> Value {
    let mut with = web();
    with["revision"] = json!(revision);
    with
}

#[test]
fn a_rollback_goes_to_the_revision_before_or_the_one_that_is_named() {
    let seen = rolled("c", vec![kept(1, "a"), kept(2, "b"), kept(3, "c")]);
    for (with, to) in [(web(), 2), (web_at(1), 1)] {
        let draft = drafted("roll_back", &with, &seen);
        let [Act::Upkeep(UpkeepAct::RollBack(act)), Act::AwaitRollout(_)] = &draft.acts[..] else { panic!() };
        assert_eq!((act.from, act.to), (3, to));
        assert_eq!(act.images.len(), 1);
        let measured = measure(&seen, std::slice::from_ref(&draft.acts), &DryRun::default());
        assert_eq!(measured.blast_radius.pods_lost, Measure::Known(1), "as a restart");
        assert!(measured.coverage.undetermined.iter().any(|u| u.contains("configuration and data")));
    }
}

#[test]
fn a_rollback_is_refused_when_there_is_nothing_to_go_back_to() {
    let seen = rolled("c", vec![kept(2, "b"), kept(3, "c")]);
    assert!(refused("roll_back", &web_at(3), &seen).contains("already"));
    assert!(refused("roll_back", &web_at(7), &seen).contains("keeps no revision 7; it keeps 2, 3"));
    assert!(refused("roll_back", &web(), &rolled("c", vec![kept(3, "c")])).contains("no earlier"));
    let alike = rolled("c", vec![kept(2, "c"), kept(3, "c")]);
    assert!(refused("roll_back", &web(), &alike).contains("no earlier"), "the same template is no way back");
    assert!(refused("roll_back", &web(), &rolled("d", vec![kept(3, "c")])).contains("not recorded"));
}

#[test]
fn a_rollback_waits_for_a_rollout_under_way_but_not_for_one_that_gave_up() {
    let mut seen = rolled("c", vec![kept(2, "b"), kept(3, "c")]);
    seen.workloads[0].counts.as_mut().unwrap().updated = 1;
    assert!(refused("roll_back", &web(), &seen).contains("under way"));
    seen.workloads[0].rollout.as_mut().unwrap().stalled = true;
    drafted("roll_back", &web(), &seen);
    seen.workloads[0].rollout.as_mut().unwrap().paused = true;
    assert!(refused("roll_back", &web(), &seen).contains("paused"));
}

#[test]
fn a_rollback_is_settled_by_mark_and_template() {
    let seen = rolled("c", vec![kept(2, "b"), kept(3, "c")]);
    let acts = drafted("roll_back", &web(), &seen).acts;
    assert_eq!(settle(&acts[0], &seen, &seen), Settled::NotDone);
    let mut now = rolled("b", vec![kept(3, "c"), kept(4, "b")]);
    assert_eq!(settle(&acts[0], &seen, &now), Settled::SomebodyElses, "without our mark");
    now.workloads[0].rollout.as_mut().unwrap().mark = Some(fixed().plan.to_string());
    assert_eq!(settle(&acts[0], &seen, &now), Settled::Done);
    now.workloads[0].id.uid = uid("another");
    assert_eq!(settle(&acts[0], &seen, &now), Settled::SomebodyElses);
    assert_eq!(settle(&acts[0], &seen, &Seen::default()), Settled::CannotTell);
}

// --- one pod

fn named_pod(change: impl FnOnce(&mut crate::seen::Pod)) -> Seen {
    let mut seen = seen_drain("n1", vec![pod("n1", "web", 0), pod("n1", "web", 1)]);
    seen.nodes.insert("n1".parse().unwrap(), node("n1"));
    seen.focus.drained.clear();
    seen.focus.nodes.clear();
    seen.focus.upkeep.pods = vec![("shop".parse().unwrap(), "web-0".parse().unwrap())];
    change(&mut seen.pods[0]);
    seen
}

fn web_0() -> Value {
    json!({"namespace": "shop", "pod": "web-0"})
}

#[test]
fn one_pod_is_evicted_and_its_node_stays_as_it_is() {
    let seen = named_pod(|_| ());
    let draft = drafted("evict_pod", &web_0(), &seen);
    assert!(matches!(&draft.acts[..], [Act::Evict(_), Act::AwaitEvicted(_)]));
    let blast = measure(&seen, std::slice::from_ref(&draft.acts), &DryRun::default()).blast_radius;
    assert_eq!(
        (blast.nodes, blast.pods_lost, blast.pdb_headroom),
        (Measure::Known(0), Measure::Known(1), Measure::Known(0))
    );
    assert_eq!(settle(&draft.acts[0], &seen, &seen), Settled::NotDone);
    let mut gone = seen.clone();
    gone.pods.remove(0);
    assert_eq!(settle(&draft.acts[0], &seen, &gone), Settled::Done);
}

#[test]
fn a_named_pod_that_was_replaced_is_another_effect() {
    let (seen, other) = (named_pod(|_| ()), named_pod(|p| p.uid = uid("another")));
    let effect = |seen: &Seen| canonical(&drafted("evict_pod", &web_0(), seen).acts);
    assert_ne!(effect(&seen), effect(&other));
}

#[test]
fn a_pod_that_nobody_makes_anew_is_not_evicted() {
    for (keeper, says) in [
        (Keeper::Nobody, "no controller"),
        (Keeper::Kubelet, "static"),
        (Keeper::DaemonSet(owner("DaemonSet", "agent")), "same node"),
    ] {
        assert!(refused("evict_pod", &web_0(), &named_pod(|p| p.keeper = keeper)).contains(says));
    }
    assert!(refused("evict_pod", &web_0(), &named_pod(|p| p.phase = Phase::Terminating)).contains("already"));
    let mut two = named_pod(|p| p.budgets.extend([uid("budget-all")]));
    two.budgets.push(budget("all"));
    assert!(refused("evict_pod", &web_0(), &two).contains("more than one"));
    let none = json!({"namespace": "shop", "pod": "nobody"});
    assert!(refused("evict_pod", &none, &named_pod(|_| ())).contains("no pod shop/nobody"));
}

// --- CronJobs

fn nightly(suspended: bool) -> Seen {
    let mut seen = Seen::default();
    seen.focus.upkeep.cron_jobs = vec![("shop".parse().unwrap(), "nightly".parse().unwrap())];
    seen.upkeep.cron_jobs = vec![CronJob {
        id: owner("CronJob", "nightly"),
        suspended,
        active: 1,
        deadline: None,
        mark: None,
        annotated: true,
    }];
    seen
}

fn suspend(suspend: bool) -> Value {
    json!({"namespace": "shop", "name": "nightly", "suspend": suspend})
}

#[test]
fn a_cron_job_is_suspended_once_and_settled_by_its_mark() {
    let seen = nightly(false);
    let draft = drafted("suspend_cronjob", &suspend(true), &seen);
    assert!(draft.summary.contains("1 under way are left alone"), "{}", draft.summary);
    assert!(drafted("suspend_cronjob", &suspend(false), &seen).acts.is_empty());
    assert_eq!(settle(&draft.acts[0], &seen, &seen), Settled::NotDone);
    let mut now = nightly(true);
    assert_eq!(settle(&draft.acts[0], &seen, &now), Settled::SomebodyElses);
    now.upkeep.cron_jobs[0].mark = Some(fixed().plan.to_string());
    assert_eq!(settle(&draft.acts[0], &seen, &now), Settled::Done);
    assert!(refused("suspend_cronjob", &suspend(true), &Seen::default()).contains("no CronJob"));
}

#[test]
fn resuming_without_a_deadline_says_that_a_missed_run_may_start() {
    let seen = nightly(true);
    let acts = drafted("suspend_cronjob", &suspend(false), &seen).acts;
    let said = measure(&seen, &[acts], &DryRun::default()).remarks;
    assert!(said.iter().any(|r| r.contains("may start at once")), "{said:?}");
}

// --- finished Jobs

/// A Job that finished so many hours before the plan, with one pod.
fn job(name: &str, hours: i64) -> Job {
    Job {
        id: owner("Job", name),
        maker: Maker::CronJob { name: "nightly".parse().unwrap(), uid: uid("CronJob-nightly") },
        finished: Some(fixed().at - jiff::SignedDuration::from_hours(hours)),
        deleting: false,
        held_by: vec![],
        owned: BTreeMap::from([("Pod".to_owned(), 1)]),
    }
}

fn jobs(jobs: Vec<Job>) -> Seen {
    let mut seen = nightly(false);
    seen.focus.upkeep.jobs = vec!["shop".parse().unwrap()];
    seen.upkeep.jobs = jobs;
    seen
}

fn clean(more: Value) -> Value {
    let mut with = json!({"namespace": "shop", "older_than": "24h", "at_most": 10});
    with.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    with
}

fn names(draft: &Draft<KubectlActions>) -> Vec<String> {
    let name = |act: &Act| match act {
        Act::Upkeep(UpkeepAct::Delete(it)) => Some(it.job.name.to_string()),
        Act::Upkeep(_)
        | Act::Patch(_)
        | Act::Evict(_)
        | Act::AwaitEvicted(_)
        | Act::AwaitRollout(_)
        | Act::Secret(_)
        | Act::Volume(_)
        | Act::Queue(_) => None,
    };
    draft.acts.iter().filter_map(name).collect()
}

#[test]
fn only_jobs_that_finished_long_enough_ago_go_the_oldest_first_and_capped() {
    let running = Job { finished: None, ..job("running", 0) };
    let going = Job { deleting: true, ..job("going", 90) };
    let seen = jobs(vec![job("young", 23), job("b", 30), running, job("a", 40), going, job("c", 25)]);
    assert_eq!(names(&drafted("clean_jobs", &clean(json!({})), &seen)), ["a", "b", "c"]);
    let capped = drafted("clean_jobs", &clean(json!({"at_most": 2})), &seen);
    assert_eq!(names(&capped), ["a", "b"]);
    assert!(capped.summary.contains("1 more stay"), "{}", capped.summary);
}

#[test]
fn children_are_counted_as_lost_with_the_parent() {
    let mut parent = job("a", 40);
    parent.owned.insert("PersistentVolumeClaim".to_owned(), 2);
    let seen = jobs(vec![parent]);
    let draft = drafted("clean_jobs", &clean(json!({})), &seen);
    assert_eq!(irreversible(&draft, &seen), Measure::Known(4), "the Job, its pod and two claims");
    let said = measure(&seen, &[draft.acts], &DryRun::default()).remarks;
    assert!(said.iter().any(|r| r.contains("2 volume claims")), "{said:?}");
}

#[test]
fn what_a_finalizer_holds_or_another_controller_made_is_left_alone_and_said() {
    let held = Job { held_by: vec!["example.com/hold".to_owned()], ..job("held", 50) };
    let foreign = Job { maker: Maker::Other, ..job("foreign", 50) };
    let seen = jobs(vec![held, foreign, job("a", 40)]);
    let draft = drafted("clean_jobs", &clean(json!({})), &seen);
    assert_eq!(names(&draft), ["a"]);
    let said = measure(&seen, &[draft.acts], &DryRun::default()).remarks.join(" ");
    assert!(
        said.contains("finalizer example.com/hold") && said.contains("shop/foreign is left alone"),
        "{said}"
    );
    let mut only_held = seen.clone();
    only_held.upkeep.jobs.truncate(2);
    assert!(refused("clean_jobs", &clean(json!({})), &only_held).contains("finalizer example.com/hold"));
}

#[test]
fn a_cron_job_that_is_not_there_never_means_all() {
    let seen = jobs(vec![Job { maker: Maker::Nobody, ..job("alone", 40) }, job("a", 40)]);
    assert!(
        refused("clean_jobs", &clean(json!({"cron_job": "nobody"})), &seen)
            .contains("no CronJob shop/nobody")
    );
    assert_eq!(names(&drafted("clean_jobs", &clean(json!({"cron_job": "nightly"})), &seen)), ["a"]);
    assert!(refused("clean_jobs", &clean(json!({})), &jobs(vec![])).contains("no Job of namespace shop"));
}

#[test]
fn a_deletion_is_settled_by_the_jobs_uid() {
    let seen = jobs(vec![job("a", 40)]);
    let acts = drafted("clean_jobs", &clean(json!({})), &seen).acts;
    assert_eq!(settle(&acts[0], &seen, &seen), Settled::NotDone);
    assert_eq!(settle(&acts[0], &seen, &jobs(vec![])), Settled::Done);
    let mut renewed = seen.clone();
    renewed.upkeep.jobs[0].id.uid = uid("another");
    assert_eq!(
        settle(&acts[0], &seen, &renewed),
        Settled::Done,
        "a new Job of the same name is not the old one"
    );
    assert_eq!(settle(&acts[0], &seen, &Seen::default()), Settled::CannotTell);
}

// --- a dead node

fn dead(change: impl FnOnce(&mut Vitals)) -> Seen {
    let mut seen = seen_drain("n1", vec![pod("n1", "web", 0)]);
    seen.pods[0].ready = false;
    let mut vitals = Vitals {
        node: "n1".parse().unwrap(),
        uid: uid("node-n1"),
        ready: Some((3, Condition::Unknown)),
        lease_behind: Some(600),
        lease_period: 40,
        ready_pods: 0,
        taints: vec![("node.kubernetes.io/unreachable".into(), String::new(), "NoExecute".into())],
        mark: None,
        annotated: true,
    };
    change(&mut vitals);
    seen.focus.upkeep.vitals = vec![vitals.node.clone()];
    seen.upkeep.vitals = vec![vitals];
    seen
}

fn n1() -> Value {
    json!({"node": "n1"})
}

#[test]
fn every_sign_of_life_forbids_releasing_a_node() {
    drafted("release_node", &n1(), &dead(|_| ()));
    drafted("release_node", &n1(), &dead(|v| v.ready = Some((3, Condition::False))));
    type Change = fn(&mut Vitals);
    for (change, says) in [
        ((|v| v.ready = Some((3, Condition::True))) as Change, "reports that it is ready"),
        (|v| v.ready = None, "no Ready condition"),
        (|v| v.lease_behind = None, "cannot be compared"),
        (|v| v.lease_behind = Some(199), "199 s behind"),
        (|v| v.lease_period = 130, "650 s are asked for"),
        (|v| v.ready_pods = 1, "still count as ready"),
    ] {
        let said = refused("release_node", &n1(), &dead(change));
        assert!(said.contains(says), "{said}");
    }
    assert!(refused("release_node", &json!({"node": "n7"}), &dead(|_| ())).contains("no node n7"));
}

#[test]
fn a_released_node_counts_as_emptied_and_irreversible() {
    let mut seen = dead(|_| ());
    seen.pods[0].empty_dir = true;
    let draft = drafted("release_node", &n1(), &seen);
    let measured = measure(&seen, std::slice::from_ref(&draft.acts), &DryRun::default());
    assert_eq!(measured.blast_radius.nodes, Measure::Known(1));
    assert_eq!(
        measured.blast_radius.irreversible,
        Measure::Known(2),
        "the node, and the data of an emptyDir"
    );
    assert!(measured.scopes.nodes.contains("n1"));
    assert!(measured.coverage.undetermined.iter().any(|u| u.contains("machine is off")));
}

#[test]
fn releasing_is_settled_by_taint_and_mark_and_undone_by_removing_it() {
    let seen = dead(|_| ());
    let acts = drafted("release_node", &n1(), &seen).acts;
    assert_eq!(settle(&acts[0], &seen, &seen), Settled::NotDone);
    let taint =
        |v: &mut Vitals| v.taints.push((OUT_OF_SERVICE.into(), "nodeshutdown".into(), "NoExecute".into()));
    assert_eq!(settle(&acts[0], &seen, &dead(taint)), Settled::SomebodyElses);
    let ours = dead(|v| {
        taint(v);
        v.mark = Some(fixed().plan.to_string());
    });
    assert_eq!(settle(&acts[0], &seen, &ours), Settled::Done);
    assert!(drafted("release_node", &n1(), &ours).acts.is_empty(), "once is enough");
    let back = drafted("reclaim_node", &n1(), &ours);
    let blast = measure(&ours, std::slice::from_ref(&back.acts), &DryRun::default()).blast_radius;
    assert_eq!((blast.nodes, blast.irreversible), (Measure::Known(0), Measure::Known(0)));
    assert_eq!(settle(&back.acts[0], &ours, &ours), Settled::NotDone);
    assert!(drafted("reclaim_node", &n1(), &seen).acts.is_empty());
}
