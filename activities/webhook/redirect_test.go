package webhook_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/webhook"
)

func TestARedirectWithinTheEndpointsOriginIsFollowed(t *testing.T) {
	for _, status := range []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			trainer := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/old" {
					answers(status, "", "", "Location", "/new/retrainings")(w, r)
					return
				}
				answers(http.StatusAccepted, jsonType, `{"status_url":"7"}`)(w, r)
			})
			backend := newBackend(t, webhook.Config{URL: trainer.URL + "/old", Secret: secret})
			job, err := backend.ScheduleRetraining(t.Context(), breach())
			require.NoError(t, err)
			assert.Equal(t, trainer.URL+"/new/7", job.StatusURL, "relative to who answered")

			require.Len(t, trainer.got(), 2)
			first, second := trainer.got()[0], trainer.got()[1]
			assert.Equal(t, http.MethodPost, second.Method)
			assert.Equal(t, first.body, second.body)
			assert.NoError(t, second.verify())
		})
	}
}

func TestAnyOtherRedirectIsFinalAndSaysWhatToConfigure(t *testing.T) {
	elsewhere := newReceiver(t, answers(http.StatusAccepted, "", ""))
	tests := map[string]struct {
		status   int
		location string
		want     string
	}{
		"307 to another port":                     {307, elsewhere.URL + "/x?token=hunter2", "a redirect to " + elsewhere.URL + "/x?…;"},
		"308 to another host":                     {308, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1), "a redirect to http://localhost:"},
		"307 to another scheme":                   {307, "https://{self}/", "a redirect to https://"},
		"307 with a password":                     {307, "http://me:hunter2@{self}/", "a redirect to http://127.0.0.1:"},
		"301, which would turn a POST into a GET": {301, "/new", "a redirect to http://"},
		"302 within the origin":                   {302, "/new", "a redirect to http://"},
		"303 within the origin":                   {303, "/new", "a redirect to http://"},
		"304, which is no redirect":               {304, "", "a redirect to nowhere"},
		"307 without a Location":                  {307, "", "a redirect to nowhere"},
		"308 in a circle":                         {308, "/", "5 at most"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			trainer := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
				answers(test.status, "", "", "Location", strings.Replace(test.location, "{self}", r.Host, 1))(w, r)
			})
			told := scheduled(t.Context(), newBackend(t, webhook.Config{URL: trainer.URL, Secret: secret}))
			require.NotNil(t, told)
			assert.True(t, told.NonRetryable())
			assert.ErrorContains(t, told, test.want)
			assert.ErrorContains(t, told, "configure the URL that answers itself")
			assert.NotContains(t, told.Error(), "hunter2")
			assert.LessOrEqual(t, len(trainer.got()), 6)
			for _, request := range trainer.got() {
				assert.Equal(t, http.MethodPost, request.Method)
			}
		})
	}
	assert.Empty(t, elsewhere.got(), "nothing, and no signature, reaches another host")
}
