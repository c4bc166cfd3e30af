//! Names and small values of Kubernetes, each valid by construction: holding one is the proof of its grammar.
//!
//! Grammars: RFC 1123 labels and subdomains as the API server checks them
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>).

use runcord_model::name_type;

use crate::inline::inline_schema;

const LABEL: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
const SUBDOMAIN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

name_type!(
    /// The name of a node.
    NodeName, "node name", "an RFC 1123 subdomain: a-z, 0-9, `-` and `.`, at most 253 characters", is_subdomain
);
name_type!(
    /// The name of a namespace.
    Namespace, "namespace", "an RFC 1123 label: a-z, 0-9 and `-`, at most 63 characters", is_label
);
name_type!(
    /// The name of a namespaced object: a workload, budget, Service or Ingress.
    ObjectName, "object name", "an RFC 1123 subdomain: a-z, 0-9, `-` and `.`, at most 253 characters", is_subdomain
);
name_type!(
    /// The name of a pod.
    PodName, "pod name", "an RFC 1123 subdomain: a-z, 0-9, `-` and `.`, at most 253 characters", is_subdomain
);
name_type!(
    /// The name of a container in a pod.
    ContainerName, "container name", "an RFC 1123 label: a-z, 0-9 and `-`, at most 63 characters", is_label
);
name_type!(
    /// The kind of an owner, which may be of a custom resource.
    KindName, "kind", "letters and digits, beginning with a capital, at most 63 characters", is_kind
);
name_type!(
    /// What identifies one object for ever, whatever it is called.
    Uid, "uid", "letters, digits, `-`, `_`, `.` and `:`, at most 128 characters", is_uid
);
name_type!(
    /// The zone that a node is in; empty when it has none.
    Zone, "zone", "a label value: letters, digits, `-`, `_` and `.`, at most 63 characters", is_label_value
);
name_type!(
    /// When a workload was last restarted: an RFC 3339 time, or empty for never.
    RestartedAt, "restart time", "an RFC 3339 time such as `2026-11-01T12:00:00Z`, or empty for never", is_restart_time
);
name_type!(
    /// A literal that log lines must hold.
    Literal, "literal", "1 to 200 characters without control characters", is_literal
);
name_type!(
    /// Where the next page of a log begins; made by the page before.
    PageCursor, "page cursor", "the `next_page` of the page before", is_cursor
);
name_type!(
    /// Why something happened, in one word: the reason of an event.
    Reason, "reason", "letters and digits, beginning with a capital, at most 64 characters", is_reason
);
name_type!(
    /// The key of a label or taint.
    LabelKey, "label key", "a name of at most 63 characters, after a DNS subdomain and a slash or not", is_label_key
);

name_type!(
    /// A key of a Secret or ConfigMap.
    DataKey, "data key", "letters, digits, `-`, `_` and `.`, at most 253 characters", is_data_key
);
name_type!(
    /// Which write of an object this is; opaque but for being equal or not.
    ResourceVersion, "resource version", "digits, at most 32", is_resource_version
);

impl NodeName {
    /// The same name as that of any object.
    pub fn as_object(&self) -> Option<ObjectName> {
        ObjectName::try_from(self.as_str().to_owned()).ok()
    }
}

impl RestartedAt {
    /// The value of the annotation; nothing when it should not be there.
    pub fn annotation(&self) -> Option<&str> {
        Some(self.as_str()).filter(|text| !text.is_empty())
    }
}

fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    let inner = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(inner)
}

fn is_kind(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn is_reason(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>
fn is_label_key(text: &str) -> bool {
    let (prefix, name) = text.rsplit_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(is_subdomain)
        && !name.is_empty()
        && is_label_value(name)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// <https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data>; neither `.` nor `..`.
fn is_data_key(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && text != "."
        && !text.starts_with("..")
}

fn is_resource_version(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_uid(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

fn is_label_value(text: &str) -> bool {
    text.len() <= 63 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_restart_time(text: &str) -> bool {
    text.is_empty()
        || (text.len() <= 40
            && text.bytes().all(|b| b.is_ascii_digit() || b"TZtz:+-.".contains(&b))
            && text.parse::<jiff::Timestamp>().is_ok())
}

fn is_literal(text: &str) -> bool {
    (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn is_cursor(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b":.+-~".contains(&b))
}

inline_schema! {
    NodeName: {"type": "string", "pattern": SUBDOMAIN, "maxLength": 253};
    Namespace: {"type": "string", "pattern": LABEL, "maxLength": 63};
    ObjectName: {"type": "string", "pattern": SUBDOMAIN, "maxLength": 253};
    PodName: {"type": "string", "pattern": SUBDOMAIN, "maxLength": 253};
    ContainerName: {"type": "string", "pattern": LABEL, "maxLength": 63};
    KindName: {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]{0,62}$"};
    Zone: {"type": "string", "pattern": "^[A-Za-z0-9._-]{0,63}$"};
    RestartedAt: {"type": "string", "maxLength": 40};
    Literal: {"type": "string", "minLength": 1, "maxLength": 200};
    PageCursor: {"type": "string", "pattern": "^[A-Za-z0-9:.+~-]{1,64}$"};
    Reason: {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]{0,63}$"};
    DataKey: {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,253}$"};
    LabelKey: {"type": "string", "pattern": "^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_subdomains_follow_rfc_1123() {
        for good in ["a", "n7", "node-1", "a1-b2"] {
            assert!(good.parse::<Namespace>().is_ok() && good.parse::<NodeName>().is_ok(), "{good}");
        }
        assert!("ip-10-0-0-1.eu-west-1.compute.internal".parse::<NodeName>().is_ok());
        let long = "a".repeat(64);
        for bad in ["", "-a", "a-", "A", "a_b", "a b", "a\n", "a/../b", "ä", "a?x=1", &long] {
            assert!(bad.parse::<Namespace>().is_err(), "{bad}");
        }
        for bad in ["", ".", "a..b", "a.", ".a", "-a.b", "a.-b", "a/b", "a%2f"] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reason_is_one_word_and_a_label_key_has_one_slash() {
        assert!("FailedScheduling".parse::<Reason>().is_ok());
        for bad in ["", "failed", "Failed now", "Failed\n", "Fail_ed", "Fаiled", &"A".repeat(65)] {
            assert!(bad.parse::<Reason>().is_err(), "{bad}");
        }
        for good in ["a", "node.kubernetes.io/unschedulable", "A_b.c"] {
            assert!(good.parse::<LabelKey>().is_ok(), "{good}");
        }
        for bad in ["", "/", "a/", "/a", "a b", "a/b/c", "-a", "a.", "UP/a", "a\n"] {
            assert!(bad.parse::<LabelKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_restart_time_is_a_time_or_nothing() {
        assert!("".parse::<RestartedAt>().is_ok());
        assert!("2026-11-01T12:00:00Z".parse::<RestartedAt>().is_ok());
        assert!("2026-11-01T12:00:00+01:00".parse::<RestartedAt>().is_ok());
        for bad in ["now", "2026-11-01", "2026-11-01T12:00:00Z; x", "<script>"] {
            assert!(bad.parse::<RestartedAt>().is_err(), "{bad}");
        }
    }
}
