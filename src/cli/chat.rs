use std::io::{BufRead, IsTerminal, Write};

use super::ask::{Options, after, note_access, stream};
use super::{Context, Failure, Outcome};
use crate::document::Language;
use crate::generate::{Message, Role};
use crate::prompt;

pub(super) fn run(context: &Context, options: Options) -> Result<Outcome, Failure> {
    if context.output.is_json() {
        return Err(Failure::bad_input("chat is a conversation; for JSON use `sectora ask --json` or the HTTP API"));
    }
    let app = context.open()?;
    let mut history: Vec<Message> = Vec::new();
    let stdin = std::io::stdin();
    let prompts = stdin.is_terminal();
    if prompts {
        let how = match context.language {
            Language::Ko => "한국어나 영어로 묻습니다.",
            Language::En | Language::Other => "Ask in Korean or English.",
        };
        context.output.line(&format!("{how} {}", commands(context.language)));
    }
    loop {
        if prompts {
            let _ = write!(std::io::stderr(), "\n> ");
        }
        let mut line = String::new();
        let read = stdin.lock().read_line(&mut line).map_err(|e| Failure::bad_input(format!("standard input: {e}")))?;
        let question = line.trim();
        match question {
            _ if read == 0 => return Ok(Outcome::Yes),
            "/quit" | "/q" => return Ok(Outcome::Yes),
            "/new" => history.clear(),
            "" => {}
            _ if question.starts_with('/') => {
                context.output.piece(&format!("{}\n", of_no_command(question, context.language)));
            }
            _ => {
                let ask = options.ask(&context.config, question.to_owned(), history.clone())?;
                let mut answer = stream(context, &app, &ask)?;
                note_access(&app, &ask, &mut answer)?;
                if answer.question != question {
                    // The answer stands without an end of its line.
                    context.output.piece("\n");
                    let language = Language::detect(question);
                    context.output.note(&prompt::searched_for(language, &answer.question));
                }
                context.output.piece(&format!("{}\n", after(&answer, question)));
                history.push(Message { role: Role::User, content: question.to_owned() });
                history.push(Message { role: Role::Assistant, content: answer.answer });
            }
        }
    }
}

fn commands(language: Language) -> &'static str {
    match language {
        Language::Ko => "/new 새로 시작, /quit 끝내기.",
        Language::En | Language::Other => "/new starts over, /quit ends.",
    }
}

/// What is said to a line that begins like a command and asks for nothing to be done: which commands there are.
fn of_no_command(line: &str, language: Language) -> String {
    let word = line.split_whitespace().next().unwrap_or(line);
    let known = commands(language);
    if word == "/help" {
        return known.to_owned();
    }
    match language {
        Language::Ko => format!("{word}: 없는 명령입니다. {known}"),
        Language::En | Language::Other => format!("{word}: no such command. {known}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_and_unknown_commands_name_the_commands_there_are() {
        assert_eq!(of_no_command("/help", Language::En), "/new starts over, /quit ends.");
        assert_eq!(of_no_command("/help", Language::Ko), "/new 새로 시작, /quit 끝내기.");
        let said = of_no_command("/clear all", Language::En);
        assert_eq!(said, "/clear: no such command. /new starts over, /quit ends.");
        assert!(of_no_command("/", Language::Ko).starts_with("/: 없는 명령입니다."));
    }
}
