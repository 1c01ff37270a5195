// The page at /portfolio: overlap, match, strengths, consolidation, release. Whatever comes from the server or a document
// enters the page as text, never as markup.

// Sentences that are new in a proposal and shown.
const NEW_SHOWN = 20;

const TEXTS = {
  ko: {
    title: "과제 포트폴리오", promise: "모든 판정은 양쪽의 문장을 근거로 보여 줍니다. 결정은 사람이 합니다.",
    label: "제안서, 필요한 기술, 기관 이름, 또는 공개할 글을 그대로 적으세요", overlap: "이미 한 일인가?", match: "누가 할 수 있나?",
    strengths: "기관별 강점", consolidate: "함께 묶을 과제", save: "저장:", calls: "이 기관에 맞는 공고는?",
    whole: "전체 과제:", all: "두 번 한 일은?", projects: "과제", pairs: "비교한 쌍", clusters: "반복된 일 (시간순)", avoidable: "줄일 수 있었을 지출",
    between: "기관 사이", spentAfter: "첫 과제 뒤에 쓴 예산", repeats: "반복:", unknown: "모름", noCurrency: "통화 표시 없음",
    working: "비교하는 중…", empty: "먼저 내용을 적으세요.", nothing: "겹치는 과제를 찾지 못했습니다.",
    fresh: "제안서에서 새로운 내용", more: (n) => `그 밖에 ${n}문장`, leftOut: (n) => `제안서가 길어 ${n}문장은 비교하지 않았습니다.`, reached: "도달 수준", gap: "남는 부족분", lead: "주도", nobody: "뚜렷한 주도 기관 없음",
    onlyHere: "여기에만 있는 것", broken: "요청이 실패했습니다.", thin: "근거가 적음", budget: "예산",
    file: "또는 파일 (PDF, HWP, HWPX, DOCX, PPTX, XLSX, 텍스트)", reading: "파일을 읽는 중…", suggestions: "역할 분담 제안",
    thinTip: "근거 문장이 두 개가 되지 않습니다. 직접 확인하세요.",
    release: "이 글에서 공개할 수 있는 것:", redact: "개인정보를 가린 글", decide: "문장별 판단과 이유", plain: "텍스트",
    document: "또는 여기 있는 문서 (제목, 낱말, ID):", look: "판단", noDocument: "그런 문서를 찾지 못했습니다.", which: "어느 문서인가요?",
    sent: "적은 내용은 이 서버에만 보내며, 어디에도 저장하지 않습니다.",
    rules: "규칙으로만 찾습니다. 문장 속의 이름은 많이 놓치므로, 공개하기 전에 사람이 읽어야 합니다.",
    shown: "공개할 수 있는 글", findings: "찾은 것", parts: "그대로 공개하지 않는 문장", clean: "찾은 것이 없습니다.", rule: "규칙", page: "쪽",
    characters: (place) => `위의 글에서 ${place}번째 글자 보기`,
    decisions: { release: "공개", release_in_part: "부분 공개", withhold: "비공개" },
    actions: { keep: "그대로 둠", mask: "가림", generalise: "넓혀 적음" },
    provision: (reason) => reason.provision,
    labels: {
      PERSON: "이름", POSITION: "직위", PHONE: "전화번호", EMAIL: "전자우편", ADDRESS: "주소", POSTAL_CODE: "우편번호", RRN: "주민등록번호",
      FRN: "외국인등록번호", SSN: "사회보장번호", PASSPORT: "여권번호", DRIVER_LICENSE: "운전면허번호", ACCOUNT: "계좌번호", CARD: "카드번호",
      DT_BIRTH: "생년월일", AGE: "나이", VEHICLE: "차량번호", IP: "IP 주소", MEDICAL_INSURANCE: "건강보험증 번호", PRESCRIPTION_ID: "처방전 번호",
      HEIGHT: "키", WEIGHT: "몸무게", NATIONALITY: "국적", EDUCATION: "학력", MAJOR: "전공", URL: "웹 주소", BUSINESS_REG: "사업자등록번호",
      CORP_REG: "법인등록번호", SECRET: "비밀번호·키",
    },
    kinds: {
      "done already": "이미 수행됨", "same aim, other method": "목표 같음, 방법 다름", "same method, other aim": "방법 같음, 목표 다름",
      "continuation by the same group": "같은 연구진의 후속", related: "관련 있음", none: "무관",
    },
    later: "제안보다 나중에 시작", laterKinds: { "done already": "나중에 다시 수행됨", "continuation by the same group": "같은 연구진이 나중에 이어감" },
  },
  en: {
    title: "Portfolio", promise: "Every verdict shows the sentences of both sides. A person decides.",
    label: "A proposal, a need in its own words, the name of an institute, or a text to be shown", overlap: "Was this done before?", match: "Who can do this?",
    strengths: "Strengths of the institutes", consolidate: "What belongs together?", save: "Save as", calls: "Which calls fit this institute?",
    whole: "The whole portfolio:", all: "What was done twice?", projects: "projects", pairs: "pairs compared", clusters: "Repeated work, in order of time",
    avoidable: "Avoidable spending", between: "Between institutes", spentAfter: "spent after the first", repeats: "repeats", unknown: "unknown", noCurrency: "no currency stated",
    working: "Comparing…", empty: "Write something first.", nothing: "Nothing that overlaps was found.",
    fresh: "New in the proposal", more: (n) => `and ${n} more sentences`, leftOut: (n) => `The proposal is long: ${n} of its sentences were not compared.`, reached: "How far it got", gap: "Gap that stays", lead: "leads", nobody: "nobody clearly leads",
    onlyHere: "only here", broken: "The request failed.", thin: "thin evidence", budget: "budget",
    file: "Or a file (PDF, HWP, HWPX, DOCX, PPTX, XLSX, text)", reading: "Reading the file…", suggestions: "Suggested division of labour",
    thinTip: "Fewer than two sentences support this: look for yourself.",
    release: "What may be shown of the text:", redact: "Without persons", decide: "Sentence by sentence, and why", plain: "Text",
    document: "Or of a document here (title, words or id):", look: "Decide", noDocument: "No such document was found.", which: "Which document?",
    sent: "What you write goes to this server only and is kept nowhere.",
    rules: "Found by rules only. Names in running prose are often missed: a person has to read the text before it is shown.",
    shown: "The text as it may be shown", findings: "What was found", parts: "Not shown as they are", clean: "Nothing was found.", rule: "rule", page: "p.",
    characters: (place) => `Show characters ${place} in the text above`,
    decisions: { release: "Release", release_in_part: "Release in part", withhold: "Withhold" },
    actions: { keep: "kept", mask: "masked", generalise: "made coarser" },
    provision: (reason) => PROVISIONS[reason.code],
    labels: {
      PERSON: "name", POSITION: "post", PHONE: "telephone", EMAIL: "e-mail", ADDRESS: "address", POSTAL_CODE: "postal code",
      RRN: "resident registration number", FRN: "foreigner registration number", SSN: "social security number", PASSPORT: "passport number",
      DRIVER_LICENSE: "driving licence number", ACCOUNT: "account number", CARD: "card number", DT_BIRTH: "date of birth", AGE: "age",
      VEHICLE: "registration plate", IP: "IP address", MEDICAL_INSURANCE: "health insurance number", PRESCRIPTION_ID: "prescription number",
      HEIGHT: "height", WEIGHT: "weight", NATIONALITY: "nationality", EDUCATION: "education", MAJOR: "subject", URL: "web address",
      BUSINESS_REG: "business registration number", CORP_REG: "corporation registration number", SECRET: "password or key",
    },
    kinds: {},
    later: "began after the proposal", laterKinds: { "done already": "done again later", "continuation by the same group": "continued later by the same group" },
  },
};

// The provisions in English; the server names them in Korean.
const PROVISIONS = {
  unique_identifier: "Personal Information Protection Act 24, 24-2 (unique identifier)",
  sensitive: "Personal Information Protection Act 23 (sensitive)",
  personal: "Information Disclosure Act 9(1)6 (privacy)",
  business_secret: "Information Disclosure Act 9(1)7 (business secret)",
  security: "Information Disclosure Act 9(1)1, 9(1)2 (secrets of other laws, national security)",
  deliberation: "Information Disclosure Act 9(1)5 (not decided yet)",
  credential: "means of access (password, key)",
  public: "may be public",
};

// Storage may be switched off, or hold what another program left there.
const stored = (use) => { try { return use(); } catch { return null; } };
let language = [stored(() => localStorage.getItem("language")), navigator.language.slice(0, 2)].find((l) => Object.hasOwn(TEXTS, l)) || "en";
let last = null;
// Counts what was asked or read: of anything but the last, what comes later is not shown.
let turn = 0;
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
const money = (amount, currency) => `${(Math.round(amount) || 0).toLocaleString(language)} ${currency || `(${t().noCurrency})`}`;
// Sums, one a currency, and of how many projects beside them no budget is known. None is added to another.
const sums = (list, unknown) => {
  if (!list.length) return t().unknown;
  const all = list.reduce((n, s) => n + s.projects, unknown);
  return list.map((s) => money(s.amount, s.currency)).join("; ") + (unknown ? ` (${t().unknown}: ${unknown} / ${all})` : "");
};
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

// The pieces of `original` after `changes` ({start, end, by}, in characters of it, in order): [text, was it put there].
function pieces(original, changes) {
  const characters = Array.from(original);
  const found = [];
  let at = 0;
  for (const { start, end, by } of changes) {
    found.push([characters.slice(at, start).join(""), false], [by, true]);
    at = end;
  }
  return [...found, [characters.slice(at).join(""), false]];
}

// The text that the server releases. Marks stand in it only where they yield exactly that text.
function released(found, original, changes) {
  const s = element("section");
  s.append(element("h3", t().shown));
  const box = element("p", undefined, "released");
  box.translate = false;
  const marked = pieces(original, changes);
  const whole = marked.map(([text]) => text).join("") === found.text;
  for (const [text, put] of whole ? marked : [[found.text, false]]) box.append(put ? element("mark", text) : text);
  s.append(box);
  return s;
}

// Where it is. Of what stands in the field above, a button that selects it there.
function place(start, end, original, page) {
  const at = `${page ? `${t().page} ${page}, ` : ""}${start}–${end}`;
  if ($("text").value !== original) return element("span", at, "facts");
  const b = element("button", at, "place");
  b.type = "button";
  b.setAttribute("aria-label", t().characters(at));
  b.addEventListener("click", () => {
    const units = (n) => Array.from(original).slice(0, n).join("").length;
    $("text").setSelectionRange(units(start), units(end));
    // A field scrolls to its selection when it gets the focus.
    $("text").blur();
    $("text").focus();
  });
  return b;
}

const sure = (r) => `${t().rule} ${r.rule}, ${percent(r.confidence)}`;
const changed = (found) => found.spans.filter((s) => s.action !== "keep").map((s) => ({ start: s.start, end: s.end, by: s.replacement }));

function reasons(list) {
  const box = element("ul");
  for (const r of list) box.append(element("li", `${t().provision(r)}: ${r.words} (${sure(r)})`));
  return box;
}

function findings(found, original) {
  const s = element("section");
  s.append(element("h3", `${t().findings}: ${found.spans.length}`));
  const list = element("ul", undefined, "findings");
  for (const f of found.spans) {
    const item = element("li");
    item.append(element(f.action === "keep" ? "span" : "mark", f.replacement), ` ${t().labels[f.label] || f.label}, ${t().actions[f.action]} `);
    item.append(place(f.start, f.end, original), element("small", `${t().provision(f)}; ${sure(f)}`));
    list.append(item);
  }
  s.append(found.spans.length ? list : element("p", t().clean));
  return s;
}

const show = {
  redact(found, out, original) {
    out.append(element("p", t().rules, "facts"), released(found, original, changed(found)), findings(found, original));
  },
  decide(found, out, original, of) {
    const s = element("section");
    if (of) s.append(element("p", `${of.title} (${of.source})`, "facts"));
    s.append(element("h3", t().decisions[found.decision], "decision"), reasons(found.reasons));
    out.append(element("p", t().rules, "facts"), s);
    if (found.decision !== "withhold") {
      const left = found.parts.filter((p) => p.decision === "withhold");
      const inside = (c) => left.some((p) => c.start < p.end && p.start < c.end);
      const outs = left.map((p) => ({ start: p.start, end: p.end, by: `[WITHHELD: ${p.reasons[0].code}]` }));
      out.append(released(found, original, [...outs, ...changed(found).filter((c) => !inside(c))].sort((a, b) => a.start - b.start)));
    }
    if (found.parts.length) {
      const parts = element("section");
      parts.append(element("h3", `${t().parts}: ${found.parts.length}`));
      for (const p of found.parts) {
        const box = element("div", undefined, "part");
        const head = element("p", `${t().decisions[p.decision]} `);
        head.append(place(p.start, p.end, original, p.page));
        box.append(head, reasons(p.reasons));
        parts.append(box);
      }
      out.append(parts);
    }
  },
  documents(found, out) {
    const documents = [...new Map(found.passages.map((p) => [p.doc_id, p])).values()];
    if (!documents.length) { out.append(element("p", found.note || t().noDocument)); return; }
    const s = element("section");
    const list = element("ul", undefined, "choices");
    for (const d of documents) {
      const b = element("button", [d.title, d.institution, d.year, d.source].filter(Boolean).join(" · "));
      b.type = "button";
      // The button goes away with the list; the focus stays where the decision appears.
      b.addEventListener("click", () => { out.focus(); decideDocument(d.doc_id); });
      const item = element("li");
      item.append(b);
      list.append(item);
    }
    s.append(element("h3", t().which), list);
    if (found.note) s.append(element("p", found.note, "facts"));
    out.append(s);
  },
  overlap(found, out) {
    if (!found.verdicts.length) out.append(element("p", t().nothing));
    if (found.proposal.left_out) out.append(element("p", t().leftOut(found.proposal.left_out), "facts"));
    for (const v of found.verdicts) {
      const s = element("section");
      const kind = (v.later && t().laterKinds[v.kind]) || t().kinds[v.kind] || v.kind;
      s.append(element("h3", `${kind} (${percent(v.probability)}): ${v.title}`));
      const facts = [v.project_id, v.institution, period(v), v.stage?.value, v.status?.value, v.budget && `${t().budget} ${money(v.budget, v.currency)}`, v.later && t().later];
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
      found.new_in_proposal.slice(0, NEW_SHOWN).forEach((n) => list.append(element("li", n.quote)));
      if (found.new_in_proposal.length > NEW_SHOWN) list.append(element("li", t().more(found.new_in_proposal.length - NEW_SHOWN)));
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
    if (found.avoidable_projects) {
      const s = element("section");
      s.append(element("h3", `${t().avoidable}: ${sums(found.avoidable_total, found.avoidable_unknown)}`));
      s.append(table(found.avoidable.map((a) => [money(a.spending, a.project.currency), `${a.project.title} (${a.project.project_id})`, `${t().repeats} ${a.repeats}`])));
      out.append(s);
    }
    if (found.clusters.length) {
      const s = element("section");
      s.append(element("h3", t().clusters));
      const list = element("ul");
      for (const c of found.clusters) {
        const line = c.timeline.map((e) => `${e.began || "?"} ${e.title} (${e.project_id}, ${e.institution || t().unknown})`).join(" → ");
        list.append(element("li", `${line}; ${t().spentAfter}: ${sums(c.spent_after, c.spent_after_unknown)}`));
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
      const isOrdered = p.later.began && p.earlier.began && p.later.began !== p.earlier.began;
      s.append(element("p", [p.later, p.earlier].map((e) => `${e.began || "?"} ${e.title} (${e.project_id})`).join(isOrdered ? " ← " : " – "), "facts"));
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

async function call(path, body) {
  const options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
  const response = await fetch(path, options);
  const found = await response.json();
  if (!response.ok) throw new Error(found.error?.message || t().broken);
  return found;
}

// `of`: the document of the index that is asked about.
async function ask(what, path, body, of) {
  const out = $("out");
  $("problem").hidden = true;
  $("saves").hidden = true;
  last = null;
  const mine = ++turn;
  out.replaceChildren(element("p", t().working));
  try {
    const [found, source] = await Promise.all([call(path, body), of && call(of)]);
    if (mine !== turn) return;
    out.replaceChildren();
    last = { what, body, found, original: source ? source.text : body?.text, of: source };
    const kinds = {
      overlap: ["json", "docx", "html", "markdown"], strengths: ["json", "svg"], redact: ["json", "text"], documents: [],
      decide: found.decision === "withhold" ? ["json"] : ["json", "text"],
    }[what] || ["json"];
    $("saves").hidden = !kinds.length;
    document.querySelectorAll("[data-save]").forEach((b) => { b.hidden = !kinds.includes(b.dataset.save); });
    draw();
  } catch (error) {
    if (mine !== turn) return;
    out.replaceChildren();
    $("problem").textContent = error.message || t().broken;
    $("problem").hidden = false;
  }
}

function draw() {
  $("out").replaceChildren();
  show[last.what](last.found, $("out"), last.original, last.of);
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
$("redact").addEventListener("click", () => withText("redact", "/v1/release/redact", "text"));
$("decide").addEventListener("click", () => withText("decide", "/v1/release/decide", "text"));
const decideDocument = (id) => ask("decide", "/v1/release/decide", { doc_id: id }, `/v1/documents/${encodeURIComponent(id)}`);
$("indexed").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = $("document").value.trim();
  if (!words) { $("problem").textContent = t().empty; $("problem").hidden = false; return; }
  if (/^[0-9a-f]{16}$/.test(words)) decideDocument(words);
  else ask("documents", "/v1/search", { q: words, limit: 20 });
});

// A file becomes the text above: whoever asks sees what was read, and the offsets of the answer count its characters.
$("file").addEventListener("change", async () => {
  const file = $("file").files[0];
  if (!file) return;
  $("problem").hidden = true;
  $("saves").hidden = true;
  last = null;
  const mine = ++turn;
  const isChosen = () => $("file").files[0] === file;
  $("out").replaceChildren(element("p", t().reading));
  try {
    const response = await fetch(`/v1/extract?name=${encodeURIComponent(file.name)}`, {
      method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file,
    });
    const found = await response.json();
    if (!response.ok) throw new Error(found.error?.message || t().broken);
    if (isChosen()) $("text").value = found.text;
  } catch (error) {
    if (isChosen()) {
      $("problem").textContent = error.message || t().broken;
      $("problem").hidden = false;
    }
  }
  if (mine === turn) $("out").replaceChildren();
});

function keep(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function save(kind) {
  // Something else may be asked before the file is there.
  const { what, body, found } = last;
  if (kind === "json") return keep(new Blob([JSON.stringify(found, null, 2)], { type: "application/json" }), "sectora-portfolio.json");
  if (kind === "text") return keep(new Blob([found.text], { type: "text/plain;charset=utf-8" }), `sectora-${what}.txt`);
  const asked = kind === "svg"
    ? fetch(`/v1/strengths.svg?language=${language}`)
    : fetch("/v1/overlap/report", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...body, format: kind, language }),
    });
  const file = await asked.then((response) => (response.ok ? response.blob() : null)).catch(() => null);
  if (file) return keep(file, `sectora-${what}.${kind === "markdown" ? "md" : kind}`);
  $("problem").textContent = t().broken;
  $("problem").hidden = false;
  return undefined;
}
document.querySelectorAll("[data-save]").forEach((b) => b.addEventListener("click", () => save(b.dataset.save)));
document.querySelectorAll("[data-language]").forEach((b) => b.addEventListener("click", () => {
  language = b.dataset.language;
  stored(() => localStorage.setItem("language", language));
  speak();
  // Sentences that the program writes are asked for again; everything else is at hand.
  const again = { strengths, consolidate }[last?.what];
  if (again) again();
  else if (last) draw();
}));
speak();
