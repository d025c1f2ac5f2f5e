package drift

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"

	"github.com/modelvigil/modelvigil/metric"
)

// Edges are the inner edges of a metric's bins, ascending. In JSON they are packed:
// those that are boundaries of a sketch by the bins above them, and otherwise by the
// floats' bytes. A list of numbers is read, too.
type Edges []float64

// MarshalJSON writes the edges packed.
func (e Edges) MarshalJSON() ([]byte, error) {
	packed := []byte{byBins}
	before := metric.SketchBin(0)
	for _, edge := range e {
		bin := metric.SketchBinOf(edge)
		if bin.Floor() != edge {
			return e.marshalFloats()
		}
		packed = binary.AppendVarint(packed, int64(bin-before))
		before = bin
	}

	return json.Marshal(unpadded(packed))
}

// How edges are packed.
const (
	byBins   = 'b'
	byFloats = 'f'
)

func (e Edges) marshalFloats() ([]byte, error) {
	packed := []byte{byFloats}
	for _, edge := range e {
		packed = binary.LittleEndian.AppendUint64(packed, math.Float64bits(edge))
	}
	return json.Marshal(unpadded(packed))
}

// UnmarshalJSON reads what MarshalJSON wrote, or a list of numbers.
func (e *Edges) UnmarshalJSON(data []byte) error {
	var list []float64
	if json.Unmarshal(data, &list) == nil {
		*e = list
		return nil
	}

	var packed unpadded
	err := json.Unmarshal(data, &packed)
	if err != nil || len(packed) == 0 {
		return errors.New("must be a list of numbers")
	}
	*e = nil
	r := reader{left: packed[1:]}
	bin := metric.SketchBin(0)
	for len(r.left) > 0 && !r.isBroken {
		if packed[0] == byBins {
			bin += metric.SketchBin(r.signed()) //nolint:gosec // our own writing
			*e = append(*e, bin.Floor())
			continue
		}
		if len(r.left) < 8 {
			r.isBroken = true
			continue
		}
		*e = append(*e, math.Float64frombits(binary.LittleEndian.Uint64(r.left)))
		r.left = r.left[8:]
	}

	if r.isBroken {
		return errors.New("packed edges: broken off")
	}
	return nil
}

// unpadded are bytes that are text in JSON: base64 without padding.
type unpadded []byte

// MarshalJSON writes the text.
func (u unpadded) MarshalJSON() ([]byte, error) {
	return json.Marshal(base64.RawStdEncoding.EncodeToString(u))
}

// UnmarshalJSON reads the text.
func (u *unpadded) UnmarshalJSON(data []byte) error {
	var text string
	err := json.Unmarshal(data, &text)
	if err != nil {
		return err
	}
	*u, err = base64.RawStdEncoding.DecodeString(text)
	return err
}
