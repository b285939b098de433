package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tikv/client-go/v2/txnkv"
)

const (
	// As many as take it the least time.
	txnPage      = 4096
	keysOfCaller = 8192
)

// runTxn makes one load by the transactional client.
func runTxn(ctx context.Context) error {
	client, err := txnkv.NewClient([]string{*pd})
	if err != nil {
		return err
	}
	defer client.Close()
	if *work == "txn-scan" {
		before := usageNow()
		if err := txnScan(client); err != nil {
			return err
		}
		return before.print(rows)
	}
	own := make([][][]byte, *callers)
	for caller := range own {
		for number := range keysOfCaller {
			own[caller] = append(own[caller], fmt.Appendf([]byte{byte(caller * 16 % 0xf0)}, "%03d key %07d", caller, number))
		}
	}
	if _, err := commits(ctx, client, own, warmUp); err != nil {
		return err
	}
	before := usageNow()
	made, err := commits(ctx, client, own, time.Duration(*seconds*float64(time.Second)))
	if err != nil {
		return err
	}
	return before.print(made)
}

// commits commits transactions for some time, and says how many.
func commits(ctx context.Context, client *txnkv.Client, own [][][]byte, lasts time.Duration) (uint64, error) {
	until := time.Now().Add(lasts)
	made, errs := make([]uint64, *callers), make([]error, *callers)
	var all sync.WaitGroup
	for caller := range *callers {
		all.Go(func() { made[caller], errs[caller] = commit(ctx, client, own[caller], until) })
	}
	all.Wait()
	var sum uint64
	for caller := range *callers {
		if errs[caller] != nil {
			return 0, errs[caller]
		}
		sum += made[caller]
	}
	return sum, nil
}

func commit(ctx context.Context, client *txnkv.Client, own [][]byte, until time.Time) (made uint64, err error) {
	for first := 0; time.Now().Before(until); first += *txnKeys {
		if first+*txnKeys > len(own) {
			first = 0
		}
		txn, err := client.Begin()
		if err != nil {
			return made, err
		}
		txn.SetEnableAsyncCommit(*way == "async" || *way == "async-causal")
		txn.SetEnable1PC(*way == "one-phase" || *way == "one-phase-causal")
		txn.SetCausalConsistency(*way == "async-causal" || *way == "one-phase-causal")
		for _, key := range own[first : first+*txnKeys] {
			if err := txn.Set(key, pairs[0].value); err != nil {
				return made, err
			}
		}
		if err := txn.Commit(ctx); err != nil {
			return made, err
		}
		made++
	}
	return made, nil
}

func txnScan(client *txnkv.Client) error {
	at, err := client.GetTimestamp(context.Background())
	if err != nil {
		return err
	}
	snapshot := client.GetSnapshot(at)
	snapshot.SetScanBatchSize(txnPage)
	iterator, err := snapshot.Iter(nil, []byte{endOfRows})
	if err != nil {
		return err
	}
	defer iterator.Close()
	found, foundBytes := 0, 0
	for iterator.Valid() {
		found++
		foundBytes += len(iterator.Value())
		if err := iterator.Next(); err != nil {
			return err
		}
	}
	if found != rows || foundBytes != rows*valueBytes {
		return fmt.Errorf("%d rows with %d bytes were found", found, foundBytes)
	}
	return nil
}
