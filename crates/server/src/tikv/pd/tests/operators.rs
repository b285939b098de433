use super::*;

async fn split(bed: &Bed, keys: &[&'static str]) -> (u64, Vec<u64>) {
    let split_keys = keys.iter().map(|key| Bytes::from(*key)).collect();
    let request = pdpb::SplitRegionsRequest { header: bed.header(), split_keys, retry_limit: 3 };
    let told = bed.pd.split_regions(request).await.unwrap();
    succeeded(bed, told.header);
    (told.finished_percentage, told.regions_id)
}

fn leaders(bed: &Bed) -> Vec<u64> {
    bed.cluster.regions().iter().map(|region| region.leader_peer().unwrap().store_id).collect()
}

#[tokio::test]
async fn regions_are_split_at_keys_in_any_order_and_those_that_begin_there_are_told() {
    let bed = Bed::new(1, 2);
    let (finished, ids) = split(&bed, &["\u{e9}", "c", "a", "c"]).await;
    assert_eq!(finished, 100);
    let mut begin: Vec<Bytes> = ids.iter().map(|id| bed.cluster.region(*id).unwrap().start.clone()).collect();
    begin.sort();
    assert_eq!(begin, ["a", "c", "\u{e9}"]);
    assert_eq!(bed.cluster.regions().len(), 5);
}

#[tokio::test]
async fn keys_at_which_regions_begin_already_count_for_nothing() {
    let bed = Bed::new(1, 1);
    split(&bed, &["c"]).await;
    assert_eq!(split(&bed, &["c"]).await, (0, vec![]));
    let (finished, ids) = split(&bed, &["c", "d"]).await;
    assert_eq!((finished, ids.len()), (50, 1));
    assert_eq!(split(&bed, &[]).await, (0, vec![]));
    assert_eq!(bed.cluster.boundaries(), ["c", "d"]);
}

#[tokio::test]
async fn scattered_regions_are_led_from_all_stores() {
    let bed = Bed::new(3, 1);
    let ids = bed.split(&["c", "g", "m"]);
    assert_eq!(leaders(&bed), [1, 1, 1, 1]);
    let request = pdpb::ScatterRegionRequest { header: bed.header(), regions_id: ids, ..Default::default() };
    let told = bed.pd.scatter_region(request).await.unwrap();
    assert_eq!((told.finished_percentage, told.failed_regions_id), (100, vec![]));
    let mut leaders = leaders(&bed);
    leaders.sort_unstable();
    assert_eq!(leaders, [1, 1, 2, 3]);
    succeeded(&bed, told.header);
}

#[tokio::test]
async fn regions_that_are_not_there_are_told_as_not_scattered() {
    let bed = Bed::new(1, 1);
    let scatter = async |regions_id: Vec<u64>| {
        let request = pdpb::ScatterRegionRequest { header: bed.header(), regions_id, ..Default::default() };
        bed.pd.scatter_region(request).await
    };
    let told = scatter(vec![2, 98]).await.unwrap();
    assert_eq!((told.finished_percentage, told.failed_regions_id), (50, vec![98]));
    assert_eq!(scatter(vec![98]).await.unwrap_err().message, "[PD:region:ErrRegionNotFound]region 98 not found");
    assert_eq!(scatter(vec![98, 99]).await.unwrap_err().message, "[PD:scatter:ErrEmptyRegion]empty region");
    // Without a list, the one region of older clients is meant, and here they name none.
    let (kind, _) = failure(scatter(vec![]).await.unwrap().header);
    assert_eq!(kind, pdpb::ErrorType::RegionNotFound);
}

#[tokio::test]
async fn older_clients_scatter_one_region() {
    let bed = Bed::new(1, 1);
    #[expect(deprecated, reason = "older clients name it there")]
    let request = pdpb::ScatterRegionRequest { header: bed.header(), region_id: 2, ..Default::default() };
    let told = bed.pd.scatter_region(request).await.unwrap();
    assert_eq!(told.finished_percentage, 100);
    succeeded(&bed, told.header);
}

#[tokio::test]
async fn new_regions_are_split_and_scattered_at_once() {
    let bed = Bed::new(2, 1);
    let split_keys = vec!["b".into(), "d".into(), "f".into()];
    let request = pdpb::SplitAndScatterRegionsRequest { header: bed.header(), split_keys, ..Default::default() };
    let told = bed.pd.split_and_scatter_regions(request).await.unwrap();
    assert_eq!((told.split_finished_percentage, told.scatter_finished_percentage), (100, 100));
    assert_eq!(told.regions_id.len(), 3);
    let mut leaders = leaders(&bed);
    leaders.sort_unstable();
    assert_eq!(leaders, [1, 1, 2, 2]);
}

#[tokio::test]
async fn nothing_is_ever_under_way() {
    let bed = Bed::new(1, 1);
    let told = bed.pd.get_operator(pdpb::GetOperatorRequest { header: bed.header(), region_id: 2 }).await.unwrap();
    assert_ne!((&told.desc[..], told.status()), (&b"scatter-region"[..], pdpb::OperatorStatus::Running));
    assert_eq!(failure(told.header), (pdpb::ErrorType::RegionNotFound, "Not Found".to_owned()));
}
