package conformance

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/apache/incubator-pegasus/go-client/pegasus"
)

// Outcomes of a check.
const (
	no = iota
	yes
	fails
)

func TestEveryCheckType(t *testing.T) {
	ctx, table := openTemp(t)
	const missing = "\x00missing"
	cases := []struct {
		name    string
		check   pegasus.CheckType
		before  string
		operand string
		want    int
	}{
		{"no check", pegasus.CheckTypeNoCheck, missing, "", yes},
		{"no check", pegasus.CheckTypeNoCheck, "v", "ignored", yes},
		{"not exist", pegasus.CheckTypeValueNotExist, missing, "", yes},
		{"not exist", pegasus.CheckTypeValueNotExist, "", "", no},
		{"not exist", pegasus.CheckTypeValueNotExist, "v", "", no},
		{"not exist or empty", pegasus.CheckTypeValueNotExistOrEmpty, missing, "", yes},
		{"not exist or empty", pegasus.CheckTypeValueNotExistOrEmpty, "", "", yes},
		{"not exist or empty", pegasus.CheckTypeValueNotExistOrEmpty, "v", "", no},
		{"exist", pegasus.CheckTypeValueExist, missing, "", no},
		{"exist", pegasus.CheckTypeValueExist, "", "", yes},
		{"exist", pegasus.CheckTypeValueExist, "v", "", yes},
		{"not empty", pegasus.CheckTypeValueNotEmpty, missing, "", no},
		{"not empty", pegasus.CheckTypeValueNotEmpty, "", "", no},
		{"not empty", pegasus.CheckTypeValueNotEmpty, "v", "", yes},
		{"anywhere", pegasus.CheckTypeMatchAnywhere, missing, "", no},
		{"anywhere", pegasus.CheckTypeMatchAnywhere, "", "", yes},
		{"anywhere", pegasus.CheckTypeMatchAnywhere, "abc", "", yes},
		{"anywhere", pegasus.CheckTypeMatchAnywhere, "abc", "b", yes},
		{"anywhere", pegasus.CheckTypeMatchAnywhere, "abc", "ac", no},
		{"anywhere", pegasus.CheckTypeMatchAnywhere, "abc", "abcd", no},
		{"prefix", pegasus.CheckTypeMatchPrefix, "abc", "ab", yes},
		{"prefix", pegasus.CheckTypeMatchPrefix, "abc", "bc", no},
		{"prefix", pegasus.CheckTypeMatchPrefix, missing, "ab", no},
		{"postfix", pegasus.CheckTypeMatchPostfix, "abc", "bc", yes},
		{"postfix", pegasus.CheckTypeMatchPostfix, "abc", "ab", no},
		{"postfix", pegasus.CheckTypeMatchPostfix, missing, "", no},
		{"bytes <", pegasus.CheckTypeBytesLess, "a", "b", yes},
		{"bytes <", pegasus.CheckTypeBytesLess, "a", "a", no},
		{"bytes <", pegasus.CheckTypeBytesLess, "a", "a\x00", yes},
		{"bytes <", pegasus.CheckTypeBytesLess, "\x7f", "\x80", yes},
		{"bytes <", pegasus.CheckTypeBytesLess, missing, "b", no},
		{"bytes <=", pegasus.CheckTypeBytesLessOrEqual, "a", "a", yes},
		{"bytes <=", pegasus.CheckTypeBytesLessOrEqual, "b", "a", no},
		{"bytes =", pegasus.CheckTypeBytesEqual, "a", "a", yes},
		{"bytes =", pegasus.CheckTypeBytesEqual, "", "", yes},
		{"bytes =", pegasus.CheckTypeBytesEqual, "a", "aa", no},
		{"bytes =", pegasus.CheckTypeBytesEqual, missing, "", no},
		{"bytes >=", pegasus.CheckTypeBytesGreaterOrEqual, "a", "a", yes},
		{"bytes >=", pegasus.CheckTypeBytesGreaterOrEqual, "a", "b", no},
		{"bytes >", pegasus.CheckTypeBytesGreater, "aa", "a", yes},
		{"bytes >", pegasus.CheckTypeBytesGreater, "a", "a", no},
		{"bytes >", pegasus.CheckTypeBytesGreater, "9", "10", yes},
		{"int <", pegasus.CheckTypeIntLess, "9", "10", yes},
		{"int <", pegasus.CheckTypeIntLess, "10", "10", no},
		{"int <", pegasus.CheckTypeIntLess, "-1", "0", yes},
		{"int <", pegasus.CheckTypeIntLess, missing, "1", no},
		{"int <=", pegasus.CheckTypeIntLessOrEqual, "10", "10", yes},
		{"int <=", pegasus.CheckTypeIntLessOrEqual, "11", "10", no},
		{"int =", pegasus.CheckTypeIntEqual, "0x10", "16", yes},
		{"int =", pegasus.CheckTypeIntEqual, "010", "8", yes},
		{"int =", pegasus.CheckTypeIntEqual, "7", "8", no},
		{"int >=", pegasus.CheckTypeIntGreaterOrEqual, "10", "9", yes},
		{"int >=", pegasus.CheckTypeIntGreaterOrEqual, "9", "10", no},
		{"int =, text", pegasus.CheckTypeIntEqual, "abc", "8", fails},
		{"int =, text", pegasus.CheckTypeIntEqual, "8", "abc", fails},
		{"int =, nothing", pegasus.CheckTypeIntEqual, "", "8", fails},
		{"int =, nothing", pegasus.CheckTypeIntEqual, "8", "", fails},
		{"int =, too large", pegasus.CheckTypeIntEqual, "9223372036854775808", "8", fails},
		// The client sends BYTES_GREATER for IntGreater.
		{"int > as bytes", pegasus.CheckTypeIntGreater, "9", "10", yes},
		{"int > as bytes", pegasus.CheckTypeIntGreater, "10", "9", no},
		{"unknown", pegasus.CheckType(99), "v", "", fails},
	}
	for i, c := range cases {
		hash, what := fmt.Sprintf("%s%d", t.Name(), i), fmt.Sprintf("%s: %q against %q", c.name, c.before, c.operand)
		before := b(c.before)
		if c.before == missing {
			before = nil
		} else {
			must(t, table.Set(ctx, b(hash), b("s"), before))
		}
		swap := func(ctx context.Context) (*pegasus.CheckAndSetResult, error) {
			return table.CheckAndSet(ctx, b(hash), b("s"), c.check, b(c.operand), b("s"), b("after"),
				&pegasus.CheckAndSetOptions{ReturnCheckValue: true})
		}
		if c.want == fails {
			refused(t, what, func(ctx context.Context) error { _, err := swap(ctx); return err })
			wantValue(t, ctx, table, hash, "s", before)
			continue
		}
		result, err := swap(ctx)
		must(t, err)
		if result.SetSucceed != (c.want == yes) {
			t.Errorf("%s: set %v", what, result.SetSucceed)
		}
		// The client shows an empty value as nil; CheckValueExist tells.
		if !result.CheckValueReturned || result.CheckValueExist != (before != nil) || !bytes.Equal(result.CheckValue, before) {
			t.Errorf("%s: returned %+v", what, *result)
		}
		if c.want == yes {
			before = b("after")
		}
		wantValue(t, ctx, table, hash, "s", before)
	}
}

func TestCheckOneKeySetAnother(t *testing.T) {
	ctx, table := openTemp(t)
	hash := b(t.Name())
	must(t, table.Set(ctx, hash, b("lock"), b("mine")))
	result, err := table.CheckAndSet(ctx, hash, b("lock"), pegasus.CheckTypeBytesEqual, b("mine"), b("data"), b("1"), nil)
	must(t, err)
	if !result.SetSucceed || result.CheckValueReturned || result.CheckValue != nil {
		t.Errorf("first swap: %+v", *result)
	}
	result, err = table.CheckAndSet(ctx, hash, b("lock"), pegasus.CheckTypeBytesEqual, b("theirs"), b("data"), b("2"), nil)
	must(t, err)
	if result.SetSucceed {
		t.Errorf("second swap: %+v", *result)
	}
	wantValue(t, ctx, table, t.Name(), "lock", b("mine"))
	wantValue(t, ctx, table, t.Name(), "data", b("1"))
	// The empty sort key is a key like any other.
	result, err = table.CheckAndSet(ctx, hash, b(""), pegasus.CheckTypeValueNotExist, nil, b(""), b("3"), nil)
	must(t, err)
	if !result.SetSucceed {
		t.Errorf("swap at the empty sort key: %+v", *result)
	}
	wantValue(t, ctx, table, t.Name(), "", b("3"))
}

func TestCheckAndSetTTL(t *testing.T) {
	ctx, table := openTemp(t)
	hash := b(t.Name())
	set := func(seconds int) error {
		_, err := table.CheckAndSet(ctx, hash, b("s"), pegasus.CheckTypeNoCheck, nil, b("s"), b("v"),
			&pegasus.CheckAndSetOptions{SetValueTTLSeconds: seconds})
		return err
	}
	must(t, set(100))
	wantTTL(t, ctx, table, t.Name(), "s", 98, 100)
	// Unlike incr, a swap without TTL takes an earlier TTL away.
	must(t, set(0))
	wantTTL(t, ctx, table, t.Name(), "s", -1, -1)
	invalid(t, set(-1), "must be greater than 0")
}
