// Package encryption keeps what is handed to Temporal from its server: a payload
// codec that encrypts events, policies, state, results and errors with AES-256-GCM
// before they leave the process. Every program that talks to the monitors needs
// the same keys: serving code (Apply), the worker, modelvigil and its gateway
// (ENCRYPTION_KEYS_FILE), and `modelvigil codec`, for the Temporal UI and CLI.
//
// The form is that of Temporal's encryption samples in every language: encoding
// binary/encrypted, metadata encryption-key-id, and as data a nonce of 12 bytes
// with the sealed payload. Workflow ids, and so the models' names, search
// attributes, signal names and times stay in the clear: the server works with them.
package encryption

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/seal"
)

const (
	// encoding and keyID are what Temporal's samples call them.
	encoding = "binary/encrypted"
	keyID    = "encryption-key-id"
)

// Codec encrypts with its first key and decrypts with any of them. It is safe for
// concurrent use.
type Codec struct {
	current  string
	sealers  map[string]cipher.AEAD
	workflow string // that payloads are bound to; empty: to none, or to any that is opened
	required bool
}

// New returns a codec of keys; there must be at least one.
func New(keys []Key) (*Codec, error) {
	if len(keys) == 0 {
		return nil, errors.New("no encryption key")
	}

	c := &Codec{current: keys[0].ID, sealers: map[string]cipher.AEAD{}}
	for _, key := range keys {
		block, err := aes.NewCipher(key.secret[:])
		if err != nil {
			return nil, fmt.Errorf("encryption key %s: %w", key.ID, err)
		}
		c.sealers[key.ID], err = cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("encryption key %s: %w", key.ID, err)
		}
	}

	return c, nil
}

// Require returns a codec that tells whoever receives an update when it came in the
// clear, so that it is refused.
func (c *Codec) Require() *Codec {
	strict := *c
	strict.required = true
	return &strict
}

// WithSerializationContext implements converter.PayloadCodecWithSerializationContext:
// what is sealed for a workflow can be opened as that workflow's only.
func (c *Codec) WithSerializationContext(ctx converter.SerializationContext) converter.PayloadCodec {
	own := *c
	switch ctx := ctx.(type) {
	case converter.WorkflowSerializationContext:
		own.workflow = ctx.WorkflowID
	case converter.ActivitySerializationContext:
		own.workflow = ctx.WorkflowID
	}
	return &own
}

// loose is a codec that binds to no workflow, in the form of Temporal's samples.
type loose struct{ *Codec }

// WithSerializationContext leaves payloads unbound.
func (l loose) WithSerializationContext(converter.SerializationContext) converter.PayloadCodec {
	return l
}

// ApplyLoose is Apply for clients of other workflows than ours, such as pipelines in
// other languages: their payloads have the form of Temporal's samples, and are bound
// to no workflow.
func (c *Codec) ApplyLoose(options *client.Options) { c.apply(options, loose{c}) }

// Apply makes a client, and workers with it, encrypt all payloads, and the texts
// of errors.
func (c *Codec) Apply(options *client.Options) {
	options.Interceptors = append(options.Interceptors, &stamper{data: DataConverter(*options)})
	c.apply(options, c)
}

func (c *Codec) apply(options *client.Options, codec converter.PayloadCodec) {
	options.DataConverter = converter.NewCodecDataConverter(DataConverter(*options), codec)
	options.FailureConverter = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: options.DataConverter, EncodeCommonAttributes: true,
	})
}

// DataConverter is the one that a client of these options uses, also for what the
// SDK hands out as it came: memos.
func DataConverter(options client.Options) converter.DataConverter {
	if options.DataConverter == nil {
		return converter.GetDefaultDataConverter()
	}
	return options.DataConverter
}

// Encode encrypts payloads with the current key.
func (c *Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	sealer := c.sealers[c.current]
	encrypted := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		plain, err := proto.Marshal(payload)
		if err != nil {
			return nil, fmt.Errorf("encrypt payload: %w", err)
		}

		nonce := make([]byte, sealer.NonceSize(), sealer.NonceSize()+len(plain)+sealer.Overhead())
		_, _ = rand.Read(nonce) // it never fails
		encrypted[i] = &commonpb.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encoding), keyID: []byte(c.current)},
			Data:     sealer.Seal(nonce, nonce, plain, binding(c.workflow)),
		}
		if c.workflow != "" {
			encrypted[i].Metadata[seal.Workflow] = []byte(c.workflow)
		}
	}

	return encrypted, nil
}

// Decode decrypts what was encrypted and leaves the rest as it is. It never fails,
// for the SDK drops a signal whose payload fails: what can't be decrypted stays as
// it is too, with the reason in its metadata contract.MetadataUndecrypted, and is
// counted and explained by whoever was to read it.
func (c *Codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decrypted := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		if string(payload.GetMetadata()[converter.MetadataEncoding]) != encoding {
			decrypted[i] = proto.CloneOf(payload)
			seal.MarkPlain(decrypted[i], c.required)
			continue
		}
		plain, err := c.open(payload)
		if err != nil {
			marked := proto.CloneOf(payload)
			maps.Copy(marked.Metadata, map[string][]byte{contract.MetadataUndecrypted: []byte(err.Error())})
			decrypted[i] = marked
			continue
		}

		decrypted[i] = plain
	}

	return decrypted, nil
}

func (c *Codec) open(payload *commonpb.Payload) (*commonpb.Payload, error) {
	id, workflow := string(payload.GetMetadata()[keyID]), string(payload.GetMetadata()[seal.Workflow])
	sealer, known := c.sealers[id]
	switch data := payload.GetData(); {
	case !known:
		return nil, fmt.Errorf("encrypted with key %.64q, which is not among the keys here; add it to ENCRYPTION_KEYS_FILE", id)
	case workflow != "" && c.workflow != "" && workflow != c.workflow:
		return nil, fmt.Errorf("sealed for %.300q, not for %q", workflow, c.workflow)
	case len(data) < sealer.NonceSize():
		return nil, fmt.Errorf("encrypted with key %q, but cut off after %d bytes", id, len(data))
	default:
		plain, err := sealer.Open(nil, data[:sealer.NonceSize()], data[sealer.NonceSize():], binding(workflow))
		if err != nil {
			return nil, fmt.Errorf("encrypted with another key %q, or changed on its way", id)
		}
		var opened commonpb.Payload
		if err := proto.Unmarshal(plain, &opened); err != nil {
			return nil, fmt.Errorf("encrypted with key %q, but not a payload: %w", id, err)
		}

		seal.MarkSealed(&opened, workflow)
		return &opened, nil
	}
}

// binding is what a seal authenticates beside the payload: nothing where that is bound
// to no workflow.
func binding(workflow string) []byte {
	if workflow == "" {
		return nil
	}
	return []byte(seal.Workflow + "\x00" + workflow)
}
