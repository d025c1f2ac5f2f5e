// Command picture takes a picture of a page of the Temporal UI with a headless
// Chromium, once a text is on it. `make picture` makes the README's with it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

func main() {
	url := flag.String("url", "", "page to show")
	wait := flag.String("wait", "", "text to wait for, as an XPath string literal takes it")
	out := flag.String("out", "picture.png", "PNG to write")
	columns := flag.String("columns", "", "columns of the UI's list of workflows, with commas")
	width := flag.Int64("width", 1280, "pixels")
	height := flag.Int64("height", 1000, "pixels")
	terminal := flag.String("terminal", "", "instead of a page: a file with what a terminal shows")
	flag.Parse()
	if *terminal != "" {
		address, err := rendered(*terminal)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		*url = address
		*wait = "model"
	}
	if err := take(*url, *wait, *columns, *out, *width, *height); err != nil {
		fmt.Fprintf(os.Stderr, "take a picture of %s: %v\n", *url, err)
		os.Exit(1)
	}
}

func take(url, wait, columns, out string, width, height int64) error {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var png []byte
	err := chromedp.Run(ctx,
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument(choose(columns)).Do(ctx)
			return err
		}),
		chromedp.EmulateViewport(width, height, chromedp.EmulateScale(1.5)),
		chromedp.Navigate(url),
		chromedp.WaitVisible(fmt.Sprintf("//*[contains(text(), '%s')]", wait), chromedp.BySearch),
		chromedp.Sleep(2*time.Second), // what loads after it
		chromedp.CaptureScreenshot(&png),
	)
	if err != nil {
		return err
	}

	return os.WriteFile(out, png, 0o644)
}

// choose is a script that chooses columns as the UI remembers them.
func choose(columns string) string {
	if columns == "" {
		return ""
	}

	var labels []map[string]string
	for label := range strings.SplitSeq(columns, ",") {
		labels = append(labels, map[string]string{"label": label})
	}
	encoded, err := json.Marshal(map[string]any{"default": labels})
	if err != nil {
		panic(err) // of strings
	}
	return fmt.Sprintf("localStorage.setItem('namespace-workflow-table-columns', %q)", encoded)
}
