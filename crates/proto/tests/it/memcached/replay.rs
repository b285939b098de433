//! The fuzz targets, replayed on some thousand cases that are the same on every run.

use std::path::Path;

use super::checks;
use super::messages::golden;
use crate::replay::Random;

/// A fuzz target: its name, what it checks, and what it starts from, each with a name.
struct Target {
    name: &'static str,
    check: fn(&[u8]),
    seeds: Vec<(String, Vec<u8>)>,
}

fn targets() -> [Target; 6] {
    let requests = |binary| golden(move |vector| (vector.is_binary == binary).then(|| vector.request.clone()));
    let replies = |binary| golden(move |vector| (vector.is_binary == binary).then(|| vector.reply.clone()));
    let awaited: Vec<_> = replies(false)
        .into_iter()
        .zip((0..10u8).cycle())
        .flat_map(|((name, reply), number)| {
            [1, 7, 9, number].map(|awaited| (format!("{name}_{awaited}"), [&[awaited], &reply[..]].concat()))
        })
        .collect();
    let credentials = golden(|vector| vector.name.starts_with("auth_").then(|| vector.request.clone()));
    [
        Target { name: "memcached_binary_request", check: checks::binary_request, seeds: requests(true) },
        Target { name: "memcached_binary_reply", check: checks::binary_reply, seeds: replies(true) },
        Target { name: "memcached_text_request", check: checks::text_request, seeds: requests(false) },
        Target { name: "memcached_text_reply", check: checks::text_reply, seeds: awaited },
        Target { name: "memcached_meta_reply", check: checks::meta_reply, seeds: replies(false) },
        Target { name: "memcached_credentials", check: checks::credentials, seeds: credentials },
    ]
}

#[test]
fn a_seeded_replay_of_the_fuzz_targets_finds_nothing() {
    const CASES: usize = 10_000;
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for Target { check, seeds, .. } in targets() {
        for (_, seed) in seeds.iter().cycle().take(CASES) {
            let mut mutated = seed.clone();
            random.mutate(&mut mutated);
            check(&mutated);
            check(&random.bytes());
        }
    }
}

/// `FUZZ_CORPUS=DIR` writes them for the fuzzer to start from.
#[test]
fn the_seeds_of_the_fuzz_targets_pass_them() {
    let corpus = std::env::var_os("FUZZ_CORPUS");
    for Target { name: target, check, seeds } in targets() {
        for (name, seed) in seeds {
            check(&seed);
            if let Some(corpus) = &corpus {
                let folder = Path::new(corpus).join(target);
                std::fs::create_dir_all(&folder).expect("a folder for the corpus");
                std::fs::write(folder.join(name), seed).expect("writable");
            }
        }
    }
}
