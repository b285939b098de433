package v2

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"charioteer.test/tikv-go-cases"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/tikv/client-go/v2/rawkv"
	"github.com/tikv/client-go/v2/tikv"
	pdclient "github.com/tikv/pd/client"
)

// all are the regions of the cluster, which must follow one another without a gap.
func all(t *testing.T, s *cases.Space) []*pdclient.Region {
	t.Helper()
	found, err := s.Client.(client).GetPDClient().ScanRegions(s.Context, nil, nil, 0)
	cases.Must(t, err)
	if first, last := found[0].Meta, found[len(found)-1].Meta; len(first.StartKey) != 0 || len(last.EndKey) != 0 {
		t.Fatalf("regions from %q to %q", first.StartKey, last.EndKey)
	}
	for n := range found[1:] {
		if !bytes.Equal(found[n].Meta.EndKey, found[n+1].Meta.StartKey) {
			t.Fatalf("a region that ends at %q comes before one that starts at %q", found[n].Meta.EndKey, found[n+1].Meta.StartKey)
		}
	}
	return found
}

// Not beside the cases that scatter.
func TestEachRegionHasALeaderOnAStore(t *testing.T) {
	s := cases.Within(t, open)
	original := s.Client.(client).Client
	known, err := original.GetPDClient().GetAllStores(s.Context)
	cases.Must(t, err)
	if len(known) != stores {
		t.Fatalf("%d stores instead of %d: %v", len(known), stores, known)
	}
	addresses := map[string]bool{}
	for _, store := range known {
		again, err := original.GetPDClient().GetStore(s.Context, store.Id)
		cases.Must(t, err)
		if again.Address != store.Address || again.Address == "" {
			t.Fatalf("store %v is also %v", store, again)
		}
		addresses[store.Address] = true
	}
	if len(addresses) != stores {
		t.Fatalf("%d addresses", len(addresses))
	}
	found := all(t, s)
	// Clients of version 2 see those of their keyspace alone.
	if version == kvrpcpb.APIVersion_V1 && len(found) < regions || api == "v2" && len(found) < min(regions, 2) {
		t.Fatalf("%d regions of %d", len(found), regions)
	}
	leading := map[uint64]int{}
	for _, region := range found {
		if region.Leader == nil || !slices.ContainsFunc(region.Meta.Peers, func(peer *peer) bool { return peer.Id == region.Leader.Id }) {
			t.Fatalf("%v is led by %v", region.Meta, region.Leader)
		}
		leading[region.Leader.StoreId]++
	}
	if len(leading) != min(stores, len(found)) {
		t.Fatalf("regions are led by %v of %d stores", leading, stores)
	}
}

// What lies on both sides of each boundary of the cluster is found by every call.
func TestCallsCrossTheBoundariesOfTheCluster(t *testing.T) {
	skipUnless(t, regions > 1, "there is one region")
	s, original := within(t)
	var keys, boundaries [][]byte
	for _, region := range all(t, s) {
		boundary := region.Meta.StartKey
		// Other cases split and delete between their own keys.
		if len(boundary) == 0 || bytes.Contains(boundary, []byte("Test")) {
			continue
		}
		boundaries = append(boundaries, boundary)
		keys = append(keys, boundary, append(bytes.Clone(boundary), 0))
		if last := len(boundary) - 1; boundary[last] > 0 {
			below := bytes.Clone(boundary)
			below[last]--
			keys = append(keys, append(below, 0xff, 0xff))
		}
	}
	if len(boundaries) == 0 {
		t.Skip("the cluster has boundaries for other kinds of keys only")
	}
	slices.SortFunc(keys, bytes.Compare)
	s.Fill(t, keys)
	values, err := s.BatchGet(s.Context, keys)
	cases.Must(t, err)
	cases.Same(t, "batch", values, keys)
	for _, key := range keys {
		cases.Holds(t, s, s.Context, key, key)
	}
	mine := func(found [][]byte) [][]byte {
		return slices.DeleteFunc(found, func(key []byte) bool { return bytes.Contains(key, []byte("Test")) })
	}
	start, end := keys[0], append(bytes.Clone(keys[len(keys)-1]), 0)
	found, _, err := s.Scan(s.Context, start, end, 10240)
	cases.Must(t, err)
	cases.Same(t, "scan", mine(found), keys)
	found, _, err = s.ReverseScan(s.Context, end, start, 10240)
	cases.Must(t, err)
	slices.Reverse(found)
	cases.Same(t, "reverse scan", mine(found), keys)
	for _, boundary := range boundaries {
		found, _, err := s.ReverseScan(s.Context, boundary, []byte{0}, 1)
		cases.Must(t, err)
		if len(found) != 1 || bytes.Compare(found[0], boundary) >= 0 {
			t.Fatalf("below %q lies %q", boundary, found)
		}
		sum, err := original.Checksum(s.Context, boundary, append(bytes.Clone(boundary), 0))
		cases.Must(t, err)
		if expected := checksum([][]byte{boundary}, nil); sum != expected {
			t.Fatalf("checksum %+v instead of %+v", sum, expected)
		}
	}
	cases.Must(t, s.BatchDelete(s.Context, keys))
	found, _, err = s.Scan(s.Context, start, end, 10240)
	cases.Must(t, err)
	cases.Same(t, "what is left", mine(found), nil)
}

func TestTheCacheOfRegionsFollowsSplits(t *testing.T) {
	s, original := within(t)
	cache := rawkv.ClientProbe{Client: original}.GetRegionCache()
	locate := func(key []byte) *location {
		t.Helper()
		found, err := cache.LocateKey(tikv.NewBackofferWithVars(s.Context, 10000, nil), key)
		cases.Must(t, err)
		if !found.Contains(key) {
			t.Fatalf("%q in %v", key, found)
		}
		return found
	}
	keys := s.Numbered(400)
	s.Fill(t, keys)
	before := locate(keys[150])
	if version == kvrpcpb.APIVersion_V1 {
		// Those of version 2 are told without what their region ends with.
		if !bytes.Equal(locate(keys[151]).EndKey, before.EndKey) {
			t.Fatal("two regions before the split")
		}
	}
	split(t, s, [][]byte{keys[120], keys[151], keys[200]})

	// The client knows nothing of it yet, and learns of it from what the store says.
	for _, key := range keys {
		cases.Holds(t, s, s.Context, key, key)
	}
	after, next := locate(keys[150]), locate(keys[151])
	if !bytes.Equal(after.StartKey, keys[120]) || !bytes.Equal(after.EndKey, keys[151]) || !bytes.Equal(next.StartKey, keys[151]) {
		t.Fatalf("after the split: %v, %v", after, next)
	}
	if after.Region.GetVer() <= before.Region.GetVer() {
		t.Fatalf("version %d after %d", after.Region.GetVer(), before.Region.GetVer())
	}
	found, values, err := s.Scan(s.Context, keys[100], keys[300], 1000)
	cases.Must(t, err)
	cases.Same(t, "keys", found, keys[100:300])
	cases.Same(t, "values", values, keys[100:300])
	cases.Must(t, s.DeleteRange(s.Context, keys[110], keys[290]))
	found, _, err = s.ReverseScan(s.Context, s.End(), s.Key(""), 1000)
	cases.Must(t, err)
	slices.Reverse(found)
	cases.Same(t, "what is left", found, slices.Concat(keys[:110], keys[290:]))
}

func TestCallersGoOnWhileRegionsSplit(t *testing.T) {
	s, _ := within(t)
	keys := s.Numbered(64)
	s.Fill(t, keys)
	var callers sync.WaitGroup
	failures := make(chan error, 17)
	done := make(chan struct{})
	for caller := range 16 {
		callers.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-done:
					return
				default:
				}
				key, value := keys[(caller*4+round)%len(keys)], fmt.Append(nil, "round ", round)
				mine := append(bytes.Clone(key), byte(caller))
				if err := s.Put(s.Context, mine, value); err != nil {
					failures <- err
					return
				}
				if got, err := s.Get(s.Context, mine); err != nil || !bytes.Equal(got, value) {
					failures <- fmt.Errorf("%q of %q instead of %q: %v", got, mine, value, err)
					return
				}
			}
		})
	}
	for n := 1; n < len(keys); n += 4 {
		split(t, s, [][]byte{keys[n]})
	}
	close(done)
	callers.Wait()
	close(failures)
	for err := range failures {
		t.Fatal(err)
	}
	values, err := s.BatchGet(s.Context, keys)
	cases.Must(t, err)
	cases.Same(t, "values", values, keys)
}

func TestSplitsOfManyCallersAreAllMade(t *testing.T) {
	s, original := within(t)
	var keys [][]byte
	for n := range 80 {
		keys = append(keys, s.Key(fmt.Sprintf("split %02d", n)))
	}
	var callers sync.WaitGroup
	failures := make(chan error, 8)
	splitting.Lock()
	for caller := range 8 {
		callers.Go(func() {
			mine := keys[caller*10 : caller*10+10]
			answer, err := original.GetPDClient().SplitRegions(s.Context, mine, pdclient.WithRetry(8))
			if err != nil || answer.GetFinishedPercentage() != 100 {
				failures <- fmt.Errorf("%d %% of %q: %v", answer.GetFinishedPercentage(), mine, err)
			}
		})
	}
	callers.Wait()
	splitting.Unlock()
	close(failures)
	for err := range failures {
		t.Fatal(err)
	}
	s.Fill(t, keys)
	for n := range keys[1:] {
		region, err := original.GetPDClient().GetRegion(s.Context, keys[n])
		cases.Must(t, err)
		if !bytes.Equal(region.Meta.StartKey, keys[n]) || !bytes.Equal(region.Meta.EndKey, keys[n+1]) {
			t.Fatalf("%q lies between %q and %q", keys[n], region.Meta.StartKey, region.Meta.EndKey)
		}
		cases.Holds(t, s, s.Context, keys[n], keys[n])
	}
}

func TestRegionsAreToldOfByKeyByIdAndBackwards(t *testing.T) {
	s, original := within(t)
	split(t, s, s.Keys("left", "middle", "right"))
	pd := original.GetPDClient()
	middle, err := pd.GetRegion(s.Context, s.Key("n"))
	cases.Must(t, err)
	if !bytes.Equal(middle.Meta.StartKey, s.Key("middle")) || !bytes.Equal(middle.Meta.EndKey, s.Key("right")) {
		t.Fatalf("from %q to %q", middle.Meta.StartKey, middle.Meta.EndKey)
	}
	same, err := pd.GetRegionByID(s.Context, middle.Meta.Id)
	cases.Must(t, err)
	left, err := pd.GetPrevRegion(s.Context, s.Key("n"))
	cases.Must(t, err)
	if same.Meta.String() != middle.Meta.String() || !bytes.Equal(left.Meta.EndKey, s.Key("middle")) {
		t.Fatalf("%v by its id, %v before it", same.Meta, left.Meta)
	}
	two, err := pd.ScanRegions(s.Context, s.Key("left1"), s.Key("zzz"), 2)
	cases.Must(t, err)
	if len(two) != 2 || two[1].Meta.Id != middle.Meta.Id || two[1].Leader.GetId() == 0 {
		t.Fatalf("two regions: %v", two)
	}
	if version == kvrpcpb.APIVersion_V1 {
		// In version 2 there are others, outside of the keyspace, which this client cannot read.
		if first, err := pd.GetPrevRegion(s.Context, nil); err != nil || first != nil {
			t.Fatal("before the first region lies ", first, err)
		}
	}
	if none, err := pd.GetRegionByID(s.Context, 1<<60); err != nil || none != nil {
		t.Fatal("a region that is not: ", none, err)
	}
}

func TestRegionsAreSplitAndScattered(t *testing.T) {
	s, original := within(t)
	pd := original.GetPDClient()
	region, err := pd.GetRegion(s.Context, s.Key(""))
	cases.Must(t, err)
	cases.Must(t, pd.ScatterRegion(s.Context, region.Meta.Id))
	scattered, err := pd.ScatterRegions(s.Context, []uint64{region.Meta.Id})
	cases.Must(t, err)
	if scattered.GetFinishedPercentage() != 100 {
		t.Fatal(scattered)
	}
	if _, err := pd.GetOperator(s.Context, region.Meta.Id); err != nil {
		t.Fatal(err)
	}
	if version == kvrpcpb.APIVersion_V1 {
		both, err := pd.SplitAndScatterRegions(s.Context, s.Keys("x", "y"))
		cases.Must(t, err)
		if both.GetSplitFinishedPercentage() != 100 || both.GetScatterFinishedPercentage() != 100 || len(both.GetRegionsId()) != 2 {
			t.Fatal(both)
		}
	}
	cases.Must(t, s.Put(s.Context, s.Key("x"), []byte("v")))
	cases.Holds(t, s, s.Context, s.Key("x"), []byte("v"))
}

func TestTimestampsAscend(t *testing.T) {
	s, original := within(t)
	pd := original.GetPDClient()
	physical, logical, err := pd.GetTS(s.Context)
	cases.Must(t, err)
	if now := time.Now().UnixMilli(); physical < now-5000 || physical > now+5000 {
		t.Fatalf("%d at %d", physical, now)
	}
	last := physical<<18 + logical
	futures := make([]pdclient.TSFuture, 2000)
	for n := range futures {
		futures[n] = pd.GetTSAsync(s.Context)
	}
	for _, future := range futures {
		physical, logical, err := future.Wait()
		cases.Must(t, err)
		if next := physical<<18 + logical; next <= last {
			t.Fatalf("%d after %d", next, last)
		} else {
			last = next
		}
	}
}

func TestPdKnowsItsMembersAndKeyspaces(t *testing.T) {
	s, original := within(t)
	pdClient := original.GetPDClient()
	members, err := pdClient.GetAllMembers(s.Context)
	cases.Must(t, err)
	if len(members) != 1 || members[0].GetMemberId() == 0 || !slices.Contains(members[0].GetClientUrls(), scheme+pd) {
		t.Fatalf("%v at %s", members, pd)
	}
	if leader := pdClient.GetLeaderAddr(); leader != scheme+pd {
		t.Fatal("the leader is at ", leader)
	}
	keyspace, err := pdClient.LoadKeyspace(s.Context, "DEFAULT")
	cases.Must(t, err)
	if keyspace.GetId() != 0 || keyspace.GetName() != "DEFAULT" {
		t.Fatal(keyspace)
	}
	if keyspace, err := pdClient.LoadKeyspace(s.Context, "missing"); err == nil {
		t.Fatal("a keyspace that is not: ", keyspace)
	}
}

func TestSafePointsOnlyMoveForward(t *testing.T) {
	s, original := within(t)
	pd := original.GetPDClient()
	for _, step := range [][2]uint64{{100, 100}, {50, 100}, {200, 200}} {
		reached, err := pd.UpdateGCSafePoint(s.Context, step[0])
		cases.Must(t, err)
		if reached != step[1] {
			t.Fatalf("%d after %d", reached, step[0])
		}
	}
	held, err := pd.UpdateServiceGCSafePoint(s.Context, t.Name(), 100, 300)
	cases.Must(t, err)
	if held > 300 {
		t.Fatal("held at ", held)
	}
	if _, err := pd.UpdateServiceGCSafePoint(s.Context, t.Name(), 0, 300); err != nil {
		t.Fatal(err)
	}
	cases.Must(t, pd.SetExternalTimestamp(s.Context, 1000))
	external, err := pd.GetExternalTimestamp(s.Context)
	cases.Must(t, err)
	if external != 1000 {
		t.Fatal("the external timestamp is ", external)
	}
}
