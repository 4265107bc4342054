package nixdb_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure/nixdb"
)

// TestReadWhileWritten reads while another process writes, with a log and without: each transaction gives
// all rows one size, so that two sizes would be two states in one answer.
func TestReadWhileWritten(t *testing.T) {
	for _, mode := range []string{"wal", "truncate"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			db := filepath.Join(dir, "db.sqlite")
			sqlite(t, db, "PRAGMA journal_mode="+mode+";"+schema+"begin;"+insert(rand.New(rand.NewPCG(3, 4)), 1, 200)+"commit;"+
				"update ValidPaths set narSize = 0;")
			var script strings.Builder
			script.WriteString("PRAGMA wal_autocheckpoint=60; PRAGMA synchronous=off;\n")
			for i := range 1500 {
				fmt.Fprintf(&script, "update ValidPaths set narSize = %d;\n", i)
			}
			c := exec.Command("sqlite3", "-bail", "-batch", db)
			c.Stdin = strings.NewReader(script.String())
			require.NoError(t, c.Start())
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()

			sizes, busy := map[int64]bool{}, 0
			for writing := true; writing; {
				select {
				case err := <-ended:
					require.NoError(t, err)
					writing = false
				default:
				}
				records, err := nixdb.Read(os.DirFS(dir), "db.sqlite", []string{storePath(1)})
				if err != nil {
					require.ErrorContains(t, err, "it is being written")
					busy++
					continue
				}
				require.Greater(t, len(records), 20)
				for _, r := range records {
					require.Equal(t, records[0].NarSize, r.NarSize)
				}
				sizes[records[0].NarSize] = true
			}
			t.Logf("%d states read, %d times too busy", len(sizes), busy)
			require.Contains(t, sizes, int64(1499))
		})
	}
}

// TestHotJournal: a database in the middle of a transaction without a log is refused.
func TestHotJournal(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "db.sqlite")
	sqlite(t, db, schema+insert(rand.New(rand.NewPCG(1, 1)), 1, 3))
	journal := filepath.Join(dir, "db.sqlite-journal")
	require.NoError(t, os.WriteFile(journal, []byte("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 and more"), 0o644))
	_, err := nixdb.Read(os.DirFS(dir), "db.sqlite", []string{storePath(1)})
	require.EqualError(t, err, "db.sqlite: it is being written, or a transaction in it was not finished")
	require.NoError(t, os.WriteFile(journal, make([]byte, 512), 0o644)) // PRAGMA journal_mode=persist
	_, err = nixdb.Read(os.DirFS(dir), "db.sqlite", []string{storePath(1)})
	require.NoError(t, err)
}
