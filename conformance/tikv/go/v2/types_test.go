package v2

import (
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/tikv/client-go/v2/tikv"
)

type (
	peer     = metapb.Peer
	location = tikv.KeyLocation
)
