package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"guanxi/app"
	"guanxi/internal/docstore"
)

// place says which store a command works on.
type place struct{ dir, mongo, database, file string }

func (p *place) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.dir, "dir", "", "folder of an embedded store")
	c.Flags().StringVar(&p.mongo, "mongo", "", "MongoDB URL")
	c.Flags().StringVar(&p.database, "database", "guanxi", "MongoDB database")
	c.Flags().StringVar(&p.file, "env-file", "", "settings; used when neither --dir nor --mongo is given, and for the keys")
}

// open opens the store for work on it, and makes it when need be. Without keys in the settings personal data stays sealed:
// the ledger holds none.
func (p *place) open(ctx context.Context) (*docstore.Store, error) {
	values, err := p.values()
	if err != nil {
		return nil, err
	}
	if p.dir != "" { // a wrong name must not become a new store
		if _, err := os.Stat(p.dir); err != nil {
			return nil, fmt.Errorf("no store there: %w", err)
		}
	}
	return app.OpenStore(ctx, values)
}

// read opens a store that is there, for looking at it only. Exit code 2 when there is none.
func (p *place) read(ctx context.Context) (*docstore.Store, app.Values, error) {
	values, err := p.values()
	if err != nil {
		return nil, nil, err
	}
	store, err := app.ReadStore(ctx, values)
	if errors.Is(err, docstore.ErrAbsent) {
		err = undecided{err}
	}
	return store, values, err
}

// there opens a store that must be there already, for work on it.
func (p *place) there(ctx context.Context) (*docstore.Store, error) {
	store, _, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	return p.open(ctx)
}

func (p *place) values() (app.Values, error) {
	values, err := app.ReadValues(os.Environ(), p.file)
	if err != nil {
		return nil, err
	}
	switch {
	case p.dir != "":
		values["GUANXI_DIR"], values["GUANXI_MONGO_URL"] = p.dir, ""
	case p.mongo != "":
		values["GUANXI_MONGO_URL"], values["GUANXI_MONGO_DATABASE"] = p.mongo, p.database
	}
	return values, nil
}
