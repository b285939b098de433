package main

import (
	"math/bits"
	"time"
)

// Buckets for each doubling, so that a bucket is no wider than 1.6% of what lies in it.
const (
	bucketBits = 6
	buckets    = 1 << bucketBits
)

// A histogram counts times in buckets of nanoseconds. Up to 2^42 ns, over an hour, they are as narrow as promised.
type histogram struct {
	counts [(42 - bucketBits + 1) * buckets]uint64
}

func (h *histogram) add(latency time.Duration) {
	h.counts[bucketOf(uint64(latency))]++
}

func (h *histogram) merge(other *histogram) {
	for bucket, count := range other.counts {
		h.counts[bucket] += count
	}
}

func (h *histogram) count() uint64 {
	var sum uint64
	for _, count := range h.counts {
		sum += count
	}
	return sum
}

// quantile is the time that this share of all times does not exceed, in microseconds: the middle of its bucket.
func (h *histogram) quantile(share float64) float64 {
	rank := uint64(share * float64(h.count()))
	for bucket, count := range h.counts {
		if rank < count {
			return float64(lowest(bucket)+lowest(bucket+1)) / 2 / 1e3
		}
		rank -= count
	}
	return 0
}

func bucketOf(nanoseconds uint64) int {
	doublings := bits.Len64(nanoseconds >> bucketBits)
	if doublings == 0 {
		return int(nanoseconds)
	}
	bucket := doublings*buckets + int(nanoseconds>>(doublings-1)) - buckets
	if last := len(histogram{}.counts) - 1; bucket > last {
		return last
	}
	return bucket
}

// lowest is the least number of nanoseconds that falls into that bucket.
func lowest(bucket int) uint64 {
	doublings, rest := bucket/buckets, uint64(bucket%buckets)
	if doublings == 0 {
		return rest
	}
	return (buckets + rest) << (doublings - 1)
}
