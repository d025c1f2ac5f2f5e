package top

import (
	"slices"
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
)

// key is what a key does, as the help has it.
type key struct{ name, does string }

var keys = []key{
	{"up down", "choose a model; also k j, pgup pgdn, home end"},
	{"enter", "its rules, decisions and what comes next; esc leaves"},
	{"/", "filter by words: model, team, phase, version, backend, last decision"},
	{"s S", "sort by the next column; turn the order around"},
	{"a x", "approve or reject what waits for approval"},
	{"p u", "pause, resume (u: unpause)"},
	{"t T", "retrain; by force: over " + contract.ForceOverrides},
	{"c", "cancel the retraining in flight"},
	{"r", "list anew"},
	{"? q", "this help; leave"},
}

// updates are the keys that steer.
var updates = map[string]string{
	"a": contract.UpdateApprove, "x": contract.UpdateReject, "p": contract.UpdatePause, "u": contract.UpdateResume,
	"t": contract.UpdateRetrain, "T": contract.UpdateRetrain, "c": contract.UpdateCancel,
}

// prompt asks for the reason of an operator's word.
type prompt struct {
	model, update string
	force         bool
	reason        string
}

// press does what a key says.
func (m *Model) press(msg tea.KeyPressMsg) tea.Cmd {
	name := msg.String()
	if name == "ctrl+c" {
		return tea.Quit
	}

	switch {
	case m.prompt != nil:
		return m.answer(name, msg.Text)
	case m.filtering:
		m.typeFilter(name, msg.Text)
		return nil
	case m.help:
		m.help = false
		return nil
	}

	m.message = ""
	if update := updates[name]; update != "" && len(m.shown) > 0 {
		m.prompt = &prompt{model: m.selected, update: update, force: name == "T"}
		return nil
	}

	switch name {
	case "q":
		return tea.Quit
	case "?":
		m.help = true
	case "/":
		m.filtering = true
		m.details = false
	case "r":
		return m.list()
	case "enter":
		m.details = len(m.shown) > 0
		m.scroll = 0
	case "esc":
		if !m.details {
			m.Filter = ""
			m.arrange()
		}
		m.details = false
	case "s":
		orders := Orders()
		m.Order = orders[(slices.Index(orders, m.Order)+1)%len(orders)]
		m.arrange()
	case "S":
		m.reverse = !m.reverse
		m.arrange()
	default:
		m.move(name)
	}

	return nil
}

// move moves the cursor, or the details.
func (m *Model) move(name string) {
	by, known := map[string]int{
		"up": -1, "k": -1, "down": 1, "j": 1, "pgup": -m.page(), "pgdown": m.page(),
		"home": -len(m.shown), "g": -len(m.shown), "end": len(m.shown), "G": len(m.shown),
	}[name]
	if !known {
		return
	}
	if m.details {
		m.scroll = max(0, m.scroll+by)
		return
	}

	m.cursor += by
	m.follow()
}

// answer types the reason, sends the word, or leaves it.
func (m *Model) answer(name, text string) tea.Cmd {
	p := m.prompt
	switch name {
	case "esc":
		m.prompt = nil
	case "enter":
		m.prompt = nil
		return m.control(p.model, p.update, monitor.Control{By: m.By, Reason: p.reason, Force: p.force})
	case "backspace":
		p.reason = withoutLast(p.reason)
	default:
		p.reason += text
	}

	return nil
}

func (m *Model) typeFilter(name, text string) {
	switch name {
	case "enter":
		m.filtering = false
	case "esc":
		m.filtering = false
		m.Filter = ""
	case "backspace":
		m.Filter = withoutLast(m.Filter)
	default:
		m.Filter += text
	}

	m.Filter = strings.TrimLeft(m.Filter, " ")
	m.arrange()
}

func withoutLast(text string) string {
	_, size := utf8.DecodeLastRuneInString(text)
	return text[:len(text)-size]
}
