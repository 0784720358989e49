package distribution

import (
	"errors"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

var start = time.Date(2025, 3, 1, 2, 0, 0, 0, time.UTC)

type house struct {
	*Service
	clock *clock.Manual
	store *docstore.Store
}

func open(t testing.TB, p Policy) house {
	t.Helper()
	c := clock.NewManual(start)
	store := docstoretest.NewStore(t, c)
	s, err := New(t.Context(), Deps{Store: store, Clock: c, Config: Config{Policy: p}})
	if err != nil {
		t.Fatal(err)
	}
	return house{s, c, store}
}

// link is a share of somebody's; key tells several of them apart.
func (h house) link(t testing.TB, sharer, key string) string {
	t.Helper()
	s, err := h.Share(t.Context(), ShareInput{Sharer: sharer, Kind: KindCampaign, Target: "campaign" + key, Community: "comm", Host: sharer})
	if err != nil {
		t.Fatal(err)
	}
	return s.ID
}

func (h house) opens(t testing.TB, visitor, sharer, key string) *Opened {
	t.Helper()
	o, err := h.Open(t.Context(), OpenInput{Share: h.link(t, sharer, key), Visitor: visitor, Scene: 1008})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func want(t *testing.T, err, fault error) {
	t.Helper()
	if !errors.Is(err, fault) {
		t.Fatalf("got error %v, want %v", err, fault)
	}
}
