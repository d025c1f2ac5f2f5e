package airflow_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/activities/airflow"
	"github.com/modelvigil/modelvigil/modelops"
)

const token = "eyJhbGciOi.a-token.of-a-user"

// stage stands for an Airflow that answers as a real one won't when it is asked to.
// Its answers are by method and the end of the path, the longest first; nothing else
// is there.
func stage(t *testing.T, answers map[string]http.HandlerFunc) airflow.Config {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		best := ""
		for call := range answers {
			method, path, _ := strings.Cut(call, " ")
			if r.Method == method && strings.HasSuffix(r.URL.Path, path) && len(call) >= len(best) {
				best = call
			}
		}
		if best == "" {
			says(http.StatusNotFound, `{"detail": "not found"}`)(w, r)
			return
		}
		answers[best](w, r)
	}))
	t.Cleanup(s.Close)
	return airflow.Config{URL: s.URL, DAG: "retrain", Token: token}
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// isRun answers with the run of a request.
func isRun(request modelops.Request, state string) http.HandlerFunc {
	return says(http.StatusOK, fmt.Sprintf(`{"state": %q, "conf": {"request_id": %q}}`, state, request.RequestID))
}

// told is what Temporal is told of a call that starts a run.
func told(t *testing.T, config airflow.Config) *sdktemporal.ApplicationError {
	t.Helper()
	calls := activities.Retraining{Backends: map[string]modelops.ModelOps{"gpu": newBackend(t, config)}}
	_, err := calls.ScheduleRetraining(t.Context(), activities.Call{Backend: "gpu", Request: breach()})
	var application *sdktemporal.ApplicationError
	require.ErrorAs(t, err, &application)
	assert.NotContains(t, application.Error(), token)
	return application
}

func TestEveryFaultOfAConfigurationIsNamed(t *testing.T) {
	good := airflow.Config{URL: "https://airflow.example/team", DAG: "retrain", Username: "vigil", Password: "secret"}
	tests := map[string]struct {
		change func(*airflow.Config)
		want   string
	}{
		"nothing at all":                     {func(c *airflow.Config) { *c = airflow.Config{} }, "url: is missing; must be Airflow's web address, an absolute http or https URL\ndag: is missing; must be the dag_id of the DAG that retrains a model\ntoken: is missing; set it, or username and password"},
		"an address without a scheme":        {func(c *airflow.Config) { c.URL = "airflow.example:8080" }, "url: must be an absolute http or https URL, such as https://airflow.example"},
		"an address that can't be parsed":    {func(c *airflow.Config) { c.URL = "http://vigil:secret@%zz" }, "url: must be an absolute http or https URL, got one that can't be parsed"},
		"an address with a password":         {func(c *airflow.Config) { c.URL = "http://vigil:secret@airflow.example" }, "url: must not hold a user name or password; set username and password instead"},
		"an address with a query":            {func(c *airflow.Config) { c.URL = "http://airflow.example?key=secret" }, "url: must hold no query and no fragment"},
		"the address of the API":             {func(c *airflow.Config) { c.URL += "/api/v2/" }, "url: must end before /api/v2"},
		"all DAGs":                           {func(c *airflow.Config) { c.DAG = "~" }, `dag: must be a dag_id, of letters, digits, -, _ and . only, got "~"`},
		"a token beside a password":          {func(c *airflow.Config) { c.Token = token }, "token: is set beside username or password; set either"},
		"a token with its header":            {func(c *airflow.Config) { c.Token, c.Username, c.Password = "Bearer "+token, "", "" }, "token: must be one word of ASCII characters, as a header takes it"},
		"a user name without a password":     {func(c *airflow.Config) { c.Password = "" }, "password: is missing, and username is set"},
		"a password without a user name":     {func(c *airflow.Config) { c.Username = "" }, "username: is missing, and password is set"},
		"a key that is none":                 {func(c *airflow.Config) { c.ModelVersionKey = "train/" }, `model_version_key: must be an XCom's key, or task_id/key, got "train/"`},
		"a time that has passed":             {func(c *airflow.Config) { c.Timeout = -time.Second }, "timeout: must not be negative, got -1s"},
		"no fault: a dag_id of any alphabet": {func(c *airflow.Config) { c.DAG = "обучение.v2" }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := good
			test.change(&c)
			b, err := airflow.New(c)
			if test.want == "" {
				require.NoError(t, err)
				b.Close()
				return
			}
			require.EqualError(t, err, test.want)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestAnAnswerThatIsNoneIsTriedAgainOrFinal(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		kind   string
		pause  time.Duration
		want   string
	}{
		"429 is asked again when it says":              {says(429, "slow down", "Retry-After", "90"), activities.ErrorThrottled, 90 * time.Second, "429 Too Many Requests: slow down"},
		"429 may leave the pause to us":                {says(429, ""), activities.ErrorThrottled, 0, "429 Too Many Requests"},
		"503 is asked again when it says":              {says(503, "", "Date", "Sun, 01 Mar 2026 12:00:00 GMT", "Retry-After", "Sun, 01 Mar 2026 12:01:00 GMT"), activities.ErrorThrottled, time.Minute, "503 Service Unavailable"},
		"a pause of days is cut":                       {says(503, "", "Retry-After", "999999999999999"), activities.ErrorThrottled, time.Hour, "503"},
		"500 is asked again":                           {says(500, `{"detail": {"reason": "Database error", "message": "see the log"}}`), activities.ErrorTransient, 0, "500 Internal Server Error: Database error: see the log"},
		"502 of a proxy is asked again":                {says(502, "<html>\n<b>bad gateway</b>"), activities.ErrorTransient, 0, "502 Bad Gateway: <html> <b>bad gateway</b>"},
		"404 of a proxy is asked again":                {says(404, "default backend - 404"), activities.ErrorTransient, 0, "404 Not Found: default backend - 404 (not from Airflow; is the url in the backend's settings its web address?)"},
		"a redirect is final, and its query not shown": {says(302, "", "Location", "https://sso.example/login?state=secret"), activities.ErrorPermanent, 0, "302 Found, a redirect to https://sso.example/login; redirects are not followed: correct the url"},
		"422 is final, and the values are not shown":   {says(422, `{"detail": [{"loc": ["body", "conf"], "msg": "too long", "input": "secret"}]}`), activities.ErrorPermanent, 0, "422 Unprocessable Entity: body conf: too long"},
		"400 is final":                                 {says(400, `{"detail": "Dag with dag_id: 'retrain' does not allow manual runs"}`), activities.ErrorPermanent, 0, "400 Bad Request: Dag with dag_id: 'retrain' does not allow manual runs"},
		"a token in the answer is not shown":           {says(400, `{"detail": "what is `+token+`?"}`), activities.ErrorPermanent, 0, "400 Bad Request: what is …?"},
		"a page in place of an answer is asked again":  {says(200, "<!doctype html><title>Airflow</title>"), activities.ErrorTransient, 0, `200 with an answer that is not as Airflow 3 gives it, but "<!doctype html><title>Airflow</title>"; is the url`},
		"null in place of an answer is asked again":    {says(200, "null"), activities.ErrorTransient, 0, "not as Airflow 3 gives it"},
		"an answer of another form is asked again":     {says(200, `{"is_paused": "no"}`), activities.ErrorTransient, 0, "not as Airflow 3 gives it"},
		"an answer that is too large is asked again":   {says(200, strings.Repeat(" ", 1<<20+1)), activities.ErrorTransient, 0, "the answer is larger than 1024 KiB"},
		"an answer that breaks off is asked again":     {says(200, `{"is_paused": f`, "Content-Length", "100"), activities.ErrorTransient, 0, "the answer broke off: unexpected EOF"},
		"an answer that doesn't come is asked again":   {hangUp, activities.ErrorTransient, 0, "no answer: EOF"},
		"an answer that comes too slowly is asked again": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("{"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, activities.ErrorTransient, 0, "the answer broke off: context deadline exceeded"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := stage(t, map[string]http.HandlerFunc{"GET /dags/retrain": test.answer})
			if strings.Contains(name, "slowly") {
				config.Timeout = 100 * time.Millisecond
			}
			err := told(t, config)
			assert.Equal(t, test.kind, err.Type())
			assert.Equal(t, test.pause, err.NextRetryDelay())
			assert.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "secret")
			assert.Less(t, len(err.Error()), 1000)
		})
	}
}

// Airflow 2 answers what it doesn't know with a page, and has its API at /api/v1.
func TestAnAirflowThatIsNotVersion3IsFinalAtOnce(t *testing.T) {
	page := says(http.StatusNotFound, "<!doctype html><title>Airflow 404</title>")
	tests := map[string]struct {
		version http.HandlerFunc
		final   bool
		want    string
	}{
		"Airflow 2":                              {says(200, `{"version": "2.10.5", "git_version": null}`), true, "</title>; it is Airflow 2.10.5, and the backend speaks the REST API v2 of Airflow 3: upgrade it, or let a webhook start its DAG"},
		"something that has a page for anything": {says(200, "<!doctype html>"), false, "(not from Airflow; is the url in the backend's settings its web address?)"},
		"something that isn't Airflow":           {page, false, "(not from Airflow; is the url in the backend's settings its web address?)"},
	}
	for name, test := range tests {
		for _, login := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, by login: %t", name, login), func(t *testing.T) {
				config := stage(t, map[string]http.HandlerFunc{
					"GET ": page, "POST ": page,
					"GET /api/v1/version": func(w http.ResponseWriter, r *http.Request) {
						assert.Empty(t, r.Header.Get("Authorization"))
						test.version(w, r)
					},
				})
				if login {
					config.Token, config.Username, config.Password = "", "vigil", "pass-word"
				}

				_, err := newBackend(t, config).ScheduleRetraining(t.Context(), breach())

				require.ErrorContains(t, err, test.want)
				assert.Equal(t, test.final, modelops.IsFinal(err))
			})
		}
	}
}

func TestManyWhoseTokenIsRefusedLogInOnce(t *testing.T) {
	var mu sync.Mutex
	logins := 0
	newest := ""
	config := stage(t, map[string]http.HandlerFunc{
		"POST /auth/token": func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			logins++
			newest = fmt.Sprint("token-", logins)
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(map[string]string{"access_token": newest})
		},
		"GET /dags/retrain": func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if r.Header.Get("Authorization") != "Bearer "+newest {
				w.WriteHeader(http.StatusUnauthorized)
			}
			_, _ = w.Write([]byte("{}"))
		},
		"POST /dagRuns": says(http.StatusOK, "{}"),
	})
	config.Token, config.Username, config.Password = "", "vigil", "secret"
	b := newBackend(t, config)
	for round := range 2 {
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				_, err := b.ScheduleRetraining(t.Context(), breach())
				assert.NoError(t, err)
			})
		}
		calls.Wait()
		mu.Lock()
		assert.Equal(t, round+1, logins)
		newest = "expired"
		mu.Unlock()
	}
}

func TestALoginThatGivesNoTokenIsExplained(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		final  bool
		want   string
	}{
		"no such page":           {says(404, `{"detail": "Not Found"}`), true, "this Airflow gives no tokens for a user name and password there: correct the url in the backend's settings, or set a token"},
		"a fault with the input": {says(422, `{"detail": [{"loc": ["body"], "msg": "bad", "input": {"password": "pass-word"}}]}`), true, "422 Unprocessable Entity: body: bad"},
		"an answer without":      {says(201, `{"access": "token-x"}`), false, "201 with an answer that holds no access_token"},
		"a token of two lines":   {says(201, `{"access_token": "token-x\ny"}`), false, "got a token that no header takes"},
		"a server that is away":  {hangUp, false, "no answer: EOF"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := stage(t, map[string]http.HandlerFunc{"POST /auth/token": test.answer})
			config.Token, config.Username, config.Password = "", "vigil", "pass-word"
			for _, call := range []func(*airflow.Backend) error{
				func(b *airflow.Backend) error { _, err := b.ScheduleRetraining(t.Context(), breach()); return err },
				func(b *airflow.Backend) error { return b.CancelRetraining(t.Context(), breach(), modelops.Job{}) },
			} {
				err := call(newBackend(t, config))
				require.ErrorContains(t, err, `log in as "vigil": `)
				require.ErrorContains(t, err, test.want)
				assert.Equal(t, test.final, modelops.IsFinal(err))
				assert.NotContains(t, err.Error(), "pass-word")
				assert.NotContains(t, err.Error(), "token-x")
			}
		})
	}
}
