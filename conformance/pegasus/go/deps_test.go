package conformance

// What the client's own tests import, so that go.sum covers them too.
import (
	_ "github.com/agiledragon/gomonkey"
	_ "github.com/cenkalti/backoff/v4"
	_ "github.com/fortytw2/leaktest"
	_ "github.com/stretchr/testify/assert"
)
