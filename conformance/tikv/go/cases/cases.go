// Package cases holds what must be so of raw key–value, whichever generation of client-go says it.
//
// The cases keep to keys that begin with their own name, so that they may run beside each other on one cluster.
package cases

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// Client is what the raw clients of both generations have in common.
type Client interface {
	Get(ctx context.Context, key []byte) ([]byte, error)
	Put(ctx context.Context, key, value []byte) error
	Delete(ctx context.Context, key []byte) error
	BatchGet(ctx context.Context, keys [][]byte) ([][]byte, error)
	BatchPut(ctx context.Context, keys, values [][]byte) error
	BatchDelete(ctx context.Context, keys [][]byte) error
	DeleteRange(ctx context.Context, start, end []byte) error
	// Scan answers up to limit pairs of [start, end), upwards.
	Scan(ctx context.Context, start, end []byte, limit int) (keys, values [][]byte, err error)
	// ScanKeys does so without the values.
	ScanKeys(ctx context.Context, start, end []byte, limit int) (keys, values [][]byte, err error)
	// ReverseScan answers up to limit pairs of [end, start), downwards.
	ReverseScan(ctx context.Context, start, end []byte, limit int) (keys, values [][]byte, err error)
	// ReverseScanKeys does so without the values.
	ReverseScanKeys(ctx context.Context, start, end []byte, limit int) (keys, values [][]byte, err error)
	// PutWithTTL puts a value that lives for so many seconds.
	PutWithTTL(ctx context.Context, key, value []byte, ttl uint64) error
	// GetKeyTTL answers how many seconds a value has left: nil where there is none, 0 where it lives for ever.
	GetKeyTTL(ctx context.Context, key []byte) (*uint64, error)
	ClusterID() uint64
	Close() error
}

// Space is a client, and the part of its keys that one case has for itself.
type Space struct {
	Client
	Context context.Context
	open    Opener
	prefix  string
}

// Opener opens a client of the cluster.
type Opener func(context.Context) (Client, error)

// Within opens a client for one case.
func Within(t *testing.T, open Opener) *Space {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	client, err := open(ctx)
	if err != nil {
		cancel()
		t.Fatal("opening a client: ", err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error("closing the client: ", err)
		}
		cancel()
	})
	return &Space{client, ctx, open, t.Name() + "/"}
}

// Key is a key of this case.
func (s *Space) Key(name string) []byte { return []byte(s.prefix + name) }

// Keys are keys of this case.
func (s *Space) Keys(names ...string) [][]byte {
	keys := make([][]byte, 0, len(names))
	for _, name := range names {
		keys = append(keys, s.Key(name))
	}
	return keys
}

// End is above all keys of this case.
func (s *Space) End() []byte { return []byte(s.prefix[:len(s.prefix)-1] + "0") }

// Fill puts the keys, each with itself as its value.
func (s *Space) Fill(t *testing.T, keys [][]byte) {
	t.Helper()
	Must(t, s.BatchPut(s.Context, keys, keys))
}

// Numbered are many keys of this case, ascending.
func (s *Space) Numbered(count int) [][]byte {
	keys := make([][]byte, 0, count)
	for n := range count {
		keys = append(keys, s.Key(fmt.Sprintf("%06d", n)))
	}
	return keys
}

// Must ends a case that cannot go on.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Same says whether lists of bytes are equal; nil stands for what is absent and differs from what is empty.
func Same(t *testing.T, what string, got, expected [][]byte) {
	t.Helper()
	equal := func(one, other []byte) bool { return (one == nil) == (other == nil) && bytes.Equal(one, other) }
	if !slices.EqualFunc(got, expected, equal) {
		t.Fatalf("%s: %d of %.400q instead of %d of %.400q", what, len(got), got, len(expected), expected)
	}
}

// Holds says whether a key has this value, or none if that is nil.
func Holds(t *testing.T, client Client, ctx context.Context, key, expected []byte) {
	t.Helper()
	value, err := client.Get(ctx, key)
	Must(t, err)
	if (value == nil) != (expected == nil) || !bytes.Equal(value, expected) {
		t.Fatalf("%q holds %d bytes, %.80q, instead of %d, %.80q", key, len(value), value, len(expected), expected)
	}
}

func (s *Space) holds(t *testing.T, key, expected []byte) {
	t.Helper()
	Holds(t, s.Client, s.Context, key, expected)
}

// scanned are the keys of a scan, whose values must be what Fill put.
func scanned(t *testing.T, keys, values [][]byte, err error) [][]byte {
	t.Helper()
	Must(t, err)
	Same(t, "values", values, keys)
	return keys
}

// named are the keys of a scan without values.
func named(t *testing.T, keys, values [][]byte, err error) [][]byte {
	t.Helper()
	Must(t, err)
	for n, value := range values {
		if len(value) != 0 {
			t.Fatalf("%q came with a value, %q", keys[n], value)
		}
	}
	return keys
}

func downwards(keys [][]byte) [][]byte {
	keys = slices.Clone(keys)
	slices.Reverse(keys)
	return keys
}

// Case is one of the things that must be so.
type Case struct {
	Name string
	Run  func(*testing.T, *Space)
}

// All are the cases that need no lifetimes.
func All() []Case {
	return []Case{
		{"AValueIsReadUntilItIsReplacedOrDeleted", aValueIsRead},
		{"KeysAndValuesAreAnyBytes", anyBytes},
		{"AValueOfFourMebibytesComesBackWhole", largeValues},
		{"ABatchAnswersInTheOrderOfItsKeysWithNilForWhatIsAbsent", batchesAnswerInOrder},
		{"BatchesOfThousandsOfKeysAreWhole", largeBatches},
		{"ABatchOfNothingDoesNothing", emptyBatches},
		{"AScanIsAscendingFromItsStartToBeforeItsEnd", scans},
		{"AScanStopsAtItsLimit", scanLimits},
		{"AScanOfAnEmptyRangeFindsNothing", emptyScans},
		{"AScanWithoutAnEndGoesOnToTheLastKey", unboundedScans},
		{"AScanForKeysComesWithoutValues", keyScans},
		{"AReverseScanIsDescendingFromBeforeItsStartToItsEnd", reverseScans},
		{"KeysThatBeginOthersComeBeforeThem", keysThatBeginOthers},
		{"ARangeIsDeletedFromItsStartToBeforeItsEnd", deletedRanges},
		{"ARangeOfThousandsOfKeysIsDeleted", largeDeletedRanges},
		{"AllClientsSeeOneCluster", oneCluster},
		{"ManyCallersGetTheirOwnAnswers", manyCallers},
		{"ACallThatIsCancelledSaysSo", cancelled},
	}
}

// WithLifetimes are the cases that need them.
func WithLifetimes() []Case {
	return []Case{
		{"ALifetimeIsTold", lifetimesAreTold},
		{"AnExpiredValueIsAbsentEverywhere", expiredValues},
		{"AValueThatIsPutAgainHasTheNewLifetime", lifetimesAreReplaced},
	}
}

func aValueIsRead(t *testing.T, s *Space) {
	key := s.Key("key")
	s.holds(t, key, nil)
	for _, value := range []string{"value", "another", "v"} {
		Must(t, s.Put(s.Context, key, []byte(value)))
		s.holds(t, key, []byte(value))
	}
	Must(t, s.Delete(s.Context, key))
	s.holds(t, key, nil)
	Must(t, s.Delete(s.Context, key))
}

func anyBytes(t *testing.T, s *Space) {
	every := make([]byte, 256)
	for n := range every {
		every[n] = byte(n)
	}
	var keys [][]byte
	for _, name := range []string{"", "\x00", "\x00\x00", "\xff", "\xff\xff\xff\xff\xff\xff\xff\xff\xff", "12345678", "ключ", string(every)} {
		keys = append(keys, s.Key(name))
	}
	for _, key := range keys {
		Must(t, s.Put(s.Context, key, append([]byte{0, 0xff}, key...)))
	}
	for _, key := range keys {
		s.holds(t, key, append([]byte{0, 0xff}, key...))
	}
}

func largeValues(t *testing.T, s *Space) {
	for _, size := range []int{64 << 10, 1 << 20, 4 << 20} {
		value := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		Must(t, s.Put(s.Context, s.Key("large"), value))
		s.holds(t, s.Key("large"), value)
	}
	keys, values, err := s.Scan(s.Context, s.Key(""), s.End(), 10)
	Must(t, err)
	if len(keys) != 1 || len(values[0]) != 4<<20 {
		t.Fatalf("the scan found %q", keys)
	}
}

func batchesAnswerInOrder(t *testing.T, s *Space) {
	s.Fill(t, s.Keys("a", "b", "c"))
	asked := s.Keys("c", "missing", "a", "b", "c")
	values, err := s.BatchGet(s.Context, asked)
	Must(t, err)
	Same(t, "values", values, [][]byte{asked[0], nil, asked[2], asked[3], asked[4]})

	Must(t, s.BatchDelete(s.Context, s.Keys("a", "missing", "c")))
	values, err = s.BatchGet(s.Context, s.Keys("a", "b", "c"))
	Must(t, err)
	Same(t, "what is left", values, [][]byte{nil, s.Key("b"), nil})
}

func largeBatches(t *testing.T, s *Space) {
	keys := s.Numbered(3000)
	s.Fill(t, keys)
	values, err := s.BatchGet(s.Context, keys)
	Must(t, err)
	Same(t, "values", values, keys)

	Must(t, s.BatchDelete(s.Context, keys[100:2900]))
	left, values, err := s.Scan(s.Context, s.Key(""), s.End(), 10240)
	Same(t, "what is left", scanned(t, left, values, err), slices.Concat(keys[:100], keys[2900:]))
}

func emptyBatches(t *testing.T, s *Space) {
	Must(t, s.BatchPut(s.Context, nil, nil))
	Must(t, s.BatchDelete(s.Context, nil))
	values, err := s.BatchGet(s.Context, nil)
	Must(t, err)
	Same(t, "values", values, [][]byte{})
	if err := s.BatchPut(s.Context, s.Keys("a"), nil); err == nil {
		t.Fatal("a batch with fewer values than keys was taken")
	}
}

func scans(t *testing.T, s *Space) {
	keys := s.Numbered(50)
	s.Fill(t, downwards(keys))
	for _, bounds := range [][2]int{{0, 50}, {0, 1}, {10, 20}, {49, 50}} {
		end := s.End()
		if bounds[1] < 50 {
			end = keys[bounds[1]]
		}
		found, values, err := s.Scan(s.Context, keys[bounds[0]], end, 100)
		Same(t, fmt.Sprint(bounds), scanned(t, found, values, err), keys[bounds[0]:bounds[1]])
	}
	// The bounds need not be there themselves.
	after := func(key []byte) []byte { return append(slices.Clone(key), 0) }
	found, values, err := s.Scan(s.Context, after(keys[10]), after(keys[20]), 100)
	Same(t, "after the bounds", scanned(t, found, values, err), keys[11:21])
}

func scanLimits(t *testing.T, s *Space) {
	keys := s.Numbered(600)
	s.Fill(t, keys)
	for _, limit := range []int{0, 1, 2, 255, 256, 257, 599, 600, 601, 10240} {
		whole := keys[:min(limit, len(keys))]
		found, values, err := s.Scan(s.Context, s.Key(""), s.End(), limit)
		Same(t, fmt.Sprint("limit ", limit), scanned(t, found, values, err), whole)
		found, values, err = s.ReverseScan(s.Context, s.End(), s.Key(""), limit)
		Same(t, fmt.Sprint("reverse limit ", limit), scanned(t, found, values, err), downwards(keys)[:len(whole)])
	}
	if _, _, err := s.Scan(s.Context, s.Key(""), s.End(), 10241); err == nil {
		t.Fatal("a limit of 10241 was taken")
	}
}

func emptyScans(t *testing.T, s *Space) {
	keys := s.Numbered(3)
	s.Fill(t, keys)
	for _, bounds := range [][2][]byte{{keys[1], keys[1]}, {keys[2], keys[0]}, {s.Key("1"), s.Key("2")}} {
		found, _, err := s.Scan(s.Context, bounds[0], bounds[1], 10)
		Must(t, err)
		Same(t, "scan", found, nil)
		found, _, err = s.ReverseScan(s.Context, bounds[0], bounds[0], 10)
		Must(t, err)
		Same(t, "reverse scan", found, nil)
	}
}

func unboundedScans(t *testing.T, s *Space) {
	// Above what any other case has; those that run beside this one leave it alone.
	last := slices.Concat([]byte("\xff\xff\xff\xff"), s.Key("last"))
	Must(t, s.Put(s.Context, last, last))
	found, values, err := s.Scan(s.Context, last, nil, 10)
	Same(t, "from the last key", scanned(t, found, values, err), [][]byte{last})
	found, _, err = s.Scan(s.Context, append(slices.Clone(last), 0), nil, 10)
	Must(t, err)
	Same(t, "beyond it", found, nil)
}

func keyScans(t *testing.T, s *Space) {
	keys := s.Numbered(300)
	s.Fill(t, keys)
	found, values, err := s.ScanKeys(s.Context, s.Key(""), s.End(), 200)
	Same(t, "keys", named(t, found, values, err), keys[:200])
	found, values, err = s.ReverseScanKeys(s.Context, s.End(), s.Key(""), 200)
	Same(t, "keys downwards", named(t, found, values, err), downwards(keys)[:200])
}

func reverseScans(t *testing.T, s *Space) {
	keys := s.Numbered(50)
	s.Fill(t, keys)
	found, values, err := s.ReverseScan(s.Context, keys[20], keys[10], 100)
	Same(t, "between", scanned(t, found, values, err), downwards(keys[10:20]))
	found, values, err = s.ReverseScan(s.Context, s.End(), keys[45], 100)
	Same(t, "from the end", scanned(t, found, values, err), downwards(keys[45:]))
	found, values, err = s.ReverseScan(s.Context, append(slices.Clone(keys[20]), 0), append(slices.Clone(keys[10]), 0), 100)
	Same(t, "after the bounds", scanned(t, found, values, err), downwards(keys[11:21]))
}

func keysThatBeginOthers(t *testing.T, s *Space) {
	keys := s.Keys("", "\x00", "\x00\x00", "\x00\x01", "a", "a\x00", "a\xff", "aa", "b", "\x7f", "\x80", "\xff", "\xff\xff")
	s.Fill(t, keys)
	found, values, err := s.Scan(s.Context, s.Key(""), s.End(), 100)
	expected := slices.Clone(keys)
	slices.SortFunc(expected, bytes.Compare)
	Same(t, "keys", scanned(t, found, values, err), expected)
	found, values, err = s.Scan(s.Context, s.Key("a"), s.Key("b"), 100)
	Same(t, "those that begin with a", scanned(t, found, values, err), s.Keys("a", "a\x00", "aa", "a\xff"))
}

func deletedRanges(t *testing.T, s *Space) {
	keys := s.Keys("a", "b", "c", "d", "e", "f")
	left := func(what string, expected ...string) {
		t.Helper()
		found, values, err := s.Scan(s.Context, s.Key(""), s.End(), 100)
		if len(expected) == 0 {
			Same(t, what, scanned(t, found, values, err), nil)
		} else {
			Same(t, what, scanned(t, found, values, err), s.Keys(expected...))
		}
	}
	s.Fill(t, keys)
	Must(t, s.DeleteRange(s.Context, s.Key("c"), s.Key("c")))
	left("an empty range", "a", "b", "c", "d", "e", "f")
	Must(t, s.DeleteRange(s.Context, s.Key("b"), s.Key("d")))
	left("without b and c", "a", "d", "e", "f")
	Must(t, s.DeleteRange(s.Context, s.Key("d1"), s.Key("e1")))
	left("without e", "a", "d", "f")
	s.holds(t, s.Key("e"), nil)
	Must(t, s.Put(s.Context, s.Key("e"), s.Key("e")))
	left("with e again", "a", "d", "e", "f")
	Must(t, s.DeleteRange(s.Context, s.Key(""), s.End()))
	left("nothing")
}

func largeDeletedRanges(t *testing.T, s *Space) {
	keys := s.Numbered(5000)
	s.Fill(t, keys)
	Must(t, s.DeleteRange(s.Context, keys[10], keys[4990]))
	found, values, err := s.Scan(s.Context, s.Key(""), s.End(), 10240)
	Same(t, "what is left", scanned(t, found, values, err), slices.Concat(keys[:10], keys[4990:]))
}

func oneCluster(t *testing.T, s *Space) {
	other, err := s.open(s.Context)
	Must(t, err)
	if id := s.ClusterID(); id == 0 || id != other.ClusterID() {
		t.Fatalf("cluster %d is %d to another client", id, other.ClusterID())
	}
	Must(t, s.Put(s.Context, s.Key("a"), []byte("of the first")))
	Holds(t, other, s.Context, s.Key("a"), []byte("of the first"))
	Must(t, other.Put(s.Context, s.Key("a"), []byte("of the other")))
	Must(t, other.Close())
	s.holds(t, s.Key("a"), []byte("of the other"))
}

func manyCallers(t *testing.T, s *Space) {
	var callers sync.WaitGroup
	wrong := make(chan error, 64)
	for caller := range 64 {
		callers.Go(func() {
			for round := range 40 {
				key := s.Key(fmt.Sprintf("%02d/%d", caller, round%4))
				value := fmt.Appendf(nil, "%d of %d", round, caller)
				if err := s.Put(s.Context, key, value); err != nil {
					wrong <- err
					return
				}
				if got, err := s.Get(s.Context, key); err != nil || !bytes.Equal(got, value) {
					wrong <- fmt.Errorf("%q of %q instead of %q: %v", got, key, value, err)
					return
				}
			}
		})
	}
	callers.Wait()
	close(wrong)
	for err := range wrong {
		t.Fatal(err)
	}
	keys, _, err := s.ScanKeys(s.Context, s.Key(""), s.End(), 10240)
	Must(t, err)
	if len(keys) != 64*4 {
		t.Fatalf("%d keys", len(keys))
	}
}

func cancelled(t *testing.T, s *Space) {
	gone, cancel := context.WithCancel(s.Context)
	cancel()
	if err := s.Put(gone, s.Key("a"), []byte("a")); err == nil {
		t.Fatal("a cancelled call came through")
	}
	s.holds(t, s.Key("b"), nil)
}

// remaining is how long a key's value has left, which must be told.
func (s *Space) remaining(t *testing.T, key []byte) uint64 {
	t.Helper()
	ttl, err := s.GetKeyTTL(s.Context, key)
	Must(t, err)
	if ttl == nil {
		t.Fatalf("%q has no value", key)
	}
	return *ttl
}

func lifetimesAreTold(t *testing.T, s *Space) {
	ttl, err := s.GetKeyTTL(s.Context, s.Key("missing"))
	Must(t, err)
	if ttl != nil {
		t.Fatal("a lifetime without a value: ", *ttl)
	}
	Must(t, s.Put(s.Context, s.Key("forever"), []byte("v")))
	if left := s.remaining(t, s.Key("forever")); left != 0 {
		t.Fatal("a value that was put without a lifetime has ", left)
	}
	for _, seconds := range []uint64{100, 86400 * 365} {
		Must(t, s.PutWithTTL(s.Context, s.Key("lasting"), []byte("v"), seconds))
		if left := s.remaining(t, s.Key("lasting")); left > seconds || left < seconds-3 {
			t.Fatalf("%d seconds of %d", left, seconds)
		}
	}
	s.holds(t, s.Key("lasting"), []byte("v"))
}

func expiredValues(t *testing.T, s *Space) {
	Must(t, s.PutWithTTL(s.Context, s.Key("short"), s.Key("short"), 1))
	Must(t, s.PutWithTTL(s.Context, s.Key("long"), s.Key("long"), 1000))
	// How a value expires can only be seen by waiting for it.
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		value, err := s.Get(s.Context, s.Key("short"))
		Must(t, err)
		if value == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a lifetime of a second lasts for five")
		}
	}
	if ttl, err := s.GetKeyTTL(s.Context, s.Key("short")); err != nil || ttl != nil {
		t.Fatal("an expired value has a lifetime: ", ttl, err)
	}
	values, err := s.BatchGet(s.Context, s.Keys("short", "long"))
	Must(t, err)
	Same(t, "batch", values, [][]byte{nil, s.Key("long")})
	found, values, err := s.Scan(s.Context, s.Key(""), s.End(), 10)
	Same(t, "scan", scanned(t, found, values, err), s.Keys("long"))
	found, values, err = s.ReverseScan(s.Context, s.End(), s.Key(""), 10)
	Same(t, "reverse scan", scanned(t, found, values, err), s.Keys("long"))
}

func lifetimesAreReplaced(t *testing.T, s *Space) {
	key := s.Key("key")
	Must(t, s.PutWithTTL(s.Context, key, []byte("v"), 1))
	Must(t, s.PutWithTTL(s.Context, key, []byte("v"), 100))
	if left := s.remaining(t, key); left < 90 || left > 100 {
		t.Fatal("not the later lifetime but ", left)
	}
	Must(t, s.PutWithTTL(s.Context, key, []byte("v"), 1))
	Must(t, s.Put(s.Context, key, []byte("w")))
	if left := s.remaining(t, key); left != 0 {
		t.Fatal("a lifetime outlived its value: ", left)
	}
	Must(t, s.PutWithTTL(s.Context, s.Key("deleted"), []byte("v"), 100))
	Must(t, s.Delete(s.Context, s.Key("deleted")))
	if ttl, err := s.GetKeyTTL(s.Context, s.Key("deleted")); err != nil || ttl != nil {
		t.Fatal("a deleted value has a lifetime: ", ttl, err)
	}
}
