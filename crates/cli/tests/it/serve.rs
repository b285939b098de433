//! `charioteer serve`.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use crate::support::{Process, serve, temporary_file};

#[test]
fn the_ready_file_and_the_banner_tell_where_it_listens() {
    let server = Process::start(&[]);
    let address = server.address("pegasus");
    assert!(server.banner.contains(&address.to_string()), "{}", server.banner);
    assert!(server.ready["data"].is_null(), "in memory");
    TcpStream::connect(address).unwrap();
}

#[test]
fn health_readiness_and_metrics_are_answered() {
    let server = Process::start(&[]);
    let http = server.address("http");
    assert_eq!(Process::get(http, "/healthz").0, 200);
    assert_eq!(Process::get(http, "/readyz").0, 200);
    let (status, metrics) = Process::get(http, "/metrics");
    assert_eq!(status, 200);
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
}

#[test]
fn it_has_as_many_files_open_as_it_may_allow_itself() {
    let plain = serve(&[]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -Sn 200 && ulimit -Hn 300 && exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args());
    assert_eq!(Process::run(command).most_files(), "300");
}

#[test]
fn the_tables_given_exist_from_the_start() {
    let server = Process::start(&["--table", "users:16", "--table", "orders:4"]);
    let (_, tables) = Process::get(server.address("pegasus"), "/meta/apps");
    assert!(tables.contains(r#""app_name":"users""#) && tables.contains(r#""app_name":"orders""#), "{tables}");
    assert!(!tables.contains("temp"), "{tables}");
}

#[test]
fn it_serves_until_it_is_told_to_stop_however_little_is_logged() {
    let server = Process::start(&["--log", "error"]);
    for _ in 0..20 {
        assert_eq!(Process::get(server.address("http"), "/readyz").0, 200);
    }
    server.signal("TERM");
    assert!(server.wait().status.success());
}

#[test]
fn either_signal_stops_it_without_an_error() {
    for signal in ["TERM", "INT"] {
        let server = Process::start(&[]);
        server.signal(signal);
        let output = server.wait();
        assert!(output.status.success(), "{signal}: {output:?}");
    }
}

#[test]
fn a_second_signal_does_not_wait_for_a_connection_that_stays() {
    // Half a request head keeps an HTTP connection open beyond the first signal.
    let server = Process::start(&["--drain-timeout", "1h"]);
    let mut stream = TcpStream::connect(server.address("pegasus")).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: t\r\n\r\nGET ").unwrap();
    server.signal("TERM");
    server.signal("INT");
    assert!(server.wait().status.success());
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = serve(&["--pegasus", &address, "--http", "off"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains(&address) && stderr.contains("Pegasus"), "{stderr}");
}

#[test]
fn an_address_that_others_reach_needs_the_flag_that_allows_it() {
    let output = serve(&["--pegasus", "0.0.0.0:0", "--http", "off"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("--allow-remote"), "{stderr}");
}

#[test]
fn a_ready_file_that_cannot_be_written_is_an_error_that_names_it() {
    let path = temporary_file("missing").join("ready.json");
    let output = serve(&["--pegasus", "127.0.0.1:0", "--http", "off", "--ready-file"]).arg(&path).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains(&*path.to_string_lossy()), "{stderr}");
}

#[test]
fn arguments_that_make_no_sense_are_refused_with_the_reason() {
    for arguments in [["--pegasus", "34601"], ["--table", "users"], ["--latency", "soon"]] {
        let output = serve(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(arguments[1]), "{arguments:?}");
    }
}
