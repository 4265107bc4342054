package bundle_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDocumented: every exported name of the library says what it is, constants each by itself, and every
// number in a struct what it counts or in which unit.
func TestDocumented(t *testing.T) {
	names := 0
	for _, name := range library {
		files, err := filepath.Glob(filepath.Join("..", name, "*.go"))
		require.NoError(t, err)
		fset := token.NewFileSet()
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(fset, file, nil, parser.ParseComments|parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, d := range f.Decls {
				declared(d, func(n *ast.Ident, docs ...*ast.CommentGroup) {
					names++
					assert.True(t, anyText(docs), "%s: %s is not documented", fset.Position(n.Pos()), n.Name)
				})
			}
		}
	}
	require.Greater(t, names, 550, "exported names that were looked at")
}

func anyText(docs []*ast.CommentGroup) bool {
	for _, d := range docs {
		if d.Text() != "" {
			return true
		}
	}
	return false
}

// declared gives the exported names of a declaration, each with the comments that may tell of it.
func declared(d ast.Decl, found func(*ast.Ident, ...*ast.CommentGroup)) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		usual := map[string]bool{"Error": true, "String": true} // their contracts are known
		if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d)) && !usual[d.Name.Name]) {
			found(d.Name, d.Doc)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					found(s.Name, d.Doc, s.Doc)
					numbers(s.Type, found)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && d.Lparen.IsValid() {
						found(n, s.Doc, s.Comment)
					} else if n.IsExported() {
						found(n, d.Doc)
					}
				}
			}
		}
	}
}

// receiver is the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	return t.(*ast.Ident).Name
}

// numbers gives the exported fields of a struct that are numbers.
func numbers(typ ast.Expr, found func(*ast.Ident, ...*ast.CommentGroup)) {
	s, ok := typ.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range s.Fields.List {
		if !number(f.Type) {
			continue
		}
		for _, n := range f.Names {
			if n.IsExported() {
				found(n, f.Doc, f.Comment)
			}
		}
	}
}

func number(typ ast.Expr) bool {
	switch typ := typ.(type) {
	case *ast.ArrayType:
		return number(typ.Elt)
	case *ast.SelectorExpr:
		return typ.Sel.Name == "Duration"
	case *ast.Ident:
		switch typ.Name {
		case "int", "int64", "uint16", "uint32", "uint64":
			return true
		}
	}
	return false
}
