use std::fmt::Write;

use super::words::halves;
use super::{Case, Report, Table, escape};

const STYLE: &str = "body{font:15px/1.5 system-ui,'Noto Sans KR','Apple SD Gothic Neo','Malgun Gothic',sans-serif;\
max-width:1280px;margin:2em auto;padding:0 1em;color:#1a202c;background:#fff}h1{font-size:1.6em}h2{margin-top:2.2em;border-bottom:2px solid #2b6cb0}\
.scroll{overflow-x:auto;margin:1em 0}table{border-collapse:collapse;font-size:13px}caption{text-align:left;font-weight:600;padding:.3em 0}\
td,th{border:1px solid #cbd5e0;padding:.25em .55em;vertical-align:top}th{background:#edf2f7;text-align:left}\
td:first-child,th:first-child{position:sticky;left:0;background:#f7fafc;max-width:24em}td:not(:first-child){font-variant-numeric:tabular-nums}\
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(520px,100%),1fr));gap:.5em 1.5em;align-items:start}\
.plots>div{overflow-x:auto}svg{width:100%;min-width:500px;max-width:720px;font:11px system-ui,'Noto Sans KR',sans-serif;margin:.6em 0;display:block}\
details{border:1px solid #cbd5e0;border-radius:4px;margin:.5em 0;padding:.4em .8em}summary{cursor:pointer;overflow-wrap:anywhere}\
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1em}.pair>div{min-width:0;overflow-wrap:anywhere}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f7fafc;padding:.5em;font-family:inherit;font-size:13px;line-height:1.45;margin:.3em 0}\
nav a{margin-right:1em;display:inline-block}dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.1em 1em}dd{margin:0;overflow-wrap:anywhere}\
.tongue{margin-right:1em;font-size:13px}#ko:checked~main .en,#ko:checked~main .dot,#en:checked~main .ko,#en:checked~main .dot{display:none}\
@media(max-width:700px){.pair{grid-template-columns:minmax(0,1fr)}table{font-size:12px}td,th{padding:.2em .35em}td:first-child,th:first-child{max-width:9.5em}svg{min-width:430px}dl{grid-template-columns:minmax(0,1fr)}dt{font-weight:600}}\
@media print{details{border:0}.tongue,input,nav{display:none}}";

/// One file: no script, no address, no font from elsewhere.
pub fn html(report: &Report) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"ko\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{0}</title><style>{STYLE}</style></head><body>\
         <input type=\"radio\" name=\"tongue\" id=\"both\" checked><label class=\"tongue\" for=\"both\">한국어 · English</label>\
         <input type=\"radio\" name=\"tongue\" id=\"ko\"><label class=\"tongue\" for=\"ko\">한국어</label>\
         <input type=\"radio\" name=\"tongue\" id=\"en\"><label class=\"tongue\" for=\"en\">English</label>\
         <main><h1>{1}</h1><dl>",
        escape(&report.title),
        tongues(&report.title, "span")
    );
    for (name, value) in &report.facts {
        let _ = write!(out, "<dt>{}</dt><dd>{}</dd>", tongues(name, "span"), tongues(value, "span"));
    }
    out.push_str("</dl><nav>");
    for (i, section) in report.sections.iter().enumerate() {
        let _ = write!(out, "<a href=\"#s{i}\">{}</a>", tongues(&section.heading, "span"));
    }
    out.push_str("</nav>\n");
    for (i, section) in report.sections.iter().enumerate() {
        let _ = write!(out, "<section><h2 id=\"s{i}\">{}</h2>", tongues(&section.heading, "span"));
        if !section.intro.is_empty() {
            let _ = write!(out, "<p>{}</p>", tongues(&section.intro, "span"));
        }
        if !section.plots.is_empty() {
            out.push_str("<div class=\"plots\">");
            section.plots.iter().for_each(|p| out.push_str(&format!("<div>{p}</div>")));
            out.push_str("</div>");
        }
        section.tables.iter().for_each(|t| table(&mut out, t));
        if !section.cases.is_empty() {
            let _ = write!(out, "<h3>{}</h3>", tongues("가장 나쁜 사례 · The worst cases", "span"));
            section.cases.iter().for_each(|c| case(&mut out, c));
        }
        out.push_str("</section>\n");
    }
    out + "</main></body></html>\n"
}

fn table(out: &mut String, table: &Table) {
    let _ =
        write!(out, "<div class=\"scroll\"><table><caption>{}</caption><thead><tr>", tongues(&table.caption, "span"));
    for column in &table.columns {
        let _ = write!(out, "<th>{}</th>", tongues(column, "span"));
    }
    out.push_str("</tr></thead><tbody>");
    for row in &table.rows {
        out.push_str("<tr>");
        for cell in row {
            let _ = write!(out, "<td>{}</td>", tongues(cell, "span"));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
}

fn case(out: &mut String, case: &Case) {
    let heading = |out: &mut String, words: &str| {
        let _ = write!(out, "<h4>{}</h4>", tongues(words, "span"));
    };
    let _ = write!(
        out,
        "<details><summary><b>{}</b> {} — {}</summary><div class=\"pair\"><div>",
        escape(&case.id),
        tongues(&case.why, "span"),
        escape(&case.question)
    );
    heading(out, "질문 · Question");
    let _ = write!(out, "<pre>{}</pre>", escape(&case.question));
    heading(out, "답 · Answer");
    let _ = write!(out, "<pre>{}</pre>", escape(&case.answer));
    if !case.reference.is_empty() {
        heading(out, "정답 · Reference");
        let _ = write!(out, "<pre>{}</pre>", escape(&case.reference));
    }
    out.push_str("</div><div>");
    heading(out, "구절 · Passages");
    if case.passages.is_empty() {
        let _ = write!(out, "<p>{}</p>", tongues("없음 · none", "span"));
    }
    for (label, text) in &case.passages {
        let _ = write!(out, "<b>{}</b><pre>{}</pre>", escape(label), escape(text));
    }
    out.push_str("</div></div></details>");
}

/// A text in two languages, so that the buttons above can show one of them; `element` is `span`, in a plot `tspan`.
pub(super) fn tongues(text: &str, element: &str) -> String {
    let (ko, en) = halves(text);
    if ko == en {
        return escape(text);
    }
    format!(
        "<{element} class=\"ko\" lang=\"ko\">{}</{element}><{element} class=\"dot\"> · </{element}><{element} class=\"en\" lang=\"en\">{}</{element}>",
        escape(ko),
        escape(en)
    )
}
