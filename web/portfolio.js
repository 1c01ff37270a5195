// The page at /portfolio: overlap, match, strengths, consolidation. Whatever comes from the server or a document
// enters the page as text, never as markup.

const TEXTS = {
  ko: {
    title: "과제 포트폴리오", promise: "모든 판정은 양쪽의 문장을 근거로 보여 줍니다. 결정은 사람이 합니다.",
    label: "제안서, 필요한 기술, 또는 기관 이름을 그대로 적으세요", overlap: "이미 한 일인가?", match: "누가 할 수 있나?",
    strengths: "기관별 강점", consolidate: "함께 묶을 과제", save: "저장:", calls: "이 기관에 맞는 공고는?",
    whole: "전체 과제:", all: "두 번 한 일은?", projects: "과제", pairs: "비교한 쌍", clusters: "반복된 일 (시간순)", avoidable: "줄일 수 있었을 지출",
    between: "기관 사이", spentAfter: "첫 과제 뒤에 쓴 예산", repeats: "반복:", unknown: "모름",
    working: "비교하는 중…", empty: "먼저 내용을 적으세요.", nothing: "겹치는 과제를 찾지 못했습니다.",
    fresh: "제안서에서 새로운 내용", reached: "도달 수준", gap: "남는 부족분", lead: "주도", nobody: "뚜렷한 주도 기관 없음",
    onlyHere: "여기에만 있는 것", broken: "요청이 실패했습니다.", thin: "근거가 적음", budget: "예산",
    file: "또는 파일 (PDF, HWP, HWPX, DOCX, PPTX, XLSX, 텍스트)", reading: "파일을 읽는 중…", suggestions: "역할 분담 제안",
    thinTip: "근거 문장이 두 개가 되지 않습니다. 직접 확인하세요.",
    kinds: {
      "done already": "이미 수행됨", "same aim, other method": "목표 같음, 방법 다름", "same method, other aim": "방법 같음, 목표 다름",
      "continuation by the same group": "같은 연구진의 후속", related: "관련 있음", none: "무관",
    },
  },
  en: {
    title: "Portfolio", promise: "Every verdict shows the sentences of both sides. A person decides.",
    label: "A proposal, a need in its own words, or the name of an institute", overlap: "Was this done before?", match: "Who can do this?",
    strengths: "Strengths of the institutes", consolidate: "What belongs together?", save: "Save as", calls: "Which calls fit this institute?",
    whole: "The whole portfolio:", all: "What was done twice?", projects: "projects", pairs: "pairs compared", clusters: "Repeated work, in order of time",
    avoidable: "Avoidable spending", between: "Between institutes", spentAfter: "spent after the first", repeats: "repeats", unknown: "unknown",
    working: "Comparing…", empty: "Write something first.", nothing: "Nothing that overlaps was found.",
    fresh: "New in the proposal", reached: "How far it got", gap: "Gap that stays", lead: "leads", nobody: "nobody clearly leads",
    onlyHere: "only here", broken: "The request failed.", thin: "thin evidence", budget: "budget",
    file: "Or a file (PDF, HWP, HWPX, DOCX, PPTX, XLSX, text)", reading: "Reading the file…", suggestions: "Suggested division of labour",
    thinTip: "Fewer than two sentences support this: look for yourself.",
    kinds: {},
  },
};

let language = localStorage.getItem("language") || (navigator.language.startsWith("ko") ? "ko" : "en");
let last = null;
const $ = (id) => document.getElementById(id);
const t = () => TEXTS[language];

function speak() {
  document.documentElement.lang = language;
  document.querySelectorAll("[data-text]").forEach((e) => { e.textContent = t()[e.dataset.text]; });
  document.querySelectorAll("[data-language]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.language === language)));
}

function element(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

const percent = (p) => `${Math.round(p * 100)} %`;
const period = (v) => { const [a, b] = v.period || []; return a && b && a !== b ? `${a}–${b}` : String(a || v.year || ""); };

function pair(left, right, leftNote, rightNote) {
  const row = element("div", undefined, "pair");
  for (const [quote, note] of [[left, leftNote], [right, rightNote]]) {
    const cell = element("div");
    cell.append(element("q", quote), element("small", note));
    row.append(cell);
  }
  return row;
}

function table(rows) {
  const box = element("div", undefined, "scroll");
  const body = element("table");
  for (const cells of rows) {
    const row = element("tr");
    cells.forEach((c) => row.append(element("td", c)));
    body.append(row);
  }
  box.append(body);
  return box;
}

const show = {
  overlap(found, out) {
    if (!found.verdicts.length) out.append(element("p", t().nothing));
    for (const v of found.verdicts) {
      const s = element("section");
      s.append(element("h3", `${t().kinds[v.kind] || v.kind} (${percent(v.probability)}): ${v.title}`));
      const facts = [v.project_id, v.institution, period(v), v.stage?.value, v.status?.value, v.budget && `${t().budget} ${v.budget}`];
      s.append(element("p", facts.filter(Boolean).join(" · "), "facts"));
      if (v.reached) { const p = element("p", `${t().reached}: `); p.append(element("q", v.reached.quote)); s.append(p); }
      for (const e of v.evidence) {
        s.append(pair(e.proposal.quote, e.source.quote, `${e.proposal.start}–${e.proposal.end}`, `${v.project_id} ${e.source.page ? `p. ${e.source.page}, ` : ""}${e.source.start}–${e.source.end}`));
      }
      out.append(s);
    }
    if (found.new_in_proposal.length) {
      const s = element("section");
      s.append(element("h3", t().fresh));
      const list = element("ul");
      found.new_in_proposal.slice(0, 20).forEach((n) => list.append(element("li", n.quote)));
      s.append(list);
      out.append(s);
    }
  },
  match(found, out) {
    if (!found.matches.length) out.append(element("p", t().nothing));
    found.matches.forEach((m, i) => {
      const s = element("section");
      s.append(element("h3", `${i + 1}. ${m.institution}${m.thin ? ` (${t().thin})` : ""}`));
      if (m.thin) s.append(element("p", t().thinTip, "facts"));
      if (m.people.length) s.append(element("p", m.people.join(", "), "facts"));
      for (const c of m.citations) s.append(pair(c.need, c.quote, "", `${c.title} (${c.project_id}, ${c.start}–${c.end})`));
      if (m.gap.length) s.append(element("p", `${t().gap}: ${m.gap.slice(0, 3).join(" / ")}`));
      out.append(s);
    });
  },
  calls(found, out) {
    out.append(element("p", `${found.institution}: ${found.projects} ${t().projects}`, "facts"));
    if (!found.calls.length) out.append(element("p", t().nothing));
    found.calls.forEach((c, i) => {
      const s = element("section");
      s.append(element("h3", `${i + 1}. ${c.title}${c.year ? ` (${c.year})` : ""}`));
      for (const [call, own] of c.pairs) s.append(pair(call.quote, own.quote, `${call.start}–${call.end}`, `${own.title} (${own.project_id}, ${own.start}–${own.end})`));
      out.append(s);
    });
  },
  all(found, out) {
    out.append(element("p", `${found.projects} ${t().projects}, ${found.judged} ${t().pairs}`, "facts"));
    if (!found.pairs.length) out.append(element("p", t().nothing));
    const money = (n) => (Math.round(n) || 0).toLocaleString(language);
    if (found.avoidable.length) {
      const s = element("section");
      s.append(element("h3", `${t().avoidable}: ${money(found.avoidable_total)}`));
      s.append(table(found.avoidable.map((a) => [money(a.spending), `${a.project.title} (${a.project.project_id})`, `${t().repeats} ${a.repeats}`])));
      out.append(s);
    }
    if (found.clusters.length) {
      const s = element("section");
      s.append(element("h3", t().clusters));
      const list = element("ul");
      for (const c of found.clusters) {
        const line = c.timeline.map((e) => `${e.began || "?"} ${e.title} (${e.project_id}, ${e.institution || t().unknown})`).join(" → ");
        list.append(element("li", `${line}; ${t().spentAfter}: ${money(c.spent_after)}`));
      }
      s.append(list);
      out.append(s);
    }
    if (found.matrix.length) {
      const s = element("section");
      s.append(element("h3", t().between), table(found.matrix.map(([a, b, n]) => [`${a} × ${b}`, String(n)])));
      out.append(s);
    }
    for (const p of found.pairs) {
      const s = element("section");
      s.append(element("h3", `${t().kinds[p.kind] || p.kind} (${percent(p.probability)})`));
      s.append(element("p", [p.later, p.earlier].map((e) => `${e.began || "?"} ${e.title} (${e.project_id})`).join(" ← "), "facts"));
      for (const [a, b] of p.evidence) s.append(pair(a.quote, b.quote, `${a.project_id} ${a.start}–${a.end}`, `${b.project_id} ${b.start}–${b.end}`));
      out.append(s);
    }
  },
  strengths(found, out) {
    const map = element("img", undefined, "map");
    map.src = `/v1/strengths.svg?language=${language}`;
    map.alt = t().strengths;
    const box = element("div", undefined, "scroll");
    box.append(map);
    out.append(box);
    if (found.suggestions.length) {
      const s = element("section");
      const list = element("ul");
      found.suggestions.forEach((line) => list.append(element("li", line)));
      s.append(element("h3", t().suggestions), list);
      out.append(s);
    }
    for (const topic of found.topics) {
      const s = element("section");
      s.append(element("h3", `${topic.label.join(", ")} (${topic.projects}): ${topic.leads ? `${topic.leads} ${t().lead}` : t().nobody}`));
      for (const share of topic.shares.slice(0, 5)) {
        const p = element("p", `${share.institution}: ${percent(share.share)} [${percent(share.interval[0])} – ${percent(share.interval[1])}] `);
        if (share.citations[0]) p.append(element("q", share.citations[0].quote), ` (${share.citations[0].project_id})`);
        s.append(p);
      }
      out.append(s);
    }
  },
  consolidate(found, out) {
    if (!found.groups.length) out.append(element("p", t().nothing));
    for (const g of found.groups) {
      const s = element("section");
      s.append(element("h3", `${g.label.join(", ")}: ${g.members.length}${g.lead ? `, ${g.lead}` : ""}`), element("p", g.reason));
      const list = element("ul");
      for (const m of g.members) {
        const item = element("li", `${m.project_id} ${m.title} (${m.institution || "?"}) `);
        if (m.aim) item.append(element("q", m.aim.quote));
        if (m.only_here.length) item.append(` ${t().onlyHere}: ${m.only_here.join(", ")}`);
        list.append(item);
      }
      s.append(list);
      out.append(s);
    }
  },
};

async function ask(what, path, body) {
  const out = $("out");
  $("problem").hidden = true;
  $("saves").hidden = true;
  out.replaceChildren(element("p", t().working));
  try {
    const options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    const response = await fetch(path, options);
    const found = await response.json();
    if (!response.ok) throw new Error(found.error?.message || t().broken);
    out.replaceChildren();
    last = { what, body, found };
    $("saves").hidden = false;
    const kinds = { overlap: ["json", "docx", "html", "markdown"], strengths: ["json", "svg"] }[what] || ["json"];
    document.querySelectorAll("[data-save]").forEach((b) => { b.hidden = !kinds.includes(b.dataset.save); });
    show[what](found, out);
  } catch (error) {
    out.replaceChildren();
    $("problem").textContent = error.message || t().broken;
    $("problem").hidden = false;
  }
}

function withText(what, path, field) {
  const text = $("text").value;
  if (!text.trim()) { $("problem").textContent = t().empty; $("problem").hidden = false; return; }
  ask(what, path, { [field]: text });
}

$("overlap").addEventListener("click", () => withText("overlap", "/v1/overlap", "text"));
$("match").addEventListener("click", () => withText("match", "/v1/match", "need"));
const strengths = () => ask("strengths", `/v1/strengths?language=${language}`);
const consolidate = () => ask("consolidate", "/v1/consolidate", { language });
$("strengths").addEventListener("click", strengths);
$("consolidate").addEventListener("click", consolidate);
$("calls").addEventListener("click", () => withText("calls", "/v1/match", "institution"));
$("all").addEventListener("click", () => ask("all", "/v1/overlap/all"));

// A file becomes the text above: whoever asks sees what was read, and the offsets of the answer count its characters.
$("file").addEventListener("change", async () => {
  const file = $("file").files[0];
  if (!file) return;
  $("problem").hidden = true;
  $("saves").hidden = true;
  last = null;
  $("out").replaceChildren(element("p", t().reading));
  try {
    const response = await fetch(`/v1/extract?name=${encodeURIComponent(file.name)}`, {
      method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file,
    });
    const found = await response.json();
    if (!response.ok) throw new Error(found.error?.message || t().broken);
    $("text").value = found.text;
  } catch (error) {
    $("problem").textContent = error.message || t().broken;
    $("problem").hidden = false;
  }
  $("out").replaceChildren();
});

function keep(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function save(kind) {
  if (kind === "json") return keep(new Blob([JSON.stringify(last.found, null, 2)], { type: "application/json" }), "sectora-portfolio.json");
  const response = kind === "svg"
    ? await fetch(`/v1/strengths.svg?language=${language}`)
    : await fetch("/v1/overlap/report", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...last.body, format: kind, language }),
    });
  if (!response.ok) {
    $("problem").textContent = t().broken;
    $("problem").hidden = false;
    return undefined;
  }
  return keep(await response.blob(), `sectora-${last.what}.${kind === "markdown" ? "md" : kind}`);
}
document.querySelectorAll("[data-save]").forEach((b) => b.addEventListener("click", () => save(b.dataset.save)));
document.querySelectorAll("[data-language]").forEach((b) => b.addEventListener("click", () => {
  language = b.dataset.language;
  localStorage.setItem("language", language);
  speak();
  // Sentences that the program writes are asked for again; everything else is at hand.
  const again = { strengths, consolidate }[last?.what];
  if (again) again();
  else if (last) { $("out").replaceChildren(); show[last.what](last.found, $("out")); }
}));
speak();
