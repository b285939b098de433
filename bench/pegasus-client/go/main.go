// Command pegasus-client loads a Pegasus server through the Go client of Apache Pegasus and prints one line of JSON that says how
// that went. The program in ../rust has the same flags, does the same and prints the same, through Charioteer's client.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/apache/incubator-pegasus/go-client/pegalog"
	"github.com/apache/incubator-pegasus/go-client/pegasus"
)

// How long a load lasts before anything is counted.
const warmUp = 500 * time.Millisecond

type options struct {
	metas    string
	table    string
	work     string
	callers  int
	seconds  float64
	rows     int
	deadline time.Duration
}

func parse() options {
	var o options
	flag.StringVar(&o.metas, "metas", "127.0.0.1:34601", "the meta servers, HOST:PORT,…")
	flag.StringVar(&o.table, "table", "temp", "the table")
	flag.StringVar(&o.work, "work", "get", "load (sets the rows once), get, set, mixed (as many gets as sets) or scan")
	flag.IntVar(&o.callers, "callers", 1, "goroutines, each with one call in flight; for scans, scanners")
	flag.Float64Var(&o.seconds, "seconds", 5, "how long is measured; scans are finished")
	flag.IntVar(&o.rows, "rows", 100_000, "rows that are set and read; a scan must find as many")
	flag.DurationVar(&o.deadline, "deadline", 0, "gives each call a context with this timeout; 0 gives all one without")
	flag.Parse()
	return o
}

func main() {
	if err := run(parse()); err != nil {
		fmt.Fprintln(os.Stderr, "pegasus-client:", err)
		os.Exit(2)
	}
}

func run(o options) error {
	if o.callers < 1 || o.rows < 1 || o.seconds <= 0 || flag.NArg() > 0 {
		return fmt.Errorf("callers, rows and seconds must be positive, and there are flags only; see -help")
	}
	// The default logger writes pegasus.log into the working directory.
	pegalog.SetLogger(log.New(io.Discard, "", 0))
	client := pegasus.NewClient(pegasus.Config{MetaServers: strings.Split(o.metas, ",")})
	opening, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	table, err := client.OpenTable(opening, o.table)
	if err != nil {
		return err
	}
	if o.work == "load" {
		return fill(table, o)
	}
	figures, err := measure(table, o)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(figures); err != nil {
		return err
	}
	return client.Close()
}

func measure(table pegasus.TableConnector, o options) (figures, error) {
	if o.work == "scan" {
		return scan(table, o)
	}
	operate, err := operation(table, o)
	if err != nil {
		return figures{}, err
	}
	return load(o, operate)
}
