//! Whether a cluster still is what the runbooks need: kinds served, permissions granted, named objects there.
//!
//! Changes nothing: it reads, and asks SelfSubjectAccessReviews, which the API server answers without storing them.

use std::collections::{BTreeMap, BTreeSet};

use http::{Request, StatusCode};
use k8s_openapi::api::core::v1::{Namespace as ApiNamespace, Node, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::api::ListParams;
use runcord_model::action::Use;
use runcord_model::{Refusal, StepCall};
use runcord_runtime::drift::{Aspect, Finding, Inspector, State};
use runcord_runtime::mask::Mask;
use serde_json::Value;

use crate::actions::{Action, WorkloadRef};
use crate::connect::{self, Connect, Connected};
use crate::names::{ContainerName, Namespace, NodeName, ObjectName};
use crate::observe::observe;
use crate::permissions::{Permission, Reach, of_all};
use crate::probe::probe;
use crate::reader::{May, ReadError, Reader};
use crate::refuse::{internal, precondition};

/// Looks at one cluster. What was asked once is not asked again.
pub struct ClusterInspector {
    reader: Reader,
    authority: String,
    /// Where the runbooks are used; everywhere when empty.
    namespaces: Vec<Namespace>,
    served: BTreeMap<(&'static str, &'static str), Served>,
    permitted: BTreeMap<(Permission, Option<Namespace>), State>,
}

/// What the API server says of a group and version.
enum Served {
    /// These resources, each with its verbs.
    Resources(BTreeMap<String, Vec<String>>),
    /// It does not have it.
    Missing,
    /// It does not let us look.
    Hidden,
}

impl ClusterInspector {
    /// Connects. `namespaces` are those in which the runbooks are used; everywhere when there are none.
    ///
    /// # Errors
    /// As connecting to a target: no usable kubeconfig, no answer.
    pub async fn connect(connect: &Connect, namespaces: Vec<Namespace>) -> Result<Self, Refusal> {
        let Connected { wire, authority, .. } = connect::connect(connect).await?;
        Ok(Self {
            reader: Reader::new(wire),
            authority,
            namespaces,
            served: BTreeMap::new(),
            permitted: BTreeMap::new(),
        })
    }

    async fn look_served(&mut self, needed: &Permission) -> Result<Finding, Refusal> {
        let key = (needed.group, needed.version);
        if !self.served.contains_key(&key) {
            let served = ask_served(&self.reader, key).await?;
            self.served.insert(key, served);
        }
        Ok(judge_served(needed, self.served.get(&key).unwrap_or(&Served::Hidden)))
    }

    async fn look_permitted(&mut self, needed: &Permission) -> Result<Vec<Finding>, Refusal> {
        let places: Vec<Option<Namespace>> = match needed.reach {
            Reach::Namespace if !self.namespaces.is_empty() => {
                self.namespaces.iter().cloned().map(Some).collect()
            }
            Reach::Namespace | Reach::Cluster => vec![None],
        };
        let mut findings = Vec::new();
        for place in places {
            let key = (needed.clone(), place);
            let state = match self.permitted.get(&key) {
                Some(state) => *state,
                None => {
                    let state = match self.reader.may(needed, key.1.as_ref()).await? {
                        May::Yes => State::Holds,
                        May::No => State::Drifted,
                        May::CannotTell => State::CannotTell,
                    };
                    self.permitted.insert(key.clone(), state);
                    state
                }
            };
            findings.push(judge_permitted(needed, key.1.as_ref(), state));
        }
        Ok(findings)
    }
}

impl Inspector for ClusterInspector {
    async fn identity(&self) -> Result<String, Refusal> {
        connect::identity(&self.reader, &self.authority).await
    }

    async fn inspect(&mut self, uses: &[Use]) -> Result<Vec<Finding>, Refusal> {
        let needed = of_all(uses).map_err(|undeclared| internal(undeclared.to_string()))?;
        let mut findings = Vec::new();
        for one in &needed {
            let served = self.look_served(one).await?;
            if !findings.contains(&served) {
                findings.push(served);
            }
        }
        for one in &needed {
            findings.extend(self.look_permitted(one).await?);
        }
        for used in uses {
            for found in referenced(&self.reader, used).await? {
                if !findings.contains(&found) {
                    findings.push(found);
                }
            }
        }
        Ok(findings)
    }

    async fn observe(&self, calls: &[StepCall]) -> Result<Value, Refusal> {
        let actions = calls.iter().map(Action::read).collect::<Result<Vec<_>, _>>();
        let actions = actions.map_err(|bad| {
            precondition(format!("a step cannot be read: {bad}"), "Correct the parameters that were given.")
        })?;
        // Nothing of what is seen is kept or compared: any key will do.
        let mask = Mask::new([0; 32]);
        Ok(observe(&probe(&self.reader, &mask, &actions, &BTreeSet::new()).await?))
    }
}

async fn ask_served(reader: &Reader, (group, version): (&str, &str)) -> Result<Served, Refusal> {
    let path = match group {
        "" => format!("/api/{version}"),
        group => format!("/apis/{group}/{version}"),
    };
    let answer = match reader.ask(get(path)?, "discovery").await {
        Ok(answer) => answer,
        Err(ReadError::Forbidden { .. }) => return Ok(Served::Hidden),
        Err(error) => return Err(error.into()),
    };
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(Served::Missing);
    }
    // Anything that is not a list of resources tells nothing.
    let Ok(list) = serde_json::from_slice::<APIResourceList>(&answer.body) else { return Ok(Served::Hidden) };
    Ok(Served::Resources(list.resources.into_iter().map(|one| (one.name, one.verbs)).collect()))
}

fn judge_served(needed: &Permission, served: &Served) -> Finding {
    let group = if needed.group.is_empty() { String::new() } else { format!("{}/", needed.group) };
    let subject = format!("{} of {group}{}", needed.resource, needed.version);
    let drifted = |says: String| Finding::drifted(Aspect::Served, &subject, says);
    match served {
        Served::Hidden => {
            Finding::cannot_tell(Aspect::Served, &subject, "the API server does not tell what it serves")
        }
        Served::Missing => drifted(format!("the cluster does not serve {group}{} any more", needed.version)),
        Served::Resources(resources) => match resources.get(needed.resource) {
            None => drifted(format!("the cluster does not serve {subject}")),
            Some(verbs) if !verbs.iter().any(|verb| verb == needed.verb) => {
                drifted(format!("the cluster serves {subject} without {}", needed.verb))
            }
            Some(_) => Finding::holds(Aspect::Served, subject),
        },
    }
}

fn judge_permitted(needed: &Permission, namespace: Option<&Namespace>, state: State) -> Finding {
    let place = match (namespace, needed.reach) {
        (Some(namespace), _) => format!(" in namespace {namespace}"),
        (None, Reach::Namespace) => " in all namespaces".to_owned(),
        (None, Reach::Cluster) => String::new(),
    };
    let subject = format!("{needed}{place}");
    match state {
        State::Holds => Finding::holds(Aspect::Permitted, subject),
        State::Drifted => {
            let says = format!("the credentials may not {subject}");
            Finding::drifted(Aspect::Permitted, subject, says)
        }
        State::CannotTell => {
            let says = format!("the API server does not tell whether the credentials may {subject}");
            Finding::cannot_tell(Aspect::Permitted, subject, says)
        }
    }
}

/// What the file names literally: a namespace, a workload, a container of it, a node, a claim. An action that names
/// something else literally (a command that a container must have) adds its findings here.
async fn referenced(reader: &Reader, used: &Use) -> Result<Vec<Finding>, Refusal> {
    let mut findings = Vec::new();
    if let Some(namespace) = used.fixed("namespace").and_then(|name| name.parse::<Namespace>().ok()) {
        let found = reader.get::<ApiNamespace>(None, namespace.as_str()).await.map(|found| found.is_some());
        findings.push(there(format!("namespace {namespace}"), found)?);
    }
    if let Some(node) = used.fixed("node").and_then(|name| name.parse::<NodeName>().ok()) {
        let selected =
            ListParams { field_selector: Some(format!("metadata.name={node}")), ..ListParams::default() };
        let found = reader.list::<Node>(None, selected).await.map(|found| !found.is_empty());
        findings.push(there(format!("node {node}"), found)?);
    }
    if let Some(workload) = workload(used) {
        findings.extend(workload_there(reader, &workload, container(used)).await?);
    }
    if let Some((namespace, name)) = claim(used) {
        let found = reader.get::<PersistentVolumeClaim>(Some(&namespace), name.as_str()).await;
        let found = found.map(|found| found.is_some());
        findings.push(there(format!("PersistentVolumeClaim {namespace}/{name}"), found)?);
    }
    findings.extend(crate::queues::drift::referenced(reader, used).await?);
    Ok(findings)
}

fn workload(used: &Use) -> Option<WorkloadRef> {
    let fields =
        ["kind", "namespace", "name"].map(|field| Some((field.to_owned(), used.fixed(field)?.into())));
    let fields: Option<serde_json::Map<String, Value>> = fields.into_iter().collect();
    serde_json::from_value(Value::Object(fields?)).ok()
}

/// The claim that an action on volumes names.
fn claim(used: &Use) -> Option<(Namespace, ObjectName)> {
    let of_volumes = used.action == "grow_claim";
    let name = used.fixed("name").filter(|_| of_volumes)?;
    Some((used.fixed("namespace")?.parse().ok()?, name.parse().ok()?))
}

fn container(used: &Use) -> Option<ContainerName> {
    used.fixed("container")?.parse().ok()
}

async fn workload_there(
    reader: &Reader,
    named: &WorkloadRef,
    container: Option<ContainerName>,
) -> Result<Vec<Finding>, Refusal> {
    let path = format!("/apis/apps/v1/namespaces/{}/{}/{}", named.namespace, named.kind.plural(), named.name);
    let read = reader.ask(get(path)?, named.kind.plural()).await;
    let there_is = read.as_ref().is_ok_and(|answer| answer.status.is_success());
    let object: Value =
        read.as_ref().ok().and_then(|answer| serde_json::from_slice(&answer.body).ok()).unwrap_or_default();
    let mut findings = vec![there(named.to_string(), read.map(|answer| answer.status.is_success()))?];
    if let Some(container) = container.filter(|_| there_is) {
        findings.push(there(
            format!("container {container} of {named}"),
            Ok(has_container(&object, &container)),
        )?);
    }
    Ok(findings)
}

fn has_container(object: &Value, container: &ContainerName) -> bool {
    let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    containers.into_iter().flatten().any(|one| one["name"] == container.as_str())
}

pub(crate) fn there(subject: String, found: Result<bool, ReadError>) -> Result<Finding, Refusal> {
    Ok(match found {
        Ok(true) => Finding::holds(Aspect::Referenced, subject),
        Ok(false) => {
            let says = format!("the runbook names {subject}, which is not there");
            Finding::drifted(Aspect::Referenced, subject, says)
        }
        Err(ReadError::Unanswered { what }) => return Err(ReadError::Unanswered { what }.into()),
        Err(error) => Finding::cannot_tell(Aspect::Referenced, subject, error.to_string()),
    })
}

fn get(path: String) -> Result<Request<Vec<u8>>, Refusal> {
    Request::get(path).body(Vec::new()).map_err(|_| internal("a request cannot be built"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn needed() -> Permission {
        let uses = Use { action: "pod_logs".to_owned(), fields: BTreeMap::new() };
        crate::permissions::permissions(&uses).unwrap().remove(1)
    }

    #[test]
    fn what_is_not_served_has_drifted() {
        let resources = |verbs: &[&str]| {
            let verbs = verbs.iter().map(|verb| (*verb).to_owned()).collect();
            Served::Resources(BTreeMap::from([("pods/log".to_owned(), verbs)]))
        };
        let state = |served: &Served| judge_served(&needed(), served).state;
        assert_eq!(state(&resources(&["get"])), State::Holds);
        assert_eq!(state(&resources(&["list"])), State::Drifted);
        assert_eq!(state(&Served::Resources(BTreeMap::new())), State::Drifted);
        assert_eq!(state(&Served::Missing), State::Drifted);
        assert_eq!(state(&Served::Hidden), State::CannotTell);
    }

    #[test]
    fn a_permission_that_is_gone_is_named() {
        let namespace: Namespace = "shop".parse().unwrap();
        let found = judge_permitted(&needed(), Some(&namespace), State::Drifted);
        assert_eq!(found.says, "the credentials may not get pods/log in namespace shop");
    }

    #[test]
    fn a_claim_is_named_by_an_action_on_volumes_alone() {
        let fields =
            |names: &[&str]| names.iter().map(|field| ((*field).to_owned(), vec![json!("data")])).collect();
        let named = |action: &str, names: &[&str]| {
            claim(&Use { action: action.to_owned(), fields: fields(names) }).is_some()
        };
        assert!(named("grow_claim", &["namespace", "name"]));
        assert!(!named("grow_claim", &["name"]) && !named("grow_claim", &["namespace"]));
        assert!(!named("suspend_cronjob", &["namespace", "name"]), "another kind of object");
    }

    #[test]
    fn a_container_is_one_of_the_template() {
        let object = json!({"spec": {"template": {"spec": {"containers": [{"name": "main"}]}}}});
        assert!(has_container(&object, &"main".parse().unwrap()));
        assert!(!has_container(&object, &"other".parse().unwrap()));
        assert!(!has_container(&json!({}), &"main".parse().unwrap()));
    }
}
