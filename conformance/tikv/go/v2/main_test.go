// Package v2 runs the raw client of github.com/tikv/client-go/v2 through its whole public interface against a cluster.
//
//	TIKV_PD       the address of PD
//	TIKV_API      what the cluster serves: v1, v1ttl, v2 or any
//	TIKV_CLIENT   the version that the client speaks: v1 or v2
//	TIKV_REGIONS  how many regions the cluster has; above 1, each case has boundaries of regions between its own keys
//	TIKV_STORES   how many stores the cluster has
//	TIKV_UNARY    whether each request is a call of its own instead of a message on a stream of many
//	TIKV_GZIP     whether messages are compressed
//	TIKV_TLS      the folder of certificates with which the cluster is to be spoken to, if by TLS: ca.pem, client.pem, client.key
package v2

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"charioteer.test/tikv-go-cases"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/log"
	"github.com/tikv/client-go/v2/config"
	"github.com/tikv/client-go/v2/rawkv"
	"go.uber.org/zap"
)

var (
	pd        = os.Getenv("TIKV_PD")
	api       = os.Getenv("TIKV_API")
	lifetimes = api != "v1"
	version   = kvrpcpb.APIVersion_V1
	regions   = count("TIKV_REGIONS")
	stores    = count("TIKV_STORES")
	scheme    = "http://"
	security  config.Security
)

func count(name string) int {
	number, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		return 1
	}
	return number
}

func TestMain(m *testing.M) {
	if os.Getenv("TIKV_CLIENT") == "v2" {
		version = kvrpcpb.APIVersion_V2
	}
	if folder := os.Getenv("TIKV_TLS"); folder != "" {
		scheme = "https://"
		security = config.NewSecurity(folder+"/ca.pem", folder+"/client.pem", folder+"/client.key", nil)
	}
	// What a failed case has to say is not to drown in what its client says.
	log.ReplaceGlobals(zap.NewNop(), &log.ZapProperties{Level: zap.NewAtomicLevelAt(zap.FatalLevel)})
	config.UpdateGlobal(func(settings *config.Config) {
		if os.Getenv("TIKV_UNARY") != "" {
			settings.TiKVClient.MaxBatchSize = 0
		}
		if os.Getenv("TIKV_GZIP") != "" {
			settings.TiKVClient.GrpcCompressionType = "gzip"
		}
	})
	os.Exit(m.Run())
}

// client adds to the original what the other generation calls otherwise.
type client struct{ *rawkv.Client }

func (c client) Get(ctx context.Context, key []byte) ([]byte, error) { return c.Client.Get(ctx, key) }

func (c client) Put(ctx context.Context, key, value []byte) error {
	return c.Client.Put(ctx, key, value)
}

func (c client) Delete(ctx context.Context, key []byte) error { return c.Client.Delete(ctx, key) }

func (c client) BatchGet(ctx context.Context, keys [][]byte) ([][]byte, error) {
	return c.Client.BatchGet(ctx, keys)
}

func (c client) BatchPut(ctx context.Context, keys, values [][]byte) error {
	return c.Client.BatchPut(ctx, keys, values)
}

func (c client) BatchDelete(ctx context.Context, keys [][]byte) error {
	return c.Client.BatchDelete(ctx, keys)
}

func (c client) DeleteRange(ctx context.Context, start, end []byte) error {
	return c.Client.DeleteRange(ctx, start, end)
}

func (c client) Scan(ctx context.Context, start, end []byte, limit int) (keys, values [][]byte, err error) {
	return c.Client.Scan(ctx, start, end, limit)
}

func (c client) ScanKeys(ctx context.Context, start, end []byte, limit int) (keys, values [][]byte, err error) {
	return c.Client.Scan(ctx, start, end, limit, rawkv.ScanKeyOnly())
}

func (c client) ReverseScan(ctx context.Context, start, end []byte, limit int) (keys, values [][]byte, err error) {
	return c.Client.ReverseScan(ctx, start, end, limit)
}

func (c client) ReverseScanKeys(ctx context.Context, start, end []byte, limit int) (keys, values [][]byte, err error) {
	return c.Client.ReverseScan(ctx, start, end, limit, rawkv.ScanKeyOnly())
}

func (c client) PutWithTTL(ctx context.Context, key, value []byte, ttl uint64) error {
	return c.Client.PutWithTTL(ctx, key, value, ttl)
}

func (c client) GetKeyTTL(ctx context.Context, key []byte) (*uint64, error) {
	return c.Client.GetKeyTTL(ctx, key)
}

func open(ctx context.Context) (cases.Client, error) { return openAs(ctx, version) }

func openAs(ctx context.Context, version kvrpcpb.APIVersion) (cases.Client, error) {
	original, err := rawkv.NewClientWithOpts(ctx, []string{pd}, rawkv.WithAPIVersion(version), rawkv.WithSecurity(security))
	return client{original}, err
}

// within is a client for one case, and the original in it.
func within(t *testing.T) (*cases.Space, *rawkv.Client) {
	t.Helper()
	t.Parallel()
	space := cases.Within(t, open)
	if regions > 1 {
		boundaries := space.Keys("", "000010", "000300", "002000", "12", "1f", "30/", "a", "a\x00", "b", "d", "\x80")
		split(t, space, append(boundaries, space.End(), append([]byte("\xff\xff\xff\xff"), space.Key("last")...)))
	}
	return space, space.Client.(client).Client
}

// One at a time: PD gives up what has to be split when someone else splits it.
var splitting sync.Mutex

// split makes boundaries of regions.
func split(t *testing.T, s *cases.Space, boundaries [][]byte) {
	t.Helper()
	splitting.Lock()
	defer splitting.Unlock()
	answer, err := s.Client.(client).GetPDClient().SplitRegions(s.Context, boundaries)
	cases.Must(t, err)
	if answer.GetFinishedPercentage() != 100 || len(answer.GetRegionsId()) != len(boundaries) {
		t.Fatalf("%d boundaries made regions %v, which is %d %%", len(boundaries), answer.GetRegionsId(), answer.GetFinishedPercentage())
	}
}

func TestRaw(t *testing.T) {
	all := cases.All()
	if lifetimes {
		all = append(all, cases.WithLifetimes()...)
	}
	for _, each := range all {
		t.Run(each.Name, func(t *testing.T) {
			space, _ := within(t)
			each.Run(t, space)
		})
	}
}

func skipUnless(t *testing.T, condition bool, what ...any) {
	t.Helper()
	if !condition {
		t.Skip("of no meaning here: ", fmt.Sprint(what...))
	}
}
