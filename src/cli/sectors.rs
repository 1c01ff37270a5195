use std::path::Path;

use serde_json::json;

use super::{Context, Failure, Outcome};
use crate::sector::{self, Sector};

pub(super) fn run(context: &Context) -> Result<Outcome, Failure> {
    let folder = Path::new(&context.config.sectors_dir);
    let mut rows = Vec::new();
    for name in sector::list(folder) {
        let sector = Sector::open(&name, folder)?;
        rows.push(json!({ "name": sector.name, "title": sector.title, "description": sector.description }));
    }
    if rows.is_empty() {
        context.output.note(&format!("{} holds no sector; set `sectors_dir` or use --sector FOLDER", folder.display()));
    }
    context.output.result(&rows, |rows| {
        let text = |v: &serde_json::Value, k: &str| v[k].as_str().unwrap_or_default().to_owned();
        let line = |r: &serde_json::Value| {
            format!("{:16} {} | {}", text(r, "name"), text(&r["title"], "ko"), text(&r["title"], "en"))
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(Outcome::Yes)
}
