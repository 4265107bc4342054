package closure

import (
	"debug/elf"
	"testing"
)

func TestIsVague(t *testing.T) {
	for _, test := range []struct {
		symbol string
		kind   elf.SymType
		want   bool
	}{
		{"_ZTIN6google8protobuf7MessageE", elf.STT_OBJECT, true},
		{"_ZGVZN9QMetaType21registerConverterImplIiEEbvE10unregister", elf.STT_OBJECT, true},
		{"_ZZN9QMetaType21registerConverterImplIiEEbvE10unregister", elf.STT_OBJECT, true},
		{"_ZZN6google8protobuf3fooEvE1x", elf.STT_OBJECT, true},
		{"_ZN13QMetaSequence12MetaSequenceI5QListIiEE5valueE", elf.STT_OBJECT, true},
		{"_ZN1a1b1c1d1eIiE5valueE", elf.STT_OBJECT, true},
		{"_ZN13QMetaSequence12MetaSequenceI5QListIiEE5valueEv", elf.STT_FUNC, false},
		{"_ZN6google8protobuf8internal5emptyE", elf.STT_OBJECT, false},
		{"I", elf.STT_OBJECT, false},
		{"_ZNI", elf.STT_OBJECT, false},
	} {
		if got := isVague(test.symbol, test.kind); got != test.want {
			t.Errorf("%s: got %v", test.symbol, got)
		}
	}
}

func TestNamespaceOf(t *testing.T) {
	for symbol, want := range map[string]string{
		"_ZN6google8protobuf11MessageLite5ClearEv": "google::protobuf::*",
		"_ZNK6google8protobuf7Message7GetTypeEv":   "google::protobuf::*",
		"_ZTVN6google8protobuf7MessageE":           "google::protobuf::*",
		"_ZThn16_N6google8protobuf7MessageD1Ev":    "google::protobuf::*",
		"_ZTv0_n24_N6google8protobuf7MessageD1Ev":  "google::protobuf::*",
		"_ZZN6google8protobuf3fooEvE1x":            "google::protobuf::*",
		"_ZGVZN6google8protobuf8internal3fooEvE1x": "google::protobuf::*",
		"_ZN2cv3MatC1Ev":                           "cv::*",
		"_ZNSt6vectorIiE9push_backEv":              "std::*",
		"_Z3fooi":                                  "_Z3fooi",
		"_ZN99999999999999999999x":                 "_ZN99999999999999999999x",
		"_ZN9short":                                "_ZN9short",
		"_ZTh":                                     "_ZTh",
		"_Z":                                       "_Z",
		"strlcpy":                                  "strlcpy",
	} {
		if got := namespaceOf(symbol); got != want {
			t.Errorf("%s: got %s, want %s", symbol, got, want)
		}
	}
	for _, test := range []struct {
		names names
		want  string
	}{
		{names{"a": 1}, "a"},
		{names{"a": 1, "b::*": 2}, "b::* and a"},
		{names{"x_a": 1, "x_b": 1, "x_c": 1}, "x_*"},
		{names{"a": 1, "b": 3, "c": 2, "d": 1}, "b, c and 2 more"},
	} {
		if got := test.names.String(); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}
