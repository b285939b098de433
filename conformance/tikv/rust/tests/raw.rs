//! Every call of the raw client of the crate tikv-client, against the cluster whose PD is at `$TIKV_PD`: in version 1 of the API,
//! or where `$TIKV_KEYSPACE` names one, in version 2.
//!
//! A scan of this client that finds fewer pairs than its limit in the last region of all starts over at the first one. Hence a
//! cluster of several regions, where the keys of a test begin with small letters, above which lies a boundary.

use std::ops::Range;
use std::time::{Duration, Instant};

use tikv_client::{Backoff, BoundRange, ColumnFamily, Config, Key, KvPair, RawClient, Result};

/// A client, and the part of its keys that a test has for itself.
struct Space {
    client: RawClient,
    name: &'static str,
}

impl Space {
    async fn new(name: &'static str) -> Result<Self> {
        let pd = std::env::var("TIKV_PD").expect("$TIKV_PD names no PD");
        let mut config = Config::default().with_timeout(Duration::from_secs(10));
        if let Ok(keyspace) = std::env::var("TIKV_KEYSPACE") {
            config = config.with_keyspace(&keyspace);
        }
        Ok(Self { client: RawClient::new_with_config(vec![pd], config).await?, name })
    }

    fn key(&self, name: &str) -> Vec<u8> {
        format!("{}/{name}", self.name).into_bytes()
    }

    fn range(&self, start: &str, end: &str) -> Range<Vec<u8>> {
        self.key(start)..self.key(end)
    }

    /// All keys of the test.
    fn all(&self) -> Range<Vec<u8>> {
        self.range("", "zzz")
    }

    /// Pairs "a" to "j", each of whose values is its name.
    async fn ten(&self) -> Result<Vec<KvPair>> {
        let pairs: Vec<_> = ('a'..='j').map(|name| pair(self.key(&name.to_string()), name.to_string())).collect();
        self.client.batch_put(pairs.clone()).await?;
        Ok(pairs)
    }
}

fn pair(key: impl Into<Key>, value: impl Into<Vec<u8>>) -> KvPair {
    KvPair(key.into(), value.into())
}

fn keys(pairs: &[KvPair]) -> Vec<Key> {
    pairs.iter().map(|pair| pair.0.clone()).collect()
}

fn downwards<T: Clone>(ascending: &[T]) -> Vec<T> {
    ascending.iter().rev().cloned().collect()
}

fn refusal<T: std::fmt::Debug>(answer: Result<T>) -> String {
    format!("{:?}", answer.expect_err("this was to be refused"))
}

fn version_2() -> bool {
    std::env::var_os("TIKV_KEYSPACE").is_some()
}

#[tokio::test]
async fn a_value_is_read_until_it_is_replaced_or_deleted() -> Result<()> {
    let space = Space::new("value").await?;
    let (client, key) = (&space.client, space.key("key"));
    assert_eq!(client.get(key.clone()).await?, None);
    for value in [b"value".to_vec(), (0..=255).collect(), Vec::new(), vec![7; 1 << 20]] {
        client.put(key.clone(), value.clone()).await?;
        assert_eq!(client.get(key.clone()).await?, Some(value));
    }
    client.delete(key.clone()).await?;
    assert_eq!(client.get(key.clone()).await?, None);
    client.delete(key).await
}

#[tokio::test]
async fn a_batch_finds_what_is_there() -> Result<()> {
    let space = Space::new("batch").await?;
    let pairs = space.ten().await?;
    let mut asked = keys(&pairs);
    asked.push(space.key("missing").into());
    assert_eq!(space.client.batch_get(asked.clone()).await?, pairs);
    space.client.batch_delete(asked[3..].to_vec()).await?;
    assert_eq!(space.client.batch_get(asked).await?, pairs[..3]);
    Ok(())
}

#[tokio::test]
async fn batches_over_all_regions_are_whole() -> Result<()> {
    let space = Space::new("spread").await?;
    let spread = |first: u8, number: u32| [&[first], space.key(&format!("{number:05}")).as_slice()].concat();
    let pairs: Vec<_> = [0x05, 0x50, 0x90, 0xd0, 0xf0]
        .into_iter()
        .flat_map(|first| (0..400).map(move |number| (first, number)))
        .map(|(first, number)| pair(spread(first, number), number.to_string().repeat(20)))
        .collect();
    space.client.batch_put(pairs.clone()).await?;
    assert_eq!(space.client.batch_get(keys(&pairs)).await?, pairs);
    let from_the_first = space.client.scan(spread(0x05, 0)..spread(0x05, 500), 1000).await?;
    assert_eq!(from_the_first, pairs[..400]);
    // The tests that run beside this one have keys between the second and the third.
    let over_a_boundary = space.client.scan(spread(0x90, 0)..spread(0xf0, 400), 1200).await?;
    assert_eq!(over_a_boundary, pairs[800..]);

    space.client.delete_range(spread(0x90, 100)..spread(0xd0, 300)).await?;
    let left: Vec<_> = pairs[..900].iter().chain(&pairs[1500..]).cloned().collect();
    assert_eq!(space.client.batch_get(keys(&pairs)).await?, left);
    space.client.batch_delete(keys(&pairs)).await?;
    assert!(space.client.batch_get(keys(&pairs)).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_scan_keeps_to_its_bounds_and_its_limit() -> Result<()> {
    let space = Space::new("scan").await?;
    let (client, pairs) = (&space.client, space.ten().await?);
    assert_eq!(client.scan(space.all(), 100).await?, pairs);
    assert_eq!(client.scan(space.range("c", "f"), 100).await?, pairs[2..5]);
    assert_eq!(client.scan(space.key("c")..=space.key("f"), 100).await?, pairs[2..6]);
    assert_eq!(client.scan(space.key("c").., 4).await?, pairs[2..6]);
    assert_eq!(client.scan(space.range("c", "f"), 2).await?, pairs[2..4]);
    assert_eq!(client.scan(space.range("c", "f"), 0).await?, []);
    assert_eq!(client.scan(space.range("x", "y"), 100).await?, []);
    assert_eq!(client.scan_keys(space.all(), 100).await?, keys(&pairs));
    assert_eq!(client.scan_keys(space.range("c", "f"), 2).await?, keys(&pairs[2..4]));
    assert!(refusal(client.scan(space.all(), 10_241).await).contains("10241"));
    Ok(())
}

#[tokio::test]
async fn a_reverse_scan_is_descending() -> Result<()> {
    let space = Space::new("reverse").await?;
    let (client, pairs) = (&space.client, space.ten().await?);
    assert_eq!(client.scan_reverse(space.all(), 100).await?, downwards(&pairs));
    assert_eq!(client.scan_reverse(space.range("c", "f"), 100).await?, downwards(&pairs[2..5]));
    assert_eq!(client.scan_reverse(space.key("c")..=space.key("f"), 100).await?, downwards(&pairs[2..6]));
    assert_eq!(client.scan_reverse(space.range("c", "f"), 2).await?, downwards(&pairs[3..5]));
    assert_eq!(client.scan_reverse(space.range("x", "y"), 100).await?, []);
    assert_eq!(client.scan_keys_reverse(space.all(), 3).await?, downwards(&keys(&pairs[7..])));
    Ok(())
}

#[tokio::test]
async fn scans_of_several_ranges_answer_in_their_order() -> Result<()> {
    let space = Space::new("ranges").await?;
    let (client, pairs) = (&space.client, space.ten().await?);
    let ranges = || [space.range("b", "d"), space.range("f", "i"), space.range("x", "y")];
    let found = [&pairs[1..3], &pairs[5..8]].concat();
    assert_eq!(client.batch_scan(ranges(), 100).await?, found);
    assert_eq!(client.batch_scan_keys(ranges(), 100).await?, keys(&found));
    assert_eq!(client.batch_scan(ranges(), 1).await?, [pairs[1].clone(), pairs[5].clone()]);
    let overlapping = [space.key("")..=space.key("c"), space.key("b")..=space.key("e")];
    assert_eq!(client.batch_scan(overlapping, 4).await?, [&pairs[..3], &pairs[1..5]].concat());
    Ok(())
}

#[tokio::test]
async fn a_range_is_deleted_within_its_bounds() -> Result<()> {
    let space = Space::new("delete").await?;
    let (client, pairs) = (&space.client, space.ten().await?);
    client.delete_range(space.range("b", "d")).await?;
    client.delete_range(space.key("f")..=space.key("g")).await?;
    client.delete_range(space.range("x", "y")).await?;
    let left = [&pairs[..1], &pairs[3..5], &pairs[7..]].concat();
    assert_eq!(client.scan(space.all(), 100).await?, left);
    client.delete_range(space.all()).await?;
    assert_eq!(client.scan(space.all(), 100).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_lifetime_is_told_and_ends() -> Result<()> {
    let space = Space::new("lifetime").await?;
    let (client, key) = (&space.client, |name| space.key(name));
    assert_eq!(client.get_key_ttl_secs(key("missing")).await?, None);
    client.put(key("forever"), "v").await?;
    client.put_with_ttl(key("long"), "v", 100).await?;
    client.put_with_ttl(key("short"), "v", 1).await?;
    client.batch_put_with_ttl([(key("one"), "v"), (key("two"), "v")], [0, 1000]).await?;
    for (name, least, most) in [("forever", 0, 0), ("long", 95, 100), ("one", 0, 0), ("two", 995, 1000)] {
        let left = client.get_key_ttl_secs(key(name)).await?.expect(name);
        assert!((least..=most).contains(&left), "{name} has {left}");
    }
    // How a value expires can only be seen by waiting for it.
    let put = Instant::now();
    while client.get(key("short")).await?.is_some() {
        assert!(put.elapsed() < Duration::from_secs(5), "a second lasts for five");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(client.get_key_ttl_secs(key("short")).await?, None);
    let left = ["forever", "long", "one", "two"].map(|name| Key::from(key(name)));
    assert_eq!(client.scan_keys(space.all(), 100).await?, left);
    Ok(())
}

#[tokio::test]
async fn a_value_is_swapped_for_what_was_expected() -> Result<()> {
    let space = Space::new("swap").await?;
    let key = space.key("key");
    assert!(refusal(space.client.compare_and_swap(key.clone(), None, "v").await).contains("UnsupportedMode"));
    let client = space.client.with_atomic_for_cas();
    let swap = |expected: Option<&str>, value: &'static str| {
        client.compare_and_swap(key.clone(), expected.map(|value| value.as_bytes().to_vec()), value)
    };
    assert_eq!(swap(Some("1"), "2").await?, (None, false));
    assert_eq!(swap(None, "").await?, (None, true));
    assert_eq!(swap(None, "1").await?, (Some(Vec::new()), false));
    assert_eq!(swap(Some(""), "1").await?, (Some(Vec::new()), true));
    assert_eq!(swap(Some("2"), "3").await?, (Some(b"1".to_vec()), false));
    client.put(key.clone(), "4").await?;
    assert_eq!(swap(Some("4"), "5").await?, (Some(b"4".to_vec()), true));
    client.delete(key.clone()).await?;
    assert_eq!(swap(None, "6").await?, (None, true));
    client.batch_put([(key.clone(), "7")]).await?;
    assert_eq!(swap(Some("7"), "8").await?, (Some(b"7".to_vec()), true));
    assert_eq!(client.get(key.clone()).await?, Some(b"8".to_vec()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_of_many_callers_all_count() -> Result<()> {
    let space = Space::new("count").await?;
    let client = space.client.with_atomic_for_cas();
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (client, key) = (client.clone(), space.key("count"));
            tokio::spawn(async move {
                let (mut current, mut done) = (None, 0);
                while done < 20 {
                    let count = current.as_deref().map_or(0, |text| String::from_utf8_lossy(text).parse().unwrap_or(0));
                    let next = (count + 1).to_string().into_bytes();
                    let (previous, swapped) = client.compare_and_swap(key.clone(), current, next.clone()).await?;
                    done += u32::from(swapped);
                    current = if swapped { Some(next) } else { previous };
                }
                Result::Ok(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    assert_eq!(client.get(space.key("count")).await?, Some(b"160".to_vec()));
    Ok(())
}

#[tokio::test]
async fn column_families_are_apart() -> Result<()> {
    let space = Space::new("families").await?;
    if version_2() {
        let refused = space.client.with_cf(ColumnFamily::Write).put(space.key("a"), "v").await;
        assert!(refusal(refused).contains("cf is deprecated in API V2, cf name: write"));
        return Ok(());
    }
    let families =
        [ColumnFamily::Default, ColumnFamily::Lock, ColumnFamily::Write].map(|family| space.client.with_cf(family));
    for (number, family) in families.iter().enumerate() {
        family.put(space.key("a"), number.to_string()).await?;
    }
    for (number, family) in families.iter().enumerate() {
        assert_eq!(family.scan(space.all(), 10).await?, [pair(space.key("a"), number.to_string())]);
        assert_eq!(family.batch_scan([space.all()], 10).await?.len(), 1);
    }
    families[1].delete_range(space.all()).await?;
    assert_eq!(families[1].get(space.key("a")).await?, None);
    assert_eq!(families[2].get(space.key("a")).await?, Some(b"2".to_vec()));
    // The first is the one that is meant where none is named.
    assert_eq!(space.client.get(space.key("a")).await?, Some(b"0".to_vec()));
    Ok(())
}

#[tokio::test]
async fn a_coprocessor_that_is_not_there_is_refused() -> Result<()> {
    let space = Space::new("coprocessor").await?;
    let range: BoundRange = space.all().into();
    let answer = space.client.coprocessor("missing", "1.0.0", [range], |_, _| b"data".to_vec()).await;
    assert!(refusal(answer).contains("Coprocessor plugin is disabled!"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_get_their_own_answers() -> Result<()> {
    let space = Space::new("callers").await?;
    let client = space.client.with_backoff(Backoff::no_jitter_backoff(10, 1000, 10));
    let callers: Vec<_> = (0..50)
        .map(|caller| {
            let (client, key) = (client.clone(), space.key(&format!("{caller:02}")));
            tokio::spawn(async move {
                for round in 0..20 {
                    let value = format!("{round} of {caller}").into_bytes();
                    client.put(key.clone(), value.clone()).await?;
                    assert_eq!(client.get(key.clone()).await?, Some(value));
                }
                Result::Ok(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    assert_eq!(client.scan_keys(space.all(), 100).await?.len(), 50);
    Ok(())
}

#[tokio::test]
async fn a_keyspace_that_is_not_there_is_refused() {
    let pd = std::env::var("TIKV_PD").expect("$TIKV_PD names no PD");
    let opened = RawClient::new_with_config(vec![pd], Config::default().with_keyspace("missing")).await;
    assert!(refusal(opened.map(|_| ())).contains("keyspace"));
}
