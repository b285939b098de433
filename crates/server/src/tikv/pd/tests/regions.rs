use super::*;

fn starts(regions: &[pdpb::Region]) -> Vec<Bytes> {
    regions.iter().map(|region| region.region.as_ref().unwrap().start_key.clone()).collect()
}

#[tokio::test]
async fn a_key_is_found_in_the_region_that_holds_it_and_its_predecessor_before() {
    let bed = Bed::new(2, 1);
    let ids = bed.split(&["c", "g"]);
    let request = |key: &'static str| {
        let region_key = key.into();
        pdpb::GetRegionRequest { header: bed.header(), region_key, ..pdpb::GetRegionRequest::default() }
    };
    for (key, holds, before) in
        [("", 0, None), ("b", 0, None), ("c", 1, Some(0)), ("f", 1, Some(0)), ("zz", 2, Some(1))]
    {
        let told = bed.pd.get_region(request(key)).await.unwrap();
        let region = told.region.unwrap();
        assert_eq!(region.id, ids[holds], "{key}");
        assert_eq!(told.leader.unwrap().store_id, 1);
        assert_eq!(region.peers.len(), 2);
        succeeded(&bed, told.header);
        let told = bed.pd.get_prev_region(request(key)).await.unwrap();
        assert_eq!(told.region.map(|region| region.id), before.map(|index: usize| ids[index]), "{key}");
        succeeded(&bed, told.header);
    }
}

#[tokio::test]
async fn a_region_is_found_by_its_id_and_one_that_is_not_there_is_empty() {
    let bed = Bed::new(1, 1);
    let ask = async |region_id| {
        let request = pdpb::GetRegionByIdRequest { header: bed.header(), region_id, ..Default::default() };
        let told = bed.pd.get_region_by_id(request).await.unwrap();
        succeeded(&bed, told.header);
        told.region.map(|region| region.id)
    };
    assert_eq!((ask(2).await, ask(99).await), (Some(2), None));
}

#[tokio::test]
async fn many_questions_are_answered_in_one_message() {
    let bed = Bed::new(1, 1);
    let ids = bed.split(&["c", "g"]);
    let request = pdpb::QueryRegionRequest {
        header: bed.header(),
        need_buckets: true,
        ids: vec![ids[0], 0, 99],
        keys: vec!["z".into(), "a".into(), "z".into()],
        prev_keys: vec!["c".into(), "a".into()],
    };
    let told = bed.pd.query_region(request).await.unwrap();
    assert_eq!(told.key_id_map, [ids[2], ids[0], ids[2]]);
    assert_eq!(told.prev_key_id_map, [ids[0], 0]);
    let mut found: Vec<_> = told.regions_by_id.iter().map(|(id, told)| (*id, told.region.is_some())).collect();
    found.sort_unstable();
    let mut expected = vec![(ids[0], true), (ids[2], true), (99, false)];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(told.regions_by_id[&ids[2]].leader, bed.cluster.region(ids[2]).unwrap().leader_peer());
    succeeded(&bed, told.header);
}

#[tokio::test]
async fn regions_of_a_range_are_told_twice_the_old_way_and_the_new() {
    let bed = Bed::new(1, 1);
    let ids = bed.split(&["c", "g"]);
    bed.cluster.give_up_leader(ids[1]).unwrap();
    let ask = async |start: &'static str, end: &'static str, limit| {
        let (start_key, end_key) = (start.into(), end.into());
        let told = bed.pd.scan_regions(pdpb::ScanRegionsRequest { header: bed.header(), start_key, limit, end_key });
        let told = told.await.unwrap();
        succeeded(&bed, told.header);
        assert_eq!(told.region_metas, told.regions.iter().flat_map(|told| told.region.clone()).collect::<Vec<_>>());
        assert_eq!(told.leaders, told.regions.iter().flat_map(|told| told.leader).collect::<Vec<_>>());
        (starts(&told.regions), told.leaders.iter().map(|leader| leader.id == 0).collect::<Vec<_>>())
    };
    assert_eq!(ask("", "", 0).await, (vec!["".into(), "c".into(), "g".into()], vec![false, true, false]));
    assert_eq!(ask("d", "g", -1).await.0, ["c"]);
    assert_eq!(ask("", "z", 2).await.0, ["", "c"]);
}

#[tokio::test]
async fn ranges_that_share_a_region_are_told_it_once() {
    let bed = Bed::new(1, 1);
    bed.split(&["c", "g", "m"]);
    let ask = async |ranges: &[(&'static str, &'static str)], limit| {
        let range = |&(start, end): &(&'static str, &'static str)| pdpb::KeyRange {
            start_key: start.into(),
            end_key: end.into(),
        };
        let request = pdpb::BatchScanRegionsRequest {
            header: bed.header(),
            need_buckets: false,
            ranges: ranges.iter().map(range).collect(),
            limit,
            contain_all_key_range: true,
        };
        bed.pd.batch_scan_regions(request).await.unwrap()
    };
    let told = ask(&[("a", "d"), ("d", "e"), ("n", "")], 0).await;
    assert_eq!(starts(&told.regions), ["", "c", "m"]);
    succeeded(&bed, told.header);
    assert_eq!(starts(&ask(&[("a", "d"), ("h", "z")], 3).await.regions), ["", "c", "g"]);
    assert_eq!(
        starts(&ask(&[("h", ""), ("a", ""), ("m", "n")], 0).await.regions),
        ["", "c", "g", "m"],
        "without an end"
    );
    let overlapped = failure(ask(&[("a", "d"), ("c", "e")], 0).await.header);
    assert_eq!(overlapped, (pdpb::ErrorType::Unknown, "invalid key range, ranges overlapped".to_owned()));
    let backwards = failure(ask(&[("d", "a")], 0).await.header);
    assert_eq!(backwards.1, "invalid key range, start key > end key");
}

#[tokio::test]
async fn more_questions_than_anybody_has_are_refused() {
    let bed = Bed::new(1, 1);
    let ask = async |count| {
        let request = pdpb::QueryRegionRequest { header: bed.header(), ids: vec![9; count], ..Default::default() };
        bed.pd.query_region(request).await
    };
    assert!(ask(100_000).await.is_ok());
    assert_eq!(ask(100_001).await.unwrap_err().code, Code::ResourceExhausted);
}
