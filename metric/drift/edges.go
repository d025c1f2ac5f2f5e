package drift

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
)

// Edges are the inner edges of a metric's bins, ascending. In JSON they are packed, the
// base64 without padding of the floats' bytes. A list of numbers is read, too.
type Edges []float64

// MarshalJSON writes the edges packed.
func (e Edges) MarshalJSON() ([]byte, error) {
	packed := make([]byte, 0, 8*len(e))
	for _, edge := range e {
		packed = binary.LittleEndian.AppendUint64(packed, math.Float64bits(edge))
	}
	return json.Marshal(base64.RawStdEncoding.EncodeToString(packed))
}

// UnmarshalJSON reads what MarshalJSON wrote, or a list of numbers.
func (e *Edges) UnmarshalJSON(data []byte) error {
	var list []float64
	if json.Unmarshal(data, &list) == nil {
		*e = list
		return nil
	}

	var text string
	err := json.Unmarshal(data, &text)
	if err != nil {
		return errors.New("must be a list of numbers")
	}
	packed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(packed)%8 != 0 {
		return errors.New("packed edges: broken off")
	}
	*e = make(Edges, len(packed)/8)
	for i := range *e {
		(*e)[i] = math.Float64frombits(binary.LittleEndian.Uint64(packed[8*i:]))
	}
	return nil
}
