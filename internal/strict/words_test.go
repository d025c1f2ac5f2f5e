package strict_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
)

// Whoever wrote the text hears what stands where, and what must stand there.
func TestWhatIsNoJSONIsSaidInWordsForItsWriter(t *testing.T) {
	for text, want := range map[string]string{
		``:                         "not JSON: it is empty",
		`{"accuracy":0.9`:          "not JSON: it ends too early; a quote, bracket or brace is open, in {\"accuracy\":0.9",
		`{"accuracy":NaN}`:         `not JSON: 'N' stands at byte 13, where a value must be: a number,`,
		`nope`:                     "in what is neither a number nor true, false or null; a text is in double quotes",
		`{'accuracy':0.9}`:         `'\'' stands at byte 2, where a name in double quotes must be`,
		`{"accuracy" 0.9}`:         `'0' stands at byte 13, where a colon must be`,
		"{\n\"a\":1\n\"b\":2}":     `'"' stands at line 3, byte 1, where a comma or } must be`,
		`[1 2]`:                    `'2' stands at byte 4, where a comma or ] must be`,
		`{} {}`:                    `'{' stands at byte 4, behind the end`,
		"{\"a\":\"one\ntwo\"}":     `'\n' stands at byte 10, in a text, where it must be escaped`,
		`{"a":"\d"}`:               `'d' stands at byte 8, behind a backslash, where it means nothing`,
		`{"a":"\u00g0"}`:           `'g' stands at byte 11, in \u, which four hexadecimal digits must follow`,
		`{"a":1.x}`:                `'x' stands at byte 8, where a digit must be`,
		`{"a":1ex}`:                `'x' stands at byte 8, where a digit must be`,
		`{"a":-x}`:                 `'x' stands at byte 7, in a number`,
		`{"model_name":"a","b":é}`: `'é' stands at byte 23, where a value must be`,
	} {
		err := json.Unmarshal([]byte(text), new(any))
		require.Error(t, err, text)
		assert.ErrorContains(t, strict.Got(err, []byte(text)), want, text)
	}
}

// No word of encoding/json is left, whatever stands there.
func TestNoWordOfTheDecoderLeaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		good := rapid.SampledFrom([]string{`{"a":[1,2.5e3,"x\n",true,null],"b":{"c":"é"}}`, `[{"a":1},{"a":-2}]`, `"text"`}).Draw(t, "good")
		text := []byte(good)
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		if rapid.Bool().Draw(t, "cut") {
			text = text[:at]
		} else {
			text[at] = rapid.Byte().Draw(t, "byte")
		}
		err := json.Unmarshal(text, new(any))
		if err == nil {
			return
		}

		said := strict.Got(err, text).Error()
		assert.NotContains(t, said, "invalid character")
		assert.NotContains(t, said, "unexpected end")
		assert.NotContains(t, said, "where it must not be", "each place has words")
		assert.NotContains(t, said, "\n")
		assert.Equal(t, plain.Text(said), said, "no character moves the cursor")
	})
}

type inner struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

type outer struct {
	One  inner   `json:"one"`
	Many []inner `json:"many"`
	May  *inner  `json:"may"`
	Rate float64 `json:"rate"`
}

func TestAStructIsReadWithEveryFaultAtItsPath(t *testing.T) {
	var read outer
	require.NoError(t, strict.Struct([]byte(`{"one":{"name":"a","tags":["x"]},"many":[{"name":"b"}],"may":null,"rate":0.5}`), "", &read))
	assert.Equal(t, outer{One: inner{"a", []string{"x"}}, Many: []inner{{Name: "b"}}, Rate: 0.5}, read)
	require.NoError(t, strict.Struct([]byte(`{"may":{"name":"c"}}`), "", &read))
	assert.Equal(t, &inner{Name: "c"}, read.May)

	err := strict.Struct([]byte(`{"one":{"nome":"a","tags":1},"many":[{},{"name":2}],"rates":1,"rate":"x","may":[]}`), "file", &read)
	assert.EqualError(t, err, "file.many[1].name: must be a string, got a number\n"+
		"file.may: must be a JSON object, got a list\n"+
		"file.one.nome: unknown field; did you mean name?\n"+
		"file.one.tags: must be a list, got a number\n"+
		"file.rate: must be a number, got a string\n"+
		"file.rates: unknown field; did you mean rate?")
}
