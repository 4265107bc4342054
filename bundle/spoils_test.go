package bundle_test

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
	"github.com/nixbundle/nixbundle/elfpatch/stub"
)

// spoil is one way to spoil a bundle, and the finding that must come of it.
type spoil struct {
	name string
	do   func(s *spoiled)
	kind closure.Kind
	of   string // what the finding is about, or a part of what it says
}

// lies are bundles whose manifest does not agree with what is there.
var lies = []spoil{
	{"library_deleted", func(s *spoiled) { s.drop("libtflite.so.2") }, bundle.KindAbsent, "sensor/lib/libtflite.so.2"},
	{"link_deleted", func(s *spoiled) { s.drop("libprotobuf-c.so.1") }, bundle.KindAbsent, "sensor/lib/libprotobuf-c.so.1"},
	{"folder_deleted", func(s *spoiled) { s.drop("sensor/bin") }, bundle.KindAbsent, "sensor/bin"},
	{"byte_of_text", func(s *spoiled) { s.member("libc.so.6").data[0x80000] ^= 1 }, bundle.KindChanged, "sensor/lib/libc.so.6"},
	{"byte_of_dynamic", func(s *spoiled) { flipDynamic(s.member("libtflite.so.2")) }, bundle.KindChanged, "sensor/lib/libtflite.so.2"},
	{"file_cut", func(s *spoiled) { m := s.member("libc.so.6"); m.data = m.data[:1000] }, bundle.KindChanged, "sensor/lib/libc.so.6"},
	{"manifest_lies_of_hash", func(s *spoiled) { s.entry("libc.so.6").SHA256 = strings.Repeat("0", 64) }, bundle.KindChanged, "sensor/lib/libc.so.6"},
	{"manifest_lies_of_size", func(s *spoiled) { s.entry("libc.so.6").Size++ }, bundle.KindChanged, "bytes, and in the manifest"},
	{"manifest_lies_of_link", func(s *spoiled) { s.entry("libprotobuf-c.so.1").Link = "libc.so.6" }, bundle.KindChanged, "sensor/lib/libprotobuf-c.so.1"},
	{"link_changed", func(s *spoiled) { s.member("libprotobuf-c.so.1").Linkname = "libc.so.6" }, bundle.KindChanged, "sensor/lib/libprotobuf-c.so.1"},
	{"link_absolute", func(s *spoiled) { s.member("libprotobuf-c.so.1").Linkname = "/lib/libprotobuf-c.so.1" }, bundle.KindChanged, "/lib/libprotobuf-c.so.1"},
	{"link_out", func(s *spoiled) { s.member("libprotobuf-c.so.1").Linkname = "../../../etc/passwd" }, bundle.KindChanged, "../../../etc/passwd"},
	{"set_uid", func(s *spoiled) { s.member("libexec/sensor").Mode |= 0o4000 }, bundle.KindChanged, "mode 4755"},
	{"set_gid_of_folder", func(s *spoiled) { s.member("sensor/bin").Mode |= 0o2000 }, bundle.KindChanged, "mode 2755"},
	{"sticky", func(s *spoiled) { s.member("libexec/sensor").Mode |= 0o1000 }, bundle.KindChanged, "mode 1755"},
	{"world_writable", func(s *spoiled) { s.member("libc.so.6").Mode = 0o777 }, bundle.KindChanged, "mode 0777"},
	{"not_executable", func(s *spoiled) { s.member("bin/sensor").Mode = 0o644 }, bundle.KindChanged, "mode 0644"},
	{"launcher_altered", func(s *spoiled) { s.replace("bin/sensor", "exec", "echo") }, bundle.KindChanged, "sensor/bin/sensor"},
	{"extra_file", func(s *spoiled) { s.put(tar.Header{Name: "sensor/lib/libevil.so", Typeflag: tar.TypeReg}, "x") }, bundle.KindExtra, "sensor/lib/libevil.so"},
	{"extra_folder", func(s *spoiled) {
		s.put(tar.Header{Name: "sensor/lib/glibc-hwcaps", Typeflag: tar.TypeDir, Mode: 0o755}, "")
	}, bundle.KindExtra, "sensor/lib/glibc-hwcaps"},
	{"file_twice", func(s *spoiled) { s.put(tar.Header{Name: "sensor/lib/libc.so.6", Typeflag: tar.TypeReg}, "x") }, bundle.KindTwice, "sensor/lib/libc.so.6"},
	{"file_twice_by_another_name", func(s *spoiled) { s.put(tar.Header{Name: "./sensor/lib/libc.so.6", Typeflag: tar.TypeReg}, "x") }, bundle.KindTwice, "sensor/lib/libc.so.6"},
	{"manifest_twice", func(s *spoiled) { s.put(tar.Header{Name: "sensor" + manifestEnd, Typeflag: tar.TypeReg}, "{}") }, bundle.KindManifest, "schema"},
	{"file_for_folder", func(s *spoiled) {
		m := s.member("sensor/libexec")
		m.Typeflag, m.Name = tar.TypeReg, "sensor/libexec"
	}, bundle.KindChanged, "sensor/libexec is a file, and in the manifest a folder"},
	{"link_for_folder", func(s *spoiled) {
		m := s.member("sensor/lib")
		m.Typeflag, m.Name, m.Linkname = tar.TypeSymlink, "sensor/lib", "../../etc"
	}, bundle.KindChanged, "sensor/lib is a link, and in the manifest a folder"},
	{"name_parent", func(s *spoiled) { s.put(tar.Header{Name: "sensor/../../etc/passwd", Typeflag: tar.TypeReg}, "x") }, bundle.KindEntry, "sensor/../../etc/passwd"},
	{"name_absolute", func(s *spoiled) { s.put(tar.Header{Name: "/etc/passwd", Typeflag: tar.TypeReg}, "x") }, bundle.KindEntry, "/etc/passwd"},
	{"name_unclean", func(s *spoiled) { s.put(tar.Header{Name: "sensor//lib/x", Typeflag: tar.TypeReg}, "x") }, bundle.KindEntry, "sensor//lib/x"},
	{"name_beside", func(s *spoiled) { s.put(tar.Header{Name: "elsewhere", Typeflag: tar.TypeReg}, "x") }, bundle.KindEntry, "elsewhere"},
	{"hard_link_out", func(s *spoiled) {
		s.put(tar.Header{Name: "sensor/lib/x", Typeflag: tar.TypeLink, Linkname: "../../etc/shadow"}, "")
	}, bundle.KindEntry, "../../etc/shadow"},
	{"hard_link_absolute", func(s *spoiled) { asHardLink(s, "/etc/shadow") }, bundle.KindEntry, "/etc/shadow"},
	{"hard_link_beside", func(s *spoiled) { asHardLink(s, "other/file") }, bundle.KindEntry, "other/file"},
	{"hard_link_forward", func(s *spoiled) { asHardLink(s, "sensor/libexec/sensor") }, bundle.KindEntry, "no earlier file"},
	{"hard_link_of_another", func(s *spoiled) { asHardLink(s, "sensor/lib/libc.so.6") }, bundle.KindChanged, "a file of its own"},
	{"device", func(s *spoiled) {
		s.put(tar.Header{Name: "sensor/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}, "")
	}, bundle.KindEntry, "sensor/null"},
	{"fifo", func(s *spoiled) { s.put(tar.Header{Name: "sensor/fifo", Typeflag: tar.TypeFifo}, "") }, bundle.KindEntry, "sensor/fifo"},
	{"capability", func(s *spoiled) {
		s.member("libexec/sensor").Format = tar.FormatPAX
		s.member("libexec/sensor").PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"}
	}, bundle.KindEntry, "extended attributes"},
	{"global_header", func(s *spoiled) {
		s.members = append([]*member{{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"path": "../x"}}}}, s.members...)
	}, bundle.KindEntry, "global pax header"},
	{"edit_claimed", func(s *spoiled) { s.entry("libtflite.so.2").Edits[0].To = "$ORIGIN/elsewhere" }, bundle.KindManifest, "sensor/lib/libtflite.so.2"},
	{"store_path_claimed", func(s *spoiled) { s.entry("libtflite.so.2").StorePath += "x" }, bundle.KindManifest, "which is not in its store path"},
	{"source_unsaid", func(s *spoiled) { e := s.entry("libtflite.so.2"); e.Source, e.StorePath = "", "" }, bundle.KindManifest, "what it was made of"},
	{"target_unknown", func(s *spoiled) {
		s.manifest.Target = &bundle.ManifestTarget{Name: "debian-99", Arch: "arm64", Libc: "glibc 2.36"}
	}, bundle.KindManifest, "the target debian-99"},
	{"target_libc", func(s *spoiled) {
		s.manifest.Target = &bundle.ManifestTarget{Name: "debian-12", Arch: "arm64", Libc: "glibc 2.37"}
	}, bundle.KindManifest, "with glibc 2.37"},
	{"target_of_another_machine", func(s *spoiled) {
		s.manifest.Target = &bundle.ManifestTarget{Name: "debian-12", Arch: "armhf", Libc: "glibc 2.36"}
	}, bundle.KindManifest, "in the manifest the bundle is for armhf"},
	{"no_program", func(s *spoiled) { s.manifest.Programs = nil }, bundle.KindManifest, "names no program"},
	{"strategy_none", func(s *spoiled) { s.manifest.Programs[0].Strategy = "none" }, bundle.KindStart, "sensor/bin/sensor is not its ELF file"},
	{"strategy_system", func(s *spoiled) { s.manifest.Programs[0].Strategy = "system" }, bundle.KindStart, "sensor/bin/sensor is not its ELF file"},
	{"strategy_unknown", func(s *spoiled) {
		s.manifest.Programs[0].Strategy, s.manifest.Programs[0].Entry = "magic", "sensor/libexec/sensor"
	}, bundle.KindManifest, `unknown strategy "magic"`},
	{"program_is_library", func(s *spoiled) { s.manifest.Programs[0].ELF = "sensor/lib/libtflite.so.2" }, bundle.KindStart, "it asks for no loader"},
	{"setup_forged", func(s *spoiled) {
		s.manifest.Programs[0].Setup = &wrapper.Wrapper{Env: []wrapper.Change{{Op: wrapper.Set, Name: "A", Value: "1"}}}
	}, bundle.KindStart, "is not the launcher that nixbundle writes"},
	{"setup_impossible", func(s *spoiled) {
		s.manifest.Programs[0].Setup = &wrapper.Wrapper{Env: []wrapper.Change{{Op: wrapper.Set, Name: "A;id", Value: "1"}}}
	}, bundle.KindStart, "which no shell can"},
	{"prefix_forged", func(s *spoiled) { s.manifest.Prefix = "/opt/sensor" }, bundle.KindStart, "starts its programs by their paths"},
	{"prefix_elsewhere", func(s *spoiled) { s.manifest.Prefix = "/opt/other" }, bundle.KindManifest, "cannot be the place of a bundle called sensor"},
	{"prefix_in_store", func(s *spoiled) { s.manifest.Prefix = "/nix/store/sensor" }, bundle.KindManifest, "cannot be the place of a bundle called sensor"},
	{"program_is_launcher", func(s *spoiled) { s.manifest.Programs[0].ELF = "sensor/bin/sensor" }, bundle.KindStart, "is no ELF file"},
	{"source_claimed", func(s *spoiled) { s.entry("bin/sensor").Source = "/nix/store/x/bin/sensor" }, bundle.KindObject, "sensor/bin/sensor"},
}

func flipDynamic(m *member) {
	info, err := elfpatch.Read(bytes.NewReader(m.data), int64(len(m.data)))
	if err != nil {
		panic(err)
	}
	for _, s := range info.Segments {
		if s.Type == 2 { // PT_DYNAMIC
			m.data[s.Off+3] ^= 1
		}
	}
}

// dynamicEntry sets the value of an entry of the dynamic section (64 bits).
func dynamicEntry(m *member, tag elf.DynTag, value uint64) {
	info, err := elfpatch.Read(bytes.NewReader(m.data), int64(len(m.data)))
	if err != nil {
		panic(err)
	}
	for _, s := range info.Segments {
		for off := s.Off; s.Type == elf.PT_DYNAMIC && off < s.Off+s.Filesz; off += 16 {
			if binary.LittleEndian.Uint64(m.data[off:]) == uint64(tag) {
				binary.LittleEndian.PutUint64(m.data[off+8:], value)
			}
		}
	}
}

func asHardLink(s *spoiled, to string) {
	m := s.member("libtflite.so.2")
	m.Typeflag, m.Linkname, m.data = tar.TypeLink, to, nil
}

// forgeries are bundles that somebody changed who knows the format: the manifest agrees.
var forgeries = []spoil{
	{"library_deleted", func(s *spoiled) { s.drop("libtflite.so.2") }, closure.KindMissing, "libtflite.so.2"},
	{"link_deleted", func(s *spoiled) { s.drop("libprotobuf-c.so.1") }, closure.KindMissing, "libprotobuf-c.so.1"},
	{"loader_deleted", func(s *spoiled) { s.drop("ld-linux-aarch64.so.1") }, bundle.KindStart, "is not the launcher"},
	{"libc_deleted", func(s *spoiled) { s.drop("libc.so.6") }, closure.KindMissing, "libc.so.6"},
	{"library_of_another_machine", func(s *spoiled) {
		s.member("libtflite.so.2").data = elftest.Image{Soname: "libtflite.so.2"}.Bytes()
		s.entry("libtflite.so.2").Edits = nil
	}, closure.KindWrongMachine, "sensor/lib/libtflite.so.2"},
	{"loader_of_another_machine", func(s *spoiled) {
		s.member("ld-linux-aarch64.so.1").data = elftest.Image{Soname: "ld-linux-aarch64.so.1"}.Bytes()
	}, bundle.KindStart, "is for amd64, and the program for arm64"},
	{"loader_is_text", func(s *spoiled) {
		s.member("ld-linux-aarch64.so.1").data = []byte("#!/bin/sh\n")
		s.entry("ld-linux-aarch64.so.1").Source = ""
	}, bundle.KindStart, "is not an ELF file"},
	{"loader_not_executable", func(s *spoiled) { s.member("ld-linux-aarch64.so.1").Mode = 0o644 }, bundle.KindStart, "sensor/lib/ld-linux-aarch64.so.1 is not executable"},
	{"program_not_executable", func(s *spoiled) { s.member("libexec/sensor").Mode = 0o644 }, bundle.KindStart, "it is not executable"},
	{"launcher_not_executable", func(s *spoiled) { s.member("bin/sensor").Mode = 0o644 }, bundle.KindStart, "it is not executable"},
	{"launcher_altered", func(s *spoiled) { s.replace("bin/sensor", "\nnixbundle_self=$0", "\nid;bundle_self=$0") }, bundle.KindStart, "is not the launcher that nixbundle writes"},
	{"launcher_goes_on", func(s *spoiled) { m := s.member("bin/sensor"); m.data = append(m.data, "rm -rf ~\n"...) }, bundle.KindStart, "is not the launcher that nixbundle writes"},
	{"interp_in_store", func(s *spoiled) {
		s.edit("libexec/sensor", elfpatch.Edit{Interp: elftest.StorePath("glibc-2.36") + "/lib/ld-linux-aarch64.so.1"})
	}, bundle.KindStorePath, "PT_INTERP of sensor/libexec/sensor"},
	{"interp_elsewhere", func(s *spoiled) {
		s.edit("libexec/sensor", elfpatch.Edit{Interp: "/opt/ld-linux-aarch64.so.1"})
	}, bundle.KindStart, `PT_INTERP is "/opt/ld-linux-aarch64.so.1"`},
	{"interp_relative", func(s *spoiled) { s.edit("libexec/sensor", elfpatch.Edit{Interp: "../lib/ld-linux-aarch64.so.1"}) }, bundle.KindStart, "PT_INTERP"},
	{"run_path_in_store", func(s *spoiled) {
		s.edit("libvision.so.4", elfpatch.Edit{RunPath: elftest.StorePath("x-1.0") + "/lib:$ORIGIN"})
	}, bundle.KindStorePath, "DT_RUNPATH of sensor/lib/libvision.so.4"},
	{"rpath_in_store", func(s *spoiled) {
		s.edit("libexec/sensor", elfpatch.Edit{RunPath: "$ORIGIN/../lib:" + elftest.StorePath("x-1.0") + "/lib", RPath: true})
	}, bundle.KindStorePath, "DT_RPATH of sensor/libexec/sensor"},
	{"run_path_of_machine", func(s *spoiled) { s.edit("libvision.so.4", elfpatch.Edit{RunPath: "/usr/lib:$ORIGIN"}) }, bundle.KindLeaves, "leads to /usr/lib"},
	{"run_path_empty_element", func(s *spoiled) { s.edit("libvision.so.4", elfpatch.Edit{RunPath: "$ORIGIN:"}) }, bundle.KindLeaves, "the current directory"},
	{"run_path_relative", func(s *spoiled) { s.edit("libvision.so.4", elfpatch.Edit{RunPath: "$ORIGIN:lib"}) }, bundle.KindLeaves, "leads to lib"},
	{"run_path_out", func(s *spoiled) { s.edit("libvision.so.4", elfpatch.Edit{RunPath: "$ORIGIN:$ORIGIN/../../lib"}) }, bundle.KindLeaves, "leads out of the bundle"},
	{"run_path_out_by_origin_text", func(s *spoiled) { s.edit("libvision.so.4", elfpatch.Edit{RunPath: "$ORIGINAL:$ORIGIN"}) }, bundle.KindLeaves, "$ORIGINAL"},
	{"run_path_of_platform", func(s *spoiled) { s.edit("libvision.so.4", elfpatch.Edit{RunPath: "$ORIGIN/$PLATFORM:$ORIGIN"}) }, bundle.KindLeaves, "$PLATFORM"},
	{"run_path_wrong", func(s *spoiled) {
		s.edit("libexec/sensor", elfpatch.Edit{RunPath: "$ORIGIN/../share", RPath: true})
	}, closure.KindMissing, "libtflite.so.2"},
	{"run_path_gone", func(s *spoiled) { s.edit("libexec/sensor", elfpatch.Edit{RemoveRunPath: true}) }, closure.KindMissing, "libtflite.so.2"},
	{"needed_in_store", func(s *spoiled) {
		s.edit("libexec/sensor", elfpatch.Edit{ReplaceNeeded: map[string]string{"libtflite.so.2": elftest.StorePath("x-1.0") + "/lib/libtflite.so.2"}})
	}, bundle.KindStorePath, "DT_NEEDED"},
	{"needed_of_machine", func(s *spoiled) {
		s.edit("libexec/sensor", elfpatch.Edit{ReplaceNeeded: map[string]string{"libtflite.so.2": "/usr/lib/libtflite.so.2"}})
	}, bundle.KindLeaves, "/usr/lib/libtflite.so.2"},
	{"needed_added", func(s *spoiled) { s.edit("libvision.so.4", elfpatch.Edit{AddNeeded: []string{"libjpeg.so.62"}}) }, closure.KindMissing, "libjpeg.so.62"},
	{"soname_changed", func(s *spoiled) { s.edit("libtflite.so.2", elfpatch.Edit{Soname: "libtflite.so.3"}) }, bundle.KindObject, "libtflite.so.3"},
	{"symbol_gone", func(s *spoiled) {
		s.replace("libprotobuf-c.so.1.0.0", "\x00protobuf_c_message_unpack\x00", "\x00protobuf_c_message_unpacK\x00")
	}, closure.KindSymbol, "protobuf_c_message_unpack"},
	{"version_gone", func(s *spoiled) { s.replace("libprotobuf-c.so.1.0.0", "\x00LIBPROTOBUF_C_", "\x00LIBPROTOBUF_D_") }, closure.KindVersion, "LIBPROTOBUF_C_"},
	{"newer_glibc_wanted", func(s *spoiled) { s.replace("libexec/sensor", "GLIBC_2.34", "GLIBC_2.99") }, closure.KindVersion, "GLIBC_2.99"},
	{"libc_of_another_build", func(s *spoiled) { s.entry("libc.so.6").StorePath = elftest.StorePath("glibc-2.40") }, closure.KindLibc, "glibc-2.40"},
	{"symbol_table_elsewhere", func(s *spoiled) { dynamicEntry(s.member("libtflite.so.2"), elf.DT_SYMTAB, 0x7fff0000) }, bundle.KindObject, "sensor/lib/libtflite.so.2"},
	{"libc_of_another_release", func(s *spoiled) { s.replace("libc.so.6", "release version 2.36", "release version 2.31") }, closure.KindBuilds, "2.31"},
	{"link_dangles", func(s *spoiled) { s.member("libprotobuf-c.so.1").Linkname = "libprotobuf-c.so.1.9.9" }, bundle.KindLink, "which is not there"},
	{"link_loops", func(s *spoiled) { s.member("libprotobuf-c.so.1").Linkname = "libprotobuf-c.so.1" }, bundle.KindLink, "too many links"},
	{"link_through_link_out", func(s *spoiled) {
		s.put(tar.Header{Name: "sensor/share/up", Typeflag: tar.TypeSymlink, Linkname: "..", Mode: 0o777}, "")
		s.member("libprotobuf-c.so.1").Linkname = "../share/up/../libprotobuf-c.so.1.0.0"
	}, bundle.KindLink, "leads out of the bundle"},
	{"link_out", func(s *spoiled) { s.member("libprotobuf-c.so.1").Linkname = "../../lib/libprotobuf-c.so.1" }, bundle.KindManifest, "libprotobuf-c.so.1"},
	{"link_absolute", func(s *spoiled) { s.member("libprotobuf-c.so.1").Linkname = "/usr/lib/libprotobuf-c.so.1" }, bundle.KindManifest, "is not a relative link"},
	{"entry_under_link", func(s *spoiled) {
		s.put(tar.Header{Name: "sensor/lib/x", Typeflag: tar.TypeSymlink, Linkname: ".", Mode: 0o777}, "")
		s.put(tar.Header{Name: "sensor/lib/x/y", Typeflag: tar.TypeReg}, "")
	}, bundle.KindManifest, "sensor/lib/x is no folder"},
	{"manifest_parent", func(s *spoiled) { s.put(tar.Header{Name: "sensor/../x", Typeflag: tar.TypeReg}, "") }, bundle.KindManifest, "sensor/../x"},
	{"object_is_text", func(s *spoiled) { s.member("libtflite.so.2").data = []byte("INPUT(libtflite.so.3)\n") }, bundle.KindObject, "sensor/lib/libtflite.so.2"},
	{"object_cut", func(s *spoiled) { m := s.member("libtflite.so.2"); m.data = m.data[:100] }, bundle.KindObject, "sensor/lib/libtflite.so.2"},
	{"object_damaged", func(s *spoiled) {
		m := s.member("libtflite.so.2")
		copy(m.data[0x20:], "\xff\xff\xff\xff\xff\xff\xff\x7f")
	}, bundle.KindObject, "sensor/lib/libtflite.so.2"},
	{"second_program", func(s *spoiled) {
		s.put(tar.Header{Name: "sensor/bin/other", Typeflag: tar.TypeReg, Mode: 0o755}, "#!/bin/sh\n")
	}, bundle.KindManifest, "sensor/bin/other is no program"},
	{"one_file_for_two", func(s *spoiled) {
		m := s.member("libvision.so.4")
		m.data, m.Typeflag, m.Linkname = nil, tar.TypeLink, "sensor/lib/libtflite.so.2"
		s.entry("libvision.so.4").Edits = s.entry("libtflite.so.2").Edits
	}, bundle.KindStart, "are one file"},
}

// ofStub are forgeries of a bundle whose program starts by a stub.
var ofStub = []spoil{
	{"stub_altered", func(s *spoiled) { m := s.member("bin/sensor"); m.data[stubAt(m)+stub.Head+100] ^= 1 }, bundle.KindStart, "is not the code that nixbundle writes"},
	{"stub_writable", func(s *spoiled) { m := s.member("bin/sensor"); segmentFlags(m, elf.PF_R|elf.PF_W|elf.PF_X) }, bundle.KindStart, "is not the code that nixbundle writes"},
	{"entry_moved", func(s *spoiled) { s.member("bin/sensor").data[0x18] ^= 4 }, bundle.KindStart, "it has no start stub"},
	{"loader_deleted", func(s *spoiled) { s.drop("ld-linux-aarch64.so.1") }, bundle.KindStart, "which is not there"},
	{"loader_out", func(s *spoiled) {
		s.edit("bin/sensor", elfpatch.Edit{Loader: "../../lib/ld-linux-aarch64.so.1"})
	}, bundle.KindStart, "which leads out of the bundle"},
	{"loader_not_executable", func(s *spoiled) { s.member("ld-linux-aarch64.so.1").Mode = 0o644 }, bundle.KindStart, "is not executable"},
	{"strategy_none", func(s *spoiled) { s.manifest.Programs[0].Strategy = "none" }, bundle.KindStart, "it is not static"},
	{"strategy_system", func(s *spoiled) { s.manifest.Programs[0].Strategy = "system" }, bundle.KindStart, "it asks for no loader"},
	{"loader_claimed", func(s *spoiled) {
		for i, c := range s.entry("bin/sensor").Edits {
			if c.What == "loader" {
				s.entry("bin/sensor").Edits[i].To += ".9"
			}
		}
	}, bundle.KindManifest, "sensor/bin/sensor has the loader"},
	{"missing_allowed", func(s *spoiled) {
		s.drop("libtflite.so.2")
		s.allow(closure.KindMissing, "libtflite.so.2")
	}, closure.KindMissing, "libtflite.so.2"},
	{"version_allowed", func(s *spoiled) {
		s.replace("libprotobuf-c.so.1.0.0", "\x00LIBPROTOBUF_C_", "\x00LIBPROTOBUF_D_")
		s.allow(closure.KindVersion, "libprotobuf-c.so.1")
	}, closure.KindVersion, "LIBPROTOBUF_C_"},
}

// stubAt is where the stub's segment starts in a file.
func stubAt(m *member) uint64 {
	_, off := stubSegment(m)
	return off
}

// stubSegment gives the index of the stub's segment, and its offset in the file.
func stubSegment(m *member) (int, uint64) {
	info, err := elfpatch.Read(bytes.NewReader(m.data), int64(len(m.data)))
	if err != nil {
		panic(err)
	}
	for i, s := range info.Segments {
		if s.Type == elf.PT_LOAD && s.Vaddr == info.Stub.Addr {
			return i, s.Off
		}
	}
	panic("no stub")
}

// segmentFlags changes p_flags of the stub's segment (gABI 5, "Program Header", 64 bits).
func segmentFlags(m *member, flags elf.ProgFlag) {
	i, _ := stubSegment(m)
	phoff := binary.LittleEndian.Uint64(m.data[0x20:])
	binary.LittleEndian.PutUint32(m.data[phoff+uint64(i)*56+4:], uint32(flags))
}
