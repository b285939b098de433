use charioteer_proto::tikv::etcdserverpb::range_request::{SortOrder, SortTarget};
use charioteer_proto::tikv::etcdserverpb::{MemberListRequest, PutRequest, PutResponse, RangeRequest, RangeResponse};

use super::*;

async fn put(bed: &Bed, key: &'static str, value: &'static str) -> PutResponse {
    let request = PutRequest { key: key.into(), value: value.into(), prev_kv: true, ..PutRequest::default() };
    bed.pd.etcd_put(request).await.unwrap()
}

async fn range(bed: &Bed, request: RangeRequest) -> RangeResponse {
    bed.pd.etcd_range(request).await.unwrap()
}

fn between(key: &'static str, end: &'static str) -> RangeRequest {
    RangeRequest { key: key.into(), range_end: end.into(), ..RangeRequest::default() }
}

fn values(told: &RangeResponse) -> Vec<&[u8]> {
    told.kvs.iter().map(|pair| &pair.value[..]).collect()
}

#[tokio::test]
async fn etcd_s_member_is_pd_by_the_address_that_was_dialled() {
    let bed = Bed::new(1, 1);
    let told = bed.pd.etcd_member_list(MemberListRequest { linearizable: true }, &dialled()).await.unwrap();
    assert_eq!(told.members.len(), 1);
    assert_eq!(told.members[0].client_ur_ls, ["http://pd.example:12379"]);
    assert!(!told.members[0].is_learner && !told.members[0].name.is_empty(), "clients pass others over");
    assert_eq!(told.header.unwrap().cluster_id, bed.cluster.id());
}

#[tokio::test]
async fn a_key_that_was_put_is_read_also_after_a_restart() {
    let bed = Bed::new(1, 1);
    assert_eq!(range(&bed, between("k", "")).await.header.unwrap().revision, 1);
    let first = put(&bed, "k", "one").await;
    assert_eq!((first.header.unwrap().revision, first.prev_kv), (2, None));
    let second = put(&bed, "k", "two").await;
    assert_eq!((second.header.unwrap().revision, &second.prev_kv.unwrap().value[..]), (3, &b"one"[..]));
    for bed in [&bed, &bed.reopened()] {
        let told = range(bed, between("k", "")).await;
        assert_eq!((told.count, told.more, told.header.unwrap().revision), (1, false, 3));
        let pair = &told.kvs[0];
        assert_eq!((&pair.key[..], &pair.value[..]), (&b"k"[..], &b"two"[..]));
        assert_eq!((pair.create_revision, pair.mod_revision, pair.version), (2, 3, 2));
    }
    assert_eq!(put(&bed.reopened(), "l", "").await.header.unwrap().revision, 4, "revisions go on");
}

#[tokio::test]
async fn ranges_end_where_they_say() {
    let bed = Bed::new(1, 1);
    for (key, value) in [("a", "1"), ("ab", "3"), ("b", "2"), ("c", "4")] {
        put(&bed, key, value).await;
    }
    for (start, end, found) in
        [("a", "", "1"), ("a", "b", "13"), ("ab", "\0", "324"), ("\0", "\0", "1324"), ("b", "a", ""), ("x", "", "")]
    {
        let told = range(&bed, between(start, end)).await;
        assert_eq!(values(&told).concat(), found.as_bytes(), "{start:?} {end:?}");
        assert_eq!(told.count, i64::try_from(found.len()).unwrap());
    }
    let limited = range(&bed, RangeRequest { limit: 2, ..between("a", "\0") }).await;
    assert_eq!((values(&limited).concat(), limited.more, limited.count), (b"13".to_vec(), true, 4));
    let counted = range(&bed, RangeRequest { count_only: true, ..between("a", "\0") }).await;
    assert_eq!((counted.kvs.len(), counted.count), (0, 4));
    let keys = range(&bed, RangeRequest { keys_only: true, ..between("a", "b") }).await;
    assert_eq!((values(&keys).concat(), &keys.kvs[1].key[..]), (vec![], &b"ab"[..]));
}

#[tokio::test]
async fn what_is_read_is_sorted_and_chosen_by_revision() {
    let bed = Bed::new(1, 1);
    for (key, value) in [("a", "3"), ("b", "2"), ("c", "1"), ("a", "4")] {
        put(&bed, key, value).await;
    }
    let sorted = |target: SortTarget, order: SortOrder| RangeRequest {
        sort_target: target.into(),
        sort_order: order.into(),
        ..between("a", "\0")
    };
    for (target, order, found) in [
        (SortTarget::Key, SortOrder::Descend, "124"),
        (SortTarget::Value, SortOrder::Ascend, "124"),
        (SortTarget::Mod, SortOrder::Ascend, "214"),
        (SortTarget::Mod, SortOrder::Descend, "412"),
        (SortTarget::Create, SortOrder::Ascend, "421"),
        (SortTarget::Version, SortOrder::Descend, "412"),
    ] {
        let told = range(&bed, sorted(target, order)).await;
        assert_eq!(values(&told).concat(), found.as_bytes(), "{target:?} {order:?}");
    }
    let since = range(&bed, RangeRequest { min_mod_revision: 4, ..between("a", "\0") }).await;
    assert_eq!(values(&since).concat(), b"41");
    let until = range(&bed, RangeRequest { max_create_revision: 2, ..between("a", "\0") }).await;
    assert_eq!(values(&until).concat(), b"4");
}

#[tokio::test]
async fn only_what_is_now_can_be_read() {
    let bed = Bed::new(1, 1);
    put(&bed, "k", "v").await;
    let at = |revision| bed.pd.etcd_range(RangeRequest { revision, ..between("k", "") });
    assert!(at(2).await.is_ok());
    let past = at(1).await.unwrap_err();
    assert_eq!(
        (past.code, &past.message[..]),
        (Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted")
    );
    let future = at(3).await.unwrap_err();
    assert_eq!(future.message, "etcdserver: mvcc: required revision is a future revision");
}

#[tokio::test]
async fn puts_that_make_no_sense_are_refused_as_by_etcd() {
    let bed = Bed::new(1, 1);
    let refused = async |request: PutRequest| bed.pd.etcd_put(request).await.unwrap_err().message;
    let key = || Bytes::from("k");
    assert_eq!(refused(PutRequest::default()).await, "etcdserver: key is not provided");
    let leased = PutRequest { key: key(), lease: 7, ..PutRequest::default() };
    assert_eq!(refused(leased).await, "etcdserver: requested lease not found");
    let valued = PutRequest { key: key(), value: "v".into(), ignore_value: true, ..PutRequest::default() };
    assert_eq!(refused(valued).await, "etcdserver: value is provided");
    let missing = PutRequest { key: key(), ignore_value: true, ..PutRequest::default() };
    assert_eq!(refused(missing).await, "etcdserver: key not found");
    let long = PutRequest { key: vec![b'k'; 70_000].into(), ..PutRequest::default() };
    assert_eq!(refused(long).await, "etcdserver: request is too large");
    let asked = bed.pd.etcd_range(RangeRequest::default()).await.unwrap_err();
    assert_eq!(asked.message, "etcdserver: key is not provided");
    put(&bed, "k", "v").await;
    let same = PutRequest { key: key(), ignore_value: true, ..PutRequest::default() };
    bed.pd.etcd_put(same).await.unwrap();
    let told = range(&bed, between("k", "")).await;
    assert_eq!((&told.kvs[0].value[..], told.kvs[0].version), (&b"v"[..], 2));
}

#[tokio::test]
async fn keys_take_no_more_than_their_space() {
    let bed = Bed::new(1, 1);
    let value = Bytes::from(vec![0; 9 << 20]);
    let put = |key: &'static str| PutRequest { key: key.into(), value: value.clone(), ..PutRequest::default() };
    bed.pd.etcd_put(put("one")).await.unwrap();
    let full = bed.pd.etcd_put(put("two")).await.unwrap_err();
    assert_eq!((full.code, &full.message[..]), (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"));
    bed.pd.etcd_put(put("one")).await.expect("what is overwritten gives its space back");
}

#[tokio::test]
async fn what_is_remembered_of_changes_takes_no_more_space_either() {
    let bed = Bed::new(1, 1);
    let value = Bytes::from(vec![0; 6 << 20]);
    for _ in 0..4 {
        let request = PutRequest { key: "k".into(), value: value.clone(), ..PutRequest::default() };
        bed.pd.etcd_put(request).await.unwrap();
    }
    let keys = bed.pd.etcd.now();
    let remembered = |revision| keys.changes_from(revision, b"").map(|changes| changes.len());
    assert!(remembered(3).is_err(), "revisions 2 to 5 were made");
    assert_eq!(remembered(4), Ok(2));
}

#[tokio::test]
async fn who_asks_for_services_beside_pd_need_not_name_the_cluster() {
    let bed = Bed::new(1, 1);
    let request = charioteer_proto::tikv::meta_storagepb::GetRequest { key: "/ms/".into(), ..Default::default() };
    let found = bed.pd.meta_storage_get(request).await.unwrap();
    assert_eq!((found.kvs.len(), found.header.unwrap().cluster_id), (0, bed.pd.cluster.id()));
}
