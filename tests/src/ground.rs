//! Everything that a server of root modules needs to be itself: a folder with modules, a real tool with real providers, and
//! an installation with an authority in force.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::binaries;
use crate::installation::{Approver, Installation, printed};
use crate::session::{Era, Session};

/// The folder that `tests/terraform/assets` prints.
const ASSETS: &str = "RUNCORD_TERRAFORM_ASSETS";

/// Ground to run servers on. Its folder goes when this is dropped.
pub struct Ground {
    installation: Installation,
    root: PathBuf,
    assets: PathBuf,
    _folder: tempfile::TempDir,
}

/// Ground is an installation, with root modules.
impl Deref for Ground {
    type Target = Installation;

    fn deref(&self) -> &Installation {
        &self.installation
    }
}

impl Ground {
    /// Ground without any module yet. Its target is not named, so it counts as production.
    ///
    /// # Errors
    ///
    /// There is no tool, or any of it failed.
    pub fn new() -> Result<Self> {
        let assets =
            std::env::var_os(ASSETS).context("no RUNCORD_TERRAFORM_ASSETS: run tests/run, which sets it")?;
        let assets = PathBuf::from(assets);
        let folder = tempfile::TempDir::with_prefix("runcord-ground-")?;
        let root = folder.path().canonicalize()?.join("root");
        fs::create_dir(&root)?;
        let target = vec![
            // No other tool than that of the assets: `terraform` would be taken before `tofu`, wherever it is.
            ("PATH", PathBuf::from(format!("{}:/usr/bin:/bin", assets.display()))),
            ("RUNCORD_ROOT", root.clone()),
            ("RUNCORD_PROVIDER_MIRROR", assets.join("mirror")),
        ];
        let ground = Self { installation: Installation::new(target)?, root, assets, _folder: folder };
        ground.declare("modules: {}\n")?;
        Ok(ground)
    }

    /// Ground with the example of `examples/terraform`, as it stands there.
    ///
    /// # Errors
    ///
    /// The example is not whole, or is refused.
    pub fn of_example() -> Result<Self> {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/terraform");
        let ground = Self::new()?;
        let module = fs::read_to_string(example.join("root/pool/main.tf"))?;
        ground.write("pool/main.tf", &module)?;
        ground.declare(&fs::read_to_string(example.join("modules.yaml"))?)?;
        Ok(ground)
    }

    /// The folder of root modules, for a test to change.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file below the folder of root modules, for a test to change.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a file below the folder of root modules.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.file(name);
        fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        Ok(fs::write(path, text)?)
    }

    /// Puts this `modules.yaml` in force.
    ///
    /// # Errors
    ///
    /// It was refused; the error shows what was printed.
    pub fn declare(&self, modules: &str) -> Result<()> {
        fs::write(self.policy().join("modules.yaml"), modules)?;
        self.activate(Approver::Ana).map(drop)
    }

    /// A session with a new `runcord-terraform`.
    ///
    /// # Errors
    ///
    /// It does not start or does not greet.
    pub async fn session(&self) -> Result<Session> {
        self.session_with(&[]).await
    }

    /// The same with these variables on top of the ground's own.
    ///
    /// # Errors
    ///
    /// It does not start or does not greet.
    pub async fn session_with(&self, more: &[(&'static str, PathBuf)]) -> Result<Session> {
        let binary = binaries::find("runcord-terraform")?;
        let environment = self.environment().into_iter().chain(more.iter().cloned());
        Session::start(&binary, &[], environment, &self.path("server.stderr"), Era::Stateless).await
    }

    /// Runs the tool itself in a module's folder, as a person would: behind the server's back.
    ///
    /// # Errors
    ///
    /// It cannot be started, or fails; the error shows what it printed.
    pub fn by_hand(&self, module: &str, args: &[&str]) -> Result<Output> {
        let program =
            ["terraform", "tofu"].map(|name| self.assets.join(name)).into_iter().find(|path| path.exists());
        let config = self.path("by-hand.tfrc");
        let mirror = serde_json::json!({
            "provider_installation": [{"filesystem_mirror": [{"path": self.assets.join("mirror")}]}]
        });
        fs::write(&config, mirror.to_string())?;
        let output = Command::new(program.context("no tool in the assets")?)
            .args(args)
            .current_dir(self.file(module))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("TF_CLI_CONFIG_FILE", config)
            .env("CHECKPOINT_DISABLE", "1")
            .stdin(Stdio::null())
            .output()?;
        ensure!(output.status.success(), "{args:?} failed: {}", printed(&output));
        Ok(output)
    }

    /// A state file below the folder of root modules, as JSON.
    ///
    /// # Errors
    ///
    /// It is not there, or no JSON.
    pub fn state_file(&self, name: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&fs::read(self.file(name))?)?)
    }
}
