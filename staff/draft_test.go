package staff

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guanxi/internal/docstore"
)

func TestADraftIsMadeByOneAndTakenByAnother(t *testing.T) {
	t.Parallel()
	h, ctx := open(t, Config{}), t.Context()
	in := DraftInput{Key: "k", Maker: "ann", Kind: "policy", Title: " 五月规则 ", Content: "{}"}
	d, err := h.WriteDraft(ctx, in)
	if err != nil || d.Title != "五月规则" {
		t.Fatal(d, err)
	}
	if again, err := h.WriteDraft(ctx, in); err != nil || again.ID != d.ID {
		t.Fatal(again, err)
	}
	in.Content = "{ }"
	_, err = h.WriteDraft(ctx, in)
	want(t, err, ErrDraftReused)
	_, err = h.TakeDraft(ctx, d.ID, "ann")
	want(t, err, ErrDraftOwn)
	if _, err := h.TakeDraft(ctx, d.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	_, err = h.TakeDraft(ctx, d.ID, "eve")
	want(t, err, ErrDraftBusy)
	_, err = h.DropDraft(ctx, d.ID, "ann", "no")
	want(t, err, ErrDraftState)
	if _, err := h.TakeDraft(ctx, d.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(time.Minute)
	if _, err := h.TakeDraft(ctx, d.ID, "eve"); err != nil {
		t.Fatal(err)
	}
	_, err = h.FinishDraft(ctx, d.ID, "bob", "policy/1")
	want(t, err, ErrDraftState)
	if d, err = h.FinishDraft(ctx, d.ID, "eve", "policy/1"); err != nil || d.Result != "policy/1" || d.State != DraftTaken {
		t.Fatal(d, err)
	}
	if again, err := h.TakeDraft(ctx, d.ID, "eve"); err != nil || again.State != DraftTaken {
		t.Fatal(again, err)
	}
	_, err = h.TakeDraft(ctx, d.ID, "bob")
	want(t, err, ErrDraftState)
	_, err = h.Draft(ctx, "none")
	want(t, err, ErrDraftMissing)
	for _, bad := range []DraftInput{
		{},
		{Key: "k", Maker: "a", Kind: "p", Title: "", Content: "x"},
		{Key: "k", Maker: "a", Kind: "p", Title: "t"},
		{Key: "k", Maker: "a", Kind: "p", Title: strings.Repeat("长", 101), Content: "x"},
		{Key: "k", Maker: "a", Kind: "p", Title: "t", Content: strings.Repeat("x", 1<<20+1)},
		{Key: "k", Maker: "a", Kind: "p", Title: "t", Content: "\xff"},
	} {
		_, err := h.WriteDraft(ctx, bad)
		want(t, err, ErrDraftInvalid)
	}
	page, err := h.Drafts(ctx, "policy", DraftTaken, docstore.Paging{})
	if err != nil || len(page.Items) != 1 {
		t.Error(page.Items, err)
	}
}

// Whatever people try in whatever order: the maker never carries a draft out, and its end is final.
func TestADraftsEndIsFinal(t *testing.T) {
	t.Parallel()
	h, n := open(t, Config{}), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		d, err := h.WriteDraft(rt.Context(), DraftInput{Key: strings.Repeat("k", n), Maker: "ann", Kind: "policy", Title: "t", Content: "c"})
		if err != nil {
			rt.Fatal(err)
		}
		who := rapid.SampledFrom([]string{"ann", "bob", "eve"})
		last := d
		try := func(next *Draft, err error) {
			switch {
			case err == nil:
				last = next
			case !errors.Is(err, ErrDraftOwn) && !errors.Is(err, ErrDraftState) && !errors.Is(err, ErrDraftBusy):
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"take":   func(rt *rapid.T) { try(h.TakeDraft(rt.Context(), d.ID, who.Draw(rt, "who"))) },
			"finish": func(rt *rapid.T) { try(h.FinishDraft(rt.Context(), d.ID, who.Draw(rt, "who"), "r")) },
			"return": func(rt *rapid.T) { try(h.ReturnDraft(rt.Context(), d.ID, who.Draw(rt, "who"))) },
			"drop":   func(rt *rapid.T) { try(h.DropDraft(rt.Context(), d.ID, who.Draw(rt, "who"), "w")) },
			"wait":   func(*rapid.T) { h.clock.Advance(40 * time.Second) },
			"": func(rt *rapid.T) {
				now, err := h.Draft(rt.Context(), d.ID)
				if err != nil {
					rt.Fatal(err)
				}
				over := last.State == DraftTaken || last.State == DraftDropped
				if now.State != last.State || now.Checker != last.Checker || over && now.Version != last.Version {
					rt.Fatalf("%+v, want %+v", now, last)
				}
				if (now.State == DraftTaken || now.State == DraftTaking) && now.Checker == "ann" {
					rt.Fatal("the maker checked")
				}
			},
		})
	})
}
