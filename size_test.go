package guanxi_test

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

const (
	maxPackageFiles = 20
	maxPackageLines = 3000
)

// overgrown are the packages that are still bigger than they may be, with what they must not outgrow until they are cut into
// rooms. Whoever makes one smaller makes its row smaller; a new row is not the answer.
var overgrown = map[string]struct{ files, lines int }{
	"guanxi/commission":            {37, 6300},
	"guanxi/platform/sandbox":      {33, 6100},
	"guanxi/console":               {34, 5100},
	"guanxi/order":                 {30, 4400},
	"guanxi/internal/docstore":     {26, 3600},
	"guanxi/commission/withdrawal": {26, 3300},
	"guanxi/miniprogram-api":       {25, 3500},
	"guanxi/app":                   {25, 3400},
	"guanxi/app/bench":             {20, 3200},
}

func TestPackagesAreRooms(t *testing.T) {
	t.Parallel()
	files, lines := map[string]int{}, map[string]int{}
	eachFile(t, func(p goPackage, _ string, set *token.FileSet, file *ast.File) {
		files[p.ImportPath]++
		lines[p.ImportPath] += set.File(file.Pos()).LineCount()
	})
	for path := range files {
		most := struct{ files, lines int }{maxPackageFiles, maxPackageLines}
		if more, known := overgrown[path]; known {
			if files[path] <= most.files && lines[path] <= most.lines {
				t.Errorf("%s fits: take it out of the table", path)
			}
			most = more
		}
		if files[path] > most.files || lines[path] > most.lines {
			t.Errorf("%s has %d files and %d lines, at most %d and %d", path, files[path], lines[path], most.files, most.lines)
		}
	}
}

// called by others than our code: by the standard library, drivers and formatters, through interfaces.
var calledFromOutside = []string{
	"Error", "Unwrap", "Is", "As", "String", "GoString", "Format", "MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "MarshalBSONValue",
	"UnmarshalBSONValue", "MarshalBSON", "UnmarshalBSON", "ServeHTTP", "LogValue", "Read", "Write", "Close", "Len", "Less", "Swap", "Schema", "Resolve",
	"GetStatus", "GetHeaders", "ContentType", "Unwrap", "Flush", "Hijack", "Describe", "Collect", "TransformSchema", "Handle", "Enabled", "WithAttrs", "WithGroup",
	"IsZero", "RoundTrip", "Set", "Type", "Get", "IsExist",
}

// forTests are packages whose exported names tests alone may use.
var forTests = []string{"guanxi/internal/docstore/docstoretest", "guanxi/internal/goldentest", "guanxi/app/claimtest", "guanxi/app/harness", "guanxi/platform/sandbox"}

// testedOnly are exported for tests and for what tests print: the rest of the program does not call them.
var testedOnly = map[string]string{
	"AtMostOnce":    "an effect kind of the flow table",
	"BrandAccounts": "tests of the export count every account",
	"HowHost":       "a stored value of orders from before codes",
	"Stays":         "docs/stays.md",
	"Machines":      "docs/states.md",
	"SweepOnce":     "tests with a clock of their own",
	"Replay":        "ReplayWith without progress",
	"WriteEnv":      "deploy/guanxi.env.example",
	"WriteProofs":   "docs/proof.md",
	"Pool":          "what the driver made of the address",
	"DecodeValue":   "the BSON registry", "EncodeValue": "the BSON registry",
}

// TestNothingExportedIsDead finds exported names that no other line of the program mentions. It compares names, not objects, so
// it may miss one; what it finds is dead.
func TestNothingExportedIsDead(t *testing.T) {
	t.Parallel()
	declared, mentioned := map[string][]string{}, map[string]int{}
	eachFile(t, func(p goPackage, name string, _ *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if x, ok := n.(*ast.Ident); ok {
				mentioned[x.Name]++
			}
			return true
		})
		if slices.Contains(forTests, p.ImportPath) || strings.HasPrefix(p.ImportPath, "guanxi/platform/") { // an adapter says what its platform can be told
			return
		}
		for _, d := range file.Decls {
			for _, x := range exportedBy(d) {
				declared[x] = append(declared[x], name)
			}
		}
	})
	for _, x := range slices.Sorted(maps.Keys(declared)) {
		if mentioned[x] <= len(declared[x]) && !slices.Contains(calledFromOutside, x) && !strings.HasPrefix(x, "Err") && testedOnly[x] == "" {
			t.Errorf("%s (%s) is exported and used nowhere", x, strings.Join(declared[x], ", "))
		}
	}
}

func exportedBy(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		names = append(names, d.Name.Name)
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name.Name)
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names = append(names, n.Name)
				}
			}
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return !ast.IsExported(n) })
}
