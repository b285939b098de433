module charioteer.test/tikv-go-cases

go 1.25.0
