//! The files of voters that are committed, as views on the server. A view of several files is planned and read as one; each names its files one by
//! one and fails where one of them is missing: a pattern or a listing would pass over it, and its voters would count twice.

use crate::error::SparkError;
use crate::session::Session;
use crate::voters::{below, columns, schema};
use votestream_election::delta::VoterFile;
use votestream_election::election::DuplicatePolicy;

/// So many views are there at most before all files are opened as one: each epoch adds the view of its own files.
const VIEWS_MAX: usize = 8;

/// A view of files of voters.
pub(crate) struct SeenView {
    name: String,
    /// Their paths, the seen directory's included.
    paths: Vec<String>,
}

impl Session {
    /// A query of the voters in these files; `None`: there are none.
    pub(crate) fn seen(
        &mut self,
        directory: &str,
        policy: DuplicatePolicy,
        files: &[VoterFile],
    ) -> Result<Option<String>, SparkError> {
        let wanted: Vec<String> = files.iter().map(|file| below(directory, &file.path)).collect();
        let (mut kept, mut gone): (Vec<SeenView>, Vec<SeenView>) = std::mem::take(&mut self.views)
            .into_iter()
            .partition(|view| view.paths.iter().all(|path| wanted.contains(path)));
        let opened = |path: &&String| kept.iter().any(|view| view.paths.contains(*path));
        let mut missing: Vec<String> = wanted.iter().filter(|path| !opened(path)).cloned().collect();
        if !missing.is_empty() && kept.len() >= VIEWS_MAX {
            gone.append(&mut kept);
            missing = wanted;
        }
        self.views = kept;
        if !gone.is_empty() {
            let keeper = self.line.keeper.clone();
            let close = move |_: &_| gone.iter().try_for_each(|view| keeper.drop_view(&view.name));
            self.line.call("closing files of voters", close)?;
        }
        if !missing.is_empty() {
            self.views_made += 1;
            let (name, keeper) = (format!("seen_{}", self.views_made), self.line.keeper.clone());
            let (view, paths) = (name.clone(), missing.clone());
            let open = move |_: &_| keeper.open_files(&view, schema(policy), paths);
            self.line.call("opening files of voters", open).map_err(|error| error.in_directory(directory))?;
            self.views.push(SeenView { name, paths: missing });
        }
        let selects: Vec<String> =
            self.views.iter().map(|view| format!("SELECT {} FROM {}", columns(policy), view.name)).collect();
        Ok((!selects.is_empty()).then(|| selects.join(" UNION ALL ")))
    }
}
