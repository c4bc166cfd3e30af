//! The bounds of what the runbooks write, as a ValidatingAdmissionPolicy in CEL.
//!
//! It judges every write of the identity, whatever RBAC permits besides: what is not named is refused, and an expression
//! that cannot be evaluated refuses too (`failurePolicy: Fail`). So it does for every command in a container. Reads and reviews do not pass admission.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::action::Use;
use serde_json::{Value, json};

use super::{Changes, Subject, Wanted, commands};
use crate::convert::PLAN_MARK;
use crate::permissions::{Bound, Reach, SECRET_DATA, STORAGE, TAINTS, Undeclared, bounds};
use crate::secrets::seen::COPY_OF;
use crate::upkeep::seen::OUT_OF_SERVICE;

const API: &str = "admissionregistration.k8s.io/v1";

/// What the API server itself moves with an update, whatever the request says of it.
fn housekeeping(resource: &str) -> impl Iterator<Item = &'static [&'static str]> {
    const ALWAYS: [&[&str]; 3] =
        [&["metadata", "generation"], &["metadata", "managedFields"], &["metadata", "resourceVersion"]];
    // A DaemonSet's template has a generation of its own, which the API server counts up where an annotation shows it
    // (seen with 1.36: a restart was refused without this).
    const TEMPLATE: &[&str] = &["metadata", "annotations", "deprecated.daemonset.template.generation"];
    ALWAYS.into_iter().chain((resource == "daemonsets").then_some(TEMPLATE))
}

/// The policy and its binding; neither when there is nobody to hold.
pub(super) fn objects(uses: &[Use], wanted: &Wanted) -> Result<Vec<Value>, Undeclared> {
    let mut all = BTreeSet::new();
    for one in uses {
        all.extend(bounds(one)?);
    }
    if wanted.subjects.is_empty() {
        return Ok(Vec::new());
    }
    let shapes = shapes(&all);
    let commands = commands::permitted(all.iter(), wanted);
    let run = (!commands.is_empty()).then(|| commands::WHAT.to_owned());
    let mut validations = vec![json!({
        "expression": format!("variables.what in {}", list(shapes.keys().map(Shape::what).chain(run))),
        "message": "no runbook writes this: nothing else may be created, changed or deleted",
    })];
    for (shape, fields) in &shapes {
        validations.push(shape.validation(fields, wanted));
    }
    validations.extend(commands::validation(&commands, wanted));
    validations.extend(dry_run_only(wanted.changes));
    let name = wanted.name.as_str();
    let policy = json!({
        "apiVersion": API, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [
                {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}]},
            "matchConditions": [{"name": "identity", "expression": identity(&wanted.subjects)}],
            "variables": [{"name": "what", "expression": WHAT}],
            "validations": validations,
        }
    });
    let binding = json!({
        "apiVersion": API, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]}
    });
    Ok(vec![policy, binding])
}

/// `UPDATE apps/deployments`, `CREATE /pods/eviction`: a patch is an update.
const WHAT: &str = "request.operation + ' ' + request.resource.group + '/' + request.resource.resource + \
    (has(request.subResource) && request.subResource != '' ? '/' + request.subResource : '')";

/// One kind of request that the runbooks send.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Change { group: &'static str, resource: &'static str, reach: Reach },
    Evict { reach: Reach },
    KeepSecret,
    DeleteFinishedJob,
}

type Fields = BTreeSet<&'static [&'static str]>;

/// What is written, and for a change all fields that any runbook touches.
fn shapes(bounds: &BTreeSet<Bound>) -> BTreeMap<Shape, Fields> {
    let mut shapes: BTreeMap<Shape, Fields> = BTreeMap::new();
    for bound in bounds {
        match *bound {
            Bound::Change { group, resource, reach, field } => {
                shapes.entry(Shape::Change { group, resource, reach }).or_default().insert(field);
            }
            Bound::Evict { reach } => {
                shapes.entry(Shape::Evict { reach }).or_default();
            }
            Bound::KeepSecret => {
                shapes.entry(Shape::KeepSecret).or_default();
            }
            Bound::DeleteFinishedJob => {
                shapes.entry(Shape::DeleteFinishedJob).or_default();
            }
            // Any one of several commands passes, where of everything else all must hold: see `commands`.
            Bound::Run(_) => {}
        }
    }
    // All validations must hold: one that keeps evictions to namespaces would forbid what a drain does elsewhere.
    if shapes.contains_key(&Shape::Evict { reach: Reach::Cluster }) {
        shapes.remove(&Shape::Evict { reach: Reach::Namespace });
    }
    for fields in shapes.values_mut() {
        keep_outermost(fields);
    }
    shapes
}

/// A field that may change as a whole needs no word about what is in it, which would hold it to that alone.
fn keep_outermost(fields: &mut Fields) {
    let all = fields.clone();
    fields.retain(|keys| !all.iter().any(|outer| outer.len() < keys.len() && keys.starts_with(outer)));
}

impl Shape {
    fn what(&self) -> String {
        match self {
            Self::Change { group, resource, .. } => format!("UPDATE {group}/{resource}"),
            Self::Evict { .. } => "CREATE /pods/eviction".to_owned(),
            Self::KeepSecret => "CREATE /secrets".to_owned(),
            Self::DeleteFinishedJob => "DELETE batch/jobs".to_owned(),
        }
    }

    fn reach(&self) -> Reach {
        match self {
            Self::Change { reach, .. } | Self::Evict { reach } => *reach,
            Self::KeepSecret | Self::DeleteFinishedJob => Reach::Namespace,
        }
    }

    fn validation(&self, fields: &Fields, wanted: &Wanted) -> Value {
        let (mut must, message) = match self {
            Self::Change { resource, .. } => {
                (unchanged_but(resource, fields), changes_only(resource, fields))
            }
            Self::Evict { .. } => (EVICTION.map(str::to_owned).to_vec(), EVICTION_SAID.to_owned()),
            Self::KeepSecret => (kept_secret(), KEPT_SECRET_SAID.to_owned()),
            Self::DeleteFinishedJob => (DELETION.map(str::to_owned).to_vec(), DELETION_SAID.to_owned()),
        };
        if self.reach() == Reach::Namespace && !wanted.namespaces.is_empty() {
            let namespaces = wanted.namespaces.iter().map(ToString::to_string);
            must.push(format!("request.namespace in {}", list(namespaces)));
        }
        let must: Vec<_> = must.iter().map(|one| format!("({one})")).collect();
        let expression = format!("variables.what != {} || ({})", text(&self.what()), must.join(" && "));
        json!({"expression": expression, "message": message})
    }
}

/// By uid, so that it never is another pod of that name; with the pod's own grace, so that it is never killed at once.
const EVICTION: [&str; 2] = [
    "object.?deleteOptions.?preconditions.?uid.orValue('') != ''",
    "!object.?deleteOptions.?gracePeriodSeconds.hasValue()",
];
const EVICTION_SAID: &str = "an eviction names the pod's uid and leaves the pod its own grace";

/// Immutable, of a type whose values mean nothing to the cluster itself (one of type `service-account-token` would be
/// filled with a token), and marked with the plan and with what it is a copy of.
fn kept_secret() -> Vec<String> {
    vec![
        "object.?immutable.orValue(false)".to_owned(),
        "object.?type.orValue('Opaque') in ['Opaque', 'kubernetes.io/basic-auth']".to_owned(),
        "object.metadata.?name.orValue('').matches('-v[1-9][0-9]*$')".to_owned(),
        format!("object.metadata.?annotations[?{}].orValue('') != ''", text(COPY_OF)),
        marked(),
    ]
}
const KEPT_SECRET_SAID: &str = "a new Secret is an immutable copy of another one, under a plan";

/// By uid, so that it never is another Job of that name, and neither all Jobs of a namespace; in the foreground, so that
/// the Job stays until what it owns is gone; and never a Job that still runs.
const DELETION: [&str; 3] = [
    "request.?options.?preconditions.?uid.orValue('') != ''",
    "request.?options.?propagationPolicy.orValue('') == 'Foreground'",
    "oldObject.?status.?conditions.orValue([]).exists(c, c.type in ['Complete', 'Failed'] && c.status == 'True')",
];
const DELETION_SAID: &str = "a deletion names the uid of a finished Job and is in the foreground";

fn changes_only(resource: &str, fields: &Fields) -> String {
    let said: Vec<_> = fields.iter().map(|keys| keys.join(".")).collect();
    let said = format!("of {resource} only {} may change, once under each plan", said.join(" and "));
    if opens_taints(resource, fields) { format!("{said}; {OUT_OF_SERVICE_SAID}") } else { said }
}

/// Everything but these fields, our mark and the API server's own bookkeeping is as it was, and the mark names a plan.
fn unchanged_but(resource: &str, fields: &Fields) -> Vec<String> {
    let mut tree = Tree::default();
    let mark: &[&str] = &["metadata", "annotations", PLAN_MARK];
    for keys in fields.iter().copied().chain(housekeeping(resource)).chain([mark]) {
        tree.insert(keys);
    }
    let mut must = Vec::new();
    tree.compare("object", "oldObject", &mut must);
    if opens_taints(resource, fields) {
        must.extend([other_taints_stay(), only_a_node_that_is_not_ready()]);
    }
    if resource == "secrets" && fields.contains(SECRET_DATA) {
        must.push("object.?data.orValue({}).all(k, k in oldObject.?data.orValue({}))".to_owned());
        must.push("oldObject.?data.orValue({}).all(k, k in object.?data.orValue({}))".to_owned());
    }
    if resource == "persistentvolumeclaims" && fields.contains(STORAGE) {
        must.push(NEVER_SMALLER.to_owned());
    }
    must.extend(marked_anew());
    must
}

/// The mark of another plan than the one that changed the object last: a mark that is there licenses nothing more. So a
/// plan changes an object once, as every runbook that ships does; one of a site's own whose steps change the same object
/// twice is refused the second time. Whether there is a plan of that name, admission cannot look up.
fn marked_anew() -> [String; 2] {
    [marked(), format!("{} != {}", mark("object"), mark("oldObject"))]
}

/// The mark names a plan.
fn marked() -> String {
    format!("{}.matches('^pln_[a-z2-7]{{26}}$')", mark("object"))
}

fn mark(side: &str) -> String {
    format!("{side}.?metadata.?annotations[?{}].orValue('')", text(PLAN_MARK))
}

fn opens_taints(resource: &str, fields: &Fields) -> bool {
    resource == "nodes" && fields.contains(TAINTS)
}

/// The runbooks set and remove one taint; another one would move pods that no plan spoke of.
fn other_taints_stay() -> String {
    let others =
        |side: &str| format!("{side}.?spec.?taints.orValue([]).filter(t, t.key != {})", text(OUT_OF_SERVICE));
    format!("{} == {}", others("object"), others("oldObject"))
}

/// The API server lets a claim ask for less while a growth is not over. No runbook does.
const NEVER_SMALLER: &str = "quantity(object.spec.resources.requests.storage)\
    .compareTo(quantity(oldObject.spec.resources.requests.storage)) >= 0";

/// The taint deletes pods by force: it is there already, or the node says that it is not ready. Of one that says nothing
/// it cannot be told. Its lease and its pods, which Runcord looks at besides, admission does not see.
fn only_a_node_that_is_not_ready() -> String {
    format!(
        "object.?spec.?taints.orValue([]).all(t, t.key != {} || t in oldObject.?spec.?taints.orValue([])) || \
         oldObject.?status.?conditions.orValue([]).exists(c, c.type == 'Ready' && c.status != 'True')",
        text(OUT_OF_SERVICE)
    )
}

const OUT_OF_SERVICE_SAID: &str = "out of service is only a node that is not ready";

/// Keys that may differ; one without keys below it may differ as a whole.
#[derive(Debug, Default)]
struct Tree(BTreeMap<&'static str, Tree>);

impl Tree {
    fn insert(&mut self, keys: &[&'static str]) {
        let mut at = self;
        for key in keys {
            at = at.0.entry(key).or_default();
        }
    }

    /// A key counts as unchanged when it is on both sides with the same value, or on neither.
    fn compare(&self, now: &str, before: &str, must: &mut Vec<String>) {
        let may = list(self.0.keys().map(|key| (*key).to_owned()));
        must.push(format!("{now}.all(k, k in {may} || (k in {before} && {now}[k] == {before}[k]))"));
        must.push(format!("{before}.all(k, k in {may} || k in {now})"));
        for (key, below) in self.0.iter().filter(|(_, below)| !below.0.is_empty()) {
            let in_it = |side: &str| format!("{side}[?{}].orValue({{}})", text(key));
            below.compare(&in_it(now), &in_it(before), must);
        }
    }
}

fn dry_run_only(changes: Changes) -> Option<Value> {
    match changes {
        Changes::Real => None,
        Changes::DryRunOnly => Some(json!({
            // The exec API has no dry-run; of commands a planner's account may run only those that look.
            "expression": format!("variables.what == {} || (has(request.dryRun) && request.dryRun)", text(commands::WHAT)),
            "message": "this account only plans: it may ask for dry-runs, and change nothing",
        })),
    }
}

/// Whether the request is one of these subjects'. Every user of a request has groups but for the odd authenticator.
fn identity(subjects: &[Subject]) -> String {
    let one = |subject: &Subject| match subject {
        Subject::User(name) => format!("request.userInfo.username == {}", text(name.as_str())),
        Subject::Group(name) => {
            format!("has(request.userInfo.groups) && {} in request.userInfo.groups", text(name.as_str()))
        }
        Subject::ServiceAccount { namespace, name } => {
            let user = format!("system:serviceaccount:{namespace}:{name}");
            format!("request.userInfo.username == {}", text(&user))
        }
    };
    subjects.iter().map(|subject| format!("({})", one(subject))).collect::<Vec<_>>().join(" || ")
}

/// A CEL string: nothing in it can end it.
pub(super) fn text(value: &str) -> String {
    let escaped: String =
        value.chars().flat_map(|c| matches!(c, '\'' | '\\').then_some('\\').into_iter().chain([c])).collect();
    format!("'{escaped}'")
}

pub(super) fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.map(|value| text(&value)).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{uses, wanted};
    use super::*;

    fn policy(actions: &[&str], wanted: &Wanted) -> Value {
        objects(&uses(actions), wanted).unwrap().remove(0)
    }

    #[test]
    fn an_expression_that_fails_refuses_and_the_binding_denies() {
        let objects = objects(&uses(&["scale"]), &wanted(&[], Some("ana"))).unwrap();
        assert_eq!(objects[0]["spec"]["failurePolicy"], "Fail");
        assert_eq!(objects[1]["spec"]["validationActions"], json!(["Deny"]));
    }

    #[test]
    fn a_reading_library_may_write_nothing() {
        let policy = policy(&["workload_status", "pod_logs"], &wanted(&[], Some("ana")));
        assert_eq!(policy["spec"]["validations"][0]["expression"], "variables.what in []");
    }

    #[test]
    fn the_fields_of_all_runbooks_come_together() {
        let said = policy(&["scale", "restart"], &wanted(&["shop"], Some("ana"))).to_string();
        let both = "of deployments only spec.replicas and \
                    spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt may change";
        assert!(said.contains(both), "{said}");
        assert!(said.contains("of daemonsets only spec.template"), "{said}");
        assert!(said.contains("request.namespace in ['shop']"), "{said}");
        assert!(!said.contains("CREATE"), "{said}");
    }

    #[test]
    fn a_rollback_opens_the_template_and_a_restart_alone_does_not() {
        let both = policy(&["restart", "roll_back"], &wanted(&[], Some("ana"))).to_string();
        assert!(both.contains("of deployments only spec.template may change"), "{both}");
        assert!(!both.contains("restartedAt"), "held to the annotation, no rollback would pass: {both}");
        let restart = policy(&["restart"], &wanted(&[], Some("ana"))).to_string();
        assert!(!restart.contains("only spec.template may change"), "{restart}");
    }

    #[test]
    fn every_change_takes_a_mark_that_is_not_there_yet() {
        for action in ["cordon", "scale", "restart", "roll_back", "suspend_cronjob", "release_node"] {
            let policy = policy(&[action], &wanted(&[], Some("ana")));
            for change in policy["spec"]["validations"].as_array().unwrap().iter().skip(1) {
                let expression = change["expression"].as_str().unwrap();
                assert!(marked_anew().iter().all(|part| expression.contains(part)), "{action}: {expression}");
            }
        }
    }

    #[test]
    fn only_finished_jobs_are_deleted_by_uid_and_in_the_foreground() {
        let said = policy(&["clean_jobs"], &wanted(&["shop"], Some("ana"))).to_string();
        for part in DELETION.iter().chain(&["DELETE batch/jobs", "request.namespace in ['shop']"]) {
            assert!(said.contains(part), "{part}: {said}");
        }
    }

    #[test]
    fn a_rotation_keeps_the_keys_and_makes_only_immutable_copies() {
        let said = policy(&["rotate_secret"], &wanted(&["shop"], Some("ana"))).to_string();
        let kept = "variables.what != 'CREATE /secrets' || (\
            (object.?immutable.orValue(false)) && \
            (object.?type.orValue('Opaque') in ['Opaque', 'kubernetes.io/basic-auth']) && \
            (object.metadata.?name.orValue('').matches('-v[1-9][0-9]*$')) && \
            (object.metadata.?annotations[?'runcord.dev/copy-of'].orValue('') != '') && \
            (object.?metadata.?annotations[?'runcord.dev/plan'].orValue('').matches('^pln_[a-z2-7]{26}$')) && \
            (request.namespace in ['shop']))";
        assert!(said.contains(kept), "{said}");
        for part in [
            " && (object.?data.orValue({}).all(k, k in oldObject.?data.orValue({})))",
            " && (oldObject.?data.orValue({}).all(k, k in object.?data.orValue({})))",
            "of secrets only data and metadata.annotations.runcord.dev/secret-version may change",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!policy(&["restart"], &wanted(&[], Some("ana"))).to_string().contains("/secrets"));
    }

    #[test]
    fn no_taint_but_out_of_service_changes() {
        let said = policy(&["release_node", "cordon"], &wanted(&[], Some("ana"))).to_string();
        assert!(said.contains("of nodes only spec.taints and spec.unschedulable may change"), "{said}");
        assert!(said.contains(&other_taints_stay()) && said.contains(OUT_OF_SERVICE_SAID), "{said}");
        assert!(said.contains(&only_a_node_that_is_not_ready()), "{said}");
        assert!(!policy(&["cordon"], &wanted(&[], Some("ana"))).to_string().contains("taints"));
    }

    #[test]
    fn a_claim_may_only_ask_for_more() {
        let said = policy(&["grow_claim"], &wanted(&["shop"], Some("ana"))).to_string();
        assert!(
            said.contains("of persistentvolumeclaims only spec.resources.requests.storage may change"),
            "{said}"
        );
        assert!(said.contains(NEVER_SMALLER) && said.contains("request.namespace in ['shop']"), "{said}");
        assert!(!policy(&["cordon"], &wanted(&[], Some("ana"))).to_string().contains("quantity("));
    }

    #[test]
    fn evictions_are_kept_to_namespaces_unless_nodes_are_drained() {
        let one = policy(&["evict_pod"], &wanted(&["shop"], Some("ana"))).to_string();
        assert!(one.contains("request.namespace in ['shop']"), "{one}");
        let drain = policy(&["evict_pod", "drain"], &wanted(&["shop"], Some("ana"))).to_string();
        assert!(!drain.contains("request.namespace in ['shop']"), "{drain}");
    }

    #[test]
    fn dry_runs_are_forced_for_a_planner() {
        let planner = Wanted { changes: Changes::DryRunOnly, ..wanted(&[], Some("ana")) };
        assert!(policy(&["drain"], &planner).to_string().contains("has(request.dryRun) && request.dryRun"));
        assert!(!policy(&["drain"], &wanted(&[], Some("ana"))).to_string().contains("dryRun"));
    }

    fn purging(wanted: &Wanted) -> Value {
        let fields = json!({"container": ["redis"], "limit": ["2m"],
            "preview": [["redis-cli", "LLEN", {"value": null}]],
            "purge": [["redis-cli", "LTRIM", {"value": null}, "1", "0"]]});
        let used = Use { action: "purge_queue".to_owned(), fields: serde_json::from_value(fields).unwrap() };
        objects(&[used], wanted).unwrap().remove(0)
    }

    #[test]
    fn commands_are_held_word_by_word_and_the_values_are_open() {
        let said = purging(&wanted(&["shop"], Some("ana")));
        assert_eq!(said["spec"]["validations"][0]["expression"], "variables.what in ['CONNECT /pods/exec']");
        let expression = said["spec"]["validations"][1]["expression"].as_str().unwrap();
        let preview = "(object.?container.orValue('') == 'redis' && !object.?tty.orValue(false) && \
            !object.?stdin.orValue(false) && object.?command.orValue([]).size() == 7 && \
            object.command[0] == 'timeout' && object.command[1] == '-s' && object.command[2] == 'KILL' && \
            object.command[3] == '30' && object.command[4] == 'redis-cli' && object.command[5] == 'LLEN' && \
            !object.command[6].startsWith('-'))";
        assert!(expression.contains(preview), "{expression}");
        assert!(expression.contains("object.command[3] == '120'") && expression.contains("'LTRIM'"));
        assert!(expression.ends_with("&& (request.namespace in ['shop']))"), "{expression}");
    }

    #[test]
    fn a_planner_runs_the_commands_that_look_and_no_others() {
        let planner = Wanted { changes: Changes::DryRunOnly, ..wanted(&[], Some("ana")) };
        let said = purging(&planner).to_string();
        assert!(said.contains("'LLEN'") && !said.contains("'LTRIM'"), "{said}");
        assert!(said.contains("variables.what == 'CONNECT /pods/exec' || (has(request.dryRun)"), "{said}");
    }

    #[test]
    fn a_command_that_no_file_tells_is_not_permitted() {
        let said = policy(&["purge_queue"], &wanted(&[], Some("ana")));
        assert_eq!(
            said["spec"]["validations"][1]["expression"],
            "variables.what != 'CONNECT /pods/exec' || ((false))"
        );
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let odd = policy(&["drain"], &wanted(&[], Some("a'||true||'\\")));
        let expression = odd["spec"]["matchConditions"][0]["expression"].as_str().unwrap();
        assert_eq!(expression, r"(request.userInfo.username == 'a\'||true||\'\\')");
    }
}
