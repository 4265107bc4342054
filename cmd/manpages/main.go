//go:build manpages

// Command manpages writes nixbundle's manual pages to a folder: go run -tags manpages ./cmd/manpages DIR.
// They have the date of SOURCE_DATE_EPOCH, and else none.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/nixbundle/nixbundle/cmd"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: manpages DIR")
		os.Exit(2)
	}
	var date time.Time
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		date = time.Unix(seconds, 0)
	}
	if err := cmd.ManPages(os.Args[1], date); err != nil {
		fmt.Fprintln(os.Stderr, "manpages:", err)
		os.Exit(1)
	}
}
