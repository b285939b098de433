package main

import (
	"testing"
	"time"
)

func TestBucketsAreNarrowAndHoldWhatFallsIntoThem(t *testing.T) {
	for nanoseconds := uint64(0); nanoseconds < 1<<41; nanoseconds += nanoseconds/97 + 1 {
		bucket := bucketOf(nanoseconds)
		low, high := lowest(bucket), lowest(bucket+1)
		if nanoseconds < low || nanoseconds >= high {
			t.Fatalf("%d is in the bucket from %d to %d", nanoseconds, low, high)
		}
		if width := high - low; width > 1 && width*buckets > low {
			t.Fatalf("the bucket from %d to %d is wide", low, high)
		}
	}
	if last := bucketOf(1 << 62); last != len(histogram{}.counts)-1 {
		t.Errorf("a long time falls into the bucket %d", last)
	}
}

func TestQuantilesAreWithinAPercent(t *testing.T) {
	var h, other histogram
	for microseconds := 1; microseconds <= 1000; microseconds++ {
		h.add(time.Duration(microseconds) * time.Microsecond)
	}
	other.merge(&h)
	for _, c := range []struct{ share, want float64 }{{0.5, 500}, {0.99, 990}} {
		if got := other.quantile(c.share); got < c.want*0.99 || got > c.want*1.01 {
			t.Errorf("the quantile %v is %v, want %v", c.share, got, c.want)
		}
	}
	if other.count() != 1000 {
		t.Errorf("%d times were counted", other.count())
	}
}
