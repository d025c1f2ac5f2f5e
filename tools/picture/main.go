// Command picture takes a picture of a page of the Temporal UI with a headless
// Chromium, once a text is on it. `make picture` makes the README's with it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/chromedp/chromedp"
)

func main() {
	url := flag.String("url", "", "page to show")
	wait := flag.String("wait", "", "text to wait for, as an XPath string literal takes it")
	out := flag.String("out", "picture.png", "PNG to write")
	width := flag.Int64("width", 1280, "pixels")
	height := flag.Int64("height", 1000, "pixels")
	flag.Parse()
	if err := take(*url, *wait, *out, *width, *height); err != nil {
		fmt.Fprintf(os.Stderr, "take a picture of %s: %v\n", *url, err)
		os.Exit(1)
	}
}

func take(url, wait, out string, width, height int64) error {
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
