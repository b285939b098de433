package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/incubator-pegasus/go-client/pegasus"
)

func wantRows(t *testing.T, what string, rows []*pegasus.KeyValue, complete, wantComplete bool, want ...string) {
	t.Helper()
	got := make([]string, len(rows))
	for i, row := range rows {
		got[i] = string(row.SortKey)
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", append([]string{}, want...)) || complete != wantComplete {
		t.Errorf("%s: %q, complete %v; want %q, complete %v", what, got, complete, want, wantComplete)
	}
}

// fill writes sort keys whose values are "v" and the sort key.
func fill(t *testing.T, ctx context.Context, table pegasus.TableConnector, hash string, sorts ...string) {
	t.Helper()
	values := make([][]byte, len(sorts))
	for i, sort := range sorts {
		values[i] = b("v" + sort)
	}
	must(t, table.MultiSet(ctx, b(hash), keys(sorts...), values))
}

func TestMultiSetGetDel(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	fill(t, ctx, table, hash, "b", "a", "", "c")
	wantCount(t, ctx, table, hash, 4)

	// Named keys come in the order asked for, as often as asked for.
	rows, complete, err := table.MultiGet(ctx, b(hash), keys("c", "absent", "a", "", "c"))
	must(t, err)
	wantRows(t, "named keys", rows, complete, true, "c", "a", "", "c")
	if string(rows[0].Value) != "vc" || string(rows[2].Value) != "v" {
		t.Errorf("values %q, %q", rows[0].Value, rows[2].Value)
	}
	rows, complete, err = table.MultiGet(ctx, b(hash), keys("absent"))
	must(t, err)
	wantRows(t, "no row", rows, complete, true)

	// The last of several values for one key wins.
	must(t, table.MultiSet(ctx, b(hash), keys("a", "a"), keys("1", "2")))
	wantValue(t, ctx, table, hash, "a", b("2"))
	// A later write without TTL takes an earlier TTL away.
	must(t, table.MultiSetOpt(ctx, b(hash), keys("a", "b"), keys("1", "2"), 100*time.Second))
	wantTTL(t, ctx, table, hash, "a", 98, 100)
	wantTTL(t, ctx, table, hash, "b", 98, 100)
	must(t, table.MultiSet(ctx, b(hash), keys("a"), keys("1")))
	wantTTL(t, ctx, table, hash, "a", -1, -1)

	must(t, table.MultiDel(ctx, b(hash), keys("a", "absent", "")))
	rows, complete, err = table.MultiGet(ctx, b(hash), nil)
	must(t, err)
	wantRows(t, "after the removal", rows, complete, true, "b", "c")
	must(t, table.MultiDel(ctx, b(hash), keys("a", "absent")))
}

func TestMultiGetLimitsOnNamedKeys(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	fill(t, ctx, table, hash, "a", "b", "c")
	get := func(sorts [][]byte, options *pegasus.MultiGetOptions) ([]*pegasus.KeyValue, bool) {
		t.Helper()
		rows, complete, err := table.MultiGetOpt(ctx, b(hash), sorts, options)
		must(t, err)
		return rows, complete
	}
	rows, complete := get(keys("c", "b", "a"), &pegasus.MultiGetOptions{MaxFetchCount: 2})
	wantRows(t, "two of three", rows, complete, false, "c", "b")
	rows, complete = get(keys("c", "b", "a"), &pegasus.MultiGetOptions{MaxFetchCount: 3})
	wantRows(t, "three of three", rows, complete, true, "c", "b", "a")
	rows, complete = get(keys("c", "b", "absent"), &pegasus.MultiGetOptions{MaxFetchCount: 2})
	wantRows(t, "nothing left behind the limit", rows, complete, true, "c", "b")
	// A row counts its sort key and its value, three bytes here; the row that
	// reaches the limit is still returned.
	rows, complete = get(keys("a", "b", "c"), &pegasus.MultiGetOptions{MaxFetchSize: 4})
	wantRows(t, "four bytes", rows, complete, false, "a", "b")
	rows, complete = get(keys("a", "b", "c"), &pegasus.MultiGetOptions{MaxFetchSize: 3})
	wantRows(t, "three bytes", rows, complete, false, "a")
	rows, complete = get(keys("a", "b", "c"), &pegasus.MultiGetOptions{MaxFetchSize: 3, NoValue: true})
	wantRows(t, "three bytes of keys", rows, complete, true, "a", "b", "c")
	if len(rows[0].Value) != 0 {
		t.Errorf("a value %q despite NoValue", rows[0].Value)
	}
	// Ranges, filters and direction do not touch named keys.
	rows, complete = get(keys("c", "a"), &pegasus.MultiGetOptions{
		Reverse:       true,
		SortKeyFilter: pegasus.Filter{Type: pegasus.FilterTypeMatchPrefix, Pattern: b("z")},
	})
	wantRows(t, "a filter beside named keys", rows, complete, true, "c", "a")
}

func TestMultiGetRange(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	fill(t, ctx, table, hash, "", "a", "ab", "b", "c", "\xff", "\xff\xff\x01")
	fill(t, ctx, table, hash+"neighbour", "a", "b")
	all := []string{"", "a", "ab", "b", "c", "\xff", "\xff\xff\x01"}
	open := pegasus.MultiGetOptions{StartInclusive: true}
	both := pegasus.MultiGetOptions{StartInclusive: true, StopInclusive: true}
	stop := pegasus.MultiGetOptions{StopInclusive: true}
	cases := []struct {
		what        string
		start, stop string
		options     pegasus.MultiGetOptions
		want        []string
	}{
		{"everything", "", "", open, all},
		{"everything, the stop inclusive", "", "", both, all},
		{"an exclusive start hides the empty key", "", "", stop, all[1:]},
		{"half open", "a", "c", open, []string{"a", "ab", "b"}},
		{"closed", "a", "c", both, []string{"a", "ab", "b", "c"}},
		{"open", "a", "c", pegasus.MultiGetOptions{}, []string{"ab", "b"}},
		{"half open at the start", "a", "c", stop, []string{"ab", "b", "c"}},
		{"bounds that are not rows", "aa", "bb", open, []string{"ab", "b"}},
		{"one point", "b", "b", both, []string{"b"}},
		{"one point, half open", "b", "b", open, nil},
		{"backwards", "c", "a", both, nil},
		{"from the last byte", "\xff", "", open, []string{"\xff", "\xff\xff\x01"}},
	}
	for _, c := range cases {
		options := c.options
		rows, complete, err := table.MultiGetRangeOpt(ctx, b(hash), b(c.start), b(c.stop), &options)
		must(t, err)
		wantRows(t, c.what, rows, complete, true, c.want...)
		options.Reverse = true
		rows, complete, err = table.MultiGetRangeOpt(ctx, b(hash), b(c.start), b(c.stop), &options)
		must(t, err)
		wantRows(t, c.what+", reverse", rows, complete, true, c.want...)
	}
	rows, complete, err := table.MultiGetRange(ctx, b(hash), nil, nil)
	must(t, err)
	wantRows(t, "default options", rows, complete, true, all...)
	if string(rows[3].Value) != "vb" {
		t.Errorf("value %q, want vb", rows[3].Value)
	}
}

func TestMultiGetRangeFilters(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	fill(t, ctx, table, hash, "abc", "abd", "b", "bab", "\xff\xff", "\xff\xffa")
	cases := []struct {
		filter      pegasus.FilterType
		pattern     string
		start, stop string
		want        []string
	}{
		{pegasus.FilterTypeMatchPrefix, "ab", "", "", []string{"abc", "abd"}},
		{pegasus.FilterTypeMatchPrefix, "ab", "abd", "", []string{"abd"}},
		{pegasus.FilterTypeMatchPrefix, "ab", "", "abd", []string{"abc"}},
		{pegasus.FilterTypeMatchPrefix, "\xff\xff", "", "", []string{"\xff\xff", "\xff\xffa"}},
		{pegasus.FilterTypeMatchPostfix, "b", "", "", []string{"b", "bab"}},
		{pegasus.FilterTypeMatchPostfix, "bab", "", "", []string{"bab"}},
		{pegasus.FilterTypeMatchAnywhere, "ab", "", "", []string{"abc", "abd", "bab"}},
		{pegasus.FilterTypeMatchAnywhere, "ab", "abd", "bz", []string{"abd", "bab"}},
		{pegasus.FilterTypeMatchAnywhere, "zz", "", "", nil},
		{pegasus.FilterTypeMatchPrefix, "", "", "b", []string{"abc", "abd"}},
		{pegasus.FilterTypeMatchPostfix, "", "", "b", []string{"abc", "abd"}},
		{pegasus.FilterTypeMatchAnywhere, "", "", "b", []string{"abc", "abd"}},
	}
	for _, c := range cases {
		for _, reverse := range []bool{false, true} {
			rows, complete, err := table.MultiGetRangeOpt(ctx, b(hash), b(c.start), b(c.stop), &pegasus.MultiGetOptions{
				StartInclusive: true,
				Reverse:        reverse,
				SortKeyFilter:  pegasus.Filter{Type: c.filter, Pattern: b(c.pattern)},
			})
			must(t, err)
			what := fmt.Sprintf("filter %d %q from %q to %q, reverse %v", c.filter, c.pattern, c.start, c.stop, reverse)
			wantRows(t, what, rows, complete, true, c.want...)
		}
	}
	refused(t, "an unknown filter", func(ctx context.Context) error {
		_, _, err := table.MultiGetOpt(ctx, b(hash), nil, &pegasus.MultiGetOptions{
			SortKeyFilter: pegasus.Filter{Type: 9, Pattern: b("x")},
		})
		return err
	})
}

func TestMultiGetRangeLimits(t *testing.T) {
	ctx, table := openFresh(t, 2)
	hash := "k"
	fill(t, ctx, table, hash, "a", "b", "c", "d")
	get := func(start, stop string, options pegasus.MultiGetOptions) ([]*pegasus.KeyValue, bool) {
		t.Helper()
		options.StartInclusive = true
		rows, complete, err := table.MultiGetRangeOpt(ctx, b(hash), b(start), b(stop), &options)
		must(t, err)
		return rows, complete
	}
	rows, complete := get("", "", pegasus.MultiGetOptions{MaxFetchCount: 3})
	wantRows(t, "three of four", rows, complete, false, "a", "b", "c")
	rows, complete = get("", "", pegasus.MultiGetOptions{MaxFetchCount: 4})
	wantRows(t, "four of four", rows, complete, true, "a", "b", "c", "d")
	rows, complete = get("", "", pegasus.MultiGetOptions{MaxFetchCount: -1, MaxFetchSize: -1})
	wantRows(t, "no limits", rows, complete, true, "a", "b", "c", "d")
	// The original looks at its iterator and not at the range: a further row of
	// the hash key makes the answer incomplete even when it lies behind the stop.
	rows, complete = get("", "c", pegasus.MultiGetOptions{MaxFetchCount: 2})
	wantRows(t, "the limit at the stop", rows, complete, false, "a", "b")
	rows, complete = get("", "c", pegasus.MultiGetOptions{MaxFetchCount: 3})
	wantRows(t, "the limit behind the stop", rows, complete, true, "a", "b")
	rows, complete = get("", "", pegasus.MultiGetOptions{MaxFetchCount: 3, Reverse: true})
	wantRows(t, "the last three", rows, complete, false, "b", "c", "d")
	rows, complete = get("", "", pegasus.MultiGetOptions{MaxFetchCount: 4, Reverse: true})
	wantRows(t, "all four from the end", rows, complete, true, "a", "b", "c", "d")
	rows, complete = get("b", "", pegasus.MultiGetOptions{MaxFetchCount: 3, Reverse: true})
	wantRows(t, "the last row is the inclusive start", rows, complete, true, "b", "c", "d")
	rows, complete = get("", "", pegasus.MultiGetOptions{MaxFetchSize: 4})
	wantRows(t, "four bytes", rows, complete, false, "a", "b")
	rows, complete = get("", "", pegasus.MultiGetOptions{MaxFetchSize: 4, NoValue: true})
	wantRows(t, "four bytes of keys", rows, complete, true, "a", "b", "c", "d")
	rows, complete = get("", "", pegasus.MultiGetOptions{MaxFetchSize: 1, Reverse: true})
	wantRows(t, "one byte from the end", rows, complete, false, "d")
}

func TestMultiGetDefaultsAndServerCap(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	var sorts []string
	for i := 0; i < 3001; i++ {
		sorts = append(sorts, fmt.Sprintf("%05d", i))
	}
	for at := 0; at < len(sorts); at += 1000 {
		end := at + 1000
		if end > len(sorts) {
			end = len(sorts)
		}
		fill(t, ctx, table, hash, sorts[at:end]...)
	}
	wantCount(t, ctx, table, hash, 3001)
	rows, complete, err := table.MultiGet(ctx, b(hash), nil)
	must(t, err)
	wantRows(t, "default options stop at 100", rows, complete, false, sorts[:100]...)
	rows, complete, err = table.MultiGet(ctx, b(hash), keys(sorts[:101]...))
	must(t, err)
	wantRows(t, "default options on named keys", rows, complete, false, sorts[:100]...)
	rows, complete, err = table.MultiGetRangeOpt(ctx, b(hash), nil, nil, &pegasus.MultiGetOptions{StartInclusive: true})
	must(t, err)
	wantRows(t, "the server stops at 3000", rows, complete, false, sorts[:3000]...)
	rows, complete, err = table.MultiGetRangeOpt(ctx, b(hash), b(sorts[1]), nil, &pegasus.MultiGetOptions{StartInclusive: true})
	must(t, err)
	wantRows(t, "exactly 3000 rows", rows, complete, true, sorts[1:]...)

	// Large values end an answer at MaxFetchSize, 100000 bytes by default.
	must(t, table.MultiSet(ctx, b(hash+"large"), keys("a", "b", "c"),
		keys(strings.Repeat("x", 60000), strings.Repeat("y", 60000), strings.Repeat("z", 60000))))
	rows, complete, err = table.MultiGet(ctx, b(hash+"large"), nil)
	must(t, err)
	wantRows(t, "default size", rows, complete, false, "a", "b")
}
