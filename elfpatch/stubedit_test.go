package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
	"github.com/nixbundle/nixbundle/elfpatch/stub"
)

const loaderPath = "../lib/ld.so"

// stubPrograms are programs of each machine that has a stub.
func stubPrograms() map[string]elftest.Image {
	list := map[string]elftest.Image{}
	for _, m := range []elf.Machine{elf.EM_X86_64, elf.EM_AARCH64, elf.EM_ARM, elf.EM_RISCV} {
		im := program()
		im.Machine = m
		list[m.String()] = im
		im.NoSections = true
		list[m.String()+" bare"] = im
	}
	return list
}

// TestApplyStub: PT_INTERP's header becomes the stub's segment, and all else stays; what else an edit
// asks for, before, with or after it, holds as well.
func TestApplyStub(t *testing.T) {
	for name, im := range stubPrograms() {
		t.Run(name, func(t *testing.T) {
			b := im.Bytes()
			in := read(t, b)
			out := apply(t, b, elfpatch.Edit{Loader: loaderPath})
			got := read(t, out)
			require.Len(t, got.Segments, len(in.Segments))
			last := loadSegments(got)[len(loadSegments(in))]
			require.Equal(t, elf.PF_R|elf.PF_X, last.Flags)
			require.Equal(t, got.Entry, last.Vaddr+stub.Head)
			require.Less(t, len(out)-len(b), 2400)
			require.NotContains(t, string(out), im.Interp+"\x00")
			require.Equal(t, got.IsPIE(), in.IsPIE())

			apply(t, b, elfpatch.Edit{Loader: loaderPath, RunPath: longPath, Soname: "x", AddNeeded: []string{"libnew.so"}})
			later := apply(t, out, elfpatch.Edit{RunPath: longPath})
			require.Equal(t, got.Stub, read(t, later).Stub)
			before := apply(t, apply(t, b, elfpatch.Edit{RunPath: longPath}), elfpatch.Edit{Loader: loaderPath})
			for i := range 20 { // nothing piles up
				before = apply(t, before, elfpatch.Edit{RunPath: longPath + strings.Repeat("z", i*7%50)})
			}
			require.LessOrEqual(t, len(loadSegments(read(t, before))), len(loadSegments(in))+2)
			require.Equal(t, loaderPath, read(t, before).Stub.Loader)

			shorter := apply(t, out, elfpatch.Edit{Loader: "../ld.so"})
			require.Len(t, shorter, len(out))
			longer := apply(t, out, elfpatch.Edit{Loader: "../" + strings.Repeat("long/", 50) + "ld.so"})
			require.Equal(t, got.Stub.Entry, read(t, longer).Stub.Entry)
		})
	}
}

func loadSegments(info *elfpatch.Info) (list []elfpatch.Segment) {
	for _, s := range info.Segments {
		if s.Type == elf.PT_LOAD {
			list = append(list, s)
		}
	}
	return list
}

func TestApplyStubRefuses(t *testing.T) {
	other := program()
	other.Machine = elf.EM_PPC64
	for name, c := range map[string]struct {
		b []byte
		e elfpatch.Edit
	}{
		"library":         {library().Bytes(), elfpatch.Edit{Loader: loaderPath}},
		"other machine":   {other.Bytes(), elfpatch.Edit{Loader: loaderPath}},
		"absolute":        {program().Bytes(), elfpatch.Edit{Loader: "/lib/ld.so"}},
		"NUL":             {program().Bytes(), elfpatch.Edit{Loader: "../l\x00d"}},
		"too long":        {program().Bytes(), elfpatch.Edit{Loader: strings.Repeat("x", 5000)}},
		"interp as well":  {program().Bytes(), elfpatch.Edit{Loader: loaderPath, Interp: "/lib/ld.so"}},
		"payload":         {append(program().Bytes(), []byte("payload")...), elfpatch.Edit{Loader: loaderPath}},
		"interp on stubs": {apply(t, program().Bytes(), elfpatch.Edit{Loader: loaderPath}), elfpatch.Edit{Interp: "/lib/ld.so"}},
	} {
		_, err := applyBytes(c.b, c.e)
		require.ErrorIs(t, err, elfpatch.ErrUnsupported, name)
	}
}

// TestReadStub: a damaged note is an error and no panic, and what only looks like one is none.
func TestReadStub(t *testing.T) {
	b := apply(t, program().Bytes(), elfpatch.Edit{Loader: loaderPath})
	info := read(t, b)
	segments := loadSegments(info)
	at := segments[len(segments)-1].Off
	for i, word := range map[int]uint32{0: 11, 8: 2, 12: 0} {
		bad := bytes.Clone(b)
		binary.LittleEndian.PutUint32(bad[at+uint64(i):], word)
		require.Nil(t, read(t, bad).Stub, i)
	}
	for _, word := range []uint32{0, 1, 47, 1 << 20, 1<<32 - 1} {
		for _, field := range []uint64{40, 44} {
			bad := bytes.Clone(b)
			binary.LittleEndian.PutUint32(bad[at+field:], word)
			_, err := elfpatch.Read(bytes.NewReader(bad), int64(len(bad)))
			var format *elfpatch.FormatError
			require.ErrorAs(t, err, &format, "%d: %d", field, word)
		}
	}
	absolute := bytes.Replace(b, []byte(loaderPath+"\x00"), []byte("/./lib/ld.so\x00"), 1)
	_, err := elfpatch.Read(bytes.NewReader(absolute), int64(len(absolute)))
	require.Error(t, err)
}
