//! A PD of several members, which lead one after the other, fall silent, go and come back.

use super::quorum::Quorum;
use super::*;
use crate::tikv::{Options, RawClient};

async fn quorum() -> (TestServer, Quorum) {
    let server = TestServer::builder().tikv_stores(3).tikv_regions(1).start().await.unwrap();
    let pd = connect(&server).await;
    let quorum = Quorum::start(server.addresses().tikv_pd.unwrap(), pd.cluster_id()).await;
    (server, quorum)
}

async fn connect_to(quorum: &Quorum, members: &[usize]) -> Pd {
    let addresses = members.iter().map(|member| quorum.address(*member).into()).collect();
    Pd::connect(addresses, options(), soon()).await.unwrap()
}

/// That it answers, questions and on its stream.
async fn answers(pd: &Pd) {
    assert_eq!(pd.all_stores(soon()).await.unwrap().len(), 3);
    let first = pd.timestamp(soon()).await.unwrap();
    assert!(pd.timestamp(soon()).await.unwrap() > first);
}

#[tokio::test]
async fn a_follower_tells_who_leads_and_is_asked_for_nothing_else() {
    let (_server, quorum) = quorum().await;
    let pd = connect_to(&quorum, &[2]).await;
    answers(&pd).await;
    assert_eq!([0, 1, 2].map(|member| quorum.asked(member) > 0), [true, false, false]);
}

#[tokio::test]
async fn whoever_leads_next_is_asked_within_the_same_call() {
    let (_server, quorum) = quorum().await;
    let pd = connect_to(&quorum, &[0]).await;
    let mut last = pd.timestamp(soon()).await.unwrap();
    for leader in [1, 2, 0, 2, 1, 0] {
        quorum.lead(leader);
        let before = quorum.asked(leader);
        let now = pd.timestamp(soon()).await.unwrap();
        assert!(now > last);
        last = now;
        answers(&pd).await;
        assert!(quorum.asked(leader) > before);
    }
}

#[tokio::test]
async fn a_leader_that_is_gone_is_replaced_and_may_come_back() {
    let (_server, mut quorum) = quorum().await;
    let pd = connect_to(&quorum, &[0]).await;
    for leader in [0, 1, 2] {
        quorum.lead(leader);
        answers(&pd).await;
        quorum.stop(leader).await;
        quorum.lead((leader + 1) % 3);
        answers(&pd).await;
        quorum.restart(leader).await;
        answers(&pd).await;
    }
}

#[tokio::test]
async fn members_that_were_never_given_are_asked_when_all_that_were_are_gone() {
    let (_server, mut quorum) = quorum().await;
    let pd = connect_to(&quorum, &[0]).await;
    answers(&pd).await;
    quorum.stop(0).await;
    for leader in [1, 2] {
        quorum.lead(leader);
        answers(&pd).await;
    }
}

#[tokio::test]
async fn a_leader_that_takes_everything_and_answers_nothing_is_left_in_time() {
    let (_server, quorum) = quorum().await;
    let pd = connect_to(&quorum, &[0, 1, 2]).await;
    answers(&pd).await;
    quorum.freeze(0);
    quorum.lead(1);
    let deadline = Instant::now() + Duration::from_secs(2);
    assert_eq!(pd.all_stores(deadline).await.unwrap().len(), 3);
    pd.timestamp(Instant::now() + Duration::from_secs(2)).await.unwrap();
    quorum.freeze(None);
    quorum.lead(0);
    answers(&pd).await;
}

#[tokio::test]
async fn an_election_is_waited_for() {
    let (_server, quorum) = quorum().await;
    let pd = connect_to(&quorum, &[0, 1]).await;
    answers(&pd).await;
    quorum.lead(None);
    let elected = async {
        quorum.is_met(6).await;
        quorum.lead(2);
    };
    let (stores, timestamp, ()) = tokio::join!(pd.all_stores(soon()), pd.timestamp(soon()), elected);
    assert_eq!(stores.unwrap().len(), 3);
    timestamp.unwrap();
}

#[tokio::test]
async fn all_may_be_gone_and_back() {
    let (_server, mut quorum) = quorum().await;
    let pd = connect_to(&quorum, &[0, 1, 2]).await;
    answers(&pd).await;
    for member in 0..3 {
        quorum.stop(member).await;
    }
    let began = Instant::now();
    let patience = Duration::from_millis(300);
    let failure = pd.all_stores(began + patience).await.unwrap_err();
    assert!(failure.retry.is_some() || failure.kind == ErrorKind::Timeout, "{failure:?}");
    pd.timestamp(Instant::now() + patience).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(20));
    // One alone can't lead, and says so.
    quorum.lead(None);
    quorum.restart(1).await;
    pd.all_stores(Instant::now() + patience).await.unwrap_err();
    quorum.restart(2).await;
    quorum.lead(2);
    answers(&pd).await;
}

#[tokio::test]
async fn members_may_be_given_and_told_by_name() {
    let (_server, quorum) = quorum().await;
    quorum.call_host("localhost");
    let name = Address::new("localhost", quorum.address(1).port());
    let pd = Pd::connect(vec![name], options(), soon()).await.unwrap();
    for leader in [0, 2] {
        quorum.lead(leader);
        answers(&pd).await;
    }
    // A name that nobody knows any more does no harm where there are others.
    quorum.call_host("no-such-host.invalid");
    assert!(pd.all_stores(Instant::now() + Duration::from_millis(500)).await.is_ok());
}

#[tokio::test]
async fn raw_calls_find_their_regions_whoever_leads() {
    let (server, mut quorum) = quorum().await;
    let pds = (0..3).map(|member| quorum.address(member).to_string());
    let client = RawClient::new(Options::new(pds).unwrap()).unwrap();
    for round in 0..6_usize {
        let leader = round % 3;
        quorum.lead(leader);
        quorum.stop((leader + 2) % 3).await;
        // Nothing that is known of regions is right any more.
        let key = format!("{round}");
        server.tikv().split([key.clone()]).await.unwrap();
        let region = server.tikv().region_of(&key).unwrap();
        server.tikv().transfer_leader(region.id, round % 3).await.unwrap();
        client.put(&key, "v").await.unwrap();
        assert_eq!(client.get(&key).await.unwrap().unwrap(), "v");
        assert_eq!(client.regions("", "").await.unwrap().len(), round + 2);
        quorum.restart((leader + 2) % 3).await;
    }
}
