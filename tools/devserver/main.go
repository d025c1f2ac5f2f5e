// Command temporal is a Temporal server for one machine, with its UI, at a version that
// the official CLI can't be built with yet. It takes the flags of `temporal server
// start-dev` that this repository uses, so that it stands in for the CLI wherever a
// server is started.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/headers"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "temporal:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "--version" {
		fmt.Printf("temporal server %s\n", headers.ServerVersion)
		return nil
	}
	if len(args) < 2 || args[0] != "server" || args[1] != "start-dev" {
		return errors.New("usage: temporal server start-dev [flags], or temporal --version")
	}

	o, err := parse(args[2:])
	if err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return serve(ctx, o)
}

// options are those of the server, by the names of the CLI's flags.
type options struct {
	ip, ui      string
	port        int
	uiPort      int // 1,000 above the server's, unless it is said
	headless    bool
	file        string // of the database; in memory without
	namespaces  []string
	level       string
	isJSON      bool
	dynamic     map[string]any
	searchTypes map[string]enumspb.IndexedValueType
}

func parse(args []string) (options, error) {
	o := options{dynamic: map[string]any{}, searchTypes: map[string]enumspb.IndexedValueType{}, namespaces: []string{"default"}}
	flags := flag.NewFlagSet("start-dev", flag.ContinueOnError)
	flags.StringVar(&o.ip, "ip", "127.0.0.1", "address to listen on")
	flags.StringVar(&o.ui, "ui-ip", "", "address of the UI; the server's, unless it is said")
	flags.IntVar(&o.port, "port", 7233, "port of the server")
	flags.IntVar(&o.uiPort, "ui-port", 0, "port of the UI; 1,000 above the server's, unless it is said")
	flags.BoolVar(&o.headless, "headless", false, "without the UI")
	flags.StringVar(&o.file, "db-filename", "", "file of the database; in memory, unless it is said")
	flags.StringVar(&o.level, "log-level", "warn", "debug, info, warn, error or never")

	flags.Func("log-format", "text or json", func(format string) error {
		o.isJSON = format == "json"
		return nil
	})
	flags.Func("namespace", "a namespace to create, beside default", func(name string) error {
		o.namespaces = append(o.namespaces, name)
		return nil
	})
	flags.Func("dynamic-config-value", "KEY=VALUE, a setting of the server; VALUE is JSON, or text", func(pair string) error {
		key, value, isPair := strings.Cut(pair, "=")
		if !isPair {
			return fmt.Errorf("%q: must be KEY=VALUE", pair)
		}
		o.dynamic[key] = valueOf(value)
		return nil
	})
	flags.Func("search-attribute", "NAME=TYPE, to be known in every namespace", func(pair string) error {
		name, kind, _ := strings.Cut(pair, "=")
		parsed, err := enumspb.IndexedValueTypeFromString(kind)
		o.searchTypes[name] = parsed
		return err
	})

	if err := flags.Parse(args); err != nil {
		return o, err
	}

	if o.ui == "" {
		o.ui = o.ip
	}
	if o.uiPort == 0 {
		o.uiPort = o.port + 1000
	}
	return o, nil
}

// valueOf is a setting's value as the server takes it: a number, a truth value or text.
func valueOf(text string) any {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	if x, err := strconv.ParseFloat(text, 64); err == nil {
		return x
	}
	if b, err := strconv.ParseBool(text); err == nil {
		return b
	}
	return strings.Trim(text, `"`)
}
