use clap::Args;
use serde_json::json;

use super::{Context, Failure, Outcome};
use crate::document::CharIndex;

#[derive(Args)]
pub(super) struct Arguments {
    /// Document id, as in a citation's `doc_id`
    id: String,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let app = context.open()?;
    let document = app.document(&arguments.id)?;
    let index = CharIndex::new(&document.text);
    let place = |span| {
        let (start, end) = index.chars(span);
        json!({ "start": start, "end": end })
    };
    let value = json!({
        "doc_id": document.id,
        "title": document.title,
        "source": document.source,
        "format": document.format,
        "language": document.language,
        "metadata": document.metadata,
        "text": document.text,
        "units": document.units.iter().map(|u| json!({
            "kind": u.kind, "number": u.number, "label": u.label, "span": place(u.span)
        })).collect::<Vec<_>>(),
        "sections": document.sections.iter().map(|s| json!({
            "path": s.path, "span": place(s.span)
        })).collect::<Vec<_>>(),
    });
    context.output.result(&value, |_| document.text.clone());
    Ok(Outcome::Yes)
}
