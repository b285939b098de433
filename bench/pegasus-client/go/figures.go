package main

import (
	"runtime"
	"syscall"
	"time"
)

// The figures of one load, as they are printed.
type figures struct {
	Client                  string  `json:"client"`
	Work                    string  `json:"work"`
	Callers                 int     `json:"callers"`
	Operations              uint64  `json:"operations"`
	Seconds                 float64 `json:"seconds"`
	OpsPerSecond            float64 `json:"ops_per_second"`
	CPUPerOperation         float64 `json:"cpu_us_per_operation"`
	AllocationsPerOperation float64 `json:"allocations_per_operation"`
	// Scans have none: most rows are there already when they are asked for.
	P50 *float64 `json:"p50_us"`
	P99 *float64 `json:"p99_us"`
}

func (f figures) withLatencies(latencies *histogram) figures {
	p50, p99 := latencies.quantile(0.5), latencies.quantile(0.99)
	f.P50, f.P99 = &p50, &p99
	return f
}

// A usage is what this process has used since it began.
type usage struct {
	time, cpu   time.Duration
	allocations uint64
}

var began = time.Now()

func usageNow() usage {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var all syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &all); err != nil {
		panic(err) // There is no other reason than a wrong argument.
	}
	return usage{
		time:        time.Since(began),
		cpu:         time.Duration(all.Utime.Nano() + all.Stime.Nano()),
		allocations: memory.Mallocs,
	}
}

func (u usage) since(before usage) usage {
	return usage{u.time - before.time, u.cpu - before.cpu, u.allocations - before.allocations}
}

func (u usage) figures(o options, operations uint64) figures {
	each := float64(operations)
	return figures{
		Client:                  "go",
		Work:                    o.work,
		Callers:                 o.callers,
		Operations:              operations,
		Seconds:                 u.time.Seconds(),
		OpsPerSecond:            each / u.time.Seconds(),
		CPUPerOperation:         u.cpu.Seconds() * 1e6 / each,
		AllocationsPerOperation: float64(u.allocations) / each,
	}
}
