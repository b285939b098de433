//! What programs can see of their calls.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use charioteer_server::testing::{Action, Call, ErrorCode, Fault};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::support::{connect, temp};

/// A span's number, and its fields.
type Seen = (u64, BTreeMap<String, String>);

/// The spans that were made, in order.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Seen>>>);

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl<S: tracing::Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        if attributes.metadata().name() == "charioteer" {
            let mut fields = BTreeMap::new();
            attributes.record(&mut Fields(&mut fields));
            self.0.lock().unwrap().push((id.into_u64(), fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut spans = self.0.lock().unwrap();
        if let Some((_, fields)) = spans.iter_mut().rev().find(|(known, _)| *known == id.into_u64()) {
            values.record(&mut Fields(fields));
        }
    }
}

impl Spans {
    /// The one span of an operation that is called now, as `name=value` for each field.
    ///
    /// Another test's first call may be about to have the span taken for one that nobody wants, as nobody does there, and may come to it
    /// at any moment. So tracing is asked to think again, and the call is made again, until there is a span.
    async fn of<T>(&self, operation: &str, call: impl AsyncFn() -> T) -> Vec<String> {
        for _ in 0..100 {
            tracing::callsite::rebuild_interest_cache();
            self.0.lock().unwrap().clear();
            call().await;
            let spans = self.0.lock().unwrap();
            let is_of = |fields: &BTreeMap<_, _>| fields.get("db.operation.name").is_some_and(|name| name == operation);
            let mut found = spans.iter().map(|(_, fields)| fields).filter(|fields| is_of(fields));
            if let Some(fields) = found.next() {
                assert!(found.next().is_none(), "one for each call: {spans:?}");
                return fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            }
        }
        panic!("{operation} has no span");
    }
}

#[tokio::test]
async fn every_call_has_a_span_that_says_what_became_of_it() {
    let (server, table) = temp().await;
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
    let set = spans.of("set", async || table.set("h", "s", "v").await.unwrap()).await;
    let common = ["db.collection.name=temp", "db.operation.name=set", "db.system.name=pegasus", "otel.kind=client"];
    assert!(common.iter().all(|field| set.iter().any(|known| known == field)), "{set:?}");
    assert!(set.contains(&"attempts=1".to_owned()) && !set.iter().any(|field| field.starts_with("error.type")));

    let get = spans.of("get", async || {
        let busy = server.pegasus().inject(Fault::new(Action::Answer(ErrorCode::BUSY)).on(Call::Get).times(1));
        table.get("h", "s").await.unwrap();
        assert_eq!(busy.hits(), 1);
    });
    let get = get.await;
    assert!(get.contains(&"attempts=2".to_owned()), "{get:?}");

    let _full = server.pegasus().inject(Fault::new(Action::Answer(ErrorCode::DISK_INSUFFICIENT)).on(Call::Incr));
    let incr = spans.of("incr", async || table.incr("h", "n", 1).await.unwrap_err()).await;
    let peer = format!("server.address={}", server.pegasus().nodes()[0]);
    for field in ["db.operation.name=incr", "error.type=storage_full", "attempts=1", &peer] {
        assert!(incr.iter().any(|known| known == field), "{field} is not in {incr:?}");
    }
}

#[tokio::test]
async fn metrics_go_to_whatever_recorder_there_is() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let (server, table) = temp().await;
    for _ in 0..3 {
        table.set("h", "s", "v").await.unwrap();
    }
    let busy = server.pegasus().inject(Fault::new(Action::Answer(ErrorCode::BUSY)).on(Call::Get));
    table.with_attempts(3).get("h", "s").await.unwrap_err();
    assert_eq!(busy.hits(), 3);

    let mut seen = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        seen.insert(format!("{} {}", key.key().name(), labels.join(" ")), value);
    }
    let durations = &seen["charioteer_call_duration_seconds system=pegasus operation=set"];
    assert!(
        matches!(durations, DebugValue::Histogram(times) if times.len() == 3 && times.iter().all(|time| **time > 0.0))
    );
    let retries = &seen["charioteer_call_retries_total system=pegasus operation=get"];
    assert_eq!(*retries, DebugValue::Counter(2));
    let errors = &seen["charioteer_call_errors_total system=pegasus operation=get error=busy"];
    assert_eq!(*errors, DebugValue::Counter(1));
}

#[tokio::test]
async fn a_client_counts_its_calls_by_kind() {
    let (server, _) = temp().await;
    let client = connect(&server).await;
    let (first, second) = (client.open_table("temp").await.unwrap(), client.open_table("temp").await.unwrap());
    first.set("h", "s", "v").await.unwrap();
    second.set("h", "s", "v").await.unwrap();
    first.get("", "s").await.unwrap_err();
    let _busy = server.pegasus().inject(Fault::new(Action::Answer(ErrorCode::BUSY)).on(Call::Get));
    second.with_attempts(2).get("h", "s").await.unwrap_err();
    let stats: BTreeMap<_, _> = client.call_stats().into_iter().collect();
    let counted = |name: &str| (stats[name].calls, stats[name].errors, stats[name].retries);
    assert_eq!(counted("set"), (2, 0, 0));
    assert_eq!(counted("get"), (1, 1, 1), "what is refused before it begins is no call");
    assert_eq!((counted("query_table"), counted("cluster_info")), ((1, 0, 0), (1, 0, 0)));
    assert!(!stats.contains_key("incr"));
}

#[tokio::test]
async fn a_client_counts_what_its_connections_see() {
    let (server, _) = temp().await;
    let client = connect(&server).await;
    let table = client.open_table("temp").await.unwrap();
    table.set("h", "s", "v").await.unwrap();
    assert_eq!(client.net_stats().connections_opened - client.net_stats().connections_lost, 1);
    assert!(client.net_stats().writes >= 2);

    let held = server.pegasus().inject(Fault::new(Action::HoldReply).on(Call::Get).times(1));
    let impatient = table.clone().with_timeout(Duration::from_millis(20));
    impatient.get("h", "s").await.unwrap_err();
    assert_eq!(client.net_stats().cut_in_flight, 1);
    held.release();
    table.get("h", "s").await.unwrap();
    while client.net_stats().late_replies == 0 {
        tokio::task::yield_now().await;
    }

    let lost = client.net_stats().connections_lost;
    let _cut = server.pegasus().inject(Fault::new(Action::Cut).on(Call::Get).times(1));
    table.get("h", "s").await.unwrap();
    assert_eq!(client.net_stats().connections_lost, lost + 1);
    client.close();
    assert_eq!(client.net_stats().connections_lost, lost + 1, "closing loses none");
}
