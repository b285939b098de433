//! The classic text protocol.

use super::support::Memcached;

#[tokio::test]
async fn what_memcached_takes_of_odd_lines_is_taken() {
    let mut memcached = Memcached::start().await;
    memcached.talk("set a +5 +60 1\n1\nget a\n", "STORED\nVALUE a 5 1\n1\nEND\n").await;
    memcached.talk(" get a\n version\n cache_memlimit 64\n", "ERROR\nERROR\nOK\n").await;
    // A moment of the past, before which nothing was stored.
    memcached.talk("flush_all 2592001\nmg a\nflush_all 0\n", "OK\nHD\nOK\n").await;
}

#[tokio::test]
async fn values_are_stored_and_got_with_their_flags() {
    let mut memcached = Memcached::start().await;
    memcached.talk("set a 5 0 3\none\nget a\n", "STORED\nVALUE a 5 3\none\nEND\n").await;
    memcached.talk("get b\nget a b a\n", "END\nVALUE a 5 3\none\nVALUE a 5 3\none\nEND\n").await;
    memcached.talk("set a 4294967295 0 0\n\nget a\n", "STORED\nVALUE a 4294967295 0\n\nEND\n").await;
}

#[tokio::test]
async fn adding_and_replacing_look_whether_there_is_an_item() {
    let mut memcached = Memcached::start().await;
    memcached.talk("replace a 0 0 1\nx\nadd a 0 0 1\ny\n", "NOT_STORED\nSTORED\n").await;
    memcached.talk("add a 0 0 1\nz\nreplace a 0 0 1\nw\n", "NOT_STORED\nSTORED\n").await;
    memcached.talk("get a\n", "VALUE a 0 1\nw\nEND\n").await;
}

#[tokio::test]
async fn appending_and_prepending_keep_the_flags() {
    let mut memcached = Memcached::start().await;
    memcached.talk("append a 0 0 1\nx\nset a 7 0 1\nb\n", "NOT_STORED\nSTORED\n").await;
    memcached.talk("append a 0 0 1\nc\nprepend a 0 0 1\na\n", "STORED\nSTORED\n").await;
    memcached.talk("get a\n", "VALUE a 7 3\nabc\nEND\n").await;
}

#[tokio::test]
async fn a_version_is_told_and_compared() {
    let mut memcached = Memcached::start().await;
    memcached.talk("cas a 0 0 1 1\nx\nset a 0 0 1\nx\n", "NOT_FOUND\nSTORED\n").await;
    memcached.client.send("gets a\r\n").await;
    let line = memcached.client.receive_until("END\r\n").await;
    let version: u64 = line.lines().next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    memcached.talk(&format!("cas a 0 0 1 {}\ny\n", version + 1), "EXISTS\n").await;
    memcached.talk(&format!("cas a 0 0 1 {version}\ny\n"), "STORED\n").await;
    memcached.talk(&format!("cas a 0 0 1 {version}\nz\nget a\n"), "EXISTS\nVALUE a 0 1\ny\nEND\n").await;
}

#[tokio::test]
async fn deleting_touching_and_counting() {
    let mut memcached = Memcached::start().await;
    memcached.talk("delete a\ntouch a 10\nincr a 1\n", "NOT_FOUND\nNOT_FOUND\nNOT_FOUND\n").await;
    memcached.talk("set a 0 0 2\n10\nincr a 5\ndecr a 6\ndecr a 100\n", "STORED\n15\n9\n0\n").await;
    memcached.talk("get a\n", "VALUE a 0 2\n0 \nEND\n").await;
    memcached.talk("set b 0 0 20\n18446744073709551615\nincr b 2\n", "STORED\n1\n").await;
    memcached.talk("touch a 10\ndelete a\nget a\n", "TOUCHED\nDELETED\nEND\n").await;
}

#[tokio::test]
async fn what_is_no_number_is_not_counted_with() {
    let mut memcached = Memcached::start().await;
    let said = "CLIENT_ERROR cannot increment or decrement non-numeric value\n";
    memcached.talk("set a 0 0 2\n5x\nincr a 1\n", &format!("STORED\n{said}")).await;
    let said = "CLIENT_ERROR invalid numeric delta argument\n";
    memcached.talk("incr a x\nincr a -1\n", &format!("{said}{said}")).await;
}

#[tokio::test]
async fn what_wants_no_reply_gets_none() {
    let mut memcached = Memcached::start().await;
    let quiet = "set a 0 0 1 noreply\n1\nadd a 0 0 1 noreply\n2\nincr a 1 noreply\ntouch a 0 noreply\n";
    memcached.talk(&format!("{quiet}get a\n"), "VALUE a 0 1\n2\nEND\n").await;
    let quiet = "delete a noreply\ndelete a noreply\nverbosity 1 noreply\nflush_all noreply\n";
    memcached.talk(&format!("{quiet}get a\n"), "END\n").await;
}

#[tokio::test]
async fn getting_and_touching_in_one() {
    let mut memcached = Memcached::start().await;
    memcached.talk("gat 10 a\nset a 0 0 1\n1\ngat 10 a b\n", "END\nSTORED\nVALUE a 0 1\n1\nEND\n").await;
    memcached.client.send("gats 10 a\r\n").await;
    let come = memcached.client.receive_until("END\r\n").await;
    assert_eq!(come.lines().next().unwrap().split(' ').count(), 5, "{come}");
    memcached.advance(10);
    memcached.talk("get a\n", "END\n").await;
}

#[tokio::test]
async fn a_line_that_makes_no_sense_is_refused_and_the_next_is_answered() {
    let mut memcached = Memcached::start().await;
    let format = "CLIENT_ERROR bad command line format\n";
    memcached.talk("nonsense\nGET a\n", "ERROR\nERROR\n").await;
    memcached.talk("get\nincr a\n\ntouch a\n", &format.repeat(4)).await;
    // What is left of a value that is too long is taken for a line.
    memcached.talk("set a 0 0 1\nxy\n", &format!("CLIENT_ERROR bad data chunk\n{format}")).await;
    memcached.talk("touch a x\n", "CLIENT_ERROR invalid exptime argument\n").await;
    let long = "k".repeat(251);
    memcached.talk(&format!("get {long}\n"), format).await;
    memcached.talk("version\n", "VERSION 1.6.45\n").await;
}

#[tokio::test]
async fn quitting_ends_the_connection_behind_what_was_answered() {
    let mut memcached = Memcached::start().await;
    memcached.talk("version\nquit\nversion\n", "VERSION 1.6.45\n").await;
    memcached.client.hung_up().await;
}
