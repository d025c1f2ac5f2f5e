package otlp

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/modelvigil/modelvigil/metric"
)

// identity tells sources, metrics and streams from each other. It is a hash, so that
// what is remembered of a stream does not grow with its names.
type identity [sha256.Size]byte

// source is what the data points of one resource, or of one of its scopes, have in
// common. It is worked out once, not for each of them: a scope and a resource may have
// megabytes of attributes, and as many scopes and points.
type source struct {
	models, versions []string // what is said around the points, by the mapping's attributes
	identity         identity
}

// resource reads what a resource says.
func (m Mapping) resource(attributes []*common.KeyValue) source {
	return source{valuesOf(m.ModelName, attributes), valuesOf(m.ModelVersion, attributes), sha256.Sum256(canonical(nil, attributes))}
}

// scope reads what a scope of the resource says, and what it leaves to the resource.
func (s source) scope(name string, attributes []*common.KeyValue, m Mapping) source {
	key := canonical(text(s.identity[:], name), attributes)
	return source{
		inherit(valuesOf(m.ModelName, attributes), s.models), inherit(valuesOf(m.ModelVersion, attributes), s.versions), sha256.Sum256(key),
	}
}

// inherit takes from further around what is not said here.
func inherit(own, around []string) []string {
	for i := range own {
		own[i] = cmp.Or(own[i], around[i])
	}
	return own
}

// valuesOf is, for each name, the text of the first attribute that has one.
func valuesOf(names []string, attributes []*common.KeyValue) []string {
	values := make([]string, len(names))
	for _, attribute := range attributes {
		if i := slices.Index(names, attribute.GetKey()); i >= 0 && values[i] == "" {
			values[i] = textOf(attribute.GetValue())
			if isNobody(attribute.GetKey(), values[i]) {
				values[i] = ""
			}
		}
	}
	return values
}

// isNobody says that a service has no name of its own: its SDK makes one up, the same
// for all that have none, such as unknown_service:python.
func isNobody(key, value string) bool {
	return key == "service.name" && (value == "unknown_service" || strings.HasPrefix(value, "unknown_service:"))
}

// series is a metric of a source, and what the mapping makes of it.
type series struct {
	source
	mapping Mapping
	metric  string
	reading string
	scale   float64 // of a value, to what the reading's name promises
	isNamed bool    // by the mapping; else only points are taken that name their model themselves
}

func (s source) of(m *metrics.Metric, mapping Mapping) series {
	reading, isNamed := mapping.Metrics[m.GetName()]
	if !isNamed {
		reading = m.GetName()
		reading = reading[:min(len(reading), metric.MaxNameBytes+1)] // longer ones are refused as well
	}
	s.identity = sha256.Sum256(text(s.identity[:], m.GetName()))
	return series{s, mapping, m.GetName(), reading, scaleOf(m.GetUnit(), reading), isNamed}
}

// event is that of a data point, without a reading. It is none where the point is
// about no model.
func (s *series) event(p streamPoint) (event metric.Event, isOne bool) {
	models := valuesOf(s.mapping.ModelName, p.GetAttributes())
	if !s.isNamed && !slices.ContainsFunc(models, isSet) {
		return event, false
	}
	event.ModelName = first(models, s.models)
	event.ModelVersion = first(valuesOf(s.mapping.ModelVersion, p.GetAttributes()), s.versions)
	if nano := p.GetTimeUnixNano(); nano > 0 {
		event.Timestamp = time.Unix(0, int64(min(nano, 1<<63-1))).UTC()
	}
	return event, event.ModelName != ""
}

func isSet(value string) bool { return value != "" }

// first is the value of the first attribute that the point has, or else its source.
func first(own, inherited []string) string {
	for i := range own {
		if own[i] != "" {
			return own[i]
		}
		if inherited[i] != "" {
			return inherited[i]
		}
	}
	return ""
}

// streamPoint is what all kinds of points have.
type streamPoint interface {
	GetAttributes() []*common.KeyValue
	GetStartTimeUnixNano() uint64
	GetTimeUnixNano() uint64
	GetFlags() uint32
}

// stream identifies a point's stream. Its start is part of it: processes that have
// all attributes in common, or one that began anew, differ by it.
func (s *series) stream(p streamPoint) identity {
	key := append([]byte{kindOf(p)}, s.identity[:]...)
	key = binary.BigEndian.AppendUint64(key, p.GetStartTimeUnixNano())
	return sha256.Sum256(canonical(key, p.GetAttributes()))
}

func kindOf(p streamPoint) byte {
	switch p.(type) {
	case *metrics.HistogramDataPoint:
		return 'h'
	case *metrics.ExponentialHistogramDataPoint:
		return 'e'
	}
	return 'n'
}

// canonical appends attributes so that lists differ just where what they say does.
func canonical(key []byte, attributes []*common.KeyValue) []byte {
	sorted := slices.Clone(attributes)
	slices.SortStableFunc(sorted, func(a, b *common.KeyValue) int { return strings.Compare(a.GetKey(), b.GetKey()) })
	key = binary.AppendUvarint(key, uint64(len(sorted)))
	for _, attribute := range sorted {
		value, err := proto.MarshalOptions{Deterministic: true}.Marshal(attribute.GetValue())
		if err != nil { // text that is not UTF-8, which no decoder lets through
			continue
		}
		key = text(text(key, attribute.GetKey()), string(value))
	}

	return key
}

// text appends a text with its length.
func text(key []byte, value string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(value))), value...)
}
