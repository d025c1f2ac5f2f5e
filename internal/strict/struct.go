package strict

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Struct reads a JSON object into the struct that into points to, by its json tags,
// and names each fault with its path: of nested structs, and of lists of them, too. A
// type that reads itself (json.Unmarshaler, encoding.TextUnmarshaler) does so.
func Struct(data []byte, path string, into any) error {
	return decodeInto(data, path, reflect.ValueOf(into).Elem())
}

func decodeInto(data []byte, path string, value reflect.Value) error {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) || readsItself(value) {
		return decodeField(data, path, value.Addr().Interface())
	}

	switch value.Kind() {
	case reflect.Struct:
		fields := Fields{}
		for i := range value.NumField() {
			name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
			fields[name] = Nested(func(data []byte, path string) error { return decodeInto(data, path, value.Field(i)) })
		}
		return Decode(data, path, fields)
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		return decodeInto(data, path, value.Elem())
	case reflect.Slice:
		return decodeList(data, path, value)
	}

	return decodeField(data, path, value.Addr().Interface())
}

func decodeList(data []byte, path string, list reflect.Value) error {
	if n := CountMembers(data); n > maxListElements {
		return At(path, fmt.Errorf("must be a list of at most %d elements, got %d", maxListElements, n))
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return At(path, Got(err, data))
	}

	var faults Faults
	list.Set(reflect.MakeSlice(list.Type(), len(raw), len(raw)))
	for i := range raw {
		faults.Add("", decodeInto(raw[i], fmt.Sprintf("%s[%d]", path, i), list.Index(i)))
	}
	return faults.Err()
}

func readsItself(value reflect.Value) bool {
	switch value.Addr().Interface().(type) {
	case json.Unmarshaler, encoding.TextUnmarshaler:
		return true
	}
	return false
}
