package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/apache/incubator-pegasus/go-client/pegasus"
)

const valueBytes = 100

var sortKey = []byte("sort_key")

// A row has a hash key and a value of its own; all are equally long.
type row struct {
	hashKey, value []byte
}

func makeRow(number int) row {
	// An odd factor gives every number a name of its own and leaves no order between neighbours.
	hashKey := []byte(fmt.Sprintf("%016x", uint64(number)*0x9e37_79b9_7f4a_7c15))
	return row{hashKey, bytes.Repeat(hashKey, valueBytes/len(hashKey)+1)[:valueBytes]}
}

func makeRows(count int) []row {
	rows := make([]row, count)
	for number := range rows {
		rows[number] = makeRow(number)
	}
	return rows
}

// How many calls are in flight while rows are set for the loads to come.
const fillers = 64

func fill(table pegasus.TableConnector, o options) error {
	var next atomic.Int64
	var failure atomic.Pointer[error]
	var all sync.WaitGroup
	for filler := 0; filler < fillers; filler++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for number := int(next.Add(1) - 1); number < o.rows && failure.Load() == nil; number = int(next.Add(1) - 1) {
				row := makeRow(number)
				if err := table.Set(context.Background(), row.hashKey, sortKey, row.value); err != nil {
					failure.Store(&err)
				}
			}
		}()
	}
	all.Wait()
	if err := failure.Load(); err != nil {
		return *err
	}
	return nil
}
