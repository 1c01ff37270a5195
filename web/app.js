// The page at `/`: asks /v1/chat/completions, shows sentences as they are verified, opens their sources.
// Whatever comes from the server or a document enters the page as text, never as markup.

const TEXTS = {
  ko: {
    skip: "질문 입력란으로 건너뛰기",
    newChat: "새 대화",
    interfaceLanguage: "이 페이지의 언어",
    welcome: "이 분야의 연구개발 문서에 물어보세요",
    promise: "답변의 모든 문장에는 근거가 표시됩니다. 문서에 답이 없으면 없다고 말합니다.",
    examples: "예를 들면",
    conversation: "대화",
    filters: "문서 범위",
    institution: "기관",
    yearFrom: "시작 연도",
    yearTo: "끝 연도",
    clearFilters: "지우기",
    question: "질문",
    placeholder: "질문을 입력하세요",
    send: "질문",
    stop: "중지",
    hint: "Enter로 질문하고, Shift+Enter로 줄을 바꿉니다.",
    close: "닫기",
    passage: "자료 원문",
    wholeDocument: "문서 전체의 추출 텍스트 (JSON)",
    api: "HTTP API",
    you: "질문",
    sectora: "답변",
    searching: "문서를 찾는 중…",
    reading: (n) => `자료 ${n}건을 읽는 중…`,
    done: (n) => `답변이 끝났습니다. 근거 ${n}건.`,
    stopped: "중지했습니다.",
    cutOff: "길이 제한으로 답변이 끊겼습니다.",
    nearest: "가장 가까운 자료",
    sources: "근거",
    openSource: (n) => `근거 ${n} 열기`,
    page: (n) => `${n}쪽`,
    year: (n) => `${n}년`,
    factInstitution: "기관",
    factYear: "연도",
    factPage: "쪽",
    factSection: "위치",
    factSource: "파일",
    searchedFor: "찾은 질문",
    madeBy: (g, s) => `${g}, ${s}초`,
    respelt: (from, to) => `‘${from}’ 대신 ‘${to}’(으)로 찾았습니다.`,
    answersBy: (g) => `답변: ${g}`,
    extractive: "문서의 문장을 그대로 (언어 모델 없음)",
    span: "문장에서 답인 말만 (작은 읽기 모델)",
    filtersSet: (n) => `(${n}개 적용)`,
    yearsSwapped: "시작 연도가 끝 연도보다 늦습니다.",
    yearOdd: "연도는 네 자리 숫자로 적습니다.",
    unreachable: "서버에 연결할 수 없습니다. 실행 중인지 확인하고 다시 시도하세요.",
    busy: "다른 질문이 많이 기다리고 있습니다. 잠시 뒤에 다시 시도하세요.",
    broken: "답변이 도중에 끊겼습니다. 다시 시도하세요.",
    noQuestion: "질문을 입력하세요.",
  },
  en: {
    skip: "Skip to the question",
    newChat: "New conversation",
    interfaceLanguage: "Language of this page",
    welcome: "Ask the R&D documents of this field",
    promise: "Every sentence of an answer names the place it comes from. If the documents do not answer, Sectora says so.",
    examples: "For example",
    conversation: "Conversation",
    filters: "Limit the documents",
    institution: "Institution",
    yearFrom: "From year",
    yearTo: "To year",
    clearFilters: "Clear",
    question: "Your question",
    placeholder: "Ask a question",
    send: "Ask",
    stop: "Stop",
    hint: "Enter asks, Shift+Enter starts a new line.",
    close: "Close",
    passage: "Passage in the source",
    wholeDocument: "Extracted text of the whole document (JSON)",
    api: "HTTP API",
    you: "Question",
    sectora: "Answer",
    searching: "Searching the documents…",
    reading: (n) => `Reading ${n} passages…`,
    done: (n) => `The answer is complete. ${n} sources.`,
    stopped: "Stopped.",
    cutOff: "The answer was cut at the length limit.",
    nearest: "Nearest passages",
    sources: "Sources",
    openSource: (n) => `Open source ${n}`,
    page: (n) => `p. ${n}`,
    year: (n) => `${n}`,
    factInstitution: "Institution",
    factYear: "Year",
    factPage: "Page",
    factSection: "Section",
    factSource: "File",
    searchedFor: "Searched for",
    madeBy: (g, s) => `${g}, ${s} s`,
    respelt: (from, to) => `Searched for “${to}” instead of “${from}”.`,
    answersBy: (g) => `Answers by: ${g}`,
    extractive: "sentences of the documents (no language model)",
    span: "the words of a sentence that answer (small span reader)",
    filtersSet: (n) => `(${n} set)`,
    yearsSwapped: "The first year is after the last year.",
    yearOdd: "Write years with four digits.",
    unreachable: "The server cannot be reached. See that it runs, then try again.",
    busy: "Many questions are waiting. Try again in a moment.",
    broken: "The answer broke off. Try again.",
    noQuestion: "Write a question first.",
  },
};

const $ = (id) => document.getElementById(id);

const state = {
  language: "en",
  sector: null,
  /** Finished turns, as the API takes them. */
  history: [],
  /** Aborts the running answer. */
  running: null,
  /** What is shown in the source panel: {citation, passage, opener}. */
  shown: null,
  /** Redraws that depend on the language. */
  turns: [],
};

start();

function start() {
  const stored = remembered("language");
  const browser = (navigator.languages ?? [navigator.language]).map((l) => l.slice(0, 2).toLowerCase());
  setLanguage(stored ?? browser.find((l) => l in TEXTS) ?? "en");
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      remember("language", button.dataset.language);
      setLanguage(button.dataset.language);
    });
  }
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    ask($("question").value);
  });
  $("question").addEventListener("keydown", (event) => {
    // While Korean is being composed, Enter ends the syllable.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      ask($("question").value);
    }
  });
  $("question").addEventListener("input", fitQuestion);
  $("stop").addEventListener("click", () => state.running?.abort());
  $("new-chat").addEventListener("click", newChat);
  $("close-source").addEventListener("click", closeSource);
  $("clear-filters").addEventListener("click", () => {
    for (const id of ["institution", "year-from", "year-to"]) $(id).value = "";
    showFilterCount();
  });
  $("filters").addEventListener("input", showFilterCount);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !$("source").hidden) closeSource();
  });
  loadSector();
}

// Language

function t(key, ...values) {
  const text = TEXTS[state.language][key];
  return typeof text === "function" ? text(...values) : text;
}

function setLanguage(language) {
  state.language = language in TEXTS ? language : "en";
  document.documentElement.lang = state.language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = t(element.dataset.placeholder);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === state.language));
  }
  showSector();
  showFilterCount();
  for (const turn of state.turns) turn.relabel();
  if (state.shown) fillSource();
}

function remembered(key) {
  try {
    return localStorage.getItem(`sectora.${key}`);
  } catch {
    return null; // storage may be switched off
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(`sectora.${key}`, value);
  } catch {
    // then the choice lasts as long as the page
  }
}

// Sector

async function loadSector() {
  try {
    const response = await fetch("/v1/sector");
    if (!response.ok) throw new Error((await problemOf(response)) ?? t("unreachable"));
    state.sector = await response.json();
  } catch (error) {
    problem(error instanceof TypeError ? t("unreachable") : error.message);
    return;
  }
  const list = $("institutions");
  list.replaceChildren(...state.sector.institutions.map(({ name }) => element("option", { value: name })));
  showSector();
}

function showSector() {
  const sector = state.sector;
  if (!sector) return;
  const other = state.language === "ko" ? "en" : "ko";
  const title = sector.title[state.language] || sector.title[other];
  $("sector-title").textContent = title;
  document.title = `${title} · Sectora`;
  $("sector-description").textContent = sector.description[state.language] || sector.description[other];
  $("made-by").textContent = t("answersBy", generatorName(sector.generator));
  const first = sector.examples[state.language];
  const examples = first.length ? first : sector.examples[other];
  $("examples-box").hidden = examples.length === 0;
  $("examples").replaceChildren(
    ...examples.map((example) => {
      const button = element("button", { type: "button", className: "example", textContent: example });
      button.addEventListener("click", () => ask(example));
      return element("li", {}, button);
    }),
  );
}

function generatorName(name) {
  return ["extractive", "span"].includes(name) ? t(name) : name.replace(/^(local|remote):/, "");
}

// Filters

function readFilters() {
  const filters = {};
  const institution = $("institution").value.trim();
  if (institution) filters.institution = institution;
  for (const [id, key] of [["year-from", "year_from"], ["year-to", "year_to"]]) {
    const input = $(id);
    if (input.value.trim() === "" && !input.validity.badInput) continue;
    const year = Number(input.value);
    if (!Number.isInteger(year) || year < 1000 || year > 9999) return { error: t("yearOdd"), focus: input };
    filters[key] = year;
  }
  if (filters.year_from > filters.year_to) return { error: t("yearsSwapped"), focus: $("year-from") };
  return { filters };
}

function showFilterCount() {
  const set = ["institution", "year-from", "year-to"].filter((id) => $(id).value.trim() !== "").length;
  $("filters-set").textContent = set ? t("filtersSet", set) : "";
}

// Asking

async function ask(text) {
  const question = text.trim();
  if (state.running) return;
  problem(null);
  if (!question) {
    problem(t("noQuestion"));
    $("question").focus();
    return;
  }
  const { filters, error, focus } = readFilters();
  if (error) {
    $("filters").open = true;
    problem(error);
    focus.focus();
    return;
  }
  $("question").value = "";
  fitQuestion();
  $("welcome").hidden = true;
  $("new-chat").hidden = false;

  const turn = new Turn(question);
  state.turns.push(turn);
  $("turns").append(turn.root);
  turn.root.scrollIntoView({ block: "start" });
  setRunning(new AbortController());
  try {
    await stream(question, filters, turn, state.running.signal);
    state.history.push({ role: "user", content: question }, { role: "assistant", content: turn.text });
    say(t("done", turn.sourceCount()));
  } catch (failure) {
    if (failure.name === "AbortError") {
      turn.end("stopped");
      say(t("stopped"));
    } else {
      turn.fail(failure instanceof TypeError ? () => t("unreachable") : () => failure.message);
      if (turn.text === "") $("question").value = question;
      fitQuestion();
    }
  } finally {
    setRunning(null);
  }
}

async function stream(question, filters, turn, signal) {
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    signal,
    body: JSON.stringify({
      model: state.sector?.model ?? "",
      stream: true,
      messages: [...state.history, { role: "user", content: question }],
      sectora: { filters },
    }),
  });
  if (!response.ok) {
    throw new Error(response.status === 429 ? t("busy") : ((await problemOf(response)) ?? t("broken")));
  }
  for await (const data of serverSentEvents(response.body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Error(chunk.error.message);
    const choice = chunk.choices[0];
    if (choice?.delta?.content) turn.write(choice.delta.content);
    if (chunk.sectora?.citations) turn.finish(chunk.sectora, choice.finish_reason);
    else if (chunk.sectora?.passages) turn.found(chunk.sectora.passages.length);
  }
  throw new Error(t("broken"));
}

/** The data of each event; comments and other fields are dropped. */
async function* serverSentEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    buffer += value;
    const events = buffer.split("\n\n");
    buffer = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).replace(/^ /, ""));
      if (data.length) yield data.join("\n");
    }
  }
}

async function problemOf(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return null;
  }
}

function setRunning(controller) {
  state.running = controller;
  $("send").hidden = controller !== null;
  $("stop").hidden = controller === null;
  // On a touch screen focus would open the keyboard over the answer.
  if (controller === null && matchMedia("(pointer: fine)").matches) $("question").focus({ preventScroll: true });
}

function newChat() {
  state.running?.abort();
  state.history = [];
  state.turns = [];
  $("turns").replaceChildren();
  $("welcome").hidden = false;
  $("new-chat").hidden = true;
  if (!$("source").hidden) closeSource();
  problem(null);
  $("question").focus();
}

// One question and its answer

class Turn {
  constructor(question) {
    this.text = "";
    this.grounds = null;
    this.ending = null;
    this.foundCount = null;
    this.failure = null;
    this.youLabel = element("span", { className: "who unseen" });
    this.answerLabel = element("span", { className: "who unseen" });
    this.progress = element("p", { className: "progress" });
    this.body = element("p", { className: "answer-text", lang: languageOf(question) });
    this.after = element("div", { className: "after" });
    this.root = element(
      "li",
      { className: "turn" },
      element("div", { className: "asked" }, this.youLabel, element("p", { textContent: question, lang: languageOf(question) })),
      element("div", { className: "answered" }, this.answerLabel, this.progress, this.body, this.after),
    );
    this.relabel();
  }

  found(count) {
    this.foundCount = count;
    this.relabel();
  }

  write(text) {
    this.text += text;
    this.drawText();
    this.relabel();
  }

  finish(grounds, finishReason) {
    this.grounds = grounds;
    // What was respelt, and the notes, end the content for clients that show nothing else; here they stand by themselves.
    const notes = (grounds.notes ?? []).join("\n");
    const below = this.text.lastIndexOf("\n\n", this.text.length - notes.length);
    if ((notes || grounds.respelt?.length) && below >= 0 && this.text.endsWith(notes)) this.text = this.text.slice(0, below);
    this.end(finishReason === "length" ? "cutOff" : "complete");
  }

  end(ending) {
    this.ending = ending;
    this.drawText();
    this.relabel();
  }

  fail(message) {
    this.failure = message;
    this.end("failed");
  }

  sourceCount() {
    return new Set(this.grounds?.citations.map((c) => c.n) ?? []).size;
  }

  /** The answer with its [n] as buttons once their sources are known. */
  drawText() {
    const parts = [];
    let sentence = 0;
    let markBefore = false;
    for (const part of this.text.split(/(\[\d+\])/)) {
      const mark = /^\[(\d+)\]$/.exec(part);
      if (!mark) {
        if (markBefore && part.trim()) sentence += 1;
        if (part.trim()) markBefore = false;
        parts.push(part);
        continue;
      }
      markBefore = true;
      parts.push(this.mark(Number(mark[1]), sentence) ?? part);
    }
    this.body.replaceChildren(...parts);
  }

  /** A button for [n]; the citation of its own sentence if there is one, else any of that passage. */
  mark(n, sentence) {
    const citations = this.grounds?.citations.filter((c) => c.n === n) ?? [];
    const citation = citations.find((c) => c.sentence === sentence) ?? citations[0];
    if (!citation) return null;
    const button = element("button", { type: "button", className: "mark", textContent: `[${n}]` });
    button.title = citation.title;
    button.setAttribute("aria-label", t("openSource", n));
    const passage = this.grounds.passages.find((p) => p.n === n);
    button.addEventListener("click", () => openSource({ citation, passage, opener: button }));
    return button;
  }

  /** Everything whose words depend on the language of the page. */
  relabel() {
    this.youLabel.textContent = t("you");
    this.answerLabel.textContent = t("sectora");
    const waiting = this.ending === null && this.text === "";
    this.progress.hidden = !waiting;
    if (waiting) {
      const words = this.foundCount === null ? t("searching") : t("reading", this.foundCount);
      if (this.progress.textContent !== words) say(words);
      this.progress.textContent = words;
    }
    this.root.classList.toggle("abstained", this.grounds?.abstained === true);
    for (const button of this.body.querySelectorAll(".mark")) {
      button.setAttribute("aria-label", t("openSource", button.textContent.slice(1, -1)));
    }
    this.after.replaceChildren(...this.afterParts());
  }

  afterParts() {
    const parts = [];
    if (this.ending === "failed") parts.push(element("p", { className: "problem", role: "alert", textContent: this.failure() }));
    if (this.ending === "stopped") parts.push(element("p", { className: "note", textContent: t("stopped") }));
    if (this.ending === "cutOff") parts.push(element("p", { className: "note", textContent: t("cutOff") }));
    if (!this.grounds) return parts;
    const { abstained, citations, passages, generator, respelt, notes, timings_ms: timings } = this.grounds;
    for (const note of notes ?? []) parts.push(element("p", { className: "note", textContent: `※ ${note}` }));
    for (const { from, to } of respelt ?? []) parts.push(element("p", { className: "note", textContent: t("respelt", from, to) }));
    const rows = abstained ? passages.slice(0, 3).map((passage) => ({ passage, citation: null })) : cited(citations, passages);
    if (rows.length) {
      parts.push(element("h3", { textContent: t(abstained ? "nearest" : "sources") }));
      parts.push(element("ol", { className: "cards" }, ...rows.map((row) => this.card(row))));
    }
    parts.push(element("p", { className: "note", textContent: t("madeBy", generatorName(generator), (timings.total / 1000).toFixed(1)) }));
    return parts;
  }

  card({ passage, citation }) {
    const facts = [passage.institution, passage.year && t("year", passage.year), pageOf(citation ?? passage)].filter(Boolean);
    const button = element(
      "button",
      { type: "button", className: "card" },
      element("span", { className: "card-n", textContent: `[${passage.n}]` }),
      element("span", { className: "card-title", textContent: passage.title, lang: passage.language }),
      element("span", { className: "card-facts", textContent: facts.join(" · ") }),
      element("span", { className: "card-quote", textContent: oneLine(citation?.quote ?? passage.text), lang: passage.language }),
    );
    button.addEventListener("click", () => openSource({ citation, passage, opener: button }));
    return element("li", {}, button);
  }
}

/** One row a cited passage, in the order of first citation. */
function cited(citations, passages) {
  const rows = new Map();
  for (const citation of citations) {
    const passage = passages.find((p) => p.n === citation.n);
    if (passage && !rows.has(citation.n)) rows.set(citation.n, { passage, citation });
  }
  return [...rows.values()];
}

// The source panel

function openSource(shown) {
  state.shown = shown;
  fillSource();
  $("source").hidden = false;
  document.body.classList.add("with-source");
  $("source-title").focus();
}

function closeSource() {
  $("source").hidden = true;
  document.body.classList.remove("with-source");
  const opener = state.shown?.opener;
  state.shown = null;
  (opener?.isConnected ? opener : $("question")).focus();
}

function fillSource() {
  const { citation, passage } = state.shown;
  $("source-title").textContent = `[${passage.n}] ${passage.title}`;
  $("source-title").lang = passage.language;
  const facts = [
    ["factInstitution", passage.institution],
    ["factYear", passage.year],
    ["factPage", (citation ?? passage).page],
    ["factSection", passage.section],
    ["factSource", passage.source],
  ];
  $("source-facts").replaceChildren(
    ...facts
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .flatMap(([key, value]) => [element("dt", { textContent: t(key) }), element("dd", { textContent: String(value) })]),
  );
  $("source-text").lang = passage.language;
  $("source-text").replaceChildren(...quoted(passage, citation));
  $("source-link").href = `/v1/documents/${encodeURIComponent(passage.doc_id)}`;
}

/** The passage with the quote marked. Offsets count code points, which JavaScript's strings do not. */
function quoted(passage, citation) {
  if (!citation) return [passage.text];
  const letters = Array.from(passage.text);
  const from = citation.start - passage.start;
  const to = citation.end - passage.start;
  if (from < 0 || to > letters.length || letters.slice(from, to).join("") !== citation.quote) return [passage.text];
  return [
    letters.slice(0, from).join(""),
    element("mark", { textContent: citation.quote }),
    letters.slice(to).join(""),
  ];
}

// Small things

function element(name, properties, ...children) {
  const made = document.createElement(name);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

function pageOf({ page }) {
  return page === null || page === undefined ? null : t("page", page);
}

function oneLine(text) {
  return text.replace(/\s+/g, " ").trim();
}

function languageOf(text) {
  return /[가-힣]/.test(text) ? "ko" : "en";
}

function problem(message) {
  $("problem").hidden = message === null;
  $("problem").textContent = message ?? "";
}

function say(message) {
  $("status").textContent = message;
}

function fitQuestion() {
  const box = $("question");
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
}
