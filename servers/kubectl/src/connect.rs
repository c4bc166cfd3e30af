//! Connecting to the one cluster that this server acts on, and telling which one that is.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::Namespace as ApiNamespace;
use kube::config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use runcord_model::Refusal;
use sha2::{Digest as _, Sha256};

use crate::reader::Reader;
use crate::refuse::{precondition, unreachable};
use crate::wire::Wire;

/// Which cluster, by the ordinary kubeconfig rules; without a kubeconfig, the cluster that this process runs in.
#[derive(Debug, Clone, Default)]
pub struct Connect {
    /// The kubeconfig file; `KUBECONFIG` or `~/.kube/config` when not given.
    pub kubeconfig: Option<PathBuf>,
    /// The context; the current one when not given.
    pub context: Option<String>,
}

/// A connection, and the part of the cluster's identity that comes from its certificate authority.
pub(crate) struct Connected {
    pub(crate) wire: Wire,
    pub(crate) authority: String,
    /// The context of the kubeconfig; none inside a cluster.
    pub(crate) context: Option<String>,
}

pub(crate) async fn connect(connect: &Connect) -> Result<Connected, Refusal> {
    let (mut config, context) = configuration(connect).await?;
    // Nothing is retried behind our back: a mutation sent twice is a mutation too many.
    config.default_retry = false;
    verified(&config)?;
    let authority = authority(config.root_cert.as_deref());
    let client = Client::try_from(config).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the kubeconfig cannot be used");
        unreachable(
            "the credentials or certificates of the kubeconfig cannot be used; standard error says why",
        )
    })?;
    Ok(Connected { wire: Wire::new(client), authority, context })
}

async fn configuration(connect: &Connect) -> Result<(Config, Option<String>), Refusal> {
    let read = match &connect.kubeconfig {
        Some(path) => Kubeconfig::read_from(path).map(Some),
        None => match Kubeconfig::read() {
            Err(error) if connect.context.is_none() && inside_a_cluster(&error) => Ok(None),
            read => read.map(Some),
        },
    };
    let unusable = |error: &(dyn std::error::Error + 'static)| {
        tracing::error!(error, "no usable kubeconfig");
        unreachable("there is no usable kubeconfig; standard error says why")
    };
    let Some(mut kubeconfig) = read.map_err(|e| unusable(&e))? else {
        return Config::incluster().map(|config| (config, None)).map_err(|e| unusable(&e));
    };
    silence_plugins(&mut kubeconfig);
    // Named from here on, so that a context switched later does not switch this process's own worker.
    let context = connect.context.clone().or_else(|| kubeconfig.current_context.clone());
    let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|e| unusable(&e))?;
    Ok((config, context))
}

/// Only when nobody asked for a kubeconfig and there is none. One that is broken is never passed over: the next best
/// cluster would be another one.
fn inside_a_cluster(error: &KubeconfigError) -> bool {
    let missing = |io: &std::io::Error| io.kind() == std::io::ErrorKind::NotFound;
    let none = matches!(error, KubeconfigError::FindPath)
        || matches!(error, KubeconfigError::ReadConfig(io, _) if missing(io));
    none && std::env::var_os("KUBECONFIG").is_none() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// Credential plugins inherit standard input unless told otherwise: over stdio they would eat JSON-RPC.
fn silence_plugins(kubeconfig: &mut Kubeconfig) {
    let users = kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut());
    for exec in users.filter_map(|user| user.exec.as_mut()) {
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
    }
}

/// An API server whose certificate is not checked could be any.
fn verified(config: &Config) -> Result<(), Refusal> {
    let host = config.cluster_url.host().unwrap_or_default();
    let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let plain = config.cluster_url.scheme_str() != Some("https");
    if config.accept_invalid_certs || (plain && !loopback) {
        return Err(precondition(
            "the kubeconfig does not have the API server's certificate checked: it could be any cluster",
            "Give the cluster's certificate authority in the kubeconfig and drop insecure-skip-tls-verify.",
        ));
    }
    Ok(())
}

/// Twelve hexadecimal digits of the SHA-256 of the certificate authorities, in any order; `no-ca` when the system's
/// own are trusted.
fn authority(certificates: Option<&[Vec<u8>]>) -> String {
    let mut sorted = certificates.unwrap_or_default().to_vec();
    if sorted.is_empty() {
        return "no-ca".to_owned();
    }
    sorted.sort();
    sorted.dedup();
    let mut hasher = Sha256::new();
    for certificate in sorted {
        hasher.update((certificate.len() as u64).to_be_bytes());
        hasher.update(&certificate);
    }
    hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// `k8s:<uid of kube-system>:<authority>`.
pub(crate) async fn identity(reader: &Reader, authority: &str) -> Result<String, Refusal> {
    let namespace: Option<ApiNamespace> = reader.get(None, "kube-system").await?;
    let uid =
        namespace.and_then(|n| n.metadata.uid).filter(|uid| crate::names::Uid::try_from(uid.clone()).is_ok());
    match uid {
        Some(uid) => Ok(format!("k8s:{uid}:{authority}")),
        None => Err(unreachable("the API server has no namespace kube-system, which tells clusters apart")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_never_read_standard_input() {
        let yaml = "users: [{name: u, user: {exec: {command: x, interactiveMode: IfAvailable}}}]";
        let mut kubeconfig = Kubeconfig::from_yaml(yaml).unwrap();
        silence_plugins(&mut kubeconfig);
        let user = kubeconfig.auth_infos[0].auth_info.as_ref().unwrap();
        assert_eq!(user.exec.as_ref().unwrap().interactive_mode, Some(ExecInteractiveMode::Never));
    }

    #[test]
    fn an_unchecked_certificate_is_refused() {
        let config = |url: &str| Config::new(url.parse().unwrap());
        assert!(verified(&config("https://10.0.0.1:6443")).is_ok());
        assert!(verified(&config("http://10.0.0.1:8080")).is_err());
        assert!(verified(&config("http://127.0.0.1:8001")).is_ok());
        let mut unchecked = config("https://10.0.0.1:6443");
        unchecked.accept_invalid_certs = true;
        assert!(verified(&unchecked).is_err());
    }

    #[test]
    fn the_authority_does_not_depend_on_order_but_on_every_byte() {
        let (a, b) = (vec![1, 2], vec![3]);
        assert_eq!(authority(Some(&[a.clone(), b.clone()])), authority(Some(&[b.clone(), a.clone()])));
        assert_ne!(authority(Some(&[a.clone(), b])), authority(Some(&[vec![1], vec![2, 3]])));
        assert_eq!(authority(None), "no-ca");
        assert_eq!(authority(Some(&[a])).len(), 12);
    }
}
