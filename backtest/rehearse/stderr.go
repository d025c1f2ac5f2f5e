package rehearse

import (
	"io"
	"os"
	"sync"
)

// shared is a writer that several programs may write to at once. A file takes that by
// itself.
func shared(w io.Writer) io.Writer {
	if _, isFile := w.(*os.File); w == nil || isFile {
		return w
	}
	return &sharedWriter{writer: w}
}

type sharedWriter struct {
	mu     sync.Mutex
	writer io.Writer
}

// Write writes one program's words whole.
func (s *sharedWriter) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.writer.Write(data)
}
