// Package browser looks at what operators look at, by a real browser, while everything
// that has a name is called as an attacker would call it.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
)

const root = "../../.."

// hostile are names that would run a script, or fetch or link to an attacker's host, if
// they were anything but text.
var hostile = []string{
	`<img src=//evil.example/i onerror=pwned=1>`,
	`</script><script>pwned=1</script>`,
	`<svg/onload=pwned=1><a href=//evil.example>`,
	`[see](https://evil.example/a) ![i](https://evil.example/i.png)`,
	`[see](javascript:pwned=1) <https://evil.example>`,
	`https://evil.example/auto www.evil.example`,
	`"onmouseover="pwned=1" x="`,
	`'-pwned=1-' ${pwned=1} {{pwned=1}}`,
	"`` <b onclick=pwned=1> ``|](//evil.example)",
}

// build makes the programs.
func build(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	command := exec.Command("make", "build", "BIN="+folder)
	command.Dir = root
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	return folder
}

// run runs the operator's program.
func run(t *testing.T, folder, input string, environment []string, arguments ...string) string {
	t.Helper()
	command := exec.Command(filepath.Join(folder, "modelvigil"), arguments...)
	command.Env = append(os.Environ(), environment...)
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "modelvigil %s\n%.3000s", strings.Join(arguments, " "), out)
	return string(out)
}

// open starts a browser, or skips the test where none is installed.
func open(t *testing.T) context.Context {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("needs chromium on PATH")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath("chromium"),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-features", "site-per-process,IsolateSandboxedIframes,Translate"), // frames are in reach of their page
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
	ctx, cancel := chromedp.NewExecAllocator(patience.Context(t), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// made is what a page holds that may be an attacker's.
const made = `(() => {
	const of = [];
	for (const e of document.querySelectorAll('*')) {
		for (const a of e.attributes) {
			const value = a.value.toLowerCase();
			if (a.name.startsWith('on') && value.includes('pwned')) of.push(e.outerHTML.slice(0, 200));
			if (['href', 'src', 'xlink:href', 'action', 'formaction', 'data', 'srcdoc'].includes(a.name) && (value.includes('evil.example') && !value.startsWith('http://127.0.0.1') && !value.startsWith('/') || value.startsWith('//evil') || value.trim().startsWith('javascript:'))) of.push(e.outerHTML.slice(0, 200));
		}
		if (e.tagName === 'SCRIPT' && e.textContent.startsWith('pwned')) of.push(e.outerHTML);
	}
	return of;
})()`

// tab is a page in a browser, with all its frames: the Temporal UI draws a monitor's page
// in one of its own.
type tab struct {
	context.Context
	mu     sync.Mutex
	frames map[runtime.ExecutionContextID]bool
	asked  []string // of the attacker, or dialogs that opened
}

// visit opens a page.
func visit(browser context.Context, t *testing.T, url string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	at := &tab{Context: ctx, frames: map[runtime.ExecutionContextID]bool{}}
	chromedp.ListenTarget(ctx, at.hear)
	require.NoError(t, chromedp.Run(ctx, network.Enable(), page.Enable(), chromedp.EmulateViewport(1500, 1400), chromedp.Navigate(url)))
	return at
}

func (at *tab) hear(event any) {
	at.mu.Lock()
	defer at.mu.Unlock()
	switch event := event.(type) {
	case *runtime.EventExecutionContextCreated:
		at.frames[event.Context.ID] = true
	case *runtime.EventExecutionContextDestroyed:
		delete(at.frames, event.ExecutionContextID)
	case *network.EventRequestWillBeSent:
		if host, err := url.Parse(event.Request.URL); err == nil && strings.Contains(host.Host, "evil.example") {
			at.asked = append(at.asked, event.Request.URL)
		}
	case *page.EventJavascriptDialogOpening:
		at.asked = append(at.asked, "a dialog: "+event.Message)
	}
}

// inEach is what an expression comes to in each frame that there is.
func inEach[T any](at *tab, expression string) (values []T) {
	at.mu.Lock()
	frames := slices.Collect(maps.Keys(at.frames))
	at.mu.Unlock()
	for _, frame := range frames {
		var value T
		in := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithContextID(frame) }
		if chromedp.Run(at, chromedp.Evaluate(expression, &value, in)) == nil { // it may be gone
			values = append(values, value)
		}
	}
	return values
}

// assertText looks at a page until a text is on it, touches all of it that can be touched,
// and holds that hostile names are text there and nothing else. The page is drawn into a
// file where BROWSER_PICTURES names a folder.
func assertText(browser context.Context, t *testing.T, name, url, wait string) {
	t.Helper()
	at := visit(browser, t, url)
	patience.Until(t, wait+" is on "+url, func() bool {
		return strings.Contains(strings.Join(inEach[string](at, `document.body ? document.body.innerText : ''`), ""), wait)
	})
	inEach[bool](at, `for (const e of document.querySelectorAll('*')) for (const kind of ['mouseover', 'mouseenter', 'mousemove', 'focus']) e.dispatchEvent(new MouseEvent(kind, {bubbles: true, clientX: 700, clientY: 400})); true`)
	pwned := inEach[string](at, `typeof pwned`)
	found := inEach[[]string](at, made)
	if folder := os.Getenv("BROWSER_PICTURES"); folder != "" {
		var picture []byte
		require.NoError(t, chromedp.Run(at, chromedp.FullScreenshot(&picture, 100)))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600))
	}

	at.mu.Lock()
	defer at.mu.Unlock()
	require.NotEmpty(t, pwned)
	assert.NotContains(t, pwned, "number", "no script ran")
	assert.Empty(t, slices.Concat(found...), "nothing on the page is the attacker's")
	assert.Empty(t, at.asked, "and the attacker's host was asked for nothing")
}

// The test's own eyes: a page that is what these names would make of it is found out.
func TestAPageThatTakesNamesForMarkupIsFoundOut(t *testing.T) {
	browser := open(t)
	frame := strings.NewReplacer("&", "&amp;", `"`, "&quot;").Replace(strings.Join(hostile, "\n"))
	path := filepath.Join(t.TempDir(), "page.html")
	for _, body := range []string{strings.Join(hostile, "\n"), `<iframe sandbox="allow-scripts" srcdoc="` + frame + `"></iframe>`} {
		require.NoError(t, os.WriteFile(path, []byte("<html><body>ready "+body+"</body></html>"), 0o600))
		at := visit(browser, t, "file://"+path)
		patience.Until(t, "its script has run", func() bool { return slices.Contains(inEach[string](at, `typeof pwned`), "number") })
		assert.GreaterOrEqual(t, len(slices.Concat(inEach[[]string](at, made)...)), 4)
		assert.NotEmpty(t, at.asked)
	}
}

// recorded are events of two versions over some hours, of which the second is worse.
func recorded(name string) string {
	var events strings.Builder
	for i := range 240 {
		version := name + "1"
		if i > 120 {
			version = name + "2"
		}
		event := map[string]any{
			"timestamp": fmt.Sprintf("2026-03-01T%02d:%02d:00Z", 8+i/60, i%60), "model_name": name, "model_version": version,
			"metrics": map[string]float64{name: float64(i%10) / 20 * float64(1+i/121)}, "categories": map[string]string{name + "c": name},
		}
		encoded, _ := json.Marshal(event)
		events.Write(append(encoded, '\n'))
	}
	return events.String()
}

// wanted is a policy whose rules, metrics and categories have a name.
func wanted(name string) string {
	rules := []any{
		map[string]any{"name": name, "metric": name, "above": 0.4},
		map[string]any{"name": name + "p", "metric": name, "period": "10m", "stat": "mean", "above": 0.4},
		map[string]any{"name": name + "d", "metric": name, "period": "30m", "above": 0.2, "drift": map[string]any{"statistic": "ks", "reference": map[string]any{"from": "first", "samples": 30}}},
		map[string]any{"name": name + "c", "category": name + "c", "period": "30m", "above": 0.2, "drift": map[string]any{"statistic": "tvd", "reference": map[string]any{"from": "first", "samples": 30}}},
	}
	encoded, _ := json.Marshal(map[string]any{"rules": rules, "cooldown": "30m"})
	return string(encoded)
}

func TestTheReportOfABacktestTakesNoNameForMarkup(t *testing.T) {
	ctx := open(t)
	programs := build(t)
	for i, name := range hostile {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(folder, "policy.json"), []byte(wanted(name)), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(folder, "events.ndjson"), []byte(recorded(name)), 0o600))
			report := filepath.Join(folder, "report.html")
			run(t, programs, "", nil, "backtest", filepath.Join(folder, "policy.json"), "--events", filepath.Join(folder, "events.ndjson"), "--report", report)
			assertText(ctx, t, fmt.Sprint("report-", i), "file://"+report, name[:8])
		})
	}
}

func TestTheCertificatesPageTakesNoNameForMarkup(t *testing.T) {
	browser := open(t)
	programs := build(t)
	for i, name := range hostile {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			policy, events, page := filepath.Join(folder, "policy.json"), filepath.Join(folder, "events.ndjson"), filepath.Join(folder, "page.html")
			wanted, err := json.Marshal(map[string]any{"rules": []any{map[string]any{"name": name, "metric": name, "above": 0.98}}, "cooldown": "6h"})
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(policy, wanted, 0o600))
			var text strings.Builder
			for hour := range 240 {
				event, err := json.Marshal(map[string]any{
					"timestamp": fmt.Sprintf("2026-03-%02dT%02d:00:00Z", 1+hour/24, hour%24), "model_name": name, "model_version": name,
					"metrics": map[string]float64{name: float64(hour*37%101) / 100},
				})
				require.NoError(t, err)
				text.Write(append(event, '\n'))
			}
			require.NoError(t, os.WriteFile(events, []byte(text.String()), 0o600))

			made := run(t, programs, "", nil, "certify", policy, "--events", events, "--samples", "40", "-o", "html")
			require.NoError(t, os.WriteFile(page, []byte(made), 0o600))
			assertText(browser, t, fmt.Sprint("certificate-", i), "file://"+page, name[:8])
		})
	}
}

// free is a port that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return port
}

// A monitor of which everything has a hostile name, on a real server's UI: the list of
// monitors, its page with the table of what drifts, and its history.
func TestTheTemporalUITakesNoNameForMarkup(t *testing.T) {
	ctx := open(t)
	temporal := os.Getenv("MODELVIGIL_TEMPORAL")
	if temporal == "" {
		t.Skip("set MODELVIGIL_TEMPORAL, as `make e2e-browser` does")
	}
	programs := build(t)
	address, ui := "127.0.0.1:"+free(t), free(t)
	environment := []string{"TEMPORAL_ADDRESS=" + address}
	start := func(environment []string, program string, arguments ...string) {
		command := exec.Command(program, arguments...)
		command.Env = append(os.Environ(), environment...)
		require.NoError(t, command.Start())
		t.Cleanup(func() {
			_ = command.Process.Kill()
			_ = command.Wait()
		})
	}
	start(nil, temporal, "server", "start-dev", "--ip", "127.0.0.1", "--port", address[len("127.0.0.1:"):], "--ui-port", ui, "--log-level", "error")
	patience.Until(t, "the server is up", func() bool {
		command := exec.Command(temporal, "operator", "cluster", "health", "--address", address)
		return command.Run() == nil
	})
	start(append(environment, "MODELOPS_BACKEND=log", "LISTEN_ADDRESS=127.0.0.1:0"), filepath.Join(programs, "modelvigil-worker"))

	model, version := hostile[0], hostile[1]
	var rules []any
	next := func(i int) string { return hostile[(i+1)%len(hostile)] }
	for i, name := range hostile {
		rules = append(rules, map[string]any{"name": name, "metric": next(i), "period": "2s", "above": 0.5, "drift": map[string]any{"statistic": "ks", "reference": map[string]any{"from": "first", "samples": 30}}})
	}
	rules = append(rules, map[string]any{"name": "c" + version, "category": "c" + model, "period": "2s", "above": 0.5, "drift": map[string]any{"statistic": "tvd", "reference": map[string]any{"from": "first", "samples": 30}}})
	policy, err := json.Marshal(map[string]any{"model_name": model, "rules": rules, "cooldown": "1h"})
	require.NoError(t, err)
	patience.Until(t, "a worker answers", func() bool {
		command := exec.Command(filepath.Join(programs, "modelvigil"), "apply", "-")
		command.Env = append(os.Environ(), environment...)
		command.Stdin = strings.NewReader(string(policy))
		return command.Run() == nil
	})

	publish := func(from float64) {
		var events strings.Builder
		for i := range 30 {
			metrics := map[string]float64{}
			for _, name := range hostile {
				metrics[name] = from + float64(i)
			}
			encoded, _ := json.Marshal(map[string]any{"model_name": model, "model_version": version, "metrics": metrics, "categories": map[string]string{"c" + model: fmt.Sprint(hostile[3], from)}})
			events.Write(append(encoded, '\n'))
		}
		run(t, programs, events.String(), environment, "publish", "--file", "-")
	}
	status := func() string { return run(t, programs, "", environment, "status", model, "-o", "json") }
	patience.Until(t, "a period is judged", func() bool {
		publish(0)
		return strings.Contains(status(), `"healthy"`)
	})
	patience.Until(t, "the shift is found", func() bool {
		publish(500)
		return strings.Contains(status(), `"triggered"`)
	})
	run(t, programs, "", environment, "pause", model, "--by", hostile[4], "--reason", hostile[3])

	workflow := "http://127.0.0.1:" + ui + "/namespaces/default/workflows"
	assertText(ctx, t, "ui-list", workflow, "model-monitor")
	id := contract.WorkflowID(model)
	at := workflow + "/" + url.PathEscape(id) + "/" + runOf(t, temporal, address, id)
	assertText(ctx, t, "ui-page", at+"/user-metadata", "Drift of version")
	assertText(ctx, t, "ui-history", at+"/history", "Event")
}

// runOf is the run of a workflow.
func runOf(t *testing.T, temporal, address, id string) string {
	t.Helper()
	out, err := exec.Command(temporal, "workflow", "describe", "--address", address, "-w", id, "-o", "json").Output()
	require.NoError(t, err)
	var described struct {
		Info struct {
			Execution struct {
				RunID string `json:"runId"`
			} `json:"execution"`
		} `json:"workflowExecutionInfo"`
	}
	require.NoError(t, json.Unmarshal(out, &described))
	return described.Info.Execution.RunID
}
