//! Scans that outlive what happens to the cluster meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use charioteer::ErrorKind;
use charioteer::tikv::{ApiVersion, RawClient, ScanOptions, Scanner};
use charioteer_server::TikvApi;
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError, Status};

use super::support::{APIS, LONG, all, fill, pd_key, row, split_at, strict};

const ROWS: usize = 300;

/// A scan of all rows in small pages that has read so many, and what comes next.
struct Begun {
    scanner: Scanner,
    reverse: bool,
    read: usize,
}

impl Begun {
    async fn of(client: &RawClient, reverse: bool, read: usize) -> Self {
        let mut options = ScanOptions::default();
        (options.batch_size, options.reverse) = (10, reverse);
        let mut begun = Self { scanner: client.scan_with("", "", &options).unwrap(), reverse, read: 0 };
        begun.reads(read).await;
        begun
    }

    fn expected(&self) -> String {
        row(if self.reverse { ROWS - 1 - self.read } else { self.read }).0
    }

    async fn reads(&mut self, count: usize) {
        for _ in 0..count {
            let expected = self.expected();
            assert_eq!(self.scanner.next().await.unwrap().unwrap().key, expected);
            self.read += 1;
        }
    }

    /// The rest of it is there, each row once and in order.
    async fn goes_on(mut self) {
        self.reads(ROWS - self.read).await;
        assert_eq!(self.scanner.next().await.unwrap(), None);
    }

    /// The same of one that is not tried again by itself, until the other servers have been asked too.
    async fn goes_on_with_further_errors(mut self) {
        while self.read < ROWS {
            let expected = self.expected();
            match self.scanner.next().await {
                Ok(row) => assert_eq!(row.unwrap().key, expected),
                Err(error) => {
                    assert!(error.is_retryable(), "{error}");
                    continue;
                }
            }
            self.read += 1;
        }
        assert_eq!(self.scanner.next().await.unwrap(), None);
    }
}

async fn filled() -> (TestServer, RawClient) {
    let (server, client) = split_at(&["00050", "00150", "00250"]).await;
    fill(&client, 0..ROWS).await;
    (server, client.with_timeout(LONG))
}

const BOTH_WAYS: [bool; 2] = [false, true];

#[tokio::test]
async fn a_scan_goes_on_when_its_region_is_split_before_at_and_behind_where_it_is() {
    for reverse in BOTH_WAYS {
        let (server, client) = filled().await;
        for (read, at) in [(0, "00005"), (95, "00090"), (95, "00100"), (120, "00120"), (120, "001205"), (160, "00285")]
        {
            let begun = Begun::of(&client, reverse, read).await;
            server.tikv().split([at]).await.unwrap();
            begun.goes_on().await;
        }
    }
}

#[tokio::test]
async fn a_scan_goes_on_when_regions_are_split_and_merged_all_the_time() {
    for reverse in BOTH_WAYS {
        let (server, client) = filled().await;
        let mut begun = Begun::of(&client, reverse, 0).await;
        for at in (0..ROWS).step_by(7) {
            let tikv = server.tikv();
            tikv.split([row(at).0]).await.unwrap();
            begun.reads(5).await;
            let regions = tikv.regions().unwrap();
            let one = at % (regions.len() - 1);
            tikv.merge(regions[one].id, regions[one + 1].id).await.unwrap();
            begun.reads(1).await;
        }
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn a_scan_goes_on_where_the_leaders_have_moved_to() {
    for reverse in BOTH_WAYS {
        let (server, client) = filled().await;
        let mut begun = Begun::of(&client, reverse, 0).await;
        for store in [1, 2, 0, 1, 2, 0] {
            for region in server.tikv().regions().unwrap() {
                server.tikv().transfer_leader(region.id, store).await.unwrap();
            }
            begun.reads(45).await;
        }
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn a_scan_goes_on_when_stores_were_restarted() {
    for reverse in BOTH_WAYS {
        let (server, client) = filled().await;
        let mut begun = Begun::of(&client, reverse, 25).await;
        for store in 0..3 {
            server.tikv().stop_store(store).await.unwrap();
            server.tikv().start_store(store).await.unwrap();
            begun.reads(60).await;
        }
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn a_scan_goes_on_while_pd_is_away_and_when_it_is_back() {
    for reverse in BOTH_WAYS {
        let (server, client) = filled().await;
        let mut begun = Begun::of(&client, reverse, 25).await;
        server.tikv().stop_pd().await.unwrap();
        begun.reads(200).await;
        server.tikv().start_pd().await.unwrap();
        server.tikv().split(["00020", "00280"]).await.unwrap();
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn after_an_error_a_scan_goes_on_where_it_was() {
    let (server, client) = filled().await;
    let client = client.with_attempts(1);
    for reverse in BOTH_WAYS {
        for (action, kind) in [
            (Action::Answer(RegionError::EpochNotMatch), ErrorKind::Unavailable),
            (Action::Answer(RegionError::DiskFull), ErrorKind::StorageFull),
            (Action::Status(Status::Unknown("odd".to_owned())), ErrorKind::Internal),
            (Action::Cut, ErrorKind::Unavailable),
            (Action::CutReply, ErrorKind::Unavailable),
        ] {
            let mut begun = Begun::of(&client, reverse, 20).await;
            // What has gone wrong with a page that was asked for ahead is not told, but asked for once more.
            let failing = server.tikv().inject(Fault::new(action.clone()).on(Call::RawScan));
            let error = loop {
                let expected = begun.expected();
                match begun.scanner.next().await {
                    Ok(row) => assert_eq!(row.unwrap().key, expected, "{action:?}"),
                    Err(error) => break error,
                }
                begun.read += 1;
            };
            assert_eq!(error.operation(), Some("scan"), "{action:?}: {error}");
            assert!(error.kind() == kind || matches!(action, Action::Status(_)), "{action:?}: {error}");
            drop(failing);
            begun.goes_on_with_further_errors().await;
        }
    }
}

#[tokio::test]
async fn a_call_to_next_that_is_given_up_loses_no_row() {
    let (server, client) = filled().await;
    for reverse in BOTH_WAYS {
        let mut begun = Begun::of(&client, reverse, 0).await;
        let held = server.tikv().inject(Fault::new(Action::Hold).on(Call::RawScan));
        while tokio::time::timeout(Duration::from_millis(20), begun.scanner.next()).await.is_ok() {
            begun.read += 1;
        }
        held.release();
        drop(held);
        begun.goes_on().await;
    }
}

/// A server of an API version with many rows in sixteen regions.
async fn sixteen_regions(served: TikvApi, api: ApiVersion, rows: usize) -> (TestServer, RawClient) {
    let borders: Vec<_> = (1..16).map(|border| row(border * rows / 16).0).collect();
    let borders: Vec<_> = borders.iter().map(String::as_str).collect();
    let (server, client) = strict(served, api, &borders).await;
    fill(&client, 0..rows).await;
    (server, client.with_timeout(LONG))
}

/// Splits and merges regions and moves their leaders, and counts how often, until it is told to end.
async fn change(server: &TestServer, api: ApiVersion, rows: usize, changes: &AtomicU32, ended: &AtomicBool) {
    let (tikv, mut dice) = (server.tikv(), fastrand::Rng::with_seed(7));
    while !ended.load(Ordering::Relaxed) {
        let regions = tikv.regions().unwrap();
        let at = dice.usize(1..regions.len());
        match dice.u32(..3) {
            0 if regions.len() < 32 => tikv.split([pd_key(api, &row(dice.usize(..rows)).0)]).await.unwrap(),
            1 if regions.len() > 8 => tikv.merge(regions[at].id, regions[at - 1].id).await.unwrap(),
            _ => tikv.transfer_leader(regions[at].id, dice.usize(..2)).await.unwrap(),
        }
        changes.fetch_add(1, Ordering::Relaxed);
        // As often as anything else runs.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_scan_of_thousands_of_rows_is_whole_while_its_regions_change_all_the_time_in_each_api_version() {
    const MANY: usize = 3000;
    const SCANS: [(bool, u32); 4] = [(false, 4096), (true, 4096), (false, 37), (true, 37)];
    for (served, api) in APIS {
        let (server, client) = sixteen_regions(served, api, MANY).await;
        let (changes, ended) = (AtomicU32::new(0), AtomicBool::new(false));
        let scans = async {
            for (number, (reverse, batch_size)) in SCANS.into_iter().cycle().enumerate() {
                // How often regions change meanwhile depends on what else the machine does.
                if number >= SCANS.len() && changes.load(Ordering::Relaxed) > 50 {
                    break;
                }
                let mut options = ScanOptions::default();
                (options.batch_size, options.reverse) = (batch_size, reverse);
                let rows = all(client.scan_with("", "", &options).unwrap()).await;
                let expected = (0..MANY).map(row).map(|(key, value)| (key.into(), value.into()));
                let mut expected: Vec<(Bytes, Bytes)> = expected.collect();
                if reverse {
                    expected.reverse();
                }
                let found: Vec<_> = rows.into_iter().map(|row| (row.key, row.value)).collect();
                assert!(found == expected, "{api:?}, {reverse}, {batch_size}: {} rows", found.len());
            }
            ended.store(true, Ordering::Relaxed);
        };
        tokio::join!(scans, change(&server, api, MANY, &changes, &ended));
    }
}
