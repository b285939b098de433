// Records golden vectors of keys and timestamps for crates/proto, as client-go encodes them.
//
//	go run . >> ../../../crates/proto/testdata/tikv/keys.txt
package main

import (
	"fmt"

	"github.com/tikv/client-go/v2/oracle"
	"github.com/tikv/client-go/v2/util/codec"
)

func main() {
	for _, key := range []string{"", "a", "\x00", "1234567", "12345678", "123456789", "\xff\xff\xff\xff\xff\xff\xff\xff", "r\x00\x00\x01key", "x\xff\xff\xff"} {
		written := fmt.Sprintf("%x", key)
		if key == "" {
			written = "-"
		}
		fmt.Printf("memcomparable %s %x\n", written, codec.EncodeBytes(nil, []byte(key)))
	}
	for _, parts := range [][2]int64{{0, 1}, {1, 0}, {1700000000000, 5}, {1795339200000, 262143}} {
		fmt.Printf("timestamp %d %d %d\n", parts[0], parts[1], oracle.ComposeTS(parts[0], parts[1]))
	}
	for _, number := range []uint64{0, 1, 1 << 63, ^uint64(0), 462000000000000001} {
		fmt.Printf("descending %d %x\n", number, codec.EncodeUintDesc(nil, number))
	}
}
