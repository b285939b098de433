//! The meta protocol.

use super::support::Memcached;

#[tokio::test]
async fn items_are_set_got_counted_and_deleted() {
    let mut memcached = Memcached::start().await;
    memcached.talk("mg a v\nms a 2 F5\n10\nmg a s f v t\n", "EN\nHD\nVA 2 s2 f5 t-1\n10\n").await;
    memcached.talk("ma a v D5\nma a MD\nma a N0\n", "VA 2\n15\nHD\nHD\n").await;
    memcached.talk("mg a v\nmd a\nmd a\nma a\n", "VA 2\n15\nHD\nNF\nNF\n").await;
}

#[tokio::test]
async fn modes_of_storing() {
    let mut memcached = Memcached::start().await;
    memcached.talk("ms a 1 MR\nx\nms a 1 ME\nb\nms a 1 ME\nx\n", "NS\nHD\nNS\n").await;
    memcached.talk("ms a 1 MA\nc\nms a 1 MP\na\nmg a v\n", "HD\nHD\nVA 3\nabc\n").await;
    memcached.talk("ms b 1 MA\nx\nms b 1 MA N0\nx\nmg b v\n", "NS\nHD\nVA 1\nx\n").await;
    memcached.talk("ms a 1 MX\nx\n", "CLIENT_ERROR invalid mode for ms M token\n").await;
}

#[tokio::test]
async fn versions_are_told_given_and_compared() {
    let mut memcached = Memcached::start().await;
    memcached.talk("ms a 1 E100 c\nx\nmg a c\n", "HD c100\nHD c100\n").await;
    memcached.talk("ms a 1 C99\ny\nms a 1 C100 E200\ny\nmd a C100\nmg a v c\n", "EX\nHD\nEX\nVA 1 c200\ny\n").await;
    memcached.talk("ms b 1 C1\ny\nmg a C200 v\nmg a C1 v\n", "NF\nHD\nVA 1\ny\n").await;
}

#[tokio::test]
async fn quiet_commands_say_only_what_is_not_common() {
    let mut memcached = Memcached::start().await;
    memcached.talk("mg a q v\nms a 1 q\n1\nma a q\nmg a q v\nmn\n", "VA 1\n2\nMN\n").await;
    memcached.talk("ms a 1 q ME\nx\nmd a q\nmd a q\nmn\n", "NS\nNF\nMN\n").await;
}

#[tokio::test]
async fn one_reader_is_told_to_make_a_missing_value() {
    let mut memcached = Memcached::start().await;
    memcached.talk("mg a v N30 t\nmg a v\nget a\n", "VA 0 t30 W\n\nVA 0 Z\n\nVALUE a 0 0\n\nEND\n").await;
    memcached.talk("ms a 1 T60\nx\nmg a v t\n", "HD\nVA 1 t60\nx\n").await;
    memcached.advance(50);
    memcached.talk("mg a v R30\nmg a v R30\nmg a R5\n", "VA 1 W\nx\nVA 1 Z\nx\nHD Z\n").await;
}

#[tokio::test]
async fn a_stale_value_is_told_as_such_and_renewed_by_one() {
    let mut memcached = Memcached::start().await;
    memcached.talk("ms a 1 E5\nx\nmd a I T30\n", "HD\nHD\n").await;
    memcached.talk("mg a v t\nmg a v\n", "VA 1 t30 X W\nx\nVA 1 Z X\nx\n").await;
    memcached.talk("ms a 1\ny\nmg a v\n", "HD\nVA 1\ny\n").await;
}

#[tokio::test]
async fn flags_take_effect_in_their_order() {
    let mut memcached = Memcached::start().await;
    memcached.talk("ms a 1 T10\nx\nmg a t T20 v\nmg a T30 t\n", "HD\nVA 1 t10\nx\nHD t30\n").await;
    memcached.talk("mg a T5 R10\nms b 1 T60\nx\nmg b R10 T5\n", "HD W\nHD\nHD\n").await;
    memcached.talk("ms c 1 T10\n1\nma c t T20 v\nma c T30 t\n", "HD\nVA 1 t10\n2\nHD t30\n").await;
}

#[tokio::test]
async fn what_was_asked_for_comes_in_the_order_in_which_it_was() {
    let mut memcached = Memcached::start().await;
    memcached.talk("ms a 1 Oabc k\nx\nmg a k Oxyz q\nmn\n", "HD Oabc ka\nHD ka Oxyz\nMN\n").await;
    memcached.talk("mg missing Oxyz k\n", "EN Oxyz kmissing\n").await;
    memcached.talk("mg a h l\nmg a u h\n", "HD h1 l0\nHD h1\n").await;
    memcached.advance(7);
    memcached.talk("mg a u l\nmg a l\nmg a l\n", "HD l7\nHD l7\nHD l0\n").await;
}

#[tokio::test]
async fn keys_in_base64_are_bytes() {
    let mut memcached = Memcached::start().await;
    memcached.talk("ms AAEC 1 b\nx\nmg AAEC b k v\n", "HD\nVA 1 kAAEC b\nx\n").await;
    memcached.talk("mg A b\n", "CLIENT_ERROR error decoding key\n").await;
    memcached.talk("ms Zm9v 1 b\ny\nget foo\n", "HD\nVALUE foo 0 1\ny\nEND\n").await;
}

#[tokio::test]
async fn keys_are_told_in_the_form_in_which_their_items_were_stored() {
    let mut memcached = Memcached::start().await;
    memcached.talk("ms Zm9v 1 b\nx\nmg foo k\nset bar 0 0 1\n1\n", "HD\nHD kZm9v b\nSTORED\n").await;
    memcached.talk("mg YmFy b k\nma YmFy b k\nmd YmFy b k\n", "HD kbar\nHD kYmFy b\nHD kYmFy b\n").await;
    memcached.talk("mg YmFy b k\nmg YmFy b k N0\n", "EN kYmFy b\nHD kbar W\n").await;
    memcached.talk("me foo\n", "ME Zm9v exp=-1 la=0 cas=1 fetch=yes cls=1 size=63\n").await;
    memcached.talk("ms foo 1\nx\nmg Zm9v b k\n", "HD\nHD kfoo\n").await;
    // What was stored as text, or made, would break the line.
    memcached.talk("mg YQpi b k N0\nmg YQpi b k\n", "HD kYQpi b W\nHD kYQpi b Z\n").await;
}

#[tokio::test]
async fn where_nothing_is_stored_the_length_of_what_was_sent_is_told() {
    let mut memcached = Memcached::start().await;
    memcached.talk("ms a 2 MR s\nxy\nms a 2 C9 s\nxy\nms a 1 s\nx\n", "NS s2\nNF s2\nHD s1\n").await;
    memcached.talk("ms a 2 ME s\nxy\nms a 2 C99999 s\nxy\nms a 2 MA s\nxy\n", "NS s2\nEX s2\nHD s3\n").await;
}

#[tokio::test]
async fn a_value_can_be_taken_away_and_the_item_left() {
    let mut memcached = Memcached::start().await;
    memcached.talk("ms a 3 F7 T90\nabc\nmd a x\nmg a v f t\n", "HD\nHD\nVA 0 f0 t-1\n\n").await;
}

#[tokio::test]
async fn an_item_is_looked_at_without_a_trace() {
    let mut memcached = Memcached::start().await;
    memcached.talk("me a\nms a 1 E90\nx\n", "EN\nHD\n").await;
    memcached.advance(3);
    memcached.talk("me a\nme a\n", &"ME a exp=-1 la=3 cas=90 fetch=no cls=1 size=61\n".repeat(2)).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_command_is_told() {
    let mut memcached = Memcached::start().await;
    memcached.talk("mg a v v\nmg a !\n", "CLIENT_ERROR duplicate flag\nCLIENT_ERROR bad command line format\n").await;
    memcached.talk("ms a 1 T\nx\n", "CLIENT_ERROR bad token in command line format\n").await;
    memcached.talk("ms a 1 q\nxy\n", "CLIENT_ERROR bad data chunk\nCLIENT_ERROR bad command line format\n").await;
    memcached.talk("ms a 1\nx\nma a\n", "HD\nCLIENT_ERROR cannot increment or decrement non-numeric value\n").await;
}
