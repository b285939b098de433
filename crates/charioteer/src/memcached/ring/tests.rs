//! Placements that the original clients have made: of nine keys, and how many of `key0` to `key99999` are on each server.

use super::*;

const KEYS: [&str; 9] = [
    "foo",
    "bar",
    "test",
    "key1",
    "user:1000",
    "a",
    "The quick brown fox",
    "memcached-key-with-a-longer-name-0123456789",
    "kéy",
];
const EQUAL: [u32; 4] = [1; 4];
const WEIGHTS: [u32; 4] = [600, 300, 200, 350];

fn ring(hashing: Hashing, weights: [u32; 4]) -> Ring {
    let servers = [
        ("10.0.1.1:11211", "10.0.1.1", 11211),
        ("10.0.1.2:11211", "10.0.1.2", 11211),
        ("10.0.1.3:11212", "10.0.1.3", 11212),
        ("10.0.1.4:11213", "10.0.1.4", 11213),
    ];
    let spots = servers.iter().zip(weights).map(|(&(name, host, port), weight)| Spot { name, host, port, weight });
    Ring::new(hashing, &spots.collect::<Vec<_>>())
}

/// The places of the first keys of the list, as many as there are places.
fn places<const KEYS_PLACED: usize>(ring: &Ring) -> [usize; KEYS_PLACED] {
    std::array::from_fn(|at| ring.place(KEYS[at].as_bytes()).unwrap())
}

fn counts(ring: &Ring) -> [u32; 4] {
    let mut counts = [0; 4];
    for number in 0..100_000 {
        counts[ring.place(format!("key{number}").as_bytes()).unwrap()] += 1;
    }
    counts
}

#[test]
fn gomemcached_places_keys_alike() {
    let ring = ring(Hashing::Gomemcached, EQUAL);
    assert_eq!(places(&ring), [2, 0, 2, 2, 2, 0, 1, 3, 0]);
    assert_eq!(counts(&ring), [26102, 24960, 25515, 23423]);
}

#[test]
fn libmemcached_places_keys_alike_with_ketama() {
    let ring = ring(Hashing::Ketama, EQUAL);
    assert_eq!(places(&ring), [0, 0, 1, 0, 3, 2, 3, 3, 2]);
    assert_eq!(counts(&ring), [26071, 25400, 23523, 25006]);
}

#[test]
fn libmemcached_places_keys_alike_with_the_names_of_spymemcached_and_with_fnv1a() {
    for (hashing, nine, all) in [
        (Hashing::KetamaSpy, [3, 1, 3, 0, 0, 0, 2, 1, 2], [25928, 22336, 26880, 24856]),
        (Hashing::KetamaFnv1a, [0, 2, 0, 3, 2, 2, 1, 3, 0], [26422, 18497, 41647, 13434]),
    ] {
        let ring = ring(hashing, EQUAL);
        assert_eq!((places(&ring), counts(&ring)), (nine, all), "{hashing:?}");
    }
}

#[test]
fn libmemcached_places_keys_alike_with_ketama_and_weights() {
    let ring = ring(Hashing::Ketama, WEIGHTS);
    assert_eq!(places(&ring), [2, 2, 3, 0, 2, 0, 1, 3, 3]);
    assert_eq!(counts(&ring), [40261, 19495, 15275, 24969]);
}

#[test]
fn libmemcached_places_keys_alike_with_weighted_ketama() {
    let equal = ring(Hashing::KetamaWeighted, EQUAL);
    assert_eq!(places(&equal), [3, 2, 1, 3, 1, 2, 3, 0, 2]);
    assert_eq!(counts(&equal), [21223, 24413, 27466, 26898]);
    let weighted = ring(Hashing::KetamaWeighted, WEIGHTS);
    assert_eq!(places(&weighted), [3, 2, 0, 3, 1, 2, 3, 0, 0]);
    assert_eq!(counts(&weighted), [39982, 19401, 15341, 25276]);
}

#[test]
fn libmemcached_places_keys_alike_modulo_the_number_of_servers() {
    for (hashing, nine, all) in [
        (Hashing::Modulo, [1, 1, 1, 0, 3, 2, 3, 1, 3], [25129, 25103, 25012, 24756]),
        (Hashing::ModuloMd5, [0, 3, 1, 2, 3, 0, 2, 3, 0], [25075, 24950, 25054, 24921]),
        (Hashing::ModuloCrc, [3, 3, 3, 0, 0, 3, 1, 1, 2], [25000; 4]),
    ] {
        let ring = ring(hashing, EQUAL);
        assert_eq!((places(&ring), counts(&ring)), (nine, all), "{hashing:?}");
    }
}

/// Computed by pymemcache 4.0.0, which hashes characters where they are more than bytes: its ninth place differs.
#[test]
fn pymemcache_places_keys_of_ascii_alike() {
    let ring = ring(Hashing::Rendezvous, EQUAL);
    assert_eq!(places(&ring), [2, 0, 1, 0, 0, 1, 3, 0]);
    assert_eq!(counts(&ring), [24990, 25154, 24983, 24873]);
}

/// Computed by pymemcache 4.0.0 and libmemcached 1.1.4, with two servers on Unix sockets and one with a port.
#[test]
fn the_originals_place_keys_alike_on_unix_sockets() {
    for (hashing, eight, all) in [
        (Hashing::Rendezvous, [2, 2, 2, 0, 1, 2, 0, 2], [33346, 33353, 33301, 0]),
        (Hashing::Ketama, [2, 2, 2, 1, 0, 0, 0, 1], [34783, 33608, 31609, 0]),
        (Hashing::KetamaWeighted, [0, 0, 0, 2, 2, 0, 1, 2], [33346, 31441, 35213, 0]),
    ] {
        let hosts = [("/run/a.sock", 0), ("/run/b.sock", 0), ("10.0.1.1", 11211)];
        let ring = Ring::new(hashing, &hosts.map(|(host, port)| Spot { name: host, host, port, weight: 1 }));
        assert_eq!((places(&ring), counts(&ring)), (eight, all), "{hashing:?}");
    }
}

#[test]
fn rendezvous_gives_each_server_what_its_weight_says() {
    let equal = counts(&ring(Hashing::Rendezvous, [7; 4]));
    assert_eq!(equal, counts(&ring(Hashing::Rendezvous, EQUAL)));
    let total: u32 = WEIGHTS.iter().sum();
    for (count, weight) in counts(&ring(Hashing::Rendezvous, WEIGHTS)).iter().zip(WEIGHTS) {
        let expected = 100_000 * weight / total;
        assert!(count.abs_diff(expected) < 600, "{count} instead of about {expected}");
    }
}

#[test]
fn a_server_that_goes_moves_no_keys_but_its_own() {
    let all = ring(Hashing::Rendezvous, EQUAL);
    let names = ["10.0.1.1", "10.0.1.2", "10.0.1.4"];
    let spots = names.iter().zip([11211, 11211, 11213]).map(|(host, port)| Spot { name: "", host, port, weight: 1 });
    let fewer = Ring::new(Hashing::Rendezvous, &spots.collect::<Vec<_>>());
    for number in 0..10_000 {
        let key = format!("key{number}");
        let (before, after) = (all.place(key.as_bytes()).unwrap(), fewer.place(key.as_bytes()).unwrap());
        assert!(before == 2 || [0, 1, 3][after] == before, "{key}: {before}, then {after}");
    }
}

#[test]
fn one_server_has_all_keys_and_none_has_none() {
    let spot = Spot { name: "one:1", host: "one", port: 1, weight: 1 };
    for (_, hashing) in Hashing::NAMES {
        assert_eq!(Ring::new(hashing, &[spot]).place(b"key"), Some(0));
        assert_eq!(Ring::new(hashing, &[]).place(b"key"), None);
    }
}
