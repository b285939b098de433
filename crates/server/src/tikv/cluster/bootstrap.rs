//! What a new cluster looks like.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use charioteer_proto::tikv::memcomparable;

use super::Region;
use super::placement::place;
use crate::TikvApi;

/// What TiKV's first region begins with.
const FIRST_EPOCH: u64 = 1;

/// A number of a cluster that no other has, made as PD makes it.
pub(super) fn cluster_id(now: Duration) -> u64 {
    now.as_secs() << 32 | u64::from(fastrand::u32(..))
}

/// So many regions, spread over the keys that clients of that API version use, and over the stores.
pub(super) fn regions(api: TikvApi, count: usize, stores: &[u64], ids: &mut impl FnMut() -> u64) -> Vec<Region> {
    let boundaries = boundaries(api, count);
    let starts = [Bytes::new()].into_iter().chain(boundaries.iter().cloned());
    let ends = boundaries.iter().cloned().chain([Bytes::new()]);
    let mut regions = Vec::with_capacity(count);
    for (start, end) in starts.zip(ends) {
        let bare = Region {
            id: ids(),
            start,
            end,
            conf_ver: FIRST_EPOCH,
            version: FIRST_EPOCH,
            peers: Vec::new(),
            leader: None,
        };
        regions.push(bare);
    }
    place(&mut regions, stores, ids);
    regions.iter_mut().for_each(|region| region.conf_ver = FIRST_EPOCH);
    regions
}

/// Boundaries between so many regions: first of all those of keyspace `DEFAULT`, at which a new PD splits whatever the API version. Some
/// clients go on from the end of the last region with the first key of all.
fn boundaries(api: TikvApi, regions: usize) -> Vec<Bytes> {
    let own: &[&[u8]] = if regions > OF_DEFAULT_KEYSPACE.len() { &OF_DEFAULT_KEYSPACE } else { &[] };
    let count = regions.saturating_sub(1 + own.len());
    let more = match api {
        TikvApi::Any | TikvApi::V1 | TikvApi::V1Ttl => spread(b"", count),
        TikvApi::V2 => {
            let of_transactions = count / 2;
            [spread(b"r\0\0\0", count - of_transactions), spread(b"x\0\0\0", of_transactions)].concat()
        }
    };
    let mut boundaries: Vec<Bytes> = own.iter().map(|key| memcomparable::encode(key)).chain(more).collect();
    boundaries.sort();
    boundaries
}

/// Where the raw keys of keyspace `DEFAULT` begin and end, and those of its transactions.
const OF_DEFAULT_KEYSPACE: [&[u8]; 4] = [b"r\0\0\0", b"r\0\0\x01", b"x\0\0\0", b"x\0\0\x01"];

/// So many keys behind a prefix, evenly spread by their first two bytes, as PD has them.
fn spread(prefix: &[u8], count: usize) -> Vec<Bytes> {
    let parts = count as u64 + 1;
    (1..parts)
        .map(|part| {
            let mut key = BytesMut::from(prefix);
            let [.., high, low] = (part * (1 << 16) / parts).to_be_bytes();
            key.put_u8(high);
            if low > 0 {
                key.put_u8(low);
            }
            memcomparable::encode(&key)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(api: TikvApi, regions: usize) -> Vec<Vec<u8>> {
        boundaries(api, regions).iter().map(|boundary| memcomparable::decode(boundary).unwrap().0).collect()
    }

    #[test]
    fn boundaries_are_spread_by_the_first_byte_and_can_be_decoded() {
        assert!(keys(TikvApi::V1, 1).is_empty());
        assert_eq!(keys(TikvApi::Any, 4), [[0x40], [0x80], [0xc0]]);
        assert_eq!(keys(TikvApi::V2, 3), [b"r\0\0\0\x80", b"x\0\0\0\x80"]);
    }

    #[test]
    fn a_cluster_of_at_least_five_regions_has_the_boundaries_that_a_new_pd_makes() {
        assert_eq!(keys(TikvApi::Any, 5), OF_DEFAULT_KEYSPACE);
        let six: Vec<&[u8]> = OF_DEFAULT_KEYSPACE.into_iter().chain([&b"\x80"[..]]).collect();
        assert_eq!(keys(TikvApi::V1, 6), six);
        assert!(keys(TikvApi::V2, 7).contains(&b"r\0\0\0\x80".to_vec()));
    }

    #[test]
    fn ten_thousand_boundaries_differ_and_ascend() {
        for api in [TikvApi::V1, TikvApi::V2] {
            let boundaries = boundaries(api, 10_000);
            assert_eq!(boundaries.len(), 9_999);
            assert!(boundaries.is_sorted_by(|one, other| one < other));
        }
    }
}
