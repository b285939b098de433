// Package conformance runs the Go client of Apache Pegasus through its whole
// public interface against a running server, and compares every answer with
// what that client gets from the original.
//
// The server listens where the client's own tests expect a onebox: metas on
// 34601 to 34603 and nodes on 34801 to 34803 of 127.0.0.1, with a fresh table
// "temp" of eight partitions.
package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apache/incubator-pegasus/go-client/admin"
	"github.com/apache/incubator-pegasus/go-client/pegalog"
	"github.com/apache/incubator-pegasus/go-client/pegasus"
)

var metas = []string{"127.0.0.1:34601", "127.0.0.1:34602", "127.0.0.1:34603"}

func TestMain(m *testing.M) {
	// The default logger writes pegasus.log into the working directory.
	pegalog.SetLogger(log.New(io.Discard, "", 0))
	os.Exit(m.Run())
}

// within bounds a test of ordinary calls.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func openClient(t *testing.T) pegasus.Client {
	t.Helper()
	client := pegasus.NewClient(pegasus.Config{MetaServers: metas})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("closing the client: %v", err)
		}
	})
	return client
}

// openTemp opens the shared table; a test keeps to hash keys made from its name.
func openTemp(t *testing.T) (context.Context, pegasus.TableConnector) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	table, err := openClient(t).OpenTable(ctx, "temp")
	must(t, err)
	return ctx, table
}

// openFresh makes a table for this test alone.
func openFresh(t *testing.T, partitions int) (context.Context, pegasus.TableConnector) {
	t.Helper()
	ctx := within(t, 60*time.Second)
	name := strings.ToLower(strings.ReplaceAll(t.Name(), "/", "_"))
	control := admin.NewClient(admin.Config{MetaServers: metas})
	must(t, control.DropTable(ctx, name))
	must(t, control.CreateTable(ctx, name, partitions))
	t.Cleanup(func() { _ = control.DropTable(context.Background(), name) })
	table, err := openClient(t).OpenTable(ctx, name)
	must(t, err)
	return ctx, table
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func b(s string) []byte { return []byte(s) }

func keys(names ...string) [][]byte {
	list := make([][]byte, len(names))
	for i, name := range names {
		list[i] = b(name)
	}
	return list
}

// refused runs a call that the server answers with a storage error. The client
// takes such an error for a failover and tries again until the context ends,
// so its deadline is all the caller gets to see.
func refused(t *testing.T, what string, call func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	err := call(ctx)
	if err == nil {
		t.Errorf("%s: succeeded, want a refusal", what)
	} else if !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
		t.Errorf("%s: %v, want %v", what, err, context.DeadlineExceeded)
	}
}

// invalid checks an argument that the client itself refuses.
func invalid(t *testing.T, err error, text string) {
	t.Helper()
	var failure *pegasus.PError
	if err == nil {
		t.Errorf("succeeded, want an error with %q", text)
	} else if !errors.As(err, &failure) || !strings.Contains(err.Error(), text) {
		t.Errorf("%v, want a PError with %q", err, text)
	}
}

func wantValue(t *testing.T, ctx context.Context, table pegasus.TableConnector, hash, sort string, want []byte) {
	t.Helper()
	got, err := table.Get(ctx, b(hash), b(sort))
	must(t, err)
	if (got == nil) != (want == nil) || !bytes.Equal(got, want) {
		t.Errorf("get(%q, %q) = %s, want %s", hash, sort, show(got), show(want))
	}
}

func wantTTL(t *testing.T, ctx context.Context, table pegasus.TableConnector, hash, sort string, low, high int) {
	t.Helper()
	got, err := table.TTL(ctx, b(hash), b(sort))
	must(t, err)
	if got < low || got > high {
		t.Errorf("ttl(%q, %q) = %d, want %d..%d", hash, sort, got, low, high)
	}
}

func wantCount(t *testing.T, ctx context.Context, table pegasus.TableConnector, hash string, want int64) {
	t.Helper()
	got, err := table.SortKeyCount(ctx, b(hash))
	must(t, err)
	if got != want {
		t.Errorf("sort key count of %q = %d, want %d", hash, got, want)
	}
}

func show(value []byte) string {
	if value == nil {
		return "nil"
	}
	return fmt.Sprintf("%q", value)
}
