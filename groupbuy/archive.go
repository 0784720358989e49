package groupbuy

import (
	"context"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

// Archive reads the campaigns of a store and nothing else: for verification, beside or without a Service. It checks nobody.
type Archive struct {
	campaigns *docstore.Collection[Campaign]
}

// OpenArchive opens the campaigns for reading.
func OpenArchive(ctx context.Context, store *docstore.Store) (*Archive, error) {
	campaigns, err := openCampaigns(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("groupbuy: %w", err)
	}
	return &Archive{campaigns}, nil
}

// Doomed tells which of the campaigns will never take place, and since when; at most docstore.MaxLimit at once.
func (a *Archive) Doomed(ctx context.Context, campaigns []string) (map[string]time.Time, error) {
	found, err := a.campaigns.GetWhole(ctx, campaigns)
	if err != nil {
		return nil, wrap("doomed campaigns", err)
	}
	doomed := map[string]time.Time{}
	for campaign, c := range found {
		if c.Dead() {
			doomed[campaign] = c.DoneAt
		}
	}
	return doomed, nil
}
