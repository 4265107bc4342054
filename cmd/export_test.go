package cmd

import (
	"reflect"

	"github.com/nixbundle/nixbundle/bundle"
)

// Answers are the types of the answers, by the names of their schemas, for tests.
var Answers = map[string]reflect.Type{
	"bindings":    reflect.TypeFor[bindingsJSON](),
	"conflicts":   reflect.TypeFor[conflictsJSON](),
	"inspect-elf": reflect.TypeFor[inspectJSON](),
	"ldd":         reflect.TypeFor[linkMapsJSON](),
	"learn":       reflect.TypeFor[lacksJSON](),
	"manifest":    reflect.TypeFor[bundle.Manifest](),
	"plan":        reflect.TypeFor[planJSON](),
	"size":        reflect.TypeFor[sizeJSON](),
	"targets":     reflect.TypeFor[targetsJSON](),
	"verify":      reflect.TypeFor[verifyJSON](),
	"why":         reflect.TypeFor[whyJSON](),
}
