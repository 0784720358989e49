package docstoretest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guanxi/internal/docstore"
)

// variedParcels are 96 documents that differ in everything an index here looks at.
func variedParcels() []*parcel {
	var docs []*parcel
	towns := []string{"", "a", "aa", "ab", "b", "杭州", "杭州湾", "z"}
	for i := range 96 {
		doc := newParcel(fmt.Sprintf("p/%03d", (i*37)%96), towns[i%len(towns)], int64(i%5)-2)
		doc.Fragile = i%3 == 0
		doc.Inner.Shelf = fmt.Sprint(i % 4)
		if i%4 == 0 {
			doc.Owner = "o" + fmt.Sprint(i%3)
		}
		docs = append(docs, doc)
	}
	return docs
}

func (s suite) finding(t *testing.T) {
	store, _, _ := s.store(t)
	c := parcels(t, store)
	docs := variedParcels()
	put(t, c, docs...)
	at := func(n int64) time.Time { return noon().Add(time.Duration(n) * time.Second) }
	for _, one := range []struct {
		name  string
		q     docstore.Query
		match func(*parcel) bool
		order func(a, b *parcel) int
	}{
		{"all by id", docstore.All(), all, byID},
		{"ids in a range", docstore.All().Between("p/010", "p/020"), func(p *parcel) bool { return p.ID >= "p/010" && p.ID < "p/020" }, byID},
		{"ids from one on", docstore.All().Between("p/090", nil), func(p *parcel) bool { return p.ID >= "p/090" }, byID},
		{"one id", docstore.By("", "p/010"), func(p *parcel) bool { return p.ID == "p/010" }, byID},
		{"an index without a prefix", docstore.By("town"), all, byTown},
		{"a prefix of one field", docstore.By("town", "aa"), func(p *parcel) bool { return p.Town == "aa" }, byTown},
		{"the empty text is a value", docstore.By("town", ""), func(p *parcel) bool { return p.Town == "" }, byTown},
		{"Chinese text is a value, not a prefix of text", docstore.By("town", "杭州"), func(p *parcel) bool { return p.Town == "杭州" }, byTown},
		{"all fields equal", docstore.By("town", "a", int64(-1)), func(p *parcel) bool { return p.Town == "a" && p.Weight == -1 }, byTown},
		{
			"a range after a prefix, negative numbers too", docstore.By("town", "a").Between(-2, 1),
			func(p *parcel) bool { return p.Town == "a" && p.Weight >= -2 && p.Weight < 1 }, byTown,
		},
		{"a range open below", docstore.By("town", "b").Between(nil, 0), func(p *parcel) bool { return p.Town == "b" && p.Weight < 0 }, byTown},
		{"a range open above", docstore.By("town", "b").Between(1, nil), func(p *parcel) bool { return p.Town == "b" && p.Weight >= 1 }, byTown},
		{"a range on the first field", docstore.By("town").Between("aa", "b"), func(p *parcel) bool { return p.Town >= "aa" && p.Town < "b" }, byTown},
		{"an empty range", docstore.By("town", "a").Between(3, 3), func(*parcel) bool { return false }, byTown},
		{"a range the wrong way round", docstore.By("town", "a").Between(2, -2), func(*parcel) bool { return false }, byTown},
		{"times", docstore.By("when").Between(at(-1), at(1)), func(p *parcel) bool { return p.Weight >= -1 && p.Weight < 1 }, byWhen},
		{"a boolean and a field of a part", docstore.By("shelf", true, "2"), func(p *parcel) bool { return p.Fragile && p.Inner.Shelf == "2" }, byID},
		{"a sparse index holds who has the field", docstore.By("owner"), func(p *parcel) bool { return p.Owner != "" }, byOwner},
		{"a sparse index by value", docstore.By("owner", "o1"), func(p *parcel) bool { return p.Owner == "o1" }, byOwner},
		{"nobody", docstore.By("town", "nowhere"), func(*parcel) bool { return false }, byTown},
	} {
		t.Run(one.name, func(t *testing.T) {
			var want []*parcel
			for _, doc := range docs {
				if one.match(doc) {
					want = append(want, doc)
				}
			}
			slices.SortFunc(want, one.order)
			checkQuery(t, c, one.q, idsOf(want))
			slices.Reverse(want)
			checkQuery(t, c, one.q.Newest(), idsOf(want))
		})
	}
	t.Run("a cursor stays where it is while others write", func(t *testing.T) { s.stableCursor(t, c) })
	t.Run("bad queries are refused", func(t *testing.T) { s.badQueries(t, c) })
}

func all(*parcel) bool { return true }

func byID(a, b *parcel) int { return strings.Compare(a.ID, b.ID) }
func byTown(a, b *parcel) int {
	return cmp.Or(strings.Compare(a.Town, b.Town), cmp.Compare(a.Weight, b.Weight), byID(a, b))
}
func byWhen(a, b *parcel) int  { return cmp.Or(a.At.Compare(b.At), byID(a, b)) }
func byOwner(a, b *parcel) int { return cmp.Or(strings.Compare(a.Owner, b.Owner), byID(a, b)) }

// checkQuery asks in one page, in pages of one and three, by Each, by FindOne and by Count, and wants the same.
func checkQuery(t *testing.T, c *docstore.Collection[parcel], q docstore.Query, want []string) {
	t.Helper()
	ctx := t.Context()
	same := func(how string, got []string) {
		t.Helper()
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s: %s", how, diff)
		}
	}
	for _, size := range []int{docstore.MaxLimit, len(want), 3, 1} {
		if size == 0 || (size == 1 && len(want) > 20) {
			continue
		}
		var got []string
		for page, n := q.First(size), 0; ; n++ {
			answer, err := c.Find(ctx, page)
			if err != nil || len(answer.Items) > size || n > len(want) {
				t.Fatalf("pages of %d: %d items, %v", size, len(answer.Items), err)
			}
			got = append(got, idsOf(answer.Items)...)
			if answer.Next == "" {
				break
			}
			page = page.Continue(answer.Next)
		}
		same(fmt.Sprintf("pages of %d", size), got)
	}
	var got []string
	if err := c.Each(ctx, q, func(p *parcel) error { got = append(got, p.ID); return nil }); err != nil {
		t.Fatal(err)
	}
	same("each", got)
	one, err := c.FindOne(ctx, q)
	if len(want) == 0 {
		wantErr(t, err, docstore.ErrNotFound)
	} else if err != nil || one.ID != want[0] {
		t.Fatal("find one:", one, err)
	}
	for _, limit := range []int{0, 1, 5, len(want) + 1} {
		expect := len(want)
		if limit > 0 {
			expect = min(expect, limit)
		}
		if n, err := c.Count(ctx, q, limit); err != nil || n != expect {
			t.Fatalf("count up to %d: %d, %v; want %d", limit, n, err, expect)
		}
	}
}

func (s suite) stableCursor(t *testing.T, c *docstore.Collection[parcel]) {
	ctx := t.Context()
	for _, id := range []string{"s1", "s3", "s5", "s7"} {
		put(t, c, newParcel(id, "stable", 1))
	}
	page, err := c.Find(ctx, docstore.By("town", "stable").First(2))
	if err != nil || page.Next == "" {
		t.Fatal(page, err)
	}
	put(t, c, newParcel("s2", "stable", 1), newParcel("s6", "stable", 1)) // before and behind the place
	if err := c.Delete(ctx, "s3", nil); err != nil {                      // the very document it names
		t.Fatal(err)
	}
	page, err = c.Find(ctx, docstore.By("town", "stable").First(10).Continue(page.Next))
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]string{"s5", "s6", "s7"}, idsOf(page.Items)); diff != "" || page.Next != "" {
		t.Fatal(diff, page.Next)
	}
}

func (s suite) badQueries(t *testing.T, c *docstore.Collection[parcel]) {
	for name, q := range map[string]docstore.Query{
		"unknown index":          docstore.By("nothing"),
		"too many values":        docstore.By("town", "a", 1, 2),
		"a range behind the end": docstore.By("when", noon()).Between(1, 2),
		"a float":                docstore.By("town", 1.5),
		"a struct":               docstore.By("town", struct{}{}),
		"a NUL byte":             docstore.By("town", "a\x00"),
		"a float in the range":   docstore.By("town", "a").Between(1.5, nil),
		"an id that is no text":  docstore.By("", 7),
		"a limit below zero":     docstore.All().First(-1),
		"a limit above all":      docstore.All().First(docstore.MaxLimit + 1),
		"a cursor of nonsense":   docstore.By("town").Continue("!!!"),
		"a cursor too short":     docstore.By("town").Continue("zz"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Find(t.Context(), q)
			wantErr(t, err, docstore.ErrInvalid)
			if q.After == "" && q.Limit >= 0 && q.Limit <= docstore.MaxLimit {
				_, err = c.Count(t.Context(), q, 0)
				wantErr(t, err, docstore.ErrInvalid)
			}
		})
	}
}
