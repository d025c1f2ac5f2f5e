package top

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// Beat is the message of a beat.
func Beat() tea.Msg { return beatMsg{} }

// Listed is the message of a list that was made.
func Listed(rows []Row) tea.Msg { return listedMsg{rows: rows} }

// Hurry makes its beats short.
func (m *Model) Hurry() { m.every = time.Millisecond }
