package v2

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc64"
	"strings"
	"sync"
	"testing"

	"charioteer.test/tikv-go-cases"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/tikv/client-go/v2/rawkv"
)

// refused says whether a call failed with these words of the server.
func refused(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Fatalf("%v instead of a refusal that says %q", err, words)
	}
}

func TestTheShortWayToOpenAClientWorks(t *testing.T) {
	skipUnless(t, version == kvrpcpb.APIVersion_V1, "it speaks version 1")
	t.Parallel()
	ctx := context.Background()
	short, err := rawkv.NewClient(ctx, []string{scheme + pd}, security)
	cases.Must(t, err)
	cases.Must(t, short.Put(ctx, []byte(t.Name()), []byte("v")))
	value, err := short.Get(ctx, []byte(t.Name()))
	cases.Must(t, err)
	if string(value) != "v" {
		t.Fatalf("%q", value)
	}
	cases.Must(t, short.Close())
}

func TestAReverseScanWithoutALowerBoundGoesOnToTheFirstKey(t *testing.T) {
	// In version 2 this client takes what has no bound for what is bounded by the keyspace's upper end.
	skipUnless(t, version == kvrpcpb.APIVersion_V1, "it speaks version 2")
	s, _ := within(t)
	keys := s.Numbered(20)
	s.Fill(t, keys)
	found, _, err := s.ReverseScan(s.Context, s.End(), nil, 3)
	cases.Must(t, err)
	cases.Same(t, "keys", found, [][]byte{keys[19], keys[18], keys[17]})
}

func TestAnEmptyValueIsPresent(t *testing.T) {
	s, _ := within(t)
	cases.Must(t, s.BatchPut(s.Context, s.Keys("a", "b"), [][]byte{{}, []byte("v")}))
	cases.Must(t, s.Put(s.Context, s.Key("c"), nil))
	values, err := s.BatchGet(s.Context, s.Keys("a", "b", "c", "d"))
	cases.Must(t, err)
	cases.Same(t, "batch", values, [][]byte{{}, []byte("v"), {}, nil})
	cases.Holds(t, s, s.Context, s.Key("a"), []byte{})
	keys, values, err := s.Scan(s.Context, s.Key(""), s.End(), 10)
	cases.Must(t, err)
	cases.Same(t, "keys", keys, s.Keys("a", "b", "c"))
	cases.Same(t, "values", values, [][]byte{{}, []byte("v"), {}})
}

func TestTheEmptyKeyIsAKey(t *testing.T) {
	s, _ := within(t)
	cases.Must(t, s.Put(s.Context, nil, []byte("v")))
	cases.Holds(t, s, s.Context, nil, []byte("v"))
	keys, _, err := s.Scan(s.Context, nil, nil, 1)
	cases.Must(t, err)
	if len(keys) != 1 || len(keys[0]) != 0 {
		t.Fatalf("the scan found %q", keys)
	}
	cases.Must(t, s.Delete(s.Context, nil))
	cases.Holds(t, s, s.Context, nil, nil)
}

func TestAKeyThatIsTooLongIsRefused(t *testing.T) {
	s, _ := within(t)
	longest, long := make([]byte, 8<<10), make([]byte, 9000)
	copy(longest, s.Key("longest"))
	if version == kvrpcpb.APIVersion_V2 {
		longest = longest[4:]
		copy(longest, s.Key("longest"))
	}
	copy(long, s.Key("long"))
	cases.Must(t, s.Put(s.Context, longest, []byte("v")))
	cases.Holds(t, s, s.Context, longest, []byte("v"))
	refused(t, s.Put(s.Context, long, []byte("v")), "max key size exceeded, size: ")
	refused(t, s.BatchPut(s.Context, [][]byte{long}, [][]byte{[]byte("v")}), "max key size exceeded, size: ")
}

func TestABatchHasALifetimeForEachPair(t *testing.T) {
	skipUnless(t, lifetimes, "version 1 has no lifetimes")
	s, original := within(t)
	keys := s.Numbered(1000)
	ttls := make([]uint64, len(keys))
	for n := range ttls {
		ttls[n] = uint64(n%2) * (1000 + uint64(n))
	}
	cases.Must(t, original.BatchPutWithTTL(s.Context, keys, keys, ttls))
	for _, n := range []int{0, 1, 2, 501, 998, 999} {
		left, err := s.GetKeyTTL(s.Context, keys[n])
		cases.Must(t, err)
		if left == nil || *left > ttls[n] || ttls[n]-*left > 5 {
			t.Fatalf("pair %d, which was to live for %d seconds, has %v left", n, ttls[n], left)
		}
	}
	if err := original.BatchPutWithTTL(s.Context, keys, keys, ttls[:3]); err == nil {
		t.Fatal("fewer lifetimes than pairs were taken")
	}
}

func TestALifetimeIsRefusedWhereThereAreNone(t *testing.T) {
	skipUnless(t, !lifetimes, "there are lifetimes")
	s, original := within(t)
	const words = "ttl is not enabled, but get put request with ttl"
	refused(t, s.PutWithTTL(s.Context, s.Key("a"), []byte("v"), 1), words)
	refused(t, original.BatchPutWithTTL(s.Context, s.Keys("a"), s.Keys("a"), []uint64{1}), words)
	cases.Holds(t, s, s.Context, s.Key("a"), nil)
}

// swapped says what came of a swap: the value that was there, nil for none, and whether it was replaced.
func swapped(t *testing.T, what string, previous []byte, done bool, err error, expected []byte, expectedDone bool) {
	t.Helper()
	cases.Must(t, err)
	if done != expectedDone || (previous == nil) != (expected == nil) || !bytes.Equal(previous, expected) {
		t.Fatalf("%s: %q, %v instead of %q, %v", what, previous, done, expected, expectedDone)
	}
}

func TestAValueIsSwappedForWhatWasExpected(t *testing.T) {
	s, original := within(t)
	key := s.Key("key")
	_, _, err := original.CompareAndSwap(s.Context, key, nil, []byte("v"))
	refused(t, err, "atomic mode")

	original.SetAtomicForCAS(true)
	swap := func(expected, value []byte) ([]byte, bool, error) {
		return original.CompareAndSwap(s.Context, key, expected, value)
	}
	previous, done, err := swap([]byte("any"), []byte("1"))
	swapped(t, "a value for none", previous, done, err, nil, false)
	cases.Holds(t, s, s.Context, key, nil)
	previous, done, err = swap(nil, []byte{})
	swapped(t, "none for what is empty", previous, done, err, nil, true)
	cases.Holds(t, s, s.Context, key, []byte{})
	previous, done, err = swap(nil, []byte("2"))
	swapped(t, "none where there is what is empty", previous, done, err, []byte{}, false)
	previous, done, err = swap([]byte{}, []byte("3"))
	swapped(t, "what is empty", previous, done, err, []byte{}, true)
	previous, done, err = swap([]byte("2"), []byte("4"))
	swapped(t, "another value", previous, done, err, []byte("3"), false)
	cases.Holds(t, s, s.Context, key, []byte("3"))

	// Other writes in atomic mode.
	cases.Must(t, s.Put(s.Context, key, []byte("5")))
	previous, done, err = swap([]byte("5"), []byte("6"))
	swapped(t, "what was put", previous, done, err, []byte("5"), true)
	cases.Must(t, s.Delete(s.Context, key))
	previous, done, err = swap(nil, []byte("7"))
	swapped(t, "what was deleted", previous, done, err, nil, true)
	cases.Must(t, s.BatchPut(s.Context, [][]byte{key}, [][]byte{[]byte("8")}))
	cases.Must(t, s.BatchDelete(s.Context, [][]byte{key}))
	previous, done, err = swap(nil, []byte("9"))
	swapped(t, "what was deleted in a batch", previous, done, err, nil, true)
}

func TestAnExpiredValueIsNoneToASwap(t *testing.T) {
	skipUnless(t, lifetimes, "version 1 has no lifetimes")
	s, original := within(t)
	original.SetAtomicForCAS(true)
	cases.Must(t, s.PutWithTTL(s.Context, s.Key("a"), []byte("v"), 1))
	for {
		previous, done, err := original.CompareAndSwap(s.Context, s.Key("a"), nil, []byte("w"))
		cases.Must(t, err)
		if done {
			swapped(t, "what had expired", previous, done, err, nil, true)
			break
		}
		swapped(t, "what lives", previous, done, err, []byte("v"), false)
	}
	left, err := s.GetKeyTTL(s.Context, s.Key("a"))
	cases.Must(t, err)
	if left == nil || *left != 0 {
		t.Fatal("what was swapped in has the lifetime of what it replaced: ", left)
	}
}

func TestSwapsOfManyCallersAllCount(t *testing.T) {
	s, original := within(t)
	original.SetAtomicForCAS(true)
	const callers, rounds = 16, 25
	var running sync.WaitGroup
	failures := make(chan error, callers)
	for range callers {
		running.Go(func() {
			var current []byte
			for done := 0; done < rounds; {
				next := fmt.Append(nil, number(current)+1)
				previous, swapped, err := original.CompareAndSwap(s.Context, s.Key("count"), current, next)
				if err != nil {
					failures <- err
					return
				}
				if current = previous; swapped {
					current, done = next, done+1
				}
			}
		})
	}
	running.Wait()
	close(failures)
	for err := range failures {
		t.Fatal(err)
	}
	cases.Holds(t, s, s.Context, s.Key("count"), fmt.Append(nil, callers*rounds))
}

func number(text []byte) (number int) {
	_, _ = fmt.Sscan(string(text), &number)
	return number
}

func TestAChecksumIsOfAllPairsOfItsRange(t *testing.T) {
	s, original := within(t)
	keys := s.Numbered(2500)
	s.Fill(t, keys)
	cases.Must(t, s.Put(s.Context, keys[7], nil))
	for _, bounds := range [][2]int{{0, 2500}, {0, 1}, {7, 8}, {100, 2100}, {5, 5}} {
		end := s.End()
		if bounds[1] < len(keys) {
			end = keys[bounds[1]]
		}
		sum, err := original.Checksum(s.Context, keys[bounds[0]], end)
		cases.Must(t, err)
		if expected := checksum(keys[bounds[0]:bounds[1]], keys[7]); sum != expected {
			t.Fatalf("%v: %+v instead of %+v", bounds, sum, expected)
		}
	}
	last := append([]byte("\xff\xff\xff\xff"), s.Key("last")...)
	cases.Must(t, s.Put(s.Context, last, last))
	sum, err := original.Checksum(s.Context, last, append(bytes.Clone(last), 0))
	cases.Must(t, err)
	if expected := checksum([][]byte{last}, nil); sum != expected {
		t.Fatalf("the last key: %+v instead of %+v", sum, expected)
	}
}

// checksum is that of keys that are their own values, but for one whose value is empty.
func checksum(keys [][]byte, empty []byte) (sum rawkv.RawChecksum) {
	table := crc64.MakeTable(crc64.ECMA)
	for _, key := range keys {
		wire, value := key, key
		if version == kvrpcpb.APIVersion_V2 {
			wire = append([]byte("r\x00\x00\x00"), key...)
		}
		if bytes.Equal(key, empty) {
			value = nil
		}
		sum.Crc64Xor ^= crc64.Update(crc64.Checksum(wire, table), table, value)
		sum.TotalKvs++
		sum.TotalBytes += uint64(len(wire) + len(value))
	}
	return sum
}

func TestColumnFamiliesAreApart(t *testing.T) {
	skipUnless(t, version == kvrpcpb.APIVersion_V1, "version 2 has no column families")
	s, original := within(t)
	ctx, key, families := s.Context, s.Key("a"), []string{"", "lock", "write"}
	for n, family := range families {
		cases.Must(t, original.Put(ctx, key, fmt.Append(nil, "value ", n), rawkv.SetColumnFamily(family)))
		cases.Must(t, original.BatchPut(ctx, s.Keys(family+"-b"), s.Keys(family+"-b"), rawkv.SetColumnFamily(family)))
	}
	for n, family := range families {
		value, err := original.Get(ctx, key, rawkv.SetColumnFamily(family))
		cases.Must(t, err)
		cases.Same(t, family, [][]byte{value}, [][]byte{fmt.Append(nil, "value ", n)})
		keys, _, err := original.Scan(ctx, s.Key(""), s.End(), 10, rawkv.SetColumnFamily(family))
		cases.Must(t, err)
		if len(keys) != 2 {
			t.Fatalf("%q has %q", family, keys)
		}
		values, err := original.BatchGet(ctx, s.Keys("-b", "lock-b", "write-b"), rawkv.SetColumnFamily(family))
		cases.Must(t, err)
		expected := make([][]byte, 3)
		expected[n] = s.Key(family + "-b")
		cases.Same(t, "batch of "+family, values, expected)
	}
	// "default" is the one that is meant where none is named.
	value, err := original.SetColumnFamily("default").Get(ctx, key)
	cases.Must(t, err)
	cases.Same(t, "default", [][]byte{value}, [][]byte{[]byte("value 0")})

	cases.Must(t, original.SetColumnFamily("write").DeleteRange(ctx, s.Key(""), s.End()))
	keys, _, err := s.ReverseScan(ctx, s.End(), s.Key(""), 10)
	cases.Must(t, err)
	cases.Same(t, "what is left of write", keys, nil)
	original.SetColumnFamily("")
	cases.Must(t, original.Delete(ctx, key, rawkv.SetColumnFamily("lock")))
	cases.Must(t, original.BatchDelete(ctx, s.Keys("-b", "lock-b"), rawkv.SetColumnFamily("lock")))
	cases.Holds(t, s, ctx, key, []byte("value 0"))
	cases.Holds(t, s, ctx, s.Key("-b"), s.Key("-b"))
	if lifetimes {
		left, err := original.GetKeyTTL(ctx, key, rawkv.SetColumnFamily("lock"))
		cases.Must(t, err)
		if left != nil {
			t.Fatal("what was deleted from lock has a lifetime")
		}
	}
	original.SetAtomicForCAS(true)
	previous, done, err := original.CompareAndSwap(ctx, key, nil, []byte("v"), rawkv.SetColumnFamily("lock"))
	swapped(t, "what is not in lock", previous, done, err, nil, true)
	cases.Holds(t, s, ctx, key, []byte("value 0"))
}

func TestAColumnFamilyThatIsNotThereIsRefused(t *testing.T) {
	s, original := within(t)
	option, words := rawkv.SetColumnFamily("other"), "invalid cf name: other"
	if version == kvrpcpb.APIVersion_V2 {
		words = "cf is deprecated in API V2, cf name: other"
	}
	refused(t, original.Put(s.Context, s.Key("a"), []byte("v"), option), words)
	refused(t, original.Delete(s.Context, s.Key("a"), option), words)
	refused(t, original.BatchPut(s.Context, s.Keys("a"), s.Keys("a"), option), words)
	refused(t, original.BatchDelete(s.Context, s.Keys("a"), option), words)
	refused(t, original.DeleteRange(s.Context, s.Key("a"), s.Key("b"), option), words)
	_, err := original.Get(s.Context, s.Key("a"), option)
	refused(t, err, words)
	original.SetAtomicForCAS(true)
	_, _, err = original.CompareAndSwap(s.Context, s.Key("a"), nil, []byte("v"), option)
	refused(t, err, words)
}

// Not beside the cases that split: boundaries between keys of version 1 are none to clients of version 2.
func TestVersionsOfTheApiDoNotMeet(t *testing.T) {
	skipUnless(t, api == "any", "one version alone is served")
	skipUnless(t, regions == 1 || version == kvrpcpb.APIVersion_V2, "keys of version 1 have been split")
	s := cases.Within(t, open)
	other, err := openAs(s.Context, kvrpcpb.APIVersion_V2-version)
	cases.Must(t, err)
	cases.Must(t, s.Put(s.Context, s.Key("a"), []byte("mine")))
	cases.Must(t, other.Put(s.Context, s.Key("b"), []byte("other")))
	cases.Holds(t, s, s.Context, s.Key("b"), nil)
	cases.Holds(t, other, s.Context, s.Key("a"), nil)
	keys, _, err := s.Scan(s.Context, s.Key(""), s.End(), 10)
	cases.Must(t, err)
	cases.Same(t, "keys", keys, s.Keys("a"))
	cases.Must(t, other.Close())
}

// Nor this.
func TestAnotherVersionOfTheApiIsRefused(t *testing.T) {
	skipUnless(t, api != "any", "each version is served")
	skipUnless(t, regions == 1 || version == kvrpcpb.APIVersion_V2, "keys of version 1 have been split")
	s := cases.Within(t, open)
	other, err := openAs(s.Context, kvrpcpb.APIVersion_V2-version)
	cases.Must(t, err)
	const words = "Api version in request does not match with TiKV storage"
	refused(t, other.Put(s.Context, s.Key("a"), []byte("v")), words)
	_, err = other.Get(s.Context, s.Key("a"))
	refused(t, err, words)
	cases.Must(t, other.Close())
	cases.Holds(t, s, s.Context, s.Key("a"), nil)
}
