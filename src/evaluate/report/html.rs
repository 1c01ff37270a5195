use std::fmt::Write;

use super::{Case, Report, Table, escape};

const STYLE: &str = "body{font:15px/1.5 system-ui,'Noto Sans KR','Apple SD Gothic Neo','Malgun Gothic',sans-serif;\
max-width:1080px;margin:2em auto;padding:0 1em;color:#1a202c}h1{font-size:1.6em}h2{margin-top:2.2em;border-bottom:2px solid #2b6cb0}\
table{border-collapse:collapse;margin:1em 0;font-size:13px;display:block;overflow-x:auto}caption{text-align:left;font-weight:600;padding:.3em 0}\
td,th{border:1px solid #cbd5e0;padding:.25em .55em;vertical-align:top}th{background:#edf2f7;text-align:left}td:not(:first-child){font-variant-numeric:tabular-nums}\
svg{max-width:640px;width:100%;font:11px system-ui,'Noto Sans KR',sans-serif;margin:.8em 0;display:block}\
details{border:1px solid #cbd5e0;border-radius:4px;margin:.5em 0;padding:.4em .8em}summary{cursor:pointer}\
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1em}@media(max-width:700px){.pair{grid-template-columns:1fr}table{font-size:12px}td,th{padding:.2em .3em;overflow-wrap:anywhere;min-width:3em}}\
.pair>div{min-width:0}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f7fafc;padding:.5em;font:13px/1.45 inherit;margin:.3em 0}\
nav a{margin-right:1em}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1em 1em}dd{margin:0}";

/// One file: no script, no address, no font from elsewhere.
pub fn html(report: &Report) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"ko\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{0}</title><style>{STYLE}</style></head><body><h1>{0}</h1><dl>",
        escape(&report.title)
    );
    for (name, value) in &report.facts {
        let _ = write!(out, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
    }
    out.push_str("</dl><nav>");
    for (i, section) in report.sections.iter().enumerate() {
        let _ = write!(out, "<a href=\"#s{i}\">{}</a>", escape(&section.heading));
    }
    out.push_str("</nav>\n");
    for (i, section) in report.sections.iter().enumerate() {
        let _ =
            write!(out, "<section><h2 id=\"s{i}\">{}</h2><p>{}</p>", escape(&section.heading), escape(&section.intro));
        section.plots.iter().for_each(|p| out.push_str(p));
        section.tables.iter().for_each(|t| table(&mut out, t));
        if !section.cases.is_empty() {
            out.push_str("<h3>가장 나쁜 사례 · The worst cases</h3>");
            section.cases.iter().for_each(|c| case(&mut out, c));
        }
        out.push_str("</section>\n");
    }
    out + "</body></html>\n"
}

fn table(out: &mut String, table: &Table) {
    let _ = write!(out, "<table><caption>{}</caption><thead><tr>", escape(&table.caption));
    for column in &table.columns {
        let _ = write!(out, "<th>{}</th>", escape(column));
    }
    out.push_str("</tr></thead><tbody>");
    for row in &table.rows {
        out.push_str("<tr>");
        for cell in row {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
}

fn case(out: &mut String, case: &Case) {
    let _ = write!(
        out,
        "<details><summary><b>{}</b> {} — {}</summary><div class=\"pair\"><div><h4>답 · Answer</h4><pre>{}</pre>",
        escape(&case.id),
        escape(&case.why),
        escape(&case.question),
        escape(&case.answer)
    );
    if !case.reference.is_empty() {
        let _ = write!(out, "<h4>정답 · Reference</h4><pre>{}</pre>", escape(&case.reference));
    }
    out.push_str("</div><div><h4>구절 · Passages</h4>");
    for (label, text) in &case.passages {
        let _ = write!(out, "<b>{}</b><pre>{}</pre>", escape(label), escape(text));
    }
    out.push_str("</div></div></details>");
}
