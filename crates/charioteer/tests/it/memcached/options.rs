//! Options and URLs.

use std::time::Duration;

use charioteer::ErrorKind;
use charioteer::memcached::{Client, Compression, Hashing, LongKeys, Options, Protocol};

#[test]
fn a_url_says_all_there_is_to_say() {
    let url = "memcache://a:1,b?hashing=ketama-weighted&weights=3,1&operation_timeout=2s&connect_timeout=300ms&connections=2\
               &attempts=5&failures=7&failover=false&retry_interval=9s&max_value_bytes=100&protocol=binary\
               &key_prefix=app%3A&prefix_places=true&long_keys=hash&compression=zstd&compression_min_bytes=5&discovery=30s";
    let mut options = Options::from_url(url).unwrap();
    assert_eq!(options.servers(), ["a:1", "b:11211"]);
    assert_eq!((options.hashing, &options.weights[..]), (Hashing::KetamaWeighted, &[3, 1][..]));
    assert_eq!(options.operation_timeout, Duration::from_secs(2));
    assert_eq!(options.connect_timeout, Duration::from_millis(300));
    assert_eq!(options.retry_interval, Duration::from_secs(9));
    assert_eq!((options.connections_per_server, options.attempts, options.failures), (2, 5, 7));
    assert_eq!((options.failover, options.max_value_bytes), (false, 100));
    assert_eq!((options.protocol, options.long_keys), (Protocol::Binary, LongKeys::Hash));
    assert_eq!((&options.key_prefix[..], options.prefix_places), (&b"app:"[..], true));
    assert_eq!((options.compression, options.compression_min_bytes), (Compression::Zstd, 5));
    assert_eq!(options.discovery, Some(Duration::from_secs(30)));
    options.weights.clear();
    assert!(Client::new(options).is_ok());
}

#[test]
fn what_makes_no_sense_is_refused_and_named() {
    for (url, names) in [
        ("memcached://", "no server"),
        ("pegasus://a", "memcached://"),
        ("memcached://a/table", "table"),
        ("memcached://a:x", "port"),
        ("memcached://a,a:11211", "twice"),
        ("memcached://a?hashing=best", "rendezvous, gomemcached, ketama"),
        ("memcached://a?protocol=telnet", "binary, meta, text"),
        ("memcached://a?long_keys=cut", "refuse, hash"),
        ("memcached://a?compression=lz4", "none, zstd"),
        ("memcached://a?prefix_places=perhaps", "prefix_places=perhaps"),
        (&format!("memcached://a?key_prefix={}", "p".repeat(250)), "key_prefix"),
        ("memcached://a?colour=red", "colour=red"),
        ("memcached://a?weights=1,2", "weights"),
        ("memcached://a?weights=0", "weights"),
        ("memcached://a?weights=2&hashing=modulo", "weights"),
        ("memcached://a?failures=0", "failures"),
        ("memcached://a?connections=0", "connections"),
        ("memcached://a?operation_timeout=0s", "operation_timeout"),
        ("memcached://a?failover=maybe", "failover=maybe"),
        ("memcached://a?discovery=often", "discovery=often"),
        ("memcached://a?discovery=0s", "discovery"),
        ("memcached://a?discovery=true&weights=2", "weights"),
    ] {
        let error = Options::from_url(url).and_then(Client::new).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains(names), "{url}: {error}");
    }
}
