package policy

import (
	"testing"

	"guanxi/commission/internal/book"
	"guanxi/internal/fault"
)

func TestARailNobodyKnowsIsRefused(t *testing.T) {
	t.Parallel()
	p := Policy{Cap: 1000, Rail: "cash", Rules: []Rule{{Pays: []Pay{{Role: book.Host, Rate: 500}}}}}
	f := fault.Of(p.Check())
	if f == nil || f.Code != ErrPolicyInvalid.Code || len(f.Fields) != 1 || f.Fields[0].Name != "rail" {
		t.Errorf("%+v", f)
	}
	same := p
	same.Rail = RailProfitSharing
	if err := same.Check(); err != nil || p.same(&same) {
		t.Error("another rail is another policy", err)
	}
}
