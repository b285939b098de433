import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.tikv.common.TiConfiguration;
import org.tikv.common.TiSession;
import org.tikv.common.exception.RawCASConflictException;
import org.tikv.common.util.Pair;
import org.tikv.common.util.ScanOption;
import org.tikv.kvproto.Kvrpcpb.KvPair;
import org.tikv.raw.RawKVClient;
import org.tikv.shade.com.google.protobuf.ByteString;

/** Every raw call of the Java client of TiKV: {@code Raw PD (V1|V2)}. */
public class Raw {
  interface Case {
    void run(Space space) throws Exception;
  }

  /** A client, and the part of its keys that a case has for itself. */
  record Space(RawKVClient client, TiSession session, String name) {
    ByteString key(String key) {
      return ByteString.copyFromUtf8(name + "/" + key);
    }

    ByteString end() {
      return ByteString.copyFromUtf8(name + "0");
    }

    /**
     * Puts pairs of numbered keys, each of which is its own value: no more than 1,024, and in one region. This client waits for
     * the answers to all requests of a batch when it has sent but the first of them.
     */
    TreeMap<String, ByteString> fill(int count) {
      TreeMap<String, ByteString> rows = new TreeMap<>();
      Map<ByteString, ByteString> pairs = new HashMap<>();
      for (int n = 0; n < count; n++) {
        ByteString key = key(String.format("%05d", n));
        rows.put(key.toStringUtf8(), key);
        pairs.put(key, key);
      }
      client.batchPut(pairs);
      return rows;
    }
  }

  static int passed;
  static int failed;

  public static void main(String[] arguments) throws Exception {
    TiConfiguration settings = TiConfiguration.createRawDefault(arguments[0]);
    settings.setApiVersion(TiConfiguration.ApiVersion.valueOf(arguments[1]));
    settings.setEnableAtomicForCAS(true);
    try (TiSession session = TiSession.create(settings);
        RawKVClient client = session.createRawClient()) {
      Map<String, Case> cases = new TreeMap<>();
      cases.put("a value is read until it is replaced or deleted", Raw::values);
      cases.put("batches are whole", Raw::batches);
      cases.put("scans keep to bounds and limits", Raw::scans);
      cases.put("scans of several ranges answer in their order", Raw::batchScans);
      cases.put("ranges are deleted within their bounds", Raw::deletedRanges);
      cases.put("lifetimes are told and end", Raw::lifetimes);
      cases.put("a value is swapped for what was expected", Raw::swaps);
      cases.put("many callers get their own answers", Raw::manyCallers);
      cases.put("calls follow splits of regions", Raw::splits);
      cases.forEach((name, each) -> judge(name, each, new Space(client, session, name)));
    }
    System.out.printf("%d passed, %d failed%n", passed, failed);
    // Threads of the client outlive its session.
    System.exit(failed == 0 ? 0 : 1);
  }

  static void judge(String name, Case each, Space space) {
    try {
      each.run(space);
      passed++;
      System.out.println("PASS " + name);
    } catch (Throwable error) {
      failed++;
      System.out.println("FAIL " + name);
      error.printStackTrace(System.out);
    }
  }

  static void same(Object got, Object expected) {
    if (!Objects.equals(got, expected)) {
      throw new AssertionError(got + " instead of " + expected);
    }
  }

  static void within(long got, long least, long most) {
    if (got < least || got > most) {
      throw new AssertionError(got + " is not between " + least + " and " + most);
    }
  }

  static ByteString bytes(String text) {
    return ByteString.copyFromUtf8(text);
  }

  static List<ByteString> keys(List<KvPair> pairs) {
    return pairs.stream().map(KvPair::getKey).toList();
  }

  static void values(Space space) {
    ByteString key = space.key("key");
    same(space.client.get(key), Optional.empty());
    for (ByteString value : List.of(bytes("value"), bytes("v"), ByteString.copyFrom(new byte[1 << 20]))) {
      space.client.put(key, value);
      same(space.client.get(key), Optional.of(value));
    }
    space.client.delete(key);
    same(space.client.get(key), Optional.empty());
    space.client.delete(key);
  }

  static void batches(Space space) {
    List<ByteString> all = List.copyOf(space.fill(1000).values());
    List<ByteString> asked = new ArrayList<>(all);
    asked.add(space.key("missing"));
    Map<ByteString, ByteString> found = new HashMap<>();
    space.client.batchGet(asked).forEach(pair -> found.put(pair.getKey(), pair.getValue()));
    same(found.size(), 1000);
    found.forEach(Raw::same);
    space.client.batchDelete(new ArrayList<>(all.subList(10, 1000)));
    same(keys(space.client.scanPrefix(space.key(""))), all.subList(0, 10));
  }

  static void scans(Space space) {
    List<ByteString> all = List.copyOf(space.fill(50).values());
    same(keys(space.client.scan(space.key(""), space.end(), 100)), all);
    same(keys(space.client.scan(all.get(10), all.get(20))), all.subList(10, 20));
    same(keys(space.client.scan(all.get(10), all.get(20), 3)), all.subList(10, 13));
    same(keys(space.client.scan(all.get(10), 5)), all.subList(10, 15));
    same(keys(space.client.scanPrefix(space.key("0001"))), all.subList(10, 20));
    for (KvPair pair : space.client.scan(all.get(0), space.end(), 7, true)) {
      same(pair.getValue(), ByteString.EMPTY);
    }
    List<ByteString> one = new ArrayList<>();
    space.client.scan0(space.key(""), space.end(), 30).forEachRemaining(pair -> one.add(pair.getKey()));
    same(one, all.subList(0, 30));
    same(keys(space.client.scan(space.key("x"), space.key("y"))), List.of());
  }

  static void batchScans(Space space) {
    List<ByteString> all = List.copyOf(space.fill(50).values());
    List<Pair<ByteString, ByteString>> ranges =
        List.of(Pair.create(all.get(5), all.get(8)), Pair.create(all.get(20), all.get(40)));
    same(space.client.batchScanKeys(ranges, 4), List.of(all.subList(5, 8), all.subList(20, 24)));
    ScanOption option =
        ScanOption.newBuilder().setStartKey(all.get(7)).setEndKey(all.get(9)).setLimit(10).setKeyOnly(false).build();
    same(space.client.batchScan(List.of(option)).stream().map(Raw::keys).toList(), List.of(all.subList(7, 9)));
  }

  static void deletedRanges(Space space) {
    List<ByteString> all = List.copyOf(space.fill(30).values());
    space.client.deleteRange(all.get(10), all.get(20));
    List<ByteString> left = new ArrayList<>(all.subList(0, 10));
    left.addAll(all.subList(20, 30));
    same(keys(space.client.scanPrefix(space.key(""))), left);
    space.client.deletePrefix(space.key("0000"));
    same(keys(space.client.scanPrefix(space.key(""))), all.subList(20, 30));
  }

  static void lifetimes(Space space) throws Exception {
    same(space.client.getKeyTTL(space.key("missing")), Optional.empty());
    space.client.put(space.key("forever"), bytes("v"));
    space.client.put(space.key("long"), bytes("v"), 100);
    space.client.put(space.key("short"), bytes("v"), 1);
    space.client.batchPut(Map.of(space.key("one"), bytes("v"), space.key("two"), bytes("v")), 1000);
    same(space.client.getKeyTTL(space.key("forever")), Optional.of(0L));
    within(space.client.getKeyTTL(space.key("long")).orElseThrow(), 95, 100);
    within(space.client.getKeyTTL(space.key("one")).orElseThrow(), 995, 1000);
    within(space.client.getKeyTTL(space.key("two")).orElseThrow(), 995, 1000);
    // How a value expires can only be seen by waiting for it.
    for (int tries = 0; space.client.get(space.key("short")).isPresent(); tries++) {
      within(tries, 0, 100);
      Thread.sleep(50);
    }
    same(space.client.getKeyTTL(space.key("short")), Optional.empty());
    same(space.client.scanPrefix(space.key("")).size(), 4);
  }

  static void swaps(Space space) throws Exception {
    ByteString key = space.key("key");
    same(space.client.putIfAbsent(key, bytes("1")), Optional.empty());
    same(space.client.putIfAbsent(key, bytes("2")), Optional.of(bytes("1")));
    space.client.compareAndSet(key, Optional.of(bytes("1")), bytes("3"));
    try {
      space.client.compareAndSet(key, Optional.of(bytes("1")), bytes("4"));
      throw new AssertionError("another value was swapped");
    } catch (RawCASConflictException expected) {
      same(expected.getPrevValue(), Optional.of(bytes("3")));
    }
    space.client.delete(key);
    space.client.compareAndSet(key, Optional.empty(), bytes("5"), 100);
    within(space.client.getKeyTTL(key).orElseThrow(), 95, 100);
    same(space.client.get(key), Optional.of(bytes("5")));
  }

  static void manyCallers(Space space) throws Exception {
    ExecutorService callers = Executors.newFixedThreadPool(16);
    List<Callable<Void>> calls = new ArrayList<>();
    for (int caller = 0; caller < 16; caller++) {
      ByteString key = space.key("caller " + caller);
      calls.add(
          () -> {
            for (int round = 0; round < 50; round++) {
              ByteString value = bytes(round + " of " + key.toStringUtf8());
              space.client.put(key, value);
              same(space.client.get(key), Optional.of(value));
            }
            return null;
          });
    }
    for (Future<Void> call : callers.invokeAll(calls)) {
      call.get();
    }
    callers.shutdown();
    same(space.client.scanPrefix(space.key("")).size(), 16);
  }

  static void splits(Space space) {
    List<ByteString> all = List.copyOf(space.fill(40).values());
    space.session.splitRegionAndScatter(List.of(all.get(10).toByteArray(), all.get(30).toByteArray()));
    same(keys(space.client.scan(space.key(""), space.end())), all);
    for (ByteString key : all) {
      same(space.client.get(key), Optional.of(key));
    }
    space.client.deleteRange(all.get(5), all.get(35));
    same(space.client.scanPrefix(space.key("")).size(), 10);
    same(space.client.batchGet(Collections.singletonList(all.get(10))), List.of());
  }
}
