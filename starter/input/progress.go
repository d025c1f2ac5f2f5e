package input

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// Progress is a line on a terminal that says how far long work is; elsewhere it
// says nothing.
type Progress struct {
	done    atomic.Int64
	stop    chan struct{}
	stopped chan struct{}
}

const (
	progressAfter = time.Second // shorter work shows none
	progressEvery = 200 * time.Millisecond
)

// ShowProgress begins the line of work on so much in total.
func ShowProgress(w io.Writer, what string, total int64) *Progress {
	p := &Progress{stop: make(chan struct{}), stopped: make(chan struct{})}
	file, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) || total <= 0 {
		close(p.stopped)
		return p
	}

	go func() {
		defer close(p.stopped)
		shown, wait := false, time.NewTimer(progressAfter)
		defer wait.Stop()
		for {
			select {
			case <-p.stop:
				if shown {
					_, _ = fmt.Fprint(w, "\r\033[K")
				}
				return
			case <-wait.C:
				shown = true
				share := min(1, float64(p.done.Load())/float64(total))
				const width = 30
				full := int(share * width)
				_, _ = fmt.Fprintf(w, "\r%s %s%s %3.0f %%", what, strings.Repeat("█", full), strings.Repeat("░", width-full), 100*share)
				wait.Reset(progressEvery)
			}
		}
	}()
	return p
}

// Add says that n more are done.
func (p *Progress) Add(n int64) { p.done.Add(n) }

// End takes the line away.
func (p *Progress) End() {
	close(p.stop)
	<-p.stopped
}

// Counted is a file of which what is read counts as done.
func (p *Progress) Counted(file *os.File) io.Reader { return &countedFile{file, p} }

// countedFile is a file of which progress is told. What reads it at an offset, as Parquet
// is read, finds the file.
type countedFile struct {
	*os.File
	progress *Progress
}

// Read implements io.Reader.
func (f *countedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.progress.Add(int64(n))
	return n, err
}
