package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/incubator-pegasus/go-client/pegasus"
)

func TestGetSetDel(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	wantValue(t, ctx, table, hash, "absent", nil)
	binary := string([]byte{0, 0xff, 0, '\n', 0x80})
	rows := []struct{ sort, value string }{
		{"plain", "value"},
		{"empty value", ""},
		{"", "under the empty sort key"},
		{binary, binary},
		{strings.Repeat("s", 10000), "under a long sort key"},
		{"large", strings.Repeat("v", 1000000)},
	}
	for _, row := range rows {
		must(t, table.Set(ctx, b(hash), b(row.sort), b(row.value)))
	}
	for _, row := range rows {
		wantValue(t, ctx, table, hash, row.sort, b(row.value))
	}
	wantCount(t, ctx, table, hash, int64(len(rows)))

	must(t, table.Set(ctx, b(hash), b("plain"), b("again")))
	wantValue(t, ctx, table, hash, "plain", b("again"))
	for _, row := range rows {
		must(t, table.Del(ctx, b(hash), b(row.sort)))
		wantValue(t, ctx, table, hash, row.sort, nil)
	}
	must(t, table.Del(ctx, b(hash), b("absent")))
	wantCount(t, ctx, table, hash, 0)
}

func TestHashKeysOfManyShapes(t *testing.T) {
	ctx, table := openTemp(t)
	for _, hash := range []string{"a", "\x00", "\xff\xff", "ключ", t.Name() + strings.Repeat("h", 40000)} {
		must(t, table.Set(ctx, b(hash), b("sort"), b(hash)))
		wantValue(t, ctx, table, hash, "sort", b(hash))
		must(t, table.Del(ctx, b(hash), b("sort")))
	}
}

func TestNeighboursDoNotMix(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	// The same bytes split differently into hash and sort key.
	must(t, table.Set(ctx, b(hash), b("xy"), b("1")))
	must(t, table.Set(ctx, b(hash+"x"), b("y"), b("2")))
	must(t, table.Set(ctx, b(hash+"xy"), b(""), b("3")))
	wantValue(t, ctx, table, hash, "xy", b("1"))
	wantValue(t, ctx, table, hash+"x", "y", b("2"))
	wantValue(t, ctx, table, hash+"xy", "", b("3"))
	for _, key := range []string{hash, hash + "x", hash + "xy"} {
		wantCount(t, ctx, table, key, 1)
	}
}

func TestArgumentsTheClientRefuses(t *testing.T) {
	ctx, table := openTemp(t)
	_, err := table.Get(ctx, nil, b("s"))
	invalid(t, err, "hashkey must not be nil")
	_, err = table.Get(ctx, b(""), b("s"))
	invalid(t, err, "hashkey must not be empty")
	_, err = table.Get(ctx, make([]byte, 65536), b("s"))
	invalid(t, err, "length of hashkey")
	_, err = table.Get(ctx, b("h"), nil)
	invalid(t, err, "sortkey must not be nil")
	invalid(t, table.Set(ctx, b("h"), b("s"), nil), "value must not be nil")
	invalid(t, table.SetTTL(ctx, b("h"), b("s"), b("v"), -time.Second), "must be greater than 0")
	invalid(t, table.Del(ctx, nil, b("s")), "hashkey must not be nil")
	invalid(t, table.MultiSet(ctx, b("h"), keys("a", "b"), keys("1")), "unmatched key-value pairs")
	invalid(t, table.MultiSet(ctx, b("h"), nil, nil), "sortkeys must not be nil")
	invalid(t, table.MultiSetOpt(ctx, b("h"), keys("a"), keys("1"), -1), "must be greater than 0")
	invalid(t, table.MultiDel(ctx, b("h"), [][]byte{}), "sortkeys must not be empty")
	invalid(t, table.MultiDel(ctx, b("h"), [][]byte{nil}), "sortkeys[0] must not be nil")
	_, _, err = table.MultiGet(ctx, b("h"), [][]byte{nil})
	invalid(t, err, "sortkeys[0] must not be nil")
	_, err = table.SortKeyCount(ctx, b(""))
	invalid(t, err, "hashkey must not be empty")
	_, err = table.Exist(ctx, b(""), b("s"))
	invalid(t, err, "hashkey must not be empty")
	_, err = table.Incr(ctx, b(""), b("s"), 1)
	invalid(t, err, "hashkey must not be empty")
	_, err = table.BatchGet(ctx, []pegasus.CompositeKey{})
	invalid(t, err, "CompositeKeys must not be empty")
}

func TestTTLAndExist(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	wantTTL(t, ctx, table, hash, "absent", -2, -2)
	must(t, table.Set(ctx, b(hash), b("forever"), b("v")))
	wantTTL(t, ctx, table, hash, "forever", -1, -1)
	must(t, table.SetTTL(ctx, b(hash), b("while"), b("v"), 100*time.Second))
	wantTTL(t, ctx, table, hash, "while", 98, 100)
	must(t, table.Set(ctx, b(hash), b("while"), b("v")))
	wantTTL(t, ctx, table, hash, "while", -1, -1)
	for sort, want := range map[string]bool{"forever": true, "absent": false} {
		got, err := table.Exist(ctx, b(hash), b(sort))
		must(t, err)
		if got != want {
			t.Errorf("exist(%q) = %v, want %v", sort, got, want)
		}
	}
	// The client cuts a TTL to whole seconds: half a second ends at once.
	must(t, table.SetTTL(ctx, b(hash), b("blink"), b("v"), 500*time.Millisecond))
	wantTTL(t, ctx, table, hash, "blink", -2, -2)
	wantValue(t, ctx, table, hash, "blink", nil)
}

func TestExpiredRowsAreInvisible(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	must(t, table.Set(ctx, b(hash), b("stays"), b("v")))
	must(t, table.SetTTL(ctx, b(hash), b("goes"), b("41"), time.Second))
	must(t, table.MultiSetOpt(ctx, b(hash), keys("goes too"), keys("v"), time.Second))
	time.Sleep(2100 * time.Millisecond)
	wantValue(t, ctx, table, hash, "goes", nil)
	wantTTL(t, ctx, table, hash, "goes too", -2, -2)
	wantCount(t, ctx, table, hash, 1)
	rows, complete, err := table.MultiGet(ctx, b(hash), nil)
	must(t, err)
	wantRows(t, "multi get", rows, complete, true, "stays")
	scanner, err := table.GetScanner(ctx, b(hash), nil, nil, pegasus.NewScanOptions())
	must(t, err)
	wantKeys(t, "scan", scanAll(t, ctx, scanner), hash+"/stays")
	// A counter starts anew where an expired one stood.
	got, err := table.Incr(ctx, b(hash), b("goes"), 1)
	must(t, err)
	if got != 1 {
		t.Errorf("incr of an expired row = %d, want 1", got)
	}
	wantTTL(t, ctx, table, hash, "goes", -1, -1)
}

func TestIncr(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	cases := []struct {
		before    string
		increment int64
		after     int64
	}{
		{"10", 5, 15},
		{"10", -25, -15},
		{"-3", 3, 0},
		{"", 7, 7},
		{"+4", 1, 5},
		{" \t12", 1, 13},
		{"0x1f", 1, 32},
		{"010", 1, 9},
		{"9223372036854775806", 1, 9223372036854775807},
		{"-9223372036854775807", -1, -9223372036854775808},
	}
	for i, c := range cases {
		sort := fmt.Sprint(i)
		must(t, table.SetTTL(ctx, b(hash), b(sort), b(c.before), 100*time.Second))
		got, err := table.Incr(ctx, b(hash), b(sort), c.increment)
		must(t, err)
		if got != c.after {
			t.Errorf("%q + %d = %d, want %d", c.before, c.increment, got, c.after)
		}
		wantValue(t, ctx, table, hash, sort, b(fmt.Sprint(c.after)))
		wantTTL(t, ctx, table, hash, sort, 98, 100)
	}
	for sort, increment := range map[string]int64{"new": 0, "new too": -4} {
		got, err := table.Incr(ctx, b(hash), b(sort), increment)
		must(t, err)
		if got != increment {
			t.Errorf("first incr by %d = %d", increment, got)
		}
		wantValue(t, ctx, table, hash, sort, b(fmt.Sprint(increment)))
		wantTTL(t, ctx, table, hash, sort, -1, -1)
	}
}

func TestIncrRefused(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	cases := []struct {
		value     string
		increment int64
	}{
		{"abc", 1}, {"12 ", 1}, {"1x", 1}, {"5\x00", 1}, {"1.5", 1}, {"-", 1}, {" ", 1},
		{"9223372036854775808", 0},
		{"9223372036854775807", 1},
		{"-9223372036854775808", -1},
	}
	for _, c := range cases {
		must(t, table.Set(ctx, b(hash), b("s"), b(c.value)))
		refused(t, fmt.Sprintf("%q + %d", c.value, c.increment), func(ctx context.Context) error {
			_, err := table.Incr(ctx, b(hash), b("s"), c.increment)
			return err
		})
		wantValue(t, ctx, table, hash, "s", b(c.value))
	}
}

func TestBatchGet(t *testing.T) {
	ctx, table := openTemp(t)
	var batch []pegasus.CompositeKey
	for i := 0; i < 50; i++ {
		hash := fmt.Sprintf("%s%d", t.Name(), i)
		must(t, table.Set(ctx, b(hash), b("s"), b(hash)))
		batch = append(batch,
			pegasus.CompositeKey{HashKey: b(hash), SortKey: b("s")},
			pegasus.CompositeKey{HashKey: b(hash), SortKey: b("absent")})
	}
	values, err := table.BatchGet(ctx, batch)
	must(t, err)
	for i, value := range values {
		if i%2 == 0 && !bytes.Equal(value, batch[i].HashKey) {
			t.Errorf("value %d = %s, want %q", i, show(value), batch[i].HashKey)
		} else if i%2 == 1 && value != nil {
			t.Errorf("value %d = %s, want nil", i, show(value))
		}
	}
	values, err = table.BatchGet(ctx, []pegasus.CompositeKey{batch[0], {}, batch[2]})
	invalid(t, err, "hashkey must not be nil")
	if len(values) != 3 || !bytes.Equal(values[0], batch[0].HashKey) || values[1] != nil ||
		!bytes.Equal(values[2], batch[2].HashKey) {
		t.Errorf("values beside a failure: %q", values)
	}
}

func TestWritesOverTheLimit(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	large := make([]byte, 1<<20)
	refused(t, "a value of 1 MiB", func(ctx context.Context) error {
		return table.Set(ctx, b(hash), b("s"), large)
	})
	refused(t, "values of 1 MiB together", func(ctx context.Context) error {
		return table.MultiSet(ctx, b(hash), keys("a", "b"), [][]byte{large[:1<<19], large[:1<<19]})
	})
	wantCount(t, ctx, table, hash, 0)
	must(t, table.Set(ctx, b(hash), b("s"), large[:1<<20-200]))
	wantValue(t, ctx, table, hash, "s", large[:1<<20-200])
}

func TestDeadlines(t *testing.T) {
	ctx, table := openTemp(t)
	short, cancel := context.WithTimeout(ctx, time.Nanosecond)
	defer cancel()
	if _, err := table.Get(short, b(t.Name()), b("s")); err == nil {
		t.Error("a call past its deadline succeeded")
	}
	// The connection and its numbering survive the abandoned call.
	must(t, table.Set(ctx, b(t.Name()), b("s"), b("v")))
	wantValue(t, ctx, table, t.Name(), "s", b("v"))
}

func TestManyCallersOfOneConnection(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	const callers, calls = 32, 25
	var group sync.WaitGroup
	for caller := 0; caller < callers; caller++ {
		group.Add(1)
		go func(caller int) {
			defer group.Done()
			for call := 0; call < calls; call++ {
				sort := fmt.Sprintf("%d-%d", caller, call)
				if err := table.Set(ctx, b(hash), b(sort), b(sort)); err != nil {
					t.Errorf("set: %v", err)
				}
				if got, err := table.Get(ctx, b(hash), b(sort)); err != nil || string(got) != sort {
					t.Errorf("get(%q) = %q, %v", sort, got, err)
				}
				if _, err := table.Incr(ctx, b(hash+"sum"), b("s"), 1); err != nil {
					t.Errorf("incr: %v", err)
				}
			}
		}(caller)
	}
	group.Wait()
	wantCount(t, ctx, table, hash, callers*calls)
	wantValue(t, ctx, table, hash+"sum", "s", b(fmt.Sprint(callers*calls)))
}
