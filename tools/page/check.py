#!/usr/bin/env python3
"""Uses the release view of the page at /portfolio in a real Chromium, in both languages, wide and narrow.

    python3 -m venv /tmp/page && /tmp/page/bin/pip install -r tools/page/requirements.txt     # and: apt-get install chromium fonts-nanum
    sectora --sector battery serve --port 7878 &
    /tmp/page/bin/python tools/page/check.py [--base http://127.0.0.1:7878] [--web web] [--shots FOLDER]

`--web` takes the page's files from a folder in place of those in the program; `--shots` keeps pictures. Exits 1 at the first thing that is
not as it should be.
"""

import argparse
import pathlib
import re
import sys

from playwright.sync_api import Error, expect, sync_playwright

LETTER = "🔥 담당: 김하늘 선임 (010-2345-6789)\n\n분리막 두께는 12 µm였다. 바인더 배합비는 영업비밀이다. <b>see https://lab.example</b>\n"
SHOWN = "🔥 담당: [PERSON 1] 선임 ([PHONE])\n\n분리막 두께는 12 µm였다. 바인더 배합비는 영업비밀이다. <b>see https://lab.example</b>\n"
IN_PART = SHOWN.replace("바인더 배합비는 영업비밀이다.", "[WITHHELD: business_secret]")
SAID = {
    "ko": {"heading": "공개할 수 있는 글", "phone": "전화번호, 가림", "part": "부분 공개", "provision": "제7호", "whole": "비공개"},
    "en": {"heading": "The text as it may be shown", "phone": "telephone, masked", "part": "Release in part", "provision": "9(1)7", "whole": "Withhold"},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="http://127.0.0.1:7878")
    parser.add_argument("--web", type=pathlib.Path)
    parser.add_argument("--shots", type=pathlib.Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium)
        for language in ("ko", "en"):
            for width in (1280, 390):
                context = browser.new_context(viewport={"width": width, "height": 900}, locale=language)
                page = context.new_page()
                try:
                    use(page, arguments, language, width)
                except (AssertionError, Error) as problem:
                    print(f"FAIL  {language} {width}: {problem}")
                    return 1
                context.close()
                print(f"ok    {language} {width}")
        browser.close()
    return 0


def use(page, arguments, language, width):
    said, asked, errors = SAID[language], [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request))
    if arguments.web:
        for name in ("portfolio", "portfolio.js", "portfolio.css", "style.css"):
            file = arguments.web / (name if "." in name else f"{name}.html")
            page.route(f"{arguments.base}/{name}", lambda route, request, file=file: route.fulfill(path=file))

    def shot(name):
        if arguments.shots:
            arguments.shots.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=arguments.shots / f"{name}-{language}-{width}.png", full_page=True)
        over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0, f"{name}: {over} pixels too wide"

    page.goto(f"{arguments.base}/portfolio")
    assert page.evaluate("document.documentElement.lang") == language
    shot("empty")

    # By keyboard alone: from the text to the button.
    page.fill("#text", LETTER)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "redact":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".released")
    assert page.inner_text("#out h3 >> nth=0") == said["heading"]
    assert page.evaluate("document.querySelector('.released').textContent") == SHOWN
    assert page.locator(".released mark").all_inner_texts() == ["[PERSON 1]", "[PHONE]"]
    assert page.locator(".released b").count() == 0, "markup of the text became markup of the page"
    found = page.inner_text("#out")
    assert said["phone"] in found and "김하늘" not in found and "010-2345" not in found, found
    shot("redact")
    page.locator(".findings li", has_text="[PHONE]").locator("button").click()
    chosen = "const f = document.getElementById('text'); f.value.slice(f.selectionStart, f.selectionEnd)"
    assert page.evaluate(chosen) == "010-2345-6789" and page.evaluate("document.activeElement.id") == "text"

    page.click("#decide")
    page.wait_for_selector(".decision")
    assert page.inner_text(".decision") == said["part"]
    assert page.evaluate("document.querySelector('.released').textContent") == IN_PART
    assert page.locator(".released mark").all_inner_texts() == ["[PERSON 1]", "[PHONE]", "[WITHHELD: business_secret]"]
    assert said["provision"] in page.inner_text("#out")
    shot("decide")
    with page.expect_download() as download:
        page.click("[data-save=text]")
    assert pathlib.Path(download.value.path()).read_text() == IN_PART

    # The other language, and back, without asking again.
    before = len(asked)
    for other in ("en" if language == "ko" else "ko", language):
        page.click(f"[data-language={other}]")
        assert page.inner_text(".decision") == SAID[other]["part"]
    assert len(asked) == before

    page.fill("#text", "CONFIDENTIAL\n\nThe cell kept 91 %.")
    page.click("#decide")
    expect(page.locator(".decision")).to_have_text(said["whole"])
    assert page.locator(".released").count() == 0
    shot("withheld")

    page.set_input_files("#file", files=[{"name": "letter.txt", "mimeType": "text/plain", "buffer": LETTER.encode()}])
    expect(page.locator("#text")).to_have_value(re.compile("김하늘"))

    # A document of the index, by a word and Enter.
    page.fill("#document", "파일럿 라인" if language == "ko" else "aerogel")
    page.press("#document", "Enter")
    page.wait_for_selector(".choices button")
    shot("documents")
    page.click(".choices button >> nth=0")
    page.wait_for_selector(".decision")
    assert page.inner_text(".decision").strip()
    assert page.evaluate("document.activeElement.id") == "out"
    shot("document")

    # Nothing of it went elsewhere, stands in an address, or stays in the browser.
    for request in asked:
        assert request.url.startswith(arguments.base + "/"), request.url
        assert "010" not in request.url and "%EA%B9%80" not in request.url.upper(), request.url
        if request.post_data_buffer and "김하늘".encode() in request.post_data_buffer:
            assert request.url.split("/v1/")[1].split("?")[0] in ("release/redact", "release/decide", "extract"), request.url
    kept = page.evaluate("JSON.stringify([Object.keys(localStorage), Object.keys(sessionStorage), document.cookie])")
    assert kept == '[["language"],[],""]', kept
    assert page.evaluate("indexedDB.databases().then((d) => d.length)") == 0
    page.reload()
    assert page.input_value("#text") == "", "the browser kept the text"
    assert not errors, errors


if __name__ == "__main__":
    sys.exit(main())
