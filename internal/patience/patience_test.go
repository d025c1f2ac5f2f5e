package patience_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// spy is a test that may fail.
type spy struct {
	testing.TB
	failed string
}

func (*spy) Helper() {}

func (s *spy) Fatalf(format string, _ ...any) {
	s.failed = format
	panic(s)
}

// fails says whether a test would have failed, and after how long.
func fails(test func(testing.TB)) (failed bool, after time.Duration) {
	s := &spy{}
	began := time.Now()
	defer func() {
		_ = recover()
		failed = s.failed != ""
		after = time.Since(began)
	}()
	test(s)
	return failed, after
}

func TestAFactIsWaitedForAndNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		came := time.Now().Add(patience.Limit - time.Second)
		failed, after := fails(func(t testing.TB) {
			patience.Until(t, "it comes late", func() bool { return time.Now().After(came) })
		})
		assert.False(t, failed)
		assert.Less(t, after, patience.Limit)

		failed, after = fails(func(t testing.TB) {
			patience.Until(t, "it never comes", func() bool { return false })
		})
		assert.True(t, failed)
		assert.GreaterOrEqual(t, after, patience.Limit)
	})
}

func TestAValueIsWaitedForAndNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := make(chan int)
		var sender sync.WaitGroup
		sender.Go(func() {
			time.Sleep(patience.Limit - time.Second)
			values <- 7
		})
		assert.Equal(t, 7, patience.Receive(t, "it comes late", values))
		sender.Wait()

		failed, _ := fails(func(t testing.TB) { patience.Receive(t, "it never comes", values) })
		assert.True(t, failed)
	})
}

func TestLongTestsAreLeftOutUnlessTheyAreAskedFor(t *testing.T) {
	for value, runs := range map[string]bool{"": false, "yes": true} {
		t.Setenv(patience.LongVariable, value)
		ran := false
		t.Run("long", func(t *testing.T) {
			patience.Long(t)
			ran = true
		})
		assert.Equal(t, runs, ran)
	}
}
