//! In which ways a pod's specification uses a Secret, a ConfigMap or a volume claim.
//!
//! Every field of `core/v1` PodSpec that names one is looked at; a name in an annotation or in a container's own
//! configuration is not seen.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    Container, EnvFromSource, EnvVar, EphemeralContainer, PodSpec, Volume, VolumeMount,
};

use super::{Source, SourceKind, Way};

/// The ways in which a pod uses `source`; none when it does not. `pod` is the pod's name, where there is one: the claims
/// of generic ephemeral volumes are named after it.
pub(super) fn uses(spec: &PodSpec, pod: Option<&str>, source: &Source) -> BTreeSet<Way> {
    let volumes = || spec.volumes.iter().flatten();
    let mut ways: BTreeSet<Way> = volumes().filter_map(|volume| of_volume(volume, pod, source)).collect();
    let mounted: BTreeSet<&str> = volumes()
        .filter(|volume| of_volume(volume, pod, source).is_some())
        .map(|volume| volume.name.as_str())
        .collect();
    for container in containers(spec) {
        ways.extend(container.env.iter().filter(|var| of_env(var, source)).map(|_| Way::Env));
        ways.extend(container.env_from.iter().filter(|from| of_env_from(from, source)).map(|_| Way::EnvFrom));
        // A directory of a claim is the claim itself, wherever it begins.
        let is_copy = source.kind != SourceKind::PersistentVolumeClaim;
        let by_file = |mount: &&VolumeMount| {
            is_copy
                && mounted.contains(mount.name.as_str())
                && (mount.sub_path.is_some() || mount.sub_path_expr.is_some())
        };
        ways.extend(container.mounts.iter().filter(by_file).map(|_| Way::SubPath));
    }
    if source.kind == SourceKind::Secret {
        let pulls = spec.image_pull_secrets.iter().flatten().filter(|pull| pull.name == source.name.as_str());
        ways.extend(pulls.map(|_| Way::ImagePull));
    }
    ways
}

/// What containers of all three kinds have in common.
struct Parts<'a> {
    env: &'a [EnvVar],
    env_from: &'a [EnvFromSource],
    mounts: &'a [VolumeMount],
}

fn containers(spec: &PodSpec) -> impl Iterator<Item = Parts<'_>> {
    let inits = spec.init_containers.iter().flatten();
    let ephemeral = spec.ephemeral_containers.iter().flatten();
    spec.containers.iter().chain(inits).map(parts).chain(ephemeral.map(ephemeral_parts))
}

fn parts(of: &Container) -> Parts<'_> {
    Parts {
        env: of.env.as_deref().unwrap_or_default(),
        env_from: of.env_from.as_deref().unwrap_or_default(),
        mounts: of.volume_mounts.as_deref().unwrap_or_default(),
    }
}

fn ephemeral_parts(of: &EphemeralContainer) -> Parts<'_> {
    Parts {
        env: of.env.as_deref().unwrap_or_default(),
        env_from: of.env_from.as_deref().unwrap_or_default(),
        mounts: of.volume_mounts.as_deref().unwrap_or_default(),
    }
}

fn of_env(var: &EnvVar, source: &Source) -> bool {
    let Some(from) = &var.value_from else { return false };
    let named = match source.kind {
        SourceKind::Secret => from.secret_key_ref.as_ref().map(|key| key.name.as_str()),
        SourceKind::ConfigMap => from.config_map_key_ref.as_ref().map(|key| key.name.as_str()),
        SourceKind::PersistentVolumeClaim => None,
    };
    named == Some(source.name.as_str())
}

fn of_env_from(from: &EnvFromSource, source: &Source) -> bool {
    let named = match source.kind {
        SourceKind::Secret => from.secret_ref.as_ref().map(|it| it.name.as_str()),
        SourceKind::ConfigMap => from.config_map_ref.as_ref().map(|it| it.name.as_str()),
        SourceKind::PersistentVolumeClaim => None,
    };
    named == Some(source.name.as_str())
}

fn of_volume(volume: &Volume, pod: Option<&str>, source: &Source) -> Option<Way> {
    let is = |name: Option<&str>| name == Some(source.name.as_str());
    match source.kind {
        SourceKind::Secret if is(volume.secret.as_ref().and_then(|it| it.secret_name.as_deref())) => {
            Some(Way::Volume)
        }
        SourceKind::Secret if projected(volume).any(|it| is(it.secret.as_ref().map(|s| s.name.as_str()))) => {
            Some(Way::Projected)
        }
        SourceKind::Secret if by_driver(volume).into_iter().flatten().any(|name| is(Some(name))) => {
            Some(Way::Driver)
        }
        SourceKind::ConfigMap if is(volume.config_map.as_ref().map(|it| it.name.as_str())) => {
            Some(Way::Volume)
        }
        SourceKind::ConfigMap
            if projected(volume).any(|it| is(it.config_map.as_ref().map(|c| c.name.as_str()))) =>
        {
            Some(Way::Projected)
        }
        SourceKind::PersistentVolumeClaim
            if is(volume.persistent_volume_claim.as_ref().map(|it| it.claim_name.as_str())) =>
        {
            Some(Way::Volume)
        }
        // The claim of a generic ephemeral volume is named POD-VOLUME.
        SourceKind::PersistentVolumeClaim if volume.ephemeral.is_some() => {
            let claim = pod.map(|pod| format!("{pod}-{}", volume.name));
            is(claim.as_deref()).then_some(Way::Volume)
        }
        SourceKind::Secret | SourceKind::ConfigMap | SourceKind::PersistentVolumeClaim => None,
    }
}

fn projected(volume: &Volume) -> impl Iterator<Item = &k8s_openapi::api::core::v1::VolumeProjection> {
    volume.projected.iter().flat_map(|it| it.sources.iter().flatten())
}

/// The Secrets that a volume's driver reads.
fn by_driver(volume: &Volume) -> [Option<&str>; 9] {
    [
        volume.csi.as_ref().and_then(|it| it.node_publish_secret_ref.as_ref()).map(|it| it.name.as_str()),
        volume.azure_file.as_ref().map(|it| it.secret_name.as_str()),
        volume.cephfs.as_ref().and_then(|it| it.secret_ref.as_ref()).map(|it| it.name.as_str()),
        volume.cinder.as_ref().and_then(|it| it.secret_ref.as_ref()).map(|it| it.name.as_str()),
        volume.flex_volume.as_ref().and_then(|it| it.secret_ref.as_ref()).map(|it| it.name.as_str()),
        volume.iscsi.as_ref().and_then(|it| it.secret_ref.as_ref()).map(|it| it.name.as_str()),
        volume.rbd.as_ref().and_then(|it| it.secret_ref.as_ref()).map(|it| it.name.as_str()),
        volume.scale_io.as_ref().map(|it| it.secret_ref.name.as_str()),
        volume.storageos.as_ref().and_then(|it| it.secret_ref.as_ref()).map(|it| it.name.as_str()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn source(kind: SourceKind) -> Source {
        Source { kind, namespace: "shop".parse().unwrap(), name: "db".parse().unwrap() }
    }

    fn of(kind: SourceKind, spec: Value) -> Vec<Way> {
        uses(&serde_json::from_value(spec).unwrap(), Some("web-1"), &source(kind)).into_iter().collect()
    }

    fn with(container: Value, volumes: Value) -> Value {
        let mut container = container;
        container["name"] = json!("main");
        json!({"containers": [container], "volumes": volumes})
    }

    #[test]
    fn every_way_of_using_a_secret_is_found() {
        let secret = |spec: Value| of(SourceKind::Secret, spec);
        let key = json!([{"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "p"}}}]);
        assert_eq!(secret(with(json!({"env": key}), json!([]))), [Way::Env]);
        let all = json!({"envFrom": [{"secretRef": {"name": "db"}}]});
        assert_eq!(secret(with(all, json!([]))), [Way::EnvFrom]);
        let volume = json!([{"name": "v", "secret": {"secretName": "db"}}]);
        assert_eq!(secret(with(json!({}), volume.clone())), [Way::Volume]);
        let mount = json!({"volumeMounts": [{"name": "v", "mountPath": "/p", "subPath": "p"}]});
        assert_eq!(secret(with(mount, volume)), [Way::Volume, Way::SubPath]);
        let projected = json!([{"name": "v", "projected": {"sources": [{"secret": {"name": "db"}}]}}]);
        assert_eq!(secret(with(json!({}), projected)), [Way::Projected]);
        let pull = json!({"containers": [{"name": "main"}], "imagePullSecrets": [{"name": "db"}]});
        assert_eq!(secret(pull.clone()), [Way::ImagePull]);
        assert!(of(SourceKind::ConfigMap, pull).is_empty(), "nobody pulls with one");
        let other = json!({"containers": [{"name": "main"}], "imagePullSecrets": [{"name": "other"}]});
        assert!(secret(other).is_empty());
    }

    #[test]
    fn every_driver_that_reads_a_secret_is_known() {
        let by_ref = json!({"name": "db"});
        for (driver, says) in [
            ("csi", json!({"driver": "d", "nodePublishSecretRef": by_ref})),
            ("azureFile", json!({"secretName": "db", "shareName": "s"})),
            ("cephfs", json!({"monitors": [], "secretRef": by_ref})),
            ("cinder", json!({"volumeID": "i", "secretRef": by_ref})),
            ("flexVolume", json!({"driver": "d", "secretRef": by_ref})),
            ("iscsi", json!({"targetPortal": "p", "iqn": "q", "lun": 0, "secretRef": by_ref})),
            ("rbd", json!({"monitors": [], "image": "i", "secretRef": by_ref})),
            ("scaleIO", json!({"gateway": "g", "system": "s", "secretRef": by_ref})),
            ("storageos", json!({"secretRef": by_ref})),
        ] {
            let volumes = json!([{"name": "v", driver: says}]);
            assert_eq!(of(SourceKind::Secret, with(json!({}), volumes)), [Way::Driver], "{driver}");
        }
    }

    #[test]
    fn only_a_single_file_of_the_very_volume_is_a_copy_of_its_own() {
        let volumes = json!([
            {"name": "v", "secret": {"secretName": "db"}}, {"name": "w", "secret": {"secretName": "other"}},
        ]);
        let mounted = |mount: Value| {
            let mut mount = mount;
            mount["mountPath"] = json!("/p");
            of(SourceKind::Secret, with(json!({"volumeMounts": [mount]}), volumes.clone()))
        };
        assert_eq!(mounted(json!({"name": "v"})), [Way::Volume]);
        assert_eq!(mounted(json!({"name": "v", "subPathExpr": "$(P)"})), [Way::Volume, Way::SubPath]);
        assert_eq!(mounted(json!({"name": "w", "subPath": "p"})), [Way::Volume]);
        let claim = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "db"}}]);
        let part = json!({"volumeMounts": [{"name": "v", "mountPath": "/p", "subPath": "p"}]});
        assert_eq!(of(SourceKind::PersistentVolumeClaim, with(part, claim)), [Way::Volume]);
    }

    #[test]
    fn init_and_ephemeral_containers_count() {
        let env = json!([{"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "p"}}}]);
        let all = json!([{"secretRef": {"name": "db"}}]);
        let file = json!([{"name": "v", "mountPath": "/p", "subPath": "p"}]);
        for kind in ["initContainers", "ephemeralContainers"] {
            for (field, value, way) in [
                ("env", &env, Way::Env),
                ("envFrom", &all, Way::EnvFrom),
                ("volumeMounts", &file, Way::SubPath),
            ] {
                let spec = json!({
                    "containers": [{"name": "main"}], kind: [{"name": "other", field: value}],
                    "volumes": [{"name": "v", "secret": {"secretName": "db"}}],
                });
                assert!(of(SourceKind::Secret, spec).contains(&way), "{kind} {field}");
            }
        }
    }

    #[test]
    fn another_name_or_kind_does_not_count() {
        let env = json!([{"name": "P", "valueFrom": {"secretKeyRef": {"name": "db2", "key": "p"}}}]);
        let volumes = json!([{"name": "db", "secret": {"secretName": "other"}}]);
        assert!(of(SourceKind::Secret, with(json!({"env": env}), volumes.clone())).is_empty());
        let from = json!({"envFrom": [{"secretRef": {"name": "db2"}}]});
        assert!(of(SourceKind::Secret, with(from, json!([]))).is_empty());
        let mine = json!([{"name": "v", "secret": {"secretName": "db"}}]);
        assert!(of(SourceKind::ConfigMap, with(json!({}), mine)).is_empty());
    }

    #[test]
    fn config_maps_and_claims_are_found() {
        let env = json!({
            "env": [{"name": "P", "valueFrom": {"configMapKeyRef": {"name": "db", "key": "p"}}}],
            "envFrom": [{"configMapRef": {"name": "db"}}],
        });
        let volumes = json!([
            {"name": "a", "configMap": {"name": "db"}},
            {"name": "b", "projected": {"sources": [{"configMap": {"name": "db"}}]}},
        ]);
        let all = of(SourceKind::ConfigMap, with(env, volumes));
        assert_eq!(all, [Way::Env, Way::EnvFrom, Way::Volume, Way::Projected]);
        let claim = json!([{"name": "a", "persistentVolumeClaim": {"claimName": "db"}}]);
        assert_eq!(of(SourceKind::PersistentVolumeClaim, with(json!({}), claim)), [Way::Volume]);
        let spec = json!({"containers": [], "volumes": [{"name": "data", "ephemeral": {}}]});
        let named =
            Source { name: "web-1-data".parse().unwrap(), ..source(SourceKind::PersistentVolumeClaim) };
        let spec = serde_json::from_value(spec).unwrap();
        assert_eq!(uses(&spec, Some("web-1"), &named).len(), 1);
        for other in [Some("web-2"), None] {
            assert!(uses(&spec, other, &named).is_empty(), "{other:?}: another pod's, or a template");
        }
    }
}
