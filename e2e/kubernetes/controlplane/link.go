package controlplane

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// Link is a TCP connection to the API server that can be cut.
type Link struct {
	listener net.Listener
	target   string
	served   sync.WaitGroup
	mu       sync.Mutex
	isCut    bool
	open     map[net.Conn]bool
}

// NewLink returns a link. Close it.
func (c *ControlPlane) NewLink() (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}

	l := &Link{listener: listener, target: c.address, open: map[net.Conn]bool{}}
	l.served.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			l.served.Go(func() { l.carry(near) })
		}
	})
	return l, nil
}

// Host is what a connection over the link has as its Host.
func (l *Link) Host() string { return "https://" + l.listener.Addr().String() }

// Close cuts the link for good.
func (l *Link) Close() {
	_ = l.listener.Close()
	l.Cut()
	l.served.Wait()
}

func (l *Link) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	far, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}

	defer func() { _ = far.Close() }()
	l.mu.Lock()
	if l.isCut {
		l.mu.Unlock()
		return
	}

	l.open[near], l.open[far] = true, true
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(far, near); _ = far.Close() })
	both.Go(func() { _, _ = io.Copy(near, far); _ = near.Close() })
	both.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, near)
	delete(l.open, far)
}

// Cut cuts the link until back is called.
func (l *Link) Cut() (back func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	for conn := range l.open {
		_ = conn.Close()
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.isCut = false
	}
}

// Faults are a transport's, one at a time. The zero value has none.
type Faults struct {
	next  http.RoundTripper
	fault atomic.Pointer[Fault]
}

// Fault answers a request instead of the API server, or with its help.
type Fault func(request *http.Request, next http.RoundTripper) (*http.Response, error)

// Wrap is for a connection's WrapTransport.
func (f *Faults) Wrap(next http.RoundTripper) http.RoundTripper {
	f.next = next
	return f
}

// Set lets a fault happen until it is cleared.
func (f *Faults) Set(fault Fault) (clear func()) {
	f.fault.Store(&fault)
	return func() { f.fault.Store(nil) }
}

// RoundTrip is http.RoundTripper's.
func (f *Faults) RoundTrip(request *http.Request) (*http.Response, error) {
	if fault := f.fault.Load(); fault != nil {
		return (*fault)(request, f.next)
	}
	return f.next.RoundTrip(request)
}

// LoseAnswer lets the next call that creates something do so, and go unanswered.
func (f *Faults) LoseAnswer() {
	f.Set(func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if request.Method == http.MethodPost && err == nil && response.StatusCode == http.StatusCreated {
			f.fault.Store(nil)
			_ = response.Body.Close()
			return nil, errors.New("the answer was lost")
		}
		return response, err
	})
}
