package nixdb_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure/nixdb"
)

// schema is the part of Nix's that is read, written anew; the columns are in Nix's order.
const schema = `
CREATE TABLE ValidPaths (id integer primary key autoincrement not null, path text unique not null, hash text not null,
  registrationTime integer not null, deriver text, narSize integer, ultimate integer, sigs text, ca text);
CREATE TABLE Refs (referrer integer not null, reference integer not null, primary key (referrer, reference));
CREATE INDEX IndexReferrer on Refs(referrer);
CREATE INDEX IndexReference on Refs(reference);
`

// sqlite runs the judge's program on a database.
func sqlite(t testing.TB, db, script string) string {
	t.Helper()
	tool, err := exec.LookPath("sqlite3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("sqlite3 is missing")
		}
		t.Skip("needs sqlite3")
	}
	c := exec.Command(tool, "-bail", "-batch", db)
	c.Stdin = strings.NewReader(script)
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// storePath is the path of the i-th store object.
func storePath(i int) string { return fmt.Sprintf("/nix/store/%032d-package-%d", i, i*i) }

// insert is SQL for store objects from..to and references among all before to.
func insert(r *rand.Rand, from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		deriver, sigs := "null", "null"
		if r.IntN(3) > 0 {
			deriver = "'" + storePath(i) + ".drv'"
		}
		if r.IntN(4) == 0 {
			sigs = "'" + strings.Repeat("cache-1:AAAA ", r.IntN(2000)) + "'"
		}
		fmt.Fprintf(&b, "insert into ValidPaths(path, hash, registrationTime, deriver, narSize, sigs) values ('%s', 'sha256:%064d', %d, %s, %d, %s);\n",
			storePath(i), i, 1700000000+i, deriver, r.Int64N(1<<uint(1+r.IntN(40))), sigs)
	}
	for range 3 * (to - from) {
		fmt.Fprintf(&b, "insert or ignore into Refs select a.id, b.id from ValidPaths a, ValidPaths b where a.path = '%s' and b.path = '%s';\n",
			storePath(r.IntN(to)), storePath(r.IntN(to)))
	}
	return b.String()
}

// judged is the closure of a path as SQLite itself finds it.
func judged(t testing.TB, db, path string) (records []nixdb.Record) {
	t.Helper()
	const closure = `with recursive c(id) as (select id from ValidPaths where path = '%s' union select reference from Refs, c where referrer = c.id)
select path, ifnull(deriver, ''), narSize, (select ifnull(group_concat(p, ' '), '') from
  (select b.path as p from Refs, ValidPaths b where referrer = a.id and b.id = reference order by b.path))
from ValidPaths a where id in c order by path;`
	for line := range strings.Lines(sqlite(t, db, fmt.Sprintf(closure, path))) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		size, err := strconv.ParseInt(columns[2], 10, 64)
		require.NoError(t, err)
		records = append(records, nixdb.Record{Path: columns[0], Deriver: columns[1], NarSize: size, References: words(columns[3])})
	}
	return records
}

func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Fields(s)
}

// TestRead holds closures against those that SQLite finds: pages of every size, rows that go on in other
// pages, trees of several levels.
func TestRead(t *testing.T) {
	for _, size := range []int{512, 1024, 4096, 65536} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			db := filepath.Join(t.TempDir(), "db.sqlite")
			r := rand.New(rand.NewPCG(uint64(size), 1))
			sqlite(t, db, fmt.Sprintf("PRAGMA page_size=%d;%sbegin;%scommit;", size, schema, insert(r, 1, 900)))
			sqlite(t, db, "delete from Refs where referrer % 7 = 0; delete from Refs where reference % 5 = 0; delete from ValidPaths where id % 5 = 0;")
			for _, i := range []int{1, 2, 3, 444, 899} {
				want := judged(t, db, storePath(i))
				got, err := nixdb.Read(os.DirFS(filepath.Dir(db)), "db.sqlite", []string{storePath(i)})
				require.NoError(t, err)
				require.Equal(t, want, got)
				require.NotEmpty(t, got)
			}
			got, err := nixdb.Read(os.DirFS(filepath.Dir(db)), "db.sqlite", []string{storePath(5), storePath(2000), "/nix/store", "", "zzz"})
			require.NoError(t, err)
			require.Empty(t, got)
		})
	}
}

// TestReadLog: what was committed and stands in the log only is read; what a transaction had not yet
// committed, a torn last frame, and frames of an earlier use of the log are not.
func TestReadLog(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	copies := func(name string) string {
		return fmt.Sprintf("\n.shell cp db.sqlite %[1]s.sqlite; cp db.sqlite-wal %[1]s.sqlite-wal; cp db.sqlite-shm %[1]s.sqlite-shm\n", name)
	}
	c := exec.Command("sqlite3", "-bail", "-batch", "db.sqlite")
	c.Dir = dir
	c.Stdin = strings.NewReader("PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=10; PRAGMA cache_spill=5;" +
		schema + "begin;" + insert(r, 1, 300) + "commit;" + copies("first") +
		"PRAGMA wal_checkpoint;" + "begin;" + insert(r, 300, 320) + "commit;" + copies("reused") +
		"begin;" + insert(r, 320, 400) + "update ValidPaths set narSize = narSize + 1;" + copies("open") + "commit;" + copies("committed"))
	sqlite(t, ":memory:", "") // skips without it
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))

	check := func(name string) {
		t.Helper()
		for _, i := range []int{1, 2, 17, 299, 310, 399} {
			got, err := nixdb.Read(os.DirFS(dir), name+".sqlite", []string{storePath(i)})
			require.NoError(t, err)
			want := judged(t, filepath.Join(dir, name+".sqlite"), storePath(i))
			if len(want) == 0 {
				want = []nixdb.Record{}
			}
			require.Equal(t, want, got, "%s %d", name, i)
		}
	}
	log := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name+".sqlite-wal"))
		require.NoError(t, err)
		return data
	}
	put := func(name, from string, wal []byte) {
		data, err := os.ReadFile(filepath.Join(dir, from+".sqlite"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".sqlite"), data, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".sqlite-wal"), wal, 0o644))
	}
	put("torn", "first", log("first")[:len(log("first"))-100])
	damaged := slices.Clone(log("first"))
	damaged[len(damaged)-100] ^= 1
	put("damaged", "first", damaged)
	put("empty", "committed", nil)
	require.NotEqual(t, log("reused"), log("open"), "the open transaction is in the log")

	names := []string{"first", "reused", "open", "committed", "torn", "damaged", "empty"}
	got := map[string]int{}
	for _, name := range names {
		records, err := nixdb.Read(os.DirFS(dir), name+".sqlite", []string{storePath(399), storePath(310), storePath(1)})
		require.NoError(t, err)
		got[name] = len(records)
	}
	require.NotZero(t, got["first"])
	require.Less(t, got["first"], got["open"])
	require.Less(t, got["open"], got["committed"])
	require.Zero(t, got["torn"]+got["damaged"])
	for _, name := range names {
		check(name) // SQLite itself mends what it opens: after ours
	}
}
