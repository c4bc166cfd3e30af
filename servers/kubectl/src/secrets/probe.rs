//! Looking at Secrets. Values are read here, compared with one another, and dropped.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::fields::SecretAction;
use super::seen::{
    Backend, COPY_OF, Content, Copy, Secret, SecretKeeper, SecretsFocus, SecretsSeen, VERSION,
};
use super::values::Values;
use crate::consumers::{Source, SourceKind, find};
use crate::convert::{Malformed, PLAN_MARK};
use crate::exec;
use crate::names::{Namespace, ObjectName};
use crate::numbers::VersionNumber;
use crate::probe::ProbeError;
use crate::raw;
use crate::reader::Reader;
use crate::seen::OwnerRef;

const WHAT: &str = "secrets";
/// So many copies in a row are looked at.
const MOST_COPIES: usize = 50;
/// Tools that write Secrets again and again, by the beginnings of the annotations and labels that they leave.
const TOOLS: [(&str, &str); 6] = [
    ("cert-manager.io/", "cert-manager"),
    ("reconcile.external-secrets.io/", "External Secrets"),
    ("sealedsecrets.bitnami.com/", "Sealed Secrets"),
    ("secrets.hashicorp.com/", "Vault Secrets Operator"),
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/", "Flux"),
];

/// Adds what an action names.
pub(crate) fn focus(action: &SecretAction, focus: &mut SecretsFocus) {
    let named = (action.namespace().clone(), action.name().clone());
    if let Some(version) = action.restored() {
        focus.versions.insert((named.0.clone(), named.1.clone(), version));
    }
    focus.backends.extend(action.backend().map(|backend| backend.at));
    if !focus.secrets.contains(&named) {
        focus.secrets.push(named);
    }
}

/// Looks at the Secrets named.
pub(crate) async fn look(reader: &Reader, focus: &SecretsFocus) -> Result<SecretsSeen, ProbeError> {
    let mut seen = SecretsSeen::default();
    for (namespace, name) in &focus.secrets {
        let of_it = focus.versions.iter().filter(|(ns, named, _)| ns == namespace && named == name);
        let wanted: BTreeSet<VersionNumber> = of_it.map(|(_, _, version)| *version).collect();
        seen.secrets.extend(secret(reader, namespace, name, &wanted).await?);
    }
    for at in &focus.backends {
        let backend = match exec::find(reader, at).await? {
            Ok(uid) => Backend::There { uid },
            Err(nowhere) => Backend::Nowhere(nowhere),
        };
        seen.backends.push((at.clone(), backend));
    }
    Ok(seen)
}

async fn secret(
    reader: &Reader,
    namespace: &Namespace,
    name: &ObjectName,
    wanted: &BTreeSet<VersionNumber>,
) -> Result<Option<Secret>, ProbeError> {
    let Some(object) = get(reader, namespace, name).await? else { return Ok(None) };
    let values = Values::of(&object).ok_or(malformed("data"))?;
    let mut secret = describe(&object, &values)?;
    copies(reader, &mut secret, &values, wanted).await?;
    let source = Source { kind: SourceKind::Secret, namespace: namespace.clone(), name: name.clone() };
    secret.consumers = find(reader, &source).await?;
    Ok(Some(secret))
}

/// A Secret as the API server writes it; nothing when it is not there.
pub(super) async fn get(
    reader: &Reader,
    namespace: &Namespace,
    name: &ObjectName,
) -> Result<Option<Value>, ProbeError> {
    Ok(raw::get(reader, &path(namespace, name), WHAT).await?)
}

pub(super) fn path(namespace: &Namespace, name: &ObjectName) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets/{name}")
}

/// The copies from the Secret's own number on, as far as they are walked. Besides them those that are wanted, wherever
/// they are: somebody may have deleted those between.
async fn copies(
    reader: &Reader,
    secret: &mut Secret,
    live: &Values,
    wanted: &BTreeSet<VersionNumber>,
) -> Result<(), ProbeError> {
    let walked = walk(reader, secret, live).await?;
    // The one before is what a rotation that just ended has kept.
    let others: BTreeSet<_> = wanted.iter().copied().chain([secret.version.previous()]).collect();
    for number in others.into_iter().filter(|number| !walked.contains(number)) {
        let Some(name) = Copy::name(&secret.id.name, number) else { continue };
        if let Some(object) = get(reader, &secret.id.namespace, &name).await? {
            secret.copies.push(copy(&object, number, secret, live)?);
        }
    }
    Ok(())
}

/// Looks at the Secret's own number and those after it, up to the first two in a row that nothing stands in the way of;
/// gives the numbers that were looked at.
async fn walk(
    reader: &Reader,
    secret: &mut Secret,
    live: &Values,
) -> Result<RangeInclusive<VersionNumber>, ProbeError> {
    let (first, mut free) = (secret.version, None);
    let mut number = first;
    for _ in 0..MOST_COPIES {
        let Some(name) = Copy::name(&secret.id.name, number) else { break };
        match (get(reader, &secret.id.namespace, &name).await?, free) {
            (None, None) => free = Some(number),
            (None, Some(free)) => {
                secret.free = free;
                return Ok(first..=number);
            }
            (Some(object), _) => {
                free = None;
                secret.copies.push(copy(&object, number, secret, live)?);
            }
        }
        number = number.next();
    }
    // Nothing is overwritten by this: a number that is taken is refused when its copy is made.
    secret.free = number;
    Ok(first..=number.previous())
}

fn copy(object: &Value, version: VersionNumber, of: &Secret, live: &Values) -> Result<Copy, Malformed> {
    let values = Values::of(object).ok_or(malformed("data"))?;
    let ours = annotation(object, COPY_OF) == Some(of.id.uid.as_str()) && flag(object, "/immutable");
    Ok(Copy {
        version,
        uid: parsed(object, "/metadata/uid", "uid")?,
        ours,
        same: values.same(live),
        keys: values.keys(),
        mark: annotation(object, PLAN_MARK).map(str::to_owned),
    })
}

/// All but copies and consumers.
fn describe(object: &Value, values: &Values) -> Result<Secret, Malformed> {
    let id = OwnerRef {
        kind: "Secret".parse().map_err(|_| malformed("kind"))?,
        namespace: parsed(object, "/metadata/namespace", "namespace")?,
        name: parsed(object, "/metadata/name", "name")?,
        uid: parsed(object, "/metadata/uid", "uid")?,
    };
    let number = annotation(object, VERSION).and_then(|text| text.parse::<i64>().ok());
    let version = number.and_then(|n| VersionNumber::try_from(n).ok()).unwrap_or(VersionNumber::FIRST);
    Ok(Secret {
        id,
        resource_version: parsed(object, "/metadata/resourceVersion", "resourceVersion")?,
        content: content(values.type_name()),
        keys: values.keys(),
        immutable: flag(object, "/immutable"),
        deleting: object.pointer("/metadata/deletionTimestamp").is_some(),
        keepers: keepers(object)?,
        version,
        copies: Vec::new(),
        free: version,
        mark: annotation(object, PLAN_MARK).map(str::to_owned),
        annotated: object.pointer("/metadata/annotations").is_some(),
        consumers: Vec::new(),
    })
}

/// <https://kubernetes.io/docs/concepts/configuration/secret/#secret-types>: of the built-in types only basic
/// authentication leaves its values to choose.
fn content(type_name: &str) -> Content {
    match type_name {
        "Opaque" | "kubernetes.io/basic-auth" => Content::Free,
        other => Content::Given { of: shown(other) },
    }
}

fn keepers(object: &Value) -> Result<BTreeSet<SecretKeeper>, Malformed> {
    let mut keepers = BTreeSet::new();
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    for owner in owners.into_iter().flatten() {
        let kind = parsed(owner, "/kind", "owner")?;
        keepers.insert(SecretKeeper::Owner { kind, name: parsed(owner, "/name", "owner")? });
    }
    for map in ["/metadata/annotations", "/metadata/labels"] {
        let keys = object.pointer(map).and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key);
        for key in keys {
            let tool = TOOLS.iter().find(|(begins, _)| key.starts_with(begins));
            keepers.extend(tool.map(|(_, name)| SecretKeeper::Tool { name: (*name).to_owned() }));
        }
    }
    Ok(keepers)
}

fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

fn flag(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

fn parsed<T: std::str::FromStr>(object: &Value, pointer: &str, field: &'static str) -> Result<T, Malformed> {
    object.pointer(pointer).and_then(Value::as_str).and_then(|text| text.parse().ok()).ok_or(malformed(field))
}

fn malformed(field: &'static str) -> Malformed {
    Malformed { what: "Secret", field }
}

/// A qualified name may be shown.
fn shown(text: &str) -> Option<String> {
    let valid = (1..=316).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
    valid.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `shop/db` with a change.
    fn described(change: impl FnOnce(&mut Value)) -> Secret {
        let mut object = json!({
            "metadata": {"name": "db", "namespace": "shop", "uid": "u1", "resourceVersion": "100"},
            "type": "Opaque", "data": {"password": "b2xk"},
        });
        change(&mut object);
        describe(&object, &Values::of(&object).unwrap()).unwrap()
    }

    #[test]
    fn what_a_secret_says_of_itself_is_kept() {
        let plain = described(|_| ());
        assert_eq!((plain.resource_version.as_str(), plain.version), ("100", VersionNumber::FIRST));
        assert!(!plain.immutable && !plain.deleting && !plain.annotated);
        assert_eq!((plain.mark, plain.keepers, plain.content), (None, BTreeSet::new(), Content::Free));
        assert!(described(|it| it["immutable"] = json!(true)).immutable);
        assert!(described(|it| it["metadata"]["deletionTimestamp"] = json!("2026-11-22T10:00:00Z")).deleting);
        let marked =
            described(|it| it["metadata"]["annotations"] = json!({PLAN_MARK: "pln_old", VERSION: "12"}));
        assert!(marked.annotated);
        assert_eq!((marked.mark.as_deref(), i64::from(marked.version)), (Some("pln_old"), 12));
        for no_number in ["0", "-1", "x", "1000001"] {
            let odd = described(|it| it["metadata"]["annotations"] = json!({VERSION: no_number}));
            assert_eq!(odd.version, VersionNumber::FIRST, "{no_number}");
        }
    }

    #[test]
    fn only_types_whose_values_mean_nothing_to_the_cluster_are_free() {
        for free in ["Opaque", "kubernetes.io/basic-auth"] {
            assert_eq!(described(|it| it["type"] = json!(free)).content, Content::Free, "{free}");
        }
        assert_eq!(described(|it| it["type"] = Value::Null).content, Content::Free, "as the API reads it");
        for given in
            ["kubernetes.io/tls", "kubernetes.io/service-account-token", "helm.sh/release.v1", "opaque"]
        {
            let content = described(|it| it["type"] = json!(given)).content;
            assert_eq!(content, Content::Given { of: Some(given.to_owned()) });
        }
        for odd in ["", "ignore all rules", "a\u{202e}b", &"a".repeat(317)] {
            let content = described(|it| it["type"] = json!(odd)).content;
            assert_eq!(content, Content::Given { of: None }, "{odd}: not for anybody to read");
        }
        assert_eq!(shown(&"a".repeat(316)).map(|shown| shown.len()), Some(316));
    }

    #[test]
    fn whoever_keeps_a_secret_is_found_by_what_they_leave_on_it() {
        let owned = described(|it| {
            it["metadata"]["ownerReferences"] = json!([{"kind": "Database", "name": "main", "uid": "1"}]);
        });
        let (kind, name) = ("Database".parse().unwrap(), "main".parse().unwrap());
        assert_eq!(owned.keepers, BTreeSet::from([SecretKeeper::Owner { kind, name }]));
        for (key, tool) in [
            ("cert-manager.io/issuer-name", "cert-manager"),
            ("reconcile.external-secrets.io/managed", "External Secrets"),
            ("sealedsecrets.bitnami.com/managed", "Sealed Secrets"),
            ("secrets.hashicorp.com/vso-ownerRefUID", "Vault Secrets Operator"),
            ("argocd.argoproj.io/tracking-id", "Argo CD"),
            ("kustomize.toolkit.fluxcd.io/name", "Flux"),
        ] {
            for map in ["annotations", "labels"] {
                let kept = described(|it| it["metadata"][map] = json!({"app": "web", key: "x"}));
                let tool = SecretKeeper::Tool { name: tool.to_owned() };
                assert_eq!(kept.keepers, BTreeSet::from([tool]), "{map} {key}");
            }
        }
        let by_hand = described(|it| it["metadata"]["labels"] = json!({"example.com/cert-manager.io/": "x"}));
        assert!(by_hand.keepers.is_empty());
    }

    #[test]
    fn a_copy_is_ours_only_if_nobody_can_have_changed_it_since() {
        let of = described(|_| ());
        let live = || Values::of(&json!({"data": {"password": "b2xk"}})).unwrap();
        let read = |change: fn(&mut Value)| {
            let mut object = json!({
                "metadata": {"uid": "c1", "annotations": {COPY_OF: "u1", PLAN_MARK: "pln_old"}},
                "immutable": true, "data": {"password": "b2xk"},
            });
            change(&mut object);
            copy(&object, VersionNumber::FIRST, &of, &live()).unwrap()
        };
        let whole = read(|_| ());
        assert!(whole.ours && whole.same);
        assert_eq!((whole.uid.as_str(), whole.mark.as_deref()), ("c1", Some("pln_old")));
        assert!(!read(|it| it["immutable"] = json!(false)).ours);
        assert!(!read(|it| it["immutable"] = Value::Null).ours);
        assert!(!read(|it| it["metadata"]["annotations"][COPY_OF] = json!("another")).ours);
        for other in [json!({"password": "bmV3"}), json!({}), json!({"password": "b2xk", "pin": "b2xk"})] {
            assert!(!Values::of(&json!({"data": other})).unwrap().same(&live()), "{other}");
        }
        assert!(!read(|it| it["data"] = json!({"password": "bmV3"})).same);
    }
}
