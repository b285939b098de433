package conformance

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/apache/incubator-pegasus/go-client/pegasus"
)

// scanAll reads a scanner to its end and closes it; rows are "hash/sort".
func scanAll(t *testing.T, ctx context.Context, scanner pegasus.Scanner) []string {
	t.Helper()
	var rows []string
	for {
		complete, hash, sort, _, err := scanner.Next(ctx)
		must(t, err)
		if complete {
			break
		}
		rows = append(rows, fmt.Sprintf("%s/%s", hash, sort))
	}
	must(t, scanner.Close())
	return rows
}

func wantKeys(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestScanOfOneHashKey(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	fill(t, ctx, table, hash, "", "a", "b", "c", "d", "\xff\xfe", "\xff\xff", "\xff\xff\x01")
	fill(t, ctx, table, hash+"0", "a")
	cases := []struct {
		what        string
		start, stop string
		from, to    bool
		filter      pegasus.FilterType
		pattern     string
		want        []string
	}{
		// Without a stop the client asks up to FF FF and misses what lies there.
		{what: "no bounds", from: true, want: []string{"", "a", "b", "c", "d", "\xff\xfe"}},
		{what: "no bounds, start exclusive", want: []string{"a", "b", "c", "d", "\xff\xfe"}},
		{what: "half open", start: "b", stop: "d", from: true, want: []string{"b", "c"}},
		{what: "closed", start: "b", stop: "d", from: true, to: true, want: []string{"b", "c", "d"}},
		{what: "open", start: "b", stop: "d", want: []string{"c"}},
		{what: "one point", start: "b", stop: "b", from: true, to: true, want: []string{"b"}},
		{what: "behind the end", start: "\xff\xff", stop: "\xff\xff\xff", from: true, want: []string{"\xff\xff", "\xff\xff\x01"}},
		{what: "nothing there", start: "e", stop: "f", from: true, to: true},
		{what: "prefix", from: true, filter: pegasus.FilterTypeMatchPrefix, pattern: "b", want: []string{"b"}},
		{what: "postfix", from: true, filter: pegasus.FilterTypeMatchPostfix, pattern: "\xfe", want: []string{"\xff\xfe"}},
		{what: "anywhere", from: true, filter: pegasus.FilterTypeMatchAnywhere, pattern: "c", want: []string{"c"}},
	}
	for _, c := range cases {
		for _, batch := range []int{1, 3, 1000, 0, -1} {
			options := pegasus.NewScanOptions()
			options.BatchSize, options.StartInclusive, options.StopInclusive = batch, c.from, c.to
			options.SortKeyFilter = pegasus.Filter{Type: c.filter, Pattern: b(c.pattern)}
			scanner, err := table.GetScanner(ctx, b(hash), b(c.start), b(c.stop), options)
			must(t, err)
			want := make([]string, len(c.want))
			for i, sort := range c.want {
				want[i] = hash + "/" + sort
			}
			wantKeys(t, fmt.Sprintf("%s, batches of %d", c.what, batch), scanAll(t, ctx, scanner), want...)
		}
	}
	_, err := table.GetScanner(ctx, b(hash), b("c"), b("b"), pegasus.NewScanOptions())
	invalid(t, err, "MUST NOT BE EMPTY")
	_, err = table.GetScanner(ctx, b(""), nil, nil, pegasus.NewScanOptions())
	invalid(t, err, "hashkey must not be empty")
}

func TestScanValues(t *testing.T) {
	ctx, table := openTemp(t)
	fill(t, ctx, table, t.Name(), "a", "b")
	for _, bare := range []bool{false, true} {
		options := pegasus.NewScanOptions()
		options.NoValue = bare
		scanner, err := table.GetScanner(ctx, b(t.Name()), nil, nil, options)
		must(t, err)
		for _, want := range []string{"va", "vb"} {
			if bare {
				want = ""
			}
			_, _, _, value, err := scanner.Next(ctx)
			must(t, err)
			if string(value) != want {
				t.Errorf("value %q, want %q", value, want)
			}
		}
		if complete, _, _, _, err := scanner.Next(ctx); !complete || err != nil {
			t.Errorf("end: %v, %v", complete, err)
		}
		must(t, scanner.Close())
	}
}

func TestScanOfTheWholeTable(t *testing.T) {
	ctx, table := openFresh(t, 8)
	var all []string
	for i := 0; i < 60; i++ {
		hash := fmt.Sprintf("hash%02d", i)
		var sorts []string
		for j := 0; j < 20; j++ {
			sorts = append(sorts, fmt.Sprintf("sort%02d", j))
			all = append(all, hash+"/"+sorts[j])
		}
		fill(t, ctx, table, hash, sorts...)
	}
	scan := func(split int, options *pegasus.ScannerOptions) []string {
		t.Helper()
		scanners, err := table.GetUnorderedScanners(ctx, split, options)
		must(t, err)
		if want := map[bool]int{true: split, false: 8}[split < 8]; len(scanners) != want {
			t.Errorf("%d scanners for a split of %d, want %d", len(scanners), split, want)
		}
		var rows []string
		for _, scanner := range scanners {
			rows = append(rows, scanAll(t, ctx, scanner)...)
		}
		sort.Strings(rows)
		return rows
	}
	for _, split := range []int{1, 3, 8, 100} {
		for _, batch := range []int{7, 1000} {
			options := pegasus.NewScanOptions()
			options.BatchSize = batch
			wantKeys(t, fmt.Sprintf("split %d, batches of %d", split, batch), scan(split, options), all...)
		}
	}
	filters := []struct {
		hash, sort pegasus.Filter
		want       func(row string) bool
	}{
		{hash: pegasus.Filter{Type: pegasus.FilterTypeMatchPrefix, Pattern: b("hash1")},
			want: func(row string) bool { return strings.HasPrefix(row, "hash1") }},
		{hash: pegasus.Filter{Type: pegasus.FilterTypeMatchPostfix, Pattern: b("7")},
			want: func(row string) bool { return strings.Contains(row, "7/") }},
		{hash: pegasus.Filter{Type: pegasus.FilterTypeMatchAnywhere, Pattern: b("sh5")},
			want: func(row string) bool { return strings.HasPrefix(row, "hash5") }},
		{sort: pegasus.Filter{Type: pegasus.FilterTypeMatchPostfix, Pattern: b("9")},
			want: func(row string) bool { return strings.HasSuffix(row, "9") }},
		{hash: pegasus.Filter{Type: pegasus.FilterTypeMatchPrefix, Pattern: b("hash0")},
			sort: pegasus.Filter{Type: pegasus.FilterTypeMatchPrefix, Pattern: b("sort1")},
			want: func(row string) bool { return strings.HasPrefix(row, "hash0") && strings.Contains(row, "/sort1") }},
	}
	for i, f := range filters {
		var want []string
		for _, row := range all {
			if f.want(row) {
				want = append(want, row)
			}
		}
		options := pegasus.NewScanOptions()
		options.HashKeyFilter, options.SortKeyFilter = f.hash, f.sort
		options.NoValue = true
		wantKeys(t, fmt.Sprintf("filter %d", i), scan(3, options), want...)
	}
	_, err := table.GetUnorderedScanners(ctx, 0, pegasus.NewScanOptions())
	invalid(t, err, "invalid maxSplitCount")
}

func TestScanThroughEmptyBatches(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	for at := 0; at < 2500; at += 500 {
		var sorts []string
		for i := at; i < at+500; i++ {
			sorts = append(sorts, fmt.Sprintf("%05d", i))
		}
		fill(t, ctx, table, hash, sorts...)
	}
	options := pegasus.NewScanOptions()
	options.SortKeyFilter = pegasus.Filter{Type: pegasus.FilterTypeMatchPostfix, Pattern: b("02499")}
	scanner, err := table.GetScanner(ctx, b(hash), nil, nil, options)
	must(t, err)
	wantKeys(t, "one row behind 2499 others", scanAll(t, ctx, scanner), hash+"/02499")
	scanner, err = table.GetScanner(ctx, b(hash), nil, nil, pegasus.NewScanOptions())
	must(t, err)
	if rows := scanAll(t, ctx, scanner); len(rows) != 2500 || !sort.StringsAreSorted(rows) {
		t.Errorf("%d rows, sorted %v", len(rows), sort.StringsAreSorted(rows))
	}
}

func TestScanSeesTheTableOfItsStart(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	fill(t, ctx, table, hash, "a", "b", "c")
	options := pegasus.NewScanOptions()
	options.BatchSize = 1
	scanner, err := table.GetScanner(ctx, b(hash), nil, nil, options)
	must(t, err)
	_, _, first, _, err := scanner.Next(ctx)
	must(t, err)
	must(t, table.Del(ctx, b(hash), b("b")))
	must(t, table.Set(ctx, b(hash), b("c"), b("new")))
	fill(t, ctx, table, hash, "bb", "d")
	got := []string{string(first)}
	for {
		complete, _, sort, value, err := scanner.Next(ctx)
		must(t, err)
		if complete {
			break
		}
		if got = append(got, string(sort)); string(value) != "v"+string(sort) {
			t.Errorf("value of %q = %q", sort, value)
		}
	}
	wantKeys(t, "rows", got, "a", "b", "c")
}

func TestScannerClosedEarly(t *testing.T) {
	ctx, table := openTemp(t)
	hash := t.Name()
	fill(t, ctx, table, hash, "a", "b", "c")
	options := pegasus.NewScanOptions()
	options.BatchSize = 1
	scanner, err := table.GetScanner(ctx, b(hash), nil, nil, options)
	must(t, err)
	_, _, _, _, err = scanner.Next(ctx)
	must(t, err)
	// The server never answers CLEAR_SCANNER, and the client waits 100 ms for it.
	begin := time.Now()
	err = scanner.Close()
	if err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
		t.Errorf("close: %v, want %v", err, context.DeadlineExceeded)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("close took %v", took)
	}
	if _, _, _, _, err = scanner.Next(ctx); err == nil {
		t.Error("a closed scanner went on")
	}
	// An answer to it would have ended the client's read loop.
	wantValue(t, ctx, table, hash, "a", b("va"))
}
