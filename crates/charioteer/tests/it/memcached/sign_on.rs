//! Servers that want to know who asks.

use charioteer::ErrorKind;
use charioteer::memcached::{Client, Credentials, Options};

use super::fake::Fake;

async fn client_of(fake: &Fake, credentials: Option<Credentials>) -> Client {
    let mut options = Options::from_url(&fake.url()).unwrap();
    options.credentials = credentials;
    Client::new(options).unwrap()
}

#[tokio::test]
async fn who_says_the_right_words_is_let_in_before_the_first_call() {
    let fake = Fake::with_password(b"\0alice\0secret").await;
    let client = client_of(&fake, Some(Credentials::new("alice", "secret"))).await;
    client.set("key", "value").await.unwrap();
    assert!(fake.has("key"));
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn who_says_other_words_or_none_is_denied_and_does_not_try_again() {
    let fake = Fake::with_password(b"\0alice\0secret").await;
    for credentials in [Some(Credentials::new("alice", "guess")), None] {
        let client = client_of(&fake, credentials).await;
        let error = client.get("key").await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Denied, 1), "{error}");
        for item in client.get_many(["a", "b", "c"]).await {
            assert_eq!(item.unwrap_err().kind(), ErrorKind::Denied);
        }
        assert!(!format!("{error:?} {client:?} {:?}", client.options()).contains("guess"));
    }
}
