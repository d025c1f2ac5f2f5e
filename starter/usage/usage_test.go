package usage_test

import (
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/starter/usage"
)

func TestAWrongCommandLineIsExplainedToWhoTypedIt(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"publish", "--acuracy", "0.9"}, "unknown flag --acuracy; did you mean --accuracy?"},
		{[]string{"publish", "--auc", "0.77"}, "unknown flag --auc; a metric without a flag of its own is published by --metric auc=VALUE"},
		{[]string{"list", "--colour", "red"}, "unknown flag --colour"},
		{[]string{"publish", "--accuracy", "high"}, `flag --accuracy: must be a number, got "high"`},
		{[]string{"publish", "--timeout", "soon"}, `flag --timeout: must be a duration such as 90s or 1h30m, got "soon"`},
		{[]string{"publish", "--seed", "1.5"}, `flag --seed: must be a whole number, got "1.5"`},
		{[]string{"publish", "--force=perhaps"}, `flag --force: must be true or false, got "perhaps"`},
		{[]string{"publsh"}, `unknown command "publsh"; did you mean publish?`},
		{[]string{"dance"}, `unknown command "dance"`},
	} {
		root := &cobra.Command{Use: "modelvigil", SilenceErrors: true, SilenceUsage: true, DisableSuggestions: true}
		publish := &cobra.Command{Use: "publish", RunE: func(*cobra.Command, []string) error { return nil }}
		publish.Flags().Float64("accuracy", 0, "")
		publish.Flags().Duration("timeout", time.Second, "")
		publish.Flags().Int("seed", 0, "")
		publish.Flags().Bool("force", false, "")
		publish.Flags().StringArray("metric", nil, "")
		list := &cobra.Command{Use: "list", RunE: func(*cobra.Command, []string) error { return nil }}
		root.AddCommand(publish, list)
		root.SetFlagErrorFunc(usage.Flag)
		root.SetArgs(c.args)

		assert.EqualError(t, usage.Command(root, root.Execute()), c.want)
	}
}
