package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
)

// serve runs the server until ctx ends. One process has all services and one shard, as
// a server for one machine does.
func serve(ctx context.Context, o options) error {
	database, err := o.database()
	if err != nil {
		return err
	}
	settings, err := o.config(database)
	if err != nil {
		return err
	}

	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{Stdout: true, Level: o.levelOfServer(), Format: o.format()}))
	server, err := temporal.NewServer(
		temporal.WithConfig(settings),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(o.dynamicConfig()),
	)
	if err != nil {
		return fmt.Errorf("make the server: %w", err)
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("start the server on %s: %w", o.address(), err)
	}

	failed := make(chan error, 1)
	if !o.headless {
		ui := uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
			Host: o.ui, Port: o.uiPort, TemporalGRPCAddress: o.address(), EnableUI: true, HideLogs: true,
			CORS: uiconfig.CORS{CookieInsecure: true},
		}))
		go func() { failed <- ui.Start() }()
		defer ui.Stop()
	}
	fmt.Printf("Temporal server on %s\n", o.address())

	select {
	case <-ctx.Done():
		return server.Stop()
	case err := <-failed:
		return errors.Join(fmt.Errorf("serve the UI on %s:%d: %w", o.ui, o.uiPort, err), server.Stop())
	}
}

func (o options) address() string { return net.JoinHostPort(o.ip, strconv.Itoa(o.port)) }

func (o options) format() string {
	if o.isJSON {
		return "json"
	}
	return "console"
}

// levelOfServer is the level by the server's name. It knows no "never".
func (o options) levelOfServer() string {
	if o.level == "never" {
		return "fatal"
	}
	return o.level
}

// dynamicConfig are the server's settings: those that were asked for, and the bounds
// that are meant for many users of one cluster lifted, as the CLI does.
func (o options) dynamicConfig() dynamicconfig.StaticClient {
	settings := dynamicconfig.StaticClient{
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():                 8096,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
	}
	for key, value := range o.dynamic {
		settings[dynamicconfig.MakeKey(key)] = value
	}
	return settings
}

// database is where everything is kept, with its schema and its namespaces.
func (o options) database() (*config.SQL, error) {
	store := &config.SQL{PluginName: sqliteplugin.PluginName, DatabaseName: o.file, ConnectAttributes: map[string]string{"mode": "rwc"}}
	_, err := os.Stat(o.file)
	switch {
	case o.file == "":
		store.DatabaseName = "modelvigil"
		store.ConnectAttributes = map[string]string{"mode": "memory", "cache": "shared"}
	case errors.Is(err, fs.ErrNotExist):
		if err := sqlite.SetupSchema(store); err != nil {
			return nil, fmt.Errorf("set up the database in %s: %w", o.file, err)
		}
	case err != nil:
		return nil, fmt.Errorf("open the database: %w", err)
	default:
		if err := forgetMembers(o.file); err != nil {
			return nil, fmt.Errorf("forget who served the database in %s before: %w", o.file, err)
		}
	}

	var namespaces []*sqlite.NamespaceConfig
	slices.Sort(o.namespaces)
	for _, name := range slices.Compact(o.namespaces) {
		namespace, err := sqlite.NewNamespaceConfig(clusterName, name, false, o.searchTypes)
		if err != nil {
			return nil, fmt.Errorf("namespace %q: %w", name, err)
		}
		namespaces = append(namespaces, namespace)
	}
	if err := sqlite.CreateNamespaces(store, namespaces...); err != nil {
		return nil, fmt.Errorf("create namespaces: %w", err)
	}
	return store, nil
}

// forgetMembers lets a server not look for the one before it, of which nothing is left: one
// that was killed has said good-bye to nobody, and its ports may be somebody else's by now,
// who never answers.
func forgetMembers(file string) error {
	database, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	_, err = database.Exec("DELETE FROM cluster_membership")
	return errors.Join(err, database.Close())
}

const clusterName = "active"

func (o options) config(database *config.SQL) (*config.Config, error) {
	ports, err := freePorts(o.ip, 4)
	if err != nil {
		return nil, err
	}

	var c config.Config
	c.Global.Membership.MaxJoinDuration = 30 * time.Second
	c.Global.Membership.BroadcastAddress = o.ip
	c.Persistence = config.Persistence{
		DefaultStore: "sqlite", VisibilityStore: "sqlite", NumHistoryShards: 1,
		DataStores: map[string]config.DataStore{"sqlite": {SQL: database}},
	}
	c.ClusterMetadata = &cluster.Config{
		FailoverVersionIncrement: 10, MasterClusterName: clusterName, CurrentClusterName: clusterName,
		ClusterInformation: map[string]cluster.ClusterInformation{
			clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: o.address()},
		},
	}

	c.DCRedirectionPolicy.Policy = "noop"
	c.Archival = config.Archival{History: config.HistoryArchival{State: "disabled"}, Visibility: config.VisibilityArchival{State: "disabled"}}
	c.NamespaceDefaults.Archival = config.ArchivalNamespaceDefaults{
		History: config.HistoryArchivalNamespaceDefaults{State: "disabled"}, Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
	}

	c.PublicClient.HostPort = o.address()
	c.Services = map[string]config.Service{"frontend": {RPC: config.RPC{GRPCPort: o.port, HTTPPort: ports[0], BindOnIP: o.ip}}}
	for i, service := range []string{"history", "matching", "worker"} {
		port := ports[i+1]
		c.Services[service] = config.Service{RPC: config.RPC{GRPCPort: port, MembershipPort: 0, BindOnIP: o.ip}}
	}
	return &c, nil
}

// freePorts are ports that nobody listens on, below those that systems give to
// connections: none is taken before the server listens.
func freePorts(ip string, n int) (ports []int, err error) {
	const lowest, span, tries = 10_000, 20_000, 100
	for range tries {
		port := lowest + rand.IntN(span)
		var listener net.Listener
		listener, err = net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
		if err != nil {
			continue
		}

		defer func() { _ = listener.Close() }() // when all are known, or two would be the same
		ports = append(ports, port)
		if len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("find free ports on %s: %w", ip, err)
}
