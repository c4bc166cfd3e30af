//! Label selectors, as the API server evaluates them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::seen::Requirement;

/// Whether `selector` selects an object with `labels`. An absent selector selects nothing, an empty one everything
/// (`policy/v1`).
pub(crate) fn selects(selector: Option<&LabelSelector>, labels: &BTreeMap<String, String>) -> bool {
    let Some(selector) = selector else { return false };
    let equal = selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    equal
        && selector.match_expressions.iter().flatten().all(|e| {
            let values = e.values.clone().unwrap_or_default();
            holds(&Requirement { key: e.key.clone(), operator: e.operator.clone(), values }, labels)
        })
}

/// Whether one requirement holds. An operator we do not know does not hold.
pub(crate) fn holds(requirement: &Requirement, labels: &BTreeMap<String, String>) -> bool {
    let found = labels.get(&requirement.key);
    let among = found.is_some_and(|value| requirement.values.contains(value));
    let number = |text: Option<&String>| text.and_then(|t| t.parse::<i64>().ok());
    let compared = || Some((number(found)?, number(requirement.values.first())?));
    match requirement.operator.as_str() {
        "In" => among,
        "NotIn" => !among,
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => compared().is_some_and(|(a, b)| a > b),
        "Lt" => compared().is_some_and(|(a, b)| a < b),
        _ => false,
    }
}

/// The selector as a query; none when it cannot be written as one, which is the case for one that selects all.
pub(crate) fn as_query(selector: &LabelSelector) -> Option<String> {
    let equal = selector.match_labels.iter().flatten().map(|(key, value)| Some(format!("{key}={value}")));
    let rest = selector.match_expressions.iter().flatten().map(|e| {
        let values = e.values.iter().flatten().cloned().collect::<Vec<_>>().join(",");
        match e.operator.as_str() {
            "In" => Some(format!("{} in ({values})", e.key)),
            "NotIn" => Some(format!("{} notin ({values})", e.key)),
            "Exists" => Some(e.key.clone()),
            "DoesNotExist" => Some(format!("!{}", e.key)),
            _ => None,
        }
    });
    let parts: Option<Vec<String>> = equal.chain(rest).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selector(value: serde_json::Value) -> LabelSelector {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn absent_selects_nothing_and_empty_selects_all() {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        assert!(!selects(None, &labels));
        assert!(selects(Some(&selector(json!({}))), &labels));
        assert!(as_query(&selector(json!({}))).is_none());
    }

    #[test]
    fn expressions_hold_as_the_api_server_says() {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned()), ("n".to_owned(), "5".to_owned())]);
        for (key, operator, values, expected) in [
            ("app", "In", vec!["web", "api"], true),
            ("app", "NotIn", vec!["web"], false),
            ("gone", "NotIn", vec!["web"], true),
            ("gone", "In", vec!["web"], false),
            ("app", "Exists", vec![], true),
            ("gone", "DoesNotExist", vec![], true),
            ("n", "Gt", vec!["4"], true),
            ("n", "Lt", vec!["4"], false),
            ("app", "Sometimes", vec![], false),
        ] {
            let selector =
                selector(json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}));
            assert_eq!(selects(Some(&selector), &labels), expected, "{key} {operator}");
        }
    }

    #[test]
    fn a_selector_is_written_as_a_query() {
        let both = json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "t", "operator": "In", "values": ["a", "b"]}]});
        assert_eq!(as_query(&selector(both)).as_deref(), Some("app=web,t in (a,b)"));
    }
}
