package top

import (
	"context"
	"fmt"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/fleet"
)

const (
	beat         = 250 * time.Millisecond // between two looks at what is to be asked
	leastRefresh = 2 * time.Second        // between two lists
	refreshShare = 10                     // a list that took a second is made again after so many
	statusAge    = 5 * time.Second        // after which a monitor on the screen is asked again
	maxAsking    = 4                      // monitors asked at once
	maxReadings  = 200                    // that are kept; those off the screen go first
)

// Options are how the view begins.
type Options struct {
	Where  string // the server and namespace, for the first line
	By     string // who steers
	Filter string
	Order  Order
	ASCII  bool // no glyphs beyond ASCII
	Now    func() time.Time
}

// Model is the view: a tea.Model.
type Model struct {
	Options
	fleet Fleet
	ctx   context.Context

	every time.Duration // a beat

	rows     []Row  // all
	tally    string // how many of them do what
	shown    []Row  // filtered and in order
	freezes  []fleet.Freeze
	listed   time.Time // when rows were fetched
	took     time.Duration
	listing  bool
	failure  string // why the last list could not be made
	readings map[string]*reading

	width, height int
	reverse       bool
	selected      string // the model under the cursor
	cursor, first int    // its place in shown, and that of the first on the screen
	details       bool   // of the selected model
	scroll        int
	help          bool
	filtering     bool
	prompt        *prompt
	message       string
}

// New returns the view of a fleet. Whatever it asks ends with ctx.
func New(ctx context.Context, fleet Fleet, options Options) *Model {
	if options.Order == "" {
		options.Order = ByPhase
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Model{Options: options, fleet: fleet, ctx: ctx, every: beat, readings: map[string]*reading{}, width: 80, height: 24}
}

// Messages of the commands.
type (
	listedMsg struct {
		rows    []Row
		freezes []fleet.Freeze
		took    time.Duration
		err     error
	}
	statusMsg struct {
		model  string
		status monitor.Status
		err    error
	}
	controlledMsg struct {
		text  string
		model string
		err   error
	}
	beatMsg struct{}
)

// Init implements tea.Model.
func (m *Model) Init() tea.Cmd { return tea.Batch(m.list(), m.beat()) }

// Update implements tea.Model.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width = msg.Width
		m.height = msg.Height
		m.follow()
	case listedMsg:
		m.takeList(msg)
	case statusMsg:
		m.takeStatus(msg)
	case controlledMsg:
		m.message = msg.text
		if msg.err != nil {
			m.message = msg.err.Error()
		}
		delete(m.readings, msg.model)
		return m, m.list()
	case beatMsg:
		return m, tea.Batch(append(m.ask(), m.beat())...)
	case tea.KeyPressMsg:
		return m, m.press(msg)
	}

	return m, nil
}

func (m *Model) beat() tea.Cmd {
	return tea.Tick(m.every, func(time.Time) tea.Msg { return beatMsg{} })
}

// list fetches the rows, unless that is under way.
func (m *Model) list() tea.Cmd {
	if m.listing {
		return nil
	}
	m.listing = true
	return func() tea.Msg {
		began := time.Now()
		rows, freezes, err := m.fleet.List(m.ctx)
		return listedMsg{rows, freezes, time.Since(began), err}
	}
}

func (m *Model) takeList(msg listedMsg) {
	m.listing = false
	m.took = msg.took
	if msg.err != nil {
		m.failure = msg.err.Error()
		m.listed = m.Now() // and tried again after a while
		return
	}
	m.rows, m.freezes, m.failure, m.listed = msg.rows, msg.freezes, "", m.Now()
	m.tally = tally(m.rows)
	m.arrange()
}

// arrange filters and sorts anew; the cursor stays on its model.
func (m *Model) arrange() {
	m.shown = Filter(m.rows, m.Filter)
	Sort(m.shown, m.Order, m.reverse)
	if i := slices.IndexFunc(m.shown, func(r Row) bool { return r.ModelName == m.selected }); i >= 0 {
		m.cursor = i
	}
	m.follow()
}

// follow keeps the cursor within the rows, and on the screen.
func (m *Model) follow() {
	m.cursor = max(0, min(m.cursor, len(m.shown)-1))
	if len(m.shown) > 0 {
		m.selected = m.shown[m.cursor].ModelName
	}
	page := m.page()
	m.first = max(0, min(m.first, m.cursor, len(m.shown)-1))
	if m.cursor >= m.first+page {
		m.first = m.cursor - page + 1
	}
}

// visible are the rows on the screen.
func (m *Model) visible() []Row {
	return m.shown[min(m.first, len(m.shown)):min(m.first+m.page(), len(m.shown))]
}

func (m *Model) takeStatus(msg statusMsg) {
	r := m.readings[msg.model]
	if r == nil {
		return // it went off the screen meanwhile
	}
	if msg.err != nil {
		r.at, r.asking, r.failed = m.Now(), false, msg.err.Error()
		return
	}
	r.take(msg.status, m.Now())
	m.refresh(msg.model, &msg.status)
}

// refresh brings a row up to date by what its monitor says: of a large fleet the
// list may be a minute old.
func (m *Model) refresh(model string, s *monitor.Status) {
	for _, rows := range [][]Row{m.rows, m.shown} {
		i := slices.IndexFunc(rows, func(r Row) bool { return r.ModelName == model })
		if i < 0 || s.Phase == rows[i].Phase {
			continue
		}

		row := &rows[i]
		row.Phase = s.Phase
		row.Waits = ""
		row.CooldownUntil = s.CooldownUntil
		for _, d := range slices.Backward(s.Decisions) {
			if d.IsNotable() {
				row.Last = &monitor.GlanceDecision{At: d.At, Kind: d.Kind, Reason: d.Reason, RequestID: d.RequestID}
				break
			}
		}
	}
}

// ask starts what is due: the list, and the monitors on the screen, the selected one
// and those never heard of first.
func (m *Model) ask() (commands []tea.Cmd) {
	now := m.Now()
	if now.Sub(m.listed) >= max(leastRefresh, refreshShare*m.took) {
		commands = append(commands, m.list())
	}
	asking := 0
	for _, r := range m.readings {
		if r.asking {
			asking++
		}
	}

	wanted := m.visible()
	if m.details && len(m.shown) > 0 {
		wanted = m.shown[m.cursor : m.cursor+1]
	}
	m.forget(wanted)
	due := slices.DeleteFunc(slices.Clone(wanted), func(row Row) bool {
		r := m.readings[row.ModelName]
		return r != nil && (r.asking || now.Sub(r.at) < statusAge)
	})
	slices.SortStableFunc(due, func(a, b Row) int { return m.heard(a.ModelName).Compare(m.heard(b.ModelName)) })
	for _, row := range due[:min(len(due), max(0, maxAsking-asking))] {
		r := m.readings[row.ModelName]
		if r == nil {
			r = &reading{}
			m.readings[row.ModelName] = r
		}

		r.asking = true
		commands = append(commands, func() tea.Msg {
			status, err := m.fleet.Status(m.ctx, row.ModelName)
			return statusMsg{row.ModelName, status, err}
		})
	}

	return commands
}

func (m *Model) heard(model string) time.Time {
	if r := m.readings[model]; r != nil {
		return r.at
	}
	return time.Time{}
}

// forget drops readings of models off the screen once there are too many.
func (m *Model) forget(wanted []Row) {
	if len(m.readings) <= maxReadings {
		return
	}
	for model, r := range m.readings {
		if !r.asking && !slices.ContainsFunc(wanted, func(row Row) bool { return row.ModelName == model }) {
			delete(m.readings, model)
		}
	}
}

// control sends an operator's word.
func (m *Model) control(model, update string, control monitor.Control) tea.Cmd {
	m.message = fmt.Sprintf("%s %s …", update, model)
	return func() tea.Msg {
		text, err := m.fleet.Control(m.ctx, model, update, control)
		return controlledMsg{text, model, err}
	}
}
