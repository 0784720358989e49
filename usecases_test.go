package guanxi_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A use case that nobody can reach is not one: a method for adding goods helps no brand while only the demonstration calls
// it. Every exported method of a domain's service must be reached from what runs in production: an edge, a reaction, a loop
// of the program, a command. What shows, measures or tests the house does not count.

// uncalled lists use cases that nobody reaches, each with its reason.
var uncalled = map[string]string{
	"commission.Service.Tidy": "for measurements, which cannot wait for a quiet moment; Run does the same by itself",
}

// useless are the floors' packages whose calls make nobody's use case.
var useless = []string{
	"guanxi/app/demo", "guanxi/app/bench", "guanxi/internal/goldentest", "guanxi/platform/sandbox",
	"guanxi/app/claimtest", "guanxi/internal/docstore/docstoretest",
}

func TestEveryUseCaseIsReached(t *testing.T) {
	t.Parallel()
	w := loadCalls(t)
	listed := 0
	for _, m := range w.useCases() {
		listed++
		name := named(m)
		callers := w.callers(m)
		_, allowed := uncalled[name]
		switch {
		case len(callers) == 0 && !allowed:
			t.Errorf("%s: nothing that runs in production reaches this use case", name)
		case len(callers) > 0 && allowed:
			t.Errorf("%s is reached by %s: take it off the list of uncalled ones", name, strings.Join(callers, ", "))
		}
		t.Logf("%-48s %s", name, strings.Join(callers, ", "))
	}
	if listed < 200 {
		t.Errorf("only %d use cases were found", listed)
	}
	for name := range uncalled {
		if !slices.ContainsFunc(w.useCases(), func(m *types.Func) bool { return named(m) == name }) {
			t.Errorf("%s is allowed to be uncalled and does not exist", name)
		}
	}
}

// calls is who mentions which function, over the whole module without its tests.
type calls struct {
	packages []*types.Package
	uses     map[*types.Func]map[*types.Func]bool // mentioned → by; a nil key of the inner map is a package variable
	live     map[*types.Func]bool
}

func domain(path string) bool {
	floor, ok := floorOf(path)
	return ok && floor == 1
}

// useCases are the exported methods of every domain's services.
func (w *calls) useCases() (all []*types.Func) {
	for _, p := range w.packages {
		if !domain(p.Path()) {
			continue
		}
		for _, name := range []string{"Service", "Book"} {
			if s := p.Scope().Lookup(name); s != nil {
				of, _ := s.Type().(*types.Named)
				for m := range of.Methods() {
					if m.Exported() {
						all = append(all, m)
					}
				}
			}
		}
	}
	return all
}

// callers are the packages that reach a use case; those of its own package only when they are reached themselves.
func (w *calls) callers(m *types.Func) (names []string) {
	for by := range w.uses[m] {
		path := by.Pkg().Path()
		if w.live[by] && !slices.Contains(names, path) {
			names = append(names, path)
		}
	}
	slices.Sort(names)
	return names
}

func named(m *types.Func) string {
	of := m.Signature().Recv().Type()
	if p, ok := of.(*types.Pointer); ok {
		of = p.Elem()
	}
	return strings.TrimPrefix(types.TypeString(of, nil), "guanxi/") + "." + m.Name()
}

// loadCalls type-checks the module from source, in the order of its imports.
func loadCalls(t *testing.T) *calls {
	t.Helper()
	listed, exports := exported(t)
	set, done := token.NewFileSet(), map[string]*types.Package{}
	outside := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	find := finder(func(path string) (*types.Package, error) {
		if p := done[path]; p != nil {
			return p, nil
		}
		return outside.Import(path)
	})
	w := &calls{uses: map[*types.Func]map[*types.Func]bool{}, live: map[*types.Func]bool{}}
	for _, p := range listed {
		var files []*ast.File
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
		checked, err := (&types.Config{Importer: find}).Check(p.ImportPath, set, files, info)
		if err != nil {
			t.Fatal(err)
		}
		done[p.ImportPath], w.packages = checked, append(w.packages, checked)
		for _, file := range files {
			w.read(file, info, checked)
		}
	}
	w.joinInterfaces()
	w.spread()
	return w
}

type finder func(path string) (*types.Package, error)

func (f finder) Import(path string) (*types.Package, error) { return f(path) }

// exported lists the module's packages in the order of their imports, and where the compiled ones of others are.
func exported(t *testing.T) (ours []goPackage, exports map[string]string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,Export", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports = map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			goPackage
			Export string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return ours, exports
		} else if err != nil {
			t.Fatal(err)
		}
		if p.ImportPath == "guanxi" || strings.HasPrefix(p.ImportPath, "guanxi/") {
			ours = append(ours, p.goPackage)
			continue
		}
		exports[p.ImportPath] = p.Export
	}
}

// read notes which function mentions which other. What stands outside of functions is mentioned by the package.
func (w *calls) read(file *ast.File, info *types.Info, p *types.Package) {
	for _, d := range file.Decls {
		by := types.NewFunc(token.NoPos, p, "var", types.NewSignatureType(nil, nil, nil, nil, nil, false))
		if f, ok := d.(*ast.FuncDecl); ok {
			by, _ = info.Defs[f.Name].(*types.Func)
		}
		if !domain(p.Path()) && !slices.Contains(useless, p.Path()) {
			w.live[by] = true
		}
		ast.Inspect(d, func(n ast.Node) bool {
			if x, ok := n.(*ast.Ident); ok {
				if f, ok := info.Uses[x].(*types.Func); ok {
					w.mention(f.Origin(), by)
				}
			}
			return true
		})
	}
}

func (w *calls) mention(f, by *types.Func) {
	if f.Pkg() == nil || f == by {
		return
	}
	if w.uses[f] == nil {
		w.uses[f] = map[*types.Func]bool{}
	}
	w.uses[f][by] = true
}

// joinInterfaces makes whoever calls a method of one of our interfaces a caller of every type's method that satisfies it,
// also when that type only embeds a service.
func (w *calls) joinInterfaces() {
	having := map[string][]types.Type{} // method → types that have it
	for _, p := range w.packages {
		for _, name := range p.Scope().Names() {
			of, ok := p.Scope().Lookup(name).(*types.TypeName)
			if !ok || types.IsInterface(of.Type()) {
				continue
			}
			pointer := types.NewPointer(of.Type())
			for m := range types.NewMethodSet(pointer).Methods() {
				having[m.Obj().Name()] = append(having[m.Obj().Name()], pointer)
			}
		}
	}
	for f, by := range maps.Clone(w.uses) {
		if f.Signature().Recv() == nil {
			continue
		}
		asked, ok := f.Signature().Recv().Type().Underlying().(*types.Interface)
		if !ok {
			continue
		}
		for _, of := range having[f.Name()] {
			if !types.Implements(of, asked) {
				continue
			}
			found, _, _ := types.LookupFieldOrMethod(of, true, f.Pkg(), f.Name())
			if m, ok := found.(*types.Func); ok {
				for one := range by {
					w.mention(m.Origin(), one)
				}
			}
		}
	}
}

// spread makes live what live functions mention, until nothing more becomes so.
func (w *calls) spread() {
	for more := true; more; {
		more = false
		for f, by := range w.uses {
			if w.live[f] || slices.Contains(useless, f.Pkg().Path()) {
				continue
			}
			for one := range by {
				if w.live[one] {
					w.live[f], more = true, true
					break
				}
			}
		}
	}
}
