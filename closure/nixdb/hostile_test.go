package nixdb_test

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure/nixdb"
)

// small is a database of a few pages with a log over it.
func small(t testing.TB) (db, log []byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	dir := t.TempDir()
	name := filepath.Join(dir, "db.sqlite")
	sqlite(t, name, "PRAGMA page_size=512;PRAGMA journal_mode=wal;PRAGMA wal_autocheckpoint=0;"+schema+
		insert(r, 1, 12)+"update ValidPaths set sigs = substr(sigs, 1, 600); VACUUM; PRAGMA wal_checkpoint(truncate);"+
		"begin;"+insert(r, 12, 16)+"update ValidPaths set sigs = substr(sigs, 1, 600); commit;\n.shell cp "+name+" "+name+".copy; cp "+name+"-wal "+name+".copy-wal\n")
	db, err := os.ReadFile(name + ".copy")
	require.NoError(t, err)
	log, err = os.ReadFile(name + ".copy-wal")
	require.NoError(t, err)
	return db, log
}

// read reads a database that is only bytes. A file of fstest.MapFS is an io.ReaderAt.
func read(db, log []byte, paths ...string) ([]nixdb.Record, error) {
	root := fstest.MapFS{"db": {Data: db}}
	if log != nil {
		root["db-wal"] = &fstest.MapFile{Data: log}
	}
	return nixdb.Read(root, "db", paths)
}

// mustEnd holds what is read of a damaged database to an answer or an error that says what is wrong.
func mustEnd(t testing.TB, db, log []byte) {
	t.Helper()
	begun := time.Now()
	_, err := read(db, log, storePath(1), storePath(13))
	if _, ok := errors.AsType[*nixdb.FormatError](err); err != nil && !ok {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Fatalf("it took %v", took)
	}
}

// TestReadDamaged cuts a database and its log everywhere, and changes bytes of them at random.
func TestReadDamaged(t *testing.T) {
	db, log := small(t)
	want, err := read(db, log, storePath(1), storePath(13))
	require.NoError(t, err)
	require.NotEmpty(t, want)
	for n := 0; n < len(db); n += 37 {
		mustEnd(t, db[:n], nil)
	}
	for n := 0; n < len(log); n += 37 {
		_, err := read(db, log[:n], storePath(1), storePath(13))
		require.NoError(t, err, "a log is good up to where it ends")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		damaged := slices.Clone(db)
		for range 1 + r.IntN(6) {
			damaged[r.IntN(len(damaged))] = byte(r.Uint32())
		}
		mustEnd(t, damaged, nil)
	}
}

// TestReadCircles makes trees whose pages are below themselves, and trees with more ways down than anybody
// can go: every cell of a page leads to the next page.
func TestReadCircles(t *testing.T) {
	const size, cells = 4096, 1800
	db := filepath.Join(t.TempDir(), "db")
	sqlite(t, db, "PRAGMA page_size=4096;"+schema)
	good, err := os.ReadFile(db)
	require.NoError(t, err)
	root, err := strconv.Atoi(strings.TrimSpace(sqlite(t, db, "select rootpage from sqlite_schema where name = 'sqlite_autoindex_ValidPaths_1'")))
	require.NoError(t, err)
	row := "\x03" + string(rune(13+2*len(storePath(1)))) + "\x01" + storePath(1) + "\x09" // path, id
	page := func(kind byte, head int, next uint32) []byte {
		p := make([]byte, size)
		p[head] = kind
		binary.BigEndian.PutUint16(p[head+3:], cells)
		binary.BigEndian.PutUint32(p[head+8:], next)
		at := size - 5 - len(row)
		binary.BigEndian.PutUint32(p[at:], next)
		copy(p[at+4:], string(rune(len(row)))+row)
		for i := range cells {
			binary.BigEndian.PutUint16(p[head+12+2*i:], uint16(at))
		}
		return p
	}
	for name, test := range map[string]struct {
		kind  byte
		first int // the page that is replaced
		next  func(i int) int
		want  string
	}{
		"table_circle": {5, 1, func(int) int { return 1 }, "db: a tree of more than 20 levels"},
		"table_wide":   {5, 1, func(i int) int { return i + 1 }, "db: pages that lead back to themselves"},
		"index_circle": {2, root, func(int) int { return root }, "db: a tree of more than 20 levels"},
		"index_wide":   {2, root, func(i int) int { return i + 1 }, "db: pages that lead back to themselves"},
	} {
		data, head := slices.Clone(good), 0
		if test.first == 1 {
			head = 100
		}
		pages := len(data) / size
		copy(data[(test.first-1)*size+head:test.first*size], page(test.kind, head, uint32(test.next(pages)))[head:])
		for i := range 8 {
			data = append(data, page(test.kind, 0, uint32(test.next(pages+1+i)))...)
		}
		leaf := make([]byte, size)
		leaf[0] = map[byte]byte{2: 10, 5: 13}[test.kind]
		_, err := read(append(data, leaf...), nil, storePath(1))
		require.EqualError(t, err, test.want, name)
	}
}

// TestReadOthers: what is there instead of a database of Nix.
func TestReadOthers(t *testing.T) {
	db, _ := small(t)
	other := filepath.Join(t.TempDir(), "other")
	sqlite(t, other, "create table ValidPaths(id integer primary key, path text);")
	utf16 := filepath.Join(t.TempDir(), "utf16")
	sqlite(t, utf16, "PRAGMA encoding='UTF-16';"+schema)
	dangling := filepath.Join(t.TempDir(), "dangling")
	sqlite(t, dangling, schema+insert(rand.New(rand.NewPCG(5, 6)), 1, 2)+"insert into Refs values (1, 77);")
	load := func(name string) []byte {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		return data
	}
	for name, test := range map[string]struct {
		db   []byte
		want string
	}{
		"empty":    {nil, "db: not a SQLite database"},
		"text":     {[]byte("CREATE TABLE"), "db: not a SQLite database"},
		"cut":      {db[:100], "db: no page 1 among 0"},
		"other":    {load(other), "db: not a database of Nix: it has only ValidPaths"},
		"utf16":    {load(utf16), "db: text that is not UTF-8, at 0x38"},
		"dangling": {load(dangling), "db: page 2 has no row 77, at 0x1000"},
	} {
		_, err := read(test.db, nil, storePath(1))
		require.EqualError(t, err, test.want, name)
	}
	_, err := nixdb.Read(fstest.MapFS{}, "db", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = nixdb.Read(fstest.MapFS{"db": {Mode: fs.ModeDir}}, "db", nil)
	require.EqualError(t, err, "db: not a regular file")
	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "db"), 0o600))
	_, err = nixdb.Read(os.DirFS(dir), "db", nil)
	require.EqualError(t, err, "db: not a regular file")
}

// FuzzRead: any bytes give an answer or an error, in time.
func FuzzRead(f *testing.F) {
	db, log := small(f)
	f.Add(db, log)
	f.Add(db, []byte(nil))
	f.Add(db[:1500], log[:600])
	f.Fuzz(func(t *testing.T, db, log []byte) {
		mustEnd(t, db, log)
		again, err := read(db, log, storePath(1))
		same, err2 := read(db, log, storePath(1))
		require.Equal(t, again, same)
		require.Equal(t, err, err2)
	})
}
