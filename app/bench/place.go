package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	driver "go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/mongo"
	"guanxi/internal/docstore/sqlite"
)

// place is a fresh store and the folder it lives in.
type place struct {
	dir    string
	driver docstore.Driver
	store  *docstore.Store
	drop   func() // the database on a server
}

// openPlace makes an empty store; close it to remove everything.
func openPlace(ctx context.Context, o Options) (_ *place, err error) {
	p := &place{}
	if p.dir, err = os.MkdirTemp(o.Dir, "guanxi-bench-"); err != nil {
		return nil, fmt.Errorf("fresh folder: %w", err)
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if o.Mongo == "" {
		p.driver, err = sqlite.Open(ctx, sqlite.Options{Dir: p.dir})
	} else {
		name := "guanxi_bench_" + strings.ToLower(rand.Text()[:10])
		p.drop = func() { dropDatabase(o.Mongo, name) }
		p.driver, err = mongo.Open(ctx, mongo.Options{URL: o.Mongo, Database: name})
	}
	if err != nil {
		return nil, err
	}
	secret := sha256.Sum256([]byte("bench: nothing in here is worth a secret"))
	keys, err := docstore.NewKeyRing(secret[:], docstore.Key{ID: "bench", Secret: secret[:]})
	if err != nil {
		return nil, err
	}
	p.store, err = docstore.New(docstore.Config{Driver: p.driver, Clock: clock.System{}, Keys: keys})
	return p, err
}

// reference opens a bare database beside the store.
func (p *place) reference(ctx context.Context, idBytes, bodyBytes int) (*bareWriter, error) {
	return openBareWriter(ctx, filepath.Join(p.dir, "reference.db"), idBytes, bodyBytes)
}

// close removes everything, whatever became of the run.
func (p *place) close() {
	if p.driver != nil {
		_ = p.driver.Close() // what it holds is thrown away
	}
	if p.drop != nil {
		p.drop()
	}
	_ = os.RemoveAll(p.dir)
}

// dropDatabase does what it can: a server that is gone keeps its rubbish.
func dropDatabase(url, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := driver.Connect(ctx, options.Client().ApplyURI(url))
	if err != nil {
		return
	}
	_ = client.Database(name).Drop(ctx)
	_ = client.Disconnect(ctx)
}
