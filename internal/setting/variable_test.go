package setting_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/setting"
)

type settings struct {
	Queue   setting.TaskQueue `env:"QUEUE" envDefault:"monitors" meaning:"where work waits"`
	Address setting.HostPort  `env:"ADDRESS" envDefault:"127.0.0.1:9000" meaning:"where to listen"`
	Verbose setting.Bool      `env:"VERBOSE" meaning:"whether to say more"`
	Trainer struct {
		Pause setting.Duration `env:"PAUSE" envDefault:"7s" meaning:"between questions"`
		Key   setting.Secret   `env:"KEY" meaning:"of the trainer"`
	} `envPrefix:"TRAINER_"`
}

func TestSettingsComeFromTheEnvironmentAndElseFromTheirDefaults(t *testing.T) {
	s, err := setting.Parse[settings](map[string]string{"QUEUE": "fraud", "ADDRESS": "", "VERBOSE": "TRUE", "TRAINER_KEY": "k"})
	require.NoError(t, err)
	assert.Equal(t, setting.TaskQueue("fraud"), s.Queue)
	assert.Equal(t, setting.HostPort("127.0.0.1:9000"), s.Address)
	assert.True(t, s.Address.IsLoopback())
	assert.True(t, bool(s.Verbose))
	assert.Equal(t, 7*time.Second, time.Duration(s.Trainer.Pause))
	assert.Equal(t, "k", s.Trainer.Key.Value())
}

func TestEveryWrongVariableIsNamedWithItsDefaultAsTheExample(t *testing.T) {
	_, err := setting.Parse[settings](map[string]string{"QUEUE": "a b", "ADDRESS": "9000", "VERBOSE": "very", "TRAINER_PAUSE": "-1s"})
	require.EqualError(t, err, `QUEUE: must be a name without spaces, got "a b"
ADDRESS: must be host:port such as 127.0.0.1:9000, got "9000"
VERBOSE: must be true or false, got "very"
TRAINER_PAUSE: must be a duration above zero such as 7s or 1m30s, got "-1s"`)
}

func TestVariablesAreInTheOrderOfTheFieldsWithTheirPrefixes(t *testing.T) {
	assert.Equal(t, []setting.Variable{
		{Name: "QUEUE", Default: "monitors", Meaning: "where work waits"},
		{Name: "ADDRESS", Default: "127.0.0.1:9000", Meaning: "where to listen"},
		{Name: "VERBOSE", Meaning: "whether to say more"},
		{Name: "TRAINER_PAUSE", Default: "7s", Meaning: "between questions"},
		{Name: "TRAINER_KEY", Meaning: "of the trainer"},
		{Name: "TRAINER_KEY_FILE", Meaning: "file that holds it"},
	}, setting.Variables[settings]())
}
