package monitor

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

// NoticeCounters count notices by what became of them.
type NoticeCounters struct {
	Requested int64 `json:"requested"`
	Delivered int64 `json:"delivered"`
	Failed    int64 `json:"failed"`
	// LastFailure is why the last of Failed was.
	LastFailure string `json:"last_failure,omitempty"`
}

const (
	maxNotices = 50 // that wait to be delivered; some 1 KiB each
	// noticesAfterStop is how long a monitor that stops waits for its last notices.
	noticesAfterStop = 30 * time.Second
)

// notify makes the notices of a decision. Of a streak the first is enough.
func (m *Machine) notify(decision Decision) {
	if len(m.state.Policy.Notify) == 0 {
		return
	}
	if !decision.IsNotable() && m.hasBegun(&decision) {
		return
	}

	for _, to := range m.state.Policy.Notify {
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

		c := &m.state.Counters.Notices
		c.Requested++
		notice := Notice{
			ID: m.state.RequestBase + "/notice/" + strconv.FormatInt(c.Requested, 10), Channel: to.Channel,
			ModelName: m.state.ModelName, Team: m.state.Policy.Team, Decision: decision, Ends: ends, OnlyEnds: !asked,
		}
		if pending := m.state.Pending; pending != nil && decision.Kind == policy.AwaitingApproval {
			notice.Until = pending.Until
		}
		if len(m.state.Notices) >= maxNotices {
			m.undelivered(fmt.Sprintf("more than %d wait", maxNotices))
			m.state.Notices = m.state.Notices[1:]
		}

		m.state.Notices = append(m.state.Notices, notice)
	}
}

// NoticeTold says that a channel was told, or why it can't be.
func (m *Machine) NoticeTold(id string, err error) {
	i := slices.IndexFunc(m.state.Notices, func(n Notice) bool { return n.ID == id })
	if i < 0 {
		return // it was dropped for newer ones
	}
	if err == nil {
		m.state.Counters.Notices.Delivered++
	} else {
		m.undelivered(m.state.Notices[i].Channel + ": " + err.Error())
	}
	m.state.Notices = slices.Delete(m.state.Notices, i, i+1)
	m.dirty = true // a monitor that stops may have waited for it
}

func (m *Machine) undelivered(why string) {
	m.state.Counters.Notices.Failed++
	m.state.Counters.Notices.LastFailure = plain.Cut(why, policy.MaxTextBytes)
}

// noticesUntil is until when a monitor that stops waits for its last notices.
func (m *Machine) noticesUntil() time.Time { return m.state.Stop.At.Add(noticesAfterStop) }

// awaitsNotices says that a monitor that stops has notices to deliver yet.
func (m *Machine) awaitsNotices(now time.Time) bool {
	return len(m.state.Notices) > 0 && now.Before(m.noticesUntil())
}
