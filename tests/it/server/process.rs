//! The program itself: listening, stopping.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::engine::{Engine, TRUE};
use super::fixture::sector_folder;

struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(engine: &Engine, grace_s: u32) -> Served {
        let folder = sector_folder();
        let command = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_sectora"));
            command
                .args(["--json", "--encoder", "none", "--generator", "remote", "--data-dir"])
                .arg(folder.join("data"));
            command.arg("--sector").arg(folder.join("kiln")).args(arguments);
            for (key, value) in engine.settings() {
                command.env(format!("SECTORA_{}", key.replace('.', "__").to_uppercase()), value);
            }
            command.env("SECTORA_SERVER__GRACE_S", grace_s.to_string());
            command
        };
        let read = command(&["ingest"]).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        let mut child = command(&["serve", "--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut documents = serde_json::Deserializer::from_reader(stdout).into_iter::<serde_json::Value>();
        let said = documents.next().unwrap().unwrap();
        let address = said["listening"].as_str().unwrap().trim_start_matches("http://").to_owned();
        Served { child, address }
    }

    /// Asks for a stream and reads until the first sentence has come.
    fn ask(&self) -> TcpStream {
        let body = r#"{"model":"sectora-kiln","stream":true,"messages":[{"role":"user","content":"How much natural gas did the Norwind tunnel kiln save?"}]}"#;
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(
            stream,
            "POST /v1/chat/completions HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut seen = String::new();
        let mut buffer = [0; 4096];
        while !seen.contains("saved 23.5 % of its natural gas") || !seen.contains("\"content\":\"The") {
            let n = stream.read(&mut buffer).unwrap();
            assert!(n > 0, "closed early: {seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        stream
    }

    fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    fn ends_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let begin = Instant::now();
        while begin.elapsed() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_running_answer_is_finished_after_sigterm() {
    let engine = Engine::start(TRUE, 40);
    let mut served = Served::start(&engine, 20);
    let mut stream = served.ask();
    served.terminate();
    let mut rest = String::new();
    let _ = stream.read_to_string(&mut rest);
    assert!(rest.contains("\"finish_reason\":\"stop\"") && rest.contains("[DONE]"), "{rest}");
    assert!(served.ends_within(Duration::from_secs(10)).is_some_and(|s| s.success()));
}

#[test]
fn a_proposal_is_read_from_a_file_as_it_is() {
    let engine = Engine::start(TRUE, 1);
    let served = Served::start(&engine, 1);
    let send = |kind: &str, name: &str, file: &[u8]| {
        let mut stream = TcpStream::connect(&served.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let head = format!(
            "POST /v1/extract?name={name} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            served.address,
            file.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(file).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let file = std::fs::read("sectors/battery/documents/proposals/dry-electrode-proposal.hwpx").unwrap();
    let octets = "application/octet-stream";
    let answer = send(octets, "dry.hwpx", &file);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("건식"), "{answer}");
    let answer = send(octets, "dry.hwpx", b"PK\x03\x04 and nothing more");
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("dry.hwpx: "), "{answer}");
    assert!(!answer.contains("/tmp/"), "{answer}");
    assert!(send("text/plain", "dry.hwpx", &file).starts_with("HTTP/1.1 415"));
    // No name of a file in it: read by what it holds, inside a folder of its own.
    assert!(send(octets, "..%2F", &file).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_second_signal_ends_at_once() {
    let engine = Engine::start(TRUE, usize::MAX);
    let mut served = Served::start(&engine, 600);
    let _stream = served.ask();
    served.terminate();
    assert!(served.ends_within(Duration::from_millis(500)).is_none(), "the running answer was cut off");
    served.terminate();
    assert!(served.ends_within(Duration::from_secs(5)).is_some());
}

#[test]
fn the_time_of_grace_is_bounded() {
    let engine = Engine::start(TRUE, usize::MAX);
    let mut served = Served::start(&engine, 1);
    let _stream = served.ask();
    served.terminate();
    assert!(served.ends_within(Duration::from_secs(6)).is_some());
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let engine = Engine::start(TRUE, 1);
    let served = Served::start(&engine, 1);
    let folder = sector_folder();
    let port = served.address.rsplit(':').next().unwrap();
    let second = Command::new(env!("CARGO_BIN_EXE_sectora"))
        .args(["--encoder", "none", "--generator", "extractive", "serve", "--port", port, "--data-dir"])
        .arg(folder.join("data"))
        .arg("--sector")
        .arg(folder.join("kiln"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&second.stderr).contains("--port"), "{:?}", second.stderr);
}
