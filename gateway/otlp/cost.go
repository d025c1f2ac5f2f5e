package otlp

import (
	"fmt"
	"reflect"
	"sync"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

const (
	// maxDepth bounds how deep values are nested in values: an attribute of lists.
	maxDepth = 100
	// elementBytes is what an element of a list takes, with what a growing list
	// leaves unused; textBytes what a text takes beside its own.
	elementBytes = 16
	textBytes    = 32
	// largestMessage is what any message of OTLP's metrics takes, at most;
	// TestNoMessageIsLargerThanIsCounted holds it.
	largestMessage = 256
)

// costOf is how many bytes of memory a body becomes when it is decoded, at most. It
// is asked first: an empty data point is 2 bytes on the wire and 200 in memory.
type costOf func(body []byte) (int64, error)

var errTooDeep = fmt.Errorf("is nested deeper than %d", maxDepth)

// protobufCost walks the messages of a request in their wire form.
func protobufCost(body []byte) (int64, error) {
	return messageCost(body, (&collector.ExportMetricsServiceRequest{}).ProtoReflect().Descriptor(), 0)
}

func messageCost(body []byte, message protoreflect.MessageDescriptor, depth int) (cost int64, err error) {
	if depth > maxDepth {
		return 0, errTooDeep
	}

	for cost = sizeOf(message); len(body) > 0; {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}

		body = body[n:]
		n = protowire.ConsumeFieldValue(number, kind, body)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}

		value := body[:n]
		body = body[n:]

		field := message.Fields().ByNumber(number)
		switch {
		case field == nil: // it is passed over
		case kind != protowire.BytesType:
			cost += elementBytes
		case field.Kind() == protoreflect.MessageKind:
			within, _ := protowire.ConsumeBytes(value)
			part, err := messageCost(within, field.Message(), depth+1)
			if err != nil {
				return 0, err
			}
			cost += elementBytes + part
		case field.Kind() == protoreflect.StringKind, field.Kind() == protoreflect.BytesKind:
			cost += textBytes + int64(n)
		default: // a list of numbers, of which each has a byte at least
			cost += elementBytes * int64(n)
		}
	}

	return cost, nil
}

var sizes sync.Map // of messages in memory, by their full names

// sizeOf is how much memory a message takes without what it points to.
func sizeOf(message protoreflect.MessageDescriptor) int64 {
	if known, ok := sizes.Load(message.FullName()); ok {
		return known.(int64)
	}
	size := int64(largestMessage)
	if kind, err := protoregistry.GlobalTypes.FindMessageByName(message.FullName()); err == nil {
		size = int64(reflect.TypeOf(kind.Zero().Interface()).Elem().Size()) + elementBytes //nolint:gosec // some hundred; a oneof's value is boxed
	}
	sizes.Store(message.FullName(), size)
	return size
}

// jsonCost counts what may become messages, elements and texts.
func jsonCost(body []byte) (cost int64, err error) {
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			start := i
			for i++; i < len(body) && body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
			cost += textBytes + int64(i-start)
		case '{', '[':
			cost += largestMessage
			depth++
		case ']', '}':
			depth--
		case ',':
			cost += elementBytes
		}

		if depth > 4*maxDepth {
			return 0, errTooDeep
		}
	}

	return cost, nil
}
