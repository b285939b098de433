package main

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/incubator-pegasus/go-client/pegasus"
)

// scan reads the whole table again and again; the scans that begin in the warm-up are not counted.
func scan(table pegasus.TableConnector, o options) (figures, error) {
	if _, err := scanFor(table, o, warmUp); err != nil {
		return figures{}, err
	}
	before := usageNow()
	rows, err := scanFor(table, o, time.Duration(o.seconds*float64(time.Second)))
	if err != nil {
		return figures{}, err
	}
	return usageNow().since(before).figures(o, rows), nil
}

// scanFor begins whole scans until that time has passed, and says how many rows they found.
func scanFor(table pegasus.TableConnector, o options, atLeast time.Duration) (uint64, error) {
	var rows uint64
	for begin := time.Now(); time.Since(begin) < atLeast; {
		found, err := scanOnce(table, o)
		if err != nil {
			return 0, err
		}
		if found != uint64(o.rows) {
			return 0, fmt.Errorf("the scan found %d rows, not %d; was the table loaded?", found, o.rows)
		}
		rows += found
	}
	return rows, nil
}

// scanOnce reads the whole table with as many scanners as there are callers, side by side.
func scanOnce(table pegasus.TableConnector, o options) (uint64, error) {
	scanners, err := table.GetUnorderedScanners(context.Background(), o.callers, pegasus.NewScanOptions())
	if err != nil {
		return 0, err
	}
	if len(scanners) != o.callers {
		return 0, fmt.Errorf("%d scanners, not %d: the table has few partitions", len(scanners), o.callers)
	}
	type outcome struct {
		rows uint64
		err  error
	}
	outcomes := make(chan outcome, len(scanners))
	for _, scanner := range scanners {
		go func(scanner pegasus.Scanner) {
			rows, err := readOut(scanner, o)
			outcomes <- outcome{rows, err}
		}(scanner)
	}
	var rows uint64
	for range scanners {
		outcome := <-outcomes
		if outcome.err != nil {
			return 0, outcome.err
		}
		rows += outcome.rows
	}
	return rows, nil
}

func readOut(scanner pegasus.Scanner, o options) (uint64, error) {
	for rows := uint64(0); ; rows++ {
		ctx, done := callContext(o)
		ended, _, _, value, err := scanner.Next(ctx)
		done()
		if err != nil {
			return 0, err
		}
		if ended {
			return rows, scanner.Close()
		}
		if len(value) != valueBytes {
			return 0, fmt.Errorf("a scan found a value of %d bytes", len(value))
		}
	}
}
