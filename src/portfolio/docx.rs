//! An overlap check as a Word document (OOXML, ECMA-376), for the file of a decision.
//!
//! In: an [`Overlap`]. Out: the bytes of a `.docx`: six parts in a ZIP package, no pictures, no macros, fonts by name
//! only. The same content in the same order as the other reports; the same input gives the same bytes.

use std::io::{Cursor, Write};

use quick_xml::escape::escape;
use zip::write::SimpleFileOptions;

use super::overlap::{Evidence, NewSentence, Overlap, Verdict};
use super::report::{Words, facts};
use crate::document::Language;
use crate::text::spaced;

const TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/><Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/><Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>"#;

const RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties" Target="docProps/core.xml"/></Relationships>"#;

const DOCUMENT_RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#;

/// Headings by their built-in ids, so that Word's outline and readers of the file know them.
const STYLES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="Calibri" w:hAnsi="Calibri" w:eastAsia="Malgun Gothic" w:cs="Calibri"/><w:sz w:val="21"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr><w:spacing w:after="120" w:line="276" w:lineRule="auto"/></w:pPr></w:pPrDefault></w:docDefaults><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/><w:basedOn w:val="Normal"/><w:next w:val="Normal"/><w:pPr><w:keepNext/><w:outlineLvl w:val="0"/></w:pPr><w:rPr><w:b/><w:sz w:val="34"/></w:rPr></w:style><w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/><w:basedOn w:val="Normal"/><w:next w:val="Normal"/><w:pPr><w:keepNext/><w:spacing w:before="300"/><w:outlineLvl w:val="1"/></w:pPr><w:rPr><w:b/><w:sz w:val="25"/></w:rPr></w:style><w:style w:type="paragraph" w:styleId="Note"><w:name w:val="Note"/><w:basedOn w:val="Normal"/><w:rPr><w:color w:val="595959"/><w:sz w:val="18"/></w:rPr></w:style></w:styles>"#;

impl Overlap {
    /// As a Word document.
    pub fn docx(&self, language: Language) -> Vec<u8> {
        let t = Words::of(language);
        let mut body = Body { xml: String::new() };
        body.paragraph("Heading1", &format!("{}: {}", t.title, spaced(&self.proposal.title)));
        if let Some(applicant) = self.applicant(&t) {
            body.paragraph("Normal", &applicant);
        }
        for line in self.proposal.reading.iter().flat_map(|reading| t.reading(reading)) {
            body.paragraph("Note", &line);
        }
        body.paragraph("Normal", &t.summary(self));
        if let Some(left_out) = t.left_out(self.proposal.left_out) {
            body.paragraph("Normal", &left_out);
        }
        body.paragraph("Note", t.decides);
        for (i, verdict) in self.verdicts.iter().enumerate() {
            body.verdict(i + 1, verdict, &t);
        }
        body.paragraph("Heading2", t.new);
        if self.new_in_proposal.is_empty() {
            body.paragraph("Normal", t.nothing_new);
        }
        let (shown, more) = self.new_shown(&t);
        for NewSentence { quote: q, nearest } in shown {
            let said = format!("• “{}” ({}–{}, {} {nearest:.2})", spaced(&q.quote), q.start, q.end, t.nearest);
            body.paragraph("Normal", &said);
        }
        if let Some(more) = more {
            body.paragraph("Normal", &more);
        }
        body.paragraph("Note", &t.made(self));
        let core = format!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{}</dc:title><dc:creator>Sectora</dc:creator><dc:language>{}</dc:language></cp:coreProperties>"#,
            text(&format!("{}: {}", t.title, spaced(&self.proposal.title))),
            if language == Language::Ko { "ko-KR" } else { "en-GB" }
        );
        package(&[
            ("[Content_Types].xml", TYPES),
            ("_rels/.rels", RELATIONS),
            ("word/document.xml", &body.document()),
            ("word/styles.xml", STYLES),
            ("word/_rels/document.xml.rels", DOCUMENT_RELATIONS),
            ("docProps/core.xml", &core),
        ])
    }
}

/// The body of the document as it grows.
struct Body {
    xml: String,
}

impl Body {
    fn paragraph(&mut self, style: &str, content: &str) {
        self.xml.push_str(&format!(r#"<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{}</w:p>"#, run(content, "")));
    }

    fn verdict(&mut self, n: usize, v: &Verdict, t: &Words) {
        let kind = format!("{n}. {} ({:.0} %): {}", t.kind(v.kind, v.later), v.probability * 100.0, spaced(&v.title));
        self.paragraph("Heading2", &kind);
        self.paragraph("Note", &facts(v, t));
        if let Some(r) = &v.reached {
            self.paragraph("Normal", &format!("{}: “{}” ({}–{})", t.reached, spaced(&r.quote), r.start, r.end));
        }
        if !v.evidence.is_empty() {
            self.table(v, t);
        }
    }

    /// Three columns: the proposal's sentence, the other work's, how alike.
    fn table(&mut self, v: &Verdict, t: &Words) {
        const WIDTHS: [u32; 3] = [4250, 4250, 900];
        self.xml.push_str(r#"<w:tbl><w:tblPr><w:tblW w:w="9400" w:type="dxa"/><w:tblBorders>"#);
        for side in ["top", "left", "bottom", "right", "insideH", "insideV"] {
            self.xml.push_str(&format!(r#"<w:{side} w:val="single" w:sz="4" w:space="0" w:color="999999"/>"#));
        }
        self.xml.push_str(r#"</w:tblBorders><w:tblLayout w:type="fixed"/></w:tblPr><w:tblGrid>"#);
        WIDTHS.iter().for_each(|w| self.xml.push_str(&format!(r#"<w:gridCol w:w="{w}"/>"#)));
        self.xml.push_str("</w:tblGrid>");
        let head = [t.proposal, t.source(v.later), t.alike].map(|cell| (run(cell, "<w:b/>"), String::new()));
        self.row("<w:trPr><w:tblHeader/></w:trPr>", head, WIDTHS);
        for Evidence { proposal, source, alike } in &v.evidence {
            let page = source.page.map(|p| format!(", p. {p}")).unwrap_or_default();
            let cells = [
                (
                    run(&format!("“{}”", spaced(&proposal.quote)), ""),
                    run(&format!("{}–{}", proposal.start, proposal.end), SMALL),
                ),
                (
                    run(&format!("“{}”", spaced(&source.quote)), ""),
                    run(&format!("{} {}–{}{page}", v.project_id, source.start, source.end), SMALL),
                ),
                (run(&format!("{alike:.2}"), ""), String::new()),
            ];
            self.row("", cells, WIDTHS);
        }
        // A table needs a paragraph after it.
        self.xml.push_str("</w:tbl><w:p/>");
    }

    fn row(&mut self, properties: &str, cells: [(String, String); 3], widths: [u32; 3]) {
        self.xml.push_str(&format!("<w:tr>{properties}"));
        for ((above, below), width) in cells.into_iter().zip(widths) {
            self.xml
                .push_str(&format!(r#"<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr><w:p>{above}</w:p>"#));
            if !below.is_empty() {
                self.xml.push_str(&format!("<w:p>{below}</w:p>"));
            }
            self.xml.push_str("</w:tc>");
        }
        self.xml.push_str("</w:tr>");
    }

    /// A4, margins of 2 cm.
    fn document(&self) -> String {
        format!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{}<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1134" w:right="1134" w:bottom="1134" w:left="1134" w:header="567" w:footer="567" w:gutter="0"/></w:sectPr></w:body></w:document>"#,
            self.xml
        )
    }
}

const SMALL: &str = r#"<w:color w:val="595959"/><w:sz w:val="17"/>"#;

fn run(content: &str, properties: &str) -> String {
    let properties = if properties.is_empty() { String::new() } else { format!("<w:rPr>{properties}</w:rPr>") };
    format!(r#"<w:r>{properties}<w:t xml:space="preserve">{}</w:t></w:r>"#, text(content))
}

/// Escaped, without the characters that XML 1.0 cannot hold.
fn text(content: &str) -> String {
    let allowed =
        |c: &char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    escape(content.chars().filter(allowed).collect::<String>()).into_owned()
}

fn package(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        archive.start_file(*name, SimpleFileOptions::default()).expect("names are constant and different");
        archive.write_all(content.as_bytes()).expect("memory takes what is written");
    }
    archive.finish().expect("memory takes what is written").into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_left_out_and_the_rest_escaped() {
        assert_eq!(text("a\u{b}b <c> & \"d\"\u{0}"), "ab &lt;c&gt; &amp; &quot;d&quot;");
    }
}
