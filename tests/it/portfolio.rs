//! The portfolio's commands on the demonstration sector, as a user runs them.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use candle_core::quantized::GgmlDType;
use sectora_lm::Architecture;
use sectora_lm::random::{RandomShape, write_gguf};
use serde_json::Value;

use crate::program::{code, json, sectora, sectora_writing};

fn run(data: &Path, arguments: &[&str]) -> Value {
    let output = sectora(data).args(["--json", "--quiet"]).args(arguments).output().unwrap();
    assert!(code(&output) <= 1, "{}", String::from_utf8_lossy(&output.stderr));
    json(&output)
}

/// Characters `start..end` of `text`.
fn slice(text: &str, part: &Value) -> String {
    let at = |key: &str| part[key].as_u64().unwrap() as usize;
    text.chars().skip(at("start")).take(at("end") - at("start")).collect()
}

/// Every quote stands where it says in the text of its document.
fn check_quotes(data: &Path, quotes: &[&Value]) {
    let mut texts: HashMap<String, String> = HashMap::new();
    for quote in quotes {
        let id = quote["doc_id"].as_str().unwrap();
        let text =
            texts.entry(id.to_owned()).or_insert_with(|| run(data, &["show", id])["text"].as_str().unwrap().to_owned());
        assert_eq!(slice(text, quote), quote["quote"].as_str().unwrap());
    }
}

#[test]
fn a_planted_repeat_is_found_with_quotes_of_both_sides_and_fails_the_gate() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["ingest"]);
    let found = run(dir.path(), &["overlap", "--project", "NE-22-204"]);
    let first = &found["verdicts"][0];
    assert_eq!(first["project_id"], "KB-16-031");
    assert_eq!(first["kind"], "done already");
    assert_eq!(first["language"], "ko");
    let text = found["proposal"]["text"].as_str().unwrap();
    let mut sources = Vec::new();
    for verdict in found["verdicts"].as_array().unwrap() {
        let p = verdict["probability"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&p));
        for evidence in verdict["evidence"].as_array().unwrap() {
            assert_eq!(slice(text, &evidence["proposal"]), evidence["proposal"]["quote"].as_str().unwrap());
            sources.push(&evidence["source"]);
        }
    }
    assert!(!sources.is_empty());
    check_quotes(dir.path(), &sources);
    let gate =
        |p: &str| sectora(dir.path()).args(["overlap", "--project", "NE-22-204", "--fail-on", p]).output().unwrap();
    assert_eq!(code(&gate("0.05")), 1);
    assert_eq!(code(&gate("1.0")), 0);
    assert_eq!(code(&gate("7")), 2);
}

#[test]
fn text_on_standard_input_keeps_its_own_offsets() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["ingest"]);
    let text = "  가열 롤로 만드는 건식 양극\r\n\r\n불소계 고분자를 실처럼 늘여   활물질을 얽어매고, 가열한 롤 사이에서 자립막을 만든다. 면용량 6 mAh/cm² 이상이 목표이다.\n";
    let mut child = sectora(dir.path())
        .args(["--json", "--quiet", "overlap", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let found = json(&child.wait_with_output().unwrap());
    assert_eq!(found["proposal"]["text"], text);
    for verdict in found["verdicts"].as_array().unwrap() {
        for evidence in verdict["evidence"].as_array().unwrap() {
            assert_eq!(slice(text, &evidence["proposal"]), evidence["proposal"]["quote"].as_str().unwrap());
        }
    }
}

#[test]
fn an_empty_proposal_and_an_unknown_project_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let output = sectora(dir.path()).args(["overlap", "-"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(code(&output), 2);
    let output = sectora(dir.path()).args(["overlap", "--project", "XX-1"]).output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("XX-1"));
    let output = sectora(dir.path()).args(["strengths"]).output().unwrap();
    assert_eq!(code(&output), 2, "an empty index holds no projects");
}

#[test]
fn a_need_brings_institutes_with_two_citations_and_strengths_and_groups_cite_too() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["ingest"]);
    let found = run(dir.path(), &["match", "용융염으로 NCM 양극재 스크랩을 재생하고 싶다"]);
    let first =
        found["matches"].as_array().unwrap().iter().take(3).find(|m| m["institution"] == "해솔리사이클").unwrap();
    let citations: Vec<&Value> = first["citations"].as_array().unwrap().iter().collect();
    assert!(citations.len() >= 2 && first["thin"] == false, "{first}");
    check_quotes(dir.path(), &citations);
    let elsewhere = run(dir.path(), &["match", "심해 잠수정의 음향 항법을 맡을 기관을 찾는다."]);
    let matches = elsewhere["matches"].as_array().unwrap();
    assert!(!matches.is_empty() && matches.iter().all(|m| m["thin"] == true), "{elsewhere}");
    let strengths = run(dir.path(), &["strengths"]);
    let shares = strengths["topics"][0]["shares"].as_array().unwrap();
    check_quotes(dir.path(), &shares.iter().flat_map(|s| s["citations"].as_array().unwrap()).collect::<Vec<_>>());
    for share in shares {
        let (low, high) = (share["interval"][0].as_f64().unwrap(), share["interval"][1].as_f64().unwrap());
        assert!(low <= share["share"].as_f64().unwrap() && share["share"].as_f64().unwrap() <= high);
    }
    let groups = run(dir.path(), &["consolidate", "--threshold", "0.15", "--must-not", "한빛전지연구원"]);
    assert!(!groups["groups"].as_array().unwrap().is_empty());
    for group in groups["groups"].as_array().unwrap() {
        assert!(group["gain"].as_f64().unwrap() > 0.0);
        for member in group["members"].as_array().unwrap() {
            assert_ne!(member["institution"], "한빛전지연구원");
        }
    }
    let all = run(dir.path(), &["overlap", "--all"]);
    assert!(all["judged"].as_u64().unwrap() > 10);
}

#[test]
fn a_report_as_a_word_document_is_read_back_by_our_own_reader() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["ingest"]);
    let file = dir.path().join("report.docx");
    let name = file.to_str().unwrap();
    let found = run(dir.path(), &["overlap", "--project", "NE-22-204", "--out", name]);
    let read = run(dir.path(), &["overlap", name]);
    let text = read["proposal"]["text"].as_str().unwrap();
    let squeezed = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = squeezed(text);
    assert!(text.contains(&squeezed(found["proposal"]["title"].as_str().unwrap())));
    for verdict in found["verdicts"].as_array().unwrap() {
        assert!(text.contains(verdict["project_id"].as_str().unwrap()), "{verdict}");
        for evidence in verdict["evidence"].as_array().unwrap() {
            for side in ["proposal", "source"] {
                let quote = squeezed(evidence[side]["quote"].as_str().unwrap());
                // The reader marks up table cells; letters and figures are what must arrive.
                let bare = |t: &str| t.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
                assert!(bare(&text).contains(&bare(&quote)), "{quote}");
            }
        }
    }
    let wrong =
        sectora(dir.path()).args(["overlap", "--project", "NE-22-204", "--out", "report.xyz"]).output().unwrap();
    assert_eq!(code(&wrong), 2);
    let wrong = sectora(dir.path()).args(["overlap", "--project", "NE-22-204", "--format", "docx"]).output().unwrap();
    assert_eq!(code(&wrong), 2);
}

#[test]
fn only_new_projects_are_compared_again_and_what_was_found_before_stays() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["ingest"]);
    let first = run(dir.path(), &["overlap", "--all"]);
    assert_eq!(first["compared"], first["projects"]);
    let again = run(dir.path(), &["overlap", "--all"]);
    assert_eq!(again["compared"], 0);
    for part in ["judged", "pairs", "clusters", "matrix", "avoidable"] {
        assert_eq!(first[part], again[part], "{part}");
    }
    // A copy of a project arrives under another number.
    let record = serde_json::json!({
        "project_id": "NEW-1", "title": "Laser-drilled channels in thick graphite anodes for fast charging", "year": 2026,
        "aim": "The aim is to charge cells with thick graphite anodes at 4C without lithium plating.",
        "method": "Ultrashort laser pulses drill hexagonal arrays of holes into the coating.",
        "result": "Plating was delayed.", "institution": "Newcomer Institute", "budget_mkrw": 100
    });
    let file = dir.path().join("new.jsonl");
    std::fs::write(&file, format!("{record}\n")).unwrap();
    run(dir.path(), &["ingest", file.to_str().unwrap()]);
    let third = run(dir.path(), &["overlap", "--all"]);
    let compared = third["compared"].as_u64().unwrap();
    assert_eq!(third["projects"].as_u64().unwrap(), first["projects"].as_u64().unwrap() + 1);
    assert!(compared >= 1 && compared < third["projects"].as_u64().unwrap(), "{compared}");
    let afresh = run(dir.path(), &["overlap", "--all", "--afresh"]);
    assert_eq!(afresh["compared"], afresh["projects"]);
}

#[test]
fn a_portfolio_joined_through_the_store_has_the_same_repeats() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["ingest"]);
    let in_memory = run(dir.path(), &["overlap", "--all"]);
    let through_store = run(dir.path(), &["overlap", "--all", "--through-store"]);
    assert_eq!(through_store["compared"], in_memory["projects"], "what the other join remembers does not count");
    let likely = |found: &Value| -> Vec<(Value, Value)> {
        let pairs = found["pairs"].as_array().unwrap().iter().filter(|p| p["done"].as_f64().unwrap() >= 0.3);
        pairs.map(|p| (p["later"]["project_id"].clone(), p["earlier"]["project_id"].clone())).collect()
    };
    assert!(likely(&in_memory).len() >= 5, "{:?}", likely(&in_memory));
    assert_eq!(likely(&through_store), likely(&in_memory));
    let alone = sectora(dir.path()).args(["overlap", "--through-store", "-"]).output().unwrap();
    assert_eq!(code(&alone), 2, "only with --all");
}

/// A model that says nothing sensible: what it writes is refused, verdicts are those without it.
#[test]
fn what_a_model_of_random_weights_reads_is_refused_without_harm() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["ingest"]);
    let model = dir.path().join("random.gguf");
    let shape = RandomShape { context: 8192, ..RandomShape::tiny(Architecture::Qwen3) };
    write_gguf(&shape, GgmlDType::F32, &model, 5).unwrap();
    let proposal = dir.path().join("proposal.md");
    let text = "# Quiet cooling\n\nThis is asked for by Harbour Pump Works.\n\nThe aim is to flood cylindrical cells with a pumped synthetic ester. \
                The spread of temperature is measured by means of thermocouples.\n";
    std::fs::write(&proposal, text).unwrap();
    let checked = |options: &[&str]| {
        let generator = model.to_str().unwrap();
        let command = ["--json", "--quiet", "overlap", proposal.to_str().unwrap()];
        let output = sectora_writing(dir.path(), generator).args(command).args(options).output().unwrap();
        assert!(code(&output) <= 1, "{}", String::from_utf8_lossy(&output.stderr));
        json(&output)
    };
    let (plain, read) = (checked(&[]), checked(&["--read"]));
    let reading = &read["proposal"]["reading"];
    assert!(!reading["refused"].as_array().unwrap().is_empty(), "{reading}");
    assert_eq!(reading["facts"], serde_json::json!([]));
    assert_eq!(read["proposal"]["institution"], plain["proposal"]["institution"]);
    assert_eq!(read["verdicts"], plain["verdicts"]);
    // Sentences of the documents are no reader.
    let refused = sectora(dir.path()).args(["overlap", proposal.to_str().unwrap(), "--read"]).output().unwrap();
    assert_eq!(code(&refused), 2);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--generator"));
}

#[test]
fn features_are_read_back_in_the_index_they_were_made_in_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["ingest"]);
    let file = dir.path().join("features.jsonl");
    let name = file.to_str().unwrap();
    // Proposals come in pairs of projects, two for fitting and two for testing.
    let compared = run(dir.path(), &["eval", "overlap", "--projects", "5", "--features-out", name]);
    assert_eq!((compared["projects"].as_u64(), compared["proposals"].as_u64()), (Some(4), Some(12)));
    assert_eq!(run(dir.path(), &["eval", "overlap", "--features-in", name]), compared);
    let refused = |arguments: &[&str]| {
        let output =
            sectora(dir.path()).args(["eval", "overlap", "--features-in", name]).args(arguments).output().unwrap();
        assert_eq!(code(&output), 2);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&["--fit", "--few"]).contains("--few fits weights for an index with an encoder"));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"encoder\":null", "\"encoder\":\"other@1\"", 1)).unwrap();
    assert!(refused(&["--fit"]).contains("made with encoder other@1, this index with words only"));
    std::fs::write(&file, text).unwrap();
    let more = dir.path().join("more.md");
    std::fs::write(&more, "# Minutes\n\nThe next meeting is in May.\n").unwrap();
    run(dir.path(), &["ingest", more.to_str().unwrap()]);
    assert!(refused(&[]).contains("this one holds"));
}

/// Ingests three works that others repeat word for word, with budgets in several currencies, in none, and without one.
fn repeats_in_several_currencies(dir: &Path) {
    let works = [
        [
            "Electrostatic curtains against dust on desert solar panels",
            "The aim is to keep dust off desert solar panels without water.",
            "Travelling electric waves lift charged grains from a transparent film of interleaved electrodes.",
            "The film removed nine tenths of the dust within two minutes.",
        ],
        [
            "Anchoring kelp ropes on sandy seabeds",
            "The aim is to hold kelp farms on sandy seabeds through winter storms.",
            "Helical anchors are screwed into the sand by a remotely guided tool and pulled in a wave basin.",
            "The anchors held four times the load of gravity blocks.",
        ],
        [
            "Weaving curved composite ribs on a three-dimensional loom",
            "The aim is to weave curved ribs for aircraft fuselages in one piece.",
            "A loom with individually driven rollers feeds carbon yarns at different speeds across the width.",
            "Ribs with a radius of two metres were woven without wrinkles.",
        ],
    ];
    let records = [
        ("D-1", 0, 2015, "300,000,000 KRW"),
        ("D-2", 0, 2018, "400,000,000 KRW"),
        ("D-3", 0, 2020, "USD 900,000"),
        ("K-1", 1, 2014, "KRW 500,000,000"),
        ("K-2", 1, 2019, "KRW 200,000,000"),
        ("L-1", 2, 2016, "EUR 1,000,000"),
        ("L-2", 2, 2021, "870"),
        ("L-3", 2, 2022, ""),
    ];
    let lines = records.map(|(id, work, year, budget)| {
        let [title, aim, method, result] = works[work];
        let record = serde_json::json!({
            "project_id": id, "title": title, "year": year, "aim": aim, "method": method, "result": result,
            "institution": format!("Institute {id}"), "budget": budget
        });
        format!("{record}\n")
    });
    let file = dir.join("repeats.jsonl");
    std::fs::write(&file, lines.concat()).unwrap();
    run(dir, &["ingest", file.to_str().unwrap()]);
}

/// A sum as JSON.
fn sum(currency: Option<&str>, amount: f64, projects: u64) -> Value {
    serde_json::json!({ "currency": currency, "amount": amount, "projects": projects })
}

#[test]
fn amounts_of_different_currencies_are_never_added() {
    let dir = tempfile::tempdir().unwrap();
    repeats_in_several_currencies(dir.path());
    let all = run(dir.path(), &["overlap", "--all"]);
    let (won, dollars) = (Some("KRW"), Some("USD"));
    assert_eq!(all["avoidable_total"], Value::from(vec![sum(won, 6e8, 2), sum(dollars, 9e5, 1), sum(None, 870.0, 1)]));
    assert_eq!((all["avoidable_projects"].as_u64(), all["avoidable_unknown"].as_u64()), (Some(5), Some(1)));
    let rows = |found: &Value| -> Vec<(String, Value, f64)> {
        let row = |a: &Value| {
            let id = a["project"]["project_id"].as_str().unwrap().to_owned();
            (id, a["project"]["currency"].clone(), a["spending"].as_f64().unwrap())
        };
        found["avoidable"].as_array().unwrap().iter().map(row).collect()
    };
    let row = |id: &str, currency: Option<&str>, spending: f64| (id.to_owned(), Value::from(currency), spending);
    let ranked = [row("D-2", won, 4e8), row("K-2", won, 2e8), row("D-3", dollars, 9e5), row("L-2", None, 870.0)];
    assert_eq!(rows(&all), ranked);
    // So many of each currency.
    let short = run(dir.path(), &["overlap", "--all", "--limit", "1"]);
    assert_eq!(rows(&short), [ranked[0].clone(), ranked[2].clone(), ranked[3].clone()]);
    let spent: Vec<Value> = all["clusters"].as_array().unwrap().iter().map(|c| c["spent_after"].clone()).collect();
    let of_dust = Value::from(vec![sum(won, 4e8, 1), sum(dollars, 9e5, 1)]);
    assert_eq!(spent, [of_dust, Value::from(vec![sum(None, 870.0, 1)]), Value::from(vec![sum(won, 2e8, 1)])]);
    let strengths = run(dir.path(), &["strengths", "--institution", "Institute D-3"]);
    assert_eq!(strengths["institutes"][0]["budget"], Value::from(vec![sum(dollars, 9e5, 1)]));
    let text = sectora(dir.path()).args(["overlap", "--all"]).output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let total = "avoidable spending, estimated: 600,000,000 KRW; 900,000 USD; 870 (no currency stated) (1 of 5 without a known budget)\n";
    assert!(text.contains(total), "{text}");
    assert!(text.contains("spent after the first: 400,000,000 KRW; 900,000 USD\n"), "{text}");
}

#[test]
fn a_largest_budget_counts_within_its_currency_and_is_refused_where_that_is_not_clear() {
    let dir = tempfile::tempdir().unwrap();
    repeats_in_several_currencies(dir.path());
    let budget_of = |found: &Value, id: &str| -> Value {
        let groups = found["groups"].as_array().unwrap();
        let has = |group: &&Value| group["members"].as_array().unwrap().iter().any(|m| m["project_id"] == id);
        groups.iter().find(has).map_or(Value::Null, |group| group["budget"].clone())
    };
    let plain = run(dir.path(), &["consolidate"]);
    assert_eq!(budget_of(&plain, "D-1"), Value::from(vec![sum(Some("KRW"), 7e8, 2), sum(Some("USD"), 9e5, 1)]));
    assert_eq!(budget_of(&plain, "L-3"), Value::from(vec![sum(Some("EUR"), 1e6, 1), sum(None, 870.0, 1)]));
    let small = run(dir.path(), &["consolidate", "--max-budget", "400000000", "--currency", "krw"]);
    let counted = |key: &str| small[key].as_u64();
    assert_eq!((counted("projects"), counted("left_out"), counted("other_currency")), (Some(4), Some(4), Some(3)));
    assert_eq!(small["groups"].as_array().unwrap().len(), 1);
    assert_eq!(budget_of(&small, "D-2"), Value::from(vec![sum(Some("KRW"), 7e8, 2)]));
    let here = "KRW (projects: 4), EUR (projects: 1), USD (projects: 1), none (projects: 1)";
    for (arguments, said) in [
        (
            &["--max-budget", "400000000"][..],
            format!("--max-budget: name its currency with --currency; the budgets here: {here}"),
        ),
        (
            &["--max-budget", "1", "--currency", "JPY"],
            format!("--currency JPY: no budget is in it; the budgets here: {here}"),
        ),
        (&["--currency", "KRW"], "--max-budget".to_owned()),
    ] {
        let output = sectora(dir.path()).arg("consolidate").args(arguments).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(code(&output) == 2 && words.contains(&said), "{arguments:?}: {words}");
    }
}

/// Ingests these records of projects.
fn ingest_projects(dir: &Path, records: &[Value]) {
    let file = dir.join("projects.jsonl");
    std::fs::write(&file, records.iter().map(|record| format!("{record}\n")).collect::<String>()).unwrap();
    run(dir, &["ingest", file.to_str().unwrap()]);
}

#[test]
fn a_title_that_says_what_is_asked_founds_a_match_by_itself_and_a_word_in_common_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let projects = [
        ("W-1", "소음이 적은 해상 풍력 기초 항타 공법", "고래가 다니는 바다에서 물속 울림을 누그러뜨린다.", "가람해양"),
        ("W-2", "파랑 관측 기록의 선상 압축", "배가 오래 머무는 동안 저장 공간을 아낀다.", "나루부이"),
        ("W-3", "갯벌 굴 양식장의 자동 세척", "사람 손을 덜어 어촌의 일을 쉽게 한다.", "다래수산"),
        ("W-4", "겨울 도로의 결빙 예보", "다리 위 차량이 미끄러지지 않게 미리 알린다.", "라온도로"),
        ("W-5", "산불 뒤 숲의 토양 회복", "비탈이 무너지기 전에 뿌리를 내리게 한다.", "마루숲"),
        ("W-6", "한옥 목재의 흰개미 탐지", "기둥을 헐지 않고 속을 들여다본다.", "바른한옥"),
    ];
    let record = |(id, title, aim, institution): (&str, &str, &str, &str)| serde_json::json!({ "project_id": id, "title": title, "aim": aim, "institution": institution, "year": 2024 });
    ingest_projects(dir.path(), &projects.map(record));
    let founded = |need: &str| -> Vec<String> {
        let found = run(dir.path(), &["match", need]);
        let all = found["matches"].as_array().unwrap().iter().filter(|m| m["thin"] == false);
        // Each is shown with the title that it rests on.
        all.map(|m| format!("{}: {}", m["institution"], m["citations"][0]["project_id"]).replace('"', "")).collect()
    };
    assert_eq!(founded("소음을 줄인 해상 풍력 기초 항타 공법"), ["가람해양: W-1"]);
    assert_eq!(founded("소음을 줄인 해상 풍력 기초 항타 공법을 맡을 기관을 찾습니다."), ["가람해양: W-1"]);
    // Most of the title, less of the need.
    assert_eq!(founded("파랑 관측 기록을 위성으로 보낼 장치"), ["나루부이: W-2"]);
    for stranger in
        ["해상 수영장의 안전 요원 교육", "도로 위 굴 껍데기로 만든 숲 그림책", "연구를 맡을 기관을 찾습니다."]
    {
        assert_eq!(founded(stranger), Vec::<String>::new(), "{stranger}");
    }
}

#[test]
fn a_pair_is_the_same_whether_one_project_or_all_are_asked_about() {
    let dir = tempfile::tempdir().unwrap();
    let aim = "The aim is a silent hydraulic ram lifting canal water toward terraced orchards, vineyards, nurseries, dairies, \
               villages, monasteries and quarries throughout drought, frost, harvest, siege and carnival seasons.";
    let method = "Bronze valves, leather gaskets, larch pipes, basalt foundations, copper strainers, iron flywheels, brass \
                  couplings, ceramic linings and granite cisterns follow drawings of medieval millwrights, surveyors, \
                  masons and tinkers.";
    let more = "Otters shun turbines. Swallows nest under gutters. Beekeepers dislike pollen dust.";
    let record = |id: &str, year: i32, method: &str, pi: &str| {
        serde_json::json!({
            "project_id": id, "title": "A silent hydraulic ram", "year": year, "aim": aim, "method": method, "pi": pi,
            "institution": "Brook Works"
        })
    };
    let stranger = |(title, aim): (&str, &str)| {
        let institution = format!("House of {title}");
        serde_json::json!({ "project_id": title, "title": title, "year": 2010, "aim": aim, "institution": institution })
    };
    let strangers = [
        ("Violin cases", "Carbon shells keep violins dry on ferries."),
        ("Canoe paddles", "Spruce laminates flex without splitting."),
        ("Saddle trees", "Beech frames spread riders evenly over withers."),
        ("Kite tails", "Ribbons of silk steady flight above dunes."),
        ("Lantern shades", "Oiled paper softens candles at festivals."),
        ("Sledge runners", "Waxed ash glides across powder snow."),
    ];
    let mut records =
        vec![record("R-1", 2015, method, "Mara Quill"), record("R-2", 2019, &format!("{method} {more}"), "Mara Quill")];
    records.extend(strangers.map(stranger));
    ingest_projects(dir.path(), &records);
    let continuation = "continuation by the same group";
    let all = run(dir.path(), &["overlap", "--all"]);
    let pair = all["pairs"].as_array().unwrap().iter().find(|p| p["later"]["project_id"] == "R-2").unwrap();
    assert_eq!((&pair["earlier"]["project_id"], &pair["kind"]), (&"R-1".into(), &continuation.into()), "{pair}");
    assert_eq!((&all["clusters"], &all["avoidable_projects"]), (&serde_json::json!([]), &serde_json::json!(0)));
    for (asked, other, later) in [("R-2", "R-1", false), ("R-1", "R-2", true)] {
        let found = run(dir.path(), &["overlap", "--project", asked]);
        let verdict = &found["verdicts"][0];
        assert_eq!((&verdict["project_id"], &verdict["later"]), (&other.into(), &later.into()), "{asked}");
        assert_eq!(verdict["kind"], continuation, "{asked}: {verdict}");
    }
    let report = sectora(dir.path()).args(["overlap", "--project", "R-1"]).output().unwrap();
    let text = String::from_utf8_lossy(&report.stdout).into_owned();
    for said in ["continued later by the same group", "began after the proposal", "Later work `R-2`"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn what_began_later_was_not_done_already() {
    let dir = tempfile::tempdir().unwrap();
    repeats_in_several_currencies(dir.path());
    for (asked, exit, said) in [("K-2", 1, "done already"), ("K-1", 0, "done again later")] {
        let output = sectora(dir.path()).args(["overlap", "--project", asked, "--fail-on", "0.9"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(code(&output) == exit && text.contains(&format!("## 1. {said} (")), "{asked}: {text}");
    }
}

#[test]
fn a_repeat_fails_the_gate_though_the_limit_hides_it() {
    let dir = tempfile::tempdir().unwrap();
    let record = |id: &str, year: i32| {
        serde_json::json!({
            "project_id": id, "title": "Anchoring kelp ropes on sandy seabeds", "year": year,
            "aim": "The aim is to hold kelp farms on sandy seabeds through winter storms.",
            "method": "Helical anchors are screwed into the sand by a guided tool and pulled in a wave basin.",
            "institution": format!("Institute {id}")
        })
    };
    ingest_projects(dir.path(), &[record("A-9", 2022), record("B-1", 2015), record("B-5", 2018)]);
    let command = ["--json", "--quiet", "overlap", "--project", "B-5", "--limit", "1", "--fail-on", "0.9"];
    let output = sectora(dir.path()).args(command).output().unwrap();
    let verdicts = json(&output)["verdicts"].clone();
    assert_eq!((verdicts.as_array().unwrap().len(), &verdicts[0]["project_id"]), (1, &"A-9".into()), "{verdicts}");
    assert_eq!((verdicts[0]["later"].as_bool(), code(&output)), (Some(true), 1));
}

#[test]
fn two_records_of_one_id_are_two_projects_with_names_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let record =
        |title: &str, aim: &str| serde_json::json!({ "project_id": "Q-1", "title": title, "aim": aim, "year": 2020 });
    let kiln =
        record("Quiet kilns for small potteries", "The aim is a burner that whispers while bricks bake overnight.");
    let loom = record("Looms for curved ribs", "The aim is to weave ribs for gliders in one piece without wrinkles.");
    ingest_projects(dir.path(), &[kiln, loom]);
    let title = |id: &str| run(dir.path(), &["overlap", "--project", id])["proposal"]["title"].clone();
    assert_eq!(
        (title("Q-1"), title("Q-1~2")),
        ("Quiet kilns for small potteries".into(), "Looms for curved ribs".into())
    );
    let shown = |text: &str| -> Vec<String> {
        let file = dir.path().join("proposal.md");
        std::fs::write(&file, text).unwrap();
        let found = run(dir.path(), &["overlap", file.to_str().unwrap(), "--with-none"]);
        let mut ids: Vec<String> = found["verdicts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v["project_id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let text = "# Ribs and kilns\n\nThe aim is a loom that weaves curved ribs and a quiet kiln that bakes bricks.\n";
    assert_eq!(shown(text), ["Q-1", "Q-1~2"]);
    // The same id in another file: told apart by the paths.
    let file = dir.path().join("more.jsonl");
    let again = record("Ribs of bamboo", "The aim is to weave curved bamboo ribs on a loom.");
    std::fs::write(&file, format!("{again}\n")).unwrap();
    run(dir.path(), &["ingest", file.to_str().unwrap()]);
    let ids = shown(text);
    assert!(ids.len() == 3 && ids.iter().any(|id| id == "Q-1~2"), "{ids:?}");
    assert!(ids.iter().any(|id| id.ends_with("more.jsonl#Q-1")), "{ids:?}");
    let refused = sectora(dir.path()).args(["overlap", "--project", "Q-1"]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(code(&refused) == 2 && said.contains("more.jsonl#Q-1"), "{said}");
}

#[test]
fn a_word_or_two_are_no_proposal() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("few.txt");
    for (text, words) in [("전해질", 1), ("dry electrodes", 2)] {
        std::fs::write(&file, text).unwrap();
        let output = sectora(dir.path()).args(["overlap", file.to_str().unwrap()]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(code(&output) == 2 && said.contains(&format!("different ones: {words}, needed")), "{said}");
    }
}

#[test]
fn whoever_is_not_disclosed_is_no_institution_to_filter_by() {
    let dir = tempfile::tempdir().unwrap();
    let record = |id: &str, what: &str, institution: &str| {
        let aim = format!("The aim is a quiet {what}.");
        serde_json::json!({ "project_id": id, "title": format!("Quiet {what}"), "aim": aim, "institution": institution })
    };
    let records =
        [record("N-1", "kiln", "Kiln Works"), record("N-2", "oven", "비공개"), record("N-3", "stove", "not disclosed")];
    let file = dir.path().join("quiet.jsonl");
    std::fs::write(&file, records.map(|record| format!("{record}\n")).concat()).unwrap();
    run(dir.path(), &["ingest", file.to_str().unwrap()]);
    let found = run(dir.path(), &["search", "quiet kiln", "--institution", "Nobody"]);
    let note = found["note"].as_str().unwrap();
    assert!(note.ends_with("The index has these institutions: Kiln Works."), "{note}");
    let asked = |by: &str| {
        run(dir.path(), &["search", "quiet oven", "--institution", by])["passages"].as_array().unwrap().len()
    };
    assert_eq!((asked("Kiln Works"), asked("비공개")), (1, 1), "what is written can still be asked for");
}
