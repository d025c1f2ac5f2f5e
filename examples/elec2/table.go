package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// table is aligned text: a title, a head and rows.
type table struct {
	out  io.Writer
	rows *tabwriter.Writer
}

func newTable(out io.Writer, title string, head ...string) *table {
	t := &table{out, tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	_, _ = fmt.Fprintf(out, "%s\n\n", title) // an error of out comes again from print
	underline := make([]any, len(head))
	cells := make([]any, len(head))
	for i := range head {
		cells[i], underline[i] = head[i], strings.Repeat("-", len(head[i]))
	}
	t.row(cells...)
	t.row(underline...)
	return t
}

func (t *table) row(cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			_, _ = fmt.Fprint(t.rows, "\t")
		}
		_, _ = fmt.Fprint(t.rows, cell)
	}
	_, _ = fmt.Fprintln(t.rows)
}

// print writes what was collected.
func (t *table) print() error {
	if err := t.rows.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(t.out)
	return err
}
