use super::{Context, Failure, Outcome};

pub(super) fn run(context: &Context) -> Result<Outcome, Failure> {
    context.output.result(&context.provenance, |all| {
        let width = all.iter().map(|p| p.key.len() + p.value.len()).max().unwrap_or(0);
        let line = |p: &crate::config::Provenance| {
            let pad = width - p.key.len() - p.value.len();
            format!("{} = {}{:pad$}  # {}", p.key, p.value, "", p.origin)
        };
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(Outcome::Yes)
}
