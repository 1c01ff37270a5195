//! From messages to the prompt a model was trained on: its own chat template, or its family's.
//!
//! Templates come from downloaded files: they run with a fuel limit and see nothing but the messages.
//! A template that refuses a system message gets it at the head of the first user message.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, context};
use serde::Serialize;

use crate::gguf::Gguf;
use crate::{Architecture, LmError, Tokenizer};

/// Instructions (and, roughly, units of 64 bytes) a template may use.
const FUEL: u64 = 2_000_000;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChatMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

impl ChatMessage {
    /// The rules.
    pub fn system(content: &str) -> ChatMessage {
        ChatMessage { role: "system".into(), content: content.into() }
    }

    /// A question.
    pub fn user(content: &str) -> ChatMessage {
        ChatMessage { role: "user".into(), content: content.into() }
    }

    /// An answer.
    pub fn assistant(content: &str) -> ChatMessage {
        ChatMessage { role: "assistant".into(), content: content.into() }
    }
}

/// A Jinja template with the names of the tokens it may write.
pub struct ChatTemplate {
    source: String,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// The template of a model file, or that of its family where the file has none.
    pub fn of(gguf: &Gguf, architecture: Architecture, tokenizer: &Tokenizer) -> ChatTemplate {
        let source = gguf.str("tokenizer.chat_template").unwrap_or_else(|| fallback(architecture, tokenizer));
        ChatTemplate::new(source, tokenizer.bos().unwrap_or_default(), tokenizer.eos().unwrap_or_default())
    }

    /// A template from its text and the tokens that begin and end a text.
    pub fn new(source: &str, bos: &str, eos: &str) -> ChatTemplate {
        ChatTemplate { source: source.into(), bos: bos.into(), eos: eos.into() }
    }

    /// The prompt, up to where the assistant begins to speak. Thinking is switched off where a template
    /// knows `enable_thinking` (Qwen3).
    pub fn render(&self, messages: &[ChatMessage]) -> Result<String, LmError> {
        self.render_as_is(messages).or_else(|error| match without_system(messages) {
            Some(merged) => self.render_as_is(&merged),
            None => Err(error),
        })
    }

    fn render_as_is(&self, messages: &[ChatMessage]) -> Result<String, LmError> {
        let about = |e: minijinja::Error| LmError::Template(e.to_string());
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(about)?;
        environment.set_syntax(syntax);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |what: String| -> Result<String, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, what))
        });
        environment.add_function("strftime_now", |format: &str| date::format(format, date::today()));
        environment.add_template("chat", &self.source).map_err(about)?;
        let template = environment.get_template("chat").map_err(about)?;
        let rendered = template.render(context! {
            messages => Serde(messages),
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
            add_generation_prompt => true,
            enable_thinking => false,
        });
        rendered.map_err(about)
    }
}

/// The same messages with the system's at the head of the first user message.
fn without_system(messages: &[ChatMessage]) -> Option<Vec<ChatMessage>> {
    let (first, rest) = messages.split_first()?;
    let mut rest = rest.to_vec();
    let user = rest.first_mut().filter(|m| m.role == "user" && first.role == "system")?;
    user.content = format!("{}\n\n{}", first.content, user.content);
    Some(rest)
}

/// The template of a family, for files that carry none.
fn fallback(architecture: Architecture, tokenizer: &Tokenizer) -> &'static str {
    let has = |name: &str| tokenizer.id(name).is_some();
    match architecture {
        Architecture::Llama if has("<|start_header_id|>") => include_str!("chat/llama3.jinja"),
        Architecture::Llama if has("<|im_start|>") => include_str!("chat/chatml.jinja"),
        Architecture::Llama => include_str!("chat/llama2.jinja"),
        Architecture::Qwen2 => include_str!("chat/chatml.jinja"),
        Architecture::Qwen3 => include_str!("chat/qwen3.jinja"),
        Architecture::Gemma3 => include_str!("chat/gemma3.jinja"),
        Architecture::Phi3 => include_str!("chat/phi3.jinja"),
    }
}

/// Today, for templates that tell the model the date.
mod date {
    use std::time::{SystemTime, UNIX_EPOCH};

    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];

    /// Year, month 1..=12, day 1..=31, in UTC.
    pub(super) fn today() -> (i64, usize, i64) {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        civil((seconds / 86_400) as i64)
    }

    /// Days since 1970-01-01 as a date (Hinnant, "chrono-compatible low-level date algorithms").
    pub(super) fn civil(days: i64) -> (i64, usize, i64) {
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        (year_of_era + era * 400 + i64::from(month <= 2), month as usize, day)
    }

    /// `%Y %m %d %B %b %-d`; other codes are left as they are.
    pub(super) fn format(format: &str, (year, month, day): (i64, usize, i64)) -> String {
        let name = MONTHS[month - 1];
        format
            .replace("%Y", &year.to_string())
            .replace("%m", &format!("{month:02}"))
            .replace("%-d", &day.to_string())
            .replace("%d", &format!("{day:02}"))
            .replace("%B", name)
            .replace("%b", &name[..3])
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn days_become_dates() {
            assert_eq!(civil(0), (1970, 1, 1));
            assert_eq!(civil(19_782), (2024, 2, 29));
            assert_eq!(format("%d %b %Y", civil(20_454)), "01 Jan 2026");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, messages: &[ChatMessage]) -> Result<String, LmError> {
        ChatTemplate::new(source, "<s>", "</s>").render(messages)
    }

    #[test]
    fn python_methods_and_slices_of_real_templates_work() {
        let source = "{%- for m in messages %}\n  {%- if m.role.startswith('s') %}\n[{{ m['content'].strip() }}]\n  {%- elif loop.last %}\n{{ m.content.split('x')[-1] | trim }}\n  {%- endif %}\n{%- endfor %}\n{%- set ns = namespace(a=1) %}{%- set ns.a = 2 %}{{ ns.a }}{{ messages[::-1][0].role }}{% if tools is defined %}T{% endif %}";
        let text = render(source, &[ChatMessage::system(" hi "), ChatMessage::user("axb ")]).unwrap();
        assert_eq!(text, "[hi]b2user");
    }

    #[test]
    fn a_refused_system_message_goes_to_the_user() {
        let source = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ messages[0].content }}";
        let rules_and_question = [ChatMessage::system("rules"), ChatMessage::user("question")];
        assert_eq!(render(source, &rules_and_question).unwrap(), "rules\n\nquestion");
        let error = render("{{ raise_exception('never') }}", &rules_and_question).unwrap_err();
        assert!(error.to_string().contains("never"), "{error}");
    }

    #[test]
    fn a_template_that_never_ends_runs_out_of_fuel() {
        let loops = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
        assert!(render(loops, &[ChatMessage::user("x")]).is_err());
        let grows =
            "{% set n = namespace(s='x') %}{% for i in range(64) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}";
        assert!(render(grows, &[ChatMessage::user("x")]).is_err());
    }

    #[test]
    fn family_templates_say_what_the_families_expect() {
        let messages = [
            ChatMessage::system("규칙"),
            ChatMessage::user("질문"),
            ChatMessage::assistant("답"),
            ChatMessage::user("다음"),
        ];
        let check = |source: &str, expect: &str| assert_eq!(render(source, &messages).unwrap(), expect);
        check(
            include_str!("chat/chatml.jinja"),
            "<|im_start|>system\n규칙<|im_end|>\n<|im_start|>user\n질문<|im_end|>\n<|im_start|>assistant\n답<|im_end|>\n<|im_start|>user\n다음<|im_end|>\n<|im_start|>assistant\n",
        );
        check(
            include_str!("chat/qwen3.jinja"),
            "<|im_start|>system\n규칙<|im_end|>\n<|im_start|>user\n질문<|im_end|>\n<|im_start|>assistant\n답<|im_end|>\n<|im_start|>user\n다음<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        );
        check(
            include_str!("chat/llama3.jinja"),
            "<s><|start_header_id|>system<|end_header_id|>\n\n규칙<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n질문<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n답<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n다음<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        );
        check(include_str!("chat/llama2.jinja"), "<s>[INST] 규칙\n\n질문 [/INST] 답</s><s>[INST] 다음 [/INST]");
        check(
            include_str!("chat/gemma3.jinja"),
            "<s><start_of_turn>user\n규칙\n\n질문<end_of_turn>\n<start_of_turn>model\n답<end_of_turn>\n<start_of_turn>user\n다음<end_of_turn>\n<start_of_turn>model\n",
        );
        check(
            include_str!("chat/phi3.jinja"),
            "<|system|>\n규칙<|end|>\n<|user|>\n질문<|end|>\n<|assistant|>\n답<|end|>\n<|user|>\n다음<|end|>\n<|assistant|>\n",
        );
    }
}
