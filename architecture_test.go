package guanxi_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines     = 400
	maxFunctionLines = 60
)

// floors says on which floor a package stands; the longest matching prefix wins. Every package must match.
var floors = map[string]int{
	"guanxi":                 6, // documentation only
	"guanxi/cmd":             5,
	"guanxi/app":             4,
	"guanxi/miniprogram-api": 3,
	"guanxi/console":         3,
	"guanxi/flow":            2,
	"guanxi/platform":        2,
	"guanxi/proof":           2,
	"guanxi/member":          1,
	"guanxi/community":       1,
	"guanxi/catalog":         1,
	"guanxi/groupbuy":        1,
	"guanxi/order":           1,
	"guanxi/distribution":    1,
	"guanxi/commission":      1,
	"guanxi/outreach":        1,
	"guanxi/reconcile":       1,
	"guanxi/staff":           1,
	"guanxi/internal":        0, // knows no domain
}

// outsideAllowed lists what domains and the small packages below them may import beside the standard library and this
// module; the rest of internal/ adapts the world to them.
var (
	outsideAllowed = []string{
		"github.com/shopspring/decimal", "go.mongodb.org/mongo-driver/bson", "go.mongodb.org/mongo-driver/x/bsonx/bsoncore",
		"golang.org/x/text/unicode/norm",
	}
	domainsMayImport = []string{ // of internal/
		"guanxi/internal/docstore", "guanxi/internal/event", "guanxi/internal/money", "guanxi/internal/fault", "guanxi/internal/id",
		"guanxi/internal/clock", "guanxi/internal/fsm", "guanxi/internal/lease", "guanxi/internal/claim", "guanxi/internal/text",
	}
	// sandboxKnowers are the packages that may import the sandbox: what stands beside the program, never what is in it.
	sandboxKnowers = []string{"guanxi/app/harness", "guanxi/app/demo", "guanxi/app/bench", "guanxi/cmd/guanxi"}
)

// room is the top-level folder a package stands in: a domain may have rooms of its own inside.
func room(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "guanxi/"), "/")
	return first
}

type goPackage struct {
	ImportPath, Dir string
	GoFiles         []string
	Imports         []string
	Standard        bool
}

func TestFloorsImportOnlyDownwards(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		floor, ok := floorOf(p.ImportPath)
		if !ok {
			t.Errorf("%s stands on no floor: add it to the table", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			checkImport(t, p, floor, imported)
		}
	}
}

func checkImport(t *testing.T, p goPackage, floor int, imported string) {
	t.Helper()
	if imported == "guanxi" || strings.HasPrefix(imported, "guanxi/") {
		below, _ := floorOf(imported)
		switch {
		case below > floor:
			t.Errorf("%s (floor %d) imports %s (floor %d)", p.ImportPath, floor, imported, below)
		case below == floor && floor == 1 && room(p.ImportPath) != room(imported):
			t.Errorf("domain %s imports domain %s", p.ImportPath, imported)
		case floor == 1 && below == 0 && !slices.Contains(domainsMayImport, imported):
			t.Errorf("domain %s imports %s", p.ImportPath, imported)
		case imported == "guanxi/platform/sandbox" && !slices.Contains(sandboxKnowers, p.ImportPath):
			t.Errorf("%s imports the sandbox", p.ImportPath)
		}
		return
	}
	first, _, _ := strings.Cut(imported, "/")
	if floor != 1 && !slices.Contains(domainsMayImport, p.ImportPath) || !strings.Contains(first, ".") {
		return
	}
	for _, prefix := range outsideAllowed {
		if (imported == prefix || strings.HasPrefix(imported, prefix+"/")) && (floor == 0 || prefix == outsideAllowed[0]) {
			return
		}
	}
	t.Errorf("%s (floor %d) imports %s", p.ImportPath, floor, imported)
}

func TestFilesAndFunctionsAreShort(t *testing.T) {
	t.Parallel()
	eachFile(t, func(p goPackage, name string, set *token.FileSet, file *ast.File) {
		if lines := set.File(file.Pos()).LineCount(); lines > maxFileLines {
			t.Errorf("%s has %d lines (at most %d)", name, lines, maxFileLines)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; n > maxFunctionLines {
				t.Errorf("%s: %s has %d lines (at most %d)", name, f.Name.Name, n, maxFunctionLines)
			}
		}
	})
}

func TestNoForbiddenThings(t *testing.T) {
	t.Parallel()
	eachFile(t, func(p goPackage, name string, set *token.FileSet, file *ast.File) {
		floor, _ := floorOf(p.ImportPath)
		for _, d := range file.Decls {
			checkDecl(t, name, d)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if isTimeNow(n) && !strings.HasPrefix(p.ImportPath, "guanxi/cmd") && p.ImportPath != "guanxi/internal/clock" {
					t.Errorf("%s: time.%s; use a clock", set.Position(n.Pos()), n.Sel.Name)
				}
			case *ast.Ident:
				if (floor == 1 || slices.Contains(domainsMayImport, p.ImportPath)) && (n.Name == "float64" || n.Name == "float32") {
					t.Errorf("%s: %s on floor %d", set.Position(n.Pos()), n.Name, floor)
				}
			case *ast.Field:
				if floor == 1 && n.Tag != nil && strings.Contains(n.Tag.Value, `json:"`) {
					t.Errorf("%s: json tag in a domain", set.Position(n.Pos()))
				}
			}
			return true
		})
	})
}

func isTimeNow(s *ast.SelectorExpr) bool {
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, s.Sel.Name)
}

// checkDecl refuses init functions and package variables that could change: allowed are error and fault
// sentinels, compiled patterns, embedded files and tables, which nobody assigns to.
func checkDecl(t *testing.T, name string, d ast.Decl) {
	t.Helper()
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.Name == "init" && d.Recv == nil {
			t.Errorf("%s has an init function", name)
		}
	case *ast.GenDecl:
		if d.Tok != token.VAR {
			return
		}
		for _, s := range d.Specs {
			v, ok := s.(*ast.ValueSpec)
			if !ok || len(v.Values) > 0 || (d.Doc != nil && strings.Contains(directives(d.Doc), "go:embed")) ||
				(v.Doc != nil && strings.Contains(directives(v.Doc), "go:embed")) {
				continue
			}
			t.Errorf("%s: package variable %s without a value: a mutable global", name, v.Names[0].Name)
		}
	}
}

func directives(g *ast.CommentGroup) string {
	all := ""
	for _, c := range g.List {
		all += c.Text
	}
	return all
}

// TestGlobalsAreNeverAssigned finds assignments to package-level variables.
func TestGlobalsAreNeverAssigned(t *testing.T) {
	t.Parallel()
	eachFile(t, func(p goPackage, name string, set *token.FileSet, file *ast.File) {
		globals := map[string]bool{}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
				for _, s := range g.Specs {
					for _, n := range s.(*ast.ValueSpec).Names {
						globals[n.Name] = true
					}
				}
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			a, ok := n.(*ast.AssignStmt)
			if !ok || a.Tok == token.DEFINE {
				return true
			}
			for _, left := range a.Lhs {
				if x, ok := left.(*ast.Ident); ok && globals[x.Name] && x.Obj != nil && x.Obj.Kind == ast.Var && x.Name != "_" {
					if _, global := x.Obj.Decl.(*ast.ValueSpec); global && set.Position(x.Obj.Pos()).Column <= 5 {
						t.Errorf("%s: assigns package variable %s", set.Position(a.Pos()), x.Name)
					}
				}
			}
			return true
		})
	})
}

func floorOf(path string) (int, bool) {
	best, floor := "", 0
	for prefix, f := range floors {
		if (path == prefix || (prefix != "guanxi" && strings.HasPrefix(path, prefix+"/"))) && len(prefix) > len(best) {
			best, floor = prefix, f
		}
	}
	return floor, best != ""
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Standard", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func eachFile(t *testing.T, visit func(goPackage, string, *token.FileSet, *ast.File)) {
	t.Helper()
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			visit(p, p.ImportPath+"/"+name, set, file)
		}
	}
}
