//! Which files belong to a configuration: decided by name alone, for a working tree and a commit alike.

use runcord_content::{Rule, Verdict};

use crate::names::Directory;

/// It would change what is forced upon the module.
pub(super) const OVERRIDE: Rule =
    Rule::Own("an override file beside ours: write what it says into the files that it overrides");
/// It would give other values than the declared ones.
pub(super) const VALUES: Rule = Rule::Own("a file of values: declare them in modules.yaml");
/// Another repository's files.
pub(super) const SUBMODULE: Rule = Rule::Own("a submodule's files are not in the commit");

/// What becomes of the entry at `path`, which is relative to the folder of all root modules. `own` is the root module's
/// folder: there the tool reads values and overrides. In the folder of a module that is called, a file of values means
/// nothing, and an override is reviewed configuration like any other.
pub(super) fn verdict(path: &str, own: &Directory) -> Verdict {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if path.split('/').any(is_left_out) {
        Verdict::LeftOut
    } else if folder != own.as_str() {
        Verdict::Kept
    } else if is_override(name) {
        Verdict::Refused(OVERRIDE)
    } else if is_values(name) {
        Verdict::Refused(VALUES)
    } else {
        Verdict::Kept
    }
}

fn is_left_out(name: &str) -> bool {
    matches!(
        name,
        ".git" | ".terraform" | "terraform.tfstate.d" | ".terraform.tfstate.lock.info" | "crash.log"
    ) || name.ends_with(".tfstate")
        || name.ends_with(".tfstate.backup")
        || (name.contains(".tfstate.") && name.ends_with(".backup"))
}

/// OpenTofu reads its own endings first, so that `x.tofu` would stand in for `x.tf`.
fn is_override(name: &str) -> bool {
    [".tf", ".tf.json", ".tofu", ".tofu.json"]
        .iter()
        .filter_map(|end| name.strip_suffix(end))
        .any(|stem| stem == "override" || stem.ends_with("_override"))
}

fn is_values(name: &str) -> bool {
    name.starts_with("terraform.tfvars") || name.contains(".auto.tfvars")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Verdict {
        verdict(path, &"live/net".parse().unwrap())
    }

    #[test]
    fn nothing_stands_in_for_what_is_declared() {
        for path in ["override.tf", "zz_override.tf.json", "runcord_override.tofu.json", "a_override.tofu"] {
            assert_eq!(of(&format!("live/net/{path}")), Verdict::Refused(OVERRIDE), "{path}");
            assert_eq!(of(&format!("modules/vpc/{path}")), Verdict::Kept, "{path}");
        }
        for path in ["terraform.tfvars", "terraform.tfvars.json", "z.auto.tfvars", "runcord.auto.tfvars.json"]
        {
            assert_eq!(of(&format!("live/net/{path}")), Verdict::Refused(VALUES), "{path}");
        }
        for path in ["main.tf", "prod.tfvars", ".terraform.lock.hcl", "overrides.tf", "run.sh"] {
            assert_eq!(of(&format!("live/net/{path}")), Verdict::Kept, "{path}");
        }
    }

    #[test]
    fn data_and_states_are_left_out_wherever_they_are() {
        for path in [
            ".terraform",
            "sub/.terraform/providers/x",
            "terraform.tfstate",
            "terraform.tfstate.backup",
            "terraform.tfstate.1700000000.backup",
            "terraform.tfstate.d/blue/terraform.tfstate",
            ".terraform.tfstate.lock.info",
            ".git/config",
        ] {
            assert_eq!(of(&format!("live/net/{path}")), Verdict::LeftOut, "{path}");
        }
    }
}
