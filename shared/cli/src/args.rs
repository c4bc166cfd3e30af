//! The command line.

use clap::{Parser, Subcommand};
use runcord_runtime::settings::Options;

use crate::around::Around;
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Format};
use crate::{activate, approve, cord, doctor, init, kubectl, log, plan, policy, run, runbook};

/// The operator's command of Runcord: what a person does about plans, approvals, the authority, the cord and the ledger.
///
/// Agents never need it, and it has no way to apply anything: a plan is applied by the agent that made it, through its
/// server, once policy and people allow it.
#[derive(Debug, Parser)]
#[command(name = "runcord", version, after_help = EXAMPLES, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    /// One JSON value on standard output, for programs
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  runcord init --approver ana               set up this machine, with ana as its first approver
  runcord doctor                            what is missing, and how to mend it
  runcord plan list                         what waits for somebody
  runcord approve pln_…                     read a plan, and sign it
  runcord cord pull --reason \"wrong node\"   stop everything, now
  runcord activate                          put changed policy, people or runbooks in force

Exit codes: 0 done, 1 refused or does not hold, 2 wrong usage, 3 the surroundings failed (no cluster, no store)";

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up state, a policy folder, a first approver and a first authority; print the client configuration
    #[command(after_help = init::EXAMPLES)]
    Init(init::Args),
    /// Check everything that a server needs, and say how to mend what is wrong
    Doctor(doctor::Args),
    /// Show what would change in the authority, sign it, and put it in force
    Activate(activate::Args),
    /// Check and show runbooks
    #[command(subcommand)]
    Runbook(runbook::Command),
    /// Check, test and explain policy
    #[command(subcommand)]
    Policy(policy::Command),
    /// List, show and export plans
    #[command(subcommand)]
    Plan(plan::Command),
    /// Read a plan and sign it
    Approve(approve::ApproveArgs),
    /// End a plan with your signature
    Reject(approve::RejectArgs),
    /// Bring in approvals that were signed elsewhere
    #[command(subcommand)]
    Approval(approve::ApprovalCommand),
    /// List and show runs
    #[command(subcommand)]
    Run(run::Command),
    /// The kill switch: pull it, arm it again, look at it
    #[command(subcommand)]
    Cord(cord::Command),
    /// The records, and whether their chain holds
    #[command(subcommand)]
    Log(log::Command),
    /// What only Kubernetes has: the permissions that the runbooks need
    #[command(subcommand)]
    Kubectl(kubectl::Command),
}

impl Cli {
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Page }
    }
}

/// Carries out the command.
pub(crate) async fn carry_out(cli: Cli) -> Result<Answer, Failure> {
    let around = Around { options: cli.options };
    match &cli.command {
        Command::Init(args) => init::run(args, &around.options).await,
        Command::Doctor(args) => doctor::run(args, &around).await,
        Command::Activate(args) => activate::run(args, &around).await,
        Command::Runbook(command) => runbook::run(command, &around).await,
        Command::Policy(command) => policy::run(command, &around),
        Command::Plan(command) => plan::run(command, &around),
        Command::Approve(args) => approve::approve(args, &around).await,
        Command::Reject(args) => approve::reject(args, &around).await,
        Command::Approval(command) => approve::approval(command, &around),
        Command::Run(command) => run::run(command, &around),
        Command::Cord(command) => cord::run(command, &around).await,
        Command::Log(command) => log::run(command, &around),
        Command::Kubectl(command) => kubectl::run(command, &around),
    }
}

/// A mistake on the command line, for programs.
pub(crate) fn mistake(error: &clap::Error) -> Failure {
    let text = error.to_string();
    // Clap's first paragraph says what is wrong, over several lines; the rest is for people.
    let what = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    Failure::usage(what.split_whitespace().collect::<Vec<_>>().join(" "), "see --help")
}

/// Shows clap's own page: of a mistake, or what `--help` and `--version` say.
pub(crate) fn told(error: &clap::Error) -> Exit {
    // A reader that has gone away changes nothing of how this ends.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_contracts_commands_are_understood() {
        let plan = "pln_aaaaaaaaaaaaaaaaaaaaaaaaaa";
        for line in [
            "init --approver ana --no-passphrase",
            "doctor --json",
            "doctor --root /srv/infrastructure --workspace prod",
            "doctor --project /srv/ansible --ansible /srv/venv",
            "activate --yes --as ana",
            "runbook check",
            "runbook show drain_node",
            "runbook schema",
            "runbook drift --context prod-eu --namespace shop --json",
            "runbook drift --project /srv/ansible",
            "kubectl rbac --namespace shop --service-account ops/runcord",
            "kubectl rbac --name planner --user planner --only-dry-run",
            "policy check",
            "policy test a.yaml b.yaml",
            &format!("policy explain {plan}"),
            "plan list",
            &format!("plan show {plan}"),
            &format!("plan export {plan} --out plan.json"),
            &format!("approve {plan} --key k.pub"),
            "approve plan.json --as ana",
            &format!("reject {plan} --reason no"),
            "approval import approval.json",
            "run list",
            "run show run_aaaaaaaaaaaaaaaaaaaaaaaaaa",
            "cord pull --reason smoke",
            "cord reset --reason mended",
            "cord status",
            "log list --from 3",
            "log verify",
            "log export",
        ] {
            let parsed = Cli::try_parse_from(std::iter::once("runcord").chain(line.split(' ')));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn wrong_usage_is_exit_code_two() {
        for line in [
            "",
            "cord pull",
            "reject pln_x --reason no",
            "plan show run_x",
            "fly",
            "kubectl rbac --group system:masters",
            "doctor --root /srv/infrastructure --project /srv/ansible",
        ] {
            let parsed = Cli::try_parse_from(std::iter::once("runcord").chain(line.split_whitespace()));
            assert_eq!(parsed.unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
