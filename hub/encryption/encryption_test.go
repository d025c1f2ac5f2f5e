package encryption_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"google.golang.org/protobuf/proto"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub/encryption"
	"github.com/modelvigil/modelvigil/internal/seal"
	"github.com/modelvigil/modelvigil/internal/toll"
	"github.com/modelvigil/modelvigil/monitor"
)

func key(t testing.TB, id string, fill byte) encryption.Key {
	t.Helper()
	k, err := encryption.NewKey(id, bytes.Repeat([]byte{fill}, 32))
	require.NoError(t, err)
	return k
}

func codec(t testing.TB, keys ...encryption.Key) *encryption.Codec {
	t.Helper()
	c, err := encryption.New(keys)
	require.NoError(t, err)
	return c
}

func TestAPayloadIsReadByWhoeverHasItsKey(t *testing.T) {
	older, newer := key(t, "2026-05", 1), key(t, "2026-11", 2)
	before, after := codec(t, older), codec(t, newer, older) // the newer one is current
	for _, c := range []*encryption.Codec{before, after} {
		var options client.Options
		c.Apply(&options)
		payload, err := options.DataConverter.ToPayload("a secret")
		require.NoError(t, err)
		assert.NotContains(t, payload.String(), "secret")
		assert.Equal(t, "binary/encrypted", string(payload.Metadata["encoding"]))
		var read string
		require.NoError(t, options.DataConverter.FromPayload(payload, &read))
		assert.Equal(t, "a secret", read)
	}
	written, err := before.Encode([]*commonpb.Payload{{Data: []byte("x")}})
	require.NoError(t, err)
	read, err := after.Decode(written)
	require.NoError(t, err)
	assert.Equal(t, "x", string(read[0].Data), "what the older key encrypted is read after the rotation")

	again, err := before.Encode([]*commonpb.Payload{{Data: []byte("x")}})
	require.NoError(t, err)
	assert.NotEqual(t, written[0].Data, again[0].Data, "each has a nonce of its own")
}

func TestWhatCannotBeDecryptedStaysAndSaysWhy(t *testing.T) {
	c := codec(t, key(t, "mine", 1))
	theirs, err := codec(t, key(t, "theirs", 2)).Encode([]*commonpb.Payload{{Data: []byte("x")}})
	require.NoError(t, err)
	impostor, err := codec(t, key(t, "mine", 3)).Encode([]*commonpb.Payload{{Data: []byte("x")}})
	require.NoError(t, err)
	short := &commonpb.Payload{Metadata: impostor[0].Metadata, Data: []byte("short")}
	plain := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte("{}")}
	for why, payload := range map[string]*commonpb.Payload{
		`encrypted with key "theirs", which is not among the keys here; add it to ENCRYPTION_KEYS_FILE`: theirs[0],
		`encrypted with another key "mine", or changed on its way`:                                      impostor[0],
		`encrypted with key "mine", but cut off after 5 bytes`:                                          short,
		"": plain,
	} {
		decoded, err := c.Decode([]*commonpb.Payload{payload})
		require.NoError(t, err, "the SDK drops a signal whose codec fails")
		assert.Equal(t, why, string(decoded[0].Metadata[contract.MetadataUndecrypted]))
		assert.Equal(t, payload.Data, decoded[0].Data)
		assert.NotContains(t, payload.Metadata, contract.MetadataUndecrypted, "the argument is not changed")
	}
}

// Who can write to the namespace and has no key can send again what was sealed.
func TestAPayloadIsOpenedAsThatOfItsWorkflowAlone(t *testing.T) {
	c := codec(t, key(t, "mine", 1))
	of := func(workflow string) converter.PayloadCodec {
		return c.WithSerializationContext(converter.WorkflowSerializationContext{WorkflowID: workflow})
	}
	sealed, err := of("model-monitor/fraud").Encode([]*commonpb.Payload{{Data: []byte("x")}})
	require.NoError(t, err)
	why := func(codec converter.PayloadCodec, payload *commonpb.Payload) string {
		opened, err := codec.Decode([]*commonpb.Payload{payload})
		require.NoError(t, err)
		return string(opened[0].Metadata[contract.MetadataUndecrypted])
	}
	assert.Empty(t, why(of("model-monitor/fraud"), sealed[0]))
	assert.Empty(t, why(c, sealed[0]), "the codec server knows no workflow, and reads which one it is")
	assert.Empty(t, why(c.WithSerializationContext(converter.ActivitySerializationContext{WorkflowID: "model-monitor/fraud"}), sealed[0]))
	assert.Equal(t, `sealed for "model-monitor/fraud", not for "model-monitor/other"`, why(of("model-monitor/other"), sealed[0]))

	forged := proto.CloneOf(sealed[0])
	forged.Metadata[seal.Workflow] = []byte("model-monitor/other")
	assert.Equal(t, `encrypted with another key "mine", or changed on its way`, why(of("model-monitor/other"), forged))
	delete(forged.Metadata, seal.Workflow)
	assert.Equal(t, `encrypted with another key "mine", or changed on its way`, why(of("model-monitor/fraud"), forged))

	loose, err := c.Encode([]*commonpb.Payload{{Data: []byte("x")}}) // as Temporal's samples do in every language
	require.NoError(t, err)
	assert.Empty(t, why(of("model-monitor/fraud"), loose[0]))
}

func TestAnUpdateSaysWithinItsSealWhatItIs(t *testing.T) {
	var options client.Options
	c := codec(t, key(t, "mine", 1))
	c.Apply(&options)
	var got *interceptor.ClientUpdateWorkflowInput
	outbound := options.Interceptors[0].InterceptClient(&recorder{got: &got})
	_, err := outbound.UpdateWorkflow(t.Context(), &interceptor.ClientUpdateWorkflowInput{UpdateID: "7", UpdateName: "pause", Args: []any{monitor.Control{By: "ada"}}})
	require.NoError(t, err)
	of := func(codec *encryption.Codec) converter.DataConverter {
		return converter.WithDataConverterSerializationContext(
			converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), codec), converter.WorkflowSerializationContext{WorkflowID: "model-monitor/fraud"})
	}
	sent, err := of(c).ToPayloads(got.Args...)
	require.NoError(t, err)
	assert.NotContains(t, sent.String(), "pause")
	check := func(codec *encryption.Codec, payloads *commonpb.Payloads, update string) error {
		var raw converter.RawValue
		require.NoError(t, of(codec).FromPayloads(payloads, &raw))
		assert.JSONEq(t, `{"by": "ada"}`, string(raw.Payload().GetData()))
		return seal.Received{Workflow: "model-monitor/fraud", Update: update, ID: "7", Now: time.Now()}.Check(raw.Payload())
	}
	require.NoError(t, check(c, sent, "pause"))
	require.NoError(t, check(c.Require(), sent, "pause"))
	require.ErrorContains(t, check(c, sent, "stop"), `was sealed as "pause", not as stop`)

	plain, err := converter.GetDefaultDataConverter().ToPayloads(got.Args...)
	require.NoError(t, err)
	require.NoError(t, check(c, plain, "stop"), "while it is not required")
	require.ErrorContains(t, check(c.Require(), plain, "pause"), "came in the clear")
}

type recorder struct {
	interceptor.ClientOutboundInterceptorBase
	got **interceptor.ClientUpdateWorkflowInput
}

func (r *recorder) UpdateWorkflow(_ context.Context, in *interceptor.ClientUpdateWorkflowInput) (client.WorkflowUpdateHandle, error) {
	*r.got = in
	return nil, nil
}

func TestWhatOtherWorkflowsGetHasTheFormOfTemporalsSamples(t *testing.T) {
	var options client.Options
	codec(t, key(t, "mine", 1)).ApplyLoose(&options)
	assert.Empty(t, options.Interceptors)
	payload, err := converter.WithDataConverterSerializationContext(options.DataConverter, converter.WorkflowSerializationContext{WorkflowID: "train"}).ToPayload("x")
	require.NoError(t, err)
	assert.Len(t, payload.Metadata, 2, "encoding and key id")
}

func TestAFileOfKeysNamesEveryBadLineAndNoSecret(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "keys")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	keys, err := encryption.ReadKeys(file("# the current one first\n\n2026-11: " + good + "\n2026-05:" + good + "\r\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"2026-11", "2026-05"}, []string{keys[0].ID, keys[1].ID})

	bad := file("a: c2VjcmV0\nb " + good + "\nc: secret!\n: " + good + "\nd: " + good + "\nd: " + good + "\n")
	_, err = encryption.ReadKeys(bad)
	require.Error(t, err)
	for _, fault := range []string{
		":1: key a: must have 32 bytes, has 6", ":2: must be ID: BASE64", ":3: behind the colon must be base64",
		":4: key id: must be 1 to 64", ":6: key d is line 5's too",
	} {
		assert.ErrorContains(t, err, bad+fault)
	}
	for _, secret := range []string{good, "c2VjcmV0", "secret!"} {
		assert.NotContains(t, err.Error(), secret)
	}
	_, err = encryption.ReadKeys(file("# nothing\n"))
	require.ErrorContains(t, err, "has no key")
	_, err = encryption.ReadKeys("/nowhere")
	require.ErrorContains(t, err, "/nowhere")
	none, err := encryption.Open("")
	require.NoError(t, err)
	require.Nil(t, none)
}

func TestAKeyIsNotPrinted(t *testing.T) {
	k := key(t, "id", 'K')
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("key", "key", k)
	for _, printed := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %s", k, k, k, k), logged.String()} {
		assert.NotContains(t, printed, "75")
		assert.NotContains(t, printed, "0x4b")
		assert.NotContains(t, printed, "KK")
	}
}

func FuzzDecode(f *testing.F) {
	k, _ := encryption.NewKey("id", bytes.Repeat([]byte{1}, 32))
	c, _ := encryption.New([]encryption.Key{k})
	sealed, _ := c.Encode([]*commonpb.Payload{{Data: []byte("x")}})
	f.Add("binary/encrypted", "id", sealed[0].Data)
	f.Add("json/plain", "", []byte("{}"))
	f.Fuzz(func(t *testing.T, encoding, id string, data []byte) {
		var decoded []*commonpb.Payload
		var err error
		most := toll.Most{BytesPerByte: 20, Bytes: 64 << 10, WorkPerByte: 200, Work: 16 << 20}
		most.Hold(t, len(encoding)+len(id)+len(data), func() {
			decoded, err = c.Decode([]*commonpb.Payload{{
				Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encoding), "encryption-key-id": []byte(id)}, Data: data,
			}})
		})
		if err != nil || len(decoded) != 1 || decoded[0] == nil {
			t.Fatalf("decode: %v %v", decoded, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	c := codec(b, key(b, "id", 1))
	payload := []*commonpb.Payload{{Data: make([]byte, 2048)}} // a digest
	b.SetBytes(2048)
	for b.Loop() {
		if _, err := c.Encode(payload); err != nil {
			b.Fatal(err)
		}
	}
}
