package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/toll"
)

// raw sends bytes as they are, and returns the status of each answer.
func (s *served) raw(t testing.TB, text string) (statuses []int) {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	_, err = connection.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, connection.(*net.TCPConn).CloseWrite())
	answers := bufio.NewReader(connection)
	for {
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return statuses
		}
		_ = answer.Body.Close()
		statuses = append(statuses, answer.StatusCode)
	}
}

func TestRequestsThatTwoReadersWouldReadDifferentlyAreRefused(t *testing.T) {
	s := serveTwo(t, Options{})
	head := "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: " + owner + "\r\nContent-Type: application/json\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len(good))
	require.Equal(t, 202, s.ask(t, "/v1/events", good, contentType, typeJSON, "Authorization", owner).status)
	for name, request := range map[string]string{
		"two lengths":             head + length + "Content-Length: 3\r\n\r\n" + good,
		"a negative length":       head + "Content-Length: -1\r\n\r\n" + good,
		"a length with a sign":    head + fmt.Sprintf("Content-Length: +%d\r\n\r\n", len(good)) + good,
		"an encoding nobody has":  head + "Transfer-Encoding: cow\r\n\r\n" + good,
		"an encoding in disguise": head + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
		"a header with a gap":     head + "Content-Length : 3\r\n\r\n" + good,
		"no host":                 "POST /v1/events HTTP/1.1\r\nAuthorization: " + owner + "\r\n\r\n",
		"two hosts":               "POST /v1/events HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"two tokens":              head + "Authorization: " + stranger + "\r\n" + length + "\r\n" + good,
		"the same token twice":    head + "Authorization: " + owner + "\r\n" + length + "\r\n" + good,
		"chunks that are none":    head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + good,
	} {
		for _, status := range s.raw(t, request) {
			assert.GreaterOrEqual(t, status, 400, name)
		}
	}
	assert.EqualValues(t, 1, s.parties.of(s.hub, "owner").accepted.Load(), "nothing but the first was taken")
}

// A proxy in front may go by the one length, this server goes by the other: what it takes
// for the next request of the connection has no token of the one before.
func TestARequestWithinABodyHasNoRightsOfThatBody(t *testing.T) {
	s := serveTwo(t, Options{})
	within := fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(good), good)
	for name, lengths := range map[string]string{
		"a length, then chunks":  fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", 5+len(within)),
		"chunks, then a length":  fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n", 5+len(within)),
		"chunks, written oddly":  fmt.Sprintf("Transfer-Encoding: CHUNKED\r\nContent-Length: %d\r\n", 5+len(within)),
		"a length that is short": "Content-Length: 5\r\n",
	} {
		statuses := s.raw(t, "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: "+owner+"\r\nContent-Type: application/json\r\n"+lengths+"\r\n0\r\n\r\n"+within)
		require.NotEmpty(t, statuses, name)
		for _, status := range statuses {
			assert.GreaterOrEqual(t, status, 400, name)
		}
	}
	require.NoError(t, s.hub.Flush(t.Context()))
	assert.Zero(t, s.temporal.all())
}

func TestNoSpellingOfAPathOrAModelLeadsElsewhere(t *testing.T) {
	s := serveTwo(t, Options{})
	for _, path := range []string{"//v1/events", "/v1/../v1/events", "/v1/%65vents/", "/v1/events/", "/v1/events/..", "/V1/events", "/v1/events%00", "/v1//events", "/%2e%2e/etc/passwd"} {
		statuses := s.raw(t, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(good), good))
		require.NotEmpty(t, statuses, path)
		assert.GreaterOrEqual(t, statuses[0], 300, path)
	}
	assert.Equal(t, []int{401}, s.raw(t, fmt.Sprintf("POST /v1/%%65vents HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(good), good)), "another spelling is the same path, and asks for a token")
	for _, event := range []string{
		`{"model_name":"fraud"}`, `{"model_name":"other","model_name":"fraud"}`, `{"model_name":"other","MODEL_NAME":"fraud"}`,
		`{"MODEL_NAME":"fraud"}`, `{"model_name":"fr\u0061ud"}`, `{"model_name":"other/../fraud"}`, `{"model_name":"other/fraud"}`, `{"model_name":"other\u0000"}`,
	} {
		assert.Zero(t, s.ask(t, "/v1/events", `{"model_name":"other-1"}`, contentType, typeJSON, "Authorization", owner).Accepted)
		s.ask(t, "/v1/events", event, contentType, typeJSON, "Authorization", stranger)
	}
	require.NoError(t, s.hub.Flush(t.Context()))
	assert.Zero(t, s.temporal.counted("fraud"), "a token publishes to its models alone, however they are written")
}

func TestACloudEventsTimeIsHeldToTheClockToo(t *testing.T) {
	s := serve(t, Options{})
	for _, mode := range []string{"binary", "structured"} {
		for when, status := range map[time.Time]int{time.Now(): 202, time.Now().Add(time.Hour): 422, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC): 422} {
			body, headers := `{"model_name":"fraud"}`, []string{contentType, typeJSON, "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", "t", "ce-time", when.Format(time.RFC3339)}
			if mode == "structured" {
				body, headers = `{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"`+when.Format(time.RFC3339)+`","data":`+body+`}`, []string{contentType, typeCloud}
			}
			assert.Equal(t, status, s.ask(t, "/v1/events", body, headers...).status, "%s %v", mode, when)
		}
	}
}

// mostOfABody is what a body may cost. At most maxListed events are explained, at some 40
// KiB each; the rest costs a constant times what was sent.
var mostOfABody = toll.Most{BytesPerByte: 200, Bytes: maxListed * 40 << 10, WorkPerByte: 2000, Work: 64 << 20}

func TestAMediaTypeIsBounded(t *testing.T) {
	var parameters strings.Builder
	for i := 0; parameters.Len() < 1<<20; i++ {
		fmt.Fprintf(&parameters, ";a%d*0=1", i)
	}
	body := `{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"application/json` + parameters.String() + `","data":` + good + `}`
	s := serve(t, Options{})
	in := &intake{hub: s.hub, party: s.parties.of(s.hub, ""), body: []byte(body)}
	most := toll.Most{BytesPerByte: 10, Bytes: 1 << 20, WorkPerByte: 200, Work: 16 << 20}
	most.Hold(t, len(body), func() {
		taking := &taking{gateway: s.Gateway, in: in, decoder: newDecoder(), publish: in.party.account.Publish, outcome: newOutcome(), now: time.Now()}
		assert.Nil(t, taking.take(t.Context(), form{media: typeCloud}))
		assert.Zero(t, taking.outcome.Accepted)
		assert.Contains(t, taking.outcome.Rejected[0].Reason, "datacontenttype: must be application/json")
	})
}

// FuzzUnpack holds what is compressed against what it costs to read it, whatever it
// becomes: a compressed body of nothing costs, too.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte(zipped(f, good)))
	f.Add([]byte(zipped(f, "")))
	f.Add([]byte(zipped(f, strings.Repeat("\n", 1<<20))))
	b := newBodies(DefaultMaxBody)
	f.Fuzz(func(t *testing.T, packed []byte) {
		const most = 256 << 10
		if len(packed) > most {
			return
		}
		packed = bytes.Repeat(packed, max(1, most/(len(packed)+1))) // one behind the other, they are one
		unpacked, _ := b.unpack(packed, &memory{bodies: b})
		costs := toll.Most{BytesPerByte: 200, Bytes: 4 * DefaultMaxBody, WorkPerByte: 2000, Work: 64<<20 + 20*int64(len(unpacked))}
		costs.Hold(t, len(packed), func() {
			into := &memory{bodies: b}
			unpacked, _ := b.unpack(packed, into)
			b.release(into, unpacked)
			into.free()
		})
	})
}

// FuzzBodies holds what a body costs, in memory and in work, against its bytes.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		good, bad, "[" + good + "]", "{}\n{}", `{"a":` + strings.Repeat(`{"a":`, 50), strings.Repeat("[", 100), `{"model_name":"m","metrics":{"a":1,"b":1e400}}`,
		`[NaN,` + good + `]`, `{"specversion":"1.0","id":"1","source":"s","type":"t","data":` + good + `}`, `{"metrics":{` + strings.Repeat(`"a":1,`, 100) + `"b":2}}`,
	} {
		for i := range uint8(8) {
			f.Add([]byte(body), i)
		}
	}
	s := serve(f, Options{})
	media := []string{typeJSON, typeNDJSON, typeCloud, typeClouds}
	f.Fuzz(func(t *testing.T, body []byte, kind uint8) {
		// Again and again the same: what a small one costs can be told only so.
		const most = 256 << 10
		separator := "\n"
		if kind%4 != 1 {
			separator = ","
		}
		whole := body
		if kind >= 4 {
			whole = []byte(strings.TrimSuffix(strings.Repeat(string(body)+separator, max(1, most/(len(body)+1))), separator))
			if kind%4 != 1 {
				whole = []byte("[" + string(whole) + "]")
			}
		}
		if len(whole) > most {
			return
		}
		in := &intake{hub: s.hub, party: s.parties.of(s.hub, ""), body: whole}
		mostOfABody.Hold(t, len(whole), func() {
			taking := &taking{gateway: s.Gateway, in: in, decoder: newDecoder(), publish: in.party.account.Publish, outcome: newOutcome(), now: time.Now()}
			refused := taking.take(t.Context(), form{media: media[kind%4]})
			if refused == nil && taking.outcome.next() < 0 {
				t.Fatal("less than nothing was counted")
			}
		})
	})
}
