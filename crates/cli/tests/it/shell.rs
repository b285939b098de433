//! `charioteer shell`: lines from a pipe, and from a person.

use std::fs;

use charioteer_server::testing::{Action, Call, Fault};

use crate::cluster::Cluster;
use crate::terminal::Terminal;

#[test]
fn a_pipe_is_carried_out_line_by_line_without_a_prompt() {
    let cluster = Cluster::start();
    let lines = "# a note that isn't closed\n\nset alice city 'New York'\nget alice city\nexit\nget alice city\n";
    let said = cluster.pipe(&[], lines);
    assert_eq!((said.code, &*said.stdout, &*said.stderr), (Some(0), "ok\n'New York'\n", ""));
    assert!(fs::read_dir(cluster.home.path()).unwrap().next().is_none(), "no history is kept of a pipe");
}

#[test]
fn a_pipe_ends_at_the_first_line_that_fails_and_says_which() {
    let cluster = Cluster::start();
    let said = cluster.pipe(&[], "set a b c\nget '' b\nget a b\n");
    assert_eq!((said.code, &*said.stdout), (Some(3), "ok\n"));
    assert_eq!(said.stderr, "error: line 2: get on temp: the hash key must not be empty\n");
}

#[test]
fn a_pipe_that_keeps_going_ends_with_the_code_of_the_last_failure() {
    let cluster = Cluster::start();
    let said = cluster.pipe(&["--keep-going"], "get '' b\nuse nowhere\nmget a\nset a b c");
    assert_eq!((said.code, &*said.stdout), (Some(3), "ok\n"));
    assert_eq!(said.stderr.lines().count(), 3, "{said:?}");
    let said = cluster.pipe(&["--keep-going"], "get '' b\nuse nowhere\n");
    assert_eq!(said.code, Some(5), "{said:?}");
    let said = cluster.pipe(&["--keep-going"], "get 'a\nget\n");
    assert_eq!(said.code, Some(2), "{said:?}");
}

#[test]
fn a_missing_row_does_not_end_a_pipe() {
    let cluster = Cluster::start();
    let said = cluster.pipe(&[], "get a b\nset a b c\n");
    assert_eq!((said.code, &*said.stdout, &*said.stderr), (Some(0), "ok\n", "(missing)\n"));
}

#[test]
fn a_line_that_is_no_text_ends_a_pipe() {
    let cluster = Cluster::start();
    let said = cluster.pipe(&["--keep-going"], b"set a b c\nget a \xff\nset a b c\n");
    assert_eq!((said.code, &*said.stdout), (Some(5), "ok\n"));
    assert!(said.stderr.starts_with("error: line 2: standard input can't be read"), "{said:?}");
}

#[test]
fn what_is_no_escape_is_told() {
    let cluster = Cluster::start();
    let said = cluster.pipe(&[], "get a \\q\n");
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("there is no escape \\q"), "{said:?}");
}

#[test]
fn use_says_which_table_is_meant_and_table_says_it_for_one_line() {
    let cluster = Cluster::start();
    let lines = "create-table other --partitions 4\nuse other\nset a b c\nget a b --table temp\nget a b\n";
    let said = cluster.pipe(&[], lines);
    assert_eq!((said.code, &*said.stdout, &*said.stderr), (Some(0), "2\nok\nc\n", "(missing)\n"));
}

#[test]
fn what_the_shell_is_told_goes_for_its_lines_unless_they_say_otherwise() {
    let cluster = Cluster::start();
    let lines = "set a b c\nget a b\nget a b --output raw\n";
    let said = cluster.pipe(&[&cluster.url(), "--table", "temp", "--output", "json"], lines);
    assert_eq!(said.stdout, "{\"ok\":true}\n{\"value\":\"c\"}\nc");
}

#[test]
fn a_line_may_go_to_another_cluster() {
    let (cluster, other) = (Cluster::start(), Cluster::start());
    let lines = format!("set a b c --url {}/temp\nget a b\nget a b --url {}/temp", other.url(), other.url());
    let said = cluster.pipe(&[], lines);
    assert_eq!((&*said.stdout, &*said.stderr), ("ok\nc\n", "(missing)\n"));
}

#[test]
fn help_tells_all_lines_and_one() {
    let cluster = Cluster::start();
    let said = cluster.pipe(&[], "help\nhelp scan\nget --help\n");
    assert_eq!((said.code, &*said.stderr), (Some(0), ""));
    for part in ["check-and-mutate", "Says which table is meant", "--batch-size", "Tells a row's value"] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
}

#[test]
fn a_url_that_makes_no_sense_is_told_before_any_line() {
    let cluster = Cluster::start();
    let said = cluster.pipe(&["http://localhost"], "");
    assert_eq!(said.code, Some(3));
    assert!(said.stderr.starts_with("error: http://…"), "{said:?}");
}

#[test]
fn stats_tell_what_the_shells_client_has_done() {
    let cluster = Cluster::start();
    let said = cluster.pipe(&[], "set a b c\nget a b\nget a b\nstats --output raw\nstats --net --output json\n");
    assert!(said.stdout.contains("get\t2\n"), "{said:?}");
    assert!(said.stdout.contains("\"connections_lost\":0"), "{said:?}");
}

#[test]
fn a_person_sees_the_table_completes_words_and_finds_earlier_lines() {
    let cluster = Cluster::start();
    let mut shell = Terminal::start(cluster.command(&["shell"]));
    shell.expect_prompt("temp> ");
    shell.press("set alice city 'New York'\r");
    shell.expect("ok");
    shell.expect_prompt("temp> ");
    shell.press("exis\talice city --outp\tjson\r");
    shell.expect("{\"exists\":true}");
    shell.expect_prompt("temp> ");
    shell.press("use te\t\r");
    shell.expect_prompt("temp> ");
    // Twice up is the line before the last.
    shell.press("\u{1b}[A\u{1b}[A\r");
    shell.expect("{\"exists\":true}");
    shell.expect_prompt("temp> ");
    // Ctrl-C gives up a line, Ctrl-D leaves.
    shell.press("get alice\u{3}");
    shell.expect_prompt("temp> ");
    shell.press("\u{4}");
    assert!(shell.end().success());
    let history = fs::read_to_string(cluster.home.path().join("charioteer/history")).unwrap();
    assert!(history.contains("exist alice city --output json"), "{history}");

    let mut again = Terminal::start(cluster.command(&["shell", "--output", "raw"]));
    again.expect_prompt("temp> ");
    again.press("\u{1b}[A\r");
    again.expect("{\"exists\":true}");
    again.expect_prompt("temp> ");
    again.press("get alice city\r");
    again.expect("New York\r\n");
    again.expect_prompt("temp> ");
    again.press("quit\r");
    assert!(again.end().success());
}

#[test]
fn an_interrupt_ends_the_line_that_is_under_way_and_not_the_shell() {
    let cluster = Cluster::start();
    let pegasus = cluster.pegasus();
    let held = pegasus.inject(Fault::new(Action::Hold).on(Call::Get));
    let mut shell = Terminal::start(cluster.command(&["shell", "--timeout", "1h"]));
    shell.expect_prompt("temp> ");
    shell.press("get alice city\r");
    cluster.runtime.block_on(pegasus.arrived(Call::Get, 1));
    shell.interrupt();
    shell.expect("(cancelled");
    drop(held);
    shell.expect_prompt("temp> ");
    shell.press("set alice city Paris\r");
    shell.expect("ok");
    shell.expect_prompt("temp> ");
    shell.press("get alice city\r");
    shell.expect("Paris");
    shell.expect_prompt("temp> ");
    shell.press("exit\r");
    assert!(shell.end().success());
}
