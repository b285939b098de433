module charioteer.test/tikv-record

go 1.26.8

require github.com/tikv/client-go/v2 v2.0.4

require github.com/pkg/errors v0.9.1 // indirect
