package txn

import (
	"testing"

	tikverr "github.com/tikv/client-go/v2/error"
	"github.com/tikv/client-go/v2/kv"
	"github.com/tikv/client-go/v2/txnkv/txnsnapshot"
)

// iterator is what scans of snapshots and of transactions have in common.
type iterator interface {
	Valid() bool
	Key() []byte
	Value() []byte
	Next() error
	Close()
}

func (s *space) all(found iterator, err error) (names, values []string) {
	s.Helper()
	s.must(err)
	defer found.Close()
	for ; found.Valid(); s.must(found.Next()) {
		name := string(found.Key())
		if len(name) <= len(s.Name()) || name[:len(s.Name())] != s.Name() {
			break
		}
		names = append(names, name[len(s.Name())+1:])
		values = append(values, string(found.Value()))
	}
	return names, values
}

func (s *space) same(what string, found, expected []string) {
	s.Helper()
	if len(found) != len(expected) {
		s.Fatalf("%s: %d instead of %d", what, len(found), len(expected))
	}
	for at := range found {
		if found[at] != expected[at] {
			s.Fatalf("%s: %q instead of %q at %d", what, found[at], expected[at], at)
		}
	}
}

func upwards(names []string) []string { return names }

func downwards(names []string) (turned []string) {
	for at := range names {
		turned = append(turned, names[len(names)-1-at])
	}
	return turned
}

func TestARangeIsScannedBothWaysOverRegions(t *testing.T) {
	s := within(t)
	names := s.numbered(600)
	var pairs []string
	for _, name := range names {
		pairs = append(pairs, name, name)
	}
	s.put(pairs...)
	reader := s.begin(modes[0])
	found, values := s.all(reader.Iter(s.key(""), s.key("z")))
	s.same("upwards", found, upwards(names))
	s.same("values", values, names)
	found, _ = s.all(reader.IterReverse(s.key("z")))
	s.same("downwards", found, downwards(names))
	found, _ = s.all(reader.Iter(s.key("key0100"), s.key("key0250")))
	s.same("a part", found, names[100:250])
	found, _ = s.all(reader.IterReverse(s.key("key0250")))
	s.same("a part downwards", found, downwards(names[:250]))
	small := s.GetSnapshot(reader.StartTS())
	small.SetScanBatchSize(7)
	found, _ = s.all(small.Iter(s.key(""), s.key("z")))
	s.same("in small batches", found, names)
	keyOnly := s.GetSnapshot(reader.StartTS())
	keyOnly.SetKeyOnly(true)
	found, values = s.all(keyOnly.Iter(s.key(""), s.key("z")))
	s.same("keys alone", found, names)
	if values[0] != "" {
		t.Fatalf("%q", values[0])
	}
	sampled := s.GetSnapshot(reader.StartTS())
	sampled.SetSampleStep(10)
	if found, _ = s.all(sampled.Iter(s.key(""), s.key("key0100"))); len(found) != 10 {
		t.Fatalf("%d sampled", len(found))
	}
}

func TestOwnWritesAreScannedToo(t *testing.T) {
	s := within(t)
	s.put("a", "1", "b", "1", "c", "1")
	txn := s.begin(modes[0])
	s.must(txn.Delete(s.key("b")))
	s.must(txn.Set(s.key("bb"), []byte("2")))
	s.must(txn.Set(s.key("c"), []byte("2")))
	found, values := s.all(txn.Iter(s.key(""), s.key("z")))
	s.same("keys", found, []string{"a", "bb", "c"})
	s.same("values", values, []string{"1", "2", "2"})
	found, _ = s.all(txn.IterReverse(s.key("z")))
	s.same("downwards", found, []string{"c", "bb", "a"})
}

func TestASnapshotStaysAsItWas(t *testing.T) {
	s := within(t)
	s.put("a", "1", "b", "1")
	ts, err := s.CurrentTimestamp("global")
	s.must(err)
	s.put("a", "2", "c", "2")
	for _, level := range []txnsnapshot.IsoLevel{txnsnapshot.SI, txnsnapshot.RC} {
		snapshot := s.GetSnapshot(ts)
		snapshot.SetIsolationLevel(level)
		value, err := snapshot.Get(s.ctx, s.key("a"))
		s.must(err)
		if string(value) != "1" {
			t.Fatalf("%q", value)
		}
		if _, err := snapshot.Get(s.ctx, s.key("c")); !tikverr.IsErrNotFound(err) {
			t.Fatalf("%v", err)
		}
		found, err := snapshot.BatchGet(s.ctx, s.keys("a", "b", "c"))
		s.must(err)
		if len(found) != 2 || string(found[string(s.key("a"))]) != "1" {
			t.Fatalf("%v", found)
		}
	}
	follower := s.GetSnapshot(ts)
	follower.SetReplicaRead(kv.ReplicaReadFollower)
	value, err := follower.Get(s.ctx, s.key("a"))
	s.must(err)
	if string(value) != "1" {
		t.Fatalf("%q", value)
	}
}

func TestRangesAreRemoved(t *testing.T) {
	s := within(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		// Each by itself: what has become of a transaction is told by its first key.
		s.put(name, "1")
	}
	_, err := s.DeleteRange(s.ctx, s.key("a"), s.key("c"), 2)
	s.must(err)
	found, _ := s.all(s.begin(modes[0]).Iter(s.key(""), s.key("z")))
	s.same("deleted", found, []string{"c", "d"})
	s.must(s.UnsafeDestroyRange(s.ctx, s.key("c"), s.key("d")))
	found, _ = s.all(s.begin(modes[0]).Iter(s.key(""), s.key("z")))
	s.same("destroyed", found, []string{"d"})
}

func TestGarbageIsCollectedWithLocksResolved(t *testing.T) {
	s := within(t)
	s.put("a", "1")
	s.put("a", "2")
	safePoint, err := s.CurrentTimestamp("global")
	s.must(err)
	reached, err := s.GC(s.ctx, safePoint-(1<<18)*60_000)
	s.must(err)
	if reached == 0 {
		t.Fatal("there is no safe point")
	}
	s.holds("a", "2")
}
