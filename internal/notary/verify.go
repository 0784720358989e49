package notary

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"guanxi/internal/docstore"
)

// Report is what Verify found.
type Report struct {
	Links       int64
	Documents   int64        // that the chain holds as they are
	Before      int64        // of them, older than the chain
	Waiting     int64        // changed so lately that no link holds them yet
	Unchained   int64        // in collections that no link has ever spoken of: a program before the chain wrote this store
	Differences []Difference // the first ones
	More        int64
}

// Good tells whether nothing differs.
func (r *Report) Good() bool { return len(r.Differences) == 0 }

// Difference is one document that is not what the chain holds. Rule is chain or fact.
type Difference struct{ Rule, Subject, Text string }

const maxDifferences = 100

type verification struct {
	chain
	report   Report
	heads    map[int64][][]byte
	parts    map[string]docstore.Chained
	sums     map[string]*[sha256.Size]byte // of collections: which documents were found as their link holds them
	adopted  map[string]bool
	named    map[string]bool // subjects of the differences
	head     int64
	progress func(links int64)
}

// Verify proves every link, that the chain still goes through the signed heads, and that every document of the named
// collections is what its link holds. Writing may go on meanwhile. Progress may be nil.
func Verify(ctx context.Context, store *docstore.Store, collections []string, heads []Head, progress func(links int64)) (*Report, error) {
	links, err := openChain(ctx, store)
	if err != nil {
		return nil, err
	}
	v := &verification{
		chain: links, progress: progress, heads: map[int64][][]byte{}, parts: map[string]docstore.Chained{},
		sums: map[string]*[sha256.Size]byte{}, adopted: map[string]bool{}, named: map[string]bool{},
	}
	for _, h := range heads {
		v.heads[h.Number] = append(v.heads[h.Number], h.Hash)
	}
	for _, name := range collections {
		c, err := docstore.OpenChained(ctx, store, name)
		if err != nil {
			return nil, fmt.Errorf("verify facts: %w", err)
		}
		v.parts[name], v.sums[name] = c, &[sha256.Size]byte{}
	}
	for _, part := range []func(context.Context) error{v.walk, v.documents} {
		if err := part(ctx); err != nil {
			return &v.report, fmt.Errorf("verify facts: %w", err)
		}
	}
	return &v.report, nil
}

func (v *verification) differ(rule, subject, format string, args ...any) {
	if rule == "fact" && v.named[subject] { // one that stands in several links
		return
	}
	if len(v.report.Differences) >= maxDifferences {
		v.report.More++
		return
	}
	v.named[subject] = true
	v.report.Differences = append(v.report.Differences, Difference{rule, subject, fmt.Sprintf(format, args...)})
}

// walk goes along the chain and looks at every document its links speak of.
func (v *verification) walk(ctx context.Context) error {
	prev := []byte(nil)
	err := v.links.Each(ctx, docstore.All(), func(l *link) error {
		subject, number := "facts/"+l.ID, l.number()
		for v.head++; v.head < number; v.head++ {
			v.differ("chain", "facts/"+linkID(v.head), "the link is gone")
		}
		switch {
		case number != v.head:
			v.differ("chain", subject, "is no link of this chain")
		case !bytes.Equal(l.digest(), l.Hash):
			v.differ("chain", subject, "its content does not match its hash")
		case !bytes.Equal(l.Prev, prev):
			v.differ("chain", subject, "does not follow from the link before it")
		}
		for _, signed := range v.heads[number] {
			if !bytes.Equal(signed, l.Hash) {
				v.differ("chain", subject, "is not the link that was signed")
			}
		}
		delete(v.heads, number)
		prev = l.Hash
		v.report.Links++
		if v.progress != nil {
			v.progress(v.report.Links)
		}
		return v.lines(ctx, l)
	})
	for number := range v.heads {
		if number > v.head {
			v.differ("chain", "facts/"+linkID(number), "was signed, the chain ends at link %d", v.head)
		}
	}
	return err
}

func (v *verification) lines(ctx context.Context, l *link) error {
	held := map[string][]record{}
	for _, text := range strings.Split(l.Text, "\n") {
		r, err := parse(text)
		if err != nil {
			v.differ("chain", "facts/"+l.ID, "holds a line that cannot be read")
			continue
		}
		name := r.fact.Collection
		switch {
		case r.word == wordAdopted:
			v.adopted[name] = true
			continue
		case r.word == wordBefore && v.adopted[name]:
			v.differ("fact", name+"/"+r.fact.ID, "came into the chain as older than it, after everything older had been taken in")
		}
		held[name] = append(held[name], r)
	}
	for name, records := range held {
		c, open := v.parts[name]
		if !open {
			continue
		}
		if err := v.compare(ctx, c, l.number(), records); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) compare(ctx context.Context, c docstore.Chained, number int64, records []record) error {
	ids := make([]string, len(records))
	for i := range records {
		ids[i] = records[i].fact.ID
	}
	stored, err := c.Facts(ctx, ids)
	if err != nil {
		return err
	}
	for i := range records {
		v.judge(&records[i], stored, number)
	}
	return nil
}

// judge compares a document with what link number holds of it.
func (v *verification) judge(r *record, stored map[string]docstore.Fact, number int64) {
	now, there := stored[r.fact.ID]
	subject := r.fact.Collection + "/" + r.fact.ID
	switch {
	case !there:
		v.differ("fact", subject, "was deleted; link %d holds it", number)
	case now.Waiting || now.Proven > number: // changed since: the newest link that holds it counts
	case now.Proven < number && now.Digest == r.fact.Digest: // two processes sealed the same state, or one died before it could note it
	case now.Proven < number:
		v.differ("fact", subject, "was set back to what it was before link %d", number)
	case now.Digest != r.fact.Digest:
		v.differ("fact", subject, "was changed past the program: link %d holds another content", number)
	default:
		v.report.Documents++
		if r.word == wordBefore {
			v.report.Before++
		}
		v.toggle(&now)
	}
}

// toggle puts a document into the order-free sum of its collection, or takes it out.
func (v *verification) toggle(f *docstore.Fact) {
	sum, one := v.sums[f.Collection], sha256.Sum256([]byte(f.ID+" "+strconv.FormatInt(f.Proven, 10)))
	for i := range sum {
		sum[i] ^= one[i]
	}
}

// documents looks for documents that no link holds. Only where the sums differ each is looked at by itself.
func (v *verification) documents(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(v.parts)) {
		c := v.parts[name]
		err := v.each(ctx, c, func(f *docstore.Fact) error {
			if f.Waiting {
				v.report.Waiting++
			}
			if f.Proven > 0 && !f.Waiting {
				v.toggle(f)
			}
			switch {
			case f.Proven > 0 || f.Waiting:
			case !v.adopted[c.Name()]:
				v.report.Unchained++
			default:
				v.differ("fact", c.Name()+"/"+f.ID, "was put in past the program: no link holds it")
			}
			return nil
		})
		if err != nil {
			return err
		}
		if *v.sums[c.Name()] == ([sha256.Size]byte{}) {
			continue
		}
		if err := v.strangers(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) each(ctx context.Context, c docstore.Chained, visit func(*docstore.Fact) error) error {
	for at := ""; ; {
		facts, next, err := c.Scan(ctx, at, 500)
		if err != nil {
			return err
		}
		for i := range facts {
			if err := visit(&facts[i]); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		at = next
	}
}

// strangers names documents that claim a link which does not hold them. What was sealed while Verify ran is none.
func (v *verification) strangers(ctx context.Context, c docstore.Chained) error {
	held := map[string]docstore.Fact{} // of the last link that was looked at
	last := int64(0)
	return v.each(ctx, c, func(f *docstore.Fact) error {
		if f.Waiting || f.Proven == 0 || v.named[c.Name()+"/"+f.ID] {
			return nil
		}
		if f.Proven != last {
			var err error
			if held, err = v.held(ctx, c.Name(), f.Proven); err != nil {
				return err
			}
			last = f.Proven
		}
		if one, ok := held[f.ID]; !ok || one.Digest != f.Digest {
			v.differ("fact", c.Name()+"/"+f.ID, "says that link %d holds it, which does not", f.Proven)
		}
		return nil
	})
}

func (v *verification) held(ctx context.Context, collection string, number int64) (map[string]docstore.Fact, error) {
	l, err := v.links.Get(ctx, linkID(number))
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	held := map[string]docstore.Fact{}
	for _, text := range strings.Split(l.Text, "\n") {
		if r, err := parse(text); err == nil && r.fact.Collection == collection && r.word != wordAdopted {
			held[r.fact.ID] = r.fact
		}
	}
	return held, nil
}
