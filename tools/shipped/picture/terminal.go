package main

import (
	"fmt"
	"html"
	"os"
	"regexp"
	"strings"
)

// sgr are the sequences that modelvigil top colours with, as CSS.
var sgr = map[string]string{
	"1": "font-weight:bold", "2": "opacity:.6", "7": "background:#d8dee9;color:#2e3440",
	"31": "color:#e06c75", "32": "color:#98c379", "33": "color:#e5c07b", "34": "color:#61afef", "35": "color:#c678dd", "36": "color:#56b6c2",
}

var sequence = regexp.MustCompile(`\x1b\[([0-9;]*)m`)

// rendered turns what a terminal shows into a page, and returns its address.
func rendered(path string) (url string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}

	var body strings.Builder
	at, active := 0, []string(nil)
	write := func(plain string) {
		fmt.Fprintf(&body, "<span style=%q>%s</span>", strings.Join(active, ";"), html.EscapeString(plain))
	}
	for _, m := range sequence.FindAllSubmatchIndex(text, -1) {
		write(string(text[at:m[0]]))
		at = m[1]
		for code := range strings.SplitSeq(string(text[m[2]:m[3]]), ";") {
			if css, known := sgr[code]; known {
				active = append(active, css)
			} else { // 0, or nothing
				active = nil
			}
		}
	}

	write(string(text[at:]))
	name := path + ".html"
	document := `<meta charset="utf-8"><body style="margin:0;background:#282c34;color:#dcdfe4"><pre style="margin:16px;font:14px/1.35 'DejaVu Sans Mono',monospace">` + body.String() + `</pre>`
	return "file://" + name, os.WriteFile(name, []byte(document), 0o644)
}
