//! The fuzz targets, replayed on a few thousand cases that are the same on every run.

use std::path::Path;

use super::checks;
use super::hostile::full;
use super::table::{Message, StructVisitor, structs};
use super::vectors;

/// A fuzz target: its name, what it checks, and what it starts from, each with a name.
struct Target {
    name: &'static str,
    check: fn(&[u8]),
    seeds: Vec<(String, Vec<u8>)>,
}

fn targets() -> [Target; 4] {
    let frames = |requests: bool| {
        let vectors = vectors::all().into_iter().filter(|vector| vector.is_request == requests);
        vectors.map(|vector| (vector.name, vector.bytes)).collect()
    };
    [
        Target { name: "request", check: checks::request, seeds: frames(true) },
        Target { name: "reply", check: checks::reply, seeds: frames(false) },
        Target { name: "message", check: checks::message, seeds: messages() },
        Target { name: "value", check: checks::value, seeds: messages() },
    ]
}

/// The bytes of a struct's full value behind the number that chooses it.
struct Chosen(u8);

impl StructVisitor for Chosen {
    type Out = (String, Vec<u8>);

    fn visit<T: Message>(self) -> Self::Out {
        (T::NAME.to_owned(), [&[self.0], &full::<T>()[..]].concat())
    }
}

fn messages() -> Vec<(String, Vec<u8>)> {
    structs::<Chosen>().into_iter().zip(0..).map(|(visit, number)| visit(Chosen(number))).collect()
}

/// Pseudo-random bytes, the same ones on every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).expect("small")).expect("small")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(200)).map(|_| self.byte()).collect()
    }

    /// Bends, cuts out, doubles or inserts a few bytes.
    pub(crate) fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(4) {
                0 if !bytes.is_empty() => bytes[at] = self.byte(),
                1 => drop(bytes.drain(at..(at + self.below(9)).min(bytes.len()))),
                2 => {
                    let piece = bytes[at..(at + self.below(40)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => {
                    let inserted = [[0, 0, 0, 1], [0xff; 4], [0x7f, 0xff, 0xff, 0xff], [0x0c, 0, 1, 0]][self.below(4)];
                    bytes.splice(at..at, inserted);
                }
            }
        }
    }
}

#[test]
fn a_seeded_replay_of_the_fuzz_targets_finds_nothing() {
    const CASES: usize = 15_000;
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
