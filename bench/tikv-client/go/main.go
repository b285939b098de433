// One load by client-go, as the program beside it makes it by other clients: the same flags, the same line of JSON.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pingcap/log"
	"github.com/tikv/client-go/v2/config"
	"github.com/tikv/client-go/v2/rawkv"
	"go.uber.org/zap"
)

const (
	warmUp     = 300 * time.Millisecond
	keys       = 10_000
	valueBytes = 128
	rows       = 1_000_000
	endOfRows  = 0xf0
)

var (
	_       = flag.String("client", "go", "there is no other")
	work    = flag.String("work", "get", "get, put, scan, commit or txn-scan")
	pd      = flag.String("pd", "127.0.0.1:2379", "where PD is")
	callers = flag.Int("callers", 64, "goroutines, each with one call in flight")
	txnKeys = flag.Int("keys", 1, "keys of a transaction")
	way     = flag.String("way", "two-phases", "which way a transaction is committed")
	seconds = flag.Float64("seconds", 2, "how long is measured")
)

func main() {
	flag.Parse()
	// Not a line for each region that it learns of.
	log.ReplaceGlobals(zap.NewNop(), nil)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
}

func run() error {
	ctx := context.Background()
	if *work == "commit" || *work == "txn-scan" {
		return runTxn(ctx)
	}
	client, err := rawkv.NewClient(ctx, []string{*pd}, config.DefaultConfig().Security)
	if err != nil {
		return err
	}
	defer client.Close()
	if *work == "scan" {
		before := usageNow()
		if err := scan(ctx, client); err != nil {
			return err
		}
		return before.print(rows)
	}
	if _, err := load(ctx, client, warmUp); err != nil {
		return err
	}
	before := usageNow()
	calls, err := load(ctx, client, time.Duration(*seconds*float64(time.Second)))
	if err != nil {
		return err
	}
	return before.print(calls)
}

// load makes calls for some time, and says how many.
func load(ctx context.Context, client *rawkv.Client, lasts time.Duration) (uint64, error) {
	until := time.Now().Add(lasts)
	calls, errs := make([]uint64, *callers), make([]error, *callers)
	var all sync.WaitGroup
	for caller := range *callers {
		all.Go(func() { calls[caller], errs[caller] = call(ctx, client, int64(caller), until) })
	}
	all.Wait()
	var sum uint64
	for caller := range *callers {
		if errs[caller] != nil {
			return 0, errs[caller]
		}
		sum += calls[caller]
	}
	return sum, nil
}

func call(ctx context.Context, client *rawkv.Client, seed int64, until time.Time) (made uint64, err error) {
	dice := rand.New(rand.NewSource(seed))
	for time.Now().Before(until) {
		number := dice.Intn(keys)
		if *work == "put" {
			err = client.Put(ctx, pairs[number].key, pairs[number].value)
		} else {
			var value []byte
			value, err = client.Get(ctx, pairs[number].key)
			if err == nil && !bytes.Equal(value, pairs[number].value) {
				err = fmt.Errorf("a value is not what was put")
			}
		}
		if err != nil {
			return made, err
		}
		made++
	}
	return made, nil
}

func scan(ctx context.Context, client *rawkv.Client) error {
	var start []byte
	found, foundBytes := 0, 0
	for {
		keys, values, err := client.Scan(ctx, start, []byte{endOfRows}, rawkv.MaxRawKVScanLimit)
		if err != nil {
			return err
		}
		found += len(keys)
		for _, value := range values {
			foundBytes += len(value)
		}
		if len(keys) < rawkv.MaxRawKVScanLimit {
			break
		}
		start = append(bytes.Clone(keys[len(keys)-1]), 0)
	}
	if found != rows || foundBytes != rows*valueBytes {
		return fmt.Errorf("%d rows with %d bytes were found", found, foundBytes)
	}
	return nil
}

var pairs = func() (pairs [keys]struct{ key, value []byte }) {
	for number := range pairs {
		pairs[number].key = fmt.Appendf(nil, "key %012d", number)
		pairs[number].value = fmt.Appendf(nil, "%0*d", valueBytes, number)
	}
	return
}()

// A usage is what this process has used by a moment.
type usage struct {
	at                          time.Time
	processor                   time.Duration
	allocations, allocatedBytes uint64
}

func usageNow() usage {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var all syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &all); err != nil {
		panic(err) // There is no other reason than a wrong argument.
	}
	processor := time.Duration(all.Utime.Nano() + all.Stime.Nano())
	return usage{time.Now(), processor, memory.Mallocs, memory.TotalAlloc}
}

// print prints what was used since, for each call.
func (before usage) print(calls uint64) error {
	now, each := usageNow(), float64(max(calls, 1))
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"per_second":      float64(calls) / now.at.Sub(before.at).Seconds(),
		"cpu_us":          float64((now.processor - before.processor).Nanoseconds()) / 1e3 / each,
		"allocations":     float64(now.allocations-before.allocations) / each,
		"allocated_bytes": float64(now.allocatedBytes-before.allocatedBytes) / each,
		"peak_mib":        peakMiB(),
	})
}

// peakMiB is the most memory that the process has had.
func peakMiB() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if size, is := strings.CutPrefix(line, "VmHWM:"); is {
			kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(size), " kB"), 64)
			return kib / 1024
		}
	}
	return 0
}
