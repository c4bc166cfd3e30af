//! What the tool says while it applies, a JSON object a line
//! (<https://developer.hashicorp.com/terraform/internals/machine-readable-ui>). Only counted: names and texts in it are the
//! providers'.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::seen::Begun;

/// How far an apply is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Whether anything was begun.
    pub(crate) began: bool,
    /// Changes made.
    pub(crate) done: u32,
    /// Whether the tool summed up what it has applied, which it does where all went well.
    pub(crate) ended: bool,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    changes: Option<Summary>,
}

#[derive(Deserialize)]
struct Summary {
    #[serde(default)]
    operation: String,
}

impl Progress {
    fn take(&mut self, event: &Event) {
        match event.kind.as_str() {
            "apply_start" => self.began = true,
            "apply_complete" => self.done += 1,
            "change_summary" => self.ended |= event.changes.as_ref().is_some_and(|c| c.operation == "apply"),
            _ => {}
        }
    }
}

/// The file of events, read on from where it was left.
#[derive(Debug)]
pub(crate) struct Events {
    path: PathBuf,
    read: u64,
    progress: Progress,
}

impl Events {
    pub(crate) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), read: 0, progress: Progress::default() }
    }

    /// How far it is by now. The last line may not be whole yet, and others may be anything: those say nothing.
    pub(crate) fn progress(&mut self) -> Progress {
        if let Err(error) = self.read_on() {
            tracing::debug!(%error, "the events cannot be read yet");
        }
        self.progress
    }

    /// How far it came; where that cannot be told, not to its end.
    pub(crate) fn begun(mut self) -> Begun {
        match self.read_on() {
            Ok(()) if self.progress.ended => Begun::ToItsEnd,
            Ok(()) if !self.progress.began => Begun::NotAtAll,
            Ok(()) | Err(_) => Begun::InPart,
        }
    }

    fn read_on(&mut self) -> std::io::Result<()> {
        let mut file = BufReader::new(File::open(&self.path)?);
        file.seek(SeekFrom::Start(self.read))?;
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            self.read += line.len() as u64;
            if let Ok(event) = serde_json::from_slice::<Event>(&line) {
                self.progress.take(&event);
            }
            line.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_and_done_is_counted_and_nothing_else_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("events");
        let mut events = Events::of(&file);
        assert_eq!(events.progress(), Progress::default());
        let text = concat!(
            "{\"type\":\"version\"}\n{\"type\":\"apply_start\"}\n",
            "{\"type\":\"provision_progress\",\"hook\":{\"output\":\"apply_complete\"}}\nno json\n",
            "{\"type\":\"apply_complete\"}\n{\"type\":\"apply_errored\"}\n{\"type\":\"apply_comp",
        );
        std::fs::write(&file, text).unwrap();
        assert_eq!(events.progress(), Progress { began: true, done: 1, ended: false });
        std::fs::write(&file, format!("{text}lete\"}}\n")).unwrap();
        assert_eq!(
            events.progress(),
            Progress { began: true, done: 2, ended: false },
            "read on from a whole line"
        );
        assert_eq!(Events::of(&file).begun(), Begun::InPart);
        let summary = |operation| {
            format!("{{\"type\":\"change_summary\",\"changes\":{{\"operation\":\"{operation}\"}}}}\n")
        };
        std::fs::write(&file, format!("{text}lete\"}}\n{}", summary("plan"))).unwrap();
        assert_eq!(Events::of(&file).begun(), Begun::InPart, "a plan is summed up too");
        std::fs::write(&file, format!("{text}lete\"}}\n{}", summary("apply"))).unwrap();
        assert_eq!(Events::of(&file).begun(), Begun::ToItsEnd);
        std::fs::write(&file, "{\"type\":\"version\"}\n").unwrap();
        assert_eq!(Events::of(&file).begun(), Begun::NotAtAll);
        assert_eq!(Events::of(&folder.path().join("none")).begun(), Begun::InPart, "not known to be nothing");
    }
}
