package certificate_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/certificate"
)

func certified(p policy.Policy) policy.Policy {
	p.Certificate = &certificate.Certificate{
		Of: p.Fingerprint(), Per: "90d", FalseAlarms: certificate.Rate{Mean: 0.73, Low: 0.25, High: 1.48},
		Changes: []certificate.Found{{Change: "accuracy=-0.03", Found: 0.98, DelayP50: metric.Some(10_800.)}, {Change: "auc=-1%", Found: 0}},
	}
	return p
}

func TestAPolicyCarriesItsCertificateAndNoOther(t *testing.T) {
	p := certified(policy.Policy{})
	encoded, err := json.Marshal(p)
	require.NoError(t, err)
	read, err := policy.Decode(encoded)
	require.NoError(t, err)
	assert.Equal(t, p.Certificate, read.Certificate)
	assert.Equal(t, "0.73 false alarms per 90d (0.25 to 1.48); accuracy=-0.03 found in 98 %, half of them within 3h; auc=-1% found in 0 %", read.Certificate.String())

	for what, changed := range map[string]policy.Policy{
		"a cooldown":  p.WithCooldown(2 * time.Hour),
		"a threshold": p.With(policy.Below(metric.Accuracy, 0.8)),
		"a budget": func() policy.Policy {
			p := p
			p.Budget = &policy.Budget{Retrainings: 1, Per: policy.Duration(time.Hour)}
			return p
		}(),
	} {
		require.ErrorContains(t, changed.Validate(), "certificate.of: is of another policy", what)
	}

	p.Team = "payments"
	p.MaxFailures = 3
	p.DryRun = true
	require.NoError(t, p.WithDefaults().Validate(), "none of these changes when it triggers, nor what is spelled out")
}

func TestEveryFaultOfACertificateIsNamed(t *testing.T) {
	p := certified(policy.Policy{})
	p.Certificate.Per = ""
	p.Certificate.FalseAlarms.Low = -1
	p.Certificate.Changes = make([]certificate.Found, certificate.MaxChanges+1)
	err := p.Validate()
	for _, part := range []string{"certificate.per", "certificate.changes: must be at most 10, got 11", "certificate.false_alarms.low", "certificate.changes[0].change"} {
		assert.ErrorContains(t, err, part)
	}
	_, err = policy.Decode([]byte(`{"certificate": {"fals_alarms": 1}}`))
	require.ErrorContains(t, err, "certificate.fals_alarms: unknown field")
}
