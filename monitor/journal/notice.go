package journal

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/policy"
)

// Notice is a decision that a channel is to be told of.
type Notice struct {
	// ID is the notice's own, the same however often the channel is told.
	ID        string    `json:"id"`
	Channel   string    `json:"channel"`
	ModelName string    `json:"model_name"`
	Team      string    `json:"team,omitempty"`
	Decision  Decision  `json:"decision"`
	Until     time.Time `json:"until,omitzero"` // when what it asks for ends by itself: an approval
	// Ends are the kinds of earlier decisions that this one settles: whoever keeps a
	// list of what is open closes them.
	Ends []policy.Kind `json:"ends,omitempty"`
	// OnlyEnds says that the channel has asked for those, and not for this one.
	OnlyEnds bool `json:"only_ends,omitempty"`
}

// maxNotices bounds those that wait to be delivered; some 1 KiB each.
const maxNotices = 50

// notify makes the notices of a decision; until is when what it asks for ends by itself. Of a streak the first is enough.
func (j *Journal) notify(decision Decision, until time.Time) {
	if len(j.policy.Notify) == 0 {
		return
	}
	isShared := decision.Kind == policy.Warned && decision.Rule == "" // see share
	if isShared || !decision.IsNotable() && j.hasBegun(&decision) {
		return
	}

	for _, to := range j.policy.Notify {
		if !to.Hears(decision.Rule) {
			continue
		}

		kinds := to.Kinds
		if kinds == nil {
			kinds = policy.DefaultNotifyKinds()
		}
		var ends []policy.Kind
		for _, kind := range decision.Kind.Settles() {
			if slices.Contains(kinds, kind) {
				ends = append(ends, kind)
			}
		}

		asked := slices.Contains(kinds, decision.Kind)
		if !asked && ends == nil {
			continue
		}

		c := &j.entries.Counters.Notices
		c.Requested++
		notice := Notice{
			ID: j.requestBase + "/notice/" + strconv.FormatInt(c.Requested, 10), Channel: to.Channel,
			ModelName: j.modelName, Team: j.policy.Team, Decision: decision, Until: until, Ends: ends, OnlyEnds: !asked,
		}
		if len(j.entries.Notices) >= maxNotices {
			j.undelivered(fmt.Sprintf("more than %d wait", maxNotices))
			j.entries.Notices = j.entries.Notices[1:]
		}

		j.entries.Notices = append(j.entries.Notices, notice)
	}
}

// NoticeTold says that a channel was told, or why it can't be.
func (j *Journal) NoticeTold(id string, err error) {
	i := slices.IndexFunc(j.entries.Notices, func(n Notice) bool { return n.ID == id })
	if i < 0 {
		return // it was dropped for newer ones
	}
	if err == nil {
		j.entries.Counters.Notices.Delivered++
	} else {
		j.undelivered(j.entries.Notices[i].Channel + ": " + err.Error())
	}
	j.entries.Notices = slices.Delete(j.entries.Notices, i, i+1)
}

func (j *Journal) undelivered(why string) {
	j.entries.Counters.Notices.Failed++
	j.entries.Counters.Notices.LastFailure = plain.Cut(why, policy.MaxTextBytes)
}
