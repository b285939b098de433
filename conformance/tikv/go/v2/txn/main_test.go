// Package txn runs the transactional client of github.com/tikv/client-go/v2 against a cluster.
//
//	TIKV_PD       the address of PD
//	TIKV_REGIONS  how many regions the cluster has; above 1, each test has boundaries of regions between its own keys
package txn

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/pingcap/log"
	tikverr "github.com/tikv/client-go/v2/error"
	"github.com/tikv/client-go/v2/kv"
	"github.com/tikv/client-go/v2/txnkv"
	"github.com/tikv/client-go/v2/txnkv/transaction"
	"go.uber.org/zap"
)

var (
	pd         = os.Getenv("TIKV_PD")
	regions, _ = strconv.Atoi(os.Getenv("TIKV_REGIONS"))
)

func TestMain(m *testing.M) {
	log.ReplaceGlobals(zap.NewNop(), &log.ZapProperties{Level: zap.NewAtomicLevelAt(zap.FatalLevel)})
	os.Exit(m.Run())
}

// space is a client, and the part of its keys that one test has for itself.
type space struct {
	*txnkv.Client
	*testing.T
	ctx context.Context
}

func within(t *testing.T) *space {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	client, err := txnkv.NewClient([]string{pd})
	if err != nil {
		cancel()
		t.Fatal("opening a client: ", err)
	}
	t.Cleanup(func() {
		client.Close()
		cancel()
	})
	s := &space{client, t, ctx}
	if regions > 1 {
		var boundaries [][]byte
		for _, name := range []string{"b", "c", "key0100", "key0250"} {
			boundaries = append(boundaries, s.key(name))
		}
		_, err := client.SplitRegions(ctx, boundaries, false, nil)
		s.must(err)
	}
	return s
}

func (s *space) key(name string) []byte { return []byte(s.Name() + "/" + name) }

func (s *space) keys(names ...string) (keys [][]byte) {
	for _, name := range names {
		keys = append(keys, s.key(name))
	}
	return keys
}

func (s *space) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%+v", err)
	}
}

// mode is how a transaction commits.
type mode struct {
	name                      string
	pessimistic, async, onePC bool
}

var modes = []mode{
	{"2pc", false, false, false},
	{"pessimistic", true, false, false},
	{"async", false, true, false},
	{"1pc", false, true, true},
	{"pessimistic async", true, true, false},
	{"pessimistic 1pc", true, true, true},
}

func (s *space) begin(m mode) *transaction.KVTxn {
	s.Helper()
	txn, err := s.Begin()
	s.must(err)
	txn.SetPessimistic(m.pessimistic)
	txn.SetEnableAsyncCommit(m.async)
	txn.SetEnable1PC(m.onePC)
	return txn
}

func (s *space) lock(txn *transaction.KVTxn, names ...string) error {
	ts, err := s.CurrentTimestamp("global")
	s.must(err)
	return txn.LockKeys(s.ctx, kv.NewLockCtx(ts, kv.LockAlwaysWait, time.Now()), s.keys(names...)...)
}

// put writes in a transaction of its own.
func (s *space) put(pairs ...string) {
	s.Helper()
	txn := s.begin(modes[0])
	for at := 0; at < len(pairs); at += 2 {
		s.must(txn.Set(s.key(pairs[at]), []byte(pairs[at+1])))
	}
	s.must(txn.Commit(s.ctx))
}

// holds reads in a transaction of its own; an empty value is none.
func (s *space) holds(name, value string) {
	s.Helper()
	txn := s.begin(modes[0])
	found, err := txn.Get(s.ctx, s.key(name))
	if tikverr.IsErrNotFound(err) {
		err = nil
	}
	s.must(err)
	if string(found) != value {
		s.Fatalf("%s is %q instead of %q", name, found, value)
	}
}

// committed commits, and answers how.
func (s *space) committed(txn *transaction.KVTxn) (info transaction.TxnInfo) {
	s.Helper()
	txn.SetCommitCallback(func(told string, _ error) { s.must(json.Unmarshal([]byte(told), &info)) })
	s.must(txn.Commit(s.ctx))
	return info
}

func (s *space) numbered(count int) (names []string) {
	for number := range count {
		names = append(names, fmt.Sprintf("key%04d", number))
	}
	return names
}
