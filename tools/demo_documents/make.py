#!/usr/bin/env python3
"""Renders the demonstration documents that are not plain text from their committed sources.

    sources/<sector>/<path>.pdf.md    ->  sectors/<sector>/documents/<path>.pdf    (also .docx .hwpx .pptx .xlsx)
    sources/<sector>/<path>.txt.utf8  ->  sectors/<sector>/documents/<path>.txt    (CP949)

A source is a little Markdown: front matter (title, author, date, header, footer), #/##/### headings,
paragraphs, "- " items, tables, "\\newpage", and "Notes:" (speaker notes of a slide).

Needs: python -m venv /tmp/venv && /tmp/venv/bin/pip install reportlab==5.1.0 python-docx==1.2.0 \\
           python-pptx==1.0.2 openpyxl==3.1.5
       apt-get install fonts-nanum   (SIL Open Font License; only the used glyphs are embedded, in the Korean PDF)
Run:   /tmp/venv/bin/python tools/demo_documents/make.py

The same sources give the same bytes: dates come from the front matter, zip entries carry 1980-01-01.
rendered.sha256 records which source gave which file; check.py compares it, so that nobody forgets to run this.
"""
import datetime
import hashlib
import io
import re
import sys
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NANUM = "/usr/share/fonts/truetype/nanum/"


def main():
    rendered = []
    for source in sorted((HERE / "sources").rglob("*.*")):
        if not source.is_file():
            continue
        sector, *rest = source.relative_to(HERE / "sources").parts
        target = (ROOT / "sectors" / sector / "documents").joinpath(*rest).with_suffix("")
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        if target.suffix == ".txt":
            target.write_bytes(text.encode("cp949"))
        else:
            meta, blocks = parse(text)
            data = WRITERS[target.suffix](meta, blocks)
            target.write_bytes(data if target.suffix == ".pdf" else repack(data, meta))
        rendered.append(f"{sha256(source)} {sha256(target)} {target.relative_to(ROOT)} {source.relative_to(ROOT)}\n")
        print(f"{target.relative_to(ROOT)}  {target.stat().st_size} bytes")
    (HERE / "rendered.sha256").write_text("".join(rendered), encoding="utf-8")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---- source ------------------------------------------------------------------------------------

def parse(text):
    """(front matter, blocks); a block is (kind, value): h1 h2 h3 p li table page note."""
    _, front, body = text.split("---\n", 2)
    meta = dict(line.split(": ", 1) for line in front.splitlines() if ": " in line)
    blocks = []
    for line in body.splitlines():
        line = line.rstrip()
        if not line:
            blocks.append(("gap", None))
        elif heading := re.match(r"(#{1,3}) (.*)", line):
            blocks.append((f"h{len(heading[1])}", heading[2]))
        elif line == r"\newpage":
            blocks.append(("page", None))
        elif line.startswith("- "):
            blocks.append(("li", line[2:]))
        elif line.startswith("Notes: "):
            blocks.append(("note", line[7:]))
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if all(re.fullmatch(r"-+", cell) for cell in cells):
                continue
            if blocks and blocks[-1][0] == "table":
                blocks[-1][1].append(cells)
            else:
                blocks.append(("table", [cells]))
        else:
            blocks.append(("p", line))
    return meta, [block for block in blocks if block[0] != "gap"]


def day(meta):
    return datetime.datetime.strptime(meta["date"], "%Y-%m-%d").replace(hour=9)


# ---- PDF ---------------------------------------------------------------------------------------

def pdf(meta, blocks):
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

    korean = bool(re.search("[가-힣]", meta["title"]))
    plain, bold = ("Helvetica", "Helvetica-Bold")
    if korean:
        plain, bold = ("NanumGothic", "NanumGothicBold")
        for name in (plain, bold):
            pdfmetrics.registerFont(font := TTFont(name, f"{NANUM}{name}.ttf"))
            missing = {c for _, value in blocks for c in str(value) if ord(c) not in font.face.charToGlyph}
            assert not missing, f"{name} has no glyph for {missing}"  # it has the Greek mu, not the micro sign

    def style(size, font=plain, before=0.0, after=6.0):
        return ParagraphStyle("s", fontName=font, fontSize=size, leading=size * 1.55, spaceBefore=before, spaceAfter=after)

    styles = {"p": style(10.5), "li": style(10.5), "h1": style(18, bold, after=10), "h2": style(13, bold, before=10), "h3": style(11, bold, before=6)}
    cell_style = style(9, after=0)

    def frame(canvas, doc):
        canvas.saveState()
        canvas.setFont(plain, 8)
        canvas.setFillColor(colors.HexColor("#555555"))
        canvas.drawString(25 * mm, A4[1] - 15 * mm, meta["header"])
        canvas.line(25 * mm, A4[1] - 17 * mm, A4[0] - 25 * mm, A4[1] - 17 * mm)
        canvas.drawCentredString(A4[0] / 2, 12 * mm, meta["footer"].replace("{page}", str(doc.page)))
        canvas.restoreState()

    story = []
    for kind, value in blocks:
        if kind == "page":
            story.append(PageBreak())
        elif kind == "table":
            rows = [[Paragraph(escape(cell), cell_style) for cell in row] for row in value]
            table = Table(rows, colWidths=[160 * mm / len(value[0])] * len(value[0]), repeatRows=1)
            table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.4, colors.grey), ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#eef2f5")), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")]))
            story += [table, Spacer(1, 8)]
        else:
            story.append(Paragraph(escape(("- " if kind == "li" else "") + value), styles[kind]))
    out = io.BytesIO()
    doc = SimpleDocTemplate(out, pagesize=A4, leftMargin=25 * mm, rightMargin=25 * mm, topMargin=25 * mm, bottomMargin=22 * mm,
                            title=meta["title"], author=meta["author"], invariant=1, lang="ko" if korean else "en")
    doc.build(story, onFirstPage=frame, onLaterPages=frame)
    return out.getvalue()


# ---- Office ------------------------------------------------------------------------------------

def docx(meta, blocks):
    from docx import Document
    from docx.oxml.ns import qn

    doc = Document()
    normal = doc.styles["Normal"]
    normal.font.name = "NanumGothic"
    normal.element.rPr.rFonts.set(qn("w:eastAsia"), "NanumGothic")
    doc.sections[0].header.paragraphs[0].text = meta["header"]
    doc.sections[0].footer.paragraphs[0].text = meta["footer"]
    for kind, value in blocks:
        if kind == "table":
            table = doc.add_table(rows=len(value), cols=len(value[0]), style="Table Grid")
            for r, row in enumerate(value):
                for c, cell in enumerate(row):
                    table.cell(r, c).text = cell
            doc.add_paragraph()
        elif kind == "page":
            doc.add_page_break()
        elif kind[0] == "h":
            doc.add_heading(value, level=int(kind[1]))
        else:
            doc.add_paragraph(value, style="List Bullet" if kind == "li" else None)
    set_properties(doc.core_properties, meta)
    return saved(doc)


def pptx(meta, blocks):
    from pptx import Presentation
    from pptx.util import Cm, Pt

    show = Presentation()
    slide = None
    for kind, value in blocks:
        if kind == "h1":
            slide = show.slides.add_slide(show.slide_layouts[0])
            slide.shapes.title.text = value
        elif kind == "h2":
            slide = show.slides.add_slide(show.slide_layouts[1])
            slide.shapes.title.text = value
        elif kind == "p":
            slide.placeholders[1].text = value
        elif kind == "li":
            frame = slide.placeholders[1].text_frame
            paragraph = frame.paragraphs[0] if not frame.text else frame.add_paragraph()
            paragraph.text = value
            paragraph.font.size = Pt(20)
        elif kind == "note":
            slide.notes_slide.notes_text_frame.text = value
        elif kind == "table":
            body = slide.placeholders[1]
            body._element.getparent().remove(body._element)
            table = slide.shapes.add_table(len(value), len(value[0]), Cm(2), Cm(5), Cm(21), Cm(1.2 * len(value))).table
            for r, row in enumerate(value):
                for c, cell in enumerate(row):
                    table.cell(r, c).text = cell
    set_properties(show.core_properties, meta)
    return saved(show)


def xlsx(meta, blocks):
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    book.remove(book.active)
    for kind, value in blocks:
        if kind == "h2":
            sheet = book.create_sheet(value)
        elif kind == "table":
            for row in value:
                sheet.append([number(cell) for cell in row])
            for cell in sheet[1]:
                cell.font = Font(bold=True)
    book.properties.title, book.properties.creator = meta["title"], meta["author"]
    book.properties.created = day(meta)
    return saved(book)


def number(cell):
    if re.fullmatch(r"-?\d+", cell):
        return int(cell)
    if re.fullmatch(r"-?\d+\.\d+", cell):
        return float(cell)
    return cell


def set_properties(core, meta):
    core.title, core.author, core.last_modified_by = meta["title"], meta["author"], meta["author"]
    core.created = core.modified = day(meta)
    core.revision, core.comments, core.keywords = 1, "", ""


def saved(document):
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def repack(data, meta):
    """The same archive with fixed times, so that a second run gives the same bytes."""
    stamp = day(meta).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            body = old.read(entry)
            if entry.filename == "docProps/core.xml":
                body = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + stamp, body)
            info = zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0))
            info.compress_type = entry.compress_type
            new.writestr(info, body)
    return out.getvalue()


# ---- HWPX (OWPML, KS X 6101) -------------------------------------------------------------------

SPACES = " ".join(f'xmlns:{prefix}="http://www.hancom.co.kr/hwpml/2011/{name}"' for prefix, name in
                  [("ha", "app"), ("hp", "paragraph"), ("hs", "section"), ("hc", "core"), ("hh", "head")])
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>'
TEXT_WIDTH = 42520  # A4 less 30 mm left and right, in 1/7200 inch
LANGUAGES = ["HANGUL", "LATIN", "HANJA", "JAPANESE", "OTHER", "SYMBOL", "USER"]


def hwpx(meta, blocks):
    entries = [
        ("version.xml", f'{XML}<hv:HCFVersion xmlns:hv="http://www.hancom.co.kr/hwpml/2011/version" tagetApplication="WORDPROCESSOR" major="5" minor="1" micro="0" buildNumber="0" os="1" xmlVersion="1.4" application="Sectora demo documents" appVersion="1"/>'),
        ("META-INF/container.xml", f'{XML}<ocf:container xmlns:ocf="urn:oasis:names:tc:opendocument:xmlns:container"><ocf:rootfiles><ocf:rootfile full-path="Contents/content.hpf" media-type="application/hwpml-package+xml"/><ocf:rootfile full-path="Preview/PrvText.txt" media-type="text/plain"/></ocf:rootfiles></ocf:container>'),
        ("META-INF/manifest.xml", f'{XML}<odf:manifest xmlns:odf="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'),
        ("Contents/content.hpf", hwpx_package(meta)),
        ("Contents/header.xml", hwpx_header()),
        ("Contents/section0.xml", hwpx_section(blocks)),
        ("Preview/PrvText.txt", "\r\n".join(value for kind, value in blocks if isinstance(value, str))[:1000]),
        ("settings.xml", f'{XML}<ha:HWPApplicationSetting {SPACES}><ha:CaretPosition listIDRef="0" paraIDRef="0" pos="0"/></ha:HWPApplicationSetting>'),
    ]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("mimetype", (1980, 1, 1, 0, 0, 0)), "application/hwp+zip")  # first and stored
        for name, body in entries:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_STORED if name == "version.xml" else zipfile.ZIP_DEFLATED
            archive.writestr(info, body.encode("utf-8"))
    return out.getvalue()


def hwpx_package(meta):
    stamp = day(meta).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (f'{XML}<opf:package xmlns:opf="http://www.idpf.org/2007/opf/" {SPACES} version="" unique-identifier="" id=""><opf:metadata>'
            f'<opf:title>{escape(meta["title"])}</opf:title><opf:language>ko</opf:language>'
            f'<opf:meta name="creator" content="text">{escape(meta["author"])}</opf:meta>'
            f'<opf:meta name="CreatedDate" content="text">{stamp}</opf:meta><opf:meta name="ModifiedDate" content="text">{stamp}</opf:meta></opf:metadata>'
            '<opf:manifest><opf:item id="header" href="Contents/header.xml" media-type="application/xml"/>'
            '<opf:item id="section0" href="Contents/section0.xml" media-type="application/xml"/>'
            '<opf:item id="settings" href="settings.xml" media-type="application/xml"/></opf:manifest>'
            '<opf:spine><opf:itemref idref="header" linear="yes"/><opf:itemref idref="section0" linear="yes"/></opf:spine></opf:package>')


def hwpx_header():
    font = ('<hh:font id="0" face="함초롬바탕" type="TTF" isEmbedded="0"><hh:typeInfo familyType="FCAT_GOTHIC" weight="8" proportion="4" contrast="0" strokeVariation="1" armStyle="1" letterform="1" midline="1" xHeight="1"/></hh:font>')
    fonts = "".join(f'<hh:fontface lang="{lang}" fontCnt="1">{font}</hh:fontface>' for lang in LANGUAGES)

    def border(number, line, width):
        sides = "".join(f'<hh:{side} type="{line}" width="{width}" color="#000000"/>' for side in ("leftBorder", "rightBorder", "topBorder", "bottomBorder"))
        return (f'<hh:borderFill id="{number}" threeD="0" shadow="0" centerLine="NONE" breakCellSeparateLine="0"><hh:slash type="NONE" Crooked="0" isCounter="0"/>'
                f'<hh:backSlash type="NONE" Crooked="0" isCounter="0"/>{sides}<hh:diagonal type="SOLID" width="0.1 mm" color="#000000"/></hh:borderFill>')

    def each(tag, value):
        return f"<hh:{tag} " + " ".join(f'{lang.lower()}="{value}"' for lang in LANGUAGES) + "/>"

    def char(number, height, bold):
        return (f'<hh:charPr id="{number}" height="{height}" textColor="#000000" shadeColor="none" useFontSpace="0" useKerning="0" symMark="NONE" borderFillIDRef="1">'
                + each("fontRef", 0) + each("ratio", 100) + each("spacing", 0) + each("relSz", 100) + each("offset", 0) + ("<hh:bold/>" if bold else "")
                + '<hh:underline type="NONE" shape="SOLID" color="#000000"/><hh:strikeout shape="NONE" color="#000000"/><hh:outline type="NONE"/>'
                  '<hh:shadow type="NONE" color="#B2B2B2" offsetX="10" offsetY="10"/></hh:charPr>')

    def para(number, heading, level, after):
        return (f'<hh:paraPr id="{number}" tabPrIDRef="0" condense="0" fontLineHeight="0" snapToGrid="1" suppressLineNumbers="0" checked="0"><hh:align horizontal="JUSTIFY" vertical="BASELINE"/>'
                f'<hh:heading type="{heading}" idRef="0" level="{level}"/><hh:breakSetting breakLatinWord="KEEP_WORD" breakNonLatinWord="KEEP_WORD" widowOrphan="0" keepWithNext="0" keepLines="0" pageBreakBefore="0" lineWrap="BREAK"/>'
                '<hh:autoSpacing eAsianEng="0" eAsianNum="0"/><hh:margin><hc:intent value="0" unit="HWPUNIT"/><hc:left value="0" unit="HWPUNIT"/><hc:right value="0" unit="HWPUNIT"/>'
                f'<hc:prev value="0" unit="HWPUNIT"/><hc:next value="{after}" unit="HWPUNIT"/></hh:margin><hh:lineSpacing type="PERCENT" value="160" unit="HWPUNIT"/>'
                '<hh:border borderFillIDRef="1" offsetLeft="0" offsetRight="0" offsetTop="0" offsetBottom="0" connect="0" ignoreMargin="0"/></hh:paraPr>')

    styles = "".join(f'<hh:style id="{i}" type="PARA" name="{ko}" engName="{en}" paraPrIDRef="{i}" charPrIDRef="{i}" nextStyleIDRef="0" langID="1042" lockForm="0"/>'
                     for i, (ko, en) in enumerate([("바탕글", "Normal"), ("개요 1", "Outline 1"), ("개요 2", "Outline 2")]))
    return (f'{XML}<hh:head {SPACES} version="1.4" secCnt="1"><hh:beginNum page="1" footnote="1" endnote="1" pic="1" tbl="1" equation="1"/><hh:refList>'
            f'<hh:fontfaces itemCnt="7">{fonts}</hh:fontfaces>'
            f'<hh:borderFills itemCnt="2">{border(1, "NONE", "0.1 mm")}{border(2, "SOLID", "0.12 mm")}</hh:borderFills>'
            f'<hh:charProperties itemCnt="3">{char(0, 1000, False)}{char(1, 1600, True)}{char(2, 1200, True)}</hh:charProperties>'
            '<hh:tabProperties itemCnt="1"><hh:tabPr id="0" autoTabLeft="0" autoTabRight="0"/></hh:tabProperties>'
            f'<hh:paraProperties itemCnt="3">{para(0, "NONE", 0, 600)}{para(1, "OUTLINE", 0, 1000)}{para(2, "OUTLINE", 1, 800)}</hh:paraProperties>'
            f'<hh:styles itemCnt="3">{styles}</hh:styles></hh:refList>'
            '<hh:compatibleDocument targetProgram="HWP201X"><hh:layoutCompatibility/></hh:compatibleDocument></hh:head>')


def hwpx_section(blocks):
    setup = ('<hp:secPr id="" textDirection="HORIZONTAL" spaceColumns="1134" tabStop="8000" outlineShapeIDRef="0" memoShapeIDRef="0" textVerticalWidthHead="0" masterPageCnt="0">'
             '<hp:grid lineGrid="0" charGrid="0" wonggojiFormat="0"/><hp:startNum pageStartsOn="BOTH" page="0" pic="0" tbl="0" equation="0"/>'
             '<hp:visibility hideFirstHeader="0" hideFirstFooter="0" hideFirstMasterPage="0" border="SHOW_ALL" fill="SHOW_ALL" hideFirstPageNum="0" hideFirstEmptyLine="0" showLineNumber="0"/>'
             '<hp:pagePr landscape="WIDELY" width="59528" height="84188" gutterType="LEFT_ONLY"><hp:margin header="4252" footer="4252" gutter="0" left="8504" right="8504" top="5668" bottom="4252"/></hp:pagePr></hp:secPr>'
             '<hp:ctrl><hp:colPr id="" type="NEWSPAPER" layout="LEFT" colCount="1" sameSz="1" sameGap="0"/></hp:ctrl>')
    body = ""
    for index, (kind, value) in enumerate(blocks):
        look = {"h1": 1, "h2": 2}.get(kind, 0)
        first = f'<hp:run charPrIDRef="0">{setup}</hp:run>' if index == 0 else ""
        if kind == "table":
            content = f'<hp:run charPrIDRef="0">{hwpx_table(value, 1000 + index)}<hp:t/></hp:run>'
        else:
            content = f'<hp:run charPrIDRef="{look}"><hp:t>{escape(value or "")}</hp:t></hp:run>'
        body += f'<hp:p id="{index}" paraPrIDRef="{look}" styleIDRef="{look}" pageBreak="0" columnBreak="0" merged="0">{first}{content}</hp:p>'
    return f"{XML}<hs:sec {SPACES}>{body}</hs:sec>"


def hwpx_table(rows, number):
    width, height = TEXT_WIDTH // len(rows[0]), 1500

    def cell(r, c, text):
        return (f'<hp:tc name="" header="{int(r == 0)}" hasMargin="0" protect="0" editable="0" dirty="0" borderFillIDRef="2">'
                '<hp:subList id="" textDirection="HORIZONTAL" lineWrap="BREAK" vertAlign="CENTER" linkListIDRef="0" linkListNextIDRef="0" textWidth="0" textHeight="0" hasTextRef="0" hasNumRef="0">'
                f'<hp:p id="0" paraPrIDRef="0" styleIDRef="0" pageBreak="0" columnBreak="0" merged="0"><hp:run charPrIDRef="0"><hp:t>{escape(text)}</hp:t></hp:run></hp:p></hp:subList>'
                f'<hp:cellAddr colAddr="{c}" rowAddr="{r}"/><hp:cellSpan colSpan="1" rowSpan="1"/><hp:cellSz width="{width}" height="{height}"/><hp:cellMargin left="510" right="510" top="141" bottom="141"/></hp:tc>')

    lines = "".join("<hp:tr>" + "".join(cell(r, c, text) for c, text in enumerate(row)) + "</hp:tr>" for r, row in enumerate(rows))
    return (f'<hp:tbl id="{number}" zOrder="0" numberingType="TABLE" textWrap="TOP_AND_BOTTOM" textFlow="BOTH_SIDES" lock="0" dropcapstyle="None" pageBreak="CELL" repeatHeader="1" '
            f'rowCnt="{len(rows)}" colCnt="{len(rows[0])}" cellSpacing="0" borderFillIDRef="2" noAdjust="0"><hp:sz width="{width * len(rows[0])}" widthRelTo="ABSOLUTE" height="{height * len(rows)}" heightRelTo="ABSOLUTE" protect="0"/>'
            '<hp:pos treatAsChar="1" affectLSpacing="0" flowWithText="1" allowOverlap="0" holdAnchorAndSO="0" vertRelTo="PARA" horzRelTo="COLUMN" vertAlign="TOP" horzAlign="LEFT" vertOffset="0" horzOffset="0"/>'
            f'<hp:outMargin left="283" right="283" top="283" bottom="283"/><hp:inMargin left="510" right="510" top="141" bottom="141"/>{lines}</hp:tbl>')


WRITERS = {".pdf": pdf, ".docx": docx, ".pptx": pptx, ".xlsx": xlsx, ".hwpx": hwpx}

if __name__ == "__main__":
    sys.exit(main())
