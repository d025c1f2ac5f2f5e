package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
)

// traceHeader is the header field in which Temporal's SDKs carry a trace, in any
// language: a JSON object of the headers of W3C's Trace Context.
const traceHeader = "_tracer-data"

// Span is a decision of a monitor, as a trace shows it.
type Span struct {
	Parent     string // traceparent of what it follows from; "" begins a trace
	Trace      string // its own
	WorkflowID string
	RunID      string
	ModelName  string
	Decision   monitor.Decision
}

// Traced makes the monitors of a worker part of the traces of their signals and
// updates. A run has no span: it goes on for days. A decision has one, and what
// it leads to, calls of backends and later decisions, is below it. Nothing of it is
// a command, so that histories replay with and without.
type Traced struct {
	interceptor.WorkerInterceptorBase
	Record func(Span) // hears of each decision once, and not in replay
}

// InterceptWorkflow traces monitors.
func (t *Traced) InterceptWorkflow(ctx workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	if workflow.GetInfo(ctx).WorkflowType.Name != contract.WorkflowType {
		return next
	}
	i := &traces{record: t.Record, heard: map[string][]string{}}
	i.Next = next
	return i
}

// traces are those of one run.
type traces struct {
	interceptor.WorkflowInboundInterceptorBase
	record func(Span)
	heard  map[string][]string // by signal, in order: traceparents, "" for none
	now    string              // of the signal or the update that is being handled
	named  int                 // decisions
}

type tracesKey struct{}

// Init puts traces into what the workflow calls.
func (t *traces) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	o := &tracedCalls{}
	o.Next = outbound
	return t.Next.Init(o)
}

// ExecuteWorkflow lets the run find its traces.
func (t *traces) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	return t.Next.ExecuteWorkflow(workflow.WithValue(ctx, tracesKey{}, t), in)
}

// HandleSignal keeps a signal's trace until the run takes the signal.
func (t *traces) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	t.heard[in.SignalName] = append(t.heard[in.SignalName], traceIn(ctx))
	return t.Next.HandleSignal(ctx, in)
}

// ExecuteUpdate lets what an update decides be part of its trace.
func (t *traces) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	t.now = traceIn(ctx)
	defer func() { t.now = "" }()
	return t.Next.ExecuteUpdate(ctx, in)
}

// take says that the run has taken a signal, and returns what undoes that.
func (t *traces) take(name string) (done func()) {
	if t == nil || len(t.heard[name]) == 0 {
		return func() {}
	}
	before := t.now
	t.now = t.heard[name][0]
	t.heard[name] = t.heard[name][1:]
	if len(t.heard[name]) == 0 {
		delete(t.heard, name) // there may be names without number
	}
	return func() { t.now = before }
}

// away lets others run, whose decisions are no part of the trace at hand.
func (t *traces) away(others func()) {
	if t == nil {
		others()
		return
	}
	before := t.now
	t.now = ""
	others()
	t.now = before
}

// trace makes a machine's decisions spans.
func (m *monitorRun) trace(ctx workflow.Context) {
	m.traces, _ = ctx.Value(tracesKey{}).(*traces)
	if m.traces == nil {
		return
	}

	info := workflow.GetInfo(ctx)
	m.machine.Trace = func(cause string, d monitor.Decision) string {
		parent := cause
		if parent == "" {
			parent = m.traces.now
		}
		m.traces.named++
		span := Span{
			Parent: parent, Trace: spanOf(parent, fmt.Sprintf("%s/%d", info.WorkflowExecution.RunID, m.traces.named)),
			WorkflowID: info.WorkflowExecution.ID, RunID: info.WorkflowExecution.RunID, ModelName: m.machine.ModelName(), Decision: d,
		}
		if !workflow.IsReplaying(ctx) {
			m.traces.record(span)
		}
		return span.Trace
	}
}

// spanOf names a span, the same in each replay.
func spanOf(parent, seed string) string {
	hash := sha256.Sum256([]byte(seed))
	id := hex.EncodeToString(hash[:8])
	if parent == "" {
		return "00-" + hex.EncodeToString(hash[8:24]) + "-" + id + "-01"
	}
	parts := strings.Split(parent, "-") // it is a good one
	return "00-" + parts[1] + "-" + id + "-" + parts[3]
}

// goodTrace is a traceparent of version 00.
var goodTrace = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// traceIn is the traceparent in the header of what is handled. It comes from
// elsewhere: what is none counts as none.
func traceIn(ctx workflow.Context) string {
	var carried map[string]string
	if json.Unmarshal(interceptor.WorkflowHeader(ctx)[traceHeader].GetData(), &carried) != nil || !goodTrace.MatchString(carried["traceparent"]) {
		return ""
	}
	return carried["traceparent"]
}

type traceKey struct{}

// below makes the activities of a context part of a trace.
func below(ctx workflow.Context, trace string) workflow.Context {
	if trace == "" {
		return ctx
	}
	return workflow.WithValue(ctx, traceKey{}, trace)
}

// tracedCalls put traces into the headers of activities.
type tracedCalls struct {
	interceptor.WorkflowOutboundInterceptorBase
}

// ExecuteActivity adds the header.
func (t *tracedCalls) ExecuteActivity(ctx workflow.Context, kind string, args ...any) workflow.Future {
	if trace, _ := ctx.Value(traceKey{}).(string); trace != "" {
		if payload, err := converter.GetDefaultDataConverter().ToPayload(map[string]string{"traceparent": trace}); err == nil {
			interceptor.WorkflowHeader(ctx)[traceHeader] = payload
		}
	}
	return t.Next.ExecuteActivity(ctx, kind, args...)
}
