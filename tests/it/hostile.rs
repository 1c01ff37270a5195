//! Files that want to break the reader. Each becomes one clear line; the rest is read.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use super::program::{code, json, sectora};

fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    for (i, object) in objects.iter().enumerate() {
        offsets.push(out.len());
        out.extend(format!("{} 0 obj\n", i + 1).bytes());
        out.extend(object);
        out.extend(b"\nendobj\n");
    }
    let xref = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    offsets.iter().for_each(|o| out.extend(format!("{o:010} 00000 n \n").bytes()));
    out.extend(format!("trailer<</Size {}/Root 1 0 R>>\nstartxref\n{xref}\n%%EOF", objects.len() + 1).bytes());
    out
}

fn docx(document: impl Fn(&mut dyn Write)) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let head = r#"<?xml version="1.0"?>"#;
    for (name, text) in [
        ("[Content_Types].xml", r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>"#),
        (
            "_rels/.rels",
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>"#,
        ),
    ] {
        archive.start_file(name, options).unwrap();
        archive.write_all(format!("{head}{text}").as_bytes()).unwrap();
    }
    archive.start_file("word/document.xml", options).unwrap();
    archive.write_all(head.as_bytes()).unwrap();
    archive
        .write_all(br#"<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>"#)
        .unwrap();
    document(&mut archive);
    archive.write_all(b"</w:body></w:document>").unwrap();
    archive.finish().unwrap().into_inner()
}

/// A ZIP package of one part, which is `head`, then `piece` so many times, then `tail`.
fn package(name: &str, head: &str, piece: &[u8], times: usize, tail: &str) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(head.as_bytes()).unwrap();
    (0..times).for_each(|_| archive.write_all(piece).unwrap());
    archive.write_all(tail.as_bytes()).unwrap();
    archive.finish().unwrap().into_inner()
}

/// An OLE2 file whose stream `FileHeader` declares two gigabytes and whose chain of sectors goes in a circle.
fn circular_ole() -> Vec<u8> {
    let mut header = vec![0u8; 512];
    let put = |at: usize, bytes: &[u8], header: &mut Vec<u8>| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1], &mut header);
    put(24, &[0x3E, 0, 3, 0, 0xFE, 0xFF, 9, 0, 6, 0], &mut header);
    for (at, value) in [(44, 1u32), (48, 1), (56, 4096), (60, u32::MAX - 1), (68, u32::MAX - 1)] {
        put(at, &value.to_le_bytes(), &mut header);
    }
    header[76..].fill(0xFF);
    put(76, &0u32.to_le_bytes(), &mut header);
    // Sector 0 holds the table of chains, sector 1 (a chain of itself) the directory, 2 and 3 point at each other.
    let mut chains = vec![u32::MAX; 128];
    chains[..4].copy_from_slice(&[u32::MAX - 2, u32::MAX - 1, 3, 2]);
    let mut directory = vec![0u8; 512];
    for (entry, name, kind, child, start, size) in
        [(0, "Root Entry", 5, 1u32, u32::MAX - 1, 0u32), (1, "FileHeader", 2, u32::MAX, 2, 0x7FFF_FFFF)]
    {
        let at = entry * 128;
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        put(at, &name, &mut directory);
        put(at + 64, &(name.len() as u16 + 2).to_le_bytes(), &mut directory);
        put(at + 66, &[kind, 1], &mut directory);
        for (offset, value) in [(68, u32::MAX), (72, u32::MAX), (76, child), (116, start), (120, size)] {
            put(at + offset, &value.to_le_bytes(), &mut directory);
        }
    }
    [header, chains.iter().flat_map(|c| c.to_le_bytes()).collect(), directory, vec![b'A'; 1024]].concat()
}

fn write_all(folder: &Path) {
    let file = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    file("empty.pdf", b"");
    file("rubbish.docx", &[0x50, 0x4B, 3, 4, 9, 9, 9, 0, 255, 1]);
    file("rubbish.bin", &(0..4000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>());
    let catalog = b"<</Type/Catalog/Pages 2 0 R>>".to_vec();
    let page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>".to_vec();
    file("loop.pdf", &pdf(&[catalog, b"<</Type/Pages/Kids[2 0 R 3 0 R]/Count 99999999>>".to_vec(), page.clone()]));
    let deep =
        [b"<</Type/Catalog/Pages 2 0 R/X ".as_slice(), &b"[".repeat(200_000), &b"]".repeat(200_000), b">>"].concat();
    file("deep.pdf", &pdf(&[deep, b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec(), page]));
    file(
        "bomb.docx",
        &docx(|out| {
            let text = "A".repeat(1 << 20);
            (0..1500).for_each(|_| write!(out, "<w:p><w:r><w:t>{text}</w:t></w:r></w:p>").unwrap());
        }),
    );
    file(
        "deep.docx",
        &docx(|out| {
            let n = 50_000;
            out.write_all("<w:tbl><w:tr><w:tc>".repeat(n).as_bytes()).unwrap();
            out.write_all(b"<w:p><w:r><w:t>x</w:t></w:r></w:p>").unwrap();
            out.write_all("</w:tc></w:tr></w:tbl>".repeat(n).as_bytes()).unwrap();
        }),
    );
    let text = ("<a><b><office:text><text:p>", "</text:p></office:text></b></a>");
    file("bomb.odt", &package("content.xml", text.0, &vec![b'A'; 1 << 20], 300, text.1));
    file("bomb.hwpx", &package("Contents/section0.xml", "<hs:sec>", &vec![b'A'; 1 << 20], 300, "</hs:sec>"));
    let shapes = b"<hp:p><hp:run><hp:t>x</hp:t><hp:rect><hp:subList>";
    file("deep.hwpx", &package("Contents/section0.xml", "<hs:sec>", shapes, 20_000, ""));
    file("loop.hwp", &circular_ole());
    file("bad.jsonl", b"{\"id\":1,\"text\":\n{\"id\": 2}\n");
    file("good.md", "# 정상\n\n이 문서는 읽힌다. The others are hostile.\n".as_bytes());
}

#[test]
fn hostile_files_are_one_line_each_and_the_rest_is_read() {
    let data = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/", folder.path().join("root")).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("self")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status();
        assert!(made.is_ok_and(|s| s.success()));
    }
    let output = sectora(data.path())
        .env("SECTORA_INGEST__WORKER_MEMORY_MB", "1024")
        .env("SECTORA_INGEST__WORKER_CPU_S", "20")
        .arg("ingest")
        .arg(folder.path())
        .args(["--json", "-q"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let report = json(&output);
    let row = |name: &str| -> Value {
        report["rows"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["path"] == name)
            .cloned()
            .unwrap_or_else(|| panic!("{name}: {report}"))
    };
    assert_eq!(row("good.md")["status"], "added");
    for name in [
        "empty.pdf",
        "rubbish.docx",
        "rubbish.bin",
        "loop.pdf",
        "bomb.docx",
        "bomb.odt",
        "bomb.hwpx",
        "deep.hwpx",
        "loop.hwp",
        "bad.jsonl",
    ] {
        let row = row(name);
        assert_eq!(row["status"], "failed", "{row}");
        let error = row["error"].as_str().unwrap();
        assert!(!error.is_empty() && !error.contains('\n') && error.len() < 400, "{name}: {error}");
    }
    assert!(row("empty.pdf")["error"].as_str().unwrap().contains("empty"));
    for name in ["bomb.docx", "bomb.odt", "bomb.hwpx"] {
        let bomb = row(name);
        let error = bomb["error"].as_str().unwrap();
        assert!(error.contains("needed more than") || error.contains("decompression bomb"), "{error}");
    }
    assert!(row("loop.hwp")["error"].as_str().unwrap().contains("damaged"));
    #[cfg(unix)]
    assert_eq!(row("pipe")["status"], "failed", "a pipe is refused, not waited for");
    // These two are read or refused, depending on how deep the parser goes; both are fine, a crash of the run is not.
    for name in ["deep.pdf", "deep.docx"] {
        assert!(["added", "failed"].contains(&row(name)["status"].as_str().unwrap()));
    }
    assert_eq!(report["rows"].as_array().unwrap().len(), 13 + usize::from(cfg!(unix)), "links are not followed");
}
