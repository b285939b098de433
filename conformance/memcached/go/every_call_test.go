// Package memcached uses every call of gomemcached against a server whose address is in $MEMCACHED.
package memcached

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/shaoyuan1943/gomemcached"
)

type user struct {
	Name string
	Age  int
}

func connect(t *testing.T) gomemcached.Client {
	client := gomemcached.NewMemcachedClient([]string{os.Getenv("MEMCACHED")}, 2)
	t.Cleanup(client.Exit)
	return client
}

func key(t *testing.T, name string) string { return t.Name() + ":" + name }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused says whether the server answered with this status, and the connection goes on.
func refused(t *testing.T, err, expected error) {
	t.Helper()
	if !errors.Is(err, expected) && (err == nil || err.Error() != expected.Error()) {
		t.Fatalf("%v instead of %v", err, expected)
	}
}

// The client reads a counter into a buffer that it has used before, and mostly takes all of that for the number, whatever the server:
// its error tells what came.
func TestACounterIsRead(t *testing.T) {
	client := connect(t)
	_, _, err := client.Increment(&gomemcached.KeyArgs{Key: key(t, "counter"), Delta: 1, Expiration: 60})
	must(t, err)
	value, err := client.TouchAtomicValue(key(t, "counter"))
	if value != 0 || err != nil && !strings.Contains(err.Error(), `parsing "0\x00`) {
		t.Fatal(value, err)
	}
}

func TestTypedValuesComeBackAsTheyWere(t *testing.T) {
	client := connect(t)
	name := key(t, "user")
	stored, err := client.Set(&gomemcached.KeyArgs{Key: name, Value: user{"Ada", 36}, Expiration: 60})
	must(t, err)
	var got user
	version, err := client.Get(name, &got)
	must(t, err)
	if got != (user{"Ada", 36}) || version != stored || version == 0 {
		t.Fatal(got, version, stored)
	}
	_, err = client.Add(&gomemcached.KeyArgs{Key: name, Value: 1})
	refused(t, err, gomemcached.ErrKeyExists)
	_, err = client.Replace(&gomemcached.KeyArgs{Key: name, Value: user{"Bob", 7}})
	must(t, err)
	_, err = client.Replace(&gomemcached.KeyArgs{Key: key(t, "missing"), Value: 1})
	refused(t, err, gomemcached.ErrKeyNotFound)
	_, err = client.Get(key(t, "missing"), &got)
	refused(t, err, gomemcached.ErrKeyNotFound)
}

func TestRawValuesAreJoined(t *testing.T) {
	client := connect(t)
	name := key(t, "raw")
	_, err := client.Append(&gomemcached.KeyArgs{Key: name, Value: []byte("c")})
	refused(t, err, gomemcached.ErrItemNotStored)
	_, err = client.AddRawData(&gomemcached.KeyArgs{Key: name, Value: []byte("x")})
	must(t, err)
	_, err = client.ReplaceRawData(&gomemcached.KeyArgs{Key: name, Value: []byte("y")})
	must(t, err)
	_, err = client.SetRawData(&gomemcached.KeyArgs{Key: name, Value: []byte("b")})
	must(t, err)
	_, err = client.Append(&gomemcached.KeyArgs{Key: name, Value: []byte("c")})
	must(t, err)
	_, err = client.Prepend(&gomemcached.KeyArgs{Key: name, Value: []byte("a")})
	must(t, err)
	// The client gives back more than the value where its buffer was longer once.
	var got []byte
	_, err = client.Get(name, &got)
	must(t, err)
	if !bytes.HasPrefix(got, []byte("abc")) {
		t.Fatalf("%q", got)
	}
}

func TestVersionsAreCompared(t *testing.T) {
	client := connect(t)
	name := key(t, "versioned")
	version, err := client.Set(&gomemcached.KeyArgs{Key: name, Value: "one"})
	must(t, err)
	_, err = client.Set(&gomemcached.KeyArgs{Key: name, Value: "two", CAS: version + 1})
	refused(t, err, gomemcached.ErrKeyExists)
	_, err = client.Set(&gomemcached.KeyArgs{Key: name, Value: "two", CAS: version})
	must(t, err)
	_, err = client.Set(&gomemcached.KeyArgs{Key: key(t, "missing"), Value: "one", CAS: 5})
	refused(t, err, gomemcached.ErrKeyNotFound)
}

func TestCounters(t *testing.T) {
	client := connect(t)
	args := func(delta uint64) *gomemcached.KeyArgs {
		return &gomemcached.KeyArgs{Key: key(t, "counter"), Delta: delta, Expiration: 60}
	}
	for _, step := range []struct {
		count    func(*gomemcached.KeyArgs) (uint64, uint64, error)
		delta    uint64
		expected uint64
	}{{client.Increment, 5, 0}, {client.Increment, 5, 5}, {client.Decrement, 2, 3}, {client.Decrement, 9, 0}} {
		value, version, err := step.count(args(step.delta))
		must(t, err)
		if value != step.expected || version == 0 {
			t.Fatal(value, version, step.expected)
		}
	}
	_, err := client.Set(&gomemcached.KeyArgs{Key: key(t, "counter"), Value: "no number"})
	must(t, err)
	_, _, err = client.Increment(args(1))
	refused(t, err, gomemcached.ErrNoNumericValue)
}

func TestFlush(t *testing.T) {
	client := connect(t)
	_, err := client.Set(&gomemcached.KeyArgs{Key: key(t, "flushed"), Value: 1})
	must(t, err)
	must(t, client.Flush(&gomemcached.KeyArgs{}))
	var got int
	_, err = client.Get(key(t, "flushed"), &got)
	if err == nil {
		t.Fatal("it is there still")
	}
	must(t, connect(t).Flush(&gomemcached.KeyArgs{Expiration: 3600}))
}

func TestServers(t *testing.T) {
	client := connect(t)
	if err := client.AddServer(os.Getenv("MEMCACHED"), 1); err == nil {
		t.Fatal("it is one of them already")
	}
	failed := make(chan string, 1)
	client.SetServerErrorCallback(func(address string) { failed <- address })
	_, err := client.Set(&gomemcached.KeyArgs{Key: key(t, "served"), Value: 1})
	must(t, err)
	select {
	case address := <-failed:
		t.Fatal(address, "failed")
	case <-time.After(time.Second):
	}
}
