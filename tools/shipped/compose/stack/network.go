package stack

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// network gives each service an address, as a compose network does. Two stacks on
// a machine have different ones, most likely.
type network struct {
	first [2]byte // of 127.x.y.z
	names []string
}

func (n network) address(service string) string {
	return fmt.Sprintf("127.%d.%d.%d", n.first[0], n.first[1], 1+slices.Index(n.names, service))
}

// hosts are variables whose whole value is the name of a service. In others a name
// counts only before a port: POSTGRES_USER, too, is "temporal".
var hosts = []string{"POSTGRES_SEEDS", "SQL_HOST"}

// anyAddress is all of a container's addresses.
const anyAddress = "0.0.0.0"

// resolve is a variable's value with addresses instead of names.
func (n network) resolve(service types.ServiceConfig, name, value string) string {
	if slices.Contains(hosts, name) {
		return n.address(value)
	}
	if value == anyAddress {
		return n.address(service.Name)
	}

	if host, port, err := net.SplitHostPort(value); err == nil {
		if host == anyAddress {
			host = service.Name
		}
		if slices.Contains(n.names, host) {
			return net.JoinHostPort(n.address(host), port)
		}
	}

	for _, own := range service.ExtraHosts["host.docker.internal"] {
		if own == "host-gateway" {
			return strings.ReplaceAll(value, "host.docker.internal", "127.0.0.1")
		}
	}

	return value
}

// local is an argument of a health check, which speaks to its own container.
func (n network) local(service, argument string) string {
	return strings.ReplaceAll(argument, "127.0.0.1", n.address(service))
}
