//! What writes answers: which generator the settings name, and what it takes.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{AppError, models};
use crate::config::Config;
use crate::embed::SpanReader;
use crate::generate::{
    ExtractiveGenerator, GenerateError, Generator, LocalGenerator, LocalOptions, Memory, RemoteGenerator,
    RemoteOptions, SpanFinder, SpanGenerator,
};
use crate::model_store::{ModelKind, ModelStore};
use crate::sector::{Bilingual, Sector};

/// The generator that `config.generator` names; `auto` is the best that is present and can be loaded.
pub(super) fn open(
    config: &Config,
    sector: &str,
    models: &ModelStore,
    notes: &mut Vec<Bilingual>,
) -> Result<Box<dyn Generator>, AppError> {
    let options = local_options(config);
    let local = |file: &Path| LocalGenerator::open(file, &options);
    match config.generator.as_str() {
        "extractive" => Ok(Box::new(ExtractiveGenerator)),
        "span" => Ok(Box::new(SpanGenerator)),
        "embedded" | "adapted" if let Some(file) = adapted(config, sector, models)? => {
            let path = file.display();
            notes.push(Bilingual {
                ko: format!(
                    "답변은 {sector} 분야에 맞춘 모델이 씁니다({path}). `sectora adapt --remove`로 지우고, SECTORA_ADAPTED=false이면 \
                     `embedded`가 이 모델을 쓰지 않습니다"
                ),
                en: format!(
                    "answers come from the model adapted to sector {sector}, {path}; `sectora adapt --remove` deletes it, and with \
                     SECTORA_ADAPTED=false `embedded` leaves it aside"
                ),
            });
            Ok(Box::new(LocalGenerator::open_as(&format!("adapted:{sector}"), &file, &options)?))
        }
        "embedded" => {
            let own = models.reader();
            if own.is_none() {
                notes.push(Bilingual {
                    ko: "프로그램에 든 읽기 모델은 첫 소형 모델이라 실제 문서에서는 대부분 틀립니다(models/reader/README.md에 수치). \
                         `--generator extractive`는 문서의 문장을 그대로 인용합니다"
                        .into(),
                    en: "the reader inside the program is a first small model and mostly wrong on real documents \
                         (models/reader/README.md says how often); `--generator extractive` quotes the documents instead"
                        .into(),
                });
            }
            Ok(Box::new(LocalGenerator::open_reader(own.as_deref(), &options)?))
        }
        "remote" => remote(config),
        "auto" if !config.remote.url.is_empty() => remote(config),
        "auto" => match models.present(ModelKind::Generator).map(|file| local(&file)) {
            Some(Ok(generator)) => Ok(Box::new(generator)),
            Some(Err(error)) => {
                notes.push(Bilingual {
                    ko: format!("답변은 문서의 문장을 그대로 인용합니다. 까닭: {error}"),
                    en: format!("answers are sentences of the documents, because {error}"),
                });
                Ok(Box::new(ExtractiveGenerator))
            }
            None => {
                notes.push(Bilingual {
                    ko: "쓸 수 있는 언어 모델이 없어, 답변은 문서의 문장을 그대로 인용합니다(`sectora models list`)"
                        .into(),
                    en: "no language model at hand: answers are sentences of the documents (`sectora models list`)"
                        .into(),
                });
                Ok(Box::new(ExtractiveGenerator))
            }
        },
        name => Ok(Box::new(local(&models.resolve(name, ModelKind::Generator)?)?)),
    }
}

/// See [`super::App::memory`].
pub(super) fn memory(config: &Config) -> Result<Option<Memory>, AppError> {
    let models = models(config)?;
    let file = match config.generator.as_str() {
        "extractive" | "span" | "remote" => None,
        "auto" if !config.remote.url.is_empty() => None,
        "auto" => models.present(ModelKind::Generator),
        "embedded" | "adapted" => {
            let sector = Sector::open(&config.sector, Path::new(&config.sectors_dir))?.name;
            let own = adapted(config, &sector, &models)?.or_else(|| models.reader());
            return Ok(Some(LocalGenerator::reader_memory(own.as_deref(), &local_options(config))?));
        }
        name => Some(models.resolve(name, ModelKind::Generator)?),
    };
    Ok(file.map(|file| LocalGenerator::memory(&file, &local_options(config))).transpose()?)
}

/// The model adapted to a sector, where `config.generator` means it.
fn adapted(config: &Config, sector: &str, models: &ModelStore) -> Result<Option<PathBuf>, AppError> {
    let current = models.adapted(sector).current()?;
    match config.generator.as_str() {
        "adapted" => match current {
            Some(current) => Ok(Some(current.model)),
            None => Err(AppError::Settings(format!(
                "no model is adapted to sector {sector}; `sectora --sector {sector} adapt` makes one and keeps it if it is better"
            ))),
        },
        "embedded" if config.adapted => Ok(current.filter(|c| c.is_reader).map(|c| c.model)),
        _ => Ok(None),
    }
}

fn local_options(config: &Config) -> LocalOptions {
    LocalOptions {
        queue: config.server.queue,
        threads: config.threads,
        sequences: config.server.concurrency,
        kv: config.kv.into(),
        quantize: config.quantize,
        passage_kv_mb: config.passage_kv_mb,
        passage_kv_reread: config.passage_kv_reread,
        ..LocalOptions::default()
    }
}

fn remote(config: &Config) -> Result<Box<dyn Generator>, AppError> {
    let remote = &config.remote;
    if remote.url.is_empty() || remote.model.is_empty() {
        let what = "generator = remote needs remote.url and remote.model (SECTORA_REMOTE__URL, SECTORA_REMOTE__MODEL)";
        return Err(AppError::Settings(what.into()));
    }
    Ok(Box::new(RemoteGenerator::new(RemoteOptions {
        url: remote.url.clone(),
        model: remote.model.clone(),
        api_key: Some(remote.api_key.clone()).filter(|key| !key.is_empty()),
        context_tokens: remote.context_tokens,
        timeout: Duration::from_secs(remote.timeout_s),
    })?))
}

/// The span reader inside the program, as a generator asks it; read when first asked.
pub(super) struct Spans;

impl SpanFinder for Spans {
    fn find(&self, question: &str, sentences: &[(&str, &str)]) -> Result<Vec<(Range<usize>, f32)>, GenerateError> {
        let found = SpanReader::embedded().and_then(|reader| reader.read(question, sentences));
        let found = found.map_err(|e| GenerateError::Load { model: "span".into(), what: e.to_string() })?;
        Ok(found.into_iter().map(|f| (f.span, f.margin)).collect())
    }
}
