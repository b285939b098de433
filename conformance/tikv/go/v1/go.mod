// The Go module proxy of some places does not give this client away; then its sums are not to be had there either.
module charioteer.test/tikv-go-v1

go 1.25.0

require (
	charioteer.test/tikv-go-cases v0.0.0
	github.com/tikv/client-go v1.0.0
)

replace charioteer.test/tikv-go-cases => ../cases
