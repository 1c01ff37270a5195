//! What is done to an index as a whole: backup, restoration, a new store beside the old one.
//!
//! Nothing here answers questions, so no generator is opened, and the encoder only where vectors are made.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{App, AppError, embedder, glossary, index_folder, models, store_place};
use crate::config::Config;
use crate::embed::Embedder;
use crate::error::{Classified, ErrorKind};
use crate::index::{
    self, Archived, BackupOptions, Catalog, FillOptions, Index, IndexError, Next, Progress, Ready, Restored, StorePlace,
};
use crate::retrieve::Lexicon;
use crate::sector::Sector;

/// Between two looks at whether a server has taken over what was built.
const LOOK: Duration = Duration::from_millis(500);

/// One sector's index, not opened.
pub struct Maintenance {
    config: Config,
    sector: Sector,
    folder: PathBuf,
    place: StorePlace,
}

/// What became of a new store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebuilt {
    /// The index is as it would become.
    Already,
    /// It is in use now; so many chunks were written.
    Switched(u64),
    /// It is in use now: the server that holds the index took it over.
    TakenOver(u64),
}

impl Maintenance {
    /// Finds out where the index is.
    pub fn of(config: Config) -> Result<Maintenance, AppError> {
        let sector = Sector::open(&config.sector, Path::new(&config.sectors_dir))?;
        let (folder, place) = (index_folder(&config, &sector), store_place(&config, &sector));
        Ok(Maintenance { config, sector, folder, place })
    }

    /// Writes the index into one file.
    pub fn backup(&self, file: &Path, options: BackupOptions) -> Result<Archived, AppError> {
        Ok(index::backup(&self.folder, &self.sector.name, &self.place, file, options)?)
    }

    /// Puts an archive in the index's place; vectors that are not in it are made again from its texts.
    pub fn restore(
        &self,
        file: &Path,
        replace: bool,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Restored, AppError> {
        let embedder = self.embedder()?;
        let embedder = embedder.as_deref();
        let restored = index::restore(&self.folder, &self.sector.name, &self.place, embedder, file, replace)?;
        if !restored.manifest.vectors || matches!(self.place, StorePlace::Server(_)) {
            let Index { catalog, store, .. } = &index::open(&self.folder, &self.place, embedder, false)?;
            index::fill(catalog, &**store, embedder, self.filling(cancel), true, progress)?;
        }
        Ok(restored)
    }

    /// Builds the vectors anew for this program's analyser and layout; the encoder stays.
    pub fn migrate(&self, cancel: &AtomicBool, progress: &mut dyn FnMut(Progress)) -> Result<Rebuilt, AppError> {
        let embedder = self.embedder()?;
        if let Some(found) = self.catalog()?.fingerprint()? {
            let ours = embedder.as_ref().map(|e| e.id());
            if found.encoder.as_deref() != ours {
                let name = |id: Option<&str>| id.unwrap_or("none").to_owned();
                return Err(AppError::Settings(format!(
                    "the index was made with the encoder {}, the settings say {}: name the former with --encoder, or change \
                     to the latter with `sectora index reembed`",
                    name(found.encoder.as_deref()),
                    name(ours)
                )));
            }
        }
        self.rebuild(embedder.as_deref(), cancel, progress, &mut || ())
    }

    /// Builds the vectors anew with the encoder of the settings, beside those in use, and switches to them. `waiting` is
    /// called once where another process holds the index and has to take them over.
    pub fn reembed(
        &self,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(Progress),
        waiting: &mut dyn FnMut(),
    ) -> Result<Rebuilt, AppError> {
        let embedder = self.embedder()?;
        self.rebuild(embedder.as_deref(), cancel, progress, waiting)
    }

    fn rebuild(
        &self,
        embedder: Option<&dyn Embedder>,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(Progress),
        waiting: &mut dyn FnMut(),
    ) -> Result<Rebuilt, AppError> {
        let catalog = self.catalog()?;
        let begin = || Next::begin(&self.folder, &self.place, embedder, &self.encoder_name(), &catalog);
        let Some(next) = begin()? else { return Ok(Rebuilt::Already) };
        let mut written = next.build(&catalog, embedder, self.filling(cancel), progress)?;
        next.ready()?;
        let mut told = false;
        loop {
            match index::hold(&self.folder) {
                Ok(_held) => {
                    // What the catalogue gained since is added; now nobody else can change it.
                    let Some(next) = begin()? else { return Ok(Rebuilt::TakenOver(written)) };
                    written += next.build(&catalog, embedder, self.filling(cancel), progress)?;
                    next.switch(&catalog)?;
                    index::sweep(&self.folder, &self.place, &catalog)?;
                    return Ok(Rebuilt::Switched(written));
                }
                Err(IndexError::Locked { .. }) => {}
                Err(e) => return Err(e.into()),
            }
            if !told {
                waiting();
                told = true;
            }
            match Next::state(&self.folder)? {
                Ready::Refused(reason) => {
                    return Err(AppError::Settings(format!(
                        "the process that holds the index could not take it over: {reason}"
                    )));
                }
                // Gone: it has been taken over.
                Ready::No if is_switched(&catalog, &self.place, embedder)? => return Ok(Rebuilt::TakenOver(written)),
                Ready::No | Ready::Yes(_) => {}
            }
            if cancel.load(Ordering::SeqCst) {
                return Err(IndexError::Interrupted.into());
            }
            std::thread::sleep(LOOK);
        }
    }

    fn catalog(&self) -> Result<Catalog, AppError> {
        let file = self.folder.join("catalog.sqlite3");
        if !file.exists() {
            return Err(IndexError::NoIndex(self.folder.display().to_string()).into());
        }
        Ok(Catalog::open(&file)?)
    }

    fn embedder(&self) -> Result<Option<Box<dyn Embedder>>, AppError> {
        embedder(&self.config, &models(&self.config)?)
    }

    /// As another process can find it: a folder by its whole path.
    fn encoder_name(&self) -> String {
        let name = &self.config.encoder;
        let folder = Path::new(name);
        let whole = folder.is_dir().then(|| folder.canonicalize().ok()).flatten();
        whole.map_or_else(|| name.clone(), |path| path.display().to_string())
    }

    fn filling<'a>(&'a self, cancel: &'a AtomicBool) -> FillOptions<'a> {
        FillOptions { sector: &self.sector.name, bm25: self.sector.bm25, cancel }
    }
}

impl App {
    /// Where `sectora index reembed` has built a store beside this one's: an app that answers from it. What the store needs
    /// to be complete is added, and the catalogue names it from then on; this app goes on answering from the old one. A
    /// store that cannot be taken over is refused; after an interruption its builder goes on, once the index is free.
    pub fn successor(&self, cancel: &AtomicBool) -> Result<Option<App>, AppError> {
        let folder = self.index_folder();
        let Ready::Yes(encoder) = Next::state(&folder)? else { return Ok(None) };
        let taken = self.take_over(&folder, encoder, cancel);
        if let Err(error) = &taken
            && error.kind() != ErrorKind::Cancelled
        {
            Next::refuse(&folder, &error.to_string())?;
        }
        taken.map(Some)
    }

    fn take_over(&self, folder: &Path, encoder: String, cancel: &AtomicBool) -> Result<App, AppError> {
        let config = Config { encoder, ..self.config.clone() };
        let embedder = embedder(&config, &models(&config)?)?;
        let filling = FillOptions { sector: &self.sector.name, bm25: self.sector.bm25, cancel };
        let place = store_place(&config, &self.sector);
        let glossary = glossary(&config, &self.sector, &self.index.catalog)?;
        let index = self.index.successor(folder, &place, embedder.as_deref(), filling)?;
        Ok(App {
            index,
            embedder,
            config,
            sector: self.sector.clone(),
            glossary,
            lexicon: Lexicon::default(),
            reranker: self.reranker.clone(),
            generator: self.generator.clone(),
            notes: Vec::new(),
        })
    }

    /// Removes stores that are no longer used: after the app that this one succeeded has ended.
    pub fn sweep(&self) -> Result<(), AppError> {
        Ok(index::sweep(&self.index_folder(), &store_place(&self.config, &self.sector), &self.index.catalog)?)
    }
}

/// Whether the catalogue names a store made as it would be made now.
fn is_switched(catalog: &Catalog, place: &StorePlace, embedder: Option<&dyn Embedder>) -> Result<bool, AppError> {
    Ok(catalog.fingerprint()?.is_some_and(|found| found.is_now(place, embedder)))
}
