// Package v1 runs the raw client of github.com/tikv/client-go, the first generation, through its whole public interface against
// the cluster whose PD is at $TIKV_PD.
package v1

import (
	"context"
	"os"
	"testing"

	"charioteer.test/tikv-go-cases"
	"github.com/tikv/client-go/config"
	"github.com/tikv/client-go/rawkv"
)

// client adds to the original what the other generation calls otherwise.
type client struct{ *rawkv.Client }

func (c client) Put(ctx context.Context, key, value []byte) error {
	return c.Client.Put(ctx, key, value)
}

func (c client) PutWithTTL(ctx context.Context, key, value []byte, ttl uint64) error {
	return c.Client.Put(ctx, key, value, rawkv.PutOption{TTL: ttl})
}

func (c client) BatchPut(ctx context.Context, keys, values [][]byte) error {
	return c.Client.BatchPut(ctx, keys, values)
}

func (c client) Scan(ctx context.Context, start, end []byte, limit int) (keys, values [][]byte, err error) {
	return c.Client.Scan(ctx, start, end, limit)
}

func (c client) ScanKeys(ctx context.Context, start, end []byte, limit int) (keys, values [][]byte, err error) {
	return c.Client.Scan(ctx, start, end, limit, rawkv.ScanOption{KeyOnly: true})
}

func (c client) ReverseScan(ctx context.Context, start, end []byte, limit int) (keys, values [][]byte, err error) {
	return c.Client.ReverseScan(ctx, start, end, limit)
}

func (c client) ReverseScanKeys(ctx context.Context, start, end []byte, limit int) (keys, values [][]byte, err error) {
	return c.Client.ReverseScan(ctx, start, end, limit, rawkv.ScanOption{KeyOnly: true})
}

func open(ctx context.Context) (cases.Client, error) {
	original, err := rawkv.NewClient(ctx, []string{os.Getenv("TIKV_PD")}, config.Default())
	return client{original}, err
}

func TestRaw(t *testing.T) {
	for _, each := range append(cases.All(), cases.WithLifetimes()...) {
		t.Run(each.Name, func(t *testing.T) {
			t.Parallel()
			each.Run(t, cases.Within(t, open))
		})
	}
}

// This generation knows no empty values.
func TestAnEmptyValueIsRefused(t *testing.T) {
	s := cases.Within(t, open)
	if err := s.Put(s.Context, s.Key("a"), nil); err == nil {
		t.Fatal("an empty value was put")
	}
	if err := s.BatchPut(s.Context, s.Keys("a"), [][]byte{{}}); err == nil {
		t.Fatal("an empty value was put in a batch")
	}
	cases.Holds(t, s, s.Context, s.Key("a"), nil)
}

func TestTheExampleWorks(t *testing.T) {
	s := cases.Within(t, open)
	key := s.Key("Company")
	cases.Must(t, s.Put(s.Context, key, []byte("PingCAP")))
	cases.Holds(t, s, s.Context, key, []byte("PingCAP"))
	cases.Must(t, s.Delete(s.Context, key))
	cases.Holds(t, s, s.Context, key, nil)
}
