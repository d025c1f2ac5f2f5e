// Package docs_test holds what the documents say of each other: that what a link
// names is there, and that a reader of the README finds every page.
package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	linked  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	// signpost is a document that a comment, a message or a script names.
	signpost = regexp.MustCompile(`\b(?:docs|examples)/[a-zA-Z0-9_/-]+\.md\b`)
	// sources are the files whose signposts are held, by the end of their names.
	sources = []string{".go", ".sh", ".yml", ".yaml", ".md", ".py", "Makefile", "Dockerfile"}
)

func TestEveryLinkOfADocumentLeadsSomewhere(t *testing.T) {
	for _, document := range documents(t) {
		for _, link := range linked.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, document), ""), -1) {
			target, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(target, "://") {
				continue
			}

			file := document
			if target != "" {
				file = path.Join(path.Dir(document), target)
			}
			_, err := os.Stat(file)
			if !assert.NoError(t, err, "%s links to %s", document, link[1]) || anchor == "" {
				continue
			}

			assert.Contains(t, anchors(read(t, file)), anchor, "%s links to %s", document, link[1])
		}
	}
}

func TestEveryDocumentThatASourceNamesIsThere(t *testing.T) {
	require.NoError(t, filepath.WalkDir("..", func(file string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." {
				return filepath.SkipDir
			}
			return nil
		}

		for _, end := range sources {
			if !strings.HasSuffix(file, end) {
				continue
			}
			for _, named := range signpost.FindAllString(read(t, file), -1) {
				_, err := os.Stat(path.Join("..", named))
				assert.NoError(t, err, "%s names %s", file, named)
			}
		}
		return nil
	}))
}

// A path in backticks is one when a folder of the project is its first element.
func TestEveryFileThatADocumentNamesIsThere(t *testing.T) {
	named := regexp.MustCompile("`([\\w-][\\w.-]*(?:/[\\w.-]+)+)/?`")
	found := 0
	for _, document := range documents(t) {
		for _, file := range named.FindAllStringSubmatch(read(t, document), -1) {
			folder, _, _ := strings.Cut(file[1], "/")
			if _, err := os.Stat(path.Join("..", folder)); err != nil {
				continue
			}
			found++
			_, err := os.Stat(path.Join("..", file[1]))
			assert.NoError(t, err, "%s names %s", document, file[1])
		}
	}
	require.Greater(t, found, 30)
}

func TestTheREADMENamesEveryPage(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	readme := read(t, "../README.md") + read(t, "backends.md")

	for _, page := range pages {
		assert.True(t, strings.Contains(readme, page+")"), "%s is neither in the README nor, as a backend's, in backends.md", page)
	}
}

func TestOperatingListsEveryRunbook(t *testing.T) {
	runbooks, err := filepath.Glob("runbooks/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, runbooks)
	operating := read(t, "operating.md")

	for _, runbook := range runbooks {
		assert.True(t, strings.Contains(operating, "("+runbook+")"), "operating.md does not list %s", runbook)
	}
}

// documents are all Markdown files of the project, as paths from here.
func documents(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range []string{"../*.md", "*.md", "*/*.md", "../*/*.md", "../*/*/*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, found...)
	}
	require.NotEmpty(t, files)
	return files
}

// anchors are the fragments by which a document's headings are linked to, as
// GitHub makes them: lower case, without punctuation, a hyphen for each blank.
func anchors(document string) (fragments []string) {
	for _, title := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(document, ""), -1) {
		fragment := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case strings.ContainsRune("`*.,:;!?()'\"/&…", r):
				return -1
			}
			return r
		}, strings.ToLower(title[1]))
		fragments = append(fragments, fragment)
	}
	return fragments
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(file))
	require.NoError(t, err)
	return string(text)
}

// A promise names the test that holds it, and so a name that leads nowhere is a
// promise that nothing holds.
func TestEveryTestThatADocumentNamesIsThere(t *testing.T) {
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`")
	declared := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(file string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		for _, found := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(read(t, file), -1) {
			declared[found[1]] = true
		}
		return nil
	}))

	promises := 0
	for _, document := range documents(t) {
		for _, test := range named.FindAllStringSubmatch(read(t, document), -1) {
			promises++
			assert.True(t, declared[test[1]], "%s names %s", document, test[1])
		}
	}
	require.Greater(t, promises, 30)
}
