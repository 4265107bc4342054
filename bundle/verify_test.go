package bundle_test

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// verify verifies a bundle and requires an answer.
func verify(t testing.TB, file string) *bundle.Verification {
	t.Helper()
	v, err := bundle.Verify(context.Background(), file, bundle.VerifyOptions{TempDir: t.TempDir()})
	require.NoError(t, err)
	return v
}

func zstdOf(t testing.TB, data []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	return enc.EncodeAll(data, nil)
}

// TestVerifySound: what Create writes has no finding, however it is stored.
func TestVerifySound(t *testing.T) {
	for _, interp := range []string{"stub", "wrapper", "system", "/opt/sensor/lib/ld-linux-aarch64.so.1"} {
		p := demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{Interp: interp})
		plain := pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})
		dir := t.TempDir()
		_, err := bundle.Create(t.Context(), dir+"/", p, bundle.PackOptions{})
		require.NoError(t, err)
		run(t, "tar", "-C", dir, "-cf", dir+"/again.tar", "./sensor")
		again, err := os.ReadFile(dir + "/again.tar")
		require.NoError(t, err)
		require.NoError(t, os.Remove(dir+"/again.tar"))
		for _, file := range []string{
			written(t, "own", pack(t, p, bundle.PackOptions{})), written(t, "tar", plain),
			written(t, "recompressed", zstdOf(t, plain)), written(t, "again", again), dir + "/sensor",
		} {
			v := verify(t, file)
			require.Empty(t, v.Findings, "%s of %s", file, interp)
			require.Equal(t, 1, v.Programs)
			require.NotZero(t, v.References)
			require.NotZero(t, v.Needs)
			require.Equal(t, len(v.Manifest.Entries)+1, v.Entries)
		}
		run(t, "chmod", "-R", "go-rwx", dir+"/sensor") // as a umask of 077 leaves it
		require.Empty(t, verify(t, dir+"/sensor").Findings)
	}
}

// TestVerifyAccepted: what was allowed is listed, and is no finding.
func TestVerifyAccepted(t *testing.T) {
	p := demoPlan(t, "/sensor-conflict/bin/sensor", bundle.Options{AllowConflicts: true})
	v := verify(t, written(t, "x", pack(t, p, bundle.PackOptions{})))
	require.Empty(t, v.Findings)
	require.Len(t, v.Manifest.Accepted, 1)
	require.Len(t, v.Accepted, 1)
	recorded, listed := v.Manifest.Accepted[0], v.Accepted[0]
	require.Equal(t, closure.KindSoname, listed.Kind)
	require.Equal(t, closure.Error, listed.Severity)
	require.Equal(t, []string{recorded.Name, recorded.What}, []string{listed.Name, listed.What})
	require.Len(t, listed.Copies, 2)
	require.True(t, listed.Copies[0].Kept)
	require.False(t, listed.Copies[1].Kept)
}

// TestVerifySpoiled is the mutation test: every way to spoil a bundle is caught, by a finding that
// names it.
func TestVerifySpoiled(t *testing.T) {
	p := demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{Interp: "wrapper"})
	plain := pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})
	checkSpoiled(t, plain, "lies", lies, func(*spoiled) {})
	checkSpoiled(t, plain, "forgeries", forgeries, (*spoiled).seal)

	p = demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{Interp: "stub"})
	checkSpoiled(t, pack(t, p, bundle.PackOptions{Format: bundle.FormatTar}), "stub", ofStub, (*spoiled).seal)

	p = demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{Interp: "system"})
	plain = pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})
	checkSpoiled(t, plain, "system", []spoil{
		{"libc_added", func(s *spoiled) {
			glibc := elftest.Image{Machine: 183, Soname: "libc.so.6"}
			s.put(tar.Header{Name: "sensor/lib/libc.so.6", Typeflag: tar.TypeReg}, string(glibc.Bytes()))
		}, closure.KindLibc, "sensor/lib/libc.so.6"},
		{"interp_in_bundle", func(s *spoiled) {
			s.edit("bin/sensor", elfpatch.Edit{Interp: "/opt/sensor/lib/ld-linux-aarch64.so.1"})
		}, bundle.KindStart, "PT_INTERP"},
		{"library_deleted", func(s *spoiled) { s.drop("libtflite.so.2") }, closure.KindMissing, "libtflite.so.2"},
		{"symbol_gone", func(s *spoiled) {
			s.replace("libprotobuf-c.so.1.0.0", "\x00protobuf_c_message_unpack\x00", "\x00protobuf_c_message_unpacK\x00")
		}, closure.KindSymbol, "protobuf_c_message_unpack"},
		{"version_gone", func(s *spoiled) { s.replace("libprotobuf-c.so.1.0.0", "\x00LIBPROTOBUF_C_", "\x00LIBPROTOBUF_D_") }, closure.KindVersion, "LIBPROTOBUF_C_"},
		{"run_path_wrong", func(s *spoiled) { s.edit("libtflite.so.2", elfpatch.Edit{RunPath: "$ORIGIN/none"}) }, closure.KindMissing, "libprotobuf-c.so.1"},
	}, (*spoiled).seal)
}

func checkSpoiled(t *testing.T, plain []byte, group string, spoils []spoil, finish func(*spoiled)) {
	for _, test := range spoils {
		t.Run(group+"/"+test.name, func(t *testing.T) {
			s := takeApart(t, plain)
			finish(s)
			require.Empty(t, verify(t, written(t, "sound.tar", s.tar())).Findings)
			test.do(s)
			finish(s)
			requireFinding(t, verify(t, written(t, "bad.tar", s.tar())), test.kind, test.of)
		})
	}
}

// requireFinding requires an error of a kind that names or says something.
func requireFinding(t testing.TB, v *bundle.Verification, kind closure.Kind, of string) {
	t.Helper()
	text := ""
	for _, f := range v.Findings {
		if f.Kind == kind && f.Severity == closure.Error && (strings.Contains(f.Name, of) || strings.Contains(f.What, of)) {
			require.NotEmpty(t, f.What)
			return
		}
		text += string(f.Kind) + ": " + f.Name + ": " + f.What + "\n"
	}
	t.Fatalf("no finding of kind %s about %s, but:\n%s", kind, of, text)
}

// TestVerifyFolder: what only a folder can have.
func TestVerifyFolder(t *testing.T) {
	p := demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{})
	dir := t.TempDir()
	_, err := bundle.Create(t.Context(), dir+"/", p, bundle.PackOptions{})
	require.NoError(t, err)
	run(t, "mkfifo", dir+"/sensor/lib/fifo")
	requireFinding(t, verify(t, dir), bundle.KindEntry, "lib/fifo")
	require.NoError(t, os.Remove(dir+"/sensor/lib/fifo"))
	require.NoError(t, os.Remove(dir+"/sensor/lib/libtflite.so.2"))
	require.NoError(t, os.Symlink("/etc/passwd", dir+"/sensor/lib/libtflite.so.2"))
	requireFinding(t, verify(t, dir), bundle.KindChanged, "libtflite.so.2")
	require.NoError(t, os.Chmod(filepath.Join(dir, "sensor/lib/libc.so.6"), 0o777))
	requireFinding(t, verify(t, dir), bundle.KindChanged, "libc.so.6")
}

// TestVerifySparse: a sparse file is refused, however tar writes it.
func TestVerifySparse(t *testing.T) {
	p := demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{})
	dir := t.TempDir()
	_, err := bundle.Create(t.Context(), dir+"/", p, bundle.PackOptions{})
	require.NoError(t, err)
	require.NoError(t, os.Truncate(dir+"/sensor/lib/libtflite.so.2", 1<<20))
	for _, format := range []string{"gnu", "posix"} {
		file := filepath.Join(t.TempDir(), "x.tar")
		run(t, "tar", "-C", dir, "-S", "--format="+format, "-cf", file, "sensor")
		requireFinding(t, verify(t, file), bundle.KindEntry, "libtflite.so.2")
	}
}

// machineRoot is the root of a machine with the C library of the demo, and a library by accident.
func machineRoot(t *testing.T) fs.FS {
	t.Helper()
	found, err := filepath.Glob("../testdata/demo/nix/store/*-glibc-*/lib/*")
	require.NoError(t, err)
	others, err := filepath.Glob("../testdata/demo/nix/store/pv9*-tflite-*/lib/libtflite.so.2")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(dir+"/lib/aarch64-linux-gnu", 0o755))
	for _, file := range append(found, others...) {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, at := range []string{"/lib/", "/lib/aarch64-linux-gnu/"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir+at, filepath.Base(file)), data, 0o755))
		}
	}
	root, err := closure.OpenRoot(dir)
	require.NoError(t, err)
	return root
}

// TestVerifyInRoot: a program that uses the machine's C library is walked there, and takes nothing else
// of it, not even by luck.
func TestVerifyInRoot(t *testing.T) {
	p := demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{Interp: "system"})
	s := takeApart(t, pack(t, p, bundle.PackOptions{Format: bundle.FormatTar}))
	opts := bundle.VerifyOptions{TempDir: t.TempDir(), Root: machineRoot(t)}
	v, err := bundle.Verify(t.Context(), written(t, "x", s.tar()), opts)
	require.NoError(t, err)
	require.Empty(t, v.Findings)
	require.Equal(t, 6, v.Objects)
	require.Empty(t, v.Fits)

	s.drop("libtflite.so.2")
	s.seal()
	v, err = bundle.Verify(t.Context(), written(t, "x", s.tar()), opts)
	require.NoError(t, err)
	requireFinding(t, v, bundle.KindLeaves, "sensor needs libtflite.so.2, which is not in the bundle: it gets the machine's /lib/aarch64-linux-gnu/libtflite.so.2")

	empty, err := closure.OpenRoot(t.TempDir())
	require.NoError(t, err)
	opts.Root = empty
	v, err = bundle.Verify(t.Context(), written(t, "x", s.tar()), opts)
	require.NoError(t, err)
	requireFinding(t, v, closure.KindMissing, "/lib/ld-linux-aarch64.so.1")
	p = demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{Interp: "wrapper"})
	v, err = bundle.Verify(t.Context(), written(t, "x", pack(t, p, bundle.PackOptions{})), opts)
	require.NoError(t, err)
	requireFinding(t, v, bundle.KindTarget, "/bin/sh")
}

// TestVerifyTarget: a known target is asked for each version, and none for what it has; where none is
// named the oldest that would do is.
func TestVerifyTarget(t *testing.T) {
	p := demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{Interp: "system"})
	file := written(t, "x", pack(t, p, bundle.PackOptions{}))
	require.Equal(t, []string{"ubuntu-22.04 (glibc 2.35)"}, verify(t, file).Fits)
	for name, want := range map[string]string{
		"raspios-bookworm": "", "debian-13": "", "raspios-bullseye": "sensor needs __libc_start_main@GLIBC_2.34, and raspios-bullseye has glibc 2.31",
		"alpine": "sensor needs ld-linux-aarch64.so.1",
	} {
		target, err := bundle.ParseTarget(name)
		require.NoError(t, err)
		v, err := bundle.Verify(t.Context(), file, bundle.VerifyOptions{TempDir: t.TempDir(), Target: target})
		require.NoError(t, err)
		if want == "" {
			require.Empty(t, v.Findings, name)
			continue
		}
		requireFinding(t, v, bundle.KindTarget, want)
	}
}

// TestVerifyRecordedTarget: where no target is named the one that the manifest names counts.
func TestVerifyRecordedTarget(t *testing.T) {
	s := takeApart(t, pack(t, demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{Interp: "system"}), bundle.PackOptions{Format: bundle.FormatTar}))
	s.manifest.Target = &bundle.ManifestTarget{Name: "raspios-bookworm", Arch: "arm64", Libc: "glibc 2.36"}
	require.Empty(t, verify(t, written(t, "x", s.tar())).Findings)
	s.manifest.Target = &bundle.ManifestTarget{Name: "raspios-bullseye", Arch: "arm64", Libc: "glibc 2.31"}
	requireFinding(t, verify(t, written(t, "x", s.tar())), bundle.KindTarget, "raspios-bullseye has glibc 2.31")
}

// TestVerifyPageSize: a library whose segments fit 4 KiB alone is a warning, and an error where the
// machine's pages are larger.
func TestVerifyPageSize(t *testing.T) {
	p := demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{})
	s := takeApart(t, pack(t, p, bundle.PackOptions{Format: bundle.FormatTar}))
	m := s.member("libtflite.so.2")
	phoff := binary.LittleEndian.Uint64(m.data[0x20:])
	info, err := elfpatch.Read(bytes.NewReader(m.data), int64(len(m.data)))
	require.NoError(t, err)
	for i, segment := range info.Segments {
		at := m.data[phoff+uint64(i)*56:]
		if segment.Off >= 0xf000 { // the data, 4 KiB further on, as if linked with max-page-size=4096
			binary.LittleEndian.PutUint64(at[16:], segment.Vaddr+4096)
		}
		if segment.Type == elf.PT_LOAD {
			binary.LittleEndian.PutUint64(at[48:], 4096)
		}
	}
	s.seal()
	file := written(t, "x", s.tar())
	for _, size := range []uint64{4 << 10, 16 << 10} {
		v, err := bundle.Verify(t.Context(), file, bundle.VerifyOptions{TempDir: t.TempDir(), PageSizes: []uint64{size}})
		require.NoError(t, err)
		if size > 4<<10 {
			requireFinding(t, v, closure.KindPageSize, "libtflite.so.2")
		}
		require.Equal(t, size > 4<<10, slices.ContainsFunc(v.Findings, func(f closure.Finding) bool { return f.Kind == closure.KindPageSize }))
	}
}

// TestVerifyMusl: without its file of directories musl would search those of the machine.
func TestVerifyMusl(t *testing.T) {
	musl := elftest.StorePath("musl-1.2.5") + "/lib/"
	root, err := closure.OpenRoot(elftest.WriteTree(t, elftest.Tree{
		musl + "ld-musl-x86_64.so.1": elftest.Link("libc.so"),
		musl + "libc.so":             elftest.Image{Soname: "libc.so"},
		"/bin/app":                   elftest.Image{Interp: musl + "ld-musl-x86_64.so.1", Needed: []string{"libc.so"}},
	}))
	require.NoError(t, err)
	c, err := closure.Walk(root, []string{"/bin/app"}, closure.Options{})
	require.NoError(t, err)
	p, err := bundle.NewPlan(c, bundle.Options{Interp: "wrapper"})
	require.NoError(t, err)
	plain := pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})
	checkSpoiled(t, plain, "musl", []spoil{
		{"path_file_deleted", func(s *spoiled) { s.drop("etc/ld-musl-x86_64.path") }, bundle.KindStart, "musl would search the machine's own directories"},
		{"path_file_filled", func(s *spoiled) { s.member("etc/ld-musl-x86_64.path").data = []byte("/lib") }, bundle.KindStart, "musl would search"},
	}, (*spoiled).seal)
}

// TestVerifyHiddenSize: an entry without content whose header has a size, which some readers of tar skip.
func TestVerifyHiddenSize(t *testing.T) {
	s := takeApart(t, pack(t, demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{}), bundle.PackOptions{Format: bundle.FormatTar}))
	s.put(tar.Header{Name: "sensor/lib/x", Typeflag: tar.TypeLink, Linkname: "sensor/lib/libc.so.6"}, "")
	data := s.tar()
	h := data[bytes.Index(data, []byte("sensor/lib/x\x00")):][:512]
	copy(h[124:], "00000000017\x00") // size, and the checksum with it (POSIX pax, "ustar Header Block")
	copy(h[148:], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	requireFinding(t, verify(t, written(t, "x", data)), bundle.KindEntry, "sensor/lib/x: has a size and no content")
}

// TestVerifyLeavesNothing: nothing is written that has a name.
func TestVerifyLeavesNothing(t *testing.T) {
	p := demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{})
	file := written(t, "x", pack(t, p, bundle.PackOptions{}))
	dir := t.TempDir()
	_, err := bundle.Verify(t.Context(), file, bundle.VerifyOptions{TempDir: dir})
	require.NoError(t, err)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = bundle.Verify(t.Context(), file, bundle.VerifyOptions{TempDir: dir + "/absent"})
	require.EqualError(t, err, file+": what it unpacks to cannot be kept in "+dir+"/absent: no such file or directory")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = bundle.Verify(ctx, file, bundle.VerifyOptions{TempDir: dir})
	require.ErrorIs(t, err, context.Canceled)
}

// TestVerifyMutated: whatever is wrong with the files of a bundle whose manifest agrees, the answer is
// what was found.
func TestVerifyMutated(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{})
	plain := pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})
	broken := 0
	for range 100 {
		s := takeApart(t, plain)
		for range 1 + r.IntN(8) {
			if m := s.members[r.IntN(len(s.members))]; m.Typeflag == tar.TypeReg {
				m.data[r.IntN(min(len(m.data), 4096))] = byte(r.Uint32())
			}
		}
		s.seal()
		if verify(t, written(t, "x", s.tar())).Broken() {
			broken++
		}
	}
	require.Greater(t, broken, 20)
}

func FuzzVerify(f *testing.F) {
	var out bytes.Buffer
	_, err := bundle.Pack(context.Background(), &out, planOf("x", bundle.Entry{Path: "x/bin/a", Mode: 0o755, Data: []byte("\x7fELF")}),
		bundle.PackOptions{Format: bundle.FormatTar})
	require.NoError(f, err)
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = bundle.Verify(t.Context(), written(t, "x", data), bundle.VerifyOptions{TempDir: t.TempDir()})
	})
}

// TestVerifyProgress: who is told how far it is hears of every chunk up to the last byte, changes nothing,
// and can end it.
func TestVerifyProgress(t *testing.T) {
	file := written(t, "b", pack(t, demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{}), bundle.PackOptions{}))
	quiet := verify(t, file)
	var told []int64
	var all int64
	opts := bundle.VerifyOptions{TempDir: t.TempDir(), Progress: func(done, total int64) {
		require.LessOrEqual(t, done, total)
		all = total
		if n := len(told); n > 0 {
			require.LessOrEqual(t, told[n-1], done)
			require.LessOrEqual(t, done-told[n-1], int64(256<<10))
		}
		told = append(told, done)
	}}
	v, err := bundle.Verify(t.Context(), file, opts)
	require.NoError(t, err)
	require.Equal(t, quiet.Bytes, v.Bytes)
	require.Equal(t, quiet.Findings, v.Findings)
	require.NotEmpty(t, told)
	require.Equal(t, v.Bytes, told[len(told)-1])
	require.Equal(t, v.Bytes, all)

	ctx, cancel := context.WithCancel(t.Context())
	opts.Progress = func(done, _ int64) {
		if done > 1_000_000 {
			cancel()
		}
	}
	_, err = bundle.Verify(ctx, file, opts)
	require.ErrorIs(t, err, context.Canceled)
}
