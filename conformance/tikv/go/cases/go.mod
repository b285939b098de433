module charioteer.test/tikv-go-cases

go 1.26.8
