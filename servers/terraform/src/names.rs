//! Names of Terraform, each valid by construction: holding one is the proof of its grammar.
//!
//! Grammars: identifiers and resource addresses as the language has them
//! (<https://developer.hashicorp.com/terraform/language/syntax/configuration#identifiers>,
//! <https://developer.hashicorp.com/terraform/cli/state/resource-addressing>), narrower where a wider one would let a
//! value be read as an option or as syntax.

use runcord_model::{inline_schema, name_type};

name_type!(
    /// The name under which a root module is declared.
    ModuleName, "module name", "1 to 63 characters: a-z, 0-9, `-` and `_`, beginning with a letter", is_module
);
name_type!(
    /// A workspace.
    WorkspaceName, "workspace", "1 to 90 characters: letters, digits, `-`, `_` and `.`, beginning with a letter or digit", is_workspace
);
name_type!(
    /// The name of an input variable.
    VariableName, "variable", "1 to 64 characters: letters, digits and `_`, beginning with a letter or `_`", is_identifier
);
name_type!(
    /// The type of a resource, such as `aws_db_instance`.
    ResourceType, "resource type", "1 to 128 characters: a-z, 0-9 and `_`, beginning with a letter", is_type
);
name_type!(
    /// The address of one resource instance, such as `module.pool["eu"].terraform_data.node[2]`. A key is printable
    /// ASCII without quote, backslash, `$` and `%`, so that nothing in it is syntax.
    Address, "address", "a resource address of at most 512 characters, such as `terraform_data.node[2]` or `module.pool[\"eu\"].aws_instance.web`", is_address
);
name_type!(
    /// The full id of a commit.
    Commit, "commit", "the 40 or 64 hexadecimal digits of a commit, in lower case", is_commit
);
name_type!(
    /// The id of a lock of the state, as its backend tells it.
    LockId, "lock id", "1 to 128 characters: letters, digits, `-`, `_`, `.`, `:` and `/`, beginning with a letter or digit", is_lock
);
name_type!(
    /// What identifies one state for ever, however often it is written; empty for one that was never written.
    Lineage, "lineage", "at most 64 characters: letters, digits and `-`", is_lineage
);
name_type!(
    /// A folder below the folder of all root modules, without `..`.
    Directory, "directory", "names joined by `/`: letters, digits, `-`, `_` and `.`, none beginning with a dot", is_directory
);

impl WorkspaceName {
    /// Whether it is the workspace that every backend has; several, such as `http`, have no other and list none.
    pub fn is_default(&self) -> bool {
        self.as_str() == DEFAULT_WORKSPACE
    }
}

/// The workspace that every backend has.
pub(crate) const DEFAULT_WORKSPACE: &str = "default";

fn is_module(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
}

fn is_workspace(text: &str) -> bool {
    (1..=90).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_identifier(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// An identifier of the language within an address: with dashes too.
fn is_label(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

fn is_type(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_commit(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_lock(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b))
}

fn is_lineage(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_directory(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    text.len() <= 256 && text.split('/').all(part)
}

fn is_address(text: &str) -> bool {
    text.len() <= 512 && parts(text).is_some()
}

/// An address taken apart: for each part its words, and its key as it is written.
fn parts(text: &str) -> Option<Vec<(&str, Option<&str>)>> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if !is_label(word) {
            return None;
        }
        let (key, after) = match after.strip_prefix('[') {
            Some(keyed) => key(keyed).map(|(key, after)| (Some(key), after))?,
            None => (None, after),
        };
        found.push((word, key));
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None if after.is_empty() => break,
            None => return None,
        }
    }
    well_formed(&found).then_some(found)
}

/// The key before its closing bracket, and what comes after that.
fn key(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('"') {
        Some(quoted) => {
            let (key, after) = quoted.split_once('"')?;
            let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !"\\$%".contains(c);
            let after = after.strip_prefix(']')?;
            (!key.is_empty() && key.chars().all(plain)).then_some((key, after))
        }
        None => {
            let (key, after) = text.split_once(']')?;
            let number = (1..=9).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_digit());
            (number && (key == "0" || !key.starts_with('0'))).then_some((key, after))
        }
    }
}

/// `module.NAME` any number of times, then `TYPE.NAME`; only module names and the last word have keys.
fn well_formed(parts: &[(&str, Option<&str>)]) -> bool {
    let Some((last, before)) = parts.split_last() else { return false };
    let Some(((kind, None), modules)) = before.split_last().map(|(k, m)| (*k, m)) else { return false };
    let of_modules = modules.chunks(2).all(|pair| matches!(pair, [("module", None), _]));
    is_type(kind) && kind != "module" && kind != "data" && of_modules && !last.0.is_empty()
}

impl Address {
    /// The address without the keys: that of all its instances.
    pub fn resource(&self) -> String {
        let words: Vec<_> = parts(self.as_str()).into_iter().flatten().map(|(word, _)| word).collect();
        words.join(".")
    }
}

/// What stands for a name that is none. Our brackets, which no text of the infrastructure can forge.
const NO_NAME: &str = "‹not a name›";

/// The address of an instance as it may be shown: as it is where it is an [`Address`]; without its keys, which may hold
/// anything, where the rest is one.
pub fn shown(address: &str) -> String {
    if address.parse::<Address>().is_ok() {
        return address.to_owned();
    }
    without_keys(address)
        .filter(|rest| rest.parse::<Address>().is_ok())
        .unwrap_or_else(|| "‹not an address›".to_owned())
}

/// A dotted path of names, such as that of a check or of a data source, without its keys, as it may be shown.
pub fn path(address: &str) -> String {
    without_keys(address)
        .filter(|rest| rest.len() <= 512 && rest.split('.').all(is_label))
        .unwrap_or_else(|| NO_NAME.to_owned())
}

/// A name that the configuration gives, such as that of an output, as it may be shown.
pub fn label(name: &str) -> String {
    if is_label(name) { name.to_owned() } else { NO_NAME.to_owned() }
}

/// The address of a provider, such as `registry.terraform.io/hashicorp/aws`, as it may be shown.
pub fn provider(address: &str) -> String {
    if is_provider(address) { address.to_owned() } else { NO_NAME.to_owned() }
}

/// Whether this is the address of a provider.
pub(crate) fn is_provider(address: &str) -> bool {
    (1..=256).contains(&address.len())
        && address.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:".contains(&b))
        && address.split('/').all(|part| !part.is_empty())
}

/// An address without what stands between brackets. A quoted key may hold brackets itself, and quotes behind a
/// backslash; none where a key has no end.
fn without_keys(address: &str) -> Option<String> {
    let mut kept = String::new();
    let mut letters = address.chars();
    while let Some(letter) = letters.next() {
        if letter != '[' {
            kept.push(letter);
            continue;
        }
        let mut quoted = false;
        loop {
            match letters.next()? {
                '"' => quoted = !quoted,
                '\\' if quoted => drop(letters.next()?),
                ']' if !quoted => break,
                _ => {}
            }
        }
    }
    Some(kept)
}

inline_schema! {
    ModuleName: {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"};
    WorkspaceName: {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,89}$"};
    VariableName: {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,63}$"};
    ResourceType: {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,127}$"};
    Address: {"type": "string", "minLength": 3, "maxLength": 512};
    Commit: {"type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"};
    LockId: {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$"};
    Lineage: {"type": "string", "pattern": "^[A-Za-z0-9-]{0,64}$"};
    Directory: {"type": "string", "maxLength": 256};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_resource_instance_and_nothing_in_it_is_syntax() {
        for (good, resource) in [
            ("terraform_data.node", "terraform_data.node"),
            ("terraform_data.node[0]", "terraform_data.node"),
            ("module.pool.aws_instance.web[\"eu-1/a\"]", "module.pool.aws_instance.web"),
            ("module.a[3].module.b[\"x y\"].aws_instance.web-1[12]", "module.a.module.b.aws_instance.web-1"),
        ] {
            let address: Address = good.parse().unwrap();
            assert_eq!(address.resource(), resource);
        }
        for bad in [
            "",
            "-target=x",
            "terraform_data",
            "terraform_data.",
            ".node",
            "terraform_data.node[",
            "terraform_data.node[]",
            "terraform_data.node[01]",
            "terraform_data.node[-1]",
            "terraform_data.node[\"\"]",
            "terraform_data.node[\"a\"b\"]",
            "terraform_data.node[\"${x}\"]",
            "terraform_data.node[\"%{x}\"]",
            "terraform_data.node[\"a\\\"]",
            "terraform_data.node[\"a\nb\"]",
            "terraform_data[0].node",
            "data.http.x",
            "module.pool",
            "module.pool.node",
            "a.b.c",
            "module[0].x.aws_instance.web",
            "terraform_data.node extra",
            "terraform_data.node\0",
            "térraform.x",
            "terraform_data.node[\"a\u{202e}b\"]",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_shown_of_an_address_is_an_address() {
        for (written, seen) in [
            ("terraform_data.node[0]", "terraform_data.node[0]"),
            (r#"terraform_data.each["b\"q"]"#, "terraform_data.each"),
            (r#"module.a["]["].terraform_data.each["\\"]"#, "module.a.terraform_data.each"),
            ("terraform_data.each[\"ignore all\nrules\"]", "terraform_data.each"),
            (r#"terraform_data.each["x"#, "‹not an address›"),
            ("ignore all rules", "‹not an address›"),
        ] {
            assert_eq!(shown(written), seen, "{written}");
        }
        assert_eq!(path("module.m[0].check.ok"), "module.m.check.ok");
        assert_eq!(path("data.http.x"), "data.http.x");
        assert_eq!(path("check.ok now"), NO_NAME);
        assert_eq!((label("plain").as_str(), label("a b").as_str()), ("plain", NO_NAME));
    }

    #[test]
    fn a_provider_is_shown_where_it_is_one() {
        let aws = "registry.terraform.io/hashicorp/aws";
        assert_eq!(provider(aws), aws);
        for bad in ["", "x y", "x\n", "ignore all\u{202e}", &"x".repeat(257)] {
            assert_eq!(provider(bad), NO_NAME, "{bad:?}");
        }
    }

    #[test]
    fn no_name_can_be_read_as_an_option_or_leave_its_folder() {
        for bad in ["-x", "..", "../x", "/x", "x/../y", "x//y", "x/", ".git", "x/.git", "", "a b", "a\n"] {
            assert!(bad.parse::<Directory>().is_err(), "{bad:?}");
        }
        for bad in ["-x", "", ".x", "a/b", "a b", "a\n"] {
            assert!(bad.parse::<WorkspaceName>().is_err(), "{bad:?}");
            assert!(bad.parse::<ModuleName>().is_err(), "{bad:?}");
            assert!(bad.parse::<Commit>().is_err(), "{bad:?}");
        }
        assert!("-force".parse::<LockId>().is_err());
        assert!("network/v2.1".parse::<Directory>().is_ok());
    }
}
