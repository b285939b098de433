//! The hash of a key by which deadlocks are reported: FarmHash's 64-bit fingerprint, of which TiKV and its clients share the value.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;

/// How many bytes a round takes of what is longer.
const ROUND: usize = 64;

/// The fingerprint of a key.
///
/// ```
/// use charioteer_proto::tikv::fingerprint;
///
/// assert_eq!(fingerprint::of(b"key"), 0x0bb7_560e_1126_2cdb);
/// ```
#[must_use]
pub fn of(key: &[u8]) -> u64 {
    match key.len() {
        0 => K2,
        1..=3 => of_few(key),
        4..=7 => of_up_to_7(key),
        8..=16 => of_up_to_16(key),
        17..=32 => of_up_to_32(key),
        33..=64 => of_up_to_64(key),
        _ => of_many(key),
    }
}

fn of_few(key: &[u8]) -> u64 {
    let (first, middle, last) = (byte(key, 0), byte(key, key.len() / 2), byte(key, key.len() - 1));
    let (low, high) = (first + (middle << 8), length(key) + (last << 2));
    fold(low.wrapping_mul(K2) ^ high.wrapping_mul(K0)).wrapping_mul(K2)
}

fn of_up_to_7(key: &[u8]) -> u64 {
    let (first, last) = (half_word(key, 0), half_word(key, key.len() - 4));
    mix(length(key).wrapping_add(first << 3), last, factor(key))
}

fn of_up_to_16(key: &[u8]) -> u64 {
    let mul = factor(key);
    let first = word(key, 0).wrapping_add(K2);
    let last = word(key, key.len() - 8);
    let low = last.rotate_right(37).wrapping_mul(mul).wrapping_add(first);
    let high = first.rotate_right(25).wrapping_add(last).wrapping_mul(mul);
    mix(low, high, mul)
}

fn of_up_to_32(key: &[u8]) -> u64 {
    let mul = factor(key);
    let (low, high) = ends(key, K1, mul);
    mix(low, high, mul)
}

fn of_up_to_64(key: &[u8]) -> u64 {
    let (mul, end) = (factor(key), key.len());
    let (low, high) = ends(key, K2, mul);
    let mixed = mix(low, high, mul);
    let (third, fourth) = (word(key, 16).wrapping_mul(mul), word(key, 24));
    let left = low.wrapping_add(word(key, end - 32)).wrapping_mul(mul);
    let right = mixed.wrapping_add(word(key, end - 24)).wrapping_mul(mul);
    let first = word(key, 0).wrapping_mul(K2);
    mix(
        third.wrapping_add(fourth).rotate_right(43).wrapping_add(left.rotate_right(30)).wrapping_add(right),
        third.wrapping_add(fourth.wrapping_add(first).rotate_right(18)).wrapping_add(left),
        mul,
    )
}

/// What the first and the last sixteen bytes come to.
fn ends(key: &[u8], seed: u64, mul: u64) -> (u64, u64) {
    let end = key.len();
    let (first, second) = (word(key, 0).wrapping_mul(seed), word(key, 8));
    let (last, before) = (word(key, end - 8).wrapping_mul(mul), word(key, end - 16).wrapping_mul(K2));
    let low = first.wrapping_add(second).rotate_right(43).wrapping_add(last.rotate_right(30)).wrapping_add(before);
    let high = first.wrapping_add(second.wrapping_add(K2).rotate_right(18)).wrapping_add(last);
    (low, high)
}

/// What is carried from round to round.
struct Rounds {
    x: u64,
    y: u64,
    z: u64,
    v: (u64, u64),
    w: (u64, u64),
}

impl Rounds {
    fn begin(key: &[u8]) -> Self {
        const SEED: u64 = 81;
        let y = SEED.wrapping_mul(K1).wrapping_add(113);
        let z = fold(y.wrapping_mul(K2).wrapping_add(113)).wrapping_mul(K2);
        Self { x: SEED.wrapping_mul(K2).wrapping_add(word(key, 0)), y, z, v: (0, 0), w: (0, 0) }
    }

    /// Takes one more round of bytes; `nine` is what two of the words count in it.
    fn take(&mut self, round: &[u8], mul: u64, nine: u64) {
        let x = self.x.wrapping_add(self.y).wrapping_add(self.v.0).wrapping_add(word(round, 8));
        let x = x.rotate_right(37).wrapping_mul(mul) ^ self.w.1.wrapping_mul(nine);
        let y = self.y.wrapping_add(self.v.1).wrapping_add(word(round, 48)).rotate_right(42).wrapping_mul(mul);
        let y = y.wrapping_add(self.v.0.wrapping_mul(nine)).wrapping_add(word(round, 40));
        let z = self.z.wrapping_add(self.w.0).rotate_right(33).wrapping_mul(mul);
        self.v = weak(round, 0, (self.v.1.wrapping_mul(mul), x.wrapping_add(self.w.0)));
        self.w = weak(round, 32, (z.wrapping_add(self.w.1), y.wrapping_add(word(round, 16))));
        (self.x, self.y, self.z) = (z, y, x);
    }
}

fn of_many(key: &[u8]) -> u64 {
    let mut rounds = Rounds::begin(key);
    // The last round takes the last 64 bytes, of which some may have been taken before.
    let mut left = key;
    while left.len() > ROUND {
        let (round, rest) = left.split_at(ROUND);
        rounds.take(round, K1, 1);
        left = rest;
    }
    let mul = K1.wrapping_add((rounds.z & 0xff) << 1);
    rounds.w.0 = rounds.w.0.wrapping_add((length(key) - 1) & 63);
    rounds.v.0 = rounds.v.0.wrapping_add(rounds.w.0);
    rounds.w.0 = rounds.w.0.wrapping_add(rounds.v.0);
    rounds.take(key.get(key.len() - ROUND..).unwrap_or_default(), mul, 9);
    let Rounds { x, y, z, v, w } = rounds;
    let low = mix(v.0, w.0, mul).wrapping_add(fold(y).wrapping_mul(K0)).wrapping_add(z);
    mix(low, mix(v.1, w.1, mul).wrapping_add(x), mul)
}

/// A pair that depends on 32 bytes and on another pair.
fn weak(bytes: &[u8], at: usize, (a, b): (u64, u64)) -> (u64, u64) {
    let (first, second, third, last) =
        (word(bytes, at), word(bytes, at + 8), word(bytes, at + 16), word(bytes, at + 24));
    let a = a.wrapping_add(first);
    let b = b.wrapping_add(a).wrapping_add(last).rotate_right(21);
    let sum = a.wrapping_add(second).wrapping_add(third);
    (sum.wrapping_add(last), b.wrapping_add(sum.rotate_right(44)).wrapping_add(a))
}

const fn fold(word: u64) -> u64 {
    word ^ (word >> 47)
}

const fn mix(low: u64, high: u64, mul: u64) -> u64 {
    let a = fold((low ^ high).wrapping_mul(mul));
    fold((high ^ a).wrapping_mul(mul)).wrapping_mul(mul)
}

const fn factor(key: &[u8]) -> u64 {
    K2.wrapping_add(length(key) * 2)
}

const fn length(key: &[u8]) -> u64 {
    key.len() as u64
}

fn byte(key: &[u8], at: usize) -> u64 {
    key.get(at).copied().unwrap_or_default().into()
}

fn half_word(key: &[u8], at: usize) -> u64 {
    let bytes = key.get(at..).and_then(<[u8]>::first_chunk);
    u32::from_le_bytes(bytes.copied().unwrap_or_default()).into()
}

fn word(key: &[u8], at: usize) -> u64 {
    let bytes = key.get(at..).and_then(<[u8]>::first_chunk);
    u64::from_le_bytes(bytes.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// What go-farm, which client-go uses, makes of bytes 7, 38, 69, … of these lengths.
    const GO_FARM: [(u32, u64); 26] = [
        (0, 0x9ae1_6a3b_2f90_404f),
        (1, 0x5782_1efd_ee1b_7472),
        (2, 0x0265_679d_ff51_2f39),
        (3, 0x5f04_3801_775b_e181),
        (4, 0xdcf1_5d9b_38b2_60fc),
        (7, 0x545a_c134_b579_25ff),
        (8, 0xd146_9344_0d28_f69a),
        (9, 0xc9d4_703f_a3ce_d177),
        (15, 0xc338_033d_fa6d_ca8d),
        (16, 0xd9b2_8ec3_1be8_3978),
        (17, 0xffb7_cd79_9a15_0d69),
        (24, 0x544c_a270_755e_17e9),
        (31, 0x61a0_6255_8787_9a75),
        (32, 0x5b02_13e6_2a3c_a399),
        (33, 0xd73b_bb57_6c6c_9808),
        (48, 0x5655_8e9c_b119_6ff2),
        (63, 0xff20_33b2_6af5_e749),
        (64, 0x5631_7ec6_58bf_a4f9),
        (65, 0x5a5b_9a92_eb30_61d6),
        (100, 0x7f25_3795_9ee6_0afd),
        (127, 0x7f64_7bd5_6658_eb85),
        (128, 0x62d2_c187_9bd7_3de5),
        (129, 0xd8e5_2f1c_af21_aae2),
        (192, 0xd58b_db5b_5790_25ae),
        (200, 0x8f2d_ac6e_1bb7_686d),
        (1000, 0x887f_c552_cf10_ef81),
    ];

    #[test]
    fn keys_of_all_lengths_have_the_fingerprints_that_client_go_gives_them() {
        for (length, fingerprint) in GO_FARM {
            let key: Vec<u8> = (0..length).map(|at| (at * 31 + 7).to_le_bytes()[0]).collect();
            assert_eq!(of(&key), fingerprint, "{length} bytes");
        }
    }
}
