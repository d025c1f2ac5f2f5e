package explain

import (
	"slices"

	"github.com/modelvigil/modelvigil/internal/near"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Unmeasured says that no event of any version has measured what a rule is about, and
// which metrics may have been meant. It is empty where one has, where the rule is about
// no one metric, and while there are no events.
func Unmeasured(s *monitor.Status, r *policy.Rule) string {
	measured := s.Measured()
	if _, isMeasured := slices.BinarySearch(measured, r.Metric); isMeasured || r.Metric == "" || s.Events == 0 {
		return ""
	}
	return near.Unmeasured(r.Metric, measured)
}
