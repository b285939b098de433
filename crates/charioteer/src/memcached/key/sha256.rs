//! SHA-256, which stands for keys that are too long.

/// The length of a digest.
pub(super) const BYTES: usize = 32;

/// The fractions of the cube roots of the first primes.
#[rustfmt::skip]
const CUBE_ROOTS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// The fractions of the square roots of the first primes.
#[rustfmt::skip]
const SQUARE_ROOTS: [u32; 8] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
];

/// The digest of a text.
pub(super) fn of(text: &[u8]) -> [u8; BYTES] {
    let mut state = SQUARE_ROOTS;
    let (blocks, rest) = text.as_chunks::<64>();
    blocks.iter().for_each(|block| mix(&mut state, block));
    let mut end = [0; 128];
    end[..rest.len()].copy_from_slice(rest);
    end[rest.len()] = 0x80;
    // The length in bits stands at the end of the last block, which may have no room left for it.
    let end = if rest.len() < 56 { &mut end[..64] } else { &mut end[..] };
    if let Some(length) = end.last_chunk_mut::<8>() {
        *length = (text.len() as u64 * 8).to_be_bytes();
    }
    end.as_chunks::<64>().0.iter().for_each(|block| mix(&mut state, block));
    let mut digest = [0; BYTES];
    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

/// Mixes a block into the state, with the names of FIPS 180-4.
fn mix(state: &mut [u32; 8], block: &[u8; 64]) {
    let schedule = schedule(block);
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (root, word) in CUBE_ROOTS.into_iter().zip(schedule) {
        let choice = e & f ^ !e & g;
        let majority = a & b ^ a & c ^ b & c;
        let first = h.wrapping_add(spread(e, [6, 11, 25])).wrapping_add(choice).wrapping_add(root).wrapping_add(word);
        let second = spread(a, [2, 13, 22]).wrapping_add(majority);
        (h, g, f, e) = (g, f, e, d.wrapping_add(first));
        (d, c, b, a) = (c, b, a, first.wrapping_add(second));
    }
    for (word, mixed) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(mixed);
    }
}

/// The words of a block, and those that follow from them.
fn schedule(block: &[u8; 64]) -> [u32; 64] {
    let mut words = [0; 64];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for at in 16..64 {
        let (near, far) = (words[at - 2], words[at - 15]);
        let near = near.rotate_right(17) ^ near.rotate_right(19) ^ near >> 10;
        let far = far.rotate_right(7) ^ far.rotate_right(18) ^ far >> 3;
        words[at] = words[at - 16].wrapping_add(far).wrapping_add(words[at - 7]).wrapping_add(near);
    }
    words
}

fn spread(word: u32, [first, second, third]: [u32; 3]) -> u32 {
    word.rotate_right(first) ^ word.rotate_right(second) ^ word.rotate_right(third)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hexadecimal(text: &[u8]) -> String {
        of(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// From FIPS 180-4's examples, and from coreutils' `sha256sum` where lengths meet the ends of blocks.
    #[test]
    fn digests_are_those_of_other_implementations() {
        assert_eq!(hexadecimal(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hexadecimal(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(
            hexadecimal(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        );
        assert_eq!(hexadecimal(&[b'k'; 55]), "94abcc11f65698688ffc2858efb9b3d55f20c579abaad82735ae6817887595f4");
        assert_eq!(hexadecimal(&[b'k'; 56]), "493a700b8fd71c2a186c018e1d3a9b1bebbcec358a13daa67e76a788fddc2e07");
        assert_eq!(hexadecimal(&[b'k'; 63]), "d4bacb34b88e17aabe42b5e49c36ab951d4fe19a13c11410eebbc73265e4edfe");
        assert_eq!(hexadecimal(&[b'k'; 64]), "2519b49bcf69feac270ac3c8631539e8caed4c7e6a62c6cc5511228a61780745");
        assert_eq!(hexadecimal(&[b'k'; 119]), "4faa65f0aeec8078317ebc05630903148e3a809f66bb1b68ce6f50139f0dc051");
        assert_eq!(hexadecimal(&[b'k'; 120]), "64fa0bb88d882a997cac9b2506f0ed5a5003259d2b316815aaff3f1d026c7390");
        assert_eq!(hexadecimal(&[b'k'; 251]), "3b8059c637939a483bdc7beef09f11b566581be6d14e25083b3041b77717de02");
        assert_eq!(hexadecimal(&[b'k'; 1000]), "27fed049cf80e0eff71ab837c82a50327b7677ebda22305d3f353f0989488669");
    }
}
