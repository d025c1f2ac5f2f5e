package input

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func readAll(t *testing.T, r io.Reader) (read []string, numbers []int) {
	t.Helper()
	in := NewLines(t.Context(), r)
	for {
		line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return read, numbers
		}
		if err != nil {
			line = []byte(err.Error())
		}
		read, numbers = append(read, string(line)), append(numbers, in.Number)
	}
}

func TestLines(t *testing.T) {
	fits := strings.Repeat("x", maxLineBytes-1)
	long := strings.Repeat("x", 3*maxLineBytes)
	tests := map[string]struct {
		text    string
		lines   []string
		numbers []int
	}{
		"nothing":                         {"", nil, nil},
		"the last line needs no end":      {"a\nb", []string{"a", "b"}, []int{1, 2}},
		"blank lines count, and are left": {"\na\n \t\r\nb\r\n\n", []string{"a", "b"}, []int{2, 4}},
		"the longest line":                {fits + "\nb\n", []string{fits, "b"}, []int{1, 2}},
		"a line too long is passed over":  {"a\n" + long + "\nb\n", []string{"a", ErrLongLine.Error(), "b"}, []int{1, 2, 3}},
		"a last line that is too long":    {"a\n" + long, []string{"a", ErrLongLine.Error()}, []int{1, 2}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(test.text), iotest.HalfReader(strings.NewReader(test.text)), iotest.DataErrReader(strings.NewReader(test.text))} {
				read, numbers := readAll(t, r)
				require.Equal(t, test.lines, read)
				require.Equal(t, test.numbers, numbers)
			}
		})
	}
}

func TestLinesEndWithTheContextWhileNothingComes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	defer func() { _ = writer.Close() }()
	in := NewLines(ctx, reader)
	go func() {
		_, _ = io.WriteString(writer, "a\nhalf a li")
		cancel()
	}()
	var lines []string
	for {
		line, err := in.Next()
		if err != nil {
			require.ErrorIs(t, err, context.Canceled, "half a line is not an event")
			break
		}
		lines = append(lines, string(line))
	}
	require.Subset(t, []string{"a"}, lines)
}

func TestLinesTellAReadErrorFromTheEnd(t *testing.T) {
	broken := errors.New("disk is gone")
	in := NewLines(t.Context(), io.MultiReader(strings.NewReader("a\nhal"), iotest.ErrReader(broken)))
	_, err := in.Next()
	require.NoError(t, err)
	_, err = in.Next()
	require.ErrorIs(t, err, broken)
}
