//! Values that are known to be secret, found literally wherever they stand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

/// The shortest value that is looked for, in bytes: `true`, `5432` and the like are in every text.
pub(super) const SHORTEST: usize = 6;

/// The shortest line of a value of many lines that is looked for by itself: `{` and `---` are in many texts.
const SHORTEST_LINE: usize = 16;

/// Values by their first bytes.
#[derive(Default, Clone)]
pub(super) struct Known(BTreeMap<[u8; SHORTEST], Vec<String>>);

impl Known {
    /// Takes a value in: as it is, each of its longer lines, the secrets `within` it, and as JSON and URLs write them.
    pub(super) fn learn(&mut self, value: &str, within: &[Range<usize>]) {
        let value = value.trim();
        let lines = value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
        let parts = within.iter().filter_map(|part| value.get(part.clone()));
        for one in std::iter::once(value).chain(lines).chain(parts) {
            self.add(one.to_owned());
            self.add(in_json(one));
            self.add(in_url(one));
        }
    }

    fn add(&mut self, value: String) {
        let Some(beginning) = value.as_bytes().first_chunk() else { return };
        let same = self.0.entry(*beginning).or_default();
        if !same.contains(&value) {
            same.push(value);
        }
    }

    /// Where they stand, in no order.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if self.0.is_empty() {
            return found;
        }
        for (at, beginning) in text.as_bytes().windows(SHORTEST).enumerate() {
            let candidates = <[u8; SHORTEST]>::try_from(beginning).ok().and_then(|b| self.0.get(&b));
            let rest = text.as_bytes().get(at..).unwrap_or_default();
            let here = candidates.into_iter().flatten().filter(|value| rest.starts_with(value.as_bytes()));
            found.extend(here.map(|value| at..at + value.len()));
        }
        found
    }
}

fn in_json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted.trim_start_matches('"').strip_suffix('"').unwrap_or(&quoted).to_owned()
}

/// All but the unreserved characters (RFC 3986, 2.3) escaped.
fn in_url(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte))
            }
            byte => drop(write!(escaped, "%{byte:02X}")),
        }
    }
    escaped
}
