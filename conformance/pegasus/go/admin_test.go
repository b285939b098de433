package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/incubator-pegasus/go-client/admin"
	idl "github.com/apache/incubator-pegasus/go-client/idl/admin"
	"github.com/apache/incubator-pegasus/go-client/session"
)

func openMeta(t *testing.T) *session.MetaManager {
	t.Helper()
	meta := session.NewMetaManager(metas, session.NewNodeSession)
	t.Cleanup(func() { _ = meta.Close() })
	return meta
}

// wantCode checks an error that the meta put into its answer.
func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), code) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func createRequest(name string, partitions int32, ifExist bool) *idl.CreateAppRequest {
	return &idl.CreateAppRequest{
		AppName: name,
		Options: &idl.CreateAppOptions{
			PartitionCount: partitions,
			ReplicaCount:   3,
			SuccessIfExist: ifExist,
			AppType:        "pegasus",
			IsStateful:     true,
			Envs:           map[string]string{},
		},
	}
}

func TestTablesComeAndGo(t *testing.T) {
	ctx := within(t, 20*time.Second)
	control := admin.NewClient(admin.Config{MetaServers: metas})
	listed := func(name string) bool {
		t.Helper()
		tables, err := control.ListTables(ctx)
		must(t, err)
		for _, table := range tables {
			if table.Name == name {
				if len(table.Envs) != 0 {
					t.Errorf("envs of %q: %v", name, table.Envs)
				}
				return true
			}
		}
		return false
	}
	if !listed("temp") {
		t.Error("no table temp")
	}
	must(t, control.CreateTable(ctx, "come_and_go", 4))
	if !listed("come_and_go") {
		t.Error("not listed after its creation")
	}
	wantCode(t, "creating it twice", control.CreateTable(ctx, "come_and_go", 4), "ERR_APP_EXIST")
	must(t, control.DropTable(ctx, "come_and_go"))
	if listed("come_and_go") {
		t.Error("listed after its removal")
	}
	must(t, control.DropTable(ctx, "come_and_go"))
	wantCode(t, "no partitions", control.CreateTable(ctx, "without_partitions", 0), "ERR_INVALID_PARAMETERS")
}

func TestUnknownTable(t *testing.T) {
	ctx := within(t, 10*time.Second)
	_, err := openClient(t).OpenTable(ctx, "no_such_table")
	invalid(t, err, "ERR_OBJECT_NOT_FOUND")
}

func TestOpeningATableTwice(t *testing.T) {
	ctx := within(t, 10*time.Second)
	client := openClient(t)
	first, err := client.OpenTable(ctx, "temp")
	must(t, err)
	second, err := client.OpenTable(ctx, "temp")
	must(t, err)
	if first != second {
		t.Error("two connectors for one name")
	}
	must(t, first.Close())
}

func TestTableMadeAnew(t *testing.T) {
	ctx, table := openFresh(t, 4)
	name := strings.ToLower(t.Name())
	must(t, table.Set(ctx, b("h"), b("s"), b("old")))
	control := admin.NewClient(admin.Config{MetaServers: metas})
	must(t, control.DropTable(ctx, name))
	must(t, control.CreateTable(ctx, name, 4))
	// The new table has a new id. The client learns it in the background after
	// a call with the old one has failed.
	for begin := time.Now(); ; {
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		value, err := table.Get(short, b("h"), b("s"))
		cancel()
		if err == nil {
			if value != nil {
				t.Errorf("a row of the dropped table: %q", value)
			}
			break
		}
		if time.Since(begin) > 15*time.Second {
			t.Fatalf("still %v", err)
		}
	}
}

func TestPartitionConfiguration(t *testing.T) {
	ctx := within(t, 10*time.Second)
	config, err := openMeta(t).QueryConfig(ctx, "temp")
	must(t, err)
	if config.Err.Errno != "ERR_OK" || config.PartitionCount != 8 || len(config.Partitions) != 8 ||
		!config.IsStateful || config.AppID <= 0 {
		t.Fatalf("configuration %v", config)
	}
	for i, partition := range config.Partitions {
		if partition.Pid.Appid != config.AppID || int(partition.Pid.PartitionIndex) != i {
			t.Errorf("partition %d has the id %v", i, partition.Pid)
		}
		if partition.Ballot <= 0 || partition.MaxReplicaCount != 3 || len(partition.Secondaries) != 2 {
			t.Errorf("partition %d: %v", i, partition)
		}
		seen := map[string]bool{partition.Primary.GetAddress(): true}
		for _, secondary := range partition.Secondaries {
			seen[secondary.GetAddress()] = true
		}
		for _, node := range []string{"127.0.0.1:34801", "127.0.0.1:34802", "127.0.0.1:34803"} {
			if !seen[node] {
				t.Errorf("partition %d is not on %s: %v", i, node, seen)
			}
		}
	}
	config, err = openMeta(t).QueryConfig(ctx, "no_such_table")
	must(t, err)
	if config.Err.Errno != "ERR_OBJECT_NOT_FOUND" || len(config.Partitions) != 0 {
		t.Errorf("configuration of an unknown table: %v", config)
	}
}

func TestCreateAndDropRules(t *testing.T) {
	ctx := within(t, 10*time.Second)
	meta := openMeta(t)
	first, err := meta.CreateApp(ctx, createRequest("rules", 4, false))
	must(t, err)
	again, err := meta.CreateApp(ctx, createRequest("rules", 4, true))
	must(t, err)
	if again.Appid != first.Appid {
		t.Errorf("id %d, then %d", first.Appid, again.Appid)
	}
	_, err = meta.CreateApp(ctx, createRequest("rules", 8, true))
	wantCode(t, "other options", err, "ERR_INVALID_PARAMETERS")
	_, err = meta.CreateApp(ctx, createRequest("rules", 4, false))
	wantCode(t, "it exists", err, "ERR_APP_EXIST")

	_, err = meta.DropApp(ctx, &idl.DropAppRequest{AppName: "rules", Options: &idl.DropAppOptions{}})
	must(t, err)
	_, err = meta.DropApp(ctx, &idl.DropAppRequest{AppName: "rules", Options: &idl.DropAppOptions{}})
	wantCode(t, "dropping it twice", err, "ERR_APP_NOT_EXIST")
	_, err = meta.DropApp(ctx, &idl.DropAppRequest{AppName: "rules", Options: &idl.DropAppOptions{SuccessIfNotExist: true}})
	must(t, err)

	next, err := meta.CreateApp(ctx, createRequest("rules", 4, false))
	must(t, err)
	if next.Appid == first.Appid {
		t.Errorf("the id %d is used again", first.Appid)
	}
	_, err = meta.DropApp(ctx, &idl.DropAppRequest{AppName: "rules", Options: &idl.DropAppOptions{}})
	must(t, err)
}

func TestDroppedTablesStayListed(t *testing.T) {
	ctx := within(t, 10*time.Second)
	meta := openMeta(t)
	created, err := meta.CreateApp(ctx, createRequest("listed", 4, false))
	must(t, err)
	reserve := int64(3600)
	_, err = meta.DropApp(ctx, &idl.DropAppRequest{AppName: "listed", Options: &idl.DropAppOptions{ReserveSeconds: &reserve}})
	must(t, err)
	for status, want := range map[idl.AppStatus]bool{
		idl.AppStatus_AS_AVAILABLE: false, idl.AppStatus_AS_INVALID: true, idl.AppStatus_AS_DROPPED: true,
	} {
		list, err := meta.ListApps(ctx, &idl.ListAppsRequest{Status: status})
		must(t, err)
		found := false
		for _, info := range list.Infos {
			if info.AppID == created.Appid {
				found = true
				if info.Status != idl.AppStatus_AS_DROPPED || info.AppName != "listed" || info.PartitionCount != 4 {
					t.Errorf("listed as %v", info)
				}
			}
		}
		if found != want {
			t.Errorf("listed with status %v: %v, want %v", status, found, want)
		}
	}
}

func TestNodes(t *testing.T) {
	ctx := within(t, 10*time.Second)
	meta := openMeta(t)
	for _, status := range []idl.NodeStatus{idl.NodeStatus_NS_INVALID, idl.NodeStatus_NS_ALIVE} {
		nodes, err := meta.ListNodes(ctx, &idl.ListNodesRequest{Status: status})
		must(t, err)
		var found []string
		for _, node := range nodes.Infos {
			found = append(found, fmt.Sprintf("%s %s", node.Address.GetAddress(), node.Status))
		}
		if len(found) != 3 {
			t.Errorf("nodes with status %v: %v", status, found)
		}
		for _, address := range []string{"127.0.0.1:34801", "127.0.0.1:34802", "127.0.0.1:34803"} {
			if !strings.Contains(strings.Join(found, ","), address+" NS_ALIVE") {
				t.Errorf("%s is not alive: %v", address, found)
			}
		}
	}
	none, err := meta.ListNodes(ctx, &idl.ListNodesRequest{Status: idl.NodeStatus_NS_UNALIVE})
	must(t, err)
	if len(none.Infos) != 0 {
		t.Errorf("dead nodes: %v", none.Infos)
	}
}

func TestClusterInfo(t *testing.T) {
	ctx := within(t, 10*time.Second)
	info, err := openMeta(t).QueryClusterInfo(ctx, &idl.ClusterInfoRequest{})
	must(t, err)
	if len(info.Keys) != len(info.Values) {
		t.Fatalf("%d keys, %d values", len(info.Keys), len(info.Values))
	}
	for _, want := range []string{"meta_servers", "primary_meta_server", "cluster_name"} {
		found := false
		for i, key := range info.Keys {
			found = found || key == want && info.Values[i] != ""
		}
		if !found {
			t.Errorf("no %s in %v %v", want, info.Keys, info.Values)
		}
	}
}

func TestRemoteCommand(t *testing.T) {
	ctx := within(t, 10*time.Second)
	for node, kind := range map[string]session.NodeType{
		"127.0.0.1:34601": session.NodeTypeMeta,
		"127.0.0.1:34801": session.NodeTypeReplica,
		"127.0.0.1:34802": session.NodeTypeReplica,
		"127.0.0.1:34803": session.NodeTypeReplica,
	} {
		for _, command := range []string{"help", "no-such-command"} {
			text, err := admin.NewRemoteCmdClient(node, kind).Call(ctx, command, []string{})
			must(t, err)
			if text == "" {
				t.Errorf("%s at %s says nothing", command, node)
			}
		}
	}
	command := &admin.RemoteCommand{Command: "server-info", Arguments: []string{}}
	node := session.NewNodeSession("127.0.0.1:34801", session.NodeTypeReplica)
	defer node.Close()
	if text, err := command.Call(ctx, node); err != nil || text == "" {
		t.Errorf("server-info says %q, %v", text, err)
	}
}
