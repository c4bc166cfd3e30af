//! `modules.yaml` as it is written, well and badly.

use super::*;

const SHIPPED: &str = include_str!("../../../../policy/rules/modules.yaml");

fn parse(text: &str) -> Result<Modules, Vec<Problem>> {
    Modules::parse("modules.yaml", text)
}

/// One module with these further lines.
fn module(more: &str) -> String {
    format!("modules:\n  net:\n    directory: net\n    workspaces: [default]\n{more}")
}

const BACKEND: &str = "    backend: {type: s3, config: {bucket: states}}\n";

fn problem(text: &str) -> Problem {
    let mut found = parse(text).unwrap_err();
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found.remove(0)
}

#[test]
fn what_is_empty_declares_nothing() {
    for text in ["", "\n", "# nothing yet\n\n", "modules: {}\n", SHIPPED] {
        assert_eq!(parse(text).unwrap(), Modules::default(), "{text}");
    }
}

#[test]
fn the_example_that_ships_is_a_module() {
    let example: String = SHIPPED
        .lines()
        .filter_map(|line| line.strip_prefix("#   "))
        .map(|line| format!("{line}\n"))
        .collect();
    let modules = parse(&example).unwrap().modules;
    let network = &modules[&"network".parse::<ModuleName>().unwrap()];
    assert_eq!(network.backend.kind, "s3");
    let pool = &network.variables[&"node_count".parse::<VariableName>().unwrap()];
    assert_eq!(pool.pool, Some(Bounds { minimum: 2, maximum: 12 }));
    assert!(!network.may_name.is_empty() && !network.data_bearing.is_empty());
    assert!(!network.runs_code.is_empty() && !network.environment.is_empty());
}

#[test]
fn a_typo_is_shown_where_it_is() {
    let found = problem(&module("    backnd: {type: s3}\n"));
    assert_eq!((found.file.as_str(), found.line, found.column), ("modules.yaml", 5, 5));
    assert!(found.message.contains("backnd"), "{found}");
    assert!(found.to_string().starts_with("modules.yaml:5:5: "), "{found}");
    for text in ["modulse: {}", "modules: {net: {}}", "modules: []", "modules: {-x: {}}"] {
        assert_eq!(parse(text).unwrap_err().len(), 1, "{text}");
    }
}

#[test]
fn what_may_be_named_is_named_without_keys() {
    let good = "    may_name: [terraform_data.a, module.m.aws_instance.b]\n    runs_code: [terraform_data.a, \
                data.external.x, module.m.data.http.y, module.data.terraform_data.z]\n";
    assert!(parse(&module(&format!("{BACKEND}{good}"))).is_ok());
    for (key, bad) in [
        ("may_name", "terraform_data.a[0]"),
        ("may_name", "data.external.x"),
        ("may_name", "terraform_data"),
        ("may_name", "-target=x"),
        ("runs_code", "data.external"),
        ("runs_code", "data.data.external.x"),
        ("runs_code", "data.external.x[0]"),
        ("runs_code", "*"),
    ] {
        let found = problem(&module(&format!("{BACKEND}    {key}: [\"{bad}\"]\n")));
        assert_eq!(found.line, 6, "{bad}: {found}");
        assert!(found.message.contains(bad), "{found}");
    }
}

#[test]
fn a_pool_is_a_whole_number_within_its_bounds() {
    let with = |variable: &str| module(&format!("{BACKEND}    variables:\n      size: {variable}\n"));
    for good in
        ["{value: 3, pool: {minimum: 3, maximum: 3}}", "{pool: {minimum: 0, maximum: 9}}", "{value: x}"]
    {
        assert!(parse(&with(good)).is_ok(), "{good}");
    }
    for (bad, says) in [
        ("{value: 4, pool: {minimum: 5, maximum: 9}}", "outside"),
        ("{value: 10, pool: {minimum: 5, maximum: 9}}", "outside"),
        ("{value: 5.5, pool: {minimum: 5, maximum: 9}}", "whole number"),
        ("{value: \"6\", pool: {minimum: 5, maximum: 9}}", "whole number"),
        ("{pool: {minimum: 9, maximum: 5}}", "minimum is above"),
    ] {
        let found = problem(&with(bad));
        assert!(found.message.contains(says) && found.line == 7, "{found}");
    }
}

#[test]
fn the_environment_passes_credentials_on_and_nothing_that_steers_the_tool() {
    let with = |name: &str| module(&format!("{BACKEND}    environment: [\"{name}\"]\n"));
    for good in ["AWS_ACCESS_KEY_ID", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "TF_HTTP_PASSWORD"] {
        assert!(parse(&with(good)).is_ok(), "{good}");
    }
    for bad in [
        "TF_CLI_ARGS_plan",
        "TF_CLI_ARGS",
        "TF_VAR_size",
        "TF_DATA_DIR",
        "PATH",
        "HOME",
        "LD_PRELOAD",
        "GIT_SSH_COMMAND",
        "aws_key",
        "_X",
        "",
        "A B",
        "A=B",
    ] {
        problem(&with(bad));
    }
}

#[test]
fn a_backend_keeps_the_state_and_no_secret() {
    let with = |backend: &str| module(&format!("    backend: {backend}\n"));
    for good in [
        "{type: s3, config: {bucket: b, key: k, kms_key_id: x, shared_credentials_files: [a], dynamodb_table: t}}",
        "{type: kubernetes, config: {secret_suffix: net}}",
        "{type: s3, config: {skip_credentials_validation: true}}",
        "{type: local, config: {path: net/terraform.tfstate}}",
        "{type: http, config: {address: \"https://states.example/net\"}}",
    ] {
        assert!(parse(&with(good)).is_ok(), "{good}");
    }
    for bad in [
        "{type: remote}",
        "{type: cloud}",
        "{type: S3}",
        "{type: s-3}",
        "{type: s3, config: {access_key: A}}",
        "{type: s3, config: {secret_key: A}}",
        "{type: s3, config: {token: A}}",
        "{type: s3, config: {assume_role: {session_token: A}}}",
        "{type: s3, config: {endpoints: [{client_secret: A}]}}",
        "{type: azurerm, config: {sas_token: A}}",
        "{type: http, config: {password: 12345}}",
        "{type: http, config: {address: \"https://me:word@states.example/net\"}}",
        "{type: pg, config: {conn_str: A}}",
        "{type: s3, config: {key: \"${var.x}\"}}",
        "{type: local}",
        "{type: local, config: {path: ../x}}",
    ] {
        let found = problem(&with(bad));
        assert_eq!(found.line, 5, "{bad}: {found}");
    }
}

#[test]
fn a_local_backend_says_where_its_workspaces_are() {
    let text = module("    backend: {type: local, config: {path: net/s.tfstate}}\n");
    let several = text.replace("[default]", "[default, blue]");
    assert!(problem(&several).message.contains("workspace_dir"));
    let told = several.replace("s.tfstate}", "s.tfstate, workspace_dir: net/s.d}");
    assert!(parse(&told).is_ok());
}

#[test]
fn every_problem_is_told_at_once_behind_its_own_module() {
    let text = "modules:\n  a:\n    directory: a\n    workspaces: [default]\n    backend: {type: s3}\n  \
                b:\n    directory: b\n    workspaces: []\n    backend: {type: remote}\n";
    let found = parse(text).unwrap_err();
    assert_eq!(found.iter().map(|one| one.line).collect::<Vec<_>>(), [6, 9], "{found:?}");
}
