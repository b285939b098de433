//! Peers that send what is no request.

use bytes::BytesMut;
use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::meta::ListAppsRequest;
use charioteer_proto::pegasus::rpc;

use crate::support::{Client, Fixture, META, META_V1, encoded, put, raw, soon};

/// Where the message begins in a request of version 0.
const MESSAGE: usize = 48;

impl Fixture {
    /// A get as Go sends it, and as Java does.
    fn gets(&self) -> [Vec<u8>; 2] {
        [0, 1].map(|version| encoded::<rpc::Get>(RequestHeader { version, ..self.table.at("h") }, 7, &raw("h", "s")))
    }

    /// Sends this on a connection of its own, which must be hung up without any answer.
    async fn is_hung_up_on(&self, bytes: &[u8]) {
        let mut client = self.connect().await;
        client.send_bytes(bytes).await;
        client.hung_up().await;
    }

    /// Nothing that came before has done harm.
    async fn is_well(&mut self) {
        self.put("still", "here", "v").await;
        assert_eq!(self.get("still", "here").await.unwrap(), "v");
    }
}

fn with_word(bytes: &[u8], at: usize, word: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
    bytes
}

#[tokio::test]
async fn anything_but_requests_and_http_is_hung_up_on() {
    let mut fixture = Fixture::start().await;
    for bytes in [&b"RDSN\0\0\0\0"[..], b"\0\0\0\0", b"\x16\x03\x01\x02\x00", b"THFX", b"get k\r\n", b"PUT / HTTP/1.1"]
    {
        fixture.is_hung_up_on(bytes).await;
    }
    assert_eq!(fixture.cut("unreadable").await, 6);
    fixture.is_well().await;
}

#[tokio::test]
async fn a_wrong_magic_behind_a_good_request_ends_the_connection_after_its_answer() {
    let mut fixture = Fixture::start().await;
    for garbage in [&b"GET / HTTP/1.1\r\n"[..], b"THFF", b"\0"] {
        let mut client = fixture.connect().await;
        let bytes = [&fixture.gets()[0][..], garbage].concat();
        client.send_bytes(&bytes).await;
        assert_eq!(client.receive().await.sequence_id, 7);
        client.hung_up().await;
    }
    fixture.is_well().await;
}

#[tokio::test]
async fn a_header_that_cannot_be_is_hung_up_on() {
    let mut fixture = Fixture::start().await;
    let [v0, v1] = fixture.gets();
    for version in [2, 3, 0x100, u32::MAX] {
        fixture.is_hung_up_on(&with_word(&v0, 4, version)).await;
    }
    for length in [0, 47, 49, u32::MAX] {
        fixture.is_hung_up_on(&with_word(&v0, 8, length)).await;
    }
    for meta_length in [0, 1, 36, 1025, u32::MAX] {
        fixture.is_hung_up_on(&with_word(&v1, 8, meta_length)).await;
    }
    fixture.is_well().await;
}

#[tokio::test]
async fn checksums_and_thread_hashes_are_not_looked_at() {
    let mut fixture = Fixture::start().await;
    let [v0, _] = fixture.gets();
    for at in [12, 20, 36] {
        let mut client = fixture.connect().await;
        client.send_bytes(&with_word(&v0, at, 0xdead_beef)).await;
        assert_eq!(client.receive().await.sequence_id, 7);
    }
    fixture.is_well().await;
}

#[tokio::test]
async fn of_the_types_of_messages_calls_and_oneway_ones_are_taken() {
    let mut fixture = Fixture::start().await;
    let [v0, _] = fixture.gets();
    for kind in [1, 4] {
        let mut client = fixture.connect().await;
        client.send_bytes(&with_word(&v0, MESSAGE, 0x8001_0000 | kind)).await;
        assert_eq!(client.receive().await.sequence_id, 7, "type {kind}");
    }
    for kind in [0, 2, 3, 5, 0xff] {
        fixture.is_hung_up_on(&with_word(&v0, MESSAGE, 0x8001_0000 | kind)).await;
    }
    fixture.is_hung_up_on(&with_word(&v0, MESSAGE, 0x8002_0001)).await;
    fixture.is_well().await;
}

#[tokio::test]
async fn the_old_form_of_messages_is_taken_too() {
    let mut fixture = Fixture::start().await;
    let [v0, _] = fixture.gets();
    let (header, message) = v0.split_at(MESSAGE);
    let name = &message[8..8 + 17];
    assert_eq!(name, b"RPC_RRDB_RRDB_GET");
    let old = [header, &message[4..8 + 17], &[1], &message[8 + 17..]].concat();
    let body = u32::try_from(old.len() - MESSAGE).unwrap();
    fixture.client.send_bytes(&with_word(&old, 16, body)).await;
    assert_eq!(fixture.client.receive().await.sequence_id, 7);
}

#[tokio::test]
async fn a_message_whose_lengths_lie_is_hung_up_on() {
    let mut fixture = Fixture::start().await;
    let [v0, _] = fixture.gets();
    for name_length in [u32::MAX, 0x8000_0000, 0x7fff_ffff, 1000] {
        fixture.is_hung_up_on(&with_word(&v0, MESSAGE + 4, name_length)).await;
    }
    for body in [0, 1, 8, 20] {
        fixture.is_hung_up_on(&with_word(&v0, 16, body)).await;
    }
    fixture.is_well().await;
}

#[tokio::test]
async fn a_name_that_is_too_long_is_hung_up_on() {
    let mut fixture = Fixture::start().await;
    let mut bytes = BytesMut::new();
    let name = "R".repeat(257);
    charioteer_proto::pegasus::frame::write_request(&mut bytes, &META, &name, 1, &true);
    fixture.is_hung_up_on(&bytes).await;
    fixture.is_well().await;
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_by_name_before_it_has_come_and_then_hung_up_on() {
    let mut fixture = Fixture::with(|options| options.limits.frame_bytes = 4096).await;
    for version in [0, 1] {
        let header = RequestHeader { version, ..fixture.table.at("h") };
        let overhead = encoded::<rpc::Put>(header, 9, &put("h", "s", "")).len() - MESSAGE;
        let overhead = if version == 0 { overhead } else { overhead - 16 - 37 + MESSAGE };
        let longest = "v".repeat(4096 - overhead);
        assert_eq!(fixture.client.ask::<rpc::Put>(header, put("h", "s", &longest)).await.error, 0);

        let bytes = encoded::<rpc::Put>(header, 9, &put("h", "s", &(longest + "v")));
        for sent in [bytes.len(), 200] {
            let mut client = fixture.connect().await;
            client.send_bytes(&bytes[..sent]).await;
            let reply = client.receive().await;
            assert_eq!((reply.error.name(), reply.sequence_id), ("ERR_INVALID_DATA", 9));
            assert_eq!(reply.name, "RPC_RRDB_RRDB_PUT_ACK");
            client.hung_up().await;
        }
    }
    assert_eq!(fixture.cut("unreadable").await, 4);
    fixture.is_well().await;
}

#[tokio::test]
async fn a_length_that_is_announced_takes_no_memory_and_gets_no_patience() {
    let mut fixture = Fixture::start().await;
    let [v0, v1] = fixture.gets();
    for bytes in [with_word(&v0, 16, u32::MAX), with_word(&v0, 16, 0x8000_0000), with_word(&v1, 12, u32::MAX)] {
        let mut client = fixture.connect().await;
        client.send_bytes(&bytes).await;
        let reply = client.receive().await;
        assert_eq!((reply.error.name(), reply.sequence_id), ("ERR_INVALID_DATA", 7));
        client.hung_up().await;
    }
    fixture.is_well().await;
}

#[tokio::test]
async fn a_request_that_is_cut_off_anywhere_gets_no_answer() {
    let mut fixture = Fixture::start().await;
    for whole in fixture.gets() {
        for end in 0..whole.len() {
            let mut client = fixture.connect().await;
            client.send_bytes(&whole[..end]).await;
            client.finish_sending().await;
            client.hung_up().await;
        }
    }
    fixture.is_well().await;
}

#[tokio::test]
async fn a_request_that_comes_a_byte_at_a_time_is_answered() {
    let mut fixture = Fixture::start().await;
    for whole in fixture.gets() {
        let mut client = fixture.connect().await;
        for _ in 0..2 {
            for byte in &whole {
                client.send_bytes(&[*byte]).await;
                tokio::task::yield_now().await;
            }
            assert_eq!(client.receive().await.sequence_id, 7);
        }
    }
    fixture.is_well().await;
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.next() % most).map(|_| self.next().to_be_bytes()[3]).collect()
    }
}

/// Sends this, says that it was all, and takes whatever comes until the server hangs up.
async fn pester(fixture: &Fixture, bytes: &[u8]) {
    let mut client = fixture.connect().await;
    client.send_bytes(bytes).await;
    client.finish_sending().await;
    while soon(client.next_reply()).await.is_some() {}
}

#[tokio::test]
async fn random_bytes_do_no_harm() {
    let mut fixture = Fixture::start().await;
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..200 {
        pester(&fixture, &numbers.bytes(300)).await;
        let header = [&b"THFT\0\0\0\0\0\0\0\x30"[..], &[0; 36], &numbers.bytes(300)].concat();
        let body = u32::try_from(header.len() - MESSAGE).unwrap();
        pester(&fixture, &with_word(&header, 16, body)).await;
        let call = [b"\x80\x01\x00\x01\x00\x00\x00\x11RPC_RRDB_RRDB_GET", &numbers.bytes(100)[..]].concat();
        let mut request = [&header[..MESSAGE], &call].concat();
        request[27] = 1;
        pester(&fixture, &with_word(&request, 16, u32::try_from(call.len()).unwrap())).await;
    }
    fixture.is_well().await;
}

#[tokio::test]
async fn a_request_of_which_any_byte_is_another_does_no_harm() {
    let mut fixture = Fixture::start().await;
    let mut numbers = Numbers(0xdead_beef);
    let list = encoded::<rpc::ListApps>(META_V1, 7, &ListAppsRequest::default());
    for whole in [fixture.gets()[0].clone(), list] {
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= u8::try_from(numbers.next() % 255).unwrap() + 1;
            pester(&fixture, &bytes).await;
        }
    }
    fixture.is_well().await;
}

#[tokio::test]
async fn connections_that_come_and_go_leave_nothing_behind() {
    let mut fixture = Fixture::start().await;
    for _ in 0..200 {
        drop(Client::connect(fixture.address()).await);
        let mut client = fixture.connect().await;
        client.send_bytes(&fixture.gets()[0]).await;
        drop(client);
    }
    let open = r#"protocol="pegasus""#;
    let all_gone = async { while crate::support::Web::metric(fixture.http(), "connections", open).await != 1 {} };
    soon(all_gone).await;
    fixture.is_well().await;
}
