package nixdb_test

import (
	"fmt"
	"log"
	"os"

	"github.com/nixbundle/nixbundle/closure/nixdb"
)

// All forms that Nix and Lix have printed are read; the records are sorted.
func ExampleParsePathInfo() {
	records, err := nixdb.ParsePathInfo([]byte(`{
  "/nix/store/1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-tool-1.0": {
    "narSize": 90000, "references": ["/nix/store/0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-zlib-1.3"]},
  "/nix/store/0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-zlib-1.3": {"narSize": 120000, "references": []}}`))
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range records {
		fmt.Println(r.Path[44:], r.NarSize, len(r.References))
	}
	// Output:
	// zlib-1.3 120000 0
	// tool-1.0 90000 1
}

// Of a machine with Nix the database is read as it is, while Nix may be writing.
func ExampleRead() {
	records, err := nixdb.Read(os.DirFS("/"), nixdb.File, []string{"/nix/store/1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-tool-1.0"})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range records {
		fmt.Println(r.Path, r.NarSize, r.References)
	}
}
