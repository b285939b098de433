package main

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/apache/incubator-pegasus/go-client/pegasus"
)

// An operate makes one call; the number is random.
type operate func(random uint64) error

func operation(table pegasus.TableConnector, o options) (operate, error) {
	rows := makeRows(o.rows)
	// The lower half of a random number chooses the row.
	choose := func(random uint64) row { return rows[(random&0xffff_ffff)*uint64(len(rows))>>32] }
	get := func(random uint64) error {
		row := choose(random)
		ctx, done := callContext(o)
		defer done()
		value, err := table.Get(ctx, row.hashKey, sortKey)
		if err == nil && !bytes.Equal(value, row.value) {
			err = fmt.Errorf("the row %s has the value %q; was the table loaded?", row.hashKey, value)
		}
		return err
	}
	set := func(random uint64) error {
		row := choose(random)
		ctx, done := callContext(o)
		defer done()
		return table.Set(ctx, row.hashKey, sortKey, row.value)
	}
	switch o.work {
	case "get":
		return get, nil
	case "set":
		return set, nil
	case "mixed":
		return func(random uint64) error {
			if random>>63 == 0 {
				return get(random)
			}
			return set(random)
		}, nil
	}
	return nil, fmt.Errorf("no work is called %q", o.work)
}

// The context of one call. A context for each costs the client more than one for all, so that the default is its best case.
func callContext(o options) (context.Context, context.CancelFunc) {
	if o.deadline == 0 {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), o.deadline)
}

// What is done with the latencies of calls that end now.
const (
	warming int32 = iota
	measuring
	over
)

// load has every caller make calls, one after the other, and measures after the warm-up.
func load(o options, operate operate) (figures, error) {
	var phase atomic.Int32
	latencies := make([]histogram, o.callers)
	ended := make(chan error, o.callers)
	for caller := range latencies {
		go func(caller int) {
			ended <- call(operate, &phase, &latencies[caller], generator(caller))
		}(caller)
	}
	// A caller that ends before it is told to has failed.
	unlessEnded := func(within time.Duration) error {
		select {
		case err := <-ended:
			return err
		case <-time.After(within):
			return nil
		}
	}
	if err := unlessEnded(warmUp); err != nil {
		return figures{}, err
	}
	before := usageNow()
	phase.Store(measuring)
	if err := unlessEnded(time.Duration(o.seconds * float64(time.Second))); err != nil {
		return figures{}, err
	}
	used := usageNow().since(before)
	phase.Store(over)
	for range latencies {
		if err := <-ended; err != nil {
			return figures{}, err
		}
	}
	var all histogram
	for caller := range latencies {
		all.merge(&latencies[caller])
	}
	return used.figures(o, all.count()).withLatencies(&all), nil
}

// call is one caller: it makes calls until the load is over.
func call(operate operate, phase *atomic.Int32, latencies *histogram, random generator) error {
	begin := time.Now()
	for {
		if err := operate(random.next()); err != nil {
			return err
		}
		end := time.Now()
		switch phase.Load() {
		case measuring:
			latencies.add(end.Sub(begin))
		case over:
			return nil
		}
		begin = end
	}
}

// A generator makes random numbers (splitmix64), the same ones in every run.
type generator uint64

func (g *generator) next() uint64 {
	*g += 0x9e37_79b9_7f4a_7c15
	z := uint64(*g)
	z = (z ^ z>>30) * 0xbf58_476d_1ce4_e5b9
	z = (z ^ z>>27) * 0x94d0_49bb_1331_11eb
	return z ^ z>>31
}
